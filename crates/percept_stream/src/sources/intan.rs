//! Intan RHX's waveform output over TCP: blocks of 128 frames behind a magic number.
//!
//! A frame is a u32 time stamp and a u16 for each channel whose output is switched on in RHX; how many those are is nowhere
//! said. It is the one with which all 128 time stamps of a block follow each other ([`Blocks`]); when blocks stop to fit, it is
//! learned anew. The rate is asked for on the command port, which is one below (5000), unless the
//! user gives it. Values are 0.195 µV from 32768, in volts here. Nothing is switched on or off: that is done in RHX.
//!
//! # References
//! Intan Technologies, "RHX TCP/IP communication"; <https://intantech.com/files/RHX_TCPDocumentation.pdf>.

use std::time::{Duration, Instant};

use ndarray::Array2;

use super::link::{Got, Link, READ_BYTES};
use super::pending::{Counter, Pending};
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

const MAGIC: [u8; 4] = 0x2ef0_7a08_u32.to_le_bytes();
const FRAMES: usize = 128;
const MAX_CHANNELS: usize = 4096;
const VOLTS: f64 = 0.195e-6;
const ZERO: f64 = 32768.0;
const ANSWER: Duration = Duration::from_millis(800);

/// Finds blocks in a stream of bytes.
#[derive(Debug, Default)]
pub struct Blocks {
    bytes: Vec<u8>,
    start: usize,
    n_channels: Option<usize>,
    /// What was said last.
    last: Option<usize>,
}

/// What the bytes hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The number of channels of the blocks that follow.
    Channels(usize),
    /// The first time stamp, and frames × channels in volts.
    Block(u32, Array2<f64>),
    /// So many bytes were no part of a block.
    Skipped(usize),
}

fn block_bytes(n_channels: usize) -> usize {
    MAGIC.len() + FRAMES * (4 + 2 * n_channels)
}

fn find_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|window| window == MAGIC)
}

/// The number of channels of the block at the start of `bytes`, if it has `len` bytes and its time stamps follow each other.
fn fits(bytes: &[u8], len: usize) -> Option<usize> {
    let frame = len.checked_sub(MAGIC.len()).filter(|rest| rest % FRAMES == 0).map(|rest| rest / FRAMES)?;
    let n_channels = frame.checked_sub(4).filter(|rest| rest % 2 == 0 && *rest > 0).map(|rest| rest / 2)?;
    let block = bytes.get(..len)?;
    let stamp = |index: usize| stamp_at(block, index, frame);
    let first = stamp(0)?;
    let follow = (1..FRAMES).all(|index| stamp(index) == Some(first.wrapping_add(index as u32)));
    (block.starts_with(&MAGIC) && follow).then_some(n_channels)
}

fn stamp_at(block: &[u8], index: usize, frame: usize) -> Option<u32> {
    let bytes = block.get(MAGIC.len() + index * frame..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

impl Blocks {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.start));
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes held: never more than the largest block and what was pushed last.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What comes next, if it is all there.
    pub fn found(&mut self) -> Option<Found> {
        let rest = &self.bytes[self.start..];
        if !rest.starts_with(&MAGIC) {
            let skipped = find_magic(rest).unwrap_or_else(|| rest.len().saturating_sub(MAGIC.len() - 1));
            // The start of a magic number may be all that has come yet.
            self.start += skipped;
            return (skipped > 0).then_some(Found::Skipped(skipped));
        }
        if let Some(n_channels) = self.n_channels {
            let len = block_bytes(n_channels);
            if rest.len() < len {
                return None;
            }
            if fits(rest, len).is_some() {
                let block = decode(&rest[..len], n_channels);
                self.start += len;
                return Some(block);
            }
            // Another number of channels, or bytes are missing: learned anew.
            self.n_channels = None;
        }
        self.learn()
    }

    /// Finds the number of channels of the block at the start: the second time stamp stands where a frame of so many ends, and
    /// all others fit.
    fn learn(&mut self) -> Option<Found> {
        let rest = &self.bytes[self.start..];
        let first = stamp_at(rest, 0, 0)?;
        let mut is_open = false;
        for n_channels in 1..=MAX_CHANNELS {
            let Some(second) = stamp_at(rest, 1, 4 + 2 * n_channels) else {
                is_open = true;
                break;
            };
            if second != first.wrapping_add(1) {
                continue;
            }
            let len = block_bytes(n_channels);
            if rest.len() < len {
                is_open = true;
            } else if fits(rest, len).is_some() {
                self.n_channels = Some(n_channels);
                if self.last.replace(n_channels) == Some(n_channels) {
                    return self.found();
                }
                return Some(Found::Channels(n_channels));
            }
        }
        if is_open {
            return None;
        }
        // No block begins here: behind this magic number, the next is looked for.
        self.start += MAGIC.len();
        Some(Found::Skipped(MAGIC.len()))
    }
}

