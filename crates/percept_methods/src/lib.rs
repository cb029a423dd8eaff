//! The published systems as recipes over the tools, and the experiment that runs them.
//!
//! - [`experiment`]: one TOML file, checked and with every default filled in

pub mod experiment;

pub use experiment::Experiment;
