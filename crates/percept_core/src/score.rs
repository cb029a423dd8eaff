//! Score rows: the one form in which every evaluation ends, in `scores.json`, Parquet, the report and on stdout.

use serde::{Deserialize, Serialize};

/// One metric of one method on one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// The method (`z`, `c`, `z+c`) or control (`shuffled`, `mean`, `true`).
    pub method: String,
    /// The set of stimuli that was scored (`test`, `leave-one-stimulus-out`).
    pub split: String,
    /// The metric with its dialect (`pixcorr`, `ssim`, `twoway_pixel`, `twoway_clip`).
    pub metric: String,
    /// The value over all scored items; `NaN` never occurs, an undefined score is an error where it arises.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval over items.
    pub low: f64,
    /// Upper end of the 95 % bootstrap interval over items.
    pub high: f64,
    /// What guessing would score, where that is known.
    pub chance: Option<f64>,
    /// Number of scored items.
    pub n: usize,
}
