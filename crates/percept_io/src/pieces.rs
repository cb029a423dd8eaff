//! Large files that are written piece by piece, over several runs if need be: tensors or one array, filled by columns.
//!
//! The file grows under `<name>.partial`, all of its space taken from the disk at the start, and takes its name when the caller
//! says that every piece is there; so a file under its final name is whole. Which pieces are done is for the caller to
//! remember, and to write down only after [`Pieces::flush`].

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView1, ArrayView2};

use crate::number::{Element, Number};
use crate::{Error, Result, fs, npy, safetensors};

/// A file under construction.
#[derive(Debug)]
pub struct Pieces {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    places: BTreeMap<String, Place>,
}

/// Where an array lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    number: Number,
    shape: Vec<usize>,
    offset: u64,
}

/// An array that the file will hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name; not used in npy files.
    pub name: String,
    /// The type of its numbers.
    pub number: Number,
    /// The lengths of its axes.
    pub shape: Vec<usize>,
}

/// What is at the path of a file under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or a file with other contents: a new one was begun.
    Nothing,
    /// The same file, of an earlier run: its pieces are there.
    Partial,
}

impl Pieces {
    /// A safetensors file at `path`: goes on with a partial one that was begun with the same plan and texts, if `resume`, or
    /// begins anew.
    ///
    /// # Errors
    /// If the disk has no room for all of it, or refuses.
    pub fn safetensors(
        path: impl AsRef<Path>,
        planned: &[Planned],
        metadata: &BTreeMap<String, String>,
        resume: bool,
    ) -> Result<(Self, Found)> {
        let sorted: BTreeMap<&str, &Planned> = planned.iter().map(|planned| (planned.name.as_str(), planned)).collect();
        let tensors = sorted.iter().map(|(name, planned)| (*name, planned.number, planned.shape.as_slice()));
        let (header, starts) = safetensors::header_bytes(tensors, metadata);
        let places = sorted.iter().zip(starts).map(|((name, planned), offset)| {
            ((*name).to_owned(), Place { number: planned.number, shape: planned.shape.clone(), offset })
        });
        Self::begin(path.as_ref(), &header, places.collect(), resume)
    }

    /// A `.npy` file of one array in C order, called `array` here; as [`Pieces::safetensors`].
    ///
    /// # Errors
    /// As [`Pieces::safetensors`].
    pub fn npy(path: impl AsRef<Path>, number: Number, shape: &[usize], resume: bool) -> Result<(Self, Found)> {
        let header = npy::header_bytes(number, shape);
        let place = Place { number, shape: shape.to_vec(), offset: header.len() as u64 };
        Self::begin(path.as_ref(), &header, BTreeMap::from([("array".to_owned(), place)]), resume)
    }

