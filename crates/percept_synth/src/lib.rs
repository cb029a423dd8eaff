//! Ground truth made to measure: drawn scenes with captions, and phantom subjects in true on-disk formats.
//!
//! - [`drawing`]: 64 × 64 pictures of scenes and figures, each with five captions, drawn from a seed
//! - [`story`]: films that nobody shot, annotated on five levels
//! - [`planted`]: voxels that follow given features
//! - [`watcher`]: simulated brains that watch films, written as BIDS
//! - [`rat`]: a rat whose local field potential wakes, sleeps and dreams
//! - [`phantom`]: simulated brains that see drawings, with known truth and NSD's noise, written as an NSD tree

pub mod drawing;
pub mod phantom;
pub mod planted;
pub mod rat;
pub mod story;
pub mod watcher;
