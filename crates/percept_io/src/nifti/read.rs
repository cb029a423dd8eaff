//! Reading: the header at once, the data whole or frame by frame.

use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use ndarray::{Array2, Array3, Array4, ShapeBuilder};

use super::header::{Header, LEN_2};
use crate::fs::{self, Cursor, Source};
use crate::number::{Element, decode, decode_scaled};
use crate::{Error, Result, limits};

/// An open NIfTI file: its header, and its data on demand.
#[derive(Clone, Debug)]
pub struct Nifti {
    header: Header,
    /// Where the data are: the file itself, or the second of a pair.
    data: Source,
    compressed: bool,
}

/// Opens `path`: a `.nii` or `.nii.gz`, or either file of a pair `.hdr` and `.img` (each may end in `.gz`).
///
/// # Errors
/// If it is not NIfTI, if the header is damaged or asks for something that is not handled, or if the file is too short
/// for what the header claims.
pub fn open(path: impl AsRef<Path>) -> Result<Nifti> {
    let path = path.as_ref();
    let header_path = twin(path, "img", "hdr").filter(|twin| fs::is_file(twin));
    let source = fs::open(header_path.as_deref().unwrap_or(path))?;
    Nifti::from_source(source)
}

impl Nifti {
    /// As [`open`], for bytes that are already at hand. A pair needs a path, to find its second file.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: Source) -> Result<Self> {
        Self::new(&source).map_err(|error| source.locate(error))
    }

    fn new(source: &Source) -> Result<Self> {
        let mut start = Vec::new();
        let mut stream = Stream::new(source)?;
        stream.0.by_ref().take(LEN_2 as u64).read_to_end(&mut start).map_err(|error| {
            if is_gzip(source) { Error::codec("the gzip stream", error) } else { Error::io("read", error) }
        })?;
        let header = Header::parse(&start)?;
        let data = if header.is_pair {
            let twin = source.path().and_then(|path| twin(path, "hdr", "img"));
            let Some(path) = twin else {
                let remedy = "name the `.hdr` file and keep the `.img` file beside it";
                return Err(Error::unsupported("a NIfTI header without its data file,", "a half pair,", remedy));
            };
            fs::open(path)?
        } else {
            source.clone()
        };
        let compressed = is_gzip(&data);
        let n_bytes = header.frame_bytes().saturating_mul(header.n_frames as u64);
        if compressed {
            let limit = limits::inflated_limit(data.len());
            let end = u128::from(header.data_offset) + u128::from(n_bytes);
            if end > u128::from(limit) {
                let what = format!("the header, with dimensions {:?} of {},", header.dims, header.number.name());
                return Err(data.locate(Error::too_large(what, end, limit).at(40)));
            }
        } else {
            data.require(
                &format!("the data, {:?} of {}", header.dims, header.number.name()),
                header.data_offset,
                n_bytes,
            )?;
        }
        Ok(Self { header, data, compressed })
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All data.
    ///
    /// # Shapes
    /// (x, y, z, t), in memory as on disk, x varying fastest.
    ///
    /// # Errors
    /// If the data end early, are damaged, or hold values that `T` cannot.
    pub fn read<T: Element>(&self) -> Result<Array4<T>> {
        let mut values = Vec::new();
        let mut frames = self.frames()?;
        while frames.advance()? {
            frames.append_all(&mut values)?;
        }
        let [x, y, z] = self.header.shape;
        let shape = (x, y, z, self.header.n_frames).f();
        Array4::from_shape_vec(shape, values).map_err(|error| self.locate(Error::codec("the data", error)))
    }

    /// The only frame of a file that holds one volume.
    ///
    /// # Shapes
    /// (x, y, z).
    ///
    /// # Errors
    /// As [`Self::read`], and if there are several frames.
    pub fn read_volume<T: Element>(&self) -> Result<Array3<T>> {
        if self.header.n_frames != 1 {
            let remedy = "name a file with one volume, such as a mask or a map of regions";
            return Err(self.locate(Error::mismatch("the number of volumes", 1, self.header.n_frames, remedy)));
        }
        let mut frames = self.frames()?;
        frames.advance()?;
        frames.volume()
    }

    /// The voxels with the given indices (see the [module](super)) in all frames, in the memory of one frame beside the result.
    ///
    /// # Shapes
    /// (n_frames, n_units), units in the order of `voxels`.
    ///
    /// # Errors
    /// As [`Self::read`], and if an index lies outside the volume.
    pub fn select<T: Element>(&self, voxels: &[usize]) -> Result<Array2<T>> {
        self.select_frames(voxels, 0..self.header.n_frames)
    }

    /// As [`Self::select`], for a range of frames.
    ///
    /// # Shapes
    /// (range length, n_units).
    ///
    /// # Errors
    /// As [`Self::select`], and if the range exceeds the file.
    pub fn select_frames<T: Element>(&self, voxels: &[usize], range: Range<usize>) -> Result<Array2<T>> {
        if range.start > range.end || range.end > self.header.n_frames {
            let expected = format!("frames {} to {}", range.start, range.end);
            let remedy = "ask for frames that the file has";
            let got = self.header.n_frames;
            return Err(self.locate(Error::mismatch("the number of frames", expected, got, remedy)));
        }
        let n_frames = range.len();
        let mut values = Vec::new();
        let mut frames = self.frames()?;
        frames.skip(range.start)?;
        for _ in 0..n_frames {
            frames.advance()?;
            frames.append(voxels, &mut values)?;
        }
        if range.end == self.header.n_frames {
            frames.advance()?;
        }
        let shape = (n_frames, voxels.len());
        Array2::from_shape_vec(shape, values).map_err(|error| self.locate(Error::codec("the data", error)))
    }

    /// The frames one after the other.
    ///
    /// # Errors
    /// If the data cannot be reached.
    pub fn frames(&self) -> Result<Frames<'_>> {
        let mut stream = Stream::at(&self.data, self.compressed, self.header.data_offset);
        if self.compressed {
            let skipped = fs::skip(&mut stream.0, "the gzip stream", self.header.data_offset)
                .map_err(|error| self.locate(error))?;
            if skipped < self.header.data_offset {
                return Err(self.locate(Error::truncated("the header", self.header.data_offset, skipped)));
            }
        }
        Ok(Frames { file: self, stream, buffer: Vec::new(), n_read: 0 })
    }

    fn locate(&self, error: Error) -> Error {
        self.data.locate(error)
    }
}

