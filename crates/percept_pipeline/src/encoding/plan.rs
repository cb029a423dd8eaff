//! What is predicted from what: folds over stimuli, runs or titles, and the items that are scored.
//!
//! An item of trials is a stimulus, its held-out samples averaged; an item of a series is a sample. Items of one fold were
//! predicted by one fit. Items that resemble their neighbours stand in one *block*: a stimulus by itself, some samples of a run
//! in a row; blocks are what is drawn in a bootstrap and what is moved in a permutation.

use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView2, Axis};

use crate::data::Recording;
use crate::error::PipelineError;
use crate::experiment::encoding::{EncodeSettings, HeldOut, StatisticsSettings};

/// Folds over stimuli where the experiment names none.
const STIMULUS_FOLDS: usize = 5;

/// One fit and what it predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Samples to fit on, ascending.
    pub train: Vec<usize>,
    /// Positions of its items.
    pub items: std::ops::Range<usize>,
}

/// What is predicted from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingPlan {
    /// The fits.
    pub folds: Vec<Fold>,
    /// The samples of each item, those of a fold together.
    pub items: Vec<Vec<usize>>,
    /// Stimulus, run or title of each item.
    pub group_of_item: Vec<usize>,
    /// Block of each item, counted from 0; items of a block follow each other.
    pub block_of_item: Vec<usize>,
    /// What is held out, in words.
    pub words: String,
}

impl EncodingPlan {
    /// The plan for `data`.
    ///
    /// # Errors
    /// Too few stimuli, runs or titles for the folds.
    pub fn new(
        data: &Recording,
        encode: &EncodeSettings,
        statistics: &StatisticsSettings,
    ) -> Result<Self, PipelineError> {
        let has_test = data.is_test.iter().any(|test| *test);
        let held_out = encode.held_out.unwrap_or(if has_test { HeldOut::Given } else { HeldOut::Folds });
        let (sides, words) = match held_out {
            HeldOut::Given => given(data)?,
            HeldOut::Folds => folds(data, encode)?,
        };
        let mut plan =
            Self { folds: Vec::new(), items: Vec::new(), group_of_item: Vec::new(), block_of_item: Vec::new(), words };
        for tested in sides {
            plan.push(data, &tested, statistics)?;
        }
        Ok(plan)
    }

    /// Adds the fold that tests the samples of the groups `tested`.
    fn push(
        &mut self,
        data: &Recording,
        tested: &BTreeSet<usize>,
        statistics: &StatisticsSettings,
    ) -> Result<(), PipelineError> {
        let is_tested = |sample: &usize| tested.contains(&data.group_of_sample[*sample]);
        let (test, train): (Vec<usize>, Vec<usize>) = (0..data.n_samples()).partition(is_tested);
        let start = self.items.len();
        for &group in tested {
            let samples: Vec<usize> =
                test.iter().copied().filter(|&sample| data.group_of_sample[sample] == group).collect();
            if data.is_trials() {
                self.block_of_item.push(self.n_blocks());
                self.items.push(samples);
                self.group_of_item.push(group);
                continue;
            }
            for run in samples.chunk_by(|a, b| data.session_of_sample[*a] == data.session_of_sample[*b]) {
                let first = self.n_blocks();
                // A block that would be cut short by the end of its run belongs to the one before it.
                let n_blocks = (run.len() / statistics.block).max(1);
                for (position, &sample) in run.iter().enumerate() {
                    self.block_of_item.push(first + (position / statistics.block).min(n_blocks - 1));
                    self.items.push(vec![sample]);
                    self.group_of_item.push(group);
                }
            }
        }
        let groups: BTreeSet<usize> = train.iter().map(|&sample| data.group_of_sample[sample]).collect();
        if groups.len() < 2 {
            let word = data.group_word();
            return Err(PipelineError::data(
                format!(
                    "a fold is fitted on {} {word} only, so no penalty can be chosen on held-out samples",
                    groups.len()
                ),
                format!("give the data another {word}, or hold out fewer"),
            ));
        }
        self.folds.push(Fold { train, items: start..self.items.len() });
        Ok(())
    }

