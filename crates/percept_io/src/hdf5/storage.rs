//! Between this crate's [`Source`] and the decoder: positioned reads in, errors with a place out.

use hdf5_reader::error::Error as Decoder;
use hdf5_reader::storage::{Storage, StorageBuffer};

use crate::fs::Source;
use crate::{Error, Kind};

/// A [`Source`] that the decoder can read from.
pub(super) struct Adapter(pub(super) Source);

impl Storage for Adapter {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        let bytes = self.0.bytes_at("the requested bytes", offset, len as u64).map_err(|error| match error.kind() {
            Kind::Truncated { needed, available, .. } => {
                Decoder::UnexpectedEof { offset, needed: *needed, available: *available }
            }
            _ => Decoder::Io(std::io::Error::other(error)),
        })?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

/// Whether `error` says that a name does not exist, rather than that something is damaged.
pub(super) fn is_not_found(error: &Decoder) -> bool {
    match error {
        Decoder::Context { source, .. } => is_not_found(source),
        Decoder::DatasetNotFound(_) | Decoder::GroupNotFound(_) => true,
        _ => false,
    }
}

/// The decoder's words as an error of this crate, with the byte offset where it gives one.
pub(super) fn translate(error: Decoder) -> Error {
    match error {
        Decoder::Context { source, .. } => translate(*source),
        Decoder::Io(error) => match error.downcast::<Error>() {
            Ok(own) => own,
            Err(error) => Error::io("read", error),
        },
        Decoder::InvalidMagic => Error::malformed("the HDF5 signature", "`\\x89HDF\\r\\n\\x1a\\n`", "absent").at(0),
        Decoder::UnexpectedEof { offset, needed, available } => {
            Error::truncated("an HDF5 structure", needed, available).at(offset)
        }
        Decoder::OffsetOutOfBounds(offset) => {
            Error::malformed("an HDF5 address", "an offset inside the file", offset).at(offset)
        }
        Decoder::UnsupportedEncoding(what) | Decoder::UnsupportedFilter(what) => {
            Error::unsupported("the HDF5 encoding", format!("`{what}`"), "rewrite it with `h5repack`")
        }
        Decoder::ResourceLimit(what) => {
            Error::malformed("the size of an HDF5 object", "what a file of this length can hold", what)
        }
        other => Error::codec("an HDF5 structure", other),
    }
}
