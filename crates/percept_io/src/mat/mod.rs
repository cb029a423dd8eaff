//! MATLAB's MAT files: version 5 (`save -v6` and `-v7`, what `scipy.io` reads) and version 7.3, which is HDF5.
//!
//! A path such as `expdesign.subjectim`, `runs{3}` or `subject(2).age` leads into structures and cell arrays; indices count
//! from 1, as in MATLAB. Arrays have MATLAB's dimensions in both versions: HDF5 shows the axes of a v7.3 file reversed, and
//! they are turned back here.
//!
//! The parser is our own because no crate reads structures, cells and text safely: `matfile` 0.5 skips all three, `mat5` 0.1
//! reads numeric and sparse arrays only, `matrw` 0.1 reads them but unwraps and allocates on the word of the file.
//!
//! What is not read: sparse matrices, complex numbers, function handles and objects (each has its own error). Version 4.

mod element;
mod parse;
mod path;
mod value;
mod write;

use std::path::Path;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

pub use value::{Numeric, Struct, Value};
pub use write::Writer;

use self::element::{COMPRESSED, Elements, MATRIX};
use self::path::{Step, VariablePath};
use crate::fs::{self, Source};
use crate::hdf5;
use crate::number::{ByteOrder, Element};
use crate::{Error, Result};

const HEADER_BYTES: u64 = 128;

/// How much of a compressed variable is decoded to learn its name and dimensions.
const HEAD_BYTES: u64 = 4096;

/// A MAT file open for reading.
#[derive(Clone, Debug)]
pub struct File {
    source: Source,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Five { order: ByteOrder, variables: Vec<Placed> },
    Hdf5(hdf5::File),
}

/// A variable of a version 5 file and where it stands.
#[derive(Clone, Debug)]
struct Placed {
    entry: Entry,
    offset: u64,
    len: u64,
    is_compressed: bool,
}

/// One variable in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// MATLAB's dimensions.
    pub dims: Vec<usize>,
    /// MATLAB's class, such as `double` or `struct`.
    pub class: String,
}

/// Opens the MAT file at `path`.
///
/// # Errors
/// If it cannot be read or is not a MAT file of version 5 or 7.3.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    File::from_source(fs::open(path)?)
}

