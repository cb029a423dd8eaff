//! Finite impulse response: copies of features at several delays, which never reach across the boundary of a run or a story.
//!
//! A response is a sum of what was presented some samples earlier. Column `d · n_features + f` of the result holds feature `f` as
//! it was `delays[d]` samples before, within the same run; where that lies outside of the run the value is 0 and the row is not
//! complete. Shifting a whole recording at once, as is often done, lets the end of one run predict the start of the next.

use ndarray::{Array2, ArrayView2, NdFloat, s};

use crate::error::SignalError;
use crate::runs::runs;

/// Features at several delays.
#[derive(Clone, Debug, PartialEq)]
pub struct Delayed<T> {
    /// n_samples × (n_delays · n_features), one delay after the other.
    pub features: Array2<T>,
    /// Whether all delays of a row lie within its run. Rows near the start of a run (at its end for negative delays) are not.
    pub complete: Vec<bool>,
}

/// Features at `delays`, in samples; positive delays look into the past. A run is a stretch of samples with one label.
///
/// # Shapes
/// `features` n_samples × n_features in the order of time, `run_of_sample` n_samples.
///
/// # Errors
/// [`SignalError::LabelCount`], [`SignalError::Empty`], [`SignalError::Delays`] for none or one that stands twice,
/// [`SignalError::ScatteredRun`] for a label that comes back after another.
///
/// # Example
/// ```
/// use ndarray::array;
///
/// let features = array![[1.0f32], [2.0], [3.0], [4.0]];
/// let delayed = percept_signal::delayed(features.view(), &[0, 0, 1, 1], &[0, 1])?;
/// assert_eq!(delayed.features, array![[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 3.0]]);
/// assert_eq!(delayed.complete, vec![false, true, false, true]);
/// # Ok::<(), percept_signal::SignalError>(())
/// ```
pub fn delayed<T: NdFloat>(
    features: ArrayView2<'_, T>,
    run_of_sample: &[usize],
    delays: &[isize],
) -> Result<Delayed<T>, SignalError> {
    let (n_samples, n_features) = features.dim();
    let runs = runs(features.dim(), run_of_sample)?;
    if let Some(problem) = unusable(delays) {
        return Err(SignalError::Delays { problem });
    }
    let mut out = Array2::zeros((n_samples, delays.len() * n_features));
    let mut complete = vec![true; n_samples];
    for (position, &delay) in delays.iter().enumerate() {
        let columns = position * n_features..(position + 1) * n_features;
        for run in &runs {
            let shift = delay.unsigned_abs().min(run.len());
            let (from, to, missing) = if delay >= 0 {
                (run.start..run.end - shift, run.start + shift..run.end, run.start..run.start + shift)
            } else {
                (run.start + shift..run.end, run.start..run.end - shift, run.end - shift..run.end)
            };
            out.slice_mut(s![to, columns.clone()]).assign(&features.slice(s![from, ..]));
            complete[missing].fill(false);
        }
    }
    Ok(Delayed { features: out, complete })
}

/// The mean of features over `delays`, in samples: n_samples × n_features. A response that is a smooth bump some seconds after
/// the stimulus is often modelled so, without a weight for each delay (delays of 8, 9 and 10 s in Nakagi and others 2024).
///
/// A delay that reaches outside of its run counts as a row of zeros, as a column of [`delayed`] does; such rows are not complete.
///
/// # Shapes
/// `features` n_samples × n_features in the order of time, `run_of_sample` n_samples.
///
/// # Errors
/// As [`delayed`].
pub fn delayed_mean<T: NdFloat>(
    features: ArrayView2<'_, T>,
    run_of_sample: &[usize],
    delays: &[isize],
) -> Result<Delayed<T>, SignalError> {
    let n_features = features.ncols();
    let mut sum = Delayed { features: Array2::zeros((0, 0)), complete: Vec::new() };
    let mut n = T::zero();
    if let Some(problem) = unusable(delays) {
        return Err(SignalError::Delays { problem });
    }
    // One delay at a time: all of them as columns would take n_delays times the memory.
    for delay in delays {
        let one = delayed(features, run_of_sample, &[*delay])?;
        n += T::one();
        if sum.complete.is_empty() {
            sum = one;
        } else {
            sum.features += &one.features;
            sum.complete.iter_mut().zip(one.complete).for_each(|(all, one)| *all &= one);
        }
    }
    debug_assert_eq!(sum.features.ncols(), n_features);
    sum.features.mapv_inplace(|value| value / n);
    Ok(sum)
}

