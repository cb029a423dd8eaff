//! z-scores per unit within each group of samples (a run or a session).

use std::collections::BTreeMap;

use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::error::SignalError;

/// Units handled by one task: whole cache lines of a row-major matrix.
const UNITS_PER_TASK: usize = 256;

/// How the deviation is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Divide by n, as NumPy and SciPy do unless told otherwise.
    Population,
    /// Divide by n − 1, as MATLAB does and the author of NSD did.
    Sample,
}

impl Deviation {
    pub(crate) fn of(self, sum_of_squares: f64, n: usize) -> f64 {
        let divisor = match self {
            Self::Population => n,
            Self::Sample => n - 1,
        };
        (sum_of_squares / divisor as f64).sqrt()
    }
}

/// Why a unit has no z-scores in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// All samples are 0: the unit was not recorded (NSD marks invalid voxels of a session so).
    Zero,
    /// All samples are the same number other than 0.
    Constant,
    /// Some samples are NaN or infinite.
    NonFinite,
}

/// A unit that could not be normalised in one group; its values there are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Label of the group (run or session).
    pub group: usize,
    /// Column of the unit.
    pub unit: usize,
    /// What was wrong.
    pub cause: Cause,
}

/// Mean and deviation of one unit in one group.
pub(crate) type Moments = Result<(f64, f64), Cause>;

/// Replaces each value by (value − mean) / deviation of its unit within its group. Where that is not defined the values
/// become 0 and the unit is returned.
///
/// # Shapes
/// `responses` n_samples × n_units; `group_of_sample` n_samples labels, in any order. Result ascending by group, then unit.
///
/// # Errors
/// [`SignalError::LabelCount`], [`SignalError::Empty`], [`SignalError::SingleSample`].
///
/// # Numerics
/// Two passes in f64, rounded once; agrees with `scipy.stats.zscore` in f64 to f32 rounding.
///
/// # Example
/// ```
/// use ndarray::array;
/// use percept_signal::{Cause, Deviation, Invalid, zscore_per_group};
///
/// let mut responses = array![[1.0f32, 0.0], [3.0, 0.0], [10.0, 5.0], [20.0, 7.0]];
/// let invalid = zscore_per_group(responses.view_mut(), &[0, 0, 1, 1], Deviation::Population)?;
/// assert_eq!(responses, array![[-1.0, 0.0], [1.0, 0.0], [-1.0, -1.0], [1.0, 1.0]]);
/// assert_eq!(invalid, vec![Invalid { group: 0, unit: 1, cause: Cause::Zero }]);
/// # Ok::<(), percept_signal::SignalError>(())
/// ```
pub fn zscore_per_group(
    mut responses: ArrayViewMut2<'_, f32>,
    group_of_sample: &[usize],
    deviation: Deviation,
) -> Result<Vec<Invalid>, SignalError> {
    let groups = groups(responses.view(), "groups", group_of_sample)?;
    let parts: Vec<Vec<Invalid>> = responses
        .axis_chunks_iter_mut(Axis(1), UNITS_PER_TASK)
        .into_par_iter()
        .enumerate()
        .map(|(task, mut part)| {
            let mut invalid = Vec::new();
            for (&group, samples) in &groups {
                let moments = moments(part.view(), samples, deviation);
                for &sample in samples {
                    for (value, moments) in part.row_mut(sample).iter_mut().zip(&moments) {
                        *value = match moments {
                            Ok((mean, deviation)) => ((f64::from(*value) - mean) / deviation) as f32,
                            Err(_) => 0.0,
                        };
                    }
                }
                collect_invalid(&mut invalid, group, task * UNITS_PER_TASK, &moments);
            }
            invalid
        })
        .collect();
    Ok(sorted(parts))
}

