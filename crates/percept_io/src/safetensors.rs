//! Safetensors: named tensors behind a JSON header. Read one tensor at a time; written in order of the names.
//!
//! The header is checked as a whole before anything is read: every tensor lies inside the file, is as long as its shape
//! says, and no two overlap. Tensors are read from their place in the file, so a large file costs no more than the tensor
//! asked for. Written files depend on the tensors only: names in order, no gaps, the header padded with spaces.
//!
//! This is our own code because the crate `safetensors` wants the whole file in memory and writes in an order of its own.
//! Types beyond numbers of 8 to 64 bits (such as `F8_E4M3`) are listed but not read.
//!
//! # References
//! <https://github.com/huggingface/safetensors#format>

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use serde_json::{Map, Value, json};

use crate::fs::{self, Sink, Source};
use crate::number::{ByteOrder, Element, Number, decode};
use crate::{Error, Result, limits};

/// An open file of tensors.
#[derive(Clone, Debug)]
pub struct SafeTensors {
    source: Source,
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

/// Where a tensor is and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The type as the file names it, such as `F32`.
    pub dtype: String,
    /// The number type, if it is one that can be read.
    pub number: Option<Number>,
    /// The lengths of the axes.
    pub shape: Vec<usize>,
    /// Where its bytes begin in the file.
    offset: u64,
    /// How many bytes there are.
    len: u64,
}

/// Opens the file at `path`.
///
/// # Errors
/// If it is no safetensors file, is damaged, or shorter than its header claims.
pub fn open(path: impl AsRef<Path>) -> Result<SafeTensors> {
    SafeTensors::from_source(fs::open(path)?)
}

impl SafeTensors {
    /// As [`open`], for bytes that are already at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        Self::new(source.clone()).map_err(|error| source.locate(error))
    }

    fn new(source: Source) -> Result<Self> {
        let mut word = [0; 8];
        source.require("the length of the header", 0, 8)?;
        source.read_at(0, &mut word)?;
        let header_len = u64::from_le_bytes(word);
        if header_len > limits::MAX_HEADER_BYTES {
            return Err(Error::too_large("the header", u128::from(header_len), limits::MAX_HEADER_BYTES).at(0));
        }
        let text = source.bytes_at("the header", 8, header_len)?;
        let header: Map<String, Value> = serde_json::from_slice(&text)
            .map_err(|error| Error::malformed("the header", "JSON", format!("no JSON: {error}")).at(8))?;
        let data_offset = 8 + header_len;
        let data_len = source.len() - data_offset;
        let mut tensors = BTreeMap::new();
        let mut metadata = BTreeMap::new();
        for (name, entry) in header {
            if name == "__metadata__" {
                let texts = entry.as_object().into_iter().flatten();
                metadata.extend(texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))));
                continue;
            }
            let tensor = Tensor::parse(&entry, data_offset, data_len).map_err(|error| error.in_object(&name).at(8))?;
            tensors.insert(name, tensor);
        }
        check_places(&tensors, data_offset, data_len)?;
        Ok(Self { source, tensors, metadata })
    }

    /// The names of the tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The texts that the file carries beside its tensors.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What the file says about the tensor called `name`.
    ///
    /// # Errors
    /// If there is none; the error lists those that exist.
    pub fn info(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| self.source.locate(Error::missing("tensor", name, self.names())))
    }

    /// The rows `range` along the first axis of the tensor called `name`, read without the others.
    ///
    /// # Errors
    /// As [`SafeTensors::tensor`], and if it has no such rows.
    pub fn rows<T: Element>(&self, name: &str, range: Range<usize>) -> Result<ArrayD<T>> {
        let shape = &self.info(name)?.shape;
        let row_len: usize = shape.iter().skip(1).product();
        if shape.is_empty() || range.start > range.end || range.end > shape[0] {
            return Err(self.no_such("rows", name, &range));
        }
        let mut slab = shape.clone();
        slab[0] = range.len();
        self.spans(name, &[(range.start * row_len, range.len() * row_len)], &slab)
    }

    /// The columns `range` of the matrix that the tensor is when all axes but the first are one: n_rows × range.len().
    ///
    /// # Errors
    /// As [`SafeTensors::tensor`], and if it has no such columns.
    pub fn columns<T: Element>(&self, name: &str, range: Range<usize>) -> Result<ArrayD<T>> {
        let shape = &self.info(name)?.shape;
        let n_columns: usize = shape.iter().skip(1).product();
        if shape.is_empty() || range.start > range.end || range.end > n_columns {
            return Err(self.no_such("columns", name, &range));
        }
        self.spans(name, &crate::npy::spans(shape[0], n_columns, range.clone(), false), &[shape[0], range.len()])
    }

    fn no_such(&self, what: &str, name: &str, range: &Range<usize>) -> Error {
        let got = self.info(name).map_or_else(|_| String::new(), |tensor| format!("of shape {:?}", tensor.shape));
        let expected = format!("{what} {} to {}", range.start, range.end);
        self.source.locate(Error::mismatch("the tensor", expected, got, "ask for what it has").in_object(name))
    }

    /// Elements in `spans`, each a start and a length, as an array of `shape`.
    fn spans<T: Element>(&self, name: &str, spans: &[(usize, usize)], shape: &[usize]) -> Result<ArrayD<T>> {
        const BLOCK_ELEMENTS: usize = 1 << 18;
        let tensor = self.info(name)?;
        let attempt = || {
            let number = tensor.readable()?;
            let width = number.width();
            let mut values = Vec::with_capacity(spans.iter().map(|span| span.1).sum());
            let mut block = Vec::new();
            for &(start, len) in spans {
                for done in (0..len).step_by(BLOCK_ELEMENTS) {
                    block.resize((len - done).min(BLOCK_ELEMENTS) * width, 0);
                    self.source.read_at(tensor.offset + ((start + done) * width) as u64, &mut block)?;
                    decode(&block, number, ByteOrder::Little, &mut values)?;
                }
            }
            ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|error| Error::codec("the tensor", error))
        };
        attempt().map_err(|error| self.source.locate(error.in_object(name)))
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// If there is none, its type is not handled, or it holds values that `T` cannot.
    pub fn tensor<T: Element>(&self, name: &str) -> Result<ArrayD<T>> {
        let tensor = self.info(name)?;
        let attempt = || {
            let number = tensor.readable()?;
            let bytes = self.source.bytes_at("the tensor", tensor.offset, tensor.len)?;
            let mut values = Vec::new();
            decode(&bytes, number, ByteOrder::Little, &mut values)?;
            ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).map_err(|error| Error::codec("the tensor", error))
        };
        attempt().map_err(|error| self.source.locate(error.in_object(name)))
    }
}

