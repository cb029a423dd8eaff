//! Which format is this? By the bytes at the start, never by the name alone.
//!
//! [`sniff`] names the [`Format`]; the module of that format opens it. Compressed NIfTI is told from other gzip files by its
//! first inflated bytes. Tables and JSON have no magic bytes: text is recognised as text, and its kind is left to the name.

use std::fmt;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use crate::fs::Source;
use crate::{Error, Result, cifti, freesurfer, fs, mgh};

/// The formats that percept reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// NIfTI-1 or NIfTI-2, plain or compressed: [`crate::nifti`].
    Nifti,
    /// Maps on the cortex with voxels below it: [`crate::cifti`].
    Cifti,
    /// A surface, or maps or labels on one, plain or compressed: [`crate::gifti`].
    Gifti,
    /// FreeSurfer's volume, which may hold a map on a surface, plain or compressed: [`crate::mgh`].
    Mgh,
    /// FreeSurfer's triangles: [`crate::freesurfer::geometry`].
    FreeSurferGeometry,
    /// FreeSurfer's values per vertex: [`crate::freesurfer::curv`].
    FreeSurferCurv,
    /// One NumPy array: [`crate::npy`].
    Npy,
    /// A ZIP archive, as `.npz` is one: [`crate::npz`].
    Zip,
    /// MATLAB's format up to version 7.
    Mat,
    /// HDF5, which is also MATLAB's format from version 7.3 on.
    Hdf5,
    /// Named tensors: [`crate::safetensors`].
    SafeTensors,
    /// A PNG picture: [`crate::picture`].
    Png,
    /// A JPEG picture: [`crate::picture`].
    Jpeg,
    /// A table in columns.
    Parquet,
    /// Text in UTF-8: a table, JSON or TOML.
    Text,
}

impl Format {
    const ALL: [Self; 15] = [
        Self::Nifti,
        Self::Cifti,
        Self::Gifti,
        Self::Mgh,
        Self::FreeSurferGeometry,
        Self::FreeSurferCurv,
        Self::Npy,
        Self::Zip,
        Self::Mat,
        Self::Hdf5,
        Self::SafeTensors,
        Self::Png,
        Self::Jpeg,
        Self::Parquet,
        Self::Text,
    ];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nifti => "NIfTI",
            Self::Cifti => "CIFTI-2",
            Self::Gifti => "GIFTI",
            Self::Mgh => "MGH",
            Self::FreeSurferGeometry => "FreeSurfer geometry",
            Self::FreeSurferCurv => "FreeSurfer curv",
            Self::Npy => "npy",
            Self::Zip => "npz",
            Self::Mat => "MAT",
            Self::Hdf5 => "HDF5",
            Self::SafeTensors => "safetensors",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Parquet => "Parquet",
            Self::Text => "text",
        })
    }
}

/// The format of `source`.
///
/// # Errors
/// If it is none of the known ones, or cannot be read.
pub fn sniff(source: &Source) -> Result<Format> {
    const START_BYTES: u64 = 1024;
    let start = source.bytes_at("the start of the file", 0, source.len().min(START_BYTES))?;
    if start.is_empty() {
        let error = Error::malformed("the file", "not empty", "empty");
        return Err(source.locate(error));
    }
    let format = match start.as_slice() {
        [0x1f, 0x8b, ..] => {
            let mut head = Vec::new();
            let inflated = MultiGzDecoder::new(source.reader_at(0)).take(START_BYTES).read_to_end(&mut head);
            inflated.map_err(|error| source.locate(Error::codec("the gzip stream", error)))?;
            match head.as_slice() {
                head if cifti::is_cifti(head) => Some(Format::Cifti),
                head if is_nifti(head) => Some(Format::Nifti),
                head if is_gifti(head) => Some(Format::Gifti),
                head if mgh::is_mgh(head) => Some(Format::Mgh),
                _ => None,
            }
        }
        bytes if cifti::is_cifti(bytes) => Some(Format::Cifti),
        bytes if is_nifti(bytes) => Some(Format::Nifti),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Format::Npy),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some(Format::Zip),
        [0x89, b'P', b'N', b'G', ..] => Some(Format::Png),
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
        // The text of a version 7.3 file is that of older ones, in front of HDF5.
        _ if is_hdf5(source) => Some(Format::Hdf5),
        bytes if bytes.starts_with(b"MATLAB 5.0 MAT-file") => Some(Format::Mat),
        bytes if is_mat(bytes) => Some(Format::Mat),
        bytes if is_safetensors(bytes, source.len()) => Some(Format::SafeTensors),
        bytes if bytes.starts_with(&freesurfer::geometry::MAGIC) => Some(Format::FreeSurferGeometry),
        bytes if bytes.starts_with(&freesurfer::curv::MAGIC) => Some(Format::FreeSurferCurv),
        bytes if mgh::is_mgh(bytes) => Some(Format::Mgh),
        bytes if is_gifti(bytes) => Some(Format::Gifti),
        bytes if is_text(bytes) => Some(Format::Text),
        _ => None,
    };
    format.ok_or_else(|| {
        let known: Vec<String> = Format::ALL.iter().map(ToString::to_string).collect();
        let got = format!("`{}`", start[..start.len().min(8)].escape_ascii());
        let error = Error::malformed("the start of the file", format!("that of {}", known.join(", ")), got);
        source.locate(error.at(0).with_remedy("convert the file to one of these formats"))
    })
}

/// The format of the file at `path`.
///
/// # Errors
/// As [`sniff`].
pub fn sniff_path(path: impl AsRef<std::path::Path>) -> Result<Format> {
    sniff(&fs::open(path)?)
}

fn is_nifti(bytes: &[u8]) -> bool {
    let magic_1 = bytes.get(344..348).is_some_and(|magic| matches!(magic, b"n+1\0" | b"ni1\0"));
    let magic_2 = bytes.get(4..8).is_some_and(|magic| matches!(magic, b"n+2\0" | b"ni2\0"));
    magic_1 || magic_2
}

/// XML whose root is `GIFTI`; comments may stand before it.
fn is_gifti(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    start.starts_with(b"<") && start.windows(6).any(|window| window == b"<GIFTI")
}

fn is_hdf5(source: &Source) -> bool {
    // The signature stands at the start, or at 512 bytes or a doubling of it behind a user block.
    let mut magic = [0; 8];
    let at = |offset: u64, magic: &mut [u8; 8]| source.read_at(offset, magic).is_ok() && magic == b"\x89HDF\r\n\x1a\n";
    at(0, &mut magic) || (9..16).any(|power| at(1 << power, &mut magic))
}

/// A MAT file without the customary text: version and byte order stand at the end of the 128-byte header.
fn is_mat(bytes: &[u8]) -> bool {
    bytes.get(124..128).is_some_and(|tail| matches!(tail, [0, 1, b'I', b'M'] | [1, 0, b'M', b'I']))
}

fn is_safetensors(bytes: &[u8], len: u64) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*head).checked_add(8).is_some_and(|end| end <= len) && rest.starts_with(b"{")
}

fn is_text(bytes: &[u8]) -> bool {
    // The last character may be cut.
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && !bytes.contains(&0)
}
