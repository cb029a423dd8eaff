//! A window of a signal to the latent that a diffusion model starts from (Yamashiro, Matsumoto & Ikegaya 2024, PLOS ONE, doi
//! 10.1371/journal.pone.0309709, and its released code).
//!
//! Rows × channels are flattened row by row, scaled to mean 0 and deviation 1 as one vector, and put in another order by one
//! fixed permutation: neighbours in time would be neighbours in the latent, and a U-Net expects noise. With 32 channels and
//! Stable Diffusion this is the published formula; another number of channels or another latent needs another number of rows.
//!
//! A window of one second is resampled as a whole (`paper`), so no sample is waited for; see [`percept_signal::resample`].

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::Seed;
use percept_signal::{Resampler, gaussian_ranks, whiten, zscore_whole};
use rand::Rng;

use crate::error::{Result, StreamError};
use crate::permutation::{SEED, permutation};
use crate::settings::{Fit, LatentSettings, Preset};

/// Rows of the published system.
const ROWS: usize = 512;
/// Values that are summed in a projection.
const TERMS: usize = 8;
/// Added to the diagonal of a covariance, as a share of its mean.
const SHRINKAGE: f64 = 0.01;

/// Makes latents of windows.
pub struct Latents {
    settings: LatentSettings,
    n_window: usize,
    n_rows: usize,
    n_latent: usize,
    resampler: Option<Resampler>,
    order: Vec<u32>,
    /// Which values are summed for each element, and whether they are subtracted.
    terms: Vec<(u32, bool)>,
}

impl Latents {
    /// For windows of `n_channels` at `rate_hz` and latents of `n_latent` numbers.
    ///
    /// # Errors
    /// [`StreamError::Setting`] when channels and latent do not go together.
    pub fn new(
        settings: &LatentSettings,
        n_channels: usize,
        rate_hz: f64,
        n_latent: usize,
        seed: Seed,
    ) -> Result<Self> {
        let n_rows = match settings.fit {
            Fit::Rows if n_channels > n_latent => {
                let problem = format!("{n_channels} channels do not fit into {n_latent} numbers");
                return Err(StreamError::setting("latent.fit", problem, "use `project`, or fewer channels"));
            }
            Fit::Rows => n_latent.div_ceil(n_channels),
            Fit::Tile | Fit::Project => ROWS,
        };
        let (n_window, resampler) = match settings.preset {
            Preset::Repo => (n_rows, None),
            Preset::Paper => {
                let second = (rate_hz.round() as usize).max(2);
                (second, (second != n_rows).then(|| Resampler::new(n_rows, second)).transpose()?)
            }
        };
        let n_values = n_rows * n_channels;
        let terms = if settings.fit == Fit::Project {
            let mut stream = seed.named("projection").stream();
            (0..n_latent * TERMS).map(|_| (stream.random_range(0..n_values as u32), stream.random())).collect()
        } else {
            Vec::new()
        };
        let order = if settings.shuffle { permutation(n_latent, SEED) } else { Vec::new() };
        Ok(Self { settings: settings.clone(), n_window, n_rows, n_latent, resampler, order, terms })
    }

    /// Rows of a window.
    pub fn n_window(&self) -> usize {
        self.n_window
    }

    /// What is done, in words.
    pub fn words(&self, n_channels: usize, rate_hz: f64) -> String {
        let rows = match &self.resampler {
            Some(_) => format!("{} rows in one second, resampled to {}", self.n_window, self.n_rows),
            None => format!("{} rows", self.n_window),
        };
        let fit = match self.settings.fit {
            Fit::Rows => "flattened",
            Fit::Tile => "flattened and repeated",
            Fit::Project => "projected by fixed random signs",
        };
        format!("{n_channels} channels at {rate_hz:.1} Hz: {rows}, {fit} to {} numbers", self.n_latent)
    }

    /// The latent of a window.
    ///
    /// # Shapes
    /// [`Self::n_window`] × n_channels → one number per element of a latent.
    ///
    /// # Numerics
    /// f64 inside, rounded once; equal to the published formula in NumPy within 1e-6.
    pub fn make(&self, window: ArrayView2<'_, f64>) -> Vec<f32> {
        let mut rows: Array2<f64> = match &self.resampler {
            Some(resampler) => resampler.apply(window),
            None => window.to_owned(),
        };
        if self.settings.whiten {
            rows = whiten(rows.view(), SHRINKAGE);
        }
        if self.settings.channel_zscore {
            for mut column in rows.axis_iter_mut(Axis(1)) {
                let mut values = column.to_vec();
                zscore_whole(&mut values);
                column.assign(&ndarray::ArrayView1::from(&values));
            }
        }
        let flat = rows.slice(s![..self.n_rows.min(rows.nrows()), ..]);
        let flat: Vec<f64> = flat.iter().copied().collect();
        let mut values: Vec<f64> = match self.settings.fit {
            Fit::Rows | Fit::Tile => (0..self.n_latent).map(|i| flat[i % flat.len()]).collect(),
            Fit::Project => self
                .terms
                .chunks_exact(TERMS)
                .map(|terms| {
                    terms.iter().map(|(i, minus)| if *minus { -flat[*i as usize] } else { flat[*i as usize] }).sum()
                })
                .collect(),
        };
        if self.settings.ranks {
            gaussian_ranks(&mut values);
        } else {
            zscore_whole(&mut values);
        }
        if self.order.is_empty() {
            return values.into_iter().map(|value| value as f32).collect();
        }
        self.order.iter().map(|from| values[*from as usize] as f32).collect()
    }
}
