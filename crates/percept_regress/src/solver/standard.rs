//! Centring and scaling of features, fitted on training samples and kept for prediction.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

use super::number::Real;
use crate::error::RegressError;
use crate::samples::Samples;
use crate::together::Share;

/// Means and scales of features.
#[derive(Clone, Debug)]
pub(crate) struct Standard {
    /// What is subtracted from each of the n_features columns; 0 unless centred.
    pub(crate) mean: Array1<f64>,
    /// What each column is divided by; 1 where nothing is to be divided.
    pub(crate) scale: Array1<f64>,
    /// Columns that take part in the fit, ascending.
    pub(crate) kept: Vec<usize>,
    /// Columns that do not vary (when centred) or are all zero (when not), ascending.
    pub(crate) constant: Vec<usize>,
}

/// Columns handled by one task: wide enough that rows are read in whole cache lines.
const COLUMNS_PER_TASK: usize = 64;
/// Samples read at a time.
pub(crate) const ROWS_PER_READ: usize = 512;

/// What one pass over a column finds.
#[derive(Clone, Copy)]
struct Column {
    sum: f64,
    squares: f64,
    /// The first value that was seen.
    first: Option<f64>,
    same: bool,
}

impl Standard {
    /// Means and population standard deviations (ddof 0) in f64, weighted by `weights` where given. Names the first value
    /// that is not finite.
    ///
    /// A column is constant when all its values are the same number, or when its deviation is what rounding alone gives.
    pub(crate) fn fit<T: Real>(
        x: &dyn Samples<T>,
        weights: Option<&[f64]>,
        center: bool,
        standardize: bool,
        share: Share<'_>,
    ) -> Result<Self, RegressError> {
        let (n_samples, n_features) = x.dim();
        let total: f64 = weights.map_or(n_samples as f64, |weights| weights.iter().sum());
        let weight = |sample: usize| weights.map_or(1.0, |weights| weights[sample]);
        let mut columns = vec![Column { sum: 0.0, squares: 0.0, first: None, same: true }; n_features];
        pass(x, &mut columns, share, |start, column, values| {
            let first = *column.first.get_or_insert(values[0].as_f64());
            for (row, value) in values.iter().enumerate() {
                let value = value.as_f64();
                column.sum += weight(start + row) * value;
                column.same &= value == first;
            }
        })?;
        agree(&mut columns, share)?;
        pass(x, &mut columns, share, |start, column, values| {
            let mean = column.sum / total;
            for (row, value) in values.iter().enumerate() {
                column.squares += weight(start + row) * (value.as_f64() - mean).powi(2);
            }
        })?;
        let mut squares: Vec<f64> = columns.iter().map(|column| column.squares).collect();
        share.sum(&mut squares)?;
        columns.iter_mut().zip(squares).for_each(|(column, squares)| column.squares = squares);
        let mut standard = Self {
            mean: Array1::zeros(n_features),
            scale: Array1::ones(n_features),
            kept: Vec::new(),
            constant: Vec::new(),
        };
        for (position, column) in columns.into_iter().enumerate() {
            let (mean, deviation) = (column.sum / total, (column.squares / total).sqrt());
            // Ten rounding errors of the input's own precision around its mean carry no information.
            let constant = column.same || deviation <= 10.0 * f64::EPSILON * mean.abs();
            let zero = column.same && column.first == Some(0.0);
            if center {
                standard.mean[position] = mean;
            }
            if (center && constant) || zero {
                standard.constant.push(position);
                continue;
            }
            standard.kept.push(position);
            if standardize && !constant {
                standard.scale[position] = deviation;
            }
        }
        if standard.kept.is_empty() {
            return Err(RegressError::ConstantDesign { features: n_features });
        }
        Ok(standard)
    }

    /// The same for the kept columns at the positions `range` only.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            mean: self.mean.clone(),
            scale: self.scale.clone(),
            kept: self.kept[range].to_vec(),
            constant: Vec::new(),
        }
    }

    /// The same for features that are then multiplied by `factors`; those with factor 0 are left out. None when nothing is left.
    pub(crate) fn times(&self, factors: &[f64]) -> Option<Self> {
        let mut scaled = self.clone();
        scaled.kept.retain(|&feature| factors[feature] > 0.0);
        for &feature in &scaled.kept {
            scaled.scale[feature] /= factors[feature];
        }
        (!scaled.kept.is_empty()).then_some(scaled)
    }

    /// The kept columns of one sample, standardised and multiplied by `factor`.
    pub(crate) fn apply<T: Real, U: Real>(
        &self,
        sample: ArrayView1<'_, T>,
        factor: f64,
        mut out: ArrayViewMut1<'_, U>,
    ) {
        for (out, &column) in out.iter_mut().zip(&self.kept) {
            *out = U::from_f64((sample[column].as_f64() - self.mean[column]) / self.scale[column] * factor);
        }
    }

    /// The kept columns of all of `samples`, row `i` multiplied by `factor(i)`: n × n_kept, row-major.
    pub(crate) fn table<T: Real, U: Real>(
        &self,
        samples: ArrayView2<'_, T>,
        factor: impl Fn(usize) -> f64 + Sync,
    ) -> Array2<U> {
        let mut out = Array2::<U>::zeros((samples.nrows(), self.kept.len()));
        out.axis_iter_mut(Axis(0))
            .into_par_iter()
            .enumerate()
            .for_each(|(row, out)| self.apply(samples.row(row), factor(row), out));
        out
    }
}

