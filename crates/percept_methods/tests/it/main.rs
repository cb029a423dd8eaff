//! Whole runs: on made-up recordings with a closed-form model, on a phantom, and on real fMRI where it is at hand.

mod arrays;
mod b2c;
mod captions;
mod comparison;
mod double;
mod encoding;
mod experiment;
mod extend;
mod features;
mod listening;
mod miyawaki;
mod music;
mod nsd;
mod planted;
mod resume;
mod study;
mod video;
