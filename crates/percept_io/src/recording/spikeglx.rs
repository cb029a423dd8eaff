//! SpikeGLX: a `.bin` of int16 frames and the `.meta` beside it, from Neuropixels probes (`ap`, `lf`), NI devices and OneBox.
//!
//! A count is `range / max int / gain` volts. Gains of probes of the first generation stand for each channel in `~imroTbl`; later
//! ones have one gain, in `imChan0apGain` or known by the type of the probe. Channels that were saved in part are matched by
//! `snsSaveChanSubset`. Synchronisation and digital words stay counts. The path is either file.
//!
//! # References
//! B. Karsh, SpikeGLX metadata guide, <https://billkarsh.github.io/SpikeGLX/Sgl_help/Metadata_30.html>.

use std::collections::BTreeMap;
use std::path::Path;

use super::facts::{Channel, Facts, MAX_CHANNELS, Recording};
use super::records::{Cell, Records};
use crate::{Error, Result, fs};

const MAX_META_BYTES: u64 = 16 << 20;

/// Whether `path` is one of a pair of files of SpikeGLX.
pub(super) fn is_spikeglx(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("meta") => fs::is_file(path.with_extension("bin")),
        Some("bin") => fs::is_file(path.with_extension("meta")),
        _ => false,
    }
}

/// Opens the pair to which `path` belongs.
pub(super) fn open(path: &Path) -> Result<Recording> {
    let meta_path = path.with_extension("meta");
    let meta = Meta::parse(&fs::read_text(&meta_path, MAX_META_BYTES)?);
    let (channels, rate_hz) = meta.channels().map_err(|error| error.in_file(&meta_path))?;
    let source = fs::open(path.with_extension("bin"))?;
    let n_bytes = source.len();
    let records = Records::frames(source.clone(), 0, Cell::I16, &channels)?;
    let n_samples = records.count(n_bytes);
    // What is said to be there must be there; files that are longer, since the end was not written, are read whole.
    if let Some(stored) = meta.values.get("fileSizeBytes") {
        let stored = Meta::whole("fileSizeBytes", stored).map_err(|error| error.in_file(&meta_path))?;
        source.require("the samples", 0, stored)?;
    }
    let mut facts = Facts::new("SpikeGLX", channels, rate_hz, n_samples);
    facts.start.date_time = meta.values.get("fileCreateTime").cloned();
    facts.start.clock_secs = match meta.values.get("firstSample") {
        Some(first) => Meta::whole("firstSample", first).map_err(|error| error.in_file(&meta_path))? as f64 / rate_hz,
        None => 0.0,
    };
    Recording::new(facts, records)
}

/// The lines `key=value` of a `.meta`, the `~` of tables left out.
struct Meta {
    values: BTreeMap<String, String>,
}

impl Meta {
    fn parse(text: &str) -> Self {
        let pair = |line: &str| {
            let (key, value) = line.split_once('=')?;
            Some((key.trim().trim_start_matches('~').to_owned(), value.trim().to_owned()))
        };
        Self { values: text.lines().filter_map(pair).collect() }
    }

    fn text(&self, key: &str) -> Result<&str> {
        let wrong = || Error::malformed("the .meta file", format!("a line `{key}=…`"), "absent");
        self.values.get(key).map(String::as_str).ok_or_else(wrong)
    }

    fn number(&self, key: &str) -> Result<f64> {
        let text = self.text(key)?;
        let value = text.parse().ok().filter(|value: &f64| value.is_finite());
        value.ok_or_else(|| Error::malformed(format!("`{key}`"), "a number", format!("`{text}`")))
    }

    fn whole(key: &str, text: &str) -> Result<u64> {
        text.parse().map_err(|_| Error::malformed(format!("`{key}`"), "a whole number", format!("`{text}`")))
    }

    /// The whole numbers between commas.
    fn counts(&self, key: &str) -> Result<Vec<usize>> {
        let text = self.text(key)?;
        let counts: Option<Vec<usize>> = text.split(',').map(|word| word.trim().parse().ok()).collect();
        let counts = counts.filter(|counts| counts.iter().all(|&count| count <= MAX_CHANNELS));
        counts.ok_or_else(|| Error::malformed(format!("`{key}`"), "counts of channels", format!("`{text}`")))
    }

    /// The entries of a table, each in parentheses.
    fn table(&self, key: &str) -> Result<Vec<&str>> {
        let text = self.text(key)?;
        Ok(text.split('(').skip(1).map(|entry| entry.trim_end_matches(')')).collect())
    }