    /// Number of items.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.block_of_item.last().map_or(0, |block| block + 1)
    }

    /// Fold of each item.
    pub fn fold_of_item(&self) -> Vec<usize> {
        self.folds.iter().enumerate().flat_map(|(fold, of)| vec![fold; of.items.len()]).collect()
    }

    /// Run of each item of a series.
    pub fn run_of_item(&self, data: &Recording) -> Vec<usize> {
        self.items.iter().map(|samples| data.session_of_sample[samples[0]]).collect()
    }

    /// Means over the samples of each of `items`: items × columns, from samples × columns.
    pub fn averaged(&self, items: std::ops::Range<usize>, samples: ArrayView2<'_, f32>) -> Array2<f64> {
        let mut out = Array2::zeros((items.len(), samples.ncols()));
        for (mut row, item) in out.rows_mut().into_iter().zip(items) {
            for &sample in &self.items[item] {
                row.zip_mut_with(&samples.row(sample), |sum, value| *sum += f64::from(*value));
            }
            row /= self.items[item].len() as f64;
        }
        out
    }

    /// The features of each item: those of its first sample, which all of its samples share.
    pub fn of_items<T: Clone>(&self, items: std::ops::Range<usize>, samples: ArrayView2<'_, T>) -> Array2<T> {
        let first: Vec<usize> = items.map(|item| self.items[item][0]).collect();
        samples.select(Axis(0), &first)
    }
}

/// The test side that the data name.
fn given(data: &Recording) -> Result<(Vec<BTreeSet<usize>>, String), PipelineError> {
    let tested: BTreeSet<usize> = (0..data.n_samples())
        .filter(|&sample| data.is_test[sample])
        .map(|sample| data.group_of_sample[sample])
        .collect();
    if tested.is_empty() {
        return Err(PipelineError::data(
            "`encode.held_out = \"given\"` needs a test side, and the data name none",
            "use `folds`",
        ));
    }
    let leaked =
        (0..data.n_samples()).find(|&sample| !data.is_test[sample] && tested.contains(&data.group_of_sample[sample]));
    if let Some(sample) = leaked {
        let word = data.group_word();
        return Err(PipelineError::data(
            format!("{word} `{}` stands on both sides of the given split", data.groups[data.group_of_sample[sample]]),
            "use `encode.held_out = \"folds\"`, which holds each out as a whole",
        ));
    }
    let words = format!("the test side of the data: {} {}", tested.len(), plural(data.group_word()));
    Ok((vec![tested], words))
}

/// Folds over the groups in their order, of about equal numbers.
fn folds(data: &Recording, encode: &EncodeSettings) -> Result<(Vec<BTreeSet<usize>>, String), PipelineError> {
    let n_groups = data.groups.len();
    let word = data.group_word();
    let asked = encode.folds.unwrap_or(if data.is_trials() { STIMULUS_FOLDS } else { 0 });
    let k = if asked == 0 { n_groups } else { asked };
    let least = if data.is_trials() { 2 } else { 1 };
    if k < 2 || n_groups < k * least {
        let in_each = if least == 2 { ", at least 2 in each: a single one has no correlation" } else { "" };
        return Err(PipelineError::data(
            format!("{k} folds of {n_groups} {} are asked for{in_each}", plural(word)),
            "set `encode.folds` lower, but to 2 or more",
        ));
    }
    let sides = (0..k).map(|fold| (0..n_groups).filter(|group| group * k / n_groups == fold).collect()).collect();
    let words = if k == n_groups {
        format!("each of {n_groups} {} in turn", plural(word))
    } else {
        format!("{n_groups} {} in {k} folds", plural(word))
    };
    Ok((sides, words))
}

/// The plural of what is held out.
pub fn plural(word: &str) -> String {
    if word == "stimulus" { "stimuli".to_owned() } else { format!("{word}s") }
}