/// Samples of each group, groups ascending.
pub(crate) fn groups(
    responses: ArrayView2<'_, f32>,
    labels: &'static str,
    group_of_sample: &[usize],
) -> Result<BTreeMap<usize, Vec<usize>>, SignalError> {
    let (rows, columns) = responses.dim();
    if rows != group_of_sample.len() {
        return Err(SignalError::LabelCount { rows, labels, found: group_of_sample.len() });
    }
    if responses.is_empty() {
        return Err(SignalError::Empty { rows, columns });
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (sample, &group) in group_of_sample.iter().enumerate() {
        groups.entry(group).or_default().push(sample);
    }
    match groups.iter().find(|(_, samples)| samples.len() == 1) {
        Some((&group, _)) => Err(SignalError::SingleSample { group }),
        None => Ok(groups),
    }
}

/// Mean and deviation of every unit over `samples`.
pub(crate) fn moments(part: ArrayView2<'_, f32>, samples: &[usize], deviation: Deviation) -> Vec<Moments> {
    let n = samples.len();
    let first = part.row(samples[0]);
    let mut sums = vec![0.0; part.ncols()];
    let mut same = vec![true; part.ncols()];
    for &sample in samples {
        for (unit, &value) in part.row(sample).iter().enumerate() {
            sums[unit] += f64::from(value);
            same[unit] &= value == first[unit];
        }
    }
    let mut squares = vec![0.0; part.ncols()];
    for &sample in samples {
        for (unit, &value) in part.row(sample).iter().enumerate() {
            squares[unit] += (f64::from(value) - sums[unit] / n as f64).powi(2);
        }
    }
    (0..part.ncols())
        .map(|unit| {
            // A sum of f32 values in f64 is finite exactly if all of them are.
            if !sums[unit].is_finite() {
                Err(Cause::NonFinite)
            } else if same[unit] {
                Err(if first[unit] == 0.0 { Cause::Zero } else { Cause::Constant })
            } else {
                Ok((sums[unit] / n as f64, deviation.of(squares[unit], n)))
            }
        })
        .collect()
}

pub(crate) fn collect_invalid(into: &mut Vec<Invalid>, group: usize, first_unit: usize, moments: &[Moments]) {
    for (offset, moments) in moments.iter().enumerate() {
        if let Err(cause) = moments {
            into.push(Invalid { group, unit: first_unit + offset, cause: *cause });
        }
    }
}

pub(crate) fn sorted(parts: Vec<Vec<Invalid>>) -> Vec<Invalid> {
    let mut invalid = parts.concat();
    invalid.sort_by_key(|invalid| (invalid.group, invalid.unit));
    invalid
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn units_that_cannot_be_normalised_become_zero_and_are_named_with_their_cause() {
        let mut responses = array![
            [1.0f32, 0.0, 4.5, f32::NAN],
            [2.0, 1.0, 4.5, 1.0],
            [1.0, 0.0, 1.0, 2.0],
            [2.0, 0.0, 2.0, f32::INFINITY]
        ];
        let invalid = zscore_per_group(responses.view_mut(), &[7, 7, 3, 3], Deviation::Population).expect("fits");
        let expected =
            [(3, 1, Cause::Zero), (3, 3, Cause::NonFinite), (7, 2, Cause::Constant), (7, 3, Cause::NonFinite)];
        assert_eq!(invalid, expected.map(|(group, unit, cause)| Invalid { group, unit, cause }).to_vec());
        assert_eq!(responses.column(3), array![0.0, 0.0, 0.0, 0.0]);
        assert_eq!(responses.column(1), array![-1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn opposite_infinities_do_not_hide_each_other() {
        let mut responses = array![[f32::INFINITY], [f32::NEG_INFINITY]];
        let invalid = zscore_per_group(responses.view_mut(), &[0, 0], Deviation::Sample).expect("fits");
        assert_eq!(invalid[0].cause, Cause::NonFinite);
    }

    #[test]
    fn every_group_has_mean_zero_and_deviation_one_over_many_units() {
        let mut responses = Array2::from_shape_fn((60, 700), |(i, j)| ((i * 37 + j * 11) % 101) as f32 + j as f32);
        let groups: Vec<usize> = (0..60).map(|sample| sample % 4).collect();
        assert!(zscore_per_group(responses.view_mut(), &groups, Deviation::Sample).expect("fits").is_empty());
        for group in 0..4 {
            for unit in responses.columns() {
                let values: Vec<f64> = (0..60).filter(|s| groups[*s] == group).map(|s| f64::from(unit[s])).collect();
                let mean = values.iter().sum::<f64>() / 15.0;
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 14.0;
                assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn unusable_labels_are_named() {
        let mut responses = array![[1.0f32], [2.0], [3.0]];
        let error = zscore_per_group(responses.view_mut(), &[0, 0], Deviation::Sample);
        assert_eq!(error, Err(SignalError::LabelCount { rows: 3, labels: "groups", found: 2 }));
        let error = zscore_per_group(responses.view_mut(), &[0, 0, 4], Deviation::Sample);
        assert_eq!(error, Err(SignalError::SingleSample { group: 4 }));
    }
}