    /// Which of the channels that were acquired each column is.
    fn columns(&self, n_saved: usize) -> Result<Vec<usize>> {
        let text = self.values.get("snsSaveChanSubset").map_or("all", String::as_str);
        if text == "all" {
            return Ok((0..n_saved).collect());
        }
        let wrong = || {
            let expected = format!("{n_saved} channels, such as `0:383,768`");
            Error::malformed(
                "`snsSaveChanSubset`",
                expected,
                format!("`{}`", text.chars().take(40).collect::<String>()),
            )
        };
        let mut columns = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            let first: usize = first.trim().parse().map_err(|_| wrong())?;
            let last: usize = last.trim().parse().map_err(|_| wrong())?;
            if first > last || last - first >= MAX_CHANNELS || columns.len() > n_saved {
                return Err(wrong());
            }
            columns.extend(first..=last);
        }
        if columns.len() == n_saved { Ok(columns) } else { Err(wrong()) }
    }

    fn channels(&self) -> Result<(Vec<Channel>, f64)> {
        let n_saved = *self.counts("nSavedChans")?.first().unwrap_or(&0);
        let columns = self.columns(n_saved)?;
        // Names, as in `(AP0;0:0)`; the first entry holds counts.
        let names: Vec<&str> = match self.table("snsChanMap") {
            Ok(entries) => entries.into_iter().skip(1).map(|entry| entry.split(';').next().unwrap_or(entry)).collect(),
            Err(_) => Vec::new(),
        };
        let name = |index: usize| names.get(index).map_or_else(|| index.to_string(), |name| (*name).to_owned());
        let (volts, rate_key) = if self.values.contains_key("imSampRate") {
            (self.probe_volts(&columns)?, "imSampRate")
        } else if self.values.contains_key("obSampRate") {
            let counts = self.counts("snsXaDwSy")?;
            let volts = self.number("obAiRangeMax")? / self.number("obMaxInt")?;
            (Self::sorted_volts(&counts, &[Some(volts), None, None]), "obSampRate")
        } else {
            let counts = self.counts("snsMnMaXaDw")?;
            let most = if self.values.contains_key("niMaxInt") { self.number("niMaxInt")? } else { 32768.0 };
            let volts = self.number("niAiRangeMax")? / most;
            let gain = |key: &str| self.number(key).map(|gain| Some(volts / gain));
            (Self::sorted_volts(&counts, &[gain("niMNGain")?, gain("niMAGain")?, Some(volts), None]), "niSampRate")
        };
        if volts.len() != n_saved {
            return Err(Error::malformed("the kinds of channels", format!("{n_saved} in all"), volts.len()));
        }
        let channel = |(index, volts): (usize, &Option<f64>)| match volts {
            Some(volts) => Channel::new(name(index), "V", *volts, 0.0),
            None => Channel::new(name(index), "", 1.0, 0.0),
        };
        Ok((volts.iter().enumerate().map(channel).collect(), self.number(rate_key)?))
    }

    /// Volts in a count for kinds of channels that stand one after the other.
    fn sorted_volts(counts: &[usize], volts: &[Option<f64>]) -> Vec<Option<f64>> {
        counts.iter().zip(volts).flat_map(|(&count, &volts)| std::iter::repeat_n(volts, count)).collect()
    }

    /// Volts in a count of the channels `columns` of a probe: action potentials first, then field potentials, then the
    /// synchronisation word.
    fn probe_volts(&self, columns: &[usize]) -> Result<Vec<Option<f64>>> {
        let saved = self.counts("snsApLfSy")?;
        let [n_ap, n_lf, n_sync] = *saved.as_slice() else {
            return Err(Error::malformed("`snsApLfSy`", "three counts", saved.len()));
        };
        if n_ap + n_lf + n_sync != columns.len() {
            return Err(Error::malformed(
                "`snsApLfSy`",
                format!("{} channels in all", columns.len()),
                format!("{saved:?}"),
            ));
        }
        // The first model, which was never sold, has no type in its files.
        let kind = if self.values.contains_key("imDatPrb_type") { self.number("imDatPrb_type")? } else { 0.0 };
        let is_first_generation = kind < 20.0 || (1000.0..2000.0).contains(&kind);
        let most = match (self.values.contains_key("imMaxInt"), is_first_generation) {
            (true, _) => self.number("imMaxInt")?,
            (false, true) => 512.0,
            (false, false) => 8192.0,
        };
        let range = self.number("imAiRangeMax")?;
        let acquired = match self.counts("acqApLfSy") {
            Ok(counts) => counts.first().copied().unwrap_or(0),
            Err(_) => 384,
        };
        let table = self.table("imroTbl")?;
        let gain = |column: usize| -> Result<f64> {
            let is_lf = (n_ap..n_ap + n_lf).contains(&column);
            let key = if is_lf { "imChan0lfGain" } else { "imChan0apGain" };
            // Only the table knows gains that differ from channel to channel; that of type 1110 has other fields.
            if is_first_generation && kind != 1110.0 {
                let wire = if is_lf { columns[column].checked_sub(acquired) } else { Some(columns[column]) };
                let entry = wire.and_then(|wire| table.get(wire + 1)).copied().unwrap_or_default();
                let word = entry.split_whitespace().nth(if is_lf { 4 } else { 3 });
                let gain = word.and_then(|word| word.parse().ok()).filter(|&gain: &f64| gain > 0.0);
                return gain.ok_or_else(|| Error::malformed("an entry of `imroTbl`", "a gain", format!("`{entry}`")));
            }
            if is_first_generation || self.values.contains_key(key) {
                return self.number(key);
            }
            Ok(if kind < 1000.0 { 80.0 } else { 100.0 })
        };
        let volts = |column: usize| {
            if column < n_ap + n_lf { gain(column).map(|gain| Some(range / most / gain)) } else { Ok(None) }
        };
        (0..columns.len()).map(volts).collect()
    }
}
