//! What a recording is: channels, rate, length, start, gaps and annotations; and what a reader of one format must give.
//!
//! Samples come as rows of one number per channel, in the unit that the channel names. Voltages are always in volts:
//! [`Channel::scale`] takes what is stored there, whatever prefix the file uses. Other units stay as the file has them.

use std::fmt::Debug;
use std::ops::Range;

use ndarray::Array2;

use crate::{Error, Result, limits};

/// One column of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its name; `0`, `1`, … where the file has none.
    pub name: String,
    /// The unit of its samples as they are read: `V` for every voltage, empty where the file says nothing.
    pub unit: String,
    /// A sample is `scale · stored + offset`.
    pub scale: f64,
    /// See [`Channel::scale`].
    pub offset: f64,
}

impl Channel {
    /// A channel of which `stored · scale + offset` is in `unit`; voltages are turned into volts.
    pub fn new(name: impl Into<String>, unit: &str, scale: f64, offset: f64) -> Self {
        let (factor, unit) = volts(unit);
        Self { name: name.into(), unit: unit.to_owned(), scale: scale * factor, offset: offset * factor }
    }
}

/// What takes `unit` to volts, and its name then; other units are left alone.
fn volts(unit: &str) -> (f64, &str) {
    let unit = unit.trim();
    match unit {
        "V" | "volt" | "volts" | "Volt" | "Volts" => (1.0, "V"),
        "mV" | "millivolt" | "millivolts" => (1e-3, "V"),
        // The micro sign, the Greek letter, and the letter that looks like them.
        "uV" | "\u{b5}V" | "\u{3bc}V" | "microvolt" | "microvolts" => (1e-6, "V"),
        "nV" | "nanovolt" | "nanovolts" => (1e-9, "V"),
        _ => (1.0, unit),
    }
}

/// Samples that are missing before another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The first sample after the gap.
    pub sample_idx: usize,
    /// How much time is missing, in seconds; negative where the clock was set back.
    pub missing_secs: f64,
}

/// Something that the file says about a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// Seconds after the first sample of the recording.
    pub onset_secs: f64,
    /// How long it lasts, where the file says it.
    pub duration_secs: Option<f64>,
    /// Its words.
    pub text: String,
}

/// When the first sample was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// Date and time as the file has them, `YYYY-MM-DDThh:mm:ss.ffffff`; most formats do not say in which zone.
    pub date_time: Option<String>,
    /// Seconds on the file's own clock, where it has one besides.
    pub clock_secs: f64,
}

/// Everything about a recording but its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The format in words, such as `EDF+`.
    pub format: String,
    /// The stream that was opened, where the format has several.
    pub stream: Option<String>,
    /// The other streams of the file, by the names that open them.
    pub other_streams: Vec<String>,
    /// The columns.
    pub channels: Vec<Channel>,
    /// Samples in a second, the same for all channels.
    pub rate_hz: f64,
    /// The number of samples of each channel.
    pub n_samples: usize,
    /// When it began.
    pub start: Start,
    /// Where samples are missing, in order.
    pub gaps: Vec<Gap>,
    /// What the file says about moments, in order.
    pub annotations: Vec<Annotation>,
}

impl Facts {
    /// Facts of `n_samples` samples of `channels` with nothing else known.
    pub(super) fn new(format: &str, channels: Vec<Channel>, rate_hz: f64, n_samples: usize) -> Self {
        Self {
            format: format.to_owned(),
            stream: None,
            other_streams: Vec::new(),
            channels,
            rate_hz,
            n_samples,
            start: Start::default(),
            gaps: Vec::new(),
            annotations: Vec::new(),
        }
    }
}

/// Samples on demand. One type behind this for each way in which formats store them.
pub(super) trait Samples: Debug + Send + Sync {
    /// Appends the samples `range`, row by row, scaled. The range is inside the recording.
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()>;

    /// Bytes held in memory all the time.
    fn held_bytes(&self) -> u64 {
        0
    }
}

/// An open recording.
#[derive(Debug)]
pub struct Recording {
    facts: Facts,
    samples: Box<dyn Samples>,
}

/// The most channels that a file may claim; the largest probes have some thousands.
pub(super) const MAX_CHANNELS: usize = 1 << 16;

/// The most gaps and annotations that are kept.
pub(super) const MAX_MARKS: usize = 1 << 20;

