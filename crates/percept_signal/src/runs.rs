//! Where runs lie in a list of samples, and which samples are left when the first of each run are dropped.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::error::SignalError;

/// Where each run lies, in the order of time. A run is a stretch of samples with one label.
pub(crate) fn runs((rows, columns): (usize, usize), run_of_sample: &[usize]) -> Result<Vec<Range<usize>>, SignalError> {
    if rows != run_of_sample.len() {
        return Err(SignalError::LabelCount { rows, labels: "runs", found: run_of_sample.len() });
    }
    if rows == 0 || columns == 0 {
        return Err(SignalError::Empty { rows, columns });
    }
    stretches(run_of_sample)
}

fn stretches(run_of_sample: &[usize]) -> Result<Vec<Range<usize>>, SignalError> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut seen = BTreeSet::new();
    for (sample, &run) in run_of_sample.iter().enumerate() {
        match runs.last_mut() {
            Some(last) if run_of_sample[sample - 1] == run => last.end = sample + 1,
            _ if seen.insert(run) => runs.push(sample..sample + 1),
            _ => return Err(SignalError::ScatteredRun { run, sample }),
        }
    }
    Ok(runs)
}

/// Samples that are left when the first `n_first` of every run are dropped, ascending: the scanner needs some volumes to reach
/// its steady state, and what was presented before a run began is not known.
///
/// # Errors
/// [`SignalError::ShortRun`] for a run that would lose all its samples, [`SignalError::ScatteredRun`].
///
/// # Example
/// ```
/// assert_eq!(percept_signal::without_first(&[3, 3, 3, 8, 8, 8, 8], 2)?, vec![2, 5, 6]);
/// # Ok::<(), percept_signal::SignalError>(())
/// ```
pub fn without_first(run_of_sample: &[usize], n_first: usize) -> Result<Vec<usize>, SignalError> {
    let mut kept = Vec::with_capacity(run_of_sample.len());
    for run in stretches(run_of_sample)? {
        if run.len() <= n_first {
            let (samples, needed) = (run.len(), n_first + 1);
            return Err(SignalError::ShortRun { run: run_of_sample[run.start], samples, needed, what: "dropping" });
        }
        kept.extend(run.start + n_first..run.end);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_would_vanish_is_named() {
        let error = without_first(&[0, 0, 0, 7, 7], 2).expect_err("run 7 has two samples");
        assert_eq!(error, SignalError::ShortRun { run: 7, samples: 2, needed: 3, what: "dropping" });
        assert_eq!(without_first(&[0, 1, 0], 0), Err(SignalError::ScatteredRun { run: 0, sample: 2 }));
        assert_eq!(without_first(&[], 5), Ok(Vec::new()));
    }
}
