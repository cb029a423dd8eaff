//! What a film says about itself, and what one asks of it.

use serde::Serialize;

use super::ffmpeg::Programs;

/// How far a time may lie before the frame that is meant; containers round times to microseconds or 1/90,000 s.
pub(super) const NEARLY_SECS: f64 = 2e-5;

/// What a film says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilmInfo {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Frames a second; the mean where they are not equally long.
    pub frames_per_sec: f64,
    /// Frames that can be read.
    pub n_frames: usize,
    /// Seconds from the beginning of the first frame to the end of the last.
    pub secs: f64,
    /// What reads it: `AVI of JPEG`, `animated PNG`, `folder of pictures`, `ffmpeg 5.1.6`.
    pub how: String,
    /// What is odd about the file: that it is cut short, or counts other frames than there are.
    pub notes: Vec<String>,
}

/// How a film is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilmOptions {
    /// Frames a second of a folder of pictures, which does not say it itself; refused for other films.
    pub frames_per_sec: Option<f64>,
    /// What is started for films that are not read here.
    pub programs: Programs,
}

/// Which frames are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At<'a> {
    /// All of them, as they are.
    Every,
    /// What is shown every `1 / rate` seconds, from 0 on, as long as the film lasts.
    Rate(f64),
    /// What is shown at these seconds, in ascending order.
    Secs(&'a [f64]),
}

/// Which frames are wanted, and at which size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmRequest<'a> {
    /// The square in the middle, scaled to so many rows and columns; the whole frame without it.
    pub side: Option<usize>,
    /// Which frames.
    pub at: At<'a>,
}

/// Endings of names that films have; what [`super::Film::open`] reads does not depend on them.
pub const ENDINGS: [&str; 14] =
    ["avi", "mp4", "m4v", "mkv", "webm", "mov", "mpg", "mpeg", "wmv", "flv", "ogv", "ts", "apng", "png"];
