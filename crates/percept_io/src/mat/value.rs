//! What a MAT file holds: numbers, text, cells and structures, with MATLAB's dimensions.

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::number::{self, ByteOrder, Element, Number};
use crate::{Error, Result, limits};

/// A MATLAB value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `[]`, written without a type.
    Empty,
    /// Numbers and logicals.
    Numeric(Numeric),
    /// Characters: the rows of a character matrix.
    Text(Vec<String>),
    /// A cell array, column-major.
    Cell(Vec<usize>, Vec<Value>),
    /// A structure array.
    Struct(Struct),
    /// A valid value of a kind that is not read; the words name it.
    Unsupported(&'static str),
}

/// Numbers as they are stored. MATLAB stores a double array in the smallest integer type that holds its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric {
    pub(super) dims: Vec<usize>,
    /// The type MATLAB gives the array.
    pub(super) class: Number,
    /// The type in which its numbers are written.
    pub(super) stored: Number,
    pub(super) order: ByteOrder,
    /// Column-major.
    pub(super) bytes: Vec<u8>,
    pub(super) is_complex: bool,
}

/// A structure array: for each field, one value per element (column-major).
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    pub(super) dims: Vec<usize>,
    pub(super) fields: Vec<(String, Vec<Value>)>,
}

impl Value {
    /// The kind in MATLAB's words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "an empty array",
            Self::Numeric(numeric) if numeric.is_complex => "a complex array",
            Self::Numeric(_) => "a numeric array",
            Self::Text(_) => "text",
            Self::Cell(..) => "a cell array",
            Self::Struct(_) => "a structure",
            Self::Unsupported(kind) => kind,
        }
    }

    /// MATLAB's dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Empty | Self::Unsupported(_) => vec![0, 0],
            Self::Numeric(numeric) => numeric.dims.clone(),
            Self::Text(rows) => vec![rows.len(), rows.iter().map(|row| row.chars().count()).max().unwrap_or(0)],
            Self::Cell(dims, _) => dims.clone(),
            Self::Struct(value) => value.dims.clone(),
        }
    }

    /// The numbers as `T`, with MATLAB's dimensions and indices: `a[[i, j]]` is MATLAB's `a(i+1, j+1)`.
    ///
    /// # Errors
    /// If the value is not numeric, is complex, or holds a number that `T` cannot.
    pub fn to_array<T: Element>(&self) -> Result<ArrayD<T>> {
        match self {
            Self::Empty => Ok(ArrayD::default(IxDyn(&[0, 0]))),
            Self::Numeric(numeric) => numeric.to_array(),
            Self::Unsupported("a sparse matrix") => {
                Err(Error::unsupported("the MAT value", "sparse", "save `full(x)` instead"))
            }
            other => Err(Error::mismatch(
                "the variable",
                "a numeric array",
                other.kind(),
                "name a numeric variable or field",
            )),
        }
    }

    /// The text: one row of characters.
    ///
    /// # Errors
    /// If the value is not text of at most one row.
    pub fn to_text(&self) -> Result<&str> {
        match self {
            Self::Text(rows) if rows.len() == 1 => Ok(&rows[0]),
            Self::Text(rows) if rows.is_empty() => Ok(""),
            other => Err(Error::mismatch("the variable", "one row of text", other.kind(), "name a text variable")),
        }
    }

    /// The texts of a cell array of texts, or the rows of a character matrix.
    ///
    /// # Errors
    /// If the value is neither.
    pub fn to_texts(&self) -> Result<Vec<&str>> {
        match self {
            Self::Text(rows) => Ok(rows.iter().map(String::as_str).collect()),
            Self::Cell(_, values) => values.iter().map(Self::to_text).collect(),
            other => Err(Error::mismatch("the variable", "text", other.kind(), "name a text variable")),
        }
    }

    /// The names of the fields of a structure.
    pub fn field_names(&self) -> Vec<&str> {
        match self {
            Self::Struct(value) => value.fields.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The field `name` of element `index` (from 0) of a structure array.
    ///
    /// # Errors
    /// If this is no structure, or has no such field or element.
    pub fn field(&self, name: &str, index: usize) -> Result<&Self> {
        let Self::Struct(value) = self else {
            let remedy = "only structures have fields";
            return Err(Error::mismatch(format!("the value before `.{name}`"), "a structure", self.kind(), remedy));
        };
        let field = value.fields.iter().find(|(field, _)| field == name);
        let (_, values) = field.ok_or_else(|| Error::missing("field", name, self.field_names()))?;
        values.get(index).ok_or_else(|| out_of_range(index, values.len()))
    }

    /// Element `index` (from 0, column-major) of a cell array.
    ///
    /// # Errors
    /// If this is no cell array, or is shorter.
    pub fn cell(&self, index: usize) -> Result<&Self> {
        let Self::Cell(_, values) = self else {
            let remedy = "only cell arrays have elements in braces";
            return Err(Error::mismatch("the value before `{`", "a cell array", self.kind(), remedy));
        };
        values.get(index).ok_or_else(|| out_of_range(index, values.len()))
    }
}

fn out_of_range(index: usize, len: usize) -> Error {
    Error::mismatch("the number of elements", format!("element {}", index + 1), len, "MATLAB counts from 1")
}

impl Numeric {
    /// The type that MATLAB gives the array; logicals are [`Number::Bool`].
    pub fn class(&self) -> Number {
        self.class
    }

    fn to_array<T: Element>(&self) -> Result<ArrayD<T>> {
        if self.is_complex {
            return Err(Error::unsupported("the MAT value", "complex", "save `real(x)` and `imag(x)` instead"));
        }
        let count = limits::element_count("the variable", &self.dims)?;
        let mut values = Vec::with_capacity(count.min(self.bytes.len()));
        number::decode(&self.bytes, self.stored, self.order, &mut values)?;
        let got = values.len();
        ArrayD::from_shape_vec(IxDyn(&self.dims).f(), values)
            .map_err(|_| Error::malformed("the number of elements", count, got))
    }
}
