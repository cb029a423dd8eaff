//! Ridge regression at brain scale, with the penalty of every target chosen by exact leave-one-group-out prediction.
//!
//! Estimators stand above, pure solvers below:
//! - [`ridge`]: [`RidgeCv`] (chooses the penalty); [`fitted`]: [`Ridge`] (the fitted model)
//! - [`design`]: [`Design`], the decomposed samples, reusable over sets of targets; [`gram`]: their Gram matrix, reusable over regions
//! - [`large_folds`]: a few folds that hold more samples than there are features
//! - `held`: predictions of held-out samples at penalties that were chosen
//! - [`kernel`]: designs of which only the products of samples are known
//! - [`banded`]: a scale for each band of features
//! - [`regions`]: a model per region, the best averaged
//! - [`repeats`]: samples of one stimulus averaged, with the weight of the average
//! - [`pca`]: principal components of features, fitted on training samples
//! - [`samples`]: samples and targets that are read piece by piece
//! - [`together`]: several processes that prepare one design
//! - [`cost`]: operations and memory of a fit before it is begun
//! - [`selected`]: a few features for each target, chosen by their correlation with it
//! - [`params`]: the settings of a fit and what a fit reports about itself
//! - [`folds`]: sets of samples that are held out together, and the refusal of folds that leak
//! - `solver`: standardisation, Gram matrices, decompositions, leave-one-group-out residuals; the only place that sees the linear algebra library
//!
//! It knows neither voxels nor files. Results are the same bits on any number of threads.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

mod band_kernels;
pub mod banded;
mod compiled;
pub mod cost;
pub mod design;
pub mod error;
pub mod fitted;
pub mod folds;
pub mod gram;
mod held;
pub mod kernel;
pub mod large_folds;
pub mod params;
pub mod pca;
pub mod regions;
pub mod repeats;
pub mod ridge;
pub mod samples;
pub mod selected;
pub mod selection;
mod solver;
pub mod together;
mod weights;

pub use banded::{Band, Banded, BandedCv, BandedParams};
pub use design::{Design, Setup, SpectrumCache};
pub use error::RegressError;
pub use fitted::{LinearModel, Ridge, predict_part};
pub use folds::{Folds, LeakReport, Leaks};
pub use gram::Gram;
pub use large_folds::LargeFolds;
pub use params::{AlphaChoice, Edge, FitReport, Path, Pooling, RidgeParams, Score, TAKAGI2023_ALPHAS};
pub use pca::Pca;
pub use regions::{Best, Region, Regions, RegionsParams};
pub use repeats::Repeats;
pub use ridge::{PreparedRidge, RidgeCv};
pub use samples::{Samples, Targets};
pub use selected::{Selected, SelectedDesign, SelectedParams};
pub use selection::Selection;
pub use solver::decomposition::Spectrum;
pub use solver::number::Real;
pub use together::Together;
