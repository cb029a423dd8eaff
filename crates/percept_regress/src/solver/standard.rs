//! Centring and scaling of features, fitted on training samples and kept for prediction.

use ndarray::{Array1, ArrayView2, ArrayViewMut1, Axis};
use rayon::prelude::*;

use super::real::Real;
use crate::error::RegressError;

/// Means and scales of features.
#[derive(Clone, Debug)]
pub(crate) struct Standard {
    /// What is subtracted from each of the n_features columns; 0 without an intercept.
    pub(crate) mean: Array1<f64>,
    /// What each column is divided by; 1 where nothing is to be divided.
    pub(crate) scale: Array1<f64>,
    /// Columns that take part in the fit, ascending.
    pub(crate) kept: Vec<usize>,
    /// Columns that do not vary (with an intercept) or are all zero (without), ascending.
    pub(crate) constant: Vec<usize>,
}

/// Columns handled by one task: wide enough that rows are read in whole cache lines.
const COLUMNS_PER_TASK: usize = 64;

impl Standard {
    /// Means and population standard deviations (ddof 0) in f64.
    ///
    /// A column is constant when all its values are the same number, or when its deviation is what rounding alone gives.
    pub(crate) fn fit<T: Real>(x: ArrayView2<'_, T>, intercept: bool, standardize: bool) -> Result<Self, RegressError> {
        let (n_samples, n_features) = x.dim();
        let tasks: Vec<usize> = (0..n_features).step_by(COLUMNS_PER_TASK).collect();
        let moments: Vec<(f64, f64, bool, bool)> = tasks
            .par_iter()
            .flat_map_iter(|&start| {
                let end = (start + COLUMNS_PER_TASK).min(n_features);
                let x = x.slice(ndarray::s![.., start..end]);
                column_moments(x, n_samples)
            })
            .collect();
        let mut standard = Self {
            mean: Array1::zeros(n_features),
            scale: Array1::ones(n_features),
            kept: Vec::new(),
            constant: Vec::new(),
        };
        for (column, &(mean, deviation, constant, zero)) in moments.iter().enumerate() {
            if intercept {
                standard.mean[column] = mean;
            }
            if (intercept && constant) || zero {
                standard.constant.push(column);
                continue;
            }
            standard.kept.push(column);
            if standardize && !constant {
                standard.scale[column] = deviation;
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

    /// The kept columns of one sample, standardised.
    pub(crate) fn apply<T: Real, U: Real>(&self, sample: ndarray::ArrayView1<'_, T>, mut out: ArrayViewMut1<'_, U>) {
        for (out, &column) in out.iter_mut().zip(&self.kept) {
            *out = U::from_f64((sample[column].as_f64() - self.mean[column]) / self.scale[column]);
        }
    }
}

fn column_moments<T: Real>(x: ArrayView2<'_, T>, n_samples: usize) -> Vec<(f64, f64, bool, bool)> {
    let n = n_samples as f64;
    let mut sums = vec![0.0; x.ncols()];
    let mut same = vec![true; x.ncols()];
    for row in x.axis_iter(Axis(0)) {
        for (column, &value) in row.iter().enumerate() {
            sums[column] += value.as_f64();
            same[column] &= value == x[(0, column)];
        }
    }
    let means: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
    let mut squares = vec![0.0; x.ncols()];
    for row in x.axis_iter(Axis(0)) {
        for (column, &value) in row.iter().enumerate() {
            squares[column] += (value.as_f64() - means[column]).powi(2);
        }
    }
    (0..x.ncols())
        .map(|column| {
            let (mean, deviation) = (means[column], (squares[column] / n).sqrt());
            // Ten rounding errors of the input's own precision around its mean carry no information.
            let constant = same[column] || deviation <= 10.0 * f64::EPSILON * mean.abs();
            (mean, deviation, constant, same[column] && x[(0, column)] == T::zero())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn columns_get_mean_zero_and_deviation_one_and_constant_ones_are_dropped() {
        let x = array![[1.0f32, 5.0, 0.0], [3.0, 5.0, 0.0], [5.0, 5.0, 0.0], [7.0, 5.0, 0.0]];
        let standard = Standard::fit(x.view(), true, true).expect("one column varies");
        assert_eq!((standard.kept.clone(), standard.constant.clone()), (vec![0], vec![1, 2]));
        let mut out = Array1::<f64>::zeros(1);
        standard.apply(x.row(3), out.view_mut());
        assert!((out[0] - 3.0 / 5f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn without_an_intercept_a_constant_column_is_a_feature() {
        let x = array![[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]];
        let standard = Standard::fit(x.view(), false, true).expect("two columns");
        assert_eq!((standard.kept, standard.constant), (vec![0, 1], vec![2]));
        assert_eq!((standard.mean[0], standard.scale[0], standard.scale[1]), (0.0, 1.0, 1.0));
    }

    #[test]
    fn a_design_without_variation_is_refused() {
        let x = array![[2.0, 5.0], [2.0, 5.0]];
        let error = Standard::fit(x.view(), true, true).expect_err("nothing varies");
        assert_eq!(error, RegressError::ConstantDesign { features: 2 });
    }
}
