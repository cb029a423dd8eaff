//! What a run ends in: plain data that a report shows and another program reads, in `outcome.json`.
//!
//! Whoever computed a result also says what its methods and metrics are ([`ArmSummary`], [`MetricFacts`]), so a report knows no
//! method by its name. Pictures are named by their path inside the run's folder. Nothing here depends on a clock or a
//! machine.

use serde::{Deserialize, Serialize};

use crate::figure::Section;
use crate::provenance::Provenance;
use crate::score::{DifferenceRow, ScoreRow};

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The experiment's name.
    pub name: String,
    /// One or two sentences: whose brain, which stimuli, which comparison.
    pub lead: String,
    /// What the user must know before believing the numbers, most serious first.
    pub warnings: Vec<String>,
    /// What was measured.
    pub data: DataSummary,
    /// The fitted decoders, one per feature space.
    pub decoders: Vec<DecoderSummary>,
    /// What was compared, in the order of the columns of the gallery.
    pub arms: Vec<ArmSummary>,
    /// The arm that a summary shows; `None` when no arm is a method.
    pub main: Option<String>,
    /// What the metrics of the scores are, in the order of the tables.
    pub metrics: Vec<MetricFacts>,
    /// One metric of one arm each.
    pub scores: Vec<ScoreRow>,
    /// What the methods score more than one another, item by item.
    #[serde(default)]
    pub differences: Vec<DifferenceRow>,
    /// Test items with their pictures and scores, in the order of their first presentation.
    pub items: Vec<ItemResult>,
    /// What else is to be seen: curves of a training, ablations, maps of attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// The resolved experiment as TOML.
    pub experiment: String,
    /// What made this.
    pub provenance: Provenance,
}

/// What was measured, in counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Subject or data set, such as `phantom subj01`.
    pub subject: String,
    /// Where the responses came from, in words (`NSD tree, betas of type 3, sessions 1 to 4`).
    pub source: String,
    /// How training and test sets were made, in words.
    pub split: String,
    /// Samples on the training side (of one fold, where there are several: the mean).
    pub n_train_samples: usize,
    /// Different stimuli on the training side (likewise).
    pub n_train_stimuli: usize,
    /// Samples that were tested.
    pub n_test_samples: usize,
    /// Different stimuli that were tested.
    pub n_test_stimuli: usize,
    /// The regions.
    pub regions: Vec<RegionSummary>,
    /// Disjoint groups of units that some decoders treat apart; none where nothing reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<RegionSummary>,
}

/// One region or group of units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionSummary {
    /// Its name, such as `early`.
    pub name: String,
    /// How it was selected, such as `streams.early`; empty when the name says it.
    pub selector: String,
    /// Units in it.
    pub n_units: usize,
    /// Units left out because they were not finite.
    pub n_dropped: usize,
    /// Median noise-ceiling signal-to-noise ratio over units, where stimuli were repeated.
    pub ncsnr_median: Option<f64>,
    /// Median noise ceiling over units as a share of variance (0 to 1), for the number of repeats that were averaged.
    pub ceiling_median: Option<f64>,
}

/// One fitted decoder: responses to a feature space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DecoderSummary {
    /// The feature space, such as `z`.
    pub feature: String,
    /// The region it reads.
    pub region: String,
    /// Rows it was fitted on (the mean over folds).
    pub n_samples: usize,
    /// Units read.
    pub n_units: usize,
    /// Target dimensions.
    pub n_targets: usize,
    /// Independent fits, one per fold of the split; the other numbers are means over them.
    pub n_folds: usize,
    /// Regularisation strengths, ascending.
    pub alphas: Vec<f64>,
    /// How many targets chose each, over all folds.
    pub n_targets_of_alpha: Vec<usize>,
    /// Mean over targets of the cross-validated R².
    pub cv_r2: f64,
    /// Mean over targets of the correlation of predicted with true features over test items.
    pub test_correlation: f64,
    /// Variance of held-out predictions over that of the targets: what shrinkage left.
    pub kept_variance: f64,
    /// The factor by which predictions were rescaled (the median over targets); 1 without rescaling.
    pub rescale_median: f64,
}

/// Why an arm stands in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Made from the brain's responses: a result.
    Method,
    /// The same procedure without the right brain: what the generator makes up by itself.
    Control,
    /// The same procedure with the true features: what perfect decoding would give.
    Bound,
    /// A simple procedure that every method must beat.
    Baseline,
}

impl Role {
    /// Whether the arm is a result, not a judge of results.
    pub fn is_method(self) -> bool {
        self == Self::Method
    }
}

/// One arm of a comparison: one way of making something for every item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// The name in the scores: `z`, `c`, `z+c`, `shuffled`, `mean`, `true` …
    pub name: String,
    /// Why it is there.
    pub role: Role,
    /// A few words for the head of a column, such as `appearance only`; empty for none.
    pub short: String,
    /// One sentence on how it was made.
    pub description: String,
    /// Pictures per item; 0 for an arm without pictures.
    pub n_draws: usize,
}

/// How a metric's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number with three decimals.
    Plain,
    /// A share, written as a percentage.
    Percent,
}

/// What a metric is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricFacts {
    /// The name in score rows, with its dialect: `pixcorr`, `twoway_clip`.
    pub name: String,
    /// The heading in tables, such as `2-way, CLIP`.
    pub label: String,
    /// One or two sentences for the notes.
    pub description: String,
    /// How values are written.
    pub unit: Unit,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// What guessing scores, where that is known.
    pub chance: Option<f64>,
}

/// One test item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Stable name.
    pub id: String,
    /// A caption of the stimulus; empty without captions.
    pub caption: String,
    /// The stimulus as a PNG, relative to the run's folder.
    pub stimulus: String,
    /// Repeats that were averaged.
    pub n_repeats: usize,
    /// Per arm, in the order of [`Outcome::arms`].
    pub arms: Vec<ItemArm>,
}

/// What one arm made for one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemArm {
    /// PNG files relative to the run's folder, one per draw.
    pub pictures: Vec<String>,
    /// Mean over draws of each metric that the arm has, in the order of [`Outcome::scores`] for this arm; `None` where it is not
    /// defined.
    pub scores: Vec<Option<f64>>,
    /// The caption that was decoded, word by word; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<SaidWord>,
}

/// A word of a decoded caption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidWord {
    /// The word.
    pub word: String,
    /// Whether people's captions of the stimulus use it; `None` for words that say nothing by themselves, such as `the`, and
    /// where there are no such captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_right: Option<bool>,
}

impl Outcome {
    /// The arm `name`.
    pub fn arm(&self, name: &str) -> Option<&ArmSummary> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// What the metric `name` is; `None` when nobody said.
    pub fn metric(&self, name: &str) -> Option<&MetricFacts> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}