    fn begin(path: &Path, header: &[u8], places: BTreeMap<String, Place>, resume: bool) -> Result<(Self, Found)> {
        let partial = partial_path(path)?;
        let attempt = || -> Result<(File, Found)> {
            let end = places.values().map(|place| place.offset + place.bytes()).max().unwrap_or(header.len() as u64);
            if resume
                && let Ok(old) = fs::open(&partial)
                && old.len() == end
                && old.bytes_at("the header", 0, header.len() as u64).is_ok_and(|bytes| bytes == header)
            {
                let file = OpenOptions::new().write(true).open(&partial);
                return Ok((file.map_err(|error| Error::io("open", error))?, Found::Partial));
            }
            if let Some(folder) = partial.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::create_dir(folder)?;
            }
            fs::remove_file(&partial)?;
            let file = OpenOptions::new().write(true).create_new(true).open(&partial);
            let file = file.map_err(|error| Error::io("create", error))?;
            if let Err(error) = reserve(&file, end) {
                drop(file);
                fs::remove_file(&partial)?;
                // What a file system says of a file larger than itself can be: no space, or too large a file.
                let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::FileTooLarge);
                let error = Error::io("reserve the disk space for", error);
                let remedy = format!("{end} bytes are needed: free some disk space, or write elsewhere");
                return Err(if full { error.with_remedy(remedy) } else { error });
            }
            write_all_at(&file, header, 0).map_err(|error| Error::io("write", error))?;
            Ok((file, Found::Nothing))
        };
        let (file, found) = attempt().map_err(|error| error.in_file(&partial))?;
        Ok((Self { file, path: path.to_owned(), partial, places }, found))
    }

    /// Writes `values` (n_rows × columns.len()) into the matrix `name`.
    ///
    /// # Errors
    /// If there is no such matrix or part of it, or the disk refuses.
    pub fn put_columns<T: Element>(&self, name: &str, columns: Range<usize>, values: ArrayView2<'_, T>) -> Result<()> {
        let rows = self.place::<T>(name)?.shape.first().copied().unwrap_or(0);
        if values.nrows() != rows {
            return Err(self.wrong(name, format!("{rows} rows"), format!("{}", values.nrows())));
        }
        self.put_block(name, 0, columns, values)
    }

    /// Writes `values` into the matrix `name`, from row `first_row` on.
    ///
    /// # Errors
    /// As [`Pieces::put_columns`].
    pub fn put_block<T: Element>(
        &self,
        name: &str,
        first_row: usize,
        columns: Range<usize>,
        values: ArrayView2<'_, T>,
    ) -> Result<()> {
        let place = self.place::<T>(name)?;
        let &[n_rows, n_columns] = place.shape.as_slice() else {
            return Err(self.wrong(name, "a matrix".to_owned(), format!("{:?}", place.shape)));
        };
        let fits = first_row + values.nrows() <= n_rows && columns.end <= n_columns && columns.len() == values.ncols();
        if !fits {
            let got = format!("{:?} at row {first_row}, columns {columns:?}", values.dim());
            return Err(self.wrong(name, format!("a part of {n_rows} × {n_columns}"), got));
        }
        let width = place.number.width();
        let start = place.offset + (first_row * n_columns * width) as u64;
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        // Whole rows lie side by side.
        if columns.len() == n_columns {
            let mut offset = start;
            for row in values.rows() {
                row.iter().for_each(|value| value.put_le(&mut bytes));
                if bytes.len() >= BLOCK_BYTES {
                    self.write(&bytes, offset)?;
                    offset += bytes.len() as u64;
                    bytes.clear();
                }
            }
            return self.write(&bytes, offset);
        }
        for (row, values) in values.rows().into_iter().enumerate() {
            bytes.clear();
            values.iter().for_each(|value| value.put_le(&mut bytes));
            self.write(&bytes, start + ((row * n_columns + columns.start) * width) as u64)?;
        }
        Ok(())
    }

    /// Writes `values` into the vector `name`, or into the flat elements of an array, from element `start` on.
    ///
    /// # Errors
    /// As [`Pieces::put_columns`].
    pub fn put<T: Element>(&self, name: &str, start: usize, values: ArrayView1<'_, T>) -> Result<()> {
        let place = self.place::<T>(name)?;
        let count: usize = place.shape.iter().product();
        if start + values.len() > count {
            let got = format!("{} elements", values.len());
            return Err(self.wrong(
                name,
                format!("at most {} elements from {start}", count.saturating_sub(start)),
                got,
            ));
        }
        let mut bytes = Vec::with_capacity(values.len() * place.number.width());
        values.iter().for_each(|value| value.put_le(&mut bytes));
        self.write(&bytes, place.offset + (start * place.number.width()) as u64)
    }

    /// Waits until everything written so far is on the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn flush(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| Error::io("flush to disk", error).in_file(&self.partial))
    }

    /// Gives the file, every piece of which is there, its name.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn finish(self) -> Result<()> {
        self.flush()?;
        drop(self.file);
        std::fs::rename(&self.partial, &self.path)
            .map_err(|error| Error::io("rename the finished file to", error).in_file(&self.path))
    }

    /// Where the file is until it is finished.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    fn place<T: Element>(&self, name: &str) -> Result<&Place> {
        let found = self.places.get(name).ok_or_else(|| Error::missing("array", name, self.places.keys()));
        let place = found.map_err(|error| error.in_file(&self.partial))?;
        if place.number == T::NUMBER {
            return Ok(place);
        }
        Err(self.wrong(name, place.number.name().to_owned(), T::NUMBER.name().to_owned()))
    }

    fn wrong(&self, name: &str, expected: String, got: String) -> Error {
        let error = Error::mismatch("the piece", expected, got, "write what was planned");
        error.in_object(name).in_file(&self.partial)
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        write_all_at(&self.file, bytes, offset).map_err(|error| Error::io("write", error).in_file(&self.partial))
    }
}

const BLOCK_BYTES: usize = 1 << 20;

impl Place {
    fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.number.width() as u64
    }
}

/// The name of `path` while it is written.
///
/// # Errors
/// If `path` names no file.
pub fn partial_path(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        let error = Error::mismatch("the path", "a file name", "a directory", "add a file name to it");
        return Err(error.in_file(path));
    };
    let mut name = name.to_owned();
    name.push(".partial");
    Ok(path.with_file_name(name))
}

/// Free space on the disk of the folder `path` (or of its nearest parent that exists), if the system says.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists())?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    free_in(folder)
}

#[cfg(unix)]
fn free_in(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_in(_folder: &Path) -> Option<u64> {
    None
}

/// Takes `len` bytes from the disk, so that it cannot fill up halfway. Where the file system cannot do that, only the length
/// is set, and a full disk is met when writing.
#[cfg(target_os = "linux")]
fn reserve(file: &File, len: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, len.max(1)) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(len),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(file: &File, len: u64) -> std::io::Result<()> {
    file.set_len(len)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset) {
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
