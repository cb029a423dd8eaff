//! Correlations, identification, noise ceilings, bootstrap intervals, metrics of images and of captions.
//!
//! Every metric gives one value per item first; means and intervals are made of those. Metrics whose name hides several
//! definitions in the literature have one function per dialect.
//! - [`correlation`]: Pearson correlation, cosine, squared error and R² by row or by column
//! - [`identification`]: two-way identification
//! - [`image`]: pixel correlation, mean squared error, PSNR; [`ssim`]: structural similarity
//! - [`text`]: scores of captions
//! - [`preference`]: which of two wins, with an exact interval; [`agreement`]: kappas of raters
//! - [`bootstrap`]: intervals over items, paired differences between methods
//! - [`clusters`]: identification, intervals and paired differences where several items show one stimulus
//! - [`nearest`]: the nearest of many vectors, exactly
//! - [`noise_ceiling`]: what the best model could reach, from repeats
//! - [`significance`]: p and thresholds of r, permutation p-values, false discovery rate
//! - [`permutation`]: nulls of r for series, by blocks or shifts within runs; max-T
//! - [`resampling`]: bootstrap draws that all units share
//! - [`contrasts`]: scores of several models and their differences, for units and regions; [`partition`]: unique and common parts
//! - [`best`]: the best layer, step or block as a probability
//! - [`subjects`]: means over subjects
//!
//! All functions are pure: same input, same bits, on any number of threads. Embeddings are passed in; no model is known here.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod agreement;
pub mod best;
pub mod bootstrap;
pub mod classification;
pub mod clusters;
pub mod contrasts;
pub mod correlation;
pub mod error;
pub mod identification;
pub mod image;
pub mod nearest;
pub mod noise_ceiling;
pub mod partition;
pub mod permutation;
pub mod preference;
pub mod resampling;
pub mod significance;
pub mod ssim;
pub mod subjects;
pub mod text;

pub use error::StatsError;

/// One value per item; `None` where the metric is not defined (a constant vector has no correlation). Never NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemScores {
    /// One value per item.
    pub values: Vec<Option<f64>>,
}

impl From<Vec<f64>> for ItemScores {
    fn from(values: Vec<f64>) -> Self {
        Self { values: values.into_iter().map(Some).collect() }
    }
}

impl ItemScores {
    /// Items without a defined value, ascending.
    pub fn undefined(&self) -> Vec<usize> {
        self.values.iter().enumerate().filter(|(_, value)| value.is_none()).map(|(item, _)| item).collect()
    }

    /// The values that are defined, in the order of the items.
    pub fn defined(&self) -> impl Iterator<Item = f64> {
        self.values.iter().copied().flatten()
    }

    /// The mean over the items for which the metric is defined; `None` when there are none.
    pub fn mean(&self) -> Option<f64> {
        let n = self.defined().count();
        (n > 0).then(|| self.defined().sum::<f64>() / n as f64)
    }
}
