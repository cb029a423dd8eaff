//! Intan: `.rhd` (versions 1 to 3) and `.rhs`, with the samples inside, or in a `.dat` file per signal type or per channel beside
//! an `info.rhd` or `info.rhs`.
//!
//! Streams: `amplifier` (opened unless another is named), `auxiliary`, `adc`, and of `.rhs` also `dc` and `dac`. Everything is
//! in volts: amplifiers 0.195 µV per count, auxiliary inputs 37.4 µV, board inputs by the board's mode. A jump of the sample
//! numbers makes a gap. Not read: supply voltages, temperatures, digital lines, stimulation.
//!
//! # References
//! Intan Technologies, "RHD2000 Application note: Data file formats" and "RHS Data File Formats" (2022).

mod header;

use std::path::{Path, PathBuf};

pub(super) use self::header::is_intan;
use self::header::{Header, Kind, Names};
use super::facts::{Channel, Facts, Gap, MAX_MARKS, Recording};
use super::options::Options;
use super::records::{Beside, Cell, Place, Records};
use crate::fs::{self, Source};
use crate::{Error, Result};

const AMPLIFIER_VOLTS: f64 = 0.195e-6;
const AUXILIARY_VOLTS: f64 = 37.4e-6;
const DC_VOLTS: f64 = 19.23e-3;

/// A stream and what its numbers mean.
struct Stream {
    name: &'static str,
    kind: Kind,
    volts: f64,
    /// The count at 0 V, where numbers are unsigned.
    zero: f64,
    /// Samples of the amplifier for each sample.
    divisor: usize,
    /// The file of one kind of signal, and how files of one channel begin.
    files: (&'static str, &'static [&'static str]),
}

/// Opens the recording whose header is `source`, at `path`.
pub(super) fn open(path: &Path, source: &Source, options: &Options) -> Result<Recording> {
    let header = Header::read(source)?;
    let streams: Vec<Stream> = streams(&header).into_iter().filter(|stream| header.count(stream.kind) > 0).collect();
    let names: Vec<String> = streams.iter().map(|stream| stream.name.to_owned()).collect();
    let index = match (&options.stream, names.is_empty()) {
        (_, true) => return Err(Error::malformed("the number of channels", "at least 1", 0)),
        (None, false) => 0,
        (Some(_), false) => options.choose("stream", &names)?,
    };
    let stream = &streams[index];
    let format = if header.is_rhs { "Intan RHS" } else { "Intan RHD" };
    let recording = if header.n_bytes < source.len() {
        inside(format, source, &header, stream)
    } else {
        beside(format, path, &header, stream)
    };
    recording.map(|recording| recording.in_stream(stream.name, &names))
}

fn streams(header: &Header) -> Vec<Stream> {
    // The board's converter: version and mode of the board decide what a count is.
    let (adc_volts, adc_zero) = match (header.is_rhs, header.board_mode) {
        (false, 0) => (50.354e-6, 0.0),
        (false, 1) => (152.59e-6, 32768.0),
        _ => (312.5e-6, 32768.0),
    };
    let stream = |name, kind, volts, zero, divisor, files| Stream { name, kind, volts, zero, divisor, files };
    let mut streams =
        vec![stream("amplifier", Kind::Amplifier, AMPLIFIER_VOLTS, 32768.0, 1, ("amplifier", &["amp-"][..]))];
    if header.is_rhs {
        if header.has_dc {
            streams.push(stream("dc", Kind::Amplifier, DC_VOLTS, 512.0, 1, ("dcamplifier", &["dc-"])));
        }
    } else {
        streams.push(stream("auxiliary", Kind::Auxiliary, AUXILIARY_VOLTS, 0.0, 4, ("auxiliary", &["aux-"])));
    }
    let inputs = ("analogin", &["board-"][..]);
    streams.push(stream("adc", Kind::AnalogIn, adc_volts, adc_zero, 1, inputs));
    if header.is_rhs {
        streams.push(stream("dac", Kind::AnalogOut, adc_volts, adc_zero, 1, ("analogout", &["board-"])));
    }
    streams
}

fn channels<'a>(header: &'a Header, stream: &Stream, zero: f64) -> Vec<(&'a Names, Channel)> {
    let of_kind = header.channels.iter().filter(|(kind, _)| *kind == stream.kind);
    of_kind.map(|(_, names)| (names, Channel::new(&*names.custom, "V", stream.volts, -zero * stream.volts))).collect()
}

/// Samples in blocks behind the header.
fn inside(format: &str, source: &Source, header: &Header, stream: &Stream) -> Result<Recording> {
    let per_block = header.samples_per_block();
    let n_amplifiers = header.count(Kind::Amplifier);
    // One number for each channel and sample of a block, in this order; the time stamps have four bytes.
    let mut at = 4 * per_block;
    let mut places_at = Vec::new();
    let mut put = |name: &'static str, count: usize, samples: usize| {
        places_at.push((name, at));
        at += 2 * count * samples;
    };
    put("amplifier", n_amplifiers, per_block);
    if header.is_rhs {
        put("dc", if header.has_dc { n_amplifiers } else { 0 }, per_block);
        put("stim", n_amplifiers, per_block);
    } else {
        put("auxiliary", header.count(Kind::Auxiliary), per_block / 4);
        put("supply", header.count(Kind::Supply), 1);
        put("temperature", header.n_temperatures, 1);
    }
    put("adc", header.count(Kind::AnalogIn), per_block);
    put("dac", header.count(Kind::AnalogOut), per_block);
    for kind in [Kind::DigitalIn, Kind::DigitalOut] {
        put("digital", usize::from(header.count(kind) > 0), per_block);
    }
    let start = places_at.iter().find(|(name, _)| *name == stream.name).map_or(0, |(_, at)| *at);
    let samples = per_block / stream.divisor;
    let channels = channels(header, stream, stream.zero);
    let place = |(index, (_, channel)): (usize, &(&Names, Channel))| Place {
        at: start + 2 * samples * index,
        step: 2,
        cell: Cell::U16,
        scale: channel.scale,
        offset: channel.offset,
    };
    let places = channels.iter().enumerate().map(place).collect();
    let records = Records::new(source.clone(), header.n_bytes, at, samples, places)?;
    let n_blocks = records.count(source.len() - header.n_bytes);
    if n_blocks as u64 * at as u64 != source.len() - header.n_bytes {
        let left = (source.len() - header.n_bytes) % at as u64;
        return Err(Error::truncated("a block", at as u64, left).at(source.len() - left));
    }
    let channels = channels.into_iter().map(|(_, channel)| channel).collect();
    let rate_hz = header.rate_hz / stream.divisor as f64;
    let mut facts = Facts::new(format, channels, rate_hz, n_blocks * samples);
    let mut expected = None;
    for block in 0..n_blocks {
        let mut stamp = [0; 4];
        source.read_at(header.n_bytes + block as u64 * at as u64, &mut stamp)?;
        let stamp = i64::from(i32::from_le_bytes(stamp));
        let previous = *expected.get_or_insert(stamp);
        if block == 0 {
            facts.start.clock_secs = stamp as f64 / header.rate_hz;
        } else if stamp != previous && facts.gaps.len() < MAX_MARKS {
            let missing_secs = (stamp - previous) as f64 / header.rate_hz;
            facts.gaps.push(Gap { sample_idx: block * samples, missing_secs });
        }
        expected = Some(stamp + per_block as i64);
    }
    Recording::new(facts, records)
}