impl Tensor {
    fn readable(&self) -> Result<Number> {
        self.number.ok_or_else(|| {
            let remedy = "convert the tensor to F32 or F16";
            Error::unsupported("the tensor type", format!("`{}`", self.dtype), remedy)
        })
    }

    fn parse(entry: &Value, data_offset: u64, data_len: u64) -> Result<Self> {
        let wrong =
            |what: &str, expected: &str| Error::malformed(what, expected, entry.get(what).unwrap_or(&Value::Null));
        let dtype = entry["dtype"].as_str().ok_or_else(|| wrong("dtype", "a text"))?;
        let shape = counts(&entry["shape"]).ok_or_else(|| wrong("shape", "a list of lengths"))?;
        let shape: Vec<usize> = shape.into_iter().map(|length| length as usize).collect();
        let Some(&[start, end]) = counts(&entry["data_offsets"]).as_deref().and_then(<[u64]>::first_chunk::<2>) else {
            return Err(wrong("data_offsets", "a start and an end"));
        };
        if start > end || end > data_len {
            return Err(wrong("data_offsets", &format!("a range within the {data_len} bytes of data")));
        }
        let number = number_of(dtype);
        let count = limits::element_count("the tensor", &shape)?;
        if let Some(number) = number {
            let expected = limits::byte_count("the tensor", count, number.width(), i64::MAX as u64)? as u64;
            if end - start != expected {
                return Err(wrong("data_offsets", &format!("{expected} bytes for {shape:?} of {dtype}")));
            }
        }
        Ok(Self { dtype: dtype.to_owned(), number, shape, offset: data_offset + start, len: end - start })
    }
}

/// The non-negative integers of a JSON list, fewer than an array can have axes.
fn counts(value: &Value) -> Option<Vec<u64>> {
    const MAX_AXES: usize = 64;
    let list = value.as_array().filter(|list| list.len() <= MAX_AXES)?;
    list.iter().map(Value::as_u64).collect()
}

