//! What is to be fitted.

use std::path::PathBuf;

use percept_io::array::Reference;
use percept_regress::{RidgeParams, Score};
use serde::{Deserialize, Serialize};

/// What is held out in turn to choose penalties.
#[derive(Clone, Debug, PartialEq)]
pub enum HoldOut {
    /// Every sample by itself.
    Samples,
    /// Samples that carry the same label in this list.
    Groups(Reference),
    /// So many folds of consecutive samples, or of whole groups.
    Folds(usize, Option<Reference>),
    /// Columns of an n_samples × n_splits matrix: 1 trains, 2 is scored, 0 is left out.
    Splits(Reference),
    /// Chunks of consecutive samples at random, several times.
    Chunks {
        /// Samples in a chunk.
        length: usize,
        /// Chunks held out in each draw.
        held: usize,
        /// Draws.
        draws: usize,
        /// Where the draws come from.
        seed: u64,
    },
}

/// Which regression is fitted.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// A ridge regression of all features, its penalties chosen on held-out samples. Targets pass in tiles.
    Ridge,
    /// The same from a kernel: `x` holds the products of samples with each other, weights are those of samples.
    Kernel,
    /// A scale for each feature space (`x` and each of `bands`), chosen on held-out samples. Targets are held whole.
    Banded {
        /// Draws over all scales.
        n_draws: usize,
        /// Where the draws come from.
        seed: u64,
    },
    /// A few features for each target, those that correlate with it; one penalty, nothing held out. Targets pass in tiles.
    Selected {
        /// Features of each target.
        n_features: usize,
        /// Treat the intercept as one more feature under the penalty.
        penalize_intercept: bool,
    },
    /// A ridge regression for each region, the best of them averaged. Targets are held whole.
    Regions {
        /// A label per feature: features with the same label are a region.
        of_feature: Reference,
        /// How many regions are averaged.
        n_best: usize,
        /// Whether each target has its own best regions.
        per_target: bool,
    },
}

impl Method {
    /// Its name in models.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ridge => "ridge",
            Self::Kernel => "kernel",
            Self::Banded { .. } => "banded",
            Self::Selected { .. } => "selected",
            Self::Regions { .. } => "regions",
        }
    }

    /// Whether targets are fitted all at once.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Banded { .. } | Self::Regions { .. })
    }
}

/// What to do about values that are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Refuse them, naming rows and columns.
    Refuse,
    /// Leave out rows of which nothing is there, and columns of which something is missing in the other rows.
    Mask,
}

/// The precision of inputs, products and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits; Gram matrix, decomposition, means and scores are 64 bits all the same.
    Single,
    /// 64 bits throughout.
    Double,
}

/// One of several processes that share the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl FitJob {
    /// The precision of the fit: that of the settings, but 64 bits where held-out correlations are wanted. In 32 bits a prediction
    /// under a large penalty is rounding.
    pub fn working_precision(&self) -> Precision {
        if self.params.score == Score::Pearson { Precision::Double } else { self.precision }
    }

    /// The fit of `y` on `x` that leaves out what `hold_out` says, with everything else as it is by default.
    pub fn new(x: Reference, y: Reference, hold_out: HoldOut, params: RidgeParams, out: PathBuf) -> Self {
        Self {
            x,
            bands: Vec::new(),
            y,
            hold_out,
            method: Method::Ridge,
            average: None,
            components: None,
            stimuli: None,
            allow_leaks: false,
            weights: None,
            target_groups: None,
            params,
            precision: Precision::Single,
            missing: Missing::Refuse,
            memory: None,
            targets_per_tile: None,
            cache: None,
            shard: None,
            stop_after: None,
            out,
        }
    }
}

/// A fit.
#[derive(Clone, Debug, PartialEq)]
pub struct FitJob {
    /// Samples × features.
    pub x: Reference,
    /// Further features of the same samples, to the right of `x`.
    pub bands: Vec<Reference>,
    /// Samples × targets.
    pub y: Reference,
    /// What is held out.
    pub hold_out: HoldOut,
    /// Which regression is fitted.
    pub method: Method,
    /// A label per sample: samples with the same label are averaged and weigh as many as they are.
    pub average: Option<Reference>,
    /// Features are replaced by so many principal components of the training samples; the model's weights are those of features.
    pub components: Option<usize>,
    /// A label per sample; folds that part samples with one label are refused, unless `allow_leaks`.
    pub stimuli: Option<Reference>,
    /// Go on although folds part the repeats of a stimulus.
    pub allow_leaks: bool,
    /// A weight per sample.
    pub weights: Option<Reference>,
    /// A label per target: targets with the same label share a penalty.
    pub target_groups: Option<Reference>,
    /// The settings of the regression.
    pub params: RidgeParams,
    /// The precision.
    pub precision: Precision,
    /// What to do about missing values.
    pub missing: Missing,
    /// Bytes of memory granted; by default most of what is free.
    pub memory: Option<u64>,
    /// At most so many targets are held at a time, whatever the memory.
    pub targets_per_tile: Option<usize>,
    /// Folder where decompositions are kept for other fits; by default the model's folder, until it is finished.
    pub cache: Option<PathBuf>,
    /// The part of the targets to fit.
    pub shard: Option<Shard>,
    /// Stop after so many tiles: a budget for queues.
    pub stop_after: Option<usize>,
    /// The model's folder.
    pub out: PathBuf,
}
