//! Ground truth made to measure: drawn scenes with captions, and phantom subjects in true on-disk formats.
//!
//! - [`drawing`]: 64 × 64 pictures of scenes and figures, each with five captions, drawn from a seed
//! - [`moving`]: films of such scenes: things that move, turn, grow, come and go
//! - [`story`]: films that nobody shot, annotated on five levels
//! - [`planted`]: voxels that follow given features
//! - [`tunes`]: music that nobody wrote, with tags and captions
//! - [`watcher`]: simulated brains that watch films, written as BIDS
//! - [`rat`]: a rat whose local field potential wakes, sleeps and dreams
//! - [`listener`]: simulated brains that hear tunes, written as BIDS
//! - [`scanner`]: what simulated subjects in a scanner share
//! - [`spectator`]: simulated brains that watch films whose frames are given, written as cc2017
//! - [`phantom`]: simulated brains that see drawings, with known truth and NSD's noise, written as an NSD tree

pub mod drawing;
pub mod listener;
pub mod moving;
pub mod phantom;
pub mod planted;
pub mod rat;
pub mod scanner;
pub mod spectator;
pub mod story;
pub mod tunes;
pub mod watcher;
