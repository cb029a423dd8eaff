//! What a signal is like at a moment, and which prompts that brings in.
//!
//! Spectra of the last seconds give band ratios; other values come by name (OSC) or from a channel's deviation (movement). All
//! values follow the signal with the same smoothness, counted in frames of the signal and not in pictures that were drawn, so a
//! replay finds the same prompts.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use percept_signal::{Spectrum, Welch};

use crate::chain::numbered;
use crate::error::{Result, StreamError};
use crate::settings::Settings;
use crate::source::SourceFacts;

/// Channels whose spectra are averaged at most; spread evenly.
const SPECTRUM_CHANNELS: usize = 8;
/// Values by name that are kept; more come from nobody who means well.
const MAX_VALUES: usize = 256;

/// What steers a prompt.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// Power in one band over that in another.
    Ratio(String, String),
    /// The share of a band in all.
    Share(String),
    /// The deviation of one of [`Tracker::channels`].
    Deviation(usize),
    /// By name.
    Named(String),
}

/// The state of a signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Smoothed values by the words that name them.
    pub values: BTreeMap<String, f64>,
    /// The weight of each prompt, 0 to 1, together at most 1.
    pub weights: Vec<f32>,
}

/// Follows a signal.
pub struct Tracker {
    bands: BTreeMap<String, [f64; 2]>,
    prompts: Vec<(Value, String, f64, f64)>,
    channels: Vec<usize>,
    welch: Welch,
    n_window: usize,
    rate_hz: f64,
    keep: f64,
    named: BTreeMap<String, f64>,
    state: State,
    spectrum: Option<Spectrum>,
    begun: bool,
}

impl Tracker {
    /// A tracker for rows at `rate_hz`.
    ///
    /// # Errors
    /// [`StreamError::Setting`] for values that nothing measures.
    pub fn new(settings: &Settings, facts: &SourceFacts, rate_hz: f64) -> Result<Self> {
        let bands = settings.state.bands.clone();
        let n_window = ((settings.state.window_secs * rate_hz) as usize).max(16);
        let mut prompts = Vec::new();
        let mut channels = Vec::new();
        for prompt in &settings.prompt {
            let value = value(&prompt.value, &bands, facts, &mut channels)?;
            prompts.push((value, prompt.value.clone(), prompt.from, prompt.to));
        }
        let smooth = settings.state.smooth_secs * settings.fps;
        Ok(Self {
            // Two segments that overlap by half, and one between them.
            welch: Welch::new(n_window / 2),
            n_window,
            rate_hz,
            keep: if smooth > 0.0 { (-1.0 / smooth).exp() } else { 0.0 },
            state: State { weights: vec![0.0; prompts.len()], ..State::default() },
            bands,
            prompts,
            channels,
            named: BTreeMap::new(),
            spectrum: None,
            begun: false,
        })
    }

    /// Channels of the source whose deviation steers a prompt.
    pub fn channels(&self) -> &[usize] {
        &self.channels
    }

    /// Rows that a spectrum needs.
    pub fn n_window(&self) -> usize {
        self.n_window
    }

    /// The last spectrum, a mean over channels.
    pub fn spectrum(&self) -> Option<&Spectrum> {
        self.spectrum.as_ref()
    }

    /// A value by name, with or without the slash of an OSC address; whatever is no number is left alone.
    pub fn hear(&mut self, name: &str, value: f64) {
        let name = name.trim_start_matches('/').to_owned();
        if value.is_finite() && (self.named.len() < MAX_VALUES || self.named.contains_key(&name)) {
            self.named.insert(name, value);
        }
    }

