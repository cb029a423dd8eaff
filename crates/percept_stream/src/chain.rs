//! What every sample goes through before windows are cut: choice of channels, fewer samples, reference, filters, running scale.
//!
//! All of it is causal and works sample by sample, so blocks of any size give the same bits, and nothing waits for samples to
//! come. Samples that are no numbers hold the last value of their channel and are counted.

use ndarray::{Array2, ArrayView2, Axis};
use percept_signal::{Band, Reference, RunningSos, RunningZscore, Start, butterworth, line_noise, rereference};

use crate::error::{Result, StreamError};
use crate::settings::{LatentSettings, ReferenceSetting};
use crate::source::SourceFacts;

/// Recordings with at least twice this rate are thinned out to about it, behind a filter.
const KEPT_RATE_HZ: f64 = 2048.0;
/// Width of a notch in Hz.
const NOTCH_HZ: f64 = 2.0;
/// Poles of the filters.
const ORDER: usize = 4;

/// The filters with their memory.
pub struct Chain {
    channels: Vec<usize>,
    last: Vec<f64>,
    /// Every how many-th sample is kept, and the filter before that.
    keep_every: usize,
    thinning: Option<RunningSos>,
    reference: Option<Reference>,
    filters: Vec<RunningSos>,
    scale: Option<RunningZscore>,
    rate_hz: f64,
    n_in: u64,
    n_bad: u64,
}

impl Chain {
    /// The chain for a source.
    ///
    /// # Errors
    /// Channels that are not there, edges beyond half the rate.
    pub fn new(settings: &LatentSettings, facts: &SourceFacts) -> Result<Self> {
        let channels = chosen(&settings.channels, facts)?;
        let n = channels.len();
        let keep_every = if facts.rate_hz >= 2.0 * KEPT_RATE_HZ { (facts.rate_hz / KEPT_RATE_HZ) as usize } else { 1 };
        let rate_hz = facts.rate_hz / keep_every as f64;
        let thinning = (keep_every > 1)
            .then(|| butterworth(2 * ORDER, Band::Low(0.4 * rate_hz), facts.rate_hz))
            .transpose()?
            .map(|filter| filter.running(n, Start::First));
        let reference = match &settings.reference {
            ReferenceSetting::None => None,
            ReferenceSetting::Average => Some(Reference::Average),
            ReferenceSetting::Median => Some(Reference::Median),
            ReferenceSetting::Bipolar => Some(Reference::Bipolar),
            ReferenceSetting::Channel(word) => {
                let channel = numbered(word, facts)?;
                let place = channels.iter().position(|c| *c == channel);
                let absent = || {
                    let remedy = "name one of `latent.channels`";
                    StreamError::setting(
                        "latent.reference",
                        format!("channel `{word}` is not among the chosen"),
                        remedy,
                    )
                };
                Some(Reference::Channel(place.ok_or_else(absent)?))
            }
        };
        let mut filters = Vec::new();
        if settings.line_noise_hz > 0.0 {
            filters.push(line_noise(settings.line_noise_hz, NOTCH_HZ, rate_hz)?.running(n, Start::First));
        }
        let band = match settings.band_hz {
            [0.0, 0.0] => None,
            [0.0, high] => Some(Band::Low(high)),
            [low, 0.0] => Some(Band::High(low)),
            [low, high] => Some(Band::Pass(low, high)),
        };
        if let Some(band) = band {
            filters.push(butterworth(ORDER, band, rate_hz)?.running(n, Start::First));
        }
        let memory = settings.running_zscore_secs * rate_hz;
        Ok(Self {
            last: vec![0.0; n],
            channels,
            keep_every,
            thinning,
            reference,
            filters,
            scale: (memory > 0.0).then(|| RunningZscore::new(n, memory)),
            rate_hz,
            n_in: 0,
            n_bad: 0,
        })
    }

    /// Channels that come out.
    pub fn n_channels(&self) -> usize {
        self.channels.len()
    }

    /// Samples per second that come out.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Samples of the source for each that comes out.
    pub fn keep_every(&self) -> usize {
        self.keep_every
    }

    /// Values that were no numbers.
    pub fn n_bad(&self) -> u64 {
        self.n_bad
    }

    /// Takes the next samples of the source and gives what comes out.
    ///
    /// # Shapes
    /// n_samples × the source's channels → up to n_samples × the chosen channels. Blocks of another width give nothing.
    pub fn push(&mut self, block: ArrayView2<'_, f64>) -> Array2<f64> {
        let fits = self.channels.iter().all(|channel| *channel < block.ncols());
        if !fits {
            return Array2::zeros((0, self.channels.len()));
        }
        let mut rows = block.select(Axis(1), &self.channels);
        for mut row in rows.rows_mut() {
            for (value, last) in row.iter_mut().zip(&mut self.last) {
                if value.is_finite() {
                    *last = *value;
                } else {
                    *value = *last;
                    self.n_bad += 1;
                }
            }
        }
        if let Some(filter) = &mut self.thinning {
            filter.push(&mut rows);
            let kept: Vec<usize> =
                (0..rows.nrows()).filter(|i| (self.n_in + *i as u64).is_multiple_of(self.keep_every as u64)).collect();
            self.n_in += rows.nrows() as u64;
            rows = rows.select(Axis(0), &kept);
        }
        if let Some(reference) = &self.reference {
            rereference(&mut rows, reference);
        }
        for filter in &mut self.filters {
            filter.push(&mut rows);
        }
        if let Some(scale) = &mut self.scale {
            scale.push(&mut rows);
        }
        rows
    }
}

/// The numbers of the channels that were asked for.
fn chosen(words: &[String], facts: &SourceFacts) -> Result<Vec<usize>> {
    let n = facts.channels.len();
    if n == 0 {
        return Err(StreamError::setting("latent.channels", "the source has no channels", "choose another source"));
    }
    if words.is_empty() {
        return Ok((0..n).collect());
    }
    words.iter().map(|word| numbered(word, facts)).collect()
}

/// A channel's number, by its name or else its number from 0.
pub(crate) fn numbered(word: &str, facts: &SourceFacts) -> Result<usize> {
    let named = facts.channels.iter().position(|channel| channel.name == word);
    let number = word.parse::<usize>().ok().filter(|number| *number < facts.channels.len());
    named.or(number).ok_or_else(|| {
        let first: Vec<&str> = facts.channels.iter().take(8).map(|channel| channel.name.as_str()).collect();
        let remedy = format!("there are {}: {} …", facts.channels.len(), first.join(", "));
        StreamError::setting("latent.channels", format!("there is no channel `{word}`"), remedy)
    })
}
