//! Fitted ridge models: predictions, and their weights in the features' own units.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::error::RegressError;
use crate::params::{Edge, FitReport};
use crate::selection::Selection;
use crate::solver::number::Real;
use crate::solver::product::{multiply, panel_rows};
use crate::solver::standard::all_finite;

/// A fitted ridge model.
///
/// A prediction is ŷ = ((x − `x_mean`) / `x_scale`) · `weights` + `intercept`: weights are in units of **standardised**
/// features, which keeps f32 predictions exact where features have large means. [`Ridge::coefficients`] gives the same
/// model in the features' own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge<T: Real = f32> {
    /// n_features × n_targets, in column-major layout.
    pub weights: Array2<T>,
    /// n_targets: the prediction at `x_mean`; zeros when no intercept was fitted.
    pub intercept: Array1<T>,
    /// Penalty of each target.
    pub alpha: Vec<f64>,
    /// Held-out score of each target at its penalty; empty when the penalty was given.
    pub cv_score: Vec<f64>,
    /// Whether each target's penalty is an end of the grid.
    pub edge: Vec<Edge>,
    /// n_features: what is subtracted from features; zeros when no intercept was fitted.
    pub x_mean: Array1<f64>,
    /// n_features: what features are divided by.
    pub x_scale: Array1<f64>,
    /// What the fit found.
    pub report: FitReport,
}

/// A fitted model in the features' own units: ŷ = x · weights + intercept = (x − x̄) · weights + offset.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel<T: Real = f32> {
    /// n_targets × n_features.
    pub weights: Array2<T>,
    /// Prediction for a sample of zeros.
    pub intercept: Vec<f64>,
    /// Prediction for the mean sample.
    pub offset: Vec<f64>,
    /// Length of each target's weights.
    pub norm: Vec<f64>,
    /// Penalty of each target.
    pub alpha: Vec<f64>,
    /// Held-out score of each target; empty when the penalty was given.
    pub cv_score: Vec<f64>,
    /// Whether each target's penalty is an end of the grid.
    pub edge: Vec<Edge>,
    /// What the fit found.
    pub report: FitReport,
}

impl<T: Real> LinearModel<T> {
    /// A model from its weights (n_targets × n_features) and intercepts.
    pub fn new(
        weights: Array2<T>,
        intercept: Vec<f64>,
        x_mean: ArrayView1<'_, f64>,
        selection: Selection,
        report: FitReport,
    ) -> Self {
        let (offset, norm): (Vec<f64>, Vec<f64>) = weights
            .axis_iter(Axis(0))
            .into_par_iter()
            .zip(&intercept)
            .map(|(weights, intercept)| {
                let (mut shift, mut squares) = (0.0, 0.0);
                for (weight, mean) in weights.iter().zip(x_mean) {
                    shift += weight.as_f64() * mean;
                    squares += weight.as_f64().powi(2);
                }
                (intercept + shift, f64::sqrt(squares))
            })
            .unzip();
        let Selection { alpha, cv_score, edge } = selection;
        Self { weights, intercept, offset, norm, alpha, cv_score, edge, report }
    }
}

impl<T: Real> Ridge<T> {
    /// Predictions: n_samples × n_targets.
    ///
    /// # Shapes
    /// `x` n_samples × n_features.
    ///
    /// # Errors
    /// [`RegressError::Features`] and [`RegressError::NonFinite`].
    #[inline(never)]
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, RegressError> {
        if x.ncols() != self.weights.nrows() {
            return Err(RegressError::Features { expected: self.weights.nrows(), got: x.ncols() });
        }
        if !x.is_empty() {
            all_finite("x", x)?;
        }
        let weights = contiguous(self.weights.view());
        let mut predicted = Array2::zeros((x.nrows(), weights.ncols()));
        let panel = panel_rows(x.nrows());
        predicted
            .axis_chunks_iter_mut(Axis(0), panel)
            .into_par_iter()
            .zip(x.axis_chunks_iter(Axis(0), panel))
            .for_each(|(mut out, x)| {
                let mut standard = Array2::<T>::zeros(x.raw_dim());
                for (mut standard, x) in standard.rows_mut().into_iter().zip(x.rows()) {
                    for (feature, (out, &value)) in standard.iter_mut().zip(x).enumerate() {
                        *out = T::from_f64((value.as_f64() - self.x_mean[feature]) / self.x_scale[feature]);
                    }
                }
                multiply(out.view_mut(), standard.view(), weights.view(), false);
                out += &self.intercept;
            });
        Ok(predicted)
    }

