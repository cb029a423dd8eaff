//! What was measured, as plain data.

use percept_signal::Surrogate;
use percept_stats::bootstrap::{Interval, PairedDifference};
use serde::Serialize;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Segments of the recording.
    pub n_segments: usize,
    /// Frames of each.
    pub n_frames: usize,
}

impl Default for Extent {
    fn default() -> Self {
        Self { n_segments: 24, n_frames: 60 }
    }
}

/// A recording or one of its surrogates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// As it was recorded.
    Recording,
    /// A surrogate.
    Surrogate(Surrogate),
}

impl Condition {
    /// All of them, the recording first.
    pub const ALL: [Self; 4] = [
        Self::Recording,
        Self::Surrogate(Surrogate::Phases),
        Self::Surrogate(Surrogate::Shuffled),
        Self::Surrogate(Surrogate::White),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Surrogate(Surrogate::Phases) => "random phases",
            Self::Surrogate(Surrogate::Shuffled) => "time shuffled",
            Self::Surrogate(Surrogate::White) => "white noise",
        }
    }
}

/// A mean over segments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Interval,
}

/// What was measured of one quantity in one condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// `latent`, `pixel` or `clip`.
    pub quantity: &'static str,
    /// Per lag, the mean distance.
    pub distance: Vec<Mean>,
    /// Per lag, the mean correlation.
    pub correlation: Vec<Mean>,
    /// Distance of neighbouring frames, per segment.
    pub neighbours: Vec<f64>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub condition: &'static str,
    /// Its curves.
    pub curves: Vec<Curve>,
    /// The rank-free correlation over pairs of frames between distance of latents and of pixels, a mean over segments.
    pub follows: Mean,
    /// The share of segments whose state was told from their pictures; `None` where pictures have no CLIP.
    pub told: Option<Mean>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Lags in frames.
    pub lags: Vec<usize>,
    /// Frames per second.
    pub fps: f64,
    /// Segments and frames of each.
    pub extent: [usize; 2],
    /// The conditions.
    pub conditions: Vec<Measured>,
    /// Distance of neighbouring pictures (pixels) of the recording less that of the time-shuffled one, segment by segment.
    pub nearer: Difference,
    /// The same by CLIP.
    pub nearer_clip: Option<Difference>,
}

/// A difference over segments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// Two-sided p of sign flips.
    pub p: f64,
}

impl From<PairedDifference> for Difference {
    fn from(found: PairedDifference) -> Self {
        Self { mean: found.mean, interval: found.interval, p: found.p }
    }
}
