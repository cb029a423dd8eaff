//! A tile of targets: a few dozen columns, centred and weighted, and what is known of them.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};

use super::basis::Basis;
use super::number::Real;
use super::product::multiply;
use crate::folds::Folds;

/// The columns of one tile.
#[derive(Clone)]
pub(crate) struct Tile<T> {
    /// n_samples × width, centred when there is an intercept, rows multiplied by the roots of the weights.
    pub(crate) y: Array2<T>,
    /// Mean of each target; 0 without an intercept.
    pub(crate) intercept: Vec<f64>,
    /// Whether each target is the same number in all samples.
    pub(crate) constant: Vec<bool>,
    /// n_sets × width where every target is the same in all samples of a set, and that is made use of.
    pub(crate) by_set: Option<Array2<T>>,
}

impl<T: Real> Tile<T> {
    /// Copies `columns` of the targets, centres and weights them.
    pub(crate) fn new(y: ArrayView2<'_, T>, columns: Range<usize>, roots: &[f64], intercept: bool) -> Self {
        let y = y.slice(s![.., columns]);
        let width = y.ncols();
        let mut means = vec![0.0; width];
        let mut constant = vec![true; width];
        let mut total = 0.0;
        for (row, root) in y.rows().into_iter().zip(roots) {
            let weight = root * root;
            total += weight;
            for (column, &value) in row.iter().enumerate() {
                means[column] += weight * value.as_f64();
                constant[column] &= value == y[(0, column)];
            }
        }
        for mean in &mut means {
            *mean = if intercept { *mean / total } else { 0.0 };
        }
        let mut centred = Array2::zeros(y.dim());
        for ((mut out, row), root) in centred.rows_mut().into_iter().zip(y.rows()).zip(roots) {
            for ((out, &value), mean) in out.iter_mut().zip(row).zip(&means) {
                *out = T::from_f64((value.as_f64() - mean) * root);
            }
        }
        Self { y: centred, intercept: means, constant, by_set: None }
    }

    /// Some of the columns, their samples one by one.
    pub(crate) fn select(&self, columns: &[usize]) -> Self {
        Self {
            // A selection of columns may come out in the order of columns.
            y: self.y.select(Axis(1), columns).as_standard_layout().into_owned(),
            intercept: columns.iter().map(|&column| self.intercept[column]).collect(),
            constant: columns.iter().map(|&column| self.constant[column]).collect(),
            by_set: None,
        }
    }

    /// Notes one number per set for each target, unless some target varies within a set of `folds`. `raw` are the targets as given.
    pub(crate) fn find_sets(&mut self, raw: ArrayView2<'_, T>, folds: &Folds, roots: &[f64]) {
        let mut values = Array2::zeros((folds.len(), self.y.ncols()));
        for (fold, mut values) in values.rows_mut().into_iter().enumerate() {
            let samples = folds.samples(fold);
            let first = raw.row(samples[0]);
            if samples[1..].iter().any(|&sample| raw.row(sample) != first) {
                return;
            }
            let (root, y) = (roots[samples[0]], self.y.row(samples[0]));
            values.iter_mut().zip(y).for_each(|(out, value)| *out = T::from_f64(value.as_f64() / root));
        }
        self.by_set = Some(values);
    }

    /// Zᵀy by rows: width × n_directions.
    pub(crate) fn project(&self, basis: &Basis<T>) -> Array2<T> {
        let mut projected = Array2::zeros((self.y.ncols(), basis.z.ncols()));
        multiply(projected.view_mut(), self.y.t(), basis.z.view(), false);
        projected
    }
}
