//! A subject's finished run, and a row over subjects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use percept_core::Outcome;
use percept_pipeline::encoding::Axes;
use percept_pipeline::experiment::encoding::EncodingExperiment;
use serde::{Deserialize, Serialize};

use super::super::rows::EncodingRow;

/// One quantity of one set of features in one region, over subjects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageRow {
    /// The region; `all` for all units.
    pub region: String,
    /// The space, or several joined by `+`.
    pub space: String,
    /// Layer, step, block, phase; empty where the space has one set.
    pub axes: Axes,
    /// What is counted, as in [`EncodingRow`].
    pub metric: String,
    /// The mean over subjects.
    pub value: f64,
    /// Lower end of Student's 95 % interval over subjects.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What chance gives, the mean over subjects.
    pub chance: Option<f64>,
    /// What any model could reach, the mean over subjects.
    pub ceiling: Option<f64>,
    /// Subjects.
    pub n: usize,
    /// p of a mean that is not above chance (Student's t over subjects, one-sided), where it is tested.
    pub p: Option<f64>,
    /// p adjusted by Benjamini and Hochberg over all rows of the quantity.
    pub q: Option<f64>,
    /// The value of each subject.
    pub subjects: BTreeMap<String, f64>,
}

/// A finished run.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) experiment: EncodingExperiment,
    pub(super) outcome: Outcome,
    pub(super) rows: Vec<EncodingRow>,
}
