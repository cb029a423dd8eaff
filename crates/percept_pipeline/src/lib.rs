//! The stages of every system, from an experiment file to scores. This crate knows no system: those are folders of
//! `percept_methods`, which say what is read, how it is decoded and what is made of it.
//!
//! The rooms, each of which uses only those above it in this list; rooms of one line do not know each other:
//!
//! - [`experiment`]: one TOML file, checked and with every default filled in; [`error`]: what can go wrong on the way
//! - [`run`]: the run's folder, whose stages are resumed
//! - [`data`]: what was measured and what was seen, whatever it came from
//! - [`plan`]: what is fitted on what, and what is tested; [`packs`]: what reconstruction needs of a model
//! - [`arms`]: what is compared: names, roles, the features that a generator gets
//! - [`spaces`]: stimuli to features; [`decoding`]: responses to features; [`generation`]: features to pictures;
//!   [`evaluation`]: pictures to scores; [`encoding`]: stimuli to features to predicted responses and their scores

pub mod arms;
pub mod data;
pub mod decoding;
pub mod encoding;
pub mod error;
pub mod evaluation;
pub mod experiment;
pub mod generation;
pub mod packs;
pub mod plan;
pub mod run;
pub mod spaces;

pub use arms::{Arm, Generator, Inputs, Medium};
pub use data::{Dataset, FeatureTable};
pub use error::PipelineError;
pub use evaluation::Metric;
pub use experiment::Experiment;
pub use packs::PictureModel;
pub use plan::Plan;
pub use run::RunFolder;
pub use spaces::Space;