fn decode(block: &[u8], n_channels: usize) -> Found {
    let frame = 4 + 2 * n_channels;
    let value = |(index, channel): (usize, usize)| {
        let at = MAGIC.len() + index * frame + 4 + 2 * channel;
        (f64::from(u16::from_le_bytes([block[at], block[at + 1]])) - ZERO) * VOLTS
    };
    Found::Block(stamp_at(block, 0, frame).unwrap_or(0), Array2::from_shape_fn((FRAMES, n_channels), value))
}

/// The source.
pub(super) struct Intan {
    data: Link,
    command: Link,
    /// As the user gave it.
    given_rate_hz: Option<f64>,
    rate_hz: Option<f64>,
    blocks: Blocks,
    counter: Counter,
    pending: Pending,
    buffer: Vec<u8>,
}

impl Intan {
    pub(super) fn new(host: &str, port: u16, given_rate_hz: Option<f64>) -> Self {
        Self {
            data: Link::new(host, port),
            command: Link::new(host, port.saturating_sub(1)),
            given_rate_hz,
            rate_hz: given_rate_hz,
            blocks: Blocks::default(),
            counter: Counter::default(),
            pending: Pending::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Asks RHX for the sampling rate, as `Return: SampleRateHertz 30000`.
    fn ask_rate(&mut self) -> Result<f64, String> {
        let deadline = Instant::now() + ANSWER;
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while Instant::now() < deadline {
            match self.command.read(&mut buffer, Duration::from_millis(100)) {
                Got::Connected => self.command.write(b"get sampleratehertz;")?,
                Got::Bytes(count) => text.extend_from_slice(&buffer[..count]),
                Got::Nothing => {}
                Got::Closed(why) => return Err(why),
            }
            if let Some(rate_hz) = rate_in(&String::from_utf8_lossy(&text)) {
                self.command.close("asked");
                return Ok(rate_hz);
            }
            if text.len() > 1 << 16 {
                break;
            }
        }
        self.command.close("no answer");
        Err(format!("{}: no answer to `get sampleratehertz` (or give `--rate`)", self.command.place()))
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Channels(n_channels) => {
                let channel = |index: usize| ChannelFacts { name: index.to_string(), unit: "V".to_owned() };
                let name = format!("Intan RHX at {}", self.data.place());
                let channels = (0..n_channels).map(channel).collect();
                let rate_hz = self.rate_hz.unwrap_or(0.0);
                self.pending.push(Event::Facts(SourceFacts { name, channels, rate_hz, n_samples: None }));
            }
            Found::Block(stamp, samples) => {
                let (first_sample, gap) = self.counter.place(u64::from(stamp), samples.nrows() as u64);
                if let Some(gap) = gap {
                    self.pending.push(gap);
                }
                self.pending.samples(Event::Samples(Block { first_sample, samples, measured: None }));
            }
            Found::Skipped(n) => self.pending.refuse(format!("{n} bytes that are no part of a block")),
        }
    }
}

fn rate_in(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.split_once("sampleratehertz ")?.1;
    let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    // More digits may be on their way until something else follows.
    let is_whole = rest.len() > digits.len() || digits.len() >= 4;
    digits.parse().ok().filter(|&rate: &f64| is_whole && rate > 0.0)
}

impl Source for Intan {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.pending.pop() {
            return Ok(Some(event));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.data.read(&mut buffer, wait) {
            Got::Connected => {
                self.blocks = Blocks::default();
                self.rate_hz = self.given_rate_hz;
                if self.rate_hz.is_none() {
                    match self.ask_rate() {
                        Ok(rate_hz) => self.rate_hz = Some(rate_hz),
                        Err(why) => {
                            self.data.close(&why);
                            self.pending.lost(why);
                        }
                    }
                }
            }
            Got::Bytes(count) => {
                self.blocks.push(&buffer[..count]);
                while let Some(found) = self.blocks.found() {
                    self.take(found);
                }
            }
            Got::Nothing => {}
            Got::Closed(why) => self.pending.lost(why),
        }
        self.buffer = buffer;
        self.pending.check_silence();
        Ok(self.pending.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u32, n_channels: usize) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for frame in 0..FRAMES as u32 {
            bytes.extend((first + frame).to_le_bytes());
            for channel in 0..n_channels {
                bytes.extend((32768 + (frame as u16) + 10 * channel as u16).to_le_bytes());
            }
        }
        bytes
    }

