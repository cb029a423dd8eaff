//! HDF5: listing, reading whole data sets, hyperslabs and scattered columns, and writing.
//!
//! The structures of the format (superblocks 0 to 3, both kinds of object header, every chunk index, the filter pipeline)
//! are decoded by the crate `hdf5-reader`, over this crate's [`fs::Source`]; `hdf5-writer`, of the same authors, encodes.
//! They were chosen by trial on 76 data sets × 4 library versions written by h5py 3.16 (HDF5 2.0; contiguous, compact,
//! chunked, deflate, shuffle, fletcher32, LZF, scale-offset, both byte orders, a 512-byte user block), on an NSD-like
//! session file of 699,192 chunks, and on 48,000 damaged copies of two small files:
//!
//! | crate | read of 76, versions 1.8 · 1.10 · 2.0 | 15,724 of 699,192 chunks | damaged copies |
//! |---|---|---|---|
//! | `hdf5-reader` 0.12 | 76 · 76 · 76 ¹ | 0.1 s each by slices; 0.3 s in all by its index, as here | no panic, no large allocation |
//! | `hdf5-pure` 0.47 | 71 · 70 · 31 | 0.9 s in all by its list of chunks | aborts: allocates 48 GB |
//! | `rust-hdf5` 0.7 | 75 · 75 · 75 | 100 s in all by slices | aborts: allocates 17 GB |
//! | `hdf5-metno` 0.15 | the C library | | damaged files reach C code |
//!
//! ¹ half precision and booleans by [`crate::number`], which converts from what is stored.
//!
//! Axes are those of the file in C order. MATLAB writes column-major: its `X × Y × Z × T` array is `(T, Z, Y, X)` here.
//!
//! What is not handled: external and virtual data sets, compound types.

mod columns;
mod dataset;
mod element;
mod index;
mod storage;
mod write;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hdf5_reader::group::Group;
use hdf5_reader::{Hdf5File, OpenOptions};

pub use dataset::Dataset;
pub use element::Dtype;
pub use write::{DatasetSpec, Writer};

use crate::fs::{self, Source};
use crate::{Error, Result, limits};

/// How deep groups may nest, and how many objects are listed; both far above what real files have.
const MAX_DEPTH: usize = 32;
const MAX_OBJECTS: usize = 200_000;

/// The object header that holds a data set's description and small attributes.
const MAX_OBJECT_HEADER_BYTES: usize = 16 << 20;

/// The first bytes of an HDF5 file without a user block.
pub const MAGIC: [u8; 8] = [0x89, b'H', b'D', b'F', 0x0d, 0x0a, 0x1a, 0x0a];

/// An HDF5 file open for reading.
#[derive(Clone)]
pub struct File {
    inner: Hdf5File,
    source: Source,
    /// Addresses of data sets whose index of chunks was found sound.
    sound: Arc<Mutex<BTreeSet<u64>>>,
}

/// One data set in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without a leading slash: `group/name`.
    pub name: String,
    /// Lengths of the axes in C order; empty for a scalar.
    pub shape: Vec<usize>,
    /// Type of the elements.
    pub dtype: Dtype,
}

/// Opens the HDF5 file at `path`.
///
/// # Errors
/// If it cannot be read, is not HDF5, or is shorter than its superblock says.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    File::from_source(fs::open(path)?)
}

/// Whether `source` is HDF5: the signature stands at byte 0 or behind a user block of 512, 1024, … bytes.
pub fn is_hdf5(source: &Source) -> bool {
    let mut offset = 0u64;
    let mut found = [0u8; 8];
    while offset + 8 <= source.len() && offset <= 1 << 20 {
        if source.read_at(offset, &mut found).is_ok() && found == MAGIC {
            return true;
        }
        offset = if offset == 0 { 512 } else { offset * 2 };
    }
    false
}

