//! Draws for the bootstrap that all units share: which blocks of samples are taken how often.
//!
//! Samples that depend on each other are drawn together: stretches of a run, presentations of a stimulus. A draw takes as many blocks
//! as there are, with replacement. Since all units share the draws, sums over a draw are one matrix product, and the mean over a
//! region has an interval that knows how its units go together.
//!
//! References: Künsch 1989, doi:10.1214/aos/1176347265 (blocks of a series); Field and Welsh 2007,
//! doi:10.1111/j.1467-9868.2007.00593.x (clusters).

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};
use percept_core::Seed;
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{LEVEL, quantile};
use crate::error::{StatsError, at_least, same_shape};

/// Draws of blocks of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampling {
    block_of_sample: Vec<usize>,
    /// n_draws × n_blocks: how often each block is taken.
    counts: Array2<f64>,
}

/// A value with what the bootstrap says about it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value of the samples as they are.
    pub value: f64,
    /// Lower end of the 95 % percentile interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// (1 + draws at or below 0) / (1 + draws): how surely the value is above 0.
    pub p: f64,
}

impl Estimate {
    /// From the value and its draws; draws that are not defined are left out. `None` when too few are left for an interval.
    pub fn new(value: f64, draws: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut draws: Vec<f64> = draws.into_iter().filter(|draw| draw.is_finite()).collect();
        if !value.is_finite() || draws.len() < 2 {
            return None;
        }
        let below = draws.iter().filter(|draw| **draw <= 0.0).count();
        draws.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - LEVEL) / 2.0;
        Some(Self {
            value,
            low: quantile(&draws, tail),
            high: quantile(&draws, 1.0 - tail),
            p: (1 + below) as f64 / (1 + draws.len()) as f64,
        })
    }
}

impl Resampling {
    /// Stretches of `length` samples of each run (the last of a run may be shorter), for series.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for no draws or fewer than two blocks, [`StatsError::Range`] for a length of 0.
    pub fn blocks(run_of_sample: &[usize], length: usize, n_draws: usize, seed: Seed) -> Result<Self, StatsError> {
        if length == 0 {
            return Err(StatsError::Range { what: "length of blocks", value: 0.0, range: "1.." });
        }
        let mut block_of_sample = Vec::with_capacity(run_of_sample.len());
        let mut next = 0;
        for run in run_of_sample.chunk_by(|a, b| a == b) {
            block_of_sample.extend((0..run.len()).map(|sample| next + sample / length));
            next += run.len().div_ceil(length);
        }
        Self::draw(block_of_sample, next, n_draws, seed)
    }

    /// Samples of one label (a stimulus, a run, a story) are drawn together.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for no draws or fewer than two labels.
    pub fn labels(label_of_sample: &[usize], n_draws: usize, seed: Seed) -> Result<Self, StatsError> {
        let mut number = BTreeMap::new();
        for label in label_of_sample {
            number.insert(*label, 0);
        }
        for (position, place) in number.values_mut().enumerate() {
            *place = position;
        }
        let block_of_sample = label_of_sample.iter().map(|label| number[label]).collect();
        Self::draw(block_of_sample, number.len(), n_draws, seed)
    }

    /// Draws made elsewhere: `counts` n_draws × n_blocks, whole numbers from 0 on.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for no draws, [`StatsError::Range`] for a sample of a block that does not exist.
    pub fn from_counts(block_of_sample: Vec<usize>, counts: Array2<f64>) -> Result<Self, StatsError> {
        at_least("draws", 1, counts.nrows())?;
        if let Some(block) = block_of_sample.iter().find(|block| **block >= counts.ncols()) {
            return Err(StatsError::Range { what: "block", value: *block as f64, range: "0..n_blocks" });
        }
        Ok(Self { block_of_sample, counts })
    }

