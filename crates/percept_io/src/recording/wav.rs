//! WAV: integers of 8 to 32 bits, floats of 32 and 64, the extensible header, and RF64 for files beyond 4 GiB; from files and,
//! as it comes, from a pipe ([`WavStream`]).
//!
//! Integers are scaled to −1 … 1 (divided by 2^(bits − 1); 8 bits are unsigned around 128), floats stay as they are. A WAV file
//! says nothing of volts: the unit is empty.
//!
//! This is our own code because the crate `hound` 3.5 reads neither RF64 nor doubles.
//! Not read: compressed sound (µ-law, A-law, ADPCM, MP3), big-endian `RIFX`.
//!
//! # References
//! Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0"; EBU Tech 3306 (RF64).

use std::io::Read;

use super::facts::{Channel, Facts, MAX_CHANNELS, Recording};
use super::records::{Cell, Records};
use crate::fs::{self, Source};
use crate::{Error, Result};

/// What programs write for a length that they do not know.
const UNKNOWN: u32 = u32::MAX;

/// The header, up to the first sample.
#[derive(Debug)]
struct Head {
    channels: Vec<Channel>,
    rate_hz: f64,
    cell: Cell,
    /// Where the samples begin.
    offset: u64,
    /// The bytes of all samples, if the header knows.
    len: Option<u64>,
}

/// Whether `start` is the start of a WAV file, be it longer than 4 GiB.
pub(crate) fn is_wav(start: &[u8]) -> bool {
    start.len() >= 12 && matches!(&start[..4], b"RIFF" | b"RF64" | b"BW64") && &start[8..12] == b"WAVE"
}

/// Opens the WAV file `source`.
pub(crate) fn open(source: Source) -> Result<Recording> {
    let head = Head::read(source.reader_at(0))?;
    let n_bytes = match head.len {
        Some(len) => {
            source.require("the samples", head.offset, len)?;
            len
        }
        None => source.len().saturating_sub(head.offset),
    };
    let frames = Records::frames(source, head.offset, head.cell, &head.channels)?;
    let n_samples = frames.count(n_bytes);
    Recording::new(Facts::new("WAV", head.channels, head.rate_hz, n_samples), frames)
}

/// Bytes of a header that are read in turn, and how many there were.
struct Walk<R> {
    reader: R,
    position: u64,
}

impl<R: Read> Walk<R> {
    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        fs::read_full(&mut self.reader, what, &mut bytes).map_err(|error| error.at(self.position))?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        let skipped = fs::skip(&mut self.reader, "a chunk", len)?;
        self.position += skipped;
        if skipped < len {
            return Err(Error::truncated("a chunk", len, skipped).at(self.position));
        }
        Ok(())
    }
}

impl Head {
    fn read(reader: impl Read) -> Result<Self> {
        let mut walk = Walk { reader, position: 0 };
        let start: [u8; 12] = walk.bytes("the WAV header")?;
        if !is_wav(&start) {
            let got = format!("`{}`", start.escape_ascii());
            return Err(Error::malformed("the start", "`RIFF`, a length and `WAVE`", got).at(0));
        }
        let (mut format, mut long_len) = (None, None);
        loop {
            let at = walk.position;
            let head: [u8; 8] = walk.bytes("the head of a chunk")?;
            let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            match &head[..4] {
                b"fmt " if len >= 16 => {
                    let first: [u8; 16] = walk.bytes("the format")?;
                    let mut rest = u64::from(len - 16);
                    let mut sub = None;
                    if rest >= 24 {
                        let more: [u8; 24] = walk.bytes("the format")?;
                        sub = Some(u16::from_le_bytes([more[8], more[9]]));
                        rest -= 24;
                    }
                    walk.skip(rest + u64::from(len % 2))?;
                    format = Some(format_of(&first, sub).map_err(|error| error.at(at))?);
                }
                b"ds64" if len >= 24 => {
                    let sizes: [u8; 24] = walk.bytes("the long lengths")?;
                    let mut word = [0; 8];
                    word.copy_from_slice(&sizes[8..16]);
                    long_len = Some(u64::from_le_bytes(word));
                    walk.skip(u64::from(len - 24) + u64::from(len % 2))?;
                }
                b"data" => {
                    let Some((channels, rate_hz, cell)) = format else {
                        return Err(Error::malformed("the chunk before the samples", "`fmt `", "absent").at(at));
                    };
                    let len = match (len, long_len) {
                        (UNKNOWN, long) => long,
                        (len, _) => Some(u64::from(len)),
                    };
                    return Ok(Self { channels, rate_hz, cell, offset: walk.position, len });
                }
                _ => walk.skip(u64::from(len) + u64::from(len % 2))?,
            }
        }
    }
}

