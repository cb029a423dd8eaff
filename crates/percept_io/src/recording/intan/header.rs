//! The header of Intan's `.rhd` and `.rhs` files: versions 1.0 to 3 of the first, 1 to 3 of the second.

use std::io::Read;

use crate::fs::{self, Source};
use crate::recording::facts::MAX_CHANNELS;
use crate::{Error, Result};

const RHD: u32 = 0xc691_2702;
const RHS: u32 = 0xd691_27ac;
const MAX_TEXT_BYTES: u32 = 1 << 16;

/// Whether `start` is the start of an Intan header.
pub(in crate::recording) fn is_intan(start: &[u8]) -> bool {
    let magic = start.first_chunk::<4>().map(|&bytes| u32::from_le_bytes(bytes));
    matches!(magic, Some(RHD | RHS))
}

/// The kinds of signals that a header lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Amplifier,
    Auxiliary,
    Supply,
    AnalogIn,
    AnalogOut,
    DigitalIn,
    DigitalOut,
}

/// What the header says.
pub(super) struct Header {
    /// Whether it is `.rhs`, of the stimulating system.
    pub(super) is_rhs: bool,
    pub(super) major_version: i16,
    pub(super) rate_hz: f64,
    pub(super) n_temperatures: usize,
    pub(super) board_mode: i16,
    pub(super) has_dc: bool,
    /// The channels that are enabled, in the order of the file.
    pub(super) channels: Vec<(Kind, Names)>,
    /// Where the samples begin.
    pub(super) n_bytes: u64,
}

/// What a channel is called.
pub(super) struct Names {
    /// By the user; the native name unless changed.
    pub(super) custom: String,
    /// By the port, such as `A-003`.
    pub(super) native: String,
}

/// The bytes of a header, in turn.
struct Walk<R> {
    reader: R,
    position: u64,
}

impl<R: Read> Walk<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        fs::read_full(&mut self.reader, "the Intan header", &mut bytes).map_err(|error| error.at(self.position))?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn int(&mut self) -> Result<i16> {
        self.bytes().map(i16::from_le_bytes)
    }

    fn float(&mut self) -> Result<f32> {
        self.bytes().map(f32::from_le_bytes)
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        let skipped = fs::skip(&mut self.reader, "the Intan header", len)?;
        self.position += skipped;
        if skipped == len { Ok(()) } else { Err(Error::truncated("the Intan header", len, skipped).at(self.position)) }
    }

    /// A length in bytes, then UTF-16.
    fn text(&mut self) -> Result<String> {
        let at = self.position;
        let len = u32::from_le_bytes(self.bytes()?);
        if len == u32::MAX {
            return Ok(String::new());
        }
        if len > MAX_TEXT_BYTES || len % 2 != 0 {
            return Err(Error::malformed(
                "the length of a text",
                format!("an even number up to {MAX_TEXT_BYTES}"),
                len,
            )
            .at(at));
        }
        let bytes = fs::read_growing(&mut self.reader, "a text", u64::from(len)).map_err(|error| error.at(at))?;
        self.position += u64::from(len);
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Ok(String::from_utf16_lossy(&units))
    }
}

impl Header {
    pub(super) fn read(source: &Source) -> Result<Self> {
        let mut walk = Walk { reader: source.reader_at(0), position: 0 };
        let magic = u32::from_le_bytes(walk.bytes()?);
        let is_rhs = magic == RHS;
        let (major_version, minor) = (walk.int()?, walk.int()?);
        if !(1..=3).contains(&major_version) {
            let remedy = "save it with a version of the software from 1 to 3";
            return Err(
                Error::unsupported("the Intan format, version", format!("{major_version}.{minor}"), remedy).at(4)
            );
        }
        let version = (major_version, minor);
        let rate_hz = f64::from(walk.float()?);
        // Filters and impedance tests: they are done, nothing is to be undone.
        walk.skip(if is_rhs { 2 + 8 * 4 + 2 + 2 * 4 + 2 + 2 + 3 * 4 } else { 2 + 6 * 4 + 2 + 2 * 4 })?;
        for _note in 0..3 {
            walk.text()?;
        }
        let (mut n_temperatures, mut has_dc, mut board_mode) = (0, false, 0);
        if is_rhs {
            has_dc = walk.int()? != 0;
            board_mode = walk.int()?;
            walk.text()?;
        } else {
            if version >= (1, 1) {
                n_temperatures = walk.int()?.max(0) as usize;
            }
            if version >= (1, 3) {
                board_mode = walk.int()?;
            }
            if version >= (2, 0) {
                walk.text()?;
            }
        }
        let n_groups = walk.int()?;
        let mut channels = Vec::new();
        for _group in 0..n_groups.max(0) {
            Self::group(&mut walk, is_rhs, &mut channels)?;
        }
        let n_bytes = walk.position;
        Ok(Self { is_rhs, major_version, rate_hz, n_temperatures, board_mode, has_dc, channels, n_bytes })
    }

    fn group(walk: &mut Walk<impl Read>, is_rhs: bool, channels: &mut Vec<(Kind, Names)>) -> Result<()> {
        walk.text()?;
        walk.text()?;
        let (is_enabled, n_channels, _n_amplifiers) = (walk.int()?, walk.int()?, walk.int()?);
        if is_enabled == 0 {
            return Ok(());
        }
        for _channel in 0..n_channels.max(0) {
            let native = walk.text()?;
            let custom = walk.text()?;
            let (_native_order, _custom_order) = (walk.int()?, walk.int()?);
            let at = walk.position;
            let (kind, is_enabled) = (walk.int()?, walk.int()?);
            walk.skip(if is_rhs { 7 * 2 + 2 * 4 } else { 6 * 2 + 2 * 4 })?;
            if is_enabled == 0 {
                continue;
            }
            let kind = match (kind, is_rhs) {
                (0, _) => Kind::Amplifier,
                (1, false) => Kind::Auxiliary,
                (2, false) => Kind::Supply,
                (3, _) => Kind::AnalogIn,
                (4, true) => Kind::AnalogOut,
                (4, false) | (5, true) => Kind::DigitalIn,
                (5, false) | (6, true) => Kind::DigitalOut,
                _ => return Err(Error::malformed("the type of a channel", "0 to 6", kind).at(at)),
            };
            if channels.len() >= MAX_CHANNELS {
                return Err(
                    Error::malformed("the number of channels", format!("at most {MAX_CHANNELS}"), "more").at(at)
                );
            }
            let custom = if custom.trim().is_empty() { native.clone() } else { custom };
            channels.push((kind, Names { custom, native }));
        }
        Ok(())
    }

    /// How many channels there are of `kind`.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.channels.iter().filter(|(other, _)| *other == kind).count()
    }

    /// Samples in a block.
    pub(super) fn samples_per_block(&self) -> usize {
        if self.is_rhs || self.major_version >= 2 { 128 } else { 60 }
    }
}
