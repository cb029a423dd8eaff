//! Decoders: from responses to a feature space.
//!
//! - [`classifier`]: names for vectors
//! - [`normalise`]: responses as decoders read them, by the training samples of their fold alone
//! - [`ridge`]: one penalty per target, chosen by leaving out whole stimuli; predictions for every item
//! - [`rescale`]: what to do about predictions that shrink towards the mean
//! - [`summary`]: what a decoder says about itself

pub mod classifier;
pub mod normalise;
pub mod rescale;
pub mod ridge;
pub mod summary;

pub use classifier::Classifier;
pub use rescale::{Rescaled, rescaled};
pub use ridge::Predictions;
