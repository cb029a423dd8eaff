//! One data set: its description, and reading it whole or by hyperslab.

use std::ops::Range;

use hdf5_reader::{SliceInfo, SliceInfoElem};
use ndarray::{ArrayD, Dimension, IxDyn};

use super::element::{Cell, classify};
use super::{Dtype, File, storage};
use crate::fs::Source;
use crate::number::{Element, Number};
use crate::{Error, Result, limits};

/// A data set of an open file. Its data stay on the disk until they are read.
#[derive(Clone)]
pub struct Dataset {
    pub(super) file: File,
    pub(super) inner: hdf5_reader::Dataset,
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Dataset {
    pub(super) fn new(file: &File, name: &str, inner: hdf5_reader::Dataset) -> Result<Self> {
        let too_long =
            |length: u64| Error::too_large("an axis", u128::from(length), limits::MAX_ARRAY_BYTES).in_object(name);
        let shape = inner
            .shape()
            .iter()
            .map(|&length| usize::try_from(length).map_err(|_| file.source.locate(too_long(length))))
            .collect::<Result<Vec<_>>>()?;
        let dtype = classify(inner.dtype()).0;
        Ok(Self { file: file.clone(), inner, name: name.to_owned(), shape, dtype })
    }

    /// Path from the root of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lengths of the axes in C order; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The stored type.
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |count, &length| count.saturating_mul(length))
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of a chunk, if the data set is chunked.
    pub fn chunk_shape(&self) -> Option<Vec<usize>> {
        Some(self.inner.chunks()?.into_iter().map(|length| length as usize).collect())
    }

    /// All elements, converted to `T`.
    ///
    /// # Errors
    /// If the elements are not numbers or `T` cannot hold one of them, or the data are damaged.
    pub fn read<T: Element>(&self) -> Result<ArrayD<T>> {
        self.check_type::<T>()?;
        self.check_index()?;
        self.check_size::<T>(self.len())?;
        let cells = self.inner.read_array::<Cell<T>>().map_err(|error| self.locate(error))?;
        self.unwrap(cells)
    }

    /// The elements of the box `ranges` (one range per axis), converted to `T`. Only the chunks it touches are read.
    ///
    /// # Errors
    /// As [`Dataset::read`], and if a range leaves its axis.
    pub fn read_slab<T: Element>(&self, ranges: &[Range<usize>]) -> Result<ArrayD<T>> {
        self.check_type::<T>()?;
        self.check_index()?;
        if ranges.len() != self.shape.len() {
            let remedy = "give one range per axis";
            return Err(self.wrong(Error::mismatch("the number of axes", ranges.len(), self.shape.len(), remedy)));
        }
        for (axis, (range, &length)) in ranges.iter().zip(&self.shape).enumerate() {
            if range.start > range.end || range.end > length {
                let what = format!("the length of axis {axis}");
                let remedy = "ask for a range inside the data set";
                return Err(self.wrong(Error::mismatch(what, format!("{range:?}"), length, remedy)));
            }
        }
        let shape: Vec<usize> = ranges.iter().map(ExactSizeIterator::len).collect();
        let count = limits::element_count("the slab", &shape).map_err(|error| self.wrong(error))?;
        self.check_size::<T>(count)?;
        if count == 0 {
            return Ok(ArrayD::default(IxDyn(&shape)));
        }
        let element =
            |range: &Range<usize>| SliceInfoElem::Slice { start: range.start as u64, end: range.end as u64, step: 1 };
        let selection = SliceInfo { selections: ranges.iter().map(element).collect() };
        let cells = self.inner.read_slice::<Cell<T>>(&selection).map_err(|error| self.locate(error))?;
        self.unwrap(cells)
    }

    /// The elements `range` of the first axis with all of the others: trials, images, rows.
    ///
    /// # Errors
    /// As [`Dataset::read_slab`].
    pub fn read_rows<T: Element>(&self, range: Range<usize>) -> Result<ArrayD<T>> {
        let mut ranges: Vec<Range<usize>> = self.shape.iter().map(|&length| 0..length).collect();
        let Some(first) = ranges.first_mut() else {
            let remedy = "read it whole";
            return Err(self.wrong(Error::mismatch("the number of axes", "at least 1", 0, remedy)));
        };
        *first = range;
        self.read_slab(&ranges)
    }

    /// All elements as text.
    ///
    /// # Errors
    /// If they are not text, or are damaged.
    pub fn read_text(&self) -> Result<Vec<String>> {
        if self.dtype != Dtype::Text {
            let remedy = "read it as numbers";
            return Err(self.wrong(Error::mismatch("the element type", Dtype::Text, &self.dtype, remedy)));
        }
        // Text is at least a reference of 8 bytes or one character each.
        self.check_size::<u8>(self.len())?;
        self.check_index()?;
        self.inner.read_strings().map_err(|error| self.locate(error))
    }

    /// The text attribute `name`, such as `MATLAB_class`.
    pub fn text_attribute(&self, name: &str) -> Option<String> {
        self.inner.attribute(name).ok()?.read_string().ok()
    }

    /// The numeric attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<Vec<f64>> {
        let values = self.inner.attribute(name).ok()?.read_1d::<Cell<f64>>().ok()?;
        Some(values.into_iter().map(|cell| cell.0).collect())
    }

    pub(super) fn check_type<T: Element>(&self) -> Result<Number> {
        let remedy = "choose a numeric data set";
        let wrong = || self.wrong(Error::mismatch("the element type", T::NUMBER.name(), &self.dtype, remedy));
        self.dtype.number().ok_or_else(wrong)
    }

    /// Refuses more elements than a file of this length can hold, even compressed.
    fn check_size<T: Element>(&self, count: usize) -> Result<()> {
        let limit = limits::inflated_limit(self.source().len()).max(1 << 20);
        let width = self.dtype.number().map_or(1, Number::width);
        limits::byte_count("the data", count, width, limit).map_err(|error| self.wrong(error))?;
        limits::byte_count("the data", count, size_of::<T>(), limits::MAX_ARRAY_BYTES)
            .map(|_| ())
            .map_err(|error| self.wrong(error.with_remedy("read it in slabs")))
    }

    fn unwrap<T: Element>(&self, cells: ArrayD<Cell<T>>) -> Result<ArrayD<T>> {
        let shape = cells.raw_dim();
        let cells = if cells.is_standard_layout() { cells } else { cells.as_standard_layout().into_owned() };
        // Collecting in place: the two types have the same layout, so no second buffer is taken.
        let values: Vec<T> = cells.into_raw_vec_and_offset().0.into_iter().map(|cell| cell.0).collect();
        let got = values.len();
        ArrayD::from_shape_vec(shape.clone(), values)
            .map_err(|_| self.wrong(Error::malformed("the number of elements", shape.size(), got)))
    }

    pub(super) fn source(&self) -> &Source {
        &self.file.source
    }

    /// Adds the file and this data set to `error`.
    pub(crate) fn wrong(&self, error: Error) -> Error {
        self.source().locate(error.in_object(&self.name))
    }

    pub(super) fn locate(&self, error: hdf5_reader::error::Error) -> Error {
        self.wrong(storage::translate(error))
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("shape", &self.shape)
            .field("dtype", &self.dtype)
            .finish_non_exhaustive()
    }
}
