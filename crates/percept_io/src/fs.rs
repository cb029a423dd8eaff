//! The only place that touches the disk: bounded reading, atomic writing, listing, hashing.
//!
//! [`open`] gives a [`Source`], which knows its length, reads at positions from any thread, and adds the path to every
//! error. [`write_atomic`] writes beside the target and renames at the end, so a file under its final name is whole; a
//! killed run leaves at most a hidden `.name.pid-n.tmp`, which [`remove_abandoned`] clears away.
//!
//! Nothing here knows a file format. Files are read with positioned reads, never mapped: a mapped file that is truncated
//! by another program kills the process.

mod scratch;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use scratch::is_scratch;
use scratch::{Scratch, is_scratch_name};

use crate::{Error, Result};

/// How much is read or written at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes that can be read at any position: a file, or memory in its place.
#[derive(Clone, Debug)]
pub struct Source {
    bytes: Bytes,
    len: u64,
    path: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Bytes {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

/// Opens the file at `path` for reading.
///
/// # Errors
/// If it does not exist, may not be read, or is not a regular file.
pub fn open(path: impl AsRef<Path>) -> Result<Source> {
    let path = path.as_ref();
    let attempt = || -> Result<Source> {
        let file = File::open(path).map_err(|error| Error::io("open", error))?;
        let meta = file.metadata().map_err(|error| Error::io("inspect", error))?;
        if !meta.is_file() {
            let got = if meta.is_dir() { "a directory" } else { "a device or pipe" };
            return Err(Error::mismatch("the path", "a regular file", got, "name a file inside it"));
        }
        Ok(Source { bytes: Bytes::File(Arc::new(file)), len: meta.len(), path: Some(path.to_owned()) })
    };
    attempt().map_err(|error| error.in_file(path))
}

impl Source {
    /// Memory in place of a file.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, bytes: Bytes::Memory(bytes), path: None }
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file behind it, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Adds the path of this source to `error`, unless it has one.
    pub fn locate(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }

    /// Fills `buffer` from the bytes that start at `offset`.
    ///
    /// # Errors
    /// If the source ends before the buffer is full, or cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.require("the requested bytes", offset, buffer.len() as u64)?;
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let start = offset as usize;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
            Bytes::File(file) => {
                read_exact_at(file, buffer, offset).map_err(|error| self.locate(Error::io("read", error).at(offset)))
            }
        }
    }

