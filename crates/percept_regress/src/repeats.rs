//! Samples of one stimulus averaged, with the weight that the average deserves.
//!
//! The mean of m repeats has an m-th of the noise of one, so it counts m times in a weighted regression. Where the repeats share
//! their features that regression is the one on all repeats, coefficient by coefficient; where they do not (responses that decode
//! features) it is a different one with less noise in its features.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use crate::error::RegressError;
use crate::samples::same_rows;
use crate::solver::number::Real;
use crate::weights::checked_roots;

/// One sample for each stimulus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Labels of stimuli, ascending.
    pub labels: Vec<usize>,
    /// Samples of each stimulus, ascending.
    pub samples: Vec<Vec<usize>>,
}

impl Repeats {
    /// Samples with the same label are repeats of one stimulus.
    pub fn by_label(label_of_sample: &[usize]) -> Self {
        let mut of_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (sample, &label) in label_of_sample.iter().enumerate() {
            of_label.entry(label).or_default().push(sample);
        }
        let (labels, samples) = of_label.into_iter().unzip();
        Self { labels, samples }
    }

    /// Number of samples before averaging.
    pub fn n_samples(&self) -> usize {
        self.samples.iter().map(Vec::len).sum()
    }

    /// The weight of each average: the sum of its samples' weights, which are 1 unless given.
    ///
    /// # Errors
    /// [`RegressError::Weight`] and [`RegressError::Rows`].
    pub fn weights(&self, sample_weights: Option<&[f64]>) -> Result<Vec<f64>, RegressError> {
        checked_roots(sample_weights, self.n_samples())?;
        let weight = |sample: &usize| sample_weights.map_or(1.0, |weights| weights[*sample]);
        Ok(self.samples.iter().map(|samples| samples.iter().map(weight).sum()).collect())
    }

    /// Weighted means over the repeats of each stimulus: n_stimuli × n_columns, in the order of labels.
    ///
    /// # Shapes
    /// `values` n_samples × n_columns.
    ///
    /// # Errors
    /// [`RegressError::Weight`] and [`RegressError::Rows`].
    #[inline(never)]
    pub fn average<T: Real>(
        &self,
        values: ArrayView2<'_, T>,
        sample_weights: Option<&[f64]>,
    ) -> Result<Array2<T>, RegressError> {
        same_rows("values", values.nrows(), "labels", self.n_samples())?;
        checked_roots(sample_weights, values.nrows())?;
        let mut out = Array2::zeros((self.samples.len(), values.ncols()));
        let mut sums = vec![0.0; values.ncols()];
        for (mut row, samples) in out.rows_mut().into_iter().zip(&self.samples) {
            let mut total = 0.0;
            sums.fill(0.0);
            for &sample in samples {
                let weight = sample_weights.map_or(1.0, |weights| weights[sample]);
                total += weight;
                sums.iter_mut().zip(values.row(sample)).for_each(|(sum, value)| *sum += weight * value.as_f64());
            }
            row.iter_mut().zip(&sums).for_each(|(out, sum)| *out = T::from_f64(sum / total));
        }
        Ok(out)
    }

    /// One label for each stimulus from one for each sample.
    ///
    /// # Errors
    /// [`RegressError::Setting`] when the repeats of a stimulus carry different labels, [`RegressError::Rows`].
    pub fn common<L: Copy + PartialEq + std::fmt::Display>(
        &self,
        list: &'static str,
        of_sample: &[L],
    ) -> Result<Vec<L>, RegressError> {
        same_rows(list, of_sample.len(), "labels", self.n_samples())?;
        let one = |(label, samples): (&usize, &Vec<usize>)| {
            let first = of_sample[samples[0]];
            match samples.iter().find(|sample| of_sample[**sample] != first) {
                None => Ok(first),
                Some(&other) => Err(RegressError::Setting {
                    what: format!("repeats of stimulus `{label}` carry `{first}` and `{}` in {list}", of_sample[other]),
                    expected: "the same for all repeats that are averaged".to_owned(),
                    remedy: "label by stimulus, or do not average",
                }),
            }
        };
        self.labels.iter().zip(&self.samples).map(one).collect()
    }
}
