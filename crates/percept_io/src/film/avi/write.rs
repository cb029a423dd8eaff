//! Writing a film of JPEG files: AVI with the codec `MJPG`, which every player and editor opens and which needs no encoder.
//!
//! Pictures stand at a fixed rate (the film's clock is the number of the frame), so frames that were dropped are filled with the
//! picture before them. An AVI file ends at about a gigabyte; a longer film goes on in the next one. Layout: RIFF `AVI `, list
//! `hdrl` with one stream, list `movi` with chunks `00dc`, index `idx1` (Microsoft, AVI RIFF File Reference).

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndarray::Array3;

use crate::film::checks;
use crate::{Error, Result, fs, picture};

/// Bytes after which a file is closed and the next one begun.
const MAX_BYTES: u64 = 1 << 30;
/// Where the number of frames stands, in the head of the file and in that of the stream.
const N_FRAMES_AT: [u64; 2] = [48, 140];
/// Where the list of pictures begins.
const MOVIE_AT: u64 = 212;

/// A film that is being written.
pub struct AviWriter {
    path: PathBuf,
    side: [u32; 2],
    fps: f64,
    file: Option<Part<File>>,
    n_parts: usize,
    /// Where the file is that is being written.
    part: PathBuf,
    last: Vec<u8>,
    next_frame: Option<u64>,
}

/// One file of it.
struct Part<W> {
    file: W,
    bytes: u64,
    index: Vec<[u32; 2]>,
}

impl AviWriter {
    /// A film at `path`, of pictures of `side` (width, height), `fps` a second; the second file gets `-2` before its ending.
    pub fn new(path: &Path, side: [u32; 2], fps: f64) -> Self {
        Self {
            path: path.to_owned(),
            side,
            fps,
            file: None,
            n_parts: 0,
            part: PathBuf::new(),
            last: Vec::new(),
            next_frame: None,
        }
    }

    /// Adds the picture of a frame; frames left out before it show the picture before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, frame_idx: u64, jpeg: &[u8]) -> Result<()> {
        /// A pause longer than this is cut.
        const LONGEST_FILL: u64 = 300;
        let missing = self.next_frame.map_or(0, |next| frame_idx.saturating_sub(next));
        if missing <= LONGEST_FILL && !self.last.is_empty() {
            let last = std::mem::take(&mut self.last);
            for _ in 0..missing {
                self.put(&last)?;
            }
        }
        self.put(jpeg)?;
        jpeg.clone_into(&mut self.last);
        self.next_frame = Some(frame_idx + 1);
        Ok(())
    }

    fn put(&mut self, jpeg: &[u8]) -> Result<()> {
        if self.file.as_ref().is_some_and(|part| part.bytes + jpeg.len() as u64 > MAX_BYTES) {
            self.close()?;
        }
        if self.file.is_none() {
            self.n_parts += 1;
            let path = match self.n_parts {
                1 => self.path.clone(),
                n => {
                    let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                    self.path.with_file_name(format!("{stem}-{n}.avi"))
                }
            };
            let file = File::create(&path).map_err(|error| Error::io("create", error).in_file(&path))?;
            self.file = Some(Part::begin(file, self.side, self.fps).map_err(|error| error.in_file(&path))?);
            self.part = path;
        }
        let put = self.file.as_mut().map_or(Ok(()), |part| part.put(jpeg));
        put.map_err(|error| error.in_file(&self.part))
    }

    /// Ends the film; without this call only its index and its length are missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&mut self) -> Result<()> {
        self.file.take().map_or(Ok(()), Part::end).map_err(|error| error.in_file(&self.part))
    }
}

impl<W: Write + Seek> Part<W> {
    fn begin(file: W, side: [u32; 2], fps: f64) -> Result<Self> {
        let mut part = Self { file, bytes: 0, index: Vec::new() };
        let head = head(side, fps);
        fs::put(&mut part.file, &head)?;
        part.bytes = head.len() as u64;
        Ok(part)
    }

    fn put(&mut self, jpeg: &[u8]) -> Result<()> {
        let length = jpeg.len() as u32;
        let mut chunk = Vec::with_capacity(jpeg.len() + 9);
        chunk.extend_from_slice(b"00dc");
        chunk.extend_from_slice(&length.to_le_bytes());
        chunk.extend_from_slice(jpeg);
        if jpeg.len() % 2 == 1 {
            chunk.push(0);
        }
        self.index.push([(self.bytes - MOVIE_AT - 8) as u32, length]);
        fs::put(&mut self.file, &chunk)?;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        let movie = (self.bytes - MOVIE_AT - 8) as u32;
        let mut index = Vec::with_capacity(8 + 16 * self.index.len());
        index.extend_from_slice(b"idx1");
        index.extend_from_slice(&(16 * self.index.len() as u32).to_le_bytes());
        for [offset, length] in &self.index {
            index.extend_from_slice(b"00dc");
            // Every picture stands by itself.
            for word in [0x10, *offset, *length] {
                index.extend_from_slice(&u32::to_le_bytes(word));
            }
        }
        fs::put(&mut self.file, &index)?;
        let all = self.bytes + index.len() as u64;
        let n = self.index.len() as u32;
        let words = [(4, all as u32 - 8), (N_FRAMES_AT[0], n), (N_FRAMES_AT[1], n), (MOVIE_AT + 4, movie)];
        for (at, word) in words {
            self.file.seek(SeekFrom::Start(at)).map_err(|error| Error::io("write", error))?;
            fs::put(&mut self.file, &word.to_le_bytes())?;
        }
        Ok(())
    }
}

