//! Signal processing of responses and features: from events to volumes, drifts, normalisation, delays within runs.
//!
//! - [`zscore`]: each unit to mean 0 and deviation 1 within each run or session, in place
//! - [`training`]: the same by the statistics of training samples alone
//! - [`delays`]: copies of features at several delays, or their mean, that never cross the boundary of a run
//! - [`volumes`]: features in time to features per volume, by averages or Lanczos' kernel
//! - [`detrend`]: running medians, Savitzky–Golay, polynomials and cosines, subtracted per run
//! - [`hrf`]: canonical haemodynamic responses
//! - [`mel`]: mel spectrograms in the conventions of librosa, torchaudio and transformers
//! - [`resample`](mod@resample): sounds at another rate
//! - [`nsd_author`]: the recipe of the Natural Scenes Dataset's own author, from trials to one row per image
//!
//! The normalisations name every unit and session that cannot be normalised, set it to 0 and never divide by zero. All functions are
//! pure: same input, same bits, on any number of threads. Files and formats are not known here.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod delays;
pub mod detrend;
pub mod error;
pub mod hrf;
pub mod mel;
pub mod nsd_author;
pub mod resample;
mod runs;
pub mod training;
pub mod volumes;
pub mod zscore;

pub use delays::{Delayed, delayed, delayed_mean};
pub use detrend::{Trend, detrend};
pub use error::SignalError;
pub use hrf::{Hrf, convolved};
pub use mel::{Mel, MelConfig};
pub use nsd_author::{ImageResponses, normalise_as_nsd_author};
pub use resample::resample;
pub use runs::without_first;
pub use training::zscore_by_training;
pub use volumes::{Lanczos, PerVolume, Volumes, averaged, averaged_spans, lanczos};
pub use zscore::{Cause, Deviation, Invalid, zscore_per_group};
