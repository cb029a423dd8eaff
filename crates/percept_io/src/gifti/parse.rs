//! Reading the XML of a GIFTI file, one data array after the other.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::content::{DataArray, Gifti, Label, Transform};
use crate::number::Number;
use crate::xml::{attribute, decoded, optional_attribute, text_of, xml_error};
use crate::{Error, Result, fs, limits};

/// Everything in the document `text`.
pub(super) fn document(text: &[u8], folder: Option<&Path>) -> Result<Gifti> {
    let mut reader = Reader::from_str(decoded(text)?);
    let mut out = Gifti::default();
    let (mut is_gifti, mut is_closed) = (false, false);
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, &reader))? {
            Event::Start(tag) => match tag.name().as_ref() {
                "GIFTI" => is_gifti = true,
                "MetaData" => out.metadata = metadata(&mut reader)?,
                "LabelTable" => out.labels = labels(&mut reader)?,
                "DataArray" if is_gifti => {
                    let n = out.arrays.len();
                    let array = data_array(&tag, &mut reader, folder);
                    out.arrays.push(array.map_err(|error| error.in_object(format!("data array {n}")))?);
                }
                _ => {}
            },
            Event::End(tag) if tag.name().as_ref() == "GIFTI" => is_closed = true,
            Event::Eof => break,
            _ => {}
        }
    }
    if !is_gifti {
        return Err(Error::malformed("the document", "GIFTI", "another kind of XML or text"));
    }
    if !is_closed {
        return Err(Error::truncated("the element `GIFTI`", text.len() as u64 + 1, text.len() as u64));
    }
    Ok(out)
}

/// The pairs of a `MetaData` element, whose start was read.
fn metadata(reader: &mut Reader<&[u8]>) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let (mut name, mut value) = (String::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) => match tag.name().as_ref() {
                "Name" => name = text_of(reader, "Name")?,
                "Value" => value = text_of(reader, "Value")?,
                _ => {}
            },
            Event::End(tag) => match tag.name().as_ref() {
                "MD" => pairs.push((std::mem::take(&mut name), std::mem::take(&mut value))),
                "MetaData" => return Ok(pairs),
                _ => {}
            },
            Event::Eof => return Err(unclosed("MetaData", reader)),
            _ => {}
        }
    }
}

fn labels(reader: &mut Reader<&[u8]>) -> Result<Vec<Label>> {
    let mut labels = Vec::new();
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) if tag.name().as_ref() == "Label" => {
                let key = match optional_attribute(&tag, "Key")? {
                    Some(key) => key,
                    // An early version of the format called it so.
                    None => attribute(&tag, "Index")?,
                };
                let key = number_in("a label's key", &key)?;
                let mut colour = [0.0; 4];
                let mut n_given = 0;
                for (name, channel) in ["Red", "Green", "Blue", "Alpha"].iter().zip(&mut colour) {
                    if let Some(text) = optional_attribute(&tag, name)? {
                        *channel = number_in("a label's colour", &text)?;
                        n_given += 1;
                    }
                }
                let name = text_of(reader, "Label")?;
                labels.push(Label { key, name, colour: (n_given == 4).then_some(colour) });
            }
            Event::End(tag) if tag.name().as_ref() == "LabelTable" => return Ok(labels),
            Event::Eof => return Err(unclosed("LabelTable", reader)),
            _ => {}
        }
    }
}

/// What the attributes of a data array say.
struct Plan {
    intent: String,
    number: Number,
    dims: Vec<usize>,
    encoding: String,
    is_big_endian: bool,
    is_column_major: bool,
    external: Option<(String, u64)>,
}

