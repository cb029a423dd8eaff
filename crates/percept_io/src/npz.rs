//! NumPy's `.npz`: a ZIP archive of arrays by name, stored or deflated.
//!
//! A member is decompressed when it is asked for, after its claimed length was checked against what its compressed bytes
//! can become. Written archives are deflated, in the order given, without times, so equal arrays give equal bytes.

use std::io::{Read, Seek, Write};
use std::path::Path;

use ndarray::ArrayViewD;
use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::fs::{self, Cursor, Sink, Source};
use crate::npy::{self, Npy};
use crate::number::Element;
use crate::{Error, Result, limits};

/// An open archive.
pub struct Npz {
    source: Source,
    archive: ZipArchive<std::io::BufReader<Cursor>>,
}

/// Opens the archive at `path`.
///
/// # Errors
/// If it is no ZIP archive or is damaged.
pub fn open(path: impl AsRef<Path>) -> Result<Npz> {
    Npz::from_source(fs::open(path)?)
}

impl Npz {
    /// As [`open`], for bytes that are already at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        let archive = ZipArchive::new(source.reader_at(0))
            .map_err(|error| source.locate(Error::codec("the ZIP archive", error)))?;
        Ok(Self { source, archive })
    }

    /// The names of the arrays, in the order of the archive.
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(std::result::Result::ok);
        names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect()
    }

    /// The bytes that the array called `name` says it has when it is decompressed; `None` when there is none.
    pub fn claimed_bytes(&mut self, name: &str) -> Option<u64> {
        let index = self.archive.index_for_name(&format!("{name}.npy"))?;
        self.archive.by_index_raw(index).ok().map(|member| member.size())
    }

    /// The array called `name`.
    ///
    /// # Errors
    /// If there is none (the error lists those that exist), or it is damaged or of a type that is not handled.
    pub fn array(&mut self, name: &str) -> Result<Npy> {
        let Some(index) = self.archive.index_for_name(&format!("{name}.npy")) else {
            return Err(self.source.locate(Error::missing("array", name, self.names())));
        };
        let mut attempt = || -> Result<Npy> {
            let member = self.archive.by_index(index).map_err(|error| Error::codec("the member", error))?;
            let bytes = inflate(member)?;
            Npy::new(Source::from_bytes(bytes), Some(name.to_owned()))
        };
        attempt().map_err(|error| self.source.locate(error.in_object(name)))
    }
}

fn inflate<R: Read>(mut member: ZipFile<'_, R>) -> Result<Vec<u8>> {
    let claimed = member.size();
    let limit = match member.compression() {
        CompressionMethod::Stored => member.compressed_size(),
        _ => limits::inflated_limit(member.compressed_size()),
    };
    if claimed > limit {
        return Err(Error::too_large("the member", u128::from(claimed), limit));
    }
    let bytes = fs::read_growing(&mut member, "the member", claimed)?;
    // The checksum is compared where the member ends.
    fs::drain(&mut member, "the member")?;
    Ok(bytes)
}

/// Writes an archive array by array.
pub struct Writer<'a> {
    archive: ZipWriter<&'a mut Sink>,
}

impl Writer<'_> {
    /// Adds `array` under `name`.
    ///
    /// # Errors
    /// If the name is taken, or the file cannot be written.
    pub fn add<T: Element>(&mut self, name: &str, array: ArrayViewD<'_, T>) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .large_file(array.len() as u64 * T::NUMBER.width() as u64 >= u64::from(u32::MAX) / 2);
        let failure = |error| Error::codec("the ZIP archive", error).in_object(name);
        self.archive.start_file(format!("{name}.npy"), options).map_err(failure)?;
        npy::put(&mut self.archive as &mut dyn Write, array)
    }
}

/// Writes the archive `path` with the arrays that `fill` adds.
///
/// # Errors
/// If `fill` fails, or the file cannot be written.
pub fn write(path: impl AsRef<Path>, fill: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
    fs::write_atomic(path, |sink| {
        let mut writer = Writer { archive: ZipWriter::new(sink) };
        fill(&mut writer)?;
        let sink = writer.archive.finish().map_err(|error| Error::codec("the ZIP archive", error))?;
        sink.stream_position().map_err(|error| Error::io("write", error)).map(drop)
    })
}
