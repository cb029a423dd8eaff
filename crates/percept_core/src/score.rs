//! Score rows: the one form in which every evaluation ends, in `scores.json`, Parquet, the report and on stdout; and the rows of
//! differences between methods, in `differences.json` beside it.

use serde::{Deserialize, Serialize};

/// One metric of one method on one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// The method (`z`, `c`, `z+c`) or control (`shuffled`, `mean`, `true`).
    pub method: String,
    /// The set of stimuli that was scored (`test`, `leave-one-stimulus-out`).
    pub split: String,
    /// The metric with its dialect (`pixcorr`, `ssim`, `twoway_pixel`, `twoway_clip`, `context_cosine`).
    pub metric: String,
    /// The mean over the items for which the metric is defined; never `NaN`.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval over items.
    pub low: f64,
    /// Upper end of the 95 % bootstrap interval over items.
    pub high: f64,
    /// What guessing would score: by the metric's nature, or what the same pictures score against other items' stimuli.
    pub chance: Option<f64>,
    /// Number of scored items.
    pub n: usize,
    /// Items that were left out because the metric is not defined for them: a picture of one colour has no correlation.
    #[serde(default)]
    pub n_undefined: usize,
}

/// What one method scores more than another by one metric, item by item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// The method whose scores count positive.
    pub method: String,
    /// The method it is compared with.
    pub reference: String,
    /// The set of stimuli that was scored.
    pub split: String,
    /// The metric with its dialect.
    pub metric: String,
    /// Mean over items of the score of `method` minus that of `reference`.
    pub value: f64,
    /// Lower end of the 95 % paired bootstrap interval over stimuli.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Two-sided p of a permutation test that exchanges the methods stimulus by stimulus; not corrected for the number of rows.
    pub p: f64,
    /// Number of items that both were scored on.
    pub n: usize,
}

impl DifferenceRow {
    /// Whether the interval lies wholly on one side of 0.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}
