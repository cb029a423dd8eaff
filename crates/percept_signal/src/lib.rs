//! Signal processing of responses and features: from events to volumes, drifts, normalisation, delays within runs.
//!
//! - [`zscore`]: each unit to mean 0 and deviation 1 within each run or session, in place
//! - [`training`]: the same by the statistics of training samples alone
//! - [`delays`]: copies of features at several delays, or their mean, that never cross the boundary of a run
//! - [`volumes`]: features in time to features per volume, by averages or Lanczos' kernel
//! - [`mod@detrend`]: running medians, Savitzky–Golay, polynomials and cosines, subtracted per run
//! - [`mod@flow`]: optical flow between pictures
//! - [`glance`]: outlines and gray pictures of sounds, for reports
//! - [`hrf`]: canonical haemodynamic responses
//! - [`mel`]: mel spectrograms in the conventions of librosa, torchaudio and transformers
//! - [`sinc`]: whole sounds at another rate
//! - [`nsd_author`]: the recipe of the Natural Scenes Dataset's own author, from trials to one row per image
//!
//! For signals of many samples a second, whole or as they come (a form that is pushed gives the bits of the form for whole
//! signals):
//!
//! - [`design`]: Butterworth filters and notches; [`sos`]: running them
//! - [`resample`]: another number of samples for a stretch of time
//! - [`channels`]: other references, whitening; [`scale`]: running z-scores, ranks to a normal distribution
//! - [`fourier`]: transforms of any length; [`spectrum`]: power by frequency; [`mod@surrogate`]: signals that share some properties with a recording
//!
//! The normalisations name every unit and session that cannot be normalised, set it to 0 and never divide by zero. All functions are
//! pure: same input, same bits, on any number of threads. Files and formats are not known here.

// Array views are small values that are passed by value, as everywhere with `ndarray`.
#![allow(clippy::needless_pass_by_value)]

pub mod channels;
pub mod delays;
pub mod design;
pub mod detrend;
pub mod error;
pub mod flow;
pub mod fourier;
pub mod glance;
pub mod hrf;
pub mod mel;
pub mod nsd_author;
pub mod resample;
mod runs;
pub mod scale;
pub mod sinc;
pub mod sos;
pub mod spectrum;
pub mod surrogate;
pub mod training;
pub mod volumes;
pub mod zscore;

pub use channels::{Reference, rereference, whiten};
pub use delays::{Delayed, delayed, delayed_mean};
pub use design::{Band, butterworth, line_noise, notch};
pub use detrend::{Trend, detrend};
pub use error::SignalError;
pub use hrf::{Hrf, convolved};
pub use mel::{Mel, MelConfig};
pub use nsd_author::{ImageResponses, normalise_as_nsd_author};
pub use resample::Resampler;
pub use runs::without_first;
pub use scale::{RunningZscore, gaussian_ranks, zscore_whole};
pub use sos::{RunningSos, Section, Sos, Start};
pub use spectrum::{Spectrum, Welch};
pub use surrogate::{Surrogate, surrogate};
pub use training::zscore_by_training;
pub use volumes::{Lanczos, PerVolume, Volumes, averaged, averaged_spans, lanczos};
pub use zscore::{Cause, Deviation, Invalid, zscore_per_group};
