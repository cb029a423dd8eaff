//! Training and test sets that cannot leak: a stimulus is on one side only, or the split is not made.
//!
//! Published splits that do leak exist (all test images of Miyawaki et al. 2008 occur in training). They can be used,
//! but only through [`Split::leaky`], which keeps the list of what leaks for the warning and the report.

use std::collections::BTreeSet;

/// Rows for fitting and rows for testing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    train: Vec<usize>,
    test: Vec<usize>,
    leaked_stimuli: Vec<usize>,
}

/// Why a split was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SplitError {
    /// Some stimuli stand on both sides.
    #[error(
        "{n_leaked} of {n_test} test stimuli also occur in training, first stimulus `{first}` (split by stimulus, or set `allow_leaks = true` to go on with a warning)"
    )]
    Leak {
        /// How many test stimuli leak.
        n_leaked: usize,
        /// How many test stimuli there are.
        n_test: usize,
        /// The smallest leaking stimulus.
        first: usize,
    },
    /// One side holds no rows.
    #[error("the {side} side of the split is empty (check the split's rows)")]
    Empty {
        /// `training` or `test`.
        side: &'static str,
    },
}

impl Split {
    /// A split by sample, refused when a stimulus stands on both sides.
    ///
    /// # Errors
    /// [`SplitError::Leak`] and [`SplitError::Empty`].
    pub fn by_samples(train: Vec<usize>, test: Vec<usize>, stimulus_of_sample: &[usize]) -> Result<Self, SplitError> {
        let split = Self::leaky(train, test, stimulus_of_sample)?;
        match split.leaked_stimuli.first() {
            None => Ok(split),
            Some(&first) => {
                let n_test = split.test.iter().map(|&s| stimulus_of_sample[s]).collect::<BTreeSet<_>>().len();
                Err(SplitError::Leak { n_leaked: split.leaked_stimuli.len(), n_test, first })
            }
        }
    }

    /// A split as somebody else made it; stimuli on both sides are kept and listed in [`Split::leaked_stimuli`].
    ///
    /// # Errors
    /// [`SplitError::Empty`].
    pub fn leaky(train: Vec<usize>, test: Vec<usize>, stimulus_of_sample: &[usize]) -> Result<Self, SplitError> {
        for (side, rows) in [("training", &train), ("test", &test)] {
            if rows.is_empty() {
                return Err(SplitError::Empty { side });
            }
        }
        let stimuli = |rows: &[usize]| rows.iter().map(|&s| stimulus_of_sample[s]).collect::<BTreeSet<_>>();
        let leaked_stimuli = stimuli(&train).intersection(&stimuli(&test)).copied().collect();
        Ok(Self { train, test, leaked_stimuli })
    }

    /// One split per stimulus: its samples are tested, all others train. Stimuli in ascending order.
    ///
    /// # Errors
    /// [`SplitError::Empty`] when there is only one stimulus.
    pub fn leave_one_stimulus_out(stimulus_of_sample: &[usize]) -> Result<Vec<Self>, SplitError> {
        let stimuli: BTreeSet<usize> = stimulus_of_sample.iter().copied().collect();
        stimuli
            .iter()
            .map(|held_out| {
                let (test, train) =
                    (0..stimulus_of_sample.len()).partition(|&sample| stimulus_of_sample[sample] == *held_out);
                Self::by_samples(train, test, stimulus_of_sample)
            })
            .collect()
    }

    /// Rows to fit on.
    pub fn train(&self) -> &[usize] {
        &self.train
    }

    /// Rows to test on.
    pub fn test(&self) -> &[usize] {
        &self.test
    }

    /// Stimuli on both sides, ascending; empty unless made by [`Split::leaky`].
    pub fn leaked_stimuli(&self) -> &[usize] {
        &self.leaked_stimuli
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_refused_and_counted() {
        let error = Split::by_samples(vec![0, 1], vec![2, 3], &[4, 5, 5, 6]).expect_err("stimulus 5 leaks");
        assert_eq!(error, SplitError::Leak { n_leaked: 1, n_test: 2, first: 5 });
        let split = Split::leaky(vec![0, 1], vec![2, 3], &[4, 5, 5, 6]).expect("allowed");
        assert_eq!(split.leaked_stimuli(), &[5]);
    }

    #[test]
    fn leaving_one_stimulus_out_covers_every_sample_once() {
        let splits = Split::leave_one_stimulus_out(&[1, 0, 1, 2]).expect("three stimuli");
        let mut tested: Vec<usize> = splits.iter().flat_map(|s| s.test().to_vec()).collect();
        tested.sort_unstable();
        assert_eq!(tested, vec![0, 1, 2, 3]);
        assert!(splits.iter().all(|s| s.leaked_stimuli().is_empty()));
    }
}
