//! NWB (Neurodata Without Borders, version 2, HDF5): any series of numbers in time, read in place.
//!
//! A series is a group with `data` and either `starting_time` (with its `rate`) or `timestamps`. Values are `data · conversion ·
//! channel_conversion + offset` in the unit of `data`. Streams are named by their paths, such as `acquisition/ElectricalSeries`;
//! if only one series belongs to electrodes, it is opened unless another is named. Time stamps must be even but for gaps.
//!
//! # References
//! NWB:N schema 2.8, `TimeSeries` and `ElectricalSeries`; <https://nwb-schema.readthedocs.io>.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::facts::{Channel, Facts, MAX_CHANNELS, Recording, Samples};
use super::options::Options;
use super::stamps;
use crate::fs::Source;
use crate::hdf5::{Dataset, File};
use crate::{Error, Result};

/// The most bytes of a row of chunks that are kept between two reads.
const KEPT_BYTES: usize = 64 << 20;

/// The NWB file in `source`, if this HDF5 file is one.
pub(super) fn sniff(source: &Source) -> Result<Option<File>> {
    let file = File::from_source(source.clone())?;
    let is_nwb = file.has("session_start_time") && file.has("identifier");
    Ok(is_nwb.then_some(file))
}

/// Opens a series of `file`.
pub(super) fn open(file: &File, options: &Options) -> Result<Recording> {
    let entries = file.entries()?;
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let is_series = |path: &&str| has(&format!("{path}/starting_time")) || has(&format!("{path}/timestamps"));
    let data = entries.iter().filter(|e| e.dtype.number().is_some() && matches!(e.shape.len(), 1 | 2));
    let all: Vec<&str> = data.filter_map(|entry| entry.name.strip_suffix("/data")).filter(is_series).collect();
    let electrical: Vec<&str> = all.iter().copied().filter(|path| has(&format!("{path}/electrodes"))).collect();
    let names: Vec<String> = all.iter().map(|path| (*path).to_owned()).collect();
    let path = match (&options.stream, electrical.as_slice()) {
        (None, [only]) => *only,
        _ => all[options.choose("series", &names)?],
    };
    let recording = series(file, path, &has)?;
    Ok(recording.in_stream(path, &names))
}

fn series(file: &File, path: &str, has: &dyn Fn(&str) -> bool) -> Result<Recording> {
    let data = file.dataset(&format!("{path}/data"))?;
    let n_samples = data.shape().first().copied().unwrap_or(0);
    let n_channels = data.shape().get(1).copied().unwrap_or(1);
    if n_channels == 0 || n_channels > MAX_CHANNELS {
        let error = Error::malformed("the number of channels", format!("1 to {MAX_CHANNELS}"), n_channels);
        return Err(file.source().locate(error.in_object(path)));
    }
    let one = |name: &str, otherwise: f64| data.attribute(name).and_then(|v| v.first().copied()).unwrap_or(otherwise);
    let (conversion, offset) = (one("conversion", 1.0), one("offset", 0.0));
    let unit = data.text_attribute("unit").unwrap_or_default();
    let factors = per_channel(file, path, n_channels, has)?;
    let names = names(file, path, n_channels, has)?;
    let channel = |(name, factor): (String, f64)| Channel::new(name, &unit, conversion * factor, offset);
    let channels: Vec<Channel> = names.into_iter().zip(factors).map(channel).collect();
    let scales = channels.iter().map(|channel| (channel.scale, channel.offset)).collect();
    let chunk_len = data.chunk_shape().and_then(|shape| shape.first().copied()).unwrap_or(1);
    let mut facts = Facts::new("NWB", channels, 0.0, n_samples);
    let start_name = format!("{path}/starting_time");
    if has(&start_name) {
        let start = file.dataset(&start_name)?;
        facts.rate_hz = start.attribute("rate").and_then(|v| v.first().copied()).unwrap_or(0.0);
        facts.start.clock_secs = start.read::<f64>()?.first().copied().unwrap_or(0.0);
    } else {
        let times = file.dataset(&format!("{path}/timestamps"))?;
        if times.shape() != [n_samples] {
            let got = format!("{:?}", times.shape());
            let error = Error::malformed("the shape of the time stamps", format!("[{n_samples}]"), got).in_object(path);
            return Err(file.source().locate(error));
        }
        let read = |range: Range<usize>| Ok(times.read_rows::<f64>(range)?.into_raw_vec_and_offset().0);
        let even = stamps::even(n_samples, read).map_err(|error| file.source().locate(error.in_object(path)))?;
        facts.rate_hz = even.rate_hz;
        facts.start.clock_secs = even.first_secs;
        facts.gaps = even.gaps;
    }
    if let Ok(words) = file.dataset("session_start_time").and_then(|text| text.read_text()) {
        facts.start.date_time = words.into_iter().next();
    }
    Recording::new(facts, Rows { data, scales, chunk_len: chunk_len.max(1), kept: Mutex::default() })
        .map_err(|error| file.source().locate(error.in_object(path)))
}