/// Channels, rate and type of the samples.
fn format_of(first: &[u8; 16], sub: Option<u16>) -> Result<(Vec<Channel>, f64, Cell)> {
    const EXTENSIBLE: u16 = 0xfffe;
    let word = |at: usize| u16::from_le_bytes([first[at], first[at + 1]]);
    let (tag, n_channels, align) = (word(0), word(2) as usize, word(12) as usize);
    let rate_hz = f64::from(u32::from_le_bytes([first[4], first[5], first[6], first[7]]));
    if n_channels == 0 || n_channels > MAX_CHANNELS || align % n_channels != 0 {
        let got = format!("{n_channels} channels in {align} bytes");
        return Err(Error::malformed("a frame", "whole numbers of at least one channel", got));
    }
    let tag = if tag == EXTENSIBLE { sub.unwrap_or(tag) } else { tag };
    let (cell, scale, offset) = match (tag, align / n_channels) {
        (1, 1) => (Cell::U8, 1.0 / 128.0, -1.0),
        (1, 2) => (Cell::I16, 0.5f64.powi(15), 0.0),
        (1, 3) => (Cell::I24, 0.5f64.powi(23), 0.0),
        (1, 4) => (Cell::I32, 0.5f64.powi(31), 0.0),
        (3, 4) => (Cell::F32, 1.0, 0.0),
        (3, 8) => (Cell::F64, 1.0, 0.0),
        (1 | 3, width) => {
            let got = format!("of {width} bytes");
            return Err(Error::unsupported("a WAV sample", got, "save it with 16, 24 or 32 bits"));
        }
        (tag, _) => {
            let remedy = "save it uncompressed, for example with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`";
            return Err(Error::unsupported("the WAV coding", format!("{tag:#06x}"), remedy));
        }
    };
    let channels = (0..n_channels).map(|index| Channel::new(index.to_string(), "", scale, offset)).collect();
    Ok((channels, rate_hz, cell))
}

/// WAV from a pipe, such as `ffmpeg … -f wav - | percept stream --source -`. Its length may be unknown.
#[derive(Debug)]
pub struct WavStream<R> {
    reader: R,
    head: Head,
    left: Option<u64>,
    bytes: Vec<u8>,
}

impl<R: Read> WavStream<R> {
    /// Reads the header from `reader`, which stands at the first sample then.
    ///
    /// # Errors
    /// If what comes is no WAV, or of a kind that is not read.
    pub fn new(mut reader: R) -> Result<Self> {
        let head = Head::read(&mut reader)?;
        if head.rate_hz <= 0.0 {
            return Err(Error::malformed("the sampling rate", "a positive number of Hz", head.rate_hz));
        }
        // Programs that write to a pipe put 0 where they would go back to.
        let left = head.len.filter(|&len| len != 0 && len < u64::from(UNKNOWN) - 0xffff);
        Ok(Self { reader, head, left, bytes: Vec::new() })
    }

    /// The columns.
    pub fn channels(&self) -> &[Channel] {
        &self.head.channels
    }

    /// Samples in a second.
    pub fn rate_hz(&self) -> f64 {
        self.head.rate_hz
    }

    /// Waits for up to `n_samples` samples, appends them to `out` row by row, and returns how many came: less only at the end.
    ///
    /// # Errors
    /// If the pipe fails.
    pub fn read_into(&mut self, n_samples: usize, out: &mut Vec<f32>) -> Result<usize> {
        let stride = self.head.cell.width() * self.head.channels.len();
        let wanted = (n_samples.min((1 << 26) / stride) * stride) as u64;
        let wanted = self.left.map_or(wanted, |left| wanted.min(left));
        self.bytes.clear();
        let read = (&mut self.reader).take(wanted).read_to_end(&mut self.bytes);
        let count = read.map_err(|error| Error::io("read the pipe", error))?;
        self.left = self.left.map(|left| left - count as u64);
        let n_read = count / stride;
        let width = self.head.cell.width();
        for frame in self.bytes.chunks_exact(stride) {
            let cells = frame.chunks_exact(width).zip(&self.head.channels);
            out.extend(cells.map(|(bytes, c)| (self.head.cell.value(bytes) * c.scale + c.offset) as f32));
        }
        Ok(n_read)
    }
}