/// Writes a film of `n_frames` pictures, `fps` a second, so that it appears at `path` whole or not at all. `frame` makes one picture
/// at a time; `quality` is that of JPEG, 1 to 100.
///
/// # Shapes
/// Each frame (height, width, 3), all alike.
///
/// # Errors
/// If there is no frame, frames differ in size, the film is longer than a gigabyte, or it cannot be written.
pub fn write_avi(
    path: impl AsRef<Path>,
    n_frames: usize,
    fps: f64,
    quality: u8,
    mut frame: impl FnMut(usize) -> Result<Array3<u8>>,
) -> Result<()> {
    checks::check_rate(fps)?;
    let path = path.as_ref();
    fs::write_atomic(path, |sink| {
        let mut part: Option<Part<&mut fs::Sink>> = None;
        let mut sink = Some(sink);
        let mut shape = None;
        for frame_idx in 0..n_frames {
            let pixels = frame(frame_idx)?;
            checks::same_shape(&mut shape, frame_idx, &pixels)?;
            let jpeg = picture::encode_jpeg(pixels.view(), quality)?;
            if let Some(sink) = sink.take() {
                let (height, width, _) = pixels.dim();
                part = Some(Part::begin(sink, [width as u32, height as u32], fps)?);
            }
            let Some(part) = &mut part else { continue };
            if part.bytes + jpeg.len() as u64 > MAX_BYTES {
                let error = Error::too_large("the film", u128::from(part.bytes) + jpeg.len() as u128, MAX_BYTES);
                return Err(error.with_remedy("write it in parts"));
            }
            part.put(&jpeg)?;
        }
        let none = || Error::mismatch("the film", "frames", "none", "give at least one frame");
        part.ok_or_else(none)?.end()
    })
}

/// Everything before the first picture; lengths that are not known yet are those of an endless film.
fn head([width, height]: [u32; 2], fps: f64) -> Vec<u8> {
    const SCALE: u32 = 1000;
    let rate = (fps * f64::from(SCALE)).round() as u32;
    let mut out = Vec::with_capacity(MOVIE_AT as usize + 12);
    let tag = |out: &mut Vec<u8>, text: &[u8; 4]| out.extend_from_slice(text);
    let words =
        |out: &mut Vec<u8>, words: &[u32]| words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    tag(&mut out, b"RIFF");
    words(&mut out, &[u32::MAX]);
    tag(&mut out, b"AVI ");
    tag(&mut out, b"LIST");
    words(&mut out, &[192]);
    tag(&mut out, b"hdrl");
    tag(&mut out, b"avih");
    // Microseconds per frame, data rate, padding, flags (has an index), frames, first frames, streams, buffer, size, reserved.
    words(&mut out, &[56, (1e6 / fps).round() as u32, 0, 0, 0x10, 0, 0, 1, 0, width, height, 0, 0, 0, 0]);
    tag(&mut out, b"LIST");
    words(&mut out, &[116]);
    tag(&mut out, b"strl");
    tag(&mut out, b"strh");
    words(&mut out, &[56]);
    tag(&mut out, b"vids");
    tag(&mut out, b"MJPG");
    // Flags, priority and language, first frames, scale, rate, start, length, buffer, quality, size of a sample, rectangle.
    words(&mut out, &[0, 0, 0, SCALE, rate, 0, 0, 0, u32::MAX, 0, 0, width | height << 16]);
    tag(&mut out, b"strf");
    words(&mut out, &[40, 40, width, height, 1 | 24 << 16]);
    tag(&mut out, b"MJPG");
    words(&mut out, &[width * height * 3, 0, 0, 0, 0]);
    tag(&mut out, b"LIST");
    words(&mut out, &[u32::MAX]);
    tag(&mut out, b"movi");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_its_words_where_they_are_filled_in() {
        let head = head([64, 48], 30.0);
        assert_eq!(head.len() as u64, MOVIE_AT + 12);
        let word = |at: u64| u32::from_le_bytes(head[at as usize..at as usize + 4].try_into().expect("four bytes"));
        assert_eq!((word(4), word(MOVIE_AT + 4)), (u32::MAX, u32::MAX));
        assert_eq!((word(32), word(64), word(68)), (33_333, 64, 48));
        assert_eq!(&head[MOVIE_AT as usize..MOVIE_AT as usize + 4], b"LIST");
        assert_eq!(N_FRAMES_AT.map(word), [0, 0]);
    }
}
