//! What is to be fitted.

use std::path::PathBuf;

use percept_io::array::Reference;
use percept_regress::RidgeParams;
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
    /// The fit of `y` on `x` that leaves out what `hold_out` says, with everything else as it is by default.
    pub fn new(x: Reference, y: Reference, hold_out: HoldOut, params: RidgeParams, out: PathBuf) -> Self {
        Self {
            x,
            y,
            hold_out,
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
    /// Samples × targets.
    pub y: Reference,
    /// What is held out.
    pub hold_out: HoldOut,
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