impl Plan {
    fn read(tag: &BytesStart<'_>) -> Result<Self> {
        let data_type = attribute(tag, "DataType")?;
        let number = number_type(&data_type)?;
        let n_dims: usize = number_in("`Dimensionality`", &attribute(tag, "Dimensionality")?)?;
        if !(1..=6).contains(&n_dims) {
            return Err(Error::malformed("`Dimensionality`", "1 to 6", n_dims));
        }
        let dims = (0..n_dims)
            .map(|axis| number_in("a dimension", &attribute(tag, &format!("Dim{axis}"))?))
            .collect::<Result<Vec<usize>>>()?;
        let external = optional_attribute(tag, "ExternalFileName")?.filter(|name| !name.is_empty());
        let external = match external {
            None => None,
            Some(name) => {
                let offset = optional_attribute(tag, "ExternalFileOffset")?.filter(|offset| !offset.is_empty());
                let offset = offset.map_or(Ok(0), |offset| number_in("`ExternalFileOffset`", &offset))?;
                Some((name, offset))
            }
        };
        let count = limits::element_count("data array", &dims)?;
        limits::byte_count("data array", count, number.width(), limits::MAX_ARRAY_BYTES)?;
        Ok(Self {
            intent: optional_attribute(tag, "Intent")?.unwrap_or_else(|| super::content::NONE.to_owned()),
            number,
            dims,
            encoding: attribute(tag, "Encoding")?,
            is_big_endian: optional_attribute(tag, "Endian")?.is_some_and(|order| order == "BigEndian"),
            is_column_major: optional_attribute(tag, "ArrayIndexingOrder")?
                .is_some_and(|order| order == "ColumnMajorOrder"),
            external,
        })
    }

    fn count(&self) -> usize {
        self.dims.iter().product()
    }

    fn n_bytes(&self) -> u64 {
        (self.count() * self.number.width()) as u64
    }
}

fn data_array(tag: &BytesStart<'_>, reader: &mut Reader<&[u8]>, folder: Option<&Path>) -> Result<DataArray> {
    let plan = Plan::read(tag)?;
    let mut array = DataArray {
        intent: plan.intent.clone(),
        number: plan.number,
        dims: plan.dims.clone(),
        metadata: Vec::new(),
        transforms: Vec::new(),
        bytes: Vec::new(),
    };
    let mut data = None;
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) => match tag.name().as_ref() {
                "MetaData" => array.metadata = metadata(reader)?,
                "CoordinateSystemTransformMatrix" => array.transforms.push(transform(reader)?),
                "Data" => data = Some(text_of(reader, "Data")?),
                _ => {}
            },
            Event::End(tag) if tag.name().as_ref() == "DataArray" => break,
            Event::Eof => return Err(unclosed("DataArray", reader)),
            _ => {}
        }
    }
    let mut bytes = values(&plan, &data.unwrap_or_default(), folder)?;
    if plan.is_big_endian && plan.encoding != "ASCII" {
        bytes.chunks_exact_mut(plan.number.width()).for_each(<[u8]>::reverse);
    }
    array.bytes = if plan.is_column_major { row_major(&bytes, &plan.dims, plan.number.width()) } else { bytes };
    Ok(array)
}

/// The values as bytes, as many as the dimensions say.
fn values(plan: &Plan, text: &str, folder: Option<&Path>) -> Result<Vec<u8>> {
    let n_bytes = plan.n_bytes();
    match plan.encoding.as_str() {
        "ASCII" => ascii(plan, text),
        "Base64Binary" => {
            let bytes = from_base64(text)?;
            if bytes.len() as u64 == n_bytes {
                return Ok(bytes);
            }
            Err(Error::malformed("the number of bytes", n_bytes, bytes.len()))
        }
        "GZipBase64Binary" => {
            let packed = from_base64(text)?;
            let limit = limits::inflated_limit(packed.len() as u64);
            if n_bytes > limit {
                return Err(Error::too_large("the data array", u128::from(n_bytes), limit));
            }
            let mut stream = ZlibDecoder::new(packed.as_slice());
            let bytes = fs::read_growing(&mut stream, "the zlib stream", n_bytes)?;
            fs::drain(&mut stream, "the zlib stream")?;
            Ok(bytes)
        }
        "ExternalFileBinary" => {
            let Some((name, offset)) = &plan.external else {
                return Err(Error::malformed("`ExternalFileName`", "a file", "missing"));
            };
            // A name that leads out of the folder is not followed: the file may come from anywhere.
            let is_plain = Path::new(name).components().count() == 1 && !name.starts_with('.');
            let (true, Some(folder)) = (is_plain, folder) else {
                let remedy = "put the data beside the GIFTI file, named without a folder";
                return Err(Error::unsupported("external data at", format!("`{name}`"), remedy));
            };
            fs::open(folder.join(name))?.bytes_at("the external data", *offset, n_bytes)
        }
        other => {
            let expected = "ASCII, Base64Binary, GZipBase64Binary or ExternalFileBinary";
            Err(Error::malformed("`Encoding`", expected, format!("`{other}`")))
        }
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).map_err(|error| Error::codec("the base64 text", error))
}

