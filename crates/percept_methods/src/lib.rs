//! The published systems, each a folder over the stages of [`percept_pipeline`].
//!
//! - [`z_and_c`]: the base system, images from the latent `z` and the context `c` by ridge regression
//! - [`captions`]: captions from responses, and images through them
//! - [`b2c`]: an encoder from responses to the U-Net's context, trained through the U-Net
//! - [`encoding`]: the other direction, features to responses (`percept encode`)
//! - [`music`]: the nearest piece of music, and new music
//! - [`video`]: films, from vectors decoded scan by scan
//! - [`pixel_ridge`]: the baseline without a model
//! - [`controls`]: what no brain, the wrong brain or perfect decoding would give
//! - [`cortex`]: where the features of a comparison are found in the brain, on the subject's surfaces
//! - [`pocket`]: how the pocket pack is trained
//!
//! [`experiment`] opens an experiment file. A system says which methods it brings to a comparison, and what it adds to the report ([`system`]). What it may use is the
//! [`mod@bench`]. Systems do not know each other: [`registry`] lists them, [`reconstruct`] runs those that an experiment asks
//! for, side by side.

pub mod b2c;
pub mod bench;
mod by_region;
pub mod captions;
pub mod controls;
pub mod cortex;
mod disk;
pub mod encoding;
pub mod experiment;
pub mod music;
pub mod pixel_ridge;
pub mod pocket;
pub mod reconstruct;
pub mod registry;
mod scorer;
mod sheets;
pub mod system;
pub mod video;
pub mod z_and_c;

pub use bench::Bench;
pub use percept_pipeline::{Dataset, Experiment, PipelineError, RunFolder};
pub use reconstruct::{RunOptions, run};
pub use registry::Registry;