    fn draw(block_of_sample: Vec<usize>, n_blocks: usize, n_draws: usize, seed: Seed) -> Result<Self, StatsError> {
        at_least("draws", 1, n_draws)?;
        at_least("blocks of samples", 2, n_blocks)?;
        let mut counts = Array2::zeros((n_draws, n_blocks));
        counts.outer_iter_mut().into_par_iter().enumerate().for_each(|(draw, mut row)| {
            let mut stream = seed.at(draw as u64).stream();
            for _ in 0..n_blocks {
                row[stream.random_range(0..n_blocks as u64) as usize] += 1.0;
            }
        });
        Ok(Self { block_of_sample, counts })
    }

    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        self.block_of_sample.len()
    }

    /// Number of draws.
    pub fn n_draws(&self) -> usize {
        self.counts.nrows()
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.counts.ncols()
    }

    pub(crate) fn accepts(&self, what: &'static str, values: ArrayView2<'_, f32>) -> Result<(), StatsError> {
        same_shape((what, &[values.nrows()]), ("resampling", &[self.n_samples()]))
    }

    /// Sums over the samples as they are (first row) and over every draw of columns that `fill(sample, row)` adds to:
    /// (1 + n_draws) × n_columns.
    pub(crate) fn sums(&self, n_columns: usize, mut fill: impl FnMut(usize, &mut [f64])) -> Array2<f64> {
        let mut of_block = Array2::<f64>::zeros((self.n_blocks(), n_columns));
        for (sample, &block) in self.block_of_sample.iter().enumerate() {
            fill(sample, of_block.row_mut(block).into_slice().expect("rows of new arrays are contiguous"));
        }
        let mut sums = Array2::zeros((1 + self.n_draws(), n_columns));
        sums.row_mut(0).assign(&of_block.sum_axis(ndarray::Axis(0)));
        ndarray::linalg::general_mat_mul(1.0, &self.counts, &of_block, 0.0, &mut sums.slice_mut(ndarray::s![1.., ..]));
        sums
    }

    /// Samples of each draw: how many there are, as the samples are and in every draw.
    pub(crate) fn sizes(&self) -> Vec<f64> {
        self.sums(1, |_, row| row[0] += 1.0).column(0).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_with_their_run_and_draws_take_as_many_as_there_are() {
        let run: Vec<usize> = [(4, 7), (0, 5)].iter().flat_map(|&(run, n)| vec![run; n]).collect();
        let found = Resampling::blocks(&run, 3, 40, Seed::new(1)).expect("fits");
        assert_eq!(found.block_of_sample, vec![0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 4, 4]);
        assert!(found.counts.rows().into_iter().all(|row| row.sum() == 5.0));
        let labels = Resampling::labels(&[9, 2, 9, 5], 10, Seed::new(1)).expect("fits");
        assert_eq!(labels.block_of_sample, vec![2, 0, 2, 1]);
        assert!(Resampling::labels(&[1, 1], 10, Seed::new(1)).is_err());
    }

    #[test]
    fn the_first_row_of_sums_is_that_of_the_samples_as_they_are() {
        let found = Resampling::labels(&[0, 1, 2, 0], 3, Seed::new(1)).expect("fits");
        let sums = found.sums(2, |sample, row| {
            row[0] += sample as f64;
            row[1] += 1.0;
        });
        assert_eq!(sums.row(0).to_vec(), vec![6.0, 4.0]);
        assert_eq!(sums.column(1).to_vec(), found.sizes());
    }

    #[test]
    fn an_estimate_counts_the_draws_that_are_not_above_zero() {
        let found = Estimate::new(0.5, [0.0, 1.0, -1.0, 2.0, f64::NAN]).expect("draws");
        assert_eq!((found.value, found.p), (0.5, 0.6));
        assert!((found.low + 0.925).abs() < 1e-12 && (found.high - 1.925).abs() < 1e-12);
        assert_eq!(Estimate::new(f64::NAN, [1.0, 2.0]), None);
    }
}