    /// One frame further. `rows` are the last [`Self::n_window`] rows after the filters, `raw` those of the source in the same time, of [`Self::channels`] alone;
    /// `None` at the start.
    pub fn step(&mut self, rows: Option<ArrayView2<'_, f64>>, raw: Option<ArrayView2<'_, f64>>) -> State {
        if let Some(rows) = rows {
            self.measure(rows);
        }
        let mut now = BTreeMap::new();
        for (value, word, ..) in &self.prompts {
            if let Some(found) = self.look(value, raw) {
                now.insert(word.clone(), found);
            }
        }
        if let Some(found) = self.ratio("theta", "delta") {
            now.insert("theta/delta".to_owned(), found);
        }
        for name in self.bands.keys() {
            if let Some(found) = self.share(name) {
                now.insert(name.clone(), found);
            }
        }
        let keep = if self.begun { self.keep } else { 0.0 };
        self.begun |= !now.is_empty();
        for (word, found) in now {
            let smooth = self.state.values.entry(word).or_insert(found);
            *smooth = keep * *smooth + (1.0 - keep) * found;
        }
        let mut weights: Vec<f64> = self
            .prompts
            .iter()
            .map(|(_, word, from, to)| {
                self.state.values.get(word).map_or(0.0, |value| ((value - from) / (to - from)).clamp(0.0, 1.0))
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        if sum > 1.0 {
            for weight in &mut weights {
                *weight /= sum;
            }
        }
        self.state.weights = weights.into_iter().map(|weight| weight as f32).collect();
        self.state.clone()
    }

    fn measure(&mut self, rows: ArrayView2<'_, f64>) {
        let stride = rows.ncols().div_ceil(SPECTRUM_CHANNELS).max(1);
        let mut total: Option<Spectrum> = None;
        for column in rows.columns().into_iter().step_by(stride) {
            let Some(one) = self.welch.of(&column.to_vec(), self.rate_hz) else { continue };
            match &mut total {
                Some(total) => total.density.iter_mut().zip(&one.density).for_each(|(sum, value)| *sum += value),
                None => total = Some(one),
            }
        }
        self.spectrum = total;
    }

    fn look(&self, value: &Value, raw: Option<ArrayView2<'_, f64>>) -> Option<f64> {
        match value {
            Value::Ratio(above, below) => self.ratio(above, below),
            Value::Share(band) => self.share(band),
            Value::Deviation(channel) => {
                let column = raw?;
                (*channel < column.ncols()).then(|| column.column(*channel).std(0.0))
            }
            Value::Named(name) => self.named.get(name).copied(),
        }
    }

    fn power(&self, band: &str) -> Option<f64> {
        let [low, high] = self.bands.get(band)?;
        Some(self.spectrum.as_ref()?.power(*low, *high))
    }

    fn ratio(&self, above: &str, below: &str) -> Option<f64> {
        let (above, below) = (self.power(above)?, self.power(below)?);
        (below > 0.0).then(|| above / below)
    }

    fn share(&self, band: &str) -> Option<f64> {
        let all: f64 = self.bands.keys().filter_map(|name| self.power(name)).sum();
        (all > 0.0).then_some(self.power(band)? / all)
    }
}

/// Reads what steers a prompt.
fn value(
    word: &str,
    bands: &BTreeMap<String, [f64; 2]>,
    facts: &SourceFacts,
    channels: &mut Vec<usize>,
) -> Result<Value> {
    if let Some(name) = word.strip_prefix('/') {
        return Ok(Value::Named(name.to_owned()));
    }
    if let Some(channel) = word.strip_prefix("rms:") {
        let channel = numbered(channel, facts)?;
        let place = channels.iter().position(|known| *known == channel).unwrap_or_else(|| {
            channels.push(channel);
            channels.len() - 1
        });
        return Ok(Value::Deviation(place));
    }
    let known = |name: &str| bands.contains_key(name);
    match word.split_once('/') {
        Some((above, below)) if known(above) && known(below) => Ok(Value::Ratio(above.to_owned(), below.to_owned())),
        None if known(word) => Ok(Value::Share(word.to_owned())),
        _ => {
            let names: Vec<&str> = bands.keys().map(String::as_str).collect();
            let remedy = format!("use bands ({}), a ratio of two, `rms:CHANNEL`, or an OSC address", names.join(", "));
            Err(StreamError::setting("prompt.value", format!("`{word}` is measured by nobody"), remedy))
        }
    }
}
