//! Any array as a matrix of samples × columns that is read by rows or by columns, without being held whole.
//!
//! npy, safetensors and HDF5 (also MATLAB's version 7.3) are read from their place in the file; what other formats hold (MAT up
//! to version 7, npz, tables, NIfTI) is compressed or small and is read whole when opened. An array of one axis is one column;
//! axes after the second are laid side by side, in C order.

use std::ops::Range;

use ndarray::{Array2, ArrayD, Axis, Ix2, s};

use crate::array::Reference;
use crate::npy::Npy;
use crate::number::Element;
use crate::open::{Format, sniff};
use crate::safetensors::SafeTensors;
use crate::{Error, Result, fs, hdf5, npy, safetensors};

/// An open matrix.
#[derive(Debug)]
pub struct Matrix<T> {
    kind: Kind<T>,
    shape: (usize, usize),
    reference: Reference,
}

#[derive(Debug)]
enum Kind<T> {
    Npy(Npy),
    SafeTensors(SafeTensors, String),
    /// Whether the file has columns first, as MATLAB writes.
    Hdf5(hdf5::Dataset, bool),
    Memory(Array2<T>),
}

impl<T: Element> Matrix<T> {
    /// Opens the array that `reference` names.
    ///
    /// # Errors
    /// As [`Reference::read`], and for HDF5 arrays of more than two axes.
    pub fn open(reference: &Reference) -> Result<Self> {
        let source = fs::open(&reference.path)?;
        let kind = match sniff(&source)? {
            Format::Npy if reference.name.is_none() => Kind::Npy(npy::open(&reference.path)?),
            Format::SafeTensors => {
                let file = safetensors::open(&reference.path)?;
                let name = reference.choose("tensor", file.names())?;
                Kind::SafeTensors(file, name)
            }
            Format::Hdf5 => {
                let is_matlab = source.bytes_at("the start", 0, 6).is_ok_and(|start| start == b"MATLAB");
                let file = hdf5::File::from_source(source)?;
                let name = match &reference.name {
                    Some(name) => name.clone(),
                    None => reference.choose("data set", file.entries()?.into_iter().map(|entry| entry.name))?,
                };
                let dataset = file.dataset(&name)?;
                if dataset.shape().len() == 2 || (dataset.shape().len() == 1 && !is_matlab) {
                    Kind::Hdf5(dataset, is_matlab)
                } else {
                    Kind::Memory(flat(reference.read::<T>()?.data, reference)?)
                }
            }
            _ => Kind::Memory(flat(reference.read::<T>()?.data, reference)?),
        };
        let as_matrix = |shape: &[usize]| (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product());
        let shape = match &kind {
            Kind::Npy(file) => as_matrix(file.shape()),
            Kind::SafeTensors(file, name) => as_matrix(&file.info(name)?.shape),
            Kind::Hdf5(dataset, false) => as_matrix(dataset.shape()),
            Kind::Hdf5(dataset, true) => (dataset.shape()[1], dataset.shape()[0]),
            Kind::Memory(values) => values.dim(),
        };
        Ok(Self { kind, shape, reference: reference.clone() })
    }

    /// Number of rows and of columns.
    pub fn dim(&self) -> (usize, usize) {
        self.shape
    }

    /// Bytes held in memory all the time.
    pub fn held_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Memory(values) => (values.len() * size_of::<T>()) as u64,
            _ => 0,
        }
    }

    /// What was opened.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The rows `range`: range.len() × n_columns.
    ///
    /// # Errors
    /// If there are no such rows, a value does not fit `T`, or the file cannot be read.
    pub fn rows(&self, range: Range<usize>) -> Result<Array2<T>> {
        self.check("rows", &range, self.shape.0)?;
        let count = range.len();
        let values = match &self.kind {
            Kind::Npy(file) => file.rows(range)?,
            Kind::SafeTensors(file, name) => file.rows(name, range)?,
            Kind::Hdf5(dataset, false) => dataset.read_rows(range)?,
            Kind::Hdf5(dataset, true) => dataset.read_slab(&[0..self.shape.1, range])?.reversed_axes(),
            Kind::Memory(values) => values.slice(s![range, ..]).to_owned().into_dyn(),
        };
        self.shaped(values, (count, self.shape.1))
    }

    /// The columns `range`: n_rows × range.len().
    ///
    /// # Errors
    /// As [`Matrix::rows`].
    pub fn columns(&self, range: Range<usize>) -> Result<Array2<T>> {
        self.check("columns", &range, self.shape.1)?;
        let count = range.len();
        let values = match &self.kind {
            Kind::Npy(file) => file.columns(range)?,
            Kind::SafeTensors(file, name) => file.columns(name, range)?,
            Kind::Hdf5(dataset, false) if dataset.shape().len() == 1 => dataset.read_rows(0..self.shape.0)?,
            Kind::Hdf5(dataset, false) => dataset.read_slab(&[0..self.shape.0, range])?,
            Kind::Hdf5(dataset, true) => dataset.read_rows(range)?.reversed_axes(),
            Kind::Memory(values) => values.slice(s![.., range]).to_owned().into_dyn(),
        };
        self.shaped(values, (self.shape.0, count))
    }

    fn check(&self, what: &str, range: &Range<usize>, length: usize) -> Result<()> {
        if range.start <= range.end && range.end <= length {
            return Ok(());
        }
        let what = format!("the number of {what}");
        let error = Error::mismatch(what, format!("{range:?}"), length, "ask for a part of the matrix");
        Err(error.in_file(&self.reference.path))
    }

    fn shaped(&self, values: ArrayD<T>, shape: (usize, usize)) -> Result<Array2<T>> {
        let values = crate::array::standard(values);
        let got = values.shape().to_vec();
        values.into_shape_with_order(shape).map_err(|_| {
            Error::malformed("the shape", format!("{shape:?}"), format!("{got:?}")).in_file(&self.reference.path)
        })
    }
}

/// All axes but the first as one.
fn flat<T: Element>(values: ArrayD<T>, reference: &Reference) -> Result<Array2<T>> {
    let values = match values.ndim() {
        0 => values.insert_axis(Axis(0)).insert_axis(Axis(1)),
        1 => values.insert_axis(Axis(1)),
        2 => values,
        _ => {
            let (rows, columns) = (values.shape()[0], values.shape()[1..].iter().product::<usize>());
            let values = values.as_standard_layout().into_owned();
            values
                .into_shape_with_order((rows, columns))
                .map_err(|error| Error::codec("the array", error).in_file(&reference.path))?
                .into_dyn()
        }
    };
    values.into_dimensionality::<Ix2>().map_err(|error| Error::codec("the array", error).in_file(&reference.path))
}
