//! Writing version 5 MAT files: numeric arrays and rows of text, compressed, as `save -v7` does.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ndarray::ArrayViewD;

use super::element::{COMPRESSED, MATRIX};
use crate::number::{Element, Number};
use crate::{Error, Result, fs};

/// A MAT file to be. Variables are written in the order in which they are added.
#[derive(Default)]
pub struct Writer {
    variables: Vec<Vec<u8>>,
}

impl Writer {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the numeric array `name`; an array of one axis becomes a row, as in `scipy.io.savemat`.
    ///
    /// # Errors
    /// If MATLAB has no such type, or the array is longer than 4 GiB.
    pub fn array<T: Element>(mut self, name: &str, array: &ArrayViewD<T>) -> Result<Self> {
        let (class, kind) = match T::NUMBER {
            Number::F64 => (6, 9),
            Number::F32 => (7, 7),
            Number::I8 => (8, 1),
            Number::U8 | Number::Bool => (9, 2),
            Number::I16 => (10, 3),
            Number::U16 => (11, 4),
            Number::I32 => (12, 5),
            Number::U32 => (13, 6),
            Number::I64 => (14, 12),
            Number::U64 => (15, 13),
            other => {
                return Err(Error::unsupported("the MAT type", other.name(), "convert to float32").in_object(name));
            }
        };
        let dims = match *array.shape() {
            [] => vec![1, 1],
            [length] => vec![1, length],
            ref dims => dims.to_vec(),
        };
        let mut data = Vec::with_capacity(array.len() * size_of::<T>());
        // Column-major is the C order of the transpose.
        for &value in array.t() {
            value.put_le(&mut data);
        }
        self.variables.push(variable(name, class, &dims, kind, &data)?);
        Ok(self)
    }

    /// Adds the text `name`.
    ///
    /// # Errors
    /// If the text is longer than 4 GiB.
    pub fn text(mut self, name: &str, text: &str) -> Result<Self> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let data: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        // The type of the characters is UINT16: MATLAB itself never writes UTF-16.
        self.variables.push(variable(name, 4, &[usize::from(!units.is_empty()), units.len()], 4, &data)?);
        Ok(self)
    }

    /// Writes everything to `path`, whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(self, path: impl AsRef<Path>) -> Result<()> {
        fs::write_atomic(path, |sink| self.write_to(sink))
    }

    /// Writes everything to `sink`.
    ///
    /// # Errors
    /// If the sink refuses.
    pub fn write_to(self, mut sink: impl Write) -> Result<()> {
        let mut header = [b' '; 128];
        // No date: the same variables give the same bytes.
        let words = b"MATLAB 5.0 MAT-file, written by percept";
        header[..words.len()].copy_from_slice(words);
        header[116..124].fill(0);
        header[124..].copy_from_slice(b"\x00\x01IM");
        fs::put(&mut sink, &header)?;
        for variable in self.variables {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            let packed = encoder.write_all(&variable).and_then(|()| encoder.finish());
            let packed = packed.map_err(|error| Error::codec("the variable", error))?;
            fs::put(&mut sink, &COMPRESSED.to_le_bytes())?;
            fs::put(&mut sink, &length("the compressed variable", packed.len())?.to_le_bytes())?;
            fs::put(&mut sink, &packed)?;
        }
        Ok(())
    }
}

fn length(what: &str, bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| {
        let limit = u64::from(u32::MAX);
        Error::too_large(what, bytes as u128, limit).with_remedy("write it as HDF5 or npy")
    })
}

/// The matrix element of one variable, not compressed.
fn variable(name: &str, class: u32, dims: &[usize], kind: u32, data: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(data.len() + 128);
    put(&mut body, 6, &[class.to_le_bytes(), [0; 4]].concat())?;
    let mut lengths = Vec::new();
    for &dim in dims {
        lengths.extend_from_slice(&length("an axis", dim)?.to_le_bytes());
    }
    put(&mut body, 5, &lengths)?;
    put(&mut body, 1, name.as_bytes())?;
    put(&mut body, kind, data)?;
    let mut whole = Vec::with_capacity(body.len() + 8);
    whole.extend_from_slice(&MATRIX.to_le_bytes());
    whole.extend_from_slice(&length("the variable", body.len())?.to_le_bytes());
    whole.extend_from_slice(&body);
    Ok(whole)
}

fn put(body: &mut Vec<u8>, kind: u32, data: &[u8]) -> Result<()> {
    body.extend_from_slice(&kind.to_le_bytes());
    body.extend_from_slice(&length("an element", data.len())?.to_le_bytes());
    body.extend_from_slice(data);
    body.resize(body.len().next_multiple_of(8), 0);
    Ok(())
}