/// Samples in files beside the header: one for all channels of a kind, or one for each channel.
fn beside(format: &str, path: &Path, header: &Header, stream: &Stream) -> Result<Recording> {
    let folder = path.parent().unwrap_or(Path::new(""));
    // Amplifiers are signed in these files, everything else is as inside.
    let is_signed = stream.name == "amplifier";
    let (cell, zero) = if is_signed { (Cell::I16, 0.0) } else { (Cell::U16, stream.zero) };
    let named = channels(header, stream, zero);
    let one_file = folder.join(stream.files.0).with_extension("dat");
    let (channels, parts, lengths) = if fs::is_file(&one_file) {
        let source = fs::open(&one_file)?;
        let len = source.len();
        let channels: Vec<Channel> = named.into_iter().map(|(_, channel)| channel).collect();
        let records = Records::frames(source, 0, cell, &channels)?;
        let n_samples = records.count(len);
        (channels, vec![records], vec![n_samples])
    } else {
        let (mut channels, mut parts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (names, channel) in named {
            let source = fs::open(file_of_one(folder, stream, &names.native))?;
            let len = source.len();
            let records = Records::frames(source, 0, cell, std::slice::from_ref(&channel))?;
            lengths.push(records.count(len));
            parts.push(records);
            channels.push(channel);
        }
        (channels, parts, lengths)
    };
    // A recording that was cut off may have files of slightly different lengths.
    let n_samples = lengths.into_iter().min().unwrap_or(0);
    let mut facts = Facts::new(format, channels, header.rate_hz, n_samples);
    facts.gaps = gaps(&folder.join("time.dat"), header.rate_hz, n_samples)?;
    Recording::new(facts, Beside(parts))
}

fn file_of_one(folder: &Path, stream: &Stream, native: &str) -> PathBuf {
    let name = |prefix: &str| folder.join(format!("{prefix}{native}.dat"));
    let exists = stream.files.1.iter().map(|prefix| name(prefix)).find(|path| fs::is_file(path));
    exists.unwrap_or_else(|| name(stream.files.1[0]))
}

/// Jumps of the sample numbers in `time.dat`, if it is there.
fn gaps(path: &Path, rate_hz: f64, n_samples: usize) -> Result<Vec<Gap>> {
    const BLOCK_SAMPLES: usize = 1 << 16;
    let mut gaps = Vec::new();
    if !fs::is_file(path) {
        return Ok(gaps);
    }
    let source = fs::open(path)?;
    let count = ((source.len() / 4) as usize).min(n_samples);
    let mut expected = None;
    let mut first = 0;
    while first < count {
        let n = (count - first).min(BLOCK_SAMPLES);
        let bytes = source.bytes_at("the sample numbers", 4 * first as u64, 4 * n as u64)?;
        for (index, stamp) in bytes.chunks_exact(4).enumerate() {
            let stamp = i64::from(i32::from_le_bytes([stamp[0], stamp[1], stamp[2], stamp[3]]));
            let wanted = *expected.get_or_insert(stamp);
            if stamp != wanted && gaps.len() < MAX_MARKS {
                gaps.push(Gap { sample_idx: first + index, missing_secs: (stamp - wanted) as f64 / rate_hz });
            }
            expected = Some(stamp + 1);
        }
        first += n;
    }
    Ok(gaps)
}
