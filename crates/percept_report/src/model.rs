//! What a report says: plain data that serialises, filled by whoever ran the experiment and turned into a page by [`crate::render`].
//!
//! Pictures are named by their path inside the run's directory, never held here, so the model stays small enough to be
//! written beside the results and rendered again later. Nothing in it depends on a clock or a machine.

use percept_core::{DifferenceRow, Provenance, ScoreRow, Section};
use serde::{Deserialize, Serialize};

/// One report: everything the page shows, in the order it shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportModel {
    /// The experiment's name, such as `phantom demo`.
    pub title: String,
    /// One or two sentences: whose brain, which stimuli, which comparison.
    pub lead: String,
    /// What a reader must know before believing the numbers, most serious first; shown on top.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Reconstructions beside what was presented; usually one.
    #[serde(default)]
    pub galleries: Vec<Gallery>,
    /// What the columns and methods are, where more is known than their names say.
    #[serde(default)]
    pub methods: Vec<MethodFacts>,
    /// All scores; methods and metrics are shown in the order of their first row.
    #[serde(default)]
    pub scores: Vec<ScoreRow>,
    /// Paired differences between methods; the reference of the first row is the one that the page compares with.
    #[serde(default)]
    pub differences: Vec<DifferenceRow>,
    /// Figures in sections of their own, between the scores and the data.
    #[serde(default)]
    pub sections: Vec<Section>,
    /// What was measured.
    pub data: DataFacts,
    /// The fitted decoders, one per feature space.
    #[serde(default)]
    pub decoders: Vec<DecoderFacts>,
    /// The resolved experiment as TOML, shown verbatim.
    #[serde(default)]
    pub experiment: String,
    /// Program version, seed, input hashes and settings.
    pub provenance: Provenance,
}

/// One method or control of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodFacts {
    /// Its name in scores and galleries.
    pub name: String,
    /// One sentence on how its pictures were made.
    pub description: String,
}

/// A grid of pictures: one row per stimulus, one column per method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// Heading of the grid, such as `Test stimuli`.
    pub title: String,
    /// Column names: `stimulus`, then methods and controls as they are named in the scores (`z`, `c`, `z+c`, `true`, `shuffled`, `mean`).
    pub columns: Vec<String>,
    /// Names of the per-stimulus scores by which the reader may sort, such as `CLIP 2-way of z+c`; larger is better.
    #[serde(default)]
    pub sort_keys: Vec<String>,
    /// One entry per stimulus, in the order of presentation.
    pub rows: Vec<GalleryRow>,
}

/// One stimulus and what was reconstructed for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GalleryRow {
    /// The stimulus' stable id, such as `nsd 02951`.
    pub id: String,
    /// What the stimulus shows, in words; empty when nobody wrote it down.
    #[serde(default)]
    pub caption: String,
    /// Paths of PNG files relative to the run's directory, parallel to [`Gallery::columns`]; `None` where there is no picture.
    pub pictures: Vec<Option<String>>,
    /// Values parallel to [`Gallery::sort_keys`].
    #[serde(default)]
    pub scores: Vec<f64>,
}

/// What was measured, in counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Subject or data set, such as `phantom subj01`.
    pub subject: String,
    /// Where the responses came from, in words (`NSD tree, betas of type 3, sessions 1 to 4`).
    pub source: String,
    /// How training and test sets were made.
    pub split: String,
    /// Trials on the training side.
    pub n_train_trials: usize,
    /// Different stimuli on the training side.
    pub n_train_stimuli: usize,
    /// Trials on the test side.
    pub n_test_trials: usize,
    /// Different stimuli on the test side.
    pub n_test_stimuli: usize,
    /// The regions whose voxels were used.
    #[serde(default)]
    pub rois: Vec<RoiFacts>,
    /// Disjoint groups of voxels that some decoders treat apart.
    #[serde(default)]
    pub groups: Vec<RoiFacts>,
}

/// One region of interest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoiFacts {
    /// Its name, such as `nsdgeneral` or `early`.
    pub name: String,
    /// How it was selected, such as `streams.early`; empty when the name says it.
    #[serde(default)]
    pub selector: String,
    /// Number of voxels (or channels).
    pub n_units: usize,
    /// Units left out because they were constant or not finite.
    #[serde(default)]
    pub n_dropped: usize,
    /// Median noise-ceiling signal-to-noise ratio over units, where repeats allow one.
    #[serde(default)]
    pub ncsnr_median: Option<f64>,
    /// Median noise ceiling over units as a share of variance (0 to 1) for the number of repeats that were averaged.
    #[serde(default)]
    pub ceiling_median: Option<f64>,
}

/// One fitted decoder: responses to a feature space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderFacts {
    /// The feature space, such as `sd.z`.
    pub feature: String,
    /// The regions it reads.
    pub rois: Vec<String>,
    /// Number of units read.
    pub n_units: usize,
    /// Number of target dimensions.
    pub n_targets: usize,
    /// Rows it was fitted on.
    pub n_samples: usize,
    /// Independent fits, one per fold of the split; the other numbers are means over them.
    #[serde(default = "one")]
    pub n_folds: usize,
    /// How often each regularisation strength was chosen, by ascending strength, zero counts included.
    #[serde(default)]
    pub alphas: Vec<AlphaCount>,
    /// Mean cross-validated score over targets, and what the score is (`R²`).
    #[serde(default)]
    pub cv_score: Option<f64>,
    /// Name of the cross-validated score.
    #[serde(default)]
    pub cv_metric: String,
    /// Mean correlation of predicted with true features over targets on the test side, where it is known.
    #[serde(default)]
    pub test_correlation: Option<f64>,
    /// Variance of held-out predictions as a share of that of the true features: what shrinkage left.
    #[serde(default)]
    pub kept_variance: Option<f64>,
    /// The factor by which predictions were stretched against shrinkage, where they were.
    #[serde(default)]
    pub rescale: Option<f64>,
}

fn one() -> usize {
    1
}

/// How many targets chose one regularisation strength.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaCount {
    /// The strength.
    pub alpha: f64,
    /// Number of targets that chose it.
    pub n_targets: usize,
}

impl DecoderFacts {
    /// Number of targets whose choice lies on the lower and on the upper edge of the grid.
    pub fn at_edges(&self) -> (usize, usize) {
        match (self.alphas.first(), self.alphas.last()) {
            (Some(first), Some(last)) if self.alphas.len() > 1 => (first.n_targets, last.n_targets),
            _ => (0, 0),
        }
    }
}