/// Factors of `channel_conversion`, 1 without it.
fn per_channel(file: &File, path: &str, n_channels: usize, has: &dyn Fn(&str) -> bool) -> Result<Vec<f64>> {
    let name = format!("{path}/channel_conversion");
    if !has(&name) {
        return Ok(vec![1.0; n_channels]);
    }
    let dataset = file.dataset(&name)?;
    if dataset.shape() != [n_channels] {
        let got = format!("{:?}", dataset.shape());
        let error = Error::malformed("the shape of the factors", format!("[{n_channels}]"), got).in_object(name);
        return Err(file.source().locate(error));
    }
    Ok(dataset.read::<f64>()?.into_raw_vec_and_offset().0)
}

/// Names of the electrodes (`channel_name`, else `id`) of the channels; numbers where there are none.
fn names(file: &File, path: &str, n_channels: usize, has: &dyn Fn(&str) -> bool) -> Result<Vec<String>> {
    const TABLE: &str = "general/extracellular_ephys/electrodes";
    let numbers = || (0..n_channels).map(|index| index.to_string()).collect();
    let name = format!("{path}/electrodes");
    if !has(&name) {
        return Ok(numbers());
    }
    let rows = file.dataset(&name)?;
    if rows.shape() != [n_channels] {
        return Ok(numbers());
    }
    let rows = rows.read::<u64>()?;
    let table: Vec<String> = if has(&format!("{TABLE}/channel_name")) {
        file.dataset(&format!("{TABLE}/channel_name"))?.read_text()?
    } else if has(&format!("{TABLE}/id")) {
        file.dataset(&format!("{TABLE}/id"))?.read::<i64>()?.iter().map(ToString::to_string).collect()
    } else {
        return Ok(numbers());
    };
    let named = rows.iter().map(|&row| usize::try_from(row).ok().and_then(|row| table.get(row)).cloned());
    Ok(named.collect::<Option<Vec<_>>>().unwrap_or_else(numbers))
}

/// Rows of a data set; the row of chunks that was read last is kept, so that small blocks do not unpack it again and again.
#[derive(Debug)]
struct Rows {
    data: Dataset,
    scales: Vec<(f64, f64)>,
    chunk_len: usize,
    kept: Mutex<Option<(Range<usize>, Vec<f64>)>>,
}

impl Rows {
    fn append(&self, values: &[f64], out: &mut Vec<f32>) {
        for row in values.chunks_exact(self.scales.len()) {
            out.extend(row.iter().zip(&self.scales).map(|(x, (scale, offset))| (x * scale + offset) as f32));
        }
    }
}

impl Samples for Rows {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let n_channels = self.scales.len();
        let n_samples = self.data.shape().first().copied().unwrap_or(0);
        let aligned =
            range.start / self.chunk_len * self.chunk_len..range.end.next_multiple_of(self.chunk_len).min(n_samples);
        if self.chunk_len == 1 || aligned.len().saturating_mul(n_channels * 8) > KEPT_BYTES {
            let values = self.data.read_rows::<f64>(range)?.into_raw_vec_and_offset().0;
            self.append(&values, out);
            return Ok(());
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_inside = |kept: &Range<usize>| kept.start <= range.start && range.end <= kept.end;
        let values = match kept.take().filter(|(rows, _)| is_inside(rows)) {
            Some(known) => known,
            None => (aligned.clone(), self.data.read_rows::<f64>(aligned)?.into_raw_vec_and_offset().0),
        };
        let first = values.0.start;
        self.append(&values.1[(range.start - first) * n_channels..(range.end - first) * n_channels], out);
        *kept = Some(values);
        Ok(())
    }

    fn held_bytes(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map_or(0, |(_, values)| (values.len() * 8) as u64)
    }
}
