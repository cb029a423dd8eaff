//! What a run ends in: everything a report or another program needs, in `outcome.json`.
//!
//! Pictures are named by their path inside the run directory. Nothing here depends on a clock or a machine.

use percept_core::{DifferenceRow, Provenance, ScoreRow, Section};
use serde::{Deserialize, Serialize};

/// The result of a reconstruction run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The experiment's name.
    pub name: String,
    /// What the user must know before believing the numbers, most serious first.
    pub warnings: Vec<String>,
    /// What was measured.
    pub data: DataSummary,
    /// The fitted decoders.
    pub decoders: Vec<DecoderSummary>,
    /// What was reconstructed, in the order of the columns of the gallery.
    pub arms: Vec<ArmSummary>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Subject or data set.
    pub subject: String,
    /// Where the responses came from, in words.
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

/// One region or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionSummary {
    /// Its name.
    pub name: String,
    /// How it was selected.
    pub selector: String,
    /// Units that were read.
    pub n_units: usize,
    /// Units left out because they were not finite.
    pub n_dropped: usize,
    /// Median noise-ceiling signal-to-noise ratio over units, where repeats allow one.
    pub ncsnr_median: Option<f64>,
    /// Median noise ceiling as a share of variance for the repeats that were averaged.
    pub ceiling_median: Option<f64>,
}

/// One decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderSummary {
    /// The feature space, such as `z`.
    pub feature: String,
    /// The region it reads.
    pub region: String,
    /// Training samples (of one fold, where there are several: the mean).
    pub n_samples: usize,
    /// Units read.
    pub n_units: usize,
    /// Target dimensions.
    pub n_targets: usize,
    /// Independent fits (one per fold of the split).
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

/// One way of making pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// The name in the scores: `z`, `c`, `z+c`, `shuffled`, `mean`, `true` …
    pub name: String,
    /// One line for the reader.
    pub description: String,
    /// Pictures per item.
    pub n_samples: usize,
}

/// One test item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Stable name.
    pub id: String,
    /// A caption of the stimulus; empty without captions.
    pub caption: String,
    /// The stimulus as a PNG, relative to the run directory.
    pub stimulus: String,
    /// Repeats that were averaged.
    pub n_repeats: usize,
    /// Per arm, in the order of [`Outcome::arms`].
    pub arms: Vec<ItemArm>,
}

/// What one arm made for one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemArm {
    /// PNG files relative to the run directory, one per sample.
    pub pictures: Vec<String>,
    /// Mean over samples of each metric that the arm has, in the order of [`Outcome::scores`] for this arm.
    pub scores: Vec<f64>,
}
