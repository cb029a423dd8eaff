//! Sound: WAV, FLAC, MP3 and Ogg Vorbis, read block by block; WAV, written.
//!
//! [`open`] tells the format by its bytes and reads no more than the headers; [`Sound::read_into`] then decodes as much as is
//! asked for, so that a file of hours takes the memory of a block. [`read`] takes a whole file that is not too long. Samples are
//! `f32` in −1 … 1 (integers divided by 2^(bits − 1)); nothing is mixed, resampled or normalised here. Silence is sound; what
//! is no sound at all, ends early, or holds values that are not finite is named with its time.
//!
//! Encoder delays that the file declares (MP3's LAME header, Ogg's granules) are cut off, as libsndfile does it. A checksum of
//! the samples (FLAC) is compared at the end. MP3 frames that need data from before a cut are silence, at the start only.
//!
//! Not read: Opus, AAC, chained Ogg streams beyond the first.

mod decode;
mod write;

use std::path::Path;

use ndarray::Array2;

use crate::fs::{self, Source};
use crate::{Error, Result};
use decode::Decoder;

pub use decode::Facts;
pub use write::{SampleFormat, wav_bytes, write_wav};

/// The most channels of a file.
pub const MAX_CHANNELS: usize = 64;

/// The highest sampling rate of a file, in Hz.
pub const MAX_RATE_HZ: u32 = 768_000;

/// An open file, of which the samples up to a position have been read.
pub struct Sound {
    facts: Facts,
    decoder: Decoder,
    /// Decoded and not yet asked for, frame by frame.
    pending: Vec<f32>,
    /// Frames given out.
    position: u64,
    source: Source,
}

/// All samples of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Samples in a second.
    pub rate_hz: u32,
    /// (channels, frames), −1 … 1.
    pub values: Array2<f32>,
}

impl Samples {
    /// The mean of all channels.
    pub fn mono(&self) -> Vec<f32> {
        let n = self.values.nrows().max(1) as f32;
        self.values.columns().into_iter().map(|frame| frame.sum() / n).collect()
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.values.ncols() as f64 / f64::from(self.rate_hz)
    }
}

/// Opens the sound file at `path`.
///
/// # Errors
/// If it is none of the formats, is damaged, or claims what no sound has.
pub fn open(path: impl AsRef<Path>) -> Result<Sound> {
    let source = fs::open(&path)?;
    Sound::new(source).map_err(|error| error.in_file(path))
}

/// All of the file at `path`, if it is no longer than `most_secs` seconds.
///
/// # Shapes
/// (channels, frames).
///
/// # Errors
/// As [`open`]; if it is longer, ends early, or holds no sample.
pub fn read(path: impl AsRef<Path>, most_secs: f64) -> Result<Samples> {
    open(path)?.read_all(most_secs)
}

impl Sound {
    /// Opens the bytes of a sound file.
    ///
    /// # Errors
    /// As [`open`].
    pub fn new(source: Source) -> Result<Self> {
        let (decoder, facts) = Decoder::open(&source)?;
        if facts.n_channels == 0 || facts.n_channels > MAX_CHANNELS {
            return Err(Error::malformed("the number of channels", format!("1 to {MAX_CHANNELS}"), facts.n_channels));
        }
        if facts.rate_hz == 0 || facts.rate_hz > MAX_RATE_HZ {
            return Err(Error::malformed("the sampling rate", format!("1 to {MAX_RATE_HZ} Hz"), facts.rate_hz));
        }
        Ok(Self { facts, decoder, pending: Vec::new(), position: 0, source })
    }

    /// What the headers say.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Frames read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Appends up to `n_frames` frames to `out`, channel by channel within each, and says how many: fewer only at the end.
    ///
    /// # Errors
    /// If the file is damaged there, ends before what it announced, or a sample is not finite.
    pub fn read_into(&mut self, n_frames: usize, out: &mut Vec<f32>) -> Result<usize> {
        self.fill(n_frames).map_err(|error| self.source.locate(error))?;
        let n = self.facts.n_channels;
        let given = n_frames.min(self.pending.len() / n);
        out.extend(self.pending.drain(..given * n));
        self.position += given as u64;
        Ok(given)
    }

    /// Goes on by up to `n_frames` frames without keeping them, and says by how many.
    ///
    /// # Errors
    /// As [`Self::read_into`].
    pub fn skip(&mut self, n_frames: u64) -> Result<u64> {
        const BLOCK: u64 = 1 << 16;
        let mut left = n_frames;
        let mut block = Vec::new();
        while left > 0 {
            block.clear();
            let read = self.read_into(left.min(BLOCK) as usize, &mut block)? as u64;
            if read == 0 {
                break;
            }
            left -= read;
        }
        Ok(n_frames - left)
    }

    /// Everything from here on, if it is no longer than `most_secs` seconds.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read_all(mut self, most_secs: f64) -> Result<Samples> {
        const BLOCK: usize = 1 << 16;
        let most = (most_secs * f64::from(self.facts.rate_hz)).ceil() as u64;
        let source = self.source.clone();
        let too_long = |seconds: f64| {
            let error = Error::mismatch(
                "the sound",
                format!("at most {most_secs} s"),
                format!("{seconds:.1} s long"),
                "cut it",
            );
            source.locate(error)
        };
        if let Some(n) = self.facts.n_frames.filter(|&n| n > most) {
            return Err(too_long(n as f64 / f64::from(self.facts.rate_hz)));
        }
        let mut values = Vec::new();
        while self.read_into(BLOCK, &mut values)? > 0 {
            if self.position > most {
                return Err(too_long(self.position as f64 / f64::from(self.facts.rate_hz)));
            }
        }
        if values.is_empty() {
            let error = Error::malformed("the number of samples", "at least one", 0);
            return Err(source.locate(error.with_remedy("record it again, or leave it out")));
        }
        let shape = (values.len() / self.facts.n_channels, self.facts.n_channels);
        let frames = Array2::from_shape_vec(shape, values).map_err(|error| Error::codec("the samples", error))?;
        Ok(Samples { rate_hz: self.facts.rate_hz, values: frames.t().as_standard_layout().into_owned() })
    }

    /// Decodes until `n_frames` frames are pending or the file is at its end.
    fn fill(&mut self, n_frames: usize) -> Result<()> {
        let n = self.facts.n_channels;
        while self.pending.len() < n_frames.saturating_mul(n) {
            let before = self.pending.len();
            let at = self.position + (before / n) as u64;
            if !self.decoder.next_into(&mut self.pending, n, at)? {
                return self.check_end(at);
            }
            if let Some(index) = self.pending[before..].iter().position(|value| !value.is_finite()) {
                let seconds = (at + (index / n) as u64) as f64 / f64::from(self.facts.rate_hz);
                return Err(Error::malformed(format!("the sample at {seconds:.3} s"), "a finite number", "not finite"));
            }
        }
        Ok(())
    }

    /// Whether the file held as many frames as it announced, and those that its checksum is of.
    fn check_end(&mut self, n_read: u64) -> Result<()> {
        let seconds = |n: u64| n as f64 / f64::from(self.facts.rate_hz);
        match self.facts.n_frames {
            // Encoders of lossy formats are not exact about their last frame.
            Some(n) if n_read + self.decoder.slack() < n => {
                let error = Error::malformed(
                    "the end of the sound",
                    format!("at {:.3} s", seconds(n)),
                    format!("at {:.3} s", seconds(n_read)),
                );
                Err(error)
            }
            _ => self.decoder.finish(),
        }
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("facts", &self.facts).field("position", &self.position).finish_non_exhaustive()
    }
}
