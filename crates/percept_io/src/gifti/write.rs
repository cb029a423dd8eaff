//! Writing GIFTI: GZipBase64, little-endian, row major, nothing that depends on a clock.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use quick_xml::escape::escape;

use super::content::{DataArray, Gifti};
use crate::number::Number;
use crate::{Error, Result};

pub(super) fn document(file: &Gifti) -> Result<Vec<u8>> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str("<!DOCTYPE GIFTI SYSTEM \"http://www.nitrc.org/frs/download.php/115/gifti.dtd\">\n");
    let _ = writeln!(out, "<GIFTI Version=\"1.0\" NumberOfDataArrays=\"{}\">", file.arrays.len());
    metadata(&mut out, &file.metadata);
    out.push_str("<LabelTable>\n");
    for label in &file.labels {
        let _ = write!(out, "<Label Key=\"{}\"", label.key);
        if let Some([red, green, blue, alpha]) = label.colour {
            let _ = write!(out, " Red=\"{red}\" Green=\"{green}\" Blue=\"{blue}\" Alpha=\"{alpha}\"");
        }
        let _ = writeln!(out, ">{}</Label>", escape(label.name.as_str()));
    }
    out.push_str("</LabelTable>\n");
    for array in &file.arrays {
        data_array(&mut out, array)?;
    }
    out.push_str("</GIFTI>\n");
    Ok(out.into_bytes())
}

fn metadata(out: &mut String, pairs: &[(String, String)]) {
    out.push_str("<MetaData>\n");
    for (name, value) in pairs {
        let (name, value) = (escape(name.as_str()), escape(value.as_str()));
        let _ = writeln!(out, "<MD><Name>{name}</Name><Value>{value}</Value></MD>");
    }
    out.push_str("</MetaData>\n");
}

fn data_array(out: &mut String, array: &DataArray) -> Result<()> {
    let _ = write!(
        out,
        "<DataArray Intent=\"{}\" DataType=\"{}\" ArrayIndexingOrder=\"RowMajorOrder\" Dimensionality=\"{}\"",
        escape(array.intent.as_str()),
        type_name(array.number)?,
        array.dims.len()
    );
    for (axis, length) in array.dims.iter().enumerate() {
        let _ = write!(out, " Dim{axis}=\"{length}\"");
    }
    out.push_str(
        " Encoding=\"GZipBase64Binary\" Endian=\"LittleEndian\" ExternalFileName=\"\" ExternalFileOffset=\"\">\n",
    );
    metadata(out, &array.metadata);
    for transform in &array.transforms {
        let (from, to) = (escape(transform.data_space.as_str()), escape(transform.transformed_space.as_str()));
        let _ = write!(out, "<CoordinateSystemTransformMatrix><DataSpace>{from}</DataSpace>");
        let _ = write!(out, "<TransformedSpace>{to}</TransformedSpace><MatrixData>");
        for cell in transform.matrix.iter().flatten() {
            let _ = write!(out, "{cell} ");
        }
        out.push_str("</MatrixData></CoordinateSystemTransformMatrix>\n");
    }
    let failed = |error| Error::io("compress", error);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&array.bytes).map_err(failed)?;
    let packed = packed.finish().map_err(failed)?;
    let _ = writeln!(out, "<Data>{}</Data>\n</DataArray>", STANDARD.encode(packed));
    Ok(())
}

fn type_name(number: Number) -> Result<&'static str> {
    Ok(match number {
        Number::U8 | Number::Bool => "NIFTI_TYPE_UINT8",
        Number::I8 => "NIFTI_TYPE_INT8",
        Number::I16 => "NIFTI_TYPE_INT16",
        Number::U16 => "NIFTI_TYPE_UINT16",
        Number::I32 => "NIFTI_TYPE_INT32",
        Number::U32 => "NIFTI_TYPE_UINT32",
        Number::I64 => "NIFTI_TYPE_INT64",
        Number::U64 => "NIFTI_TYPE_UINT64",
        Number::F32 => "NIFTI_TYPE_FLOAT32",
        Number::F64 => "NIFTI_TYPE_FLOAT64",
        other => return Err(Error::unsupported("the GIFTI type", other.name(), "convert to float32")),
    })
}
