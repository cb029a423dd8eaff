//! The parser: heads of the streams, then every chunk of the lists `movi`, in the order of the file.
//!
//! The index at the end (`idx1`) is not needed and not read, so a film whose writer was killed is whole up to its last frame. A file
//! that ends inside a frame, or whose head counts other frames than there are, is read as far as it goes, and that is said. An
//! empty chunk shows the frame before it. Not handled: sound, key frames, palettes, other codecs than JPEG.

use ndarray::Array3;

use crate::film::checks;
use crate::fs::Source;
use crate::{Error, Result, picture};

/// Frames of an AVI file; a longer one is refused.
const MOST_FRAMES: usize = 1 << 24;
/// Depth of lists within lists.
const DEEPEST: usize = 4;
/// What the codec is called.
const CODECS: [&[u8; 4]; 4] = [b"MJPG", b"mjpg", b"JPEG", b"jpeg"];

/// An AVI file whose frames are JPEG files.
#[derive(Clone, Debug)]
pub(crate) struct Avi {
    source: Source,
    /// Where each frame lies: first byte and length.
    frames: Vec<(u64, u32)>,
    /// Width and height in the head.
    pub(crate) size: [usize; 2],
    /// Frames a second.
    pub(crate) rate: f64,
    /// What is odd about the file.
    pub(crate) notes: Vec<String>,
}

/// What the heads say.
#[derive(Default)]
struct Heads {
    /// Microseconds from one frame to the next, by the head of the file.
    frame_micros: u32,
    /// Frames, by the head of the file.
    n_frames: u32,
    n_streams: usize,
    /// The first stream of pictures.
    video: Option<Video>,
    /// Whether the head that was read last was that of `video`.
    is_in_video: bool,
}

struct Video {
    stream: usize,
    codec: [u8; 4],
    scale: u32,
    rate: u32,
    size: [usize; 2],
}

/// Whether these bytes begin an AVI file.
pub(crate) fn is_avi(start: &[u8]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..12) == Some(b"AVI ")
}

impl Avi {
    /// Reads heads and the places of all frames. `None` for an AVI file of another codec.
    pub(crate) fn from_source(source: &Source) -> Result<Option<Self>> {
        let attempt = || Walk::new(source).film();
        attempt().map_err(|error| source.locate(error))
    }

    pub(crate) fn n_frames(&self) -> usize {
        self.frames.len()
    }

    /// One frame.
    pub(crate) fn frame(&self, frame_idx: usize) -> Result<Array3<u8>> {
        // An empty chunk repeats what was shown.
        let shown = self.frames[..=frame_idx].iter().rposition(|(_, length)| *length > 0);
        let Some(shown) = shown else {
            return Err(Error::malformed("the first frame", "a JPEG file", "empty"));
        };
        let (at, length) = self.frames[shown];
        let bytes = self.source.bytes_at("the frame", at, u64::from(length))?;
        picture::decode(&with_tables(bytes)).map_err(|error| error.in_object(format!("frame {shown}")))
    }
}