impl File {
    /// Reads a MAT file from `source`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        let content = Self::content(&source).map_err(|error| source.locate(error))?;
        Ok(Self { source, content })
    }

    /// Reads a MAT file from memory.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        Self::from_source(Source::from_bytes(bytes))
    }

    fn content(source: &Source) -> Result<Content> {
        if hdf5::is_hdf5(source) {
            return Ok(Content::Hdf5(hdf5::File::from_source(source.clone())?));
        }
        let header = source.bytes_at("the MAT header", 0, HEADER_BYTES)?;
        let order = match &header[126..128] {
            b"IM" => ByteOrder::Little,
            b"MI" => ByteOrder::Big,
            other => {
                return Err(Error::malformed("the byte order mark", "`IM` or `MI`", format!("{other:02x?}"))
                    .at(126)
                    .with_remedy("this is no MAT file of version 5; save it with `-v7`"));
            }
        };
        let version = match order {
            ByteOrder::Little => u16::from_le_bytes([header[124], header[125]]),
            ByteOrder::Big => u16::from_be_bytes([header[124], header[125]]),
        };
        if version != 0x0100 {
            return Err(Error::malformed("the version", "0x0100", format!("{version:#06x}")).at(124));
        }
        let mut variables = Vec::new();
        let mut offset = HEADER_BYTES;
        while offset < source.len() {
            let mut head = [0; 8];
            source.require("the tag of a variable", offset, 8)?;
            source.read_at(offset, &mut head)?;
            let tag = element::tag(head, order);
            let (start, len) = (offset + 8, u64::from(tag.len));
            source.require("a variable", start, len)?;
            let is_compressed = match tag.kind {
                MATRIX => false,
                COMPRESSED => true,
                other => {
                    let expected = format!("{MATRIX} (array) or {COMPRESSED} (compressed)");
                    return Err(Error::malformed("the type of an element", expected, other).at(offset));
                }
            };
            let entry = Self::entry(source, order, start, len, is_compressed)?;
            // Objects store their data in an unnamed variable of bytes, which is nobody's to read.
            if !entry.name.is_empty() {
                variables.push(Placed { entry, offset: start, len, is_compressed });
            }
            offset = start + if is_compressed { len } else { len.next_multiple_of(8) };
        }
        Ok(Content::Five { order, variables })
    }

    /// Name, dimensions and class of the variable at `offset`.
    fn entry(source: &Source, order: ByteOrder, offset: u64, len: u64, is_compressed: bool) -> Result<Entry> {
        let bytes = if is_compressed {
            use std::io::Read;
            let limited = source.reader_at(offset).take(len);
            let mut decoded = Vec::new();
            flate2::read::ZlibDecoder::new(limited)
                .take(HEAD_BYTES)
                .read_to_end(&mut decoded)
                .map_err(|error| Error::codec("the compressed variable", error).at(offset))?;
            let Some(rest) = decoded.get(8..) else {
                return Err(Error::truncated("the compressed variable", 8, decoded.len() as u64).at(offset));
            };
            rest.to_vec()
        } else {
            source.bytes_at("a variable", offset, len.min(HEAD_BYTES))?
        };
        let head = parse::head(&mut Elements::new(&bytes, order, offset, is_compressed))?;
        let class = head.class_name().to_owned();
        Ok(Entry { name: head.name, dims: head.dims, class })
    }

    /// The variables in the order of the file.
    ///
    /// # Errors
    /// If an HDF5 file cannot be listed.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        match &self.content {
            Content::Five { variables, .. } => Ok(variables.iter().map(|placed| placed.entry.clone()).collect()),
            Content::Hdf5(file) => file
                .entries()?
                .into_iter()
                // Cells and structure arrays point into this group; its names mean nothing to a user.
                .filter(|entry| !entry.name.starts_with("#refs#") && !entry.name.starts_with("#subsystem#"))
                .map(|entry| {
                    let class = file.text_attribute(&entry.name, "MATLAB_class")?;
                    let class = class.unwrap_or_else(|| entry.dtype.to_string());
                    let dims = entry.shape.iter().rev().copied().collect();
                    Ok(Entry { name: entry.name.replace('/', "."), dims, class })
                })
                .collect(),
        }
    }

    /// The value at `path` of a version 5 file.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the names that exist; if the value is damaged; if the file is version 7.3, whose arrays
    /// and texts are read by [`File::array`] and [`File::text`].
    pub fn value(&self, path: &str) -> Result<Value> {
        let Content::Five { order, variables } = &self.content else {
            let remedy = "save it with `-v7`, or name a numeric field";
            return Err(self.wrong(Error::unsupported("reading a whole MAT 7.3 value", path, remedy), path));
        };
        let parsed = VariablePath::parse(path).map_err(|error| self.wrong(error, path))?;
        let placed = variables.iter().find(|placed| placed.entry.name == parsed.name).ok_or_else(|| {
            let names = variables.iter().map(|placed| placed.entry.name.as_str());
            self.source.locate(Error::missing("variable", parsed.name, names))
        })?;
        let attempt = || -> Result<Value> {
            let mut value = &self.load(placed, *order)?;
            let mut element = 0;
            for step in &parsed.steps {
                match step {
                    Step::Field(name) => value = value.field(name, std::mem::take(&mut element))?,
                    Step::Cell(index) => value = value.cell(*index)?,
                    Step::Element(index) => element = *index,
                }
            }
            Ok(value.clone())
        };
        attempt().map_err(|error| self.wrong(error, path))
    }

    fn load(&self, placed: &Placed, order: ByteOrder) -> Result<Value> {
        if placed.is_compressed {
            use std::io::Read;
            let reader = self.source.reader_at(placed.offset).take(placed.len);
            let bytes = element::inflate(reader, placed.len, order).map_err(|error| error.at(placed.offset))?;
            let mut elements = Elements::new(&bytes, order, placed.offset, true);
            let matrix = elements.next("the compressed variable")?;
            return parse::array(elements.inside(&matrix), 0).map(|(_, value)| value);
        }
        let bytes = self.source.bytes_at("a variable", placed.offset, placed.len)?;
        parse::array(Elements::new(&bytes, order, placed.offset, false), 0).map(|(_, value)| value)
    }

    /// The numeric array at `path`, with MATLAB's dimensions and indices.
    ///
    /// # Errors
    /// As [`File::value`], and if it is not numeric or holds a number that `T` cannot.
    pub fn array<T: Element>(&self, path: &str) -> Result<ArrayD<T>> {
        let file = match &self.content {
            Content::Five { .. } => {
                return self.value(path)?.to_array().map_err(|error| self.wrong(error, path));
            }
            Content::Hdf5(file) => file,
        };
        let dataset = self.hdf5_dataset(file, path)?;
        if dataset.attribute("MATLAB_empty").is_some_and(|flag| flag.first() == Some(&1.0)) {
            let dims: Vec<usize> = dataset.read::<u64>()?.iter().map(|&length| length as usize).collect();
            let is_empty = dims.contains(&0);
            let shape = if is_empty { dims } else { vec![0, 0] };
            return Ok(ArrayD::default(IxDyn(&shape)));
        }
        Ok(dataset.read::<T>()?.reversed_axes())
    }

    /// The text at `path`: one row of characters.
    ///
    /// # Errors
    /// As [`File::value`], and if it is not one row of text.
    pub fn text(&self, path: &str) -> Result<String> {
        match &self.content {
            Content::Five { .. } => {
                self.value(path)?.to_text().map(str::to_owned).map_err(|error| self.wrong(error, path))
            }
            Content::Hdf5(file) => {
                let dataset = self.hdf5_dataset(file, path)?;
                if dataset.text_attribute("MATLAB_class").as_deref() != Some("char") {
                    let got = dataset.dtype();
                    let error = Error::mismatch("the variable", "one row of text", got, "name a text variable");
                    return Err(self.wrong(error, path));
                }
                let units: Vec<u16> = dataset.read::<u16>()?.iter().copied().collect();
                Ok(String::from_utf16_lossy(&units))
            }
        }
    }

    fn hdf5_dataset(&self, file: &hdf5::File, path: &str) -> Result<hdf5::Dataset> {
        let parsed = VariablePath::parse(path).map_err(|error| self.wrong(error, path))?;
        let mut name = parsed.name.to_owned();
        for step in parsed.steps {
            let Step::Field(field) = step else {
                let remedy = "save it with `-v7`";
                return Err(self.wrong(Error::unsupported("indexing in a MAT 7.3 file:", path, remedy), path));
            };
            name = format!("{name}/{field}");
        }
        let known = self.entries()?.into_iter().map(|entry| entry.name);
        file.dataset(&name).map_err(|error| match error.kind() {
            crate::Kind::Missing { .. } => self.source.locate(Error::missing("variable", path, known)),
            _ => error,
        })
    }

    fn wrong(&self, error: Error, path: &str) -> Error {
        self.source.locate(error.in_object(path))
    }
}
