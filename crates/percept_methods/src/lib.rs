//! The published systems as recipes over the tools, and the experiment that runs them.
//!
//! - [`experiment`]: one TOML file, checked and with every default filled in
//! - [`b2c`]: an encoder from responses to the U-Net's context, trained through the U-Net
//! - [`dataset`]: what an experiment's data are, whatever they came from
//! - [`decoding`]: images from responses (`z`, `c`, `z+c`) with their controls and scores
//! - [`features`]: stimuli to rows in the spaces of a model pack, as a store that is resumed
//! - [`pocket`]: how the pocket pack is trained
//! - [`run`]: the run directory, whose stages are resumed
//! - [`error`]: what can go wrong on the way

pub mod b2c;
pub mod dataset;
pub mod decoding;
pub mod error;
pub mod experiment;
pub mod features;
mod pictures;
pub mod pocket;
pub mod run;

pub use dataset::Dataset;
pub use decoding::{Outcome, RunOptions};
pub use error::MethodError;
pub use experiment::Experiment;
pub use run::RunFolder;