impl File {
    /// Reads HDF5 from `source`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        let limit = usize::try_from(limits::inflated_limit(source.len()).clamp(1 << 20, limits::MAX_ARRAY_BYTES));
        let limit = limit.unwrap_or(usize::MAX);
        let options = OpenOptions::default()
            .with_max_read_bytes(limit)
            .with_max_chunk_bytes(limit)
            .with_max_object_header_bytes(MAX_OBJECT_HEADER_BYTES)
            // A slab is read once; keeping chunks would only add to the memory promised to the caller.
            .with_chunk_cache_bytes(0);
        let storage = Arc::new(storage::Adapter(source.clone()));
        let inner = Hdf5File::from_storage_with_options(storage, options)
            .map_err(|error| source.locate(storage::translate(error)))?;
        let end = inner.superblock().eof_address;
        if end > source.len() {
            return Err(source.locate(Error::truncated("the HDF5 file", end, source.len())));
        }
        Ok(Self { inner, source, sound: Arc::default() })
    }

    /// Reads HDF5 from memory.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        Self::from_source(Source::from_bytes(bytes))
    }

    /// All data sets, in order of their paths. An object that cannot be decoded (a type not known here) is left out.
    ///
    /// # Errors
    /// If the groups cannot be walked.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        let root = self.inner.root_group().map_err(|error| self.locate(error, "/"))?;
        self.walk(&root, "", 0, &mut seen, &mut entries)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn walk(
        &self,
        group: &Group,
        prefix: &str,
        depth: usize,
        seen: &mut BTreeSet<u64>,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        // A group may be linked to from below itself.
        if depth > MAX_DEPTH || !seen.insert(group.address()) {
            return Ok(());
        }
        let place = if prefix.is_empty() { "/" } else { prefix };
        let (groups, datasets) = group.member_names().map_err(|error| self.locate(error, place))?;
        if entries.len() + datasets.len() + seen.len() > MAX_OBJECTS {
            let remedy = "name the data set you want";
            let error = Error::unsupported("listing a file of more objects than", MAX_OBJECTS, remedy);
            return Err(self.source.locate(error));
        }
        for name in datasets {
            let path = format!("{prefix}{name}");
            // Not by `dataset`, which lists a file in which a name is not found.
            if let Ok(dataset) = self.inner.dataset(&path)
                && let Ok(dataset) = Dataset::new(self, &path, dataset)
            {
                entries.push(Entry { name: path, shape: dataset.shape().to_vec(), dtype: dataset.dtype().clone() });
            }
        }
        for name in groups {
            let child = group.group(&name).map_err(|error| self.locate(error, place))?;
            self.walk(&child, &format!("{prefix}{name}/"), depth + 1, seen, entries)?;
        }
        Ok(())
    }

    /// The data set at `path`, such as `betas` or `group/name`.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the names that exist, or if its description is damaged.
    pub fn dataset(&self, path: &str) -> Result<Dataset> {
        let name = path.trim_matches('/');
        match self.inner.dataset(name) {
            Ok(inner) => Dataset::new(self, name, inner),
            Err(error) if storage::is_not_found(&error) => {
                let names = self.entries()?.into_iter().map(|entry| entry.name);
                Err(self.source.locate(Error::missing("data set", name, names)))
            }
            Err(error) => Err(self.locate(error, name)),
        }
    }

    /// Whether there is a data set at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.inner.dataset(path.trim_matches('/')).is_ok()
    }

    /// The text attribute `attribute` of the data set `dataset`, if it has one.
    ///
    /// # Errors
    /// If the data set does not exist.
    pub fn text_attribute(&self, dataset: &str, attribute: &str) -> Result<Option<String>> {
        Ok(self.dataset(dataset)?.text_attribute(attribute))
    }

    /// The bytes behind the file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn locate(&self, error: hdf5_reader::error::Error, object: &str) -> Error {
        self.source.locate(storage::translate(error).in_object(object))
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("source", &self.source).finish_non_exhaustive()
    }
}
