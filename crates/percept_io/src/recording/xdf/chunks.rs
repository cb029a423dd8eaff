//! The chunks of an XDF file: a length, a tag, and what the tag says.

use super::header::Header;
use crate::fs::Source;
use crate::{Error, Result, limits};

const STREAM_HEADER: u16 = 2;
const SAMPLES: u16 = 3;
const CLOCK_OFFSET: u16 = 4;

/// More chunks of samples than this are refused; LabRecorder writes some each second.
const MAX_CHUNKS: usize = 1 << 26;
/// More streams than this are refused.
const MAX_STREAMS: usize = 4096;

/// Samples of one stream that stand together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    /// Where the first sample stands.
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) n_samples: usize,
    pub(super) first_sample: usize,
}

impl Chunk {
    pub(super) fn read(&self, source: &Source) -> Result<Vec<u8>> {
        source.bytes_at("a chunk of samples", self.offset, self.len)
    }

    pub(super) fn cut(&self, needed: usize, available: usize) -> Error {
        Error::truncated("a sample", needed as u64, available as u64).at(self.offset)
    }
}

/// What was met of one stream.
pub(super) struct Walked {
    pub(super) id: u32,
    pub(super) header: Header,
    pub(super) chunks: Vec<Chunk>,
    pub(super) n_samples: usize,
    /// Times of the source and offsets to the clock of the recording computer.
    pub(super) clock: Vec<(f64, f64)>,
}

/// A place in the file.
pub(super) struct Chunks<'a> {
    source: &'a Source,
    position: u64,
}

impl Chunks<'_> {
    /// All streams, in the order of their headers.
    pub(super) fn walk(source: &Source) -> Result<Vec<Walked>> {
        let mut walk = Chunks { source, position: 4 };
        let mut streams: Vec<Walked> = Vec::new();
        while walk.position < source.len() {
            let at = walk.position;
            let len = walk.length()?;
            let start = walk.position;
            source.require("a chunk", start, len)?;
            if len < 2 {
                return Err(Error::malformed("the length of a chunk", "at least 2", len).at(at));
            }
            let tag = u16::from_le_bytes(walk.bytes()?);
            if matches!(tag, STREAM_HEADER | SAMPLES | CLOCK_OFFSET) {
                let id = u32::from_le_bytes(walk.bytes()?);
                walk.content(tag, id, start + len, &mut streams).map_err(|error| error.at(at))?;
            }
            walk.position = start + len;
        }
        Ok(streams)
    }

    fn content(&mut self, tag: u16, id: u32, end: u64, streams: &mut Vec<Walked>) -> Result<()> {
        let left = end
            .checked_sub(self.position)
            .ok_or_else(|| Error::malformed("a chunk", "a stream's number", "too short"))?;
        if tag == STREAM_HEADER {
            if left > limits::MAX_HEADER_BYTES {
                return Err(Error::too_large("the header of a stream", u128::from(left), limits::MAX_HEADER_BYTES));
            }
            if streams.len() >= MAX_STREAMS || streams.iter().any(|stream| stream.id == id) {
                return Err(Error::malformed("the number of a stream", "one that is new", id));
            }
            let text = self.source.bytes_at("the header of a stream", self.position, left)?;
            let header = Header::parse(&String::from_utf8_lossy(&text))?;
            streams.push(Walked { id, header, chunks: Vec::new(), n_samples: 0, clock: Vec::new() });
            return Ok(());
        }
        let Some(stream) = streams.iter_mut().find(|stream| stream.id == id) else {
            return Err(Error::malformed("the number of a stream", "one with a header before", id));
        };
        if tag == CLOCK_OFFSET {
            let time = f64::from_le_bytes(self.bytes()?);
            let offset = f64::from_le_bytes(self.bytes()?);
            if time.is_finite() && offset.is_finite() {
                stream.clock.push((time, offset));
            }
            return Ok(());
        }
        let n_samples = self.length()?;
        let offset = self.position;
        let len =
            end.checked_sub(offset).ok_or_else(|| Error::malformed("a chunk", "a number of samples", "too short"))?;
        let least = (1 + stream.header.least_sample_bytes()) as u64;
        if n_samples.checked_mul(least).is_none_or(|bytes| bytes > len) {
            return Err(Error::truncated("a chunk of samples", n_samples.saturating_mul(least), len));
        }
        if stream.chunks.len() >= MAX_CHUNKS {
            return Err(Error::malformed("the number of chunks", format!("at most {MAX_CHUNKS}"), "more"));
        }
        let n_samples = n_samples as usize;
        stream.chunks.push(Chunk { offset, len, n_samples, first_sample: stream.n_samples });
        stream.n_samples += n_samples;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_at(self.position, &mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    /// A number of 1, 4 or 8 bytes, which stands before it.
    fn length(&mut self) -> Result<u64> {
        let at = self.position;
        match self.bytes::<1>()? {
            [1] => self.bytes::<1>().map(|[byte]| u64::from(byte)),
            [4] => self.bytes().map(|bytes| u64::from(u32::from_le_bytes(bytes))),
            [8] => self.bytes().map(u64::from_le_bytes),
            [other] => Err(Error::malformed("the width of a length", "1, 4 or 8", other).at(at)),
        }
    }
}

/// The time stamp at the start of a sample, if it has one, and what follows.
pub(super) fn split_stamp(bytes: &[u8], at: u64) -> Result<(Option<f64>, &[u8])> {
    match bytes {
        [0, rest @ ..] => Ok((None, rest)),
        [8, rest @ ..] => match rest.split_first_chunk::<8>() {
            Some((stamp, rest)) => Ok((Some(f64::from_le_bytes(*stamp)), rest)),
            None => Err(Error::truncated("a time stamp", 8, rest.len() as u64).at(at)),
        },
        [] => Err(Error::truncated("a time stamp", 1, 0).at(at)),
        [other, ..] => Err(Error::malformed("the width of a time stamp", "0 or 8", other).at(at)),
    }
}

/// The text at the start of `bytes`, and what follows.
pub(super) fn split_text(bytes: &[u8], at: u64) -> Result<(&[u8], &[u8])> {
    let (len, rest) = match bytes {
        [1, len, rest @ ..] => (u64::from(*len), rest),
        [4, a, b, c, d, rest @ ..] => (u64::from(u32::from_le_bytes([*a, *b, *c, *d])), rest),
        [8, a, b, c, d, e, f, g, h, rest @ ..] => (u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest),
        _ => return Err(Error::malformed("the length of a text", "1, 4 or 8 bytes", "something else").at(at)),
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    rest.split_at_checked(len).ok_or_else(|| Error::truncated("a text", len as u64, rest.len() as u64).at(at))
}
