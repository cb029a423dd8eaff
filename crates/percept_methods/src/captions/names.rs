//! The words by which captions are asked for in an experiment file.

/// The method.
pub(super) const METHOD: &str = "caption";
/// The section of the experiment file.
pub(super) const SECTION: &str = "captions";
