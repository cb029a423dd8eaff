//! Open Ephys' binary format: `structure.oebin`, and for each stream a folder with `continuous.dat` and its sample numbers.
//!
//! A count is `bit_volts` of the channel's unit; where no unit is written, microvolts for electrodes and volts for channels called
//! `ADC…`. Sample numbers stand in `sample_numbers.npy`, before version 0.6 in `timestamps.npy`; jumps in them make gaps. The
//! path is the `.oebin` file or any folder above the only one. Not read: events, spikes, the older `.continuous` format.
//!
//! # References
//! Open Ephys GUI documentation, "Binary format"; <https://open-ephys.github.io/gui-docs/User-Manual/Recording-data/Binary-format.html>.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::facts::{Channel, Facts, Gap, MAX_MARKS, Recording};
use super::options::Options;
use super::records::{Cell, Records};
use crate::{Error, Result, fs, npy};

/// The file that describes a recording.
pub(super) const NAME: &str = "structure.oebin";

const MAX_BYTES: u64 = 64 << 20;
/// Record node, experiment, recording, and one to spare.
const MAX_DEPTH: usize = 4;

#[derive(Deserialize)]
struct Structure {
    #[serde(rename = "GUI version", default)]
    version: String,
    continuous: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    folder_name: String,
    sample_rate: f64,
    channels: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    channel_name: String,
    bit_volts: f64,
    #[serde(default)]
    units: String,
}

/// The only `structure.oebin` in `folder` or below it, if there is one.
pub(super) fn find(folder: &Path) -> Result<Option<PathBuf>> {
    let mut found = Vec::new();
    search(folder, 0, &mut found)?;
    match found.len() {
        0 => Ok(None),
        1 => Ok(found.pop()),
        n => {
            let shown: Vec<String> = found.iter().take(20).map(|path| format!("`{}`", path.display())).collect();
            let remedy = format!("name one of {}", shown.join(", "));
            Err(Error::mismatch("the number of recordings", "one", n, remedy).in_file(folder))
        }
    }
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let here = folder.join(NAME);
    if fs::is_file(&here) {
        found.push(here);
    } else if depth < MAX_DEPTH {
        for inner in fs::list(folder)?.into_iter().filter(|path| fs::is_dir(path) && !path.is_symlink()) {
            search(&inner, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Opens a stream of the recording that the `.oebin` file at `path` describes.
pub(super) fn open(path: &Path, options: &Options) -> Result<Recording> {
    let text = fs::read_text(path, MAX_BYTES)?;
    let structure: Structure =
        serde_json::from_str(&text).map_err(|error| Error::codec("the JSON of the structure", error))?;
    let folder = path.parent().unwrap_or(Path::new("")).join("continuous");
    // Streams that were not recorded are listed, too.
    let place = |stream: &Stream| folder.join(stream.folder_name.trim_end_matches('/'));
    let is_there = |stream: &&Stream| fs::is_file(place(stream).join("continuous.dat"));
    let streams: Vec<&Stream> = structure.continuous.iter().filter(is_there).collect();
    let names: Vec<String> = streams.iter().map(|s| s.folder_name.trim_end_matches('/').to_owned()).collect();
    let index = options.choose("stream", &names)?;
    let stream = streams[index];
    if stream.sample_rate.is_nan() || stream.sample_rate <= 0.0 {
        return Err(Error::malformed("`sample_rate`", "a positive number", stream.sample_rate));
    }
    let channels: Vec<Channel> = stream.channels.iter().map(channel).collect();
    let source = fs::open(place(stream).join("continuous.dat"))?;
    let n_bytes = source.len();
    let records = Records::frames(source.clone(), 0, Cell::I16, &channels).map_err(|error| source.locate(error))?;
    let n_samples = records.count(n_bytes);
    let format = format!("Open Ephys {}", structure.version);
    let mut facts = Facts::new(format.trim_end(), channels, stream.sample_rate, n_samples);
    numbers(&place(stream), &mut facts)?;
    Ok(Recording::new(facts, records)?.in_stream(&names[index], &names))
}

fn channel(described: &Described) -> Channel {
    let unit = match (described.units.as_str(), described.channel_name.contains("ADC")) {
        ("", true) => "V",
        ("", false) => "uV",
        (unit, _) => unit,
    };
    Channel::new(&*described.channel_name, unit, described.bit_volts, 0.0)
}

/// First sample number and jumps, from the file beside the samples.
fn numbers(folder: &Path, facts: &mut Facts) -> Result<()> {
    const BLOCK_SAMPLES: usize = 1 << 16;
    let newer = folder.join("sample_numbers.npy");
    let path = if fs::is_file(&newer) { newer } else { folder.join("timestamps.npy") };
    if !fs::is_file(&path) {
        return Ok(());
    }
    let file = npy::open(&path)?;
    let count = file.shape().first().copied().unwrap_or(0);
    if file.shape().len() != 1 || count != facts.n_samples {
        let got = format!("{:?}", file.shape());
        let error = Error::malformed("the shape of the sample numbers", format!("[{}]", facts.n_samples), got);
        return Err(error.in_file(&path));
    }
    let mut expected: Option<i64> = None;
    for first in (0..count).step_by(BLOCK_SAMPLES) {
        let stamps = file.rows::<i64>(first..count.min(first + BLOCK_SAMPLES))?;
        for (index, &stamp) in stamps.iter().enumerate() {
            let wanted = *expected.get_or_insert(stamp);
            if first + index == 0 {
                facts.start.clock_secs = stamp as f64 / facts.rate_hz;
            }
            if stamp != wanted && facts.gaps.len() < MAX_MARKS {
                let missing_secs = (stamp as f64 - wanted as f64) / facts.rate_hz;
                facts.gaps.push(Gap { sample_idx: first + index, missing_secs });
            }
            expected = Some(stamp.wrapping_add(1));
        }
    }
    Ok(())
}
