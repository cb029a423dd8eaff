//! Signal processing of responses and features: normalisation per run or session, delays within runs.
//!
//! - [`zscore`]: each unit to mean 0 and deviation 1 within each run or session, in place
//! - [`training`]: the same by the statistics of training samples alone
//! - [`delays`]: copies of features at several delays that never cross the boundary of a run
//! - [`nsd_author`]: the recipe of the Natural Scenes Dataset's own author, from trials to one row per image
//!
//! The normalisations name every unit and session that cannot be normalised, set it to 0 and never divide by zero. All functions are
//! pure: same input, same bits, on any number of threads. Files and formats are not known here.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod delays;
pub mod error;
pub mod nsd_author;
pub mod training;
pub mod zscore;

pub use delays::{Delayed, delayed};
pub use error::SignalError;
pub use nsd_author::{ImageResponses, normalise_as_nsd_author};
pub use training::zscore_by_training;
pub use zscore::{Cause, Deviation, Invalid, zscore_per_group};