/// The frames of a file in their order. [`Frames::advance`] loads the next one; the other methods look at the loaded one.
pub struct Frames<'a> {
    file: &'a Nifti,
    stream: Stream,
    buffer: Vec<u8>,
    n_read: usize,
}

impl Frames<'_> {
    /// Loads the next frame. At the end it answers `false`, after the checksum of a compressed file was verified.
    ///
    /// # Errors
    /// If the file ends early or is damaged.
    pub fn advance(&mut self) -> Result<bool> {
        let header = &self.file.header;
        let attempt = if self.n_read == header.n_frames {
            self.buffer.clear();
            // Only a compressed stream has something to verify.
            if self.file.compressed { fs::drain(&mut self.stream.0, "the gzip stream") } else { Ok(()) }.map(|()| false)
        } else {
            let what = format!("frame {} of {}", self.n_read + 1, header.n_frames);
            fs::refill(&mut self.stream.0, &what, header.frame_bytes(), &mut self.buffer).map(|()| true)
        };
        // Positions count in the uncompressed data.
        let offset = header.data_offset + self.n_read as u64 * header.frame_bytes();
        let more = attempt.map_err(|error| self.file.locate(error.at(offset)))?;
        self.n_read += usize::from(more);
        Ok(more)
    }

    /// Passes over `n_frames` frames without converting them.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn skip(&mut self, n_frames: usize) -> Result<()> {
        if self.file.compressed {
            for _ in 0..n_frames {
                self.advance()?;
            }
        } else {
            self.n_read = (self.n_read + n_frames).min(self.file.header.n_frames);
            let offset = self.file.header.data_offset + self.n_read as u64 * self.file.header.frame_bytes();
            self.stream = Stream::at(&self.file.data, false, offset);
        }
        Ok(())
    }

    /// The loaded frame.
    ///
    /// # Shapes
    /// (x, y, z), in memory as on disk, x varying fastest.
    ///
    /// # Errors
    /// If it holds values that `T` cannot.
    pub fn volume<T: Element>(&self) -> Result<Array3<T>> {
        let mut values = Vec::new();
        self.append_all(&mut values)?;
        let [x, y, z] = self.file.header.shape;
        Array3::from_shape_vec((x, y, z).f(), values)
            .map_err(|_| Error::mismatch("the frame", "a loaded one", "none", "call `advance` first"))
    }

    /// Appends the voxels with the given indices in the loaded frame to `out`.
    ///
    /// # Errors
    /// If an index lies outside the volume, or a value is one that `T` cannot hold.
    pub fn append<T: Element>(&self, voxels: &[usize], out: &mut Vec<T>) -> Result<()> {
        let header = &self.file.header;
        let width = header.number.width();
        let mut chosen = Vec::with_capacity(voxels.len() * width);
        for &voxel in voxels {
            let Some(bytes) = self.buffer.get(voxel.saturating_mul(width)..).and_then(|rest| rest.get(..width)) else {
                let expected = format!("voxel {voxel}");
                let got = format!("{} voxels, {:?}", header.n_voxels(), header.shape);
                let remedy = "use a mask of the same shape as the data";
                return Err(self.file.locate(Error::mismatch("the volume", expected, got, remedy)));
            };
            chosen.extend_from_slice(bytes);
        }
        self.convert(&chosen, out)
    }

    fn append_all<T: Element>(&self, out: &mut Vec<T>) -> Result<()> {
        self.convert(&self.buffer, out)
    }

    fn convert<T: Element>(&self, bytes: &[u8], out: &mut Vec<T>) -> Result<()> {
        let Header { number, order, slope, intercept, .. } = self.file.header;
        let outcome = if self.file.header.is_unscaled() {
            decode(bytes, number, order, out)
        } else {
            decode_scaled(bytes, number, order, slope, intercept, out)
        };
        outcome.map_err(|error| self.file.locate(error.in_object(format!("frame {}", self.n_read))))
    }
}