    /// The `len` bytes from `offset` on, which hold `what`. Memory is taken only after the length was checked.
    ///
    /// # Errors
    /// If the source ends before, or cannot be read.
    pub fn bytes_at(&self, what: &str, offset: u64, len: u64) -> Result<Vec<u8>> {
        self.require(what, offset, len)?;
        let mut buffer = vec![0; len as usize];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    /// Checks that `len` bytes follow `offset`.
    ///
    /// # Errors
    /// [`crate::Kind::Truncated`] for `what` otherwise.
    pub fn require(&self, what: &str, offset: u64, len: u64) -> Result<()> {
        let available = self.len.saturating_sub(offset);
        if len > available {
            return Err(self.locate(Error::truncated(what, len, available).at(offset)));
        }
        Ok(())
    }

    /// Its first byte, for code that reads and seeks with a buffer of its own.
    pub fn cursor(&self) -> Cursor {
        Cursor { source: self.clone(), position: 0 }
    }

    /// A buffered sequential reader that starts at `offset`.
    pub fn reader_at(&self, offset: u64) -> BufReader<Cursor> {
        let capacity = BLOCK_BYTES.min(self.len.saturating_sub(offset) as usize).max(1);
        BufReader::with_capacity(capacity, Cursor { source: self.clone(), position: offset })
    }
}

/// A position in a [`Source`], for code that wants [`Read`] and [`Seek`].
#[derive(Clone, Debug)]
pub struct Cursor {
    source: Source,
    position: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.len.saturating_sub(self.position);
        let count = (buffer.len() as u64).min(left) as usize;
        if count == 0 {
            return Ok(0);
        }
        match &self.source.bytes {
            Bytes::Memory(bytes) => {
                let start = self.position as usize;
                buffer[..count].copy_from_slice(&bytes[start..start + count]);
            }
            Bytes::File(file) => read_exact_at(file, &mut buffer[..count], self.position)?,
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.source.len.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The whole file at `path`, refused if it is longer than `limit` bytes.
///
/// # Errors
/// If it is longer, or cannot be read.
pub fn read_to_limit(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    let source = open(path)?;
    if source.len() > limit {
        let error = Error::too_large("the file", u128::from(source.len()), limit);
        return Err(source.locate(error.with_remedy("check that this is the file you mean")));
    }
    source.bytes_at("the file", 0, source.len())
}

/// The whole UTF-8 text file at `path`, refused if it is longer than `limit` bytes. A byte-order mark is dropped.
///
/// # Errors
/// If it is longer, not UTF-8, or cannot be read.
pub fn read_text(path: impl AsRef<Path>, limit: u64) -> Result<String> {
    let path = path.as_ref();
    let text = String::from_utf8(read_to_limit(path, limit)?).map_err(|error| {
        let position = error.utf8_error().valid_up_to() as u64;
        Error::malformed("the text", "UTF-8", "another encoding")
            .with_remedy("save the file as UTF-8")
            .at(position)
            .in_file(path)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Exactly `len` bytes of `what` from `reader`. The buffer grows only as bytes arrive, so a false `len` costs nothing.
///
/// # Errors
/// [`crate::Kind::Truncated`] if the reader ends before, [`crate::Kind::Codec`] if it fails.
pub fn read_growing(reader: impl Read, what: &str, len: u64) -> Result<Vec<u8>> {
    let mut buffer = Vec::new();
    refill(reader, what, len, &mut buffer)?;
    Ok(buffer)
}

/// As [`read_growing`], into a `buffer` whose old contents are dropped and whose memory is used again.
///
/// # Errors
/// As [`read_growing`].
pub fn refill(reader: impl Read, what: &str, len: u64, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    buffer.reserve(len.min(BLOCK_BYTES as u64) as usize);
    reader.take(len).read_to_end(buffer).map_err(|error| decoding_error(what, &error))?;
    if (buffer.len() as u64) < len {
        return Err(Error::truncated(what, len, buffer.len() as u64));
    }
    Ok(())
}

/// Reads and drops what is left, so that a checksum at the end of a compressed stream is checked.
///
/// # Errors
/// [`crate::Kind::Codec`] if the stream is damaged.
pub fn drain(reader: impl Read, what: &str) -> Result<()> {
    skip(reader, what, u64::MAX).map(drop)
}

/// Reads and drops up to `len` bytes of `what`; returns how many there were.
///
/// # Errors
/// As [`drain`].
pub fn skip(reader: impl Read, what: &str, len: u64) -> Result<u64> {
    io::copy(&mut reader.take(len), &mut io::sink()).map_err(|error| decoding_error(what, &error))
}

/// Fills `buffer` with bytes of `what` from `reader`.
///
/// # Errors
/// As [`read_growing`].
pub fn read_full(mut reader: impl Read, what: &str, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => return Err(Error::truncated(what, buffer.len() as u64, filled as u64)),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(decoding_error(what, &error)),
        }
    }
    Ok(())
}

/// A decoder reports its own failures as [`io::Error`]; the system's are told apart by their code.
pub(crate) fn decoding_error(what: &str, error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(code) => Error::io("read", io::Error::from_raw_os_error(code)),
        None => Error::codec(what, error),
    }
}

/// The open end of a file that is being written.
pub type Sink = BufWriter<File>;

/// Writes a file so that it appears under `path` whole or not at all.
///
/// `write` fills a temporary file in the same directory; its bytes are flushed to the disk before it takes the name
/// `path` (and replaces what had it). The directory is created if need be.
///
/// # Errors
/// Whatever `write` returns, and failures to create, flush or rename. The temporary file is removed then.
pub fn write_atomic<T>(path: impl AsRef<Path>, write: impl FnOnce(&mut Sink) -> Result<T>) -> Result<T> {
    write_whole(path.as_ref(), true, write)
}

/// Writes `bytes` so that a killed process leaves the file whole or not at all, without waiting for the disk. After a power
/// cut it may be incomplete: only for files whose content hash is checked before they are used. For hundreds of small files
/// this is many times faster than [`write_bytes`].
///
/// # Errors
/// As [`write_atomic`].
pub fn write_unflushed(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    write_whole(path.as_ref(), false, |sink| put(sink, bytes))
}

fn write_whole<T>(path: &Path, flush: bool, write: impl FnOnce(&mut Sink) -> Result<T>) -> Result<T> {
    let attempt = || -> Result<T> {
        let Some(name) = path.file_name() else {
            return Err(Error::mismatch("the path", "a file name", "a directory", "add a file name to it"));
        };
        let folder = folder_of(path);
        create_dir(folder)?;
        let scratch = Scratch::create(folder, &name.to_string_lossy())?;
        let mut sink = BufWriter::with_capacity(BLOCK_BYTES, scratch.file()?);
        let value = write(&mut sink)?;
        let file = sink.into_inner().map_err(|error| Error::io("write", error.into_error()))?;
        if flush {
            file.sync_all().map_err(|error| Error::io("flush to disk", error))?;
        }
        // The folder is not flushed: after a power cut the new name may be missing, but what has a name is whole. Flushing
        // it would treble the time to write many small files.
        scratch.become_file(path)?;
        Ok(value)
    };
    attempt().map_err(|error| error.in_file(path))
}

/// As [`write_atomic`], for programs that write to a path of their own choice: `write` is given the path of the temporary file.
///
/// # Errors
/// As [`write_atomic`].
pub(crate) fn write_beside<T>(path: &Path, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let attempt = || -> Result<T> {
        let Some(name) = path.file_name() else {
            return Err(Error::mismatch("the path", "a file name", "a directory", "add a file name to it"));
        };
        let folder = folder_of(path);
        create_dir(folder)?;
        let scratch = Scratch::create(folder, &name.to_string_lossy())?;
        let value = write(scratch.path())?;
        scratch.become_file(path)?;
        Ok(value)
    };
    attempt().map_err(|error| error.in_file(path))
}

/// Writes `bytes` as by [`write_atomic`].
///
/// # Errors
/// As [`write_atomic`].
pub fn write_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    write_atomic(path, |sink| put(sink, bytes))
}

/// Adds `bytes` at the end of the file at `path`, which must be there, and waits until they are on the disk.
///
/// # Errors
/// If there is no such file, or the system refuses.
pub fn append(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let attempt = || -> std::io::Result<()> {
        let mut file = File::options().append(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()
    };
    attempt().map_err(|error| Error::io("append to", error).in_file(path))
}

/// Writes `bytes` to `sink`, with this crate's error.
///
/// # Errors
/// If the system refuses, such as on a full disk.
pub fn put(mut sink: impl Write, bytes: &[u8]) -> Result<()> {
    sink.write_all(bytes).map_err(|error| Error::io("write", error))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes the temporary files in `folder` whose writers were killed, and returns how many there were.
///
/// A file that a living writer still holds is left alone.
///
/// # Errors
/// If the folder cannot be listed.
pub fn remove_abandoned(folder: impl AsRef<Path>) -> Result<usize> {
    let mut n_removed = 0;
    for path in list(folder)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !is_scratch_name(&name) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => n_removed += usize::from(std::fs::remove_file(&path).is_ok()),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
    Ok(n_removed)
}

/// The same in `folder` and all folders below it.
///
/// # Errors
/// If a folder cannot be listed.
pub fn remove_abandoned_below(folder: impl AsRef<Path>) -> Result<usize> {
    let mut n_removed = remove_abandoned(&folder)?;
    for path in list(folder)?.into_iter().filter(|path| path.is_dir() && !path.is_symlink()) {
        n_removed += remove_abandoned_below(path)?;
    }
    Ok(n_removed)
}

/// Creates the directory `path` and its parents; it is no error if it exists.
///
/// # Errors
/// If the system refuses, or a file has that name.
pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    std::fs::create_dir_all(path).map_err(|error| Error::io("create the directory", error).in_file(path))
}

/// The entries of the directory `path`, full paths, in order of their names.
///
/// # Errors
/// If it does not exist or cannot be read.
pub fn list(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    let attempt = || -> io::Result<Vec<PathBuf>> {
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut entries = attempt().map_err(|error| Error::io("list", error).in_file(path))?;
    entries.sort();
    Ok(entries)
}

/// All files below the directory `path`, at any depth, in order of their paths. Entries whose name begins with a dot (caches,
/// editors' files) are left out.
///
/// # Errors
/// If a directory cannot be read.
pub fn files_below(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in list(path)? {
        if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if entry.is_dir() {
            files.extend(files_below(entry)?);
        } else {
            files.push(entry);
        }
    }
    Ok(files)
}

/// Whether a regular file exists at `path`.
pub fn is_file(path: impl AsRef<Path>) -> bool {
    path.as_ref().is_file()
}

/// Whether both paths lead to one file that exists.
pub fn is_same_file(a: impl AsRef<Path>, b: impl AsRef<Path>) -> bool {
    match (std::fs::canonicalize(a), std::fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Whether a directory exists at `path`.
pub fn is_dir(path: impl AsRef<Path>) -> bool {
    path.as_ref().is_dir()
}

/// Removes the file at `path`; it is no error if there is none.
///
/// # Errors
/// If the system refuses.
pub fn remove_file(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", error).in_file(path)),
        _ => Ok(()),
    }
}

/// BLAKE3 of the file at `path`, in hex: equal to [`percept_core::provenance::content_hash`] of its bytes, read in blocks.
///
/// # Errors
/// If it cannot be read.
pub fn content_hash(path: impl AsRef<Path>) -> Result<String> {
    let source = open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK_BYTES.min(source.len() as usize)];
    let mut offset = 0;
    while offset < source.len() {
        let count = (source.len() - offset).min(BLOCK_BYTES as u64) as usize;
        source.read_at(offset, &mut block[..count])?;
        hasher.update(&block[..count]);
        offset += count as u64;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_says_how_much_there_is() {
        let source = Source::from_bytes(vec![1u8, 2, 3]);
        let error = source.bytes_at("the header", 1, 8).expect_err("only two bytes follow");
        assert_eq!(
            error.to_string(),
            "the file ends inside the header: 8 bytes needed, 2 left, at byte 1 \
             (the file is damaged or cut short: copy or download it again)"
        );
    }

    #[test]
    fn a_read_far_past_the_end_does_not_overflow() {
        let source = Source::from_bytes(vec![0u8; 3]);
        assert!(source.bytes_at("x", u64::MAX, u64::MAX).is_err());
        assert!(source.read_at(u64::MAX, &mut [0; 2]).is_err());
    }

    #[test]
    fn a_false_length_takes_no_memory() {
        let error = read_growing([0u8; 10].as_slice(), "volume", u64::MAX).expect_err("ten bytes only");
        assert!(error.to_string().contains("10 left"), "{error}");
    }
}
