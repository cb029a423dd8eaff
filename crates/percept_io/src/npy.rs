//! NumPy's `.npy`, versions 1 to 3: one array, read whole or in slabs of rows.
//!
//! [`open`] reads the header; [`Npy::read`] and [`Npy::rows`] convert to the type that the caller wants. Both memory orders
//! and both byte orders are read; the result has the axes of the stored array whatever the order. Archives of arrays are
//! in [`crate::npz`]. Not handled: text, dates, complex numbers, objects and records (an error names the type).
//!
//! This is our own code because the crate `npyz` reads no slabs and, with archives, links a C library for bzip2.
//!
//! # References
//! `numpy.lib.format`, the format's definition.

use std::ops::Range;
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

use crate::fs::{self, Source};
use crate::number::{ByteOrder, Element, Number, decode};
use crate::{Error, Result, limits};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// An open array: its header, and its values on demand.
#[derive(Clone, Debug)]
pub struct Npy {
    source: Source,
    name: Option<String>,
    header: Header,
    data_offset: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Header {
    number: Number,
    order: ByteOrder,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Opens the array at `path`.
///
/// # Errors
/// If it is no `.npy` file, is damaged, shorter than its header claims, or of a type that is not handled.
pub fn open(path: impl AsRef<Path>) -> Result<Npy> {
    Npy::from_source(fs::open(path)?)
}

impl Npy {
    /// As [`open`], for bytes that are already at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        Self::new(source.clone(), None).map_err(|error| source.locate(error))
    }

    pub(crate) fn new(source: Source, name: Option<String>) -> Result<Self> {
        let start = source.bytes_at("the npy header", 0, 10)?;
        if !start.starts_with(MAGIC) {
            let got = format!("`{}`", start[..6].escape_ascii());
            return Err(Error::malformed("the magic string", "`\\x93NUMPY`", got).at(0));
        }
        let (len, text_offset) = match start[6] {
            1 => (u64::from(u16::from_le_bytes([start[8], start[9]])), 10),
            2 | 3 => {
                let word = source.bytes_at("the npy header", 8, 4)?;
                (u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]])), 12)
            }
            version => return Err(Error::malformed("the npy version", "1, 2 or 3", version).at(6)),
        };
        if len > limits::MAX_HEADER_BYTES {
            return Err(Error::too_large("the npy header", u128::from(len), limits::MAX_HEADER_BYTES).at(8));
        }
        let text = source.bytes_at("the npy header", text_offset, len)?;
        let header = Header::parse(&String::from_utf8_lossy(&text)).map_err(|error| error.at(text_offset))?;
        let data_offset = text_offset + len;
        let what = format!("the data, {:?} of {}", header.shape, header.number.name());
        let count = limits::element_count("the array", &header.shape)?;
        let n_bytes = limits::byte_count(&what, count, header.number.width(), i64::MAX as u64)?;
        source.require(&what, data_offset, n_bytes as u64)?;
        Ok(Self { source, name, header, data_offset })
    }

    /// The lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The number type as stored.
    pub fn number(&self) -> Number {
        self.header.number
    }

    /// The whole array.
    ///
    /// # Errors
    /// If it holds values that `T` cannot, or cannot be read.
    pub fn read<T: Element>(&self) -> Result<ArrayD<T>> {
        let count: usize = self.header.shape.iter().product();
        let values = self.values(&[(0, count)])?;
        self.array(&self.header.shape, values)
    }

    /// The rows `range` along the first axis, read without the others.
    ///
    /// # Errors
    /// As [`Self::read`], and if the array has no such rows.
    pub fn rows<T: Element>(&self, range: Range<usize>) -> Result<ArrayD<T>> {
        let shape = &self.header.shape;
        let Some(&n_rows) = shape.first().filter(|&&n_rows| range.start <= range.end && range.end <= n_rows) else {
            let expected = format!("rows {} to {}", range.start, range.end);
            let got = format!("of shape {shape:?}");
            return Err(self.locate(Error::mismatch("the array", expected, got, "ask for rows that it has")));
        };
        let row_len: usize = shape[1..].iter().product();
        let mut slab = shape.clone();
        slab[0] = range.len();
        let spans: Vec<(usize, usize)> = if self.header.fortran_order {
            // The first axis varies fastest: one span in each of the columns that the other axes make up.
            (0..row_len).map(|column| (column * n_rows + range.start, range.len())).collect()
        } else {
            vec![(range.start * row_len, range.len() * row_len)]
        };
        let values = self.values(&spans)?;
        self.array(&slab, values)
    }

    /// The columns `range` of the matrix that the array is when all axes but the first are one: n_rows × range.len().
    ///
    /// # Errors
    /// As [`Self::read`], and if the array has no such columns.
    pub fn columns<T: Element>(&self, range: Range<usize>) -> Result<ArrayD<T>> {
        let shape = &self.header.shape;
        let n_columns = shape.iter().skip(1).product::<usize>();
        if shape.is_empty() || range.start > range.end || range.end > n_columns {
            let expected = format!("columns {} to {}", range.start, range.end);
            let got = format!("of shape {shape:?}");
            return Err(self.locate(Error::mismatch("the array", expected, got, "ask for columns that it has")));
        }
        if self.header.fortran_order && shape.len() > 2 {
            let remedy = "save it again in C order, or as a matrix";
            return Err(self.locate(Error::unsupported("columns of", "more than two axes in Fortran order", remedy)));
        }
        let spans = spans(shape[0], n_columns, range.clone(), self.header.fortran_order);
        let values = self.values(&spans)?;
        self.array(&[shape[0], range.len()], values)
    }

    /// The elements in `spans`, each a start and a length, one span after the other.
    fn values<T: Element>(&self, spans: &[(usize, usize)]) -> Result<Vec<T>> {
        const BLOCK_ELEMENTS: usize = 1 << 18;
        let Header { number, order, .. } = self.header;
        let width = number.width();
        let mut values = Vec::with_capacity(spans.iter().map(|span| span.1).sum());
        let mut block = Vec::new();
        for &(start, len) in spans {
            let mut done = 0;
            while done < len {
                let count = (len - done).min(BLOCK_ELEMENTS);
                block.resize(count * width, 0);
                self.source.read_at(self.data_offset + ((start + done) * width) as u64, &mut block)?;
                decode(&block, number, order, &mut values).map_err(|error| self.locate(error))?;
                done += count;
            }
        }
        Ok(values)
    }

    fn array<T: Element>(&self, shape: &[usize], values: Vec<T>) -> Result<ArrayD<T>> {
        let shape = IxDyn(shape).set_f(self.header.fortran_order);
        ArrayD::from_shape_vec(shape, values).map_err(|error| self.locate(Error::codec("the array", error)))
    }

    fn locate(&self, error: Error) -> Error {
        let error = match &self.name {
            Some(name) => error.in_object(name),
            None => error,
        };
        self.source.locate(error)
    }
}