/// The bytes of a file from some position on, decompressed if need be.
struct Stream(Box<dyn Read + Send>);

impl Stream {
    fn new(source: &Source) -> Result<Self> {
        if source.is_empty() {
            return Err(Error::truncated("the NIfTI header", super::header::LEN_1 as u64, 0).at(0));
        }
        Ok(Self::at(source, is_gzip(source), 0))
    }

    /// From `offset` on; a compressed stream starts at its beginning whatever the offset.
    fn at(source: &Source, compressed: bool, offset: u64) -> Self {
        let plain: BufReader<Cursor> = source.reader_at(if compressed { 0 } else { offset });
        if compressed { Self(Box::new(MultiGzDecoder::new(plain))) } else { Self(Box::new(plain)) }
    }
}

fn is_gzip(source: &Source) -> bool {
    let mut magic = [0; 2];
    source.len() >= 2 && source.read_at(0, &mut magic).is_ok() && magic == [0x1f, 0x8b]
}

/// `path` with the extension `from` (before a possible `.gz`) replaced by `to`; `None` if it has another one.
fn twin(path: &Path, from: &str, to: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (stem, gz) = match name.strip_suffix(".gz") {
        Some(stem) => (stem, ".gz"),
        None => (name, ""),
    };
    let stem = stem.strip_suffix(from)?.strip_suffix('.')?;
    Some(path.with_file_name(format!("{stem}.{to}{gz}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_file_of_a_pair_is_found_beside_the_first() {
        assert_eq!(twin(Path::new("a/b.hdr"), "hdr", "img"), Some(PathBuf::from("a/b.img")));
        assert_eq!(twin(Path::new("a/b.img.gz"), "img", "hdr"), Some(PathBuf::from("a/b.hdr.gz")));
        assert_eq!(twin(Path::new("a/b.nii"), "img", "hdr"), None);
    }
}
