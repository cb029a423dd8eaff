//! WAV files: integers of 16 or 24 bits, or floats, as every player reads them.

use std::path::Path;

use ndarray::ArrayView2;

use crate::{Error, Result, fs};

/// How the samples of a WAV file are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleFormat {
    /// Integers of 16 bits: what players and browsers take.
    #[default]
    Int16,
    /// Integers of 24 bits.
    Int24,
    /// Floats of 32 bits, stored as they are.
    Float32,
}

impl SampleFormat {
    fn width(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Float32 => 4,
        }
    }
}

/// Writes `values` (channels, frames) in −1 … 1 to `path`. Integers are rounded; what lies outside is set to the limit.
///
/// # Errors
/// If a value is not finite, there is no channel or sample, the file would exceed 4 GiB, or it cannot be written.
pub fn write_wav(
    path: impl AsRef<Path>,
    values: ArrayView2<'_, f32>,
    rate_hz: u32,
    format: SampleFormat,
) -> Result<()> {
    let path = path.as_ref();
    let bytes = wav_bytes(values, rate_hz, format).map_err(|error| error.in_file(path))?;
    fs::write_bytes(path, &bytes)
}

/// The bytes of [`write_wav`].
///
/// # Errors
/// As [`write_wav`].
pub fn wav_bytes(values: ArrayView2<'_, f32>, rate_hz: u32, format: SampleFormat) -> Result<Vec<u8>> {
    let (n_channels, n_frames) = values.dim();
    if n_channels == 0 || n_channels > super::MAX_CHANNELS || n_frames == 0 {
        let got = format!("{n_channels} × {n_frames}");
        return Err(Error::mismatch(
            "the sound",
            "at least one channel and one sample",
            got,
            "write something audible",
        ));
    }
    if let Some(((channel, frame), _)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let what = format!("sample {frame} of channel {channel}");
        return Err(Error::mismatch(what, "a finite number", "not finite", "look at what made it"));
    }
    let width = format.width();
    let n_bytes = n_channels as u128 * n_frames as u128 * width as u128;
    let limit = u64::from(u32::MAX) - 64;
    if n_bytes > u128::from(limit) {
        return Err(Error::too_large("the sound", n_bytes, limit).with_remedy("write it in pieces"));
    }
    let n_bytes = n_bytes as u32;
    let (tag, align) = (if format == SampleFormat::Float32 { 3u16 } else { 1 }, (n_channels * width) as u16);
    let mut out = Vec::with_capacity(n_bytes as usize + 64);
    out.extend(b"RIFF");
    // Chunks have an even length.
    out.extend((36 + n_bytes + n_bytes % 2).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend(tag.to_le_bytes());
    out.extend((n_channels as u16).to_le_bytes());
    out.extend(rate_hz.to_le_bytes());
    out.extend((rate_hz.saturating_mul(u32::from(align))).to_le_bytes());
    out.extend(align.to_le_bytes());
    out.extend((8 * width as u16).to_le_bytes());
    out.extend(b"data");
    out.extend(n_bytes.to_le_bytes());
    for frame in values.columns() {
        for &value in frame {
            match format {
                SampleFormat::Float32 => out.extend(value.to_le_bytes()),
                SampleFormat::Int16 => out.extend((integer(value, 15) as i16).to_le_bytes()),
                SampleFormat::Int24 => out.extend_from_slice(&integer(value, 23).to_le_bytes()[..3]),
            }
        }
    }
    out.resize(out.len() + (n_bytes % 2) as usize, 0);
    Ok(out)
}

/// The nearest integer of `bits` bits beside the sign.
fn integer(value: f32, bits: u32) -> i32 {
    let one = f64::from(1u32 << bits);
    (f64::from(value) * one).round().clamp(-one, one - 1.0) as i32
}