/// Where the columns `range` of a matrix of `n_rows` × `n_columns` lie: starts and lengths in elements.
pub(crate) fn spans(n_rows: usize, n_columns: usize, range: Range<usize>, fortran_order: bool) -> Vec<(usize, usize)> {
    if fortran_order || range.len() == n_columns {
        let (start, step) = if fortran_order { (range.start * n_rows, n_rows) } else { (0, n_rows) };
        return vec![(start, step * range.len())];
    }
    (0..n_rows).map(|row| (row * n_columns + range.start, range.len())).collect()
}

impl Header {
    /// Reads the Python dictionary that a header is, such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }`.
    fn parse(text: &str) -> Result<Self> {
        let mut literal = Literal { rest: text.trim_matches(|c: char| c.is_whitespace() || c == '\0') };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect('{')?;
        while !literal.accept('}') {
            let key = literal.string()?;
            literal.expect(':')?;
            match key {
                "descr" => descr = Some(literal.number_type()?),
                "fortran_order" => fortran_order = Some(literal.boolean()?),
                "shape" => shape = Some(literal.shape()?),
                other => return Err(malformed("descr, fortran_order or shape", other)),
            }
            if !literal.accept(',') {
                literal.expect('}')?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some((number, order)), Some(fortran_order), Some(shape)) => {
                Ok(Self { number, order, fortran_order, shape })
            }
            _ => Err(malformed("descr, fortran_order and shape", text)),
        }
    }
}

fn malformed(expected: &str, got: &str) -> Error {
    let shown: String = got.chars().take(40).collect();
    Error::malformed("the npy header", expected, format!("`{}`", shown.escape_debug()))
}

