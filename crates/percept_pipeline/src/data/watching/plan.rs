//! Segments: what will be read, and what was.

use std::ops::Range;
use std::path::PathBuf;

use ndarray::Array3;

use super::timing::Showing;

/// A stretch of film, and where its responses are.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// `seg1`, `test1`.
    pub name: String,
    /// Whether it is there to be tested on.
    pub is_test: bool,
    /// The film, a file or a folder of pictures.
    pub film: PathBuf,
    /// The second of the film at which the clip of the first row begins.
    pub start_secs: f64,
    /// Clips, one for each row.
    pub n_trs: usize,
    /// Its rows of the responses.
    pub rows: Range<usize>,
    /// How often it was shown.
    pub n_repeats: usize,
}

/// The showings of a test segment, one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeats {
    /// The segment, by its number.
    pub segment: usize,
    /// n_repeats × n_trs × n_units; its mean over repeats are the rows of the segment.
    pub values: Array3<f32>,
}

/// A segment before its images are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) is_test: bool,
    pub(super) film: PathBuf,
    /// Seconds of the film at which it begins, and for how long it goes on.
    pub(super) film_secs: [f64; 2],
    pub(super) showings: Vec<Showing>,
}

/// What will be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) subject: String,
    /// Files of images and what they are called.
    pub(super) recordings: Vec<(String, PathBuf)>,
    pub(super) segments: Vec<Planned>,
    pub(super) tr_secs: f64,
    pub(super) warnings: Vec<String>,
}