fn ascii(plan: &Plan, text: &str) -> Result<Vec<u8>> {
    use crate::number::Element as _;
    let mut bytes = Vec::new();
    let mut n_words = 0;
    for word in text.split_ascii_whitespace() {
        n_words += 1;
        match plan.number {
            Number::F32 => number_in::<f32>("a value", word)?.put_le(&mut bytes),
            Number::F64 => number_in::<f64>("a value", word)?.put_le(&mut bytes),
            Number::I32 => number_in::<i32>("a value", word)?.put_le(&mut bytes),
            Number::U8 => number_in::<u8>("a value", word)?.put_le(&mut bytes),
            Number::I8 => number_in::<i8>("a value", word)?.put_le(&mut bytes),
            Number::I16 => number_in::<i16>("a value", word)?.put_le(&mut bytes),
            Number::U16 => number_in::<u16>("a value", word)?.put_le(&mut bytes),
            Number::U32 => number_in::<u32>("a value", word)?.put_le(&mut bytes),
            Number::I64 => number_in::<i64>("a value", word)?.put_le(&mut bytes),
            _ => number_in::<u64>("a value", word)?.put_le(&mut bytes),
        }
    }
    if n_words == plan.count() {
        Ok(bytes)
    } else {
        Err(Error::malformed("the number of values", plan.count(), n_words))
    }
}

/// `bytes` in which the first axis varies fastest, as bytes in which the last one does.
fn row_major(bytes: &[u8], dims: &[usize], width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0; dims.len()];
    for _ in 0..bytes.len() / width {
        let mut stride = 1;
        let mut from = 0;
        for (&i, &length) in index.iter().zip(dims) {
            from += i * stride;
            stride *= length;
        }
        out.extend_from_slice(&bytes[from * width..(from + 1) * width]);
        for (i, &length) in index.iter_mut().zip(dims).rev() {
            *i += 1;
            if *i < length {
                break;
            }
            *i = 0;
        }
    }
    out
}

fn transform(reader: &mut Reader<&[u8]>) -> Result<Transform> {
    let mut out = Transform { data_space: String::new(), transformed_space: String::new(), matrix: [[0.0; 4]; 4] };
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) => match tag.name().as_ref() {
                "DataSpace" => text_of(reader, "DataSpace")?.trim().clone_into(&mut out.data_space),
                "TransformedSpace" => {
                    text_of(reader, "TransformedSpace")?.trim().clone_into(&mut out.transformed_space);
                }
                "MatrixData" => {
                    let text = text_of(reader, "MatrixData")?;
                    let words: Vec<f64> = text
                        .split_ascii_whitespace()
                        .map(|word| number_in("the matrix", word))
                        .collect::<Result<_>>()?;
                    if words.len() != 16 {
                        return Err(Error::malformed("the matrix", "16 numbers", words.len()));
                    }
                    for (cell, word) in out.matrix.iter_mut().flatten().zip(words) {
                        *cell = word;
                    }
                }
                _ => {}
            },
            Event::End(tag) if tag.name().as_ref() == "CoordinateSystemTransformMatrix" => return Ok(out),
            Event::Eof => return Err(unclosed("CoordinateSystemTransformMatrix", reader)),
            _ => {}
        }
    }
}

fn number_type(text: &str) -> Result<Number> {
    Ok(match text {
        "NIFTI_TYPE_UINT8" => Number::U8,
        "NIFTI_TYPE_INT8" => Number::I8,
        "NIFTI_TYPE_INT16" => Number::I16,
        "NIFTI_TYPE_UINT16" => Number::U16,
        "NIFTI_TYPE_INT32" => Number::I32,
        "NIFTI_TYPE_UINT32" => Number::U32,
        "NIFTI_TYPE_INT64" => Number::I64,
        "NIFTI_TYPE_UINT64" => Number::U64,
        "NIFTI_TYPE_FLOAT32" => Number::F32,
        "NIFTI_TYPE_FLOAT64" => Number::F64,
        other => {
            let remedy = "convert it to NIFTI_TYPE_FLOAT32";
            return Err(Error::unsupported("the data type", format!("`{other}`"), remedy));
        }
    })
}

fn number_in<T: std::str::FromStr>(what: &str, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| Error::malformed(what, "a number", format!("`{}`", crate::xml::shortened(text))))
}

fn unclosed(name: &str, reader: &Reader<&[u8]>) -> Error {
    let position = reader.buffer_position();
    Error::truncated(format!("the element `{name}`"), position + 1, position)
}