/// The format demands that the tensors fill the data without gap or overlap; a file that breaks this may hide something.
fn check_places(tensors: &BTreeMap<String, Tensor>, data_offset: u64, data_len: u64) -> Result<()> {
    let mut places: Vec<_> = tensors.iter().map(|(name, tensor)| (tensor.offset, tensor.len, name)).collect();
    places.sort_unstable();
    let mut end = data_offset;
    for (offset, len, name) in places {
        if offset != end {
            return Err(Error::malformed("the start of a tensor", end, offset).in_object(name).at(offset));
        }
        end += len;
    }
    if end != data_offset + data_len {
        return Err(Error::malformed("the end of the last tensor", data_offset + data_len, end).at(end));
    }
    Ok(())
}

fn number_of(dtype: &str) -> Option<Number> {
    Some(match dtype {
        "BOOL" => Number::Bool,
        "U8" => Number::U8,
        "I8" => Number::I8,
        "U16" => Number::U16,
        "I16" => Number::I16,
        "U32" => Number::U32,
        "I32" => Number::I32,
        "U64" => Number::U64,
        "I64" => Number::I64,
        "F16" => Number::F16,
        "BF16" => Number::Bf16,
        "F32" => Number::F32,
        "F64" => Number::F64,
        _ => return None,
    })
}

fn dtype_of(number: Number) -> &'static str {
    match number {
        Number::Bool => "BOOL",
        Number::U8 => "U8",
        Number::I8 => "I8",
        Number::U16 => "U16",
        Number::I16 => "I16",
        Number::U32 => "U32",
        Number::I32 => "I32",
        Number::U64 => "U64",
        Number::I64 => "I64",
        Number::F16 => "F16",
        Number::Bf16 => "BF16",
        Number::F32 => "F32",
        Number::F64 => "F64",
    }
}

/// The bytes in front of the data, and where each tensor begins in the file, for tensors in the order of their names.
pub(crate) fn header_bytes<'a>(
    tensors: impl Iterator<Item = (&'a str, Number, &'a [usize])>,
    metadata: &BTreeMap<String, String>,
) -> (Vec<u8>, Vec<u64>) {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let (mut starts, mut end) = (Vec::new(), 0u64);
    for (name, number, shape) in tensors {
        let start = end;
        starts.push(start);
        end += shape.iter().product::<usize>() as u64 * number.width() as u64;
        let entry = json!({"dtype": dtype_of(number), "shape": shape, "data_offsets": [start, end]});
        header.insert(name.to_owned(), entry);
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    // The data begin at a multiple of 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    let data = bytes.len() as u64;
    (bytes, starts.into_iter().map(|start| start + data).collect())
}

/// Tensors that will be written together.
#[derive(Default)]
pub struct Writer<'a> {
    tensors: BTreeMap<String, Pending<'a>>,
    metadata: BTreeMap<String, String>,
}

struct Pending<'a> {
    number: Number,
    shape: Vec<usize>,
    put: Box<PutTensor<'a>>,
}

/// Writes the bytes of one tensor; its type is known only where it was added.
type PutTensor<'a> = dyn Fn(&mut Sink) -> Result<()> + 'a;

impl<'a> Writer<'a> {
    /// No tensors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `array` under `name`, in place of what had that name.
    pub fn add<T: Element>(&mut self, name: impl Into<String>, array: ArrayViewD<'a, T>) -> &mut Self {
        const BLOCK_BYTES: usize = 1 << 16;
        let shape = array.shape().to_vec();
        let put = move |sink: &mut Sink| {
            let mut block = Vec::with_capacity(BLOCK_BYTES);
            for &value in &array {
                value.put_le(&mut block);
                if block.len() >= BLOCK_BYTES {
                    fs::put(&mut *sink, &block)?;
                    block.clear();
                }
            }
            fs::put(sink, &block)
        };
        self.tensors.insert(name.into(), Pending { number: T::NUMBER, shape, put: Box::new(put) });
        self
    }

    /// Adds a text to the file's metadata.
    pub fn add_text(&mut self, key: impl Into<String>, text: impl Into<String>) -> &mut Self {
        self.metadata.insert(key.into(), text.into());
        self
    }

    /// Writes the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.number, tensor.shape.as_slice()));
        let text = header_bytes(tensors, &self.metadata).0;
        fs::write_atomic(path, |sink| {
            fs::put(&mut *sink, &text)?;
            self.tensors.values().try_for_each(|tensor| (tensor.put)(sink))
        })
    }
}