fn unusable(delays: &[isize]) -> Option<String> {
    if delays.is_empty() {
        return Some("no delays are given".to_owned());
    }
    let twice = delays.iter().enumerate().find(|(position, delay)| delays[..*position].contains(delay));
    twice.map(|(_, delay)| format!("delay {delay} stands twice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array, concatenate};

    #[test]
    fn delays_of_a_recording_are_those_of_its_runs_one_by_one() {
        let features = Array2::from_shape_fn((30, 3), |(i, j)| (i * 7 + j * 3 + 1) as f64);
        let label: Vec<usize> = (0..30).map(|sample| [4, 1, 9][sample / 10]).collect();
        for delays in [&[0isize, 1, 2, 3][..], &[-2, 5], &[12], &[-40, 0, 40]] {
            let whole = delayed(features.view(), &label, delays).expect("fits");
            let parts: Vec<Delayed<f64>> = (0..3)
                .map(|run| {
                    let rows = s![run * 10..run * 10 + 10, ..];
                    delayed(features.slice(rows), &[0; 10], delays).expect("fits")
                })
                .collect();
            let stacked = concatenate(Axis(0), &parts.iter().map(|part| part.features.view()).collect::<Vec<_>>());
            assert_eq!(whole.features, stacked.expect("same columns"), "{delays:?}");
            assert_eq!(whole.complete, parts.iter().flat_map(|part| part.complete.clone()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_mark_at_the_end_of_a_run_never_shows_in_another_run() {
        let label: Vec<usize> = (0..60).map(|sample| sample / 12).collect();
        for marked in 0..60 {
            let mut features = Array2::<f32>::zeros((60, 2));
            features.row_mut(marked).fill(1.0);
            let delayed = delayed(features.view(), &label, &[-3, -1, 0, 1, 2, 11, 12]).expect("fits");
            for (sample, row) in delayed.features.rows().into_iter().enumerate() {
                assert!(label[sample] == label[marked] || row.iter().all(|value| *value == 0.0), "{marked} {sample}");
            }
            // The longest delay that fits shows the first sample of a run in its last one, a longer one nothing.
            assert_eq!(delayed.features.column(2 * 5).sum(), f32::from(u8::from(marked % 12 == 0)));
            assert_eq!(delayed.features.column(2 * 6).sum(), 0.0);
        }
    }

    #[test]
    fn columns_stand_delay_by_delay_and_negative_delays_look_ahead() {
        let features = array![[1.0f32, 10.0], [2.0, 20.0], [3.0, 30.0]];
        let found = delayed(features.view(), &[5; 3], &[1, -1]).expect("fits");
        assert_eq!(found.features, array![[0.0, 0.0, 2.0, 20.0], [1.0, 10.0, 3.0, 30.0], [2.0, 20.0, 0.0, 0.0]]);
        assert_eq!(found.complete, vec![false, true, false]);
    }

    #[test]
    fn a_mean_over_delays_is_the_mean_of_their_columns() {
        let features = Array2::from_shape_fn((9, 2), |(i, j)| (i * i + j) as f64);
        let label = [0, 0, 0, 0, 0, 1, 1, 1, 1];
        let columns = delayed(features.view(), &label, &[1, 2, -1]).expect("fits");
        let mean = delayed_mean(features.view(), &label, &[1, 2, -1]).expect("fits");
        for ((sample, feature), value) in mean.features.indexed_iter() {
            let of = |delay: usize| columns.features[(sample, delay * 2 + feature)];
            assert!((value - (of(0) + of(1) + of(2)) / 3.0).abs() < 1e-12);
        }
        assert_eq!(mean.complete, columns.complete);
        assert!(delayed_mean(features.view(), &label, &[]).is_err());
    }

    #[test]
    fn unusable_input_is_named() {
        let features = Array2::<f32>::zeros((4, 2));
        let fail = |runs: &[usize], delays: &[isize]| delayed(features.view(), runs, delays).expect_err("unusable");
        assert_eq!(fail(&[0; 3], &[1]), SignalError::LabelCount { rows: 4, labels: "runs", found: 3 });
        assert_eq!(fail(&[0, 1, 0, 0], &[1]), SignalError::ScatteredRun { run: 0, sample: 2 });
        assert_eq!(fail(&[0; 4], &[]).to_string(), "no delays are given (list each delay in samples once)");
        assert!(fail(&[0; 4], &[2, 1, 2]).to_string().starts_with("delay 2 stands twice"));
    }
}
