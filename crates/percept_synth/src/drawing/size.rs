//! Sizes that all drawings share.

/// Height and width of every drawing in pixels.
pub const SIDE: usize = 64;

/// Captions that every drawing has.
pub const N_CAPTIONS: usize = 5;