    fn feed(blocks: &mut Blocks, bytes: &[u8], step: usize) -> Vec<Found> {
        let mut out = Vec::new();
        for piece in bytes.chunks(step) {
            blocks.push(piece);
            out.extend(std::iter::from_fn(|| blocks.found()));
        }
        out
    }

    #[test]
    fn the_number_of_channels_is_learned_and_blocks_come_whole() {
        let bytes: Vec<u8> = (0..4).flat_map(|index| block(128 * index, 3)).collect();
        for step in [1, 1000, 100_000] {
            let out = feed(&mut Blocks::default(), &bytes, step);
            assert_eq!(out[0], Found::Channels(3), "{step}");
            assert_eq!(out.len(), 5, "{step}");
            let Found::Block(0, values) = &out[1] else { panic!("{out:?}") };
            assert_eq!((values.dim(), values[[5, 2]]), ((128, 3), 25.0 * VOLTS));
        }
    }

    #[test]
    fn another_number_of_channels_and_lost_bytes_are_survived() {
        let mut bytes: Vec<u8> = (0..3).flat_map(|index| block(128 * index, 2)).collect();
        bytes.extend((3..6).flat_map(|index| block(128 * index, 5)));
        let cut = block(900, 5);
        bytes.extend(&cut[..777]);
        // How long the next block is can be told once the longest would have come.
        bytes.extend((8..400).flat_map(|index| block(128 * index, 5)));
        let out = feed(&mut Blocks::default(), &bytes, 500);
        let channels: Vec<&Found> = out.iter().filter(|found| matches!(found, Found::Channels(_))).collect();
        assert_eq!(channels[..2], [&Found::Channels(2), &Found::Channels(5)]);
        let stamps: Vec<u32> =
            out.iter().filter_map(|f| if let Found::Block(s, _) = f { Some(*s / 128) } else { None }).collect();
        assert_eq!(stamps[..3], [0, 1, 2]);
        assert!(stamps.contains(&3) && stamps.contains(&399), "{stamps:?}");
    }

    #[test]
    fn garbage_is_skipped_in_bounded_memory() {
        let mut blocks = Blocks::default();
        let mut garbage = vec![0x55u8; 5000];
        garbage.extend(MAGIC);
        for _ in 0..1000 {
            feed(&mut blocks, &garbage, 5004);
            assert!(blocks.held_bytes() <= 2 * block_bytes(MAX_CHANNELS) + 5004);
        }
    }

    #[test]
    fn the_rate_is_taken_from_the_answer() {
        assert_eq!(rate_in("Return: SampleRateHertz 30000"), Some(30000.0));
        assert_eq!(rate_in("Return: SampleRateHertz 200"), None);
        assert_eq!(rate_in("Return: Type ControllerRecordUSB3"), None);
    }
}
