//! Writing HDF5 that HDF5 1.8 and later, h5py and MATLAB's `h5read` open: superblock 2, chunks under a version 1 B-tree.
//!
//! A file is planned in memory and written once, atomically; nothing can be appended later.

use std::io::{Seek, Write};
use std::path::Path;

use hdf5_writer::{
    AttributeBuilder, DatasetBuilder, FILTER_DEFLATE, FILTER_SHUFFLE, FilterDescription, Hdf5Builder, Hdf5Writer,
    WriteOptions,
};
use ndarray::ArrayViewD;

use super::element::datatype_of;
use crate::number::Element;
use crate::{Error, Result, fs};

/// An HDF5 file to be.
#[derive(Default)]
pub struct Writer {
    builder: Hdf5Builder,
}

/// How a data set is laid out on the disk.
#[derive(Clone, Debug, Default)]
pub struct DatasetSpec {
    /// The shape of a chunk; `None` stores the data in one piece.
    pub chunk: Option<Vec<usize>>,
    /// Deflate at this level (1 to 9) with byte shuffling; needs chunks.
    pub deflate: Option<u32>,
    /// Text attributes by name.
    pub attributes: Vec<(String, String)>,
}

impl DatasetSpec {
    /// One piece, not compressed.
    pub fn contiguous() -> Self {
        Self::default()
    }

    /// Chunks of this shape, not compressed: the layout of NSD's betas with `[n_trials, 1, 1, 1]`.
    pub fn chunked(shape: &[usize]) -> Self {
        Self { chunk: Some(shape.to_vec()), ..Self::default() }
    }

    /// The same, deflated at `level`.
    pub fn deflated(mut self, level: u32) -> Self {
        self.deflate = Some(level);
        self
    }
}

impl Writer {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the data set `name` (`group/name` makes the groups) with the elements and shape of `data`.
    ///
    /// # Errors
    /// If the layout does not fit the shape.
    pub fn dataset<T: Element>(mut self, name: &str, data: &ArrayViewD<T>, spec: &DatasetSpec) -> Result<Self> {
        let shape: Vec<u64> = data.shape().iter().map(|&length| length as u64).collect();
        let plan = |error: hdf5_writer::Error| refuse(&error).in_object(name);
        let Some(datatype) = datatype_of(T::NUMBER) else {
            let remedy = "convert to float32";
            return Err(Error::unsupported("the HDF5 type", T::NUMBER.name(), remedy).in_object(name));
        };
        let mut bytes = Vec::with_capacity(data.len() * size_of::<T>());
        for &value in data {
            value.put_le(&mut bytes);
        }
        let mut dataset = DatasetBuilder::new(name.trim_matches('/'), datatype, shape).raw_data(bytes);
        if let Some(chunk) = &spec.chunk {
            dataset = dataset.chunked(chunk.iter().map(|&length| length as u64).collect::<Vec<_>>());
        }
        if let Some(level) = spec.deflate {
            let width = size_of::<T>() as u32;
            dataset = dataset
                .filter(FilterDescription { id: FILTER_SHUFFLE, name: None, client_data: vec![width] })
                .filter(FilterDescription { id: FILTER_DEFLATE, name: None, client_data: vec![level] });
        }
        for (name, value) in &spec.attributes {
            dataset = dataset.attribute(AttributeBuilder::fixed_string(name, value));
        }
        dataset.validate().map_err(plan)?;
        self.builder = self.builder.dataset(dataset);
        Ok(self)
    }

    /// Adds a list of texts as the data set `name`.
    ///
    /// # Errors
    /// If a text holds a zero byte.
    pub fn text<S: AsRef<str>>(mut self, name: &str, texts: &[S]) -> Result<Self> {
        let shape = vec![texts.len() as u64];
        let dataset = DatasetBuilder::vlen_string_data(name.trim_matches('/'), shape, texts)
            .map_err(|error| refuse(&error).in_object(name))?;
        self.builder = self.builder.dataset(dataset);
        Ok(self)
    }

    /// Writes everything to `path`, whole or not at all.
    ///
    /// # Errors
    /// If two data sets share a name, or the disk refuses.
    pub fn write(self, path: impl AsRef<Path>) -> Result<()> {
        fs::write_atomic(path, |sink| self.write_to(sink))
    }

    /// Writes everything to `sink`.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn write_to(self, sink: impl Write + Seek) -> Result<()> {
        let plan = self.builder.into_plan().map_err(|error| refuse(&error))?;
        let mut sink = Hdf5Writer::new(sink, WriteOptions::default()).finish(plan).map_err(|error| refuse(&error))?;
        sink.flush().map_err(|error| Error::io("write", error))
    }
}

fn refuse(error: &hdf5_writer::Error) -> Error {
    match error {
        hdf5_writer::Error::Io(error) => Error::io("write", std::io::Error::new(error.kind(), error.to_string())),
        other => Error::unsupported("the HDF5 layout", format!("`{other}`"), "change the shape, chunk or name"),
    }
}