/// Sums and sameness over all shares.
fn agree(columns: &mut [Column], share: Share<'_>) -> Result<(), RegressError> {
    if share.0.is_none() {
        return Ok(());
    }
    let mut sums: Vec<f64> = columns.iter().map(|column| column.sum).collect();
    share.sum(&mut sums)?;
    // Per column whether there is a first value, which, and whether the others are the same.
    let own: Vec<f64> = columns
        .iter()
        .flat_map(|column| {
            [f64::from(u8::from(column.first.is_some())), column.first.unwrap_or(0.0), f64::from(u8::from(column.same))]
        })
        .collect();
    let all = share.gather(&own)?;
    for (position, column) in columns.iter_mut().enumerate() {
        column.sum = sums[position];
        column.first = None;
        for shares in all.chunks_exact(own.len()) {
            let &[is_there, first, same] = &shares[3 * position..3 * position + 3] else { continue };
            if is_there > 0.0 {
                column.same &= same > 0.0 && first == *column.first.get_or_insert(first);
            }
        }
    }
    Ok(())
}

/// Hands every column of this share of `x` to `visit(first_row, column, values)`, some rows at a time, and refuses values that are not finite.
fn pass<T: Real>(
    x: &dyn Samples<T>,
    columns: &mut [Column],
    share: Share<'_>,
    visit: impl Fn(usize, &mut Column, ArrayView1<'_, T>) + Sync,
) -> Result<(), RegressError> {
    let n_samples = x.dim().0;
    for start in (0..n_samples).step_by(ROWS_PER_READ).filter(|start| share.is_mine(start / ROWS_PER_READ)) {
        let rows = x.rows(start..(start + ROWS_PER_READ).min(n_samples))?;
        all_finite("x", rows.view()).map_err(|error| match error {
            RegressError::NonFinite { matrix, count, row, column } => {
                RegressError::NonFinite { matrix, count, row: start + row, column }
            }
            other => other,
        })?;
        columns.par_chunks_mut(COLUMNS_PER_TASK).enumerate().for_each(|(task, columns)| {
            let first = task * COLUMNS_PER_TASK;
            let block = rows.slice(s![.., first..first + columns.len()]);
            // By columns of a small copy: rows of the source may lie far apart.
            let block = block.t().as_standard_layout().into_owned();
            for (column, values) in columns.iter_mut().zip(block.rows()) {
                visit(start, column, values);
            }
        });
    }
    Ok(())
}

/// Names the first value that is not finite, and refuses empty matrices.
pub(crate) fn all_finite<T: Real>(matrix: &'static str, values: ArrayView2<'_, T>) -> Result<(), RegressError> {
    let (rows, columns) = values.dim();
    if values.is_empty() {
        return Err(RegressError::Empty { matrix, rows, columns });
    }
    let per_row: Vec<(usize, Option<usize>)> = values
        .axis_iter(Axis(0))
        .into_par_iter()
        .map(|row| {
            let count = row.iter().filter(|value| !value.is_finite()).count();
            (count, if count == 0 { None } else { row.iter().position(|value| !value.is_finite()) })
        })
        .collect();
    let count = per_row.iter().map(|(count, _)| count).sum();
    let first = per_row.iter().enumerate().find_map(|(row, (_, column))| column.map(|column| (row, column)));
    match first {
        None => Ok(()),
        Some((row, column)) => Err(RegressError::NonFinite { matrix, count, row, column }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn columns_get_mean_zero_and_deviation_one_and_constant_ones_are_dropped() {
        let x = array![[1.0f32, 5.0, 0.0], [3.0, 5.0, 0.0], [5.0, 5.0, 0.0], [7.0, 5.0, 0.0]];
        let standard = Standard::fit(&x.view(), None, true, true, Share::default()).expect("one column varies");
        assert_eq!((standard.kept.clone(), standard.constant.clone()), (vec![0], vec![1, 2]));
        let mut out = Array1::<f64>::zeros(1);
        standard.apply(x.row(3), 1.0, out.view_mut());
        assert!((out[0] - 3.0 / 5f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_weight_of_two_counts_a_sample_twice() {
        let x = array![[1.0], [4.0], [7.0]];
        let twice = array![[1.0], [4.0], [4.0], [7.0]];
        let weighted = Standard::fit(&x.view(), Some(&[1.0, 2.0, 1.0]), true, true, Share::default()).expect("varies");
        let plain = Standard::fit(&twice.view(), None, true, true, Share::default()).expect("varies");
        assert_eq!((weighted.mean[0], weighted.scale[0]), (plain.mean[0], plain.scale[0]));
    }

    #[test]
    fn without_an_intercept_a_constant_column_is_a_feature() {
        let x = array![[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]];
        let standard = Standard::fit(&x.view(), None, false, true, Share::default()).expect("two columns");
        assert_eq!((standard.kept, standard.constant), (vec![0, 1], vec![2]));
        assert_eq!((standard.mean[0], standard.scale[0], standard.scale[1]), (0.0, 1.0, 1.0));
    }

    #[test]
    fn a_design_without_variation_is_refused() {
        let x = array![[2.0, 5.0], [2.0, 5.0]];
        let error = Standard::fit(&x.view(), None, true, true, Share::default()).expect_err("nothing varies");
        assert_eq!(error, RegressError::ConstantDesign { features: 2 });
    }
}
