//! Correlations, identification, noise ceilings, bootstrap intervals and image metrics.
//!
//! Every metric gives one value per item first; means and intervals are made of those. Metrics whose name hides several
//! definitions in the literature have one function per dialect.
//! - [`correlation`]: Pearson correlation, cosine, squared error and R² by row or by column
//! - [`identification`]: two-way identification
//! - [`image`]: pixel correlation, mean squared error, PSNR; [`ssim`]: structural similarity
//! - [`bootstrap`]: intervals over items, paired differences between methods
//! - [`clusters`]: identification, intervals and paired differences where several items show one stimulus
//! - [`noise_ceiling`]: what the best model could reach, from repeats
//! - [`significance`]: thresholds of r, permutation p-values, false discovery rate
//!
//! All functions are pure: same input, same bits, on any number of threads. Embeddings are passed in; no model is known here.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod bootstrap;
pub mod clusters;
pub mod correlation;
pub mod error;
pub mod identification;
pub mod image;
pub mod noise_ceiling;
pub mod significance;
pub mod ssim;

pub use error::StatsError;

/// One value per item, and the items for which the metric is not defined.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemScores {
    /// One value per item; 0 where the metric is not defined. Never NaN.
    pub values: Vec<f64>,
    /// Items without a defined value (a constant vector has no correlation), ascending.
    pub undefined: Vec<usize>,
}

impl ItemScores {
    pub(crate) fn collect(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let mut undefined = Vec::new();
        let values = values
            .into_iter()
            .enumerate()
            .map(|(item, value)| {
                value.unwrap_or_else(|| {
                    undefined.push(item);
                    0.0
                })
            })
            .collect();
        Self { values, undefined }
    }

    /// The mean over all items, undefined ones counted as 0.
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }
}
