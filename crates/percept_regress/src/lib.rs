//! Ridge regression at brain scale, with the penalty of every target chosen by exact leave-one-group-out prediction.
//!
//! Estimators stand above, pure solvers below:
//! - [`ridge`]: [`RidgeCv`] (chooses the penalty), [`Ridge`] (the fitted model), [`Design`] (the decomposed samples, reusable over sets of targets)
//! - [`params`]: the settings of a fit and what a fit reports about itself
//! - [`folds`]: groups of samples that are held out together, and the refusal of folds that leak
//! - `solver`: standardisation, Gram matrices, decompositions, leave-one-group-out residuals; the only place that sees the linear algebra library
//!
//! It knows neither voxels nor files. Results are the same bits on any number of threads.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod error;
pub mod folds;
pub mod params;
pub mod ridge;
mod solver;

pub use error::RegressError;
pub use folds::{LeakReport, Leaks};
pub use params::{AlphaChoice, FitReport, Path, RidgeParams, Score};
pub use ridge::{Design, Ridge, RidgeCv};
pub use solver::real::Real;