/// The rest of a Python literal that is being read.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    fn accept(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, symbol: char) -> Result<()> {
        if self.accept(symbol) { Ok(()) } else { Err(malformed(&format!("`{symbol}`"), self.rest)) }
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.accept('\'') { '\'' } else { '"' };
        if quote == '"' {
            self.expect('"')?;
        }
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| malformed("a closing quote", self.rest))?;
        self.rest = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool> {
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(malformed("True or False", self.rest))
    }

    fn shape(&mut self) -> Result<Vec<usize>> {
        // NumPy itself allows no more than 64 axes.
        const MAX_AXES: usize = 64;
        self.expect('(')?;
        let mut shape = Vec::new();
        while !self.accept(')') {
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            let length = digits.parse().map_err(|_| malformed("the length of an axis", self.rest))?;
            shape.push(length);
            // Python 2 wrote long integers with a suffix.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if shape.len() > MAX_AXES {
                return Err(malformed("at most 64 axes", self.rest));
            }
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }

    fn number_type(&mut self) -> Result<(Number, ByteOrder)> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('[') {
            let remedy = "save each field as an array of its own";
            return Err(Error::unsupported("an array of", "records", remedy));
        }
        let descr = self.string()?;
        let (order, code) = match descr.split_at_checked(1) {
            Some(("<" | "|" | "=", code)) => (ByteOrder::Little, code),
            Some((">", code)) => (ByteOrder::Big, code),
            _ => (ByteOrder::Little, descr),
        };
        let number = match code {
            "b1" => Number::Bool,
            "u1" => Number::U8,
            "i1" => Number::I8,
            "u2" => Number::U16,
            "i2" => Number::I16,
            "u4" => Number::U32,
            "i4" => Number::I32,
            "u8" => Number::U64,
            "i8" => Number::I64,
            "f2" => Number::F16,
            "f4" => Number::F32,
            "f8" => Number::F64,
            _ => {
                let (name, remedy) = match code.chars().next() {
                    Some('U' | 'S' | 'a') => ("text", "save texts as a table or as JSON"),
                    Some('c') => ("complex numbers", "save real and imaginary parts as arrays of their own"),
                    Some('O') => ("Python objects", "save it again with a number type, such as `x.astype('float32')`"),
                    Some('M' | 'm') => ("dates", "save them as numbers of seconds"),
                    Some('f') => ("long floats", "save it again with `x.astype('float64')`"),
                    Some('V') => ("raw bytes", "save it again with a number type"),
                    _ => return Err(malformed("a number type", descr)),
                };
                return Err(Error::unsupported("an array of", format!("{name} (`{descr}`)"), remedy));
            }
        };
        Ok((number, order))
    }
}

/// Writes `array` to `path` as `.npy`, version 1, C order, little-endian.
///
/// # Errors
/// If the file cannot be written.
pub fn write<T: Element>(path: impl AsRef<Path>, array: ArrayViewD<'_, T>) -> Result<()> {
    fs::write_atomic(path, |sink| put(sink, array))
}

/// Writes the bytes of an `.npy` file to `sink`.
pub(crate) fn put<T: Element>(sink: &mut dyn std::io::Write, array: ArrayViewD<'_, T>) -> Result<()> {
    const BLOCK_BYTES: usize = 1 << 16;
    fs::put(&mut *sink, &header_bytes(T::NUMBER, array.shape()))?;
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    for &value in array {
        value.put_le(&mut block);
        if block.len() >= BLOCK_BYTES {
            fs::put(&mut *sink, &block)?;
            block.clear();
        }
    }
    fs::put(sink, &block)
}

/// The bytes before the values of an `.npy` file of `T` with `shape`, for files too large to be an array: the values
/// follow in C order, little-endian.
pub fn header<T: Element>(shape: &[usize]) -> Vec<u8> {
    header_bytes(T::NUMBER, shape)
}

pub(crate) fn header_bytes(number: Number, shape: &[usize]) -> Vec<u8> {
    let code = match number {
        Number::Bool => "|b1",
        Number::U8 => "|u1",
        Number::I8 => "|i1",
        Number::U16 => "<u2",
        Number::I16 => "<i2",
        Number::U32 => "<u4",
        Number::I32 => "<i4",
        Number::U64 => "<u8",
        Number::I64 => "<i8",
        // NumPy has no bfloat16, and no `Element` is stored as one.
        Number::F16 | Number::Bf16 => "<f2",
        Number::F32 => "<f4",
        Number::F64 => "<f8",
    };
    let lengths: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // A tuple of one needs its comma.
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut text = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({}{comma}), }}", lengths.join(", "));
    // The data begin at a multiple of 64, after a line end.
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = Vec::from(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_spellings_are_read() {
        let plain = Header::parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n").expect("read");
        assert_eq!((plain.number, plain.shape.as_slice()), (Number::F32, [3, 4].as_slice()));
        let other = Header::parse("{\"shape\":(7L,),\"fortran_order\":True,\"descr\":\">i2\"}").expect("read");
        assert_eq!((other.number, other.order, other.fortran_order), (Number::I16, ByteOrder::Big, true));
        let scalar = Header::parse("{'descr':'|b1','fortran_order':False,'shape':()}").expect("read");
        assert!(scalar.shape.is_empty());
    }

    #[test]
    fn what_is_not_a_number_is_named() {
        for (descr, words) in [
            ("'<U5'", "an array of text (`<U5`) is not supported"),
            ("'|O'", "an array of Python objects (`|O`) is not supported"),
            ("'<c8'", "an array of complex numbers (`<c8`) is not supported"),
            ("[('a', '<f4')]", "an array of records is not supported"),
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}");
            let error = Header::parse(&text).expect_err(descr);
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }

    #[test]
    fn written_headers_end_at_a_multiple_of_64() {
        for shape in [vec![], vec![5], vec![1000, 2000, 3]] {
            assert_eq!(header_bytes(Number::F32, &shape).len() % 64, 0);
        }
    }
}
