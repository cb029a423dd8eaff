//! Axona dacqUSB: `.eeg`/`.eeg2`… and `.egf`/`.egf2`… (one channel each, text before the samples), and the raw `.bin` of packets.
//!
//! The `.set` file beside them holds the gains: a count is `ADC_fullscale_mv / gain / 2^(bits − 1)`. The streams of a `.set` are
//! `eeg` (250 Hz, 8 bits; 16 in newer versions), `egf` (4,800 Hz, 16 bits) and `raw` (48 kHz, the tetrodes that were collected).
//! An `.eeg` or `.egf` named alone is that channel. Not read: spikes (`.1`, `.2`, …), positions (`.pos`).
//!
//! # References
//! Axona Ltd, "DacqUSB file formats"; the order of channels in a packet is that of neo's `AxonaRawIO`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::facts::{Channel, Facts, Recording};
use super::options::Options;
use super::records::{Beside, Cell, Place, Records};
use crate::fs::{self, Source};
use crate::{Error, Result};

const HEADER_BYTES: u64 = 1 << 20;
const DATA_START: &[u8] = b"data_start";

const PACKET_BYTES: usize = 432;
const PACKET_HEAD_BYTES: usize = 32;
const PACKET_SAMPLES: usize = 3;
const PACKET_CHANNELS: usize = 64;

/// Whether `start` is the start of one of Axona's files with a text header.
pub(super) fn is_axona(start: &[u8]) -> bool {
    start.starts_with(b"trial_date ")
}

/// Whether `start` is the start of a raw file of packets.
pub(super) fn is_raw(start: &[u8]) -> bool {
    matches!(start.get(..4), Some(b"ADU1" | b"ADU2"))
}

/// The lines before the samples: keys and values.
struct Header {
    values: BTreeMap<String, String>,
    /// Where the samples begin, if the header says that some follow.
    data: Option<u64>,
}

impl Header {
    fn read(source: &Source) -> Result<Self> {
        let bytes = source.bytes_at("the header", 0, source.len().min(HEADER_BYTES))?;
        let data = bytes.windows(DATA_START.len()).position(|window| window == DATA_START);
        let text = &bytes[..data.unwrap_or(bytes.len())];
        // The Windows code page; what is read of it here is ASCII.
        let text: String = text.iter().map(|&byte| byte as char).collect();
        let pair = |line: &str| line.trim_end().split_once(' ').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let values = text.lines().filter_map(pair).collect();
        Ok(Self { values, data: data.map(|at| (at + DATA_START.len()) as u64) })
    }

    fn text(&self, key: &str) -> Result<&str> {
        let found =
            self.values.get(key).ok_or_else(|| Error::malformed("the header", format!("a line `{key}`"), "absent"));
        found.map(|text| text.trim())
    }

    /// The number that begins the value of `key`, such as 250 of `250.0 hz`.
    fn number(&self, key: &str) -> Result<f64> {
        let text = self.text(key)?;
        let word = text.split_whitespace().next().unwrap_or_default();
        word.parse().map_err(|_| Error::malformed(format!("`{key}`"), "a number", format!("`{text}`")))
    }

    /// Date and time, `Tuesday, 11 Nov 2014` and `13:37:48` in the file.
    fn date_time(&self) -> Option<String> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let mut words = self.values.get("trial_date")?.split_whitespace().rev();
        let (year, month, day) = (words.next()?, words.next()?, words.next()?);
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let (year, day): (u16, u8) = (year.parse().ok()?, day.parse().ok()?);
        Some(format!("{year:04}-{month:02}-{day:02}T{}", self.values.get("trial_time")?.trim()))
    }
}

/// Opens what belongs to the Axona file at `path`, whose bytes are `source`.
pub(super) fn open(path: &Path, source: &Source, options: &Options) -> Result<Recording> {
    let start = source.bytes_at("the start", 0, source.len().min(4))?;
    if is_raw(&start) {
        let set = Header::read(&fs::open(path.with_extension("set"))?)?;
        return raw(source.clone(), &set);
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if ending != "set" {
        let set_path = path.with_extension("set");
        let set = if fs::is_file(&set_path) { Some(Header::read(&fs::open(set_path)?)?) } else { None };
        return single(&[(ending, source.clone())], set.as_ref());
    }
    let set = Header::read(source)?;
    let files = |kind: &str| -> Vec<(String, PathBuf)> {
        let name = |number: usize| if number == 1 { kind.to_owned() } else { format!("{kind}{number}") };
        let all = (1..=PACKET_CHANNELS).map(name).map(|ending| (ending.clone(), path.with_extension(ending)));
        all.filter(|(_, path)| fs::is_file(path)).collect()
    };
    let bin = path.with_extension("bin");
    let streams = [("eeg", !files("eeg").is_empty()), ("egf", !files("egf").is_empty()), ("raw", fs::is_file(&bin))];
    let names: Vec<String> =
        streams.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| (*name).to_owned()).collect();
    let name = names[options.choose("stream", &names)?].clone();
    let recording = if name == "raw" {
        raw(fs::open(bin)?, &set)
    } else {
        let opened = files(&name).into_iter().map(|(ending, path)| fs::open(path).map(|source| (ending, source)));
        single(&opened.collect::<Result<Vec<_>>>()?, Some(&set))
    };
    recording.map(|recording| recording.in_stream(&name, &names))
}