impl Recording {
    /// # Errors
    /// If a rate or a scale is not a number that can be.
    pub(super) fn new(facts: Facts, samples: impl Samples + 'static) -> Result<Self> {
        if !(facts.rate_hz.is_finite() && facts.rate_hz > 0.0) {
            return Err(Error::malformed("the sampling rate", "a positive number of Hz", facts.rate_hz));
        }
        if facts.channels.is_empty() {
            return Err(Error::malformed("the number of channels", "at least 1", 0));
        }
        if facts.channels.len() > MAX_CHANNELS {
            return Err(Error::malformed(
                "the number of channels",
                format!("at most {MAX_CHANNELS}"),
                facts.channels.len(),
            ));
        }
        if let Some(channel) = facts.channels.iter().find(|c| !(c.scale.is_finite() && c.offset.is_finite())) {
            let got = format!("{} and {}", channel.scale, channel.offset);
            return Err(Error::malformed("scale and offset", "finite numbers", got).in_object(&*channel.name));
        }
        Ok(Self { facts, samples: Box::new(samples) })
    }

    /// The same, as the stream `name` of a file that has `all`.
    pub(super) fn in_stream(mut self, name: &str, all: &[String]) -> Self {
        self.facts.stream = Some(name.to_owned());
        self.facts.other_streams = all.iter().filter(|other| *other != name).cloned().collect();
        self
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The columns.
    pub fn channels(&self) -> &[Channel] {
        &self.facts.channels
    }

    /// Samples in a second.
    pub fn rate_hz(&self) -> f64 {
        self.facts.rate_hz
    }

    /// The number of samples of each channel.
    pub fn n_samples(&self) -> usize {
        self.facts.n_samples
    }

    /// Bytes held in memory as long as it is open: 0 for formats that are read in place.
    pub fn held_bytes(&self) -> u64 {
        self.samples.held_bytes()
    }

    /// The samples `range` (range.len() × n_channels).
    ///
    /// # Units
    /// Those of [`Recording::channels`].
    ///
    /// # Errors
    /// If there are no such samples, or they are damaged.
    pub fn read(&self, range: Range<usize>) -> Result<Array2<f32>> {
        let shape = (range.len(), self.facts.channels.len());
        let mut values = Vec::new();
        self.read_into(range, &mut values)?;
        let got = values.len();
        Array2::from_shape_vec(shape, values)
            .map_err(|_| Error::malformed("the number of values", shape.0 * shape.1, got))
    }

    /// As [`Recording::read`], appended to `out` row by row.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn read_into(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        if range.start > range.end || range.end > self.facts.n_samples {
            let expected = format!("samples {} to {}", range.start, range.end);
            let got = format!("{} samples long", self.facts.n_samples);
            return Err(Error::mismatch("the recording", expected, got, "ask for samples that it has"));
        }
        let count = limits::element_count("the samples", &[range.len(), self.facts.channels.len()])?;
        limits::byte_count("the samples", count, size_of::<f32>(), limits::MAX_ARRAY_BYTES)?;
        out.reserve(count);
        self.samples.read(range, out)
    }

    /// All samples in blocks of `n_samples` (the last may be shorter).
    pub fn blocks(&self, n_samples: usize) -> impl Iterator<Item = Result<Array2<f32>>> + '_ {
        let step = n_samples.max(1);
        (0..self.facts.n_samples).step_by(step).map(move |start| {
            let end = start.saturating_add(step).min(self.facts.n_samples);
            self.read(start..end)
        })
    }

    /// Seconds from the first sample to sample `sample_idx`, gaps counted.
    pub fn time_secs(&self, sample_idx: usize) -> f64 {
        let missing = self.facts.gaps.iter().take_while(|gap| gap.sample_idx <= sample_idx);
        sample_idx as f64 / self.facts.rate_hz + missing.map(|gap| gap.missing_secs).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voltages_become_volts_and_other_units_stay() {
        for unit in ["uV", "µV", "μV", "microvolts", " uV "] {
            let channel = Channel::new("a", unit, 2.0, 3.0);
            assert_eq!((channel.unit.as_str(), channel.scale, channel.offset), ("V", 2e-6, 3e-6), "{unit}");
        }
        assert_eq!(Channel::new("a", "degC", 2.0, 1.0).unit, "degC");
        assert_eq!(Channel::new("a", "degC", 2.0, 1.0).scale, 2.0);
    }
}