    /// The same in another precision.
    pub(crate) fn rounded<U: Real>(self) -> Ridge<U> {
        let Self { weights, intercept, alpha, cv_score, edge, x_mean, x_scale, report } = self;
        let (weights, intercept) =
            (weights.mapv(|v| U::from_f64(v.as_f64())), intercept.mapv(|v| U::from_f64(v.as_f64())));
        Ridge { weights, intercept, alpha, cv_score, edge, x_mean, x_scale, report }
    }

    /// The model in the features' own units, ready to be stored, without a second copy of the weights.
    #[inline(never)]
    pub fn into_linear(self) -> LinearModel<T> {
        // Targets lie one after the other.
        let mut weights = self.weights.reversed_axes();
        let scale = &self.x_scale;
        let mean = &self.x_mean;
        let offset: Vec<f64> = self.intercept.iter().map(|value| value.as_f64()).collect();
        let (intercept, norm): (Vec<f64>, Vec<f64>) = weights
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(&offset)
            .map(|(mut weights, offset)| {
                let (mut shift, mut squares) = (0.0, 0.0);
                for ((weight, scale), mean) in weights.iter_mut().zip(scale).zip(mean) {
                    *weight = T::from_f64(weight.as_f64() / scale);
                    shift += weight.as_f64() * mean;
                    squares += weight.as_f64().powi(2);
                }
                (offset - shift, f64::sqrt(squares))
            })
            .unzip();
        LinearModel {
            weights,
            intercept,
            offset,
            norm,
            alpha: self.alpha,
            cv_score: self.cv_score,
            edge: self.edge,
            report: self.report,
        }
    }

    /// The model in the features' own units: (n_features × n_targets coefficients, n_targets intercepts) with
    /// ŷ = x · coefficients + intercepts, as scikit-learn gives them.
    #[inline(never)]
    pub fn coefficients(&self) -> (Array2<T>, Array1<T>) {
        let mut coefficients = self.weights.clone();
        for (mut row, &scale) in coefficients.axis_iter_mut(Axis(0)).zip(&self.x_scale) {
            row.mapv_inplace(|weight| T::from_f64(weight.as_f64() / scale));
        }
        let mut intercept = self.intercept.clone();
        for (intercept, weights) in intercept.iter_mut().zip(self.weights.axis_iter(Axis(1))) {
            let shift: f64 = weights
                .iter()
                .zip(self.x_mean.iter().zip(&self.x_scale))
                .map(|(weight, (mean, scale))| weight.as_f64() * mean / scale)
                .sum();
            *intercept = T::from_f64(intercept.as_f64() - shift);
        }
        (coefficients, intercept)
    }
}

/// Samples predicted by one task.
const PREDICTED_ROWS: usize = 512;

/// out = standardised samples · weights + intercept for a part of the targets, by all threads.
///
/// # Shapes
/// `x` n_samples × n_features, `weights` n_features × n_targets of a model in the features' own units, `x_mean` n_features,
/// `offset` n_targets: the prediction at `x_mean`; `out` n_samples × n_targets, row-major.
#[inline(never)]
pub fn predict_part<T: Real>(
    x: ArrayView2<'_, T>,
    x_mean: &[f64],
    weights: ArrayView2<'_, T>,
    offset: &[f64],
    mut out: ArrayViewMut2<'_, T>,
) {
    let weights = weights.as_standard_layout();
    out.axis_chunks_iter_mut(Axis(0), PREDICTED_ROWS)
        .into_par_iter()
        .zip(x.axis_chunks_iter(Axis(0), PREDICTED_ROWS))
        .for_each(|(mut out, x)| {
            let mut centred = Array2::<T>::zeros(x.raw_dim());
            for (mut centred, x) in centred.rows_mut().into_iter().zip(x.rows()) {
                for ((centred, &value), mean) in centred.iter_mut().zip(x).zip(x_mean) {
                    *centred = T::from_f64(value.as_f64() - mean);
                }
            }
            multiply(out.view_mut(), centred.view(), weights.view(), false);
            for mut row in out.rows_mut() {
                row.iter_mut().zip(offset).for_each(|(out, &offset)| *out = T::from_f64(out.as_f64() + offset));
            }
        });
}

/// The view itself when it is contiguous by rows or by columns, else a copy.
fn contiguous<T: Real>(view: ArrayView2<'_, T>) -> ndarray::CowArray<'_, T, ndarray::Ix2> {
    if view.is_standard_layout() || view.t().is_standard_layout() { view.into() } else { view.to_owned().into() }
}