/// Files of one channel each, by their endings.
fn single(files: &[(String, Source)], set: Option<&Header>) -> Result<Recording> {
    let mut parts = Vec::new();
    let mut channels = Vec::new();
    let mut common: Option<(f64, usize)> = None;
    let mut date_time = None;
    for (ending, source) in files {
        let header = Header::read(source).map_err(|error| source.locate(error))?;
        let (channel, part, rate_hz, n_samples) =
            one(ending, source, &header, set).map_err(|error| source.locate(error))?;
        let (first_rate, shortest) = common.unwrap_or((rate_hz, n_samples));
        if rate_hz != first_rate {
            let error = Error::mismatch("the sampling rate", first_rate, rate_hz, "name that file alone");
            return Err(source.locate(error));
        }
        common = Some((rate_hz, shortest.min(n_samples)));
        date_time = date_time.or_else(|| header.date_time());
        parts.push(part);
        channels.push(channel);
    }
    let (rate_hz, n_samples) = common.unwrap_or((0.0, 0));
    let mut facts = Facts::new("Axona", channels, rate_hz, n_samples);
    facts.start.date_time = date_time;
    Recording::new(facts, Beside(parts))
}

fn one(ending: &str, source: &Source, header: &Header, set: Option<&Header>) -> Result<(Channel, Records, f64, usize)> {
    let Some(data) = header.data else {
        return Err(Error::malformed("the header", "a line `data_start`", "absent"));
    };
    let is_egf = ending.starts_with("egf");
    let width = header.number("bytes_per_sample")?;
    let cell = match width {
        1.0 => Cell::I8,
        2.0 => Cell::I16,
        other => return Err(Error::malformed("`bytes_per_sample`", "1 or 2", other)),
    };
    let count = header.number(if is_egf { "num_EGF_samples" } else { "num_EEG_samples" })?;
    if !(count >= 0.0 && count <= source.len() as f64) {
        return Err(Error::malformed("the number of samples", "one that the file can hold", count));
    }
    let number: usize = ending.trim_start_matches(|c: char| c.is_alphabetic()).parse().unwrap_or(1);
    let channel = match set {
        Some(set) => {
            // Channels are counted from 1 here and from 0 where the gains are.
            let wire = set.number(&format!("EEG_ch_{number}"))?;
            let gain = set.number(&format!("gain_ch_{}", wire - 1.0))?;
            let full = set.number("ADC_fullscale_mv")?;
            Channel::new(ending, "mV", full / gain / 2f64.powi(8 * cell.width() as i32 - 1), 0.0)
        }
        None => Channel::new(ending, "", 1.0, 0.0),
    };
    let records = Records::frames(source.clone(), data, cell, std::slice::from_ref(&channel))?;
    source.require("the samples", data, count as u64 * cell.width() as u64)?;
    Ok((channel, records, header.number("sample_rate")?, count as usize))
}

/// The packets of a `.bin`: a head, three samples of 64 channels in the order of the wires, a tail.
fn raw(source: Source, set: &Header) -> Result<Recording> {
    let full = set.number("ADC_fullscale_mv")?;
    let mut channels = Vec::new();
    let mut places = Vec::new();
    for wire in 0..PACKET_CHANNELS {
        let tetrode = wire / 4 + 1;
        if set.number(&format!("collectMask_{tetrode}")).unwrap_or(0.0) == 0.0 {
            continue;
        }
        let gain = set.number(&format!("gain_ch_{wire}"))?;
        let name = format!("{tetrode}{}", ["a", "b", "c", "d"][wire % 4]);
        let channel = Channel::new(name, "mV", full / gain / 32768.0, 0.0);
        places.push(Place {
            at: PACKET_HEAD_BYTES + 2 * position(wire),
            step: 2 * PACKET_CHANNELS,
            cell: Cell::I16,
            scale: channel.scale,
            offset: 0.0,
        });
        channels.push(channel);
    }
    let n_bytes = source.len();
    let records = Records::new(source, 0, PACKET_BYTES, PACKET_SAMPLES, places)?;
    let n_samples = records.count(n_bytes) * PACKET_SAMPLES;
    let mut facts = Facts::new("Axona", channels, set.number("rawRate")?, n_samples);
    facts.start.date_time = set.date_time();
    Recording::new(facts, records)
}

/// Where in a packet's sample the channel `wire` stands: groups of 8 alternate between the upper and the lower half.
fn position(wire: usize) -> usize {
    let (group, inner) = (wire / 8, wire % 8);
    let upper = if group % 2 == 0 { 32 } else { 0 };
    upper + 8 * (group / 2) + inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_has_its_place() {
        let mut places: Vec<usize> = (0..64).map(position).collect();
        assert_eq!(places[..20], [32, 33, 34, 35, 36, 37, 38, 39, 0, 1, 2, 3, 4, 5, 6, 7, 40, 41, 42, 43]);
        assert_eq!(places[56..], [24, 25, 26, 27, 28, 29, 30, 31]);
        places.sort_unstable();
        assert_eq!(places, (0..64).collect::<Vec<_>>());
    }
}