/// A frame as a JPEG file of its own. Cameras leave out the tables that all frames share; the decoder has them, but wants to be told by a mark
/// that they leave out, too.
fn with_tables(mut bytes: Vec<u8>) -> Vec<u8> {
    const MARK: [u8; 9] = *b"\xff\xe0\0\x07AVI1\0";
    let mut at = 2;
    // Segments before the coded data: 0xff, kind, length.
    while let Some(&[0xff, kind, high, low]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        match kind {
            0xc4 => return bytes,
            0xda => {
                bytes.splice(2..2, MARK);
                return bytes;
            }
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    bytes
}

struct Walk<'a> {
    source: &'a Source,
    heads: Heads,
    frames: Vec<(u64, u32)>,
    notes: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(source: &'a Source) -> Self {
        Self { source, heads: Heads::default(), frames: Vec::new(), notes: Vec::new() }
    }

    fn film(mut self) -> Result<Option<Avi>> {
        let mut at = 0;
        // Long files go on in further lists.
        while let Some((tag, length)) = self.chunk(at)? {
            if &tag != b"RIFF" {
                break;
            }
            let end = self.clamped(at + 8, length);
            self.list(at + 12, end, 0)?;
            at = end + end % 2;
        }
        let Some(video) = &self.heads.video else {
            return Err(Error::malformed("the AVI file", "a stream of pictures", "none"));
        };
        if !CODECS.contains(&&video.codec) {
            return Ok(None);
        }
        let by_stream = f64::from(video.rate) / f64::from(video.scale);
        let by_file = 1e6 / f64::from(self.heads.frame_micros);
        let Some(rate) = [by_stream, by_file].into_iter().find(|rate| checks::is_rate(*rate)) else {
            let got = format!("{by_stream} by the stream and {by_file} by the file");
            return Err(Error::malformed("the number of frames a second", "a positive number", got));
        };
        if self.frames.iter().all(|(_, length)| *length == 0) {
            return Err(Error::malformed("the AVI file", "frames", "none"));
        }
        let claimed = self.heads.n_frames as usize;
        if claimed != self.frames.len() && claimed != 0 {
            self.notes.push(format!("the head says {claimed} frames, there are {}", self.frames.len()));
        }
        let size = video.size;
        Ok(Some(Avi { source: self.source.clone(), frames: self.frames, size, rate, notes: self.notes }))
    }

    /// The chunk at `at`: its name and length; `None` at the end of the file.
    fn chunk(&self, at: u64) -> Result<Option<([u8; 4], u64)>> {
        if at + 8 > self.source.len() {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.source.read_at(at, &mut head)?;
        let [a, b, c, d, rest @ ..] = head;
        Ok(Some(([a, b, c, d], u64::from(u32::from_le_bytes(rest)))))
    }

    /// Where what begins at `at` and claims `length` bytes ends.
    fn clamped(&self, at: u64, length: u64) -> u64 {
        (at + length).min(self.source.len())
    }

    /// What stands between `at` and `end`.
    fn list(&mut self, mut at: u64, end: u64, depth: usize) -> Result<()> {
        while at + 8 <= end {
            let Some((tag, length)) = self.chunk(at)? else { break };
            let (from, to) = (at + 8, self.clamped(at + 8, length).min(end));
            match &tag {
                b"LIST" if depth < DEEPEST => self.list(from + 4, to, depth + 1)?,
                b"avih" => self.file_head(from, to)?,
                b"strh" => self.stream_head(from, to)?,
                b"strf" => self.stream_format(from, to)?,
                _ => self.picture(tag, from, length, to)?,
            }
            at = to + to % 2;
        }
        Ok(())
    }

    fn picture(&mut self, tag: [u8; 4], from: u64, length: u64, to: u64) -> Result<()> {
        let Some(video) = &self.heads.video else { return Ok(()) };
        let is_picture = matches!(&tag[2..], b"dc" | b"db")
            && tag[..2].iter().all(u8::is_ascii_digit)
            && usize::from(tag[0] - b'0') * 10 + usize::from(tag[1] - b'0') == video.stream;
        if !is_picture {
            return Ok(());
        }
        if to - from < length {
            self.notes.push(format!("the file ends inside frame {}", self.frames.len()));
            return Ok(());
        }
        if self.frames.len() >= MOST_FRAMES {
            return Err(Error::too_large("the film", MOST_FRAMES as u128 + 1, MOST_FRAMES as u64).at(from));
        }
        self.frames.push((from, length as u32));
        Ok(())
    }

    fn words<const N: usize>(&self, what: &str, from: u64, to: u64) -> Result<[u32; N]> {
        let bytes = self.source.bytes_at(what, from, 4 * N as u64)?;
        if from + 4 * N as u64 > to {
            return Err(Error::truncated(what, 4 * N as u64, to - from).at(from));
        }
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(words)
    }

    fn file_head(&mut self, from: u64, to: u64) -> Result<()> {
        let words = self.words::<10>("the head of the film", from, to)?;
        (self.heads.frame_micros, self.heads.n_frames) = (words[0], words[4]);
        Ok(())
    }

    fn stream_head(&mut self, from: u64, to: u64) -> Result<()> {
        let words = self.words::<8>("the head of a stream", from, to)?;
        let stream = self.heads.n_streams;
        self.heads.n_streams += 1;
        self.heads.is_in_video = &words[0].to_le_bytes() == b"vids" && self.heads.video.is_none();
        if self.heads.is_in_video {
            let (codec, scale, rate) = (words[1].to_le_bytes(), words[5], words[6]);
            self.heads.video = Some(Video { stream, codec, scale, rate, size: [0; 2] });
        }
        Ok(())
    }

    fn stream_format(&mut self, from: u64, to: u64) -> Result<()> {
        if !self.heads.is_in_video {
            return Ok(());
        }
        let words = self.words::<5>("the format of a stream", from, to)?;
        if let Some(video) = &mut self.heads.video {
            // A negative height says that rows run downwards, which those of JPEG always do.
            video.size = [words[1] as usize, (words[2] as i32).unsigned_abs() as usize];
            let by_format = words[4].to_le_bytes();
            if !CODECS.contains(&&video.codec) && CODECS.contains(&&by_format) {
                video.codec = by_format;
            }
        }
        Ok(())
    }
}
