//! The estimators: choose a penalty per target by leave-one-group-out prediction, fit, predict.
//!
//! References: Hoerl and Kennard 1970, doi:10.1080/00401706.1970.10488634 (ridge); Golub, Heath and Wahba 1979,
//! doi:10.1080/00401706.1979.10489751 (leave-one-out in closed form); Rifkin and Lippert 2007, MIT-CSAIL-TR-2007-025 (kernel form).

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::design::{Design, Setup};
use crate::error::RegressError;
use crate::folds::{self, Folds, LeakReport, Leaks};
use crate::params::{Edge, FitReport, RidgeParams};
use crate::selection::Selection;
use crate::solver::product::{multiply, panel_rows};
use crate::solver::real::Real;
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
pub struct Plain<T: Real = f32> {
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

/// Ridge regression whose penalties are chosen by exact leave-one-group-out prediction.
///
/// Each group of samples (the repeats of one image, a run, a fold) is predicted by the model fitted to all others, for
/// every penalty, from one eigendecomposition: e_g = (I − H_gg)⁻¹ r_g. The intercept is refitted for each held-out group;
/// the features' scales are those of all training samples.
///
/// # Numerics
/// In f64, held-out residuals equal those of refitting without each group to 1e-10 relative. In f32 the Gram matrix, its
/// decomposition and the group blocks are still f64; products with targets are f32, and scores agree with the f64 fit to
/// about 1e-5. Results are the same bits on any number of threads.
///
/// With n samples, r = min(n − 1, p) directions, t targets, A penalties and groups of m, the operations are n·p·r (Gram, f64),
/// 9r³ (eigen, f64), 2·n·p·r (directions, f64), n·m·(r + 2m)·A (group blocks), 2·n·r·t (projection), 2·n·(r + m)·t·A (scores)
/// and 2·p·r·t (weights). k folds are groups of m = n/k: one decomposition serves them all, where down-dating the Gram matrix
/// would take k more.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeCv {
    params: RidgeParams,
}

impl RidgeCv {
    /// An estimator with these settings.
    pub fn new(params: RidgeParams) -> Self {
        Self { params }
    }

    /// Chooses penalties and fits.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets, `groups` n_samples labels; samples with the same label are
    /// held out together.
    ///
    /// # Errors
    /// Inputs whose rows differ, values that are not finite, a single group, features without variation, penalty 0 on a
    /// singular design, a group that the others do not determine; see [`RegressError`].
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use percept_regress::{RidgeCv, RidgeParams};
    ///
    /// let x = array![[0.0f32], [1.0], [2.0], [3.0], [4.0], [5.0]];
    /// let y = array![[1.0f32], [3.0], [5.0], [7.0], [9.0], [11.0]];
    /// let params = RidgeParams { alphas: vec![1e-3, 1.0, 1e3], ..RidgeParams::default() };
    /// let ridge = RidgeCv::new(params).fit(x.view(), y.view(), &[0, 0, 1, 1, 2, 2])?;
    /// assert_eq!(ridge.alpha, vec![1e-3]);
    /// assert!((ridge.predict(array![[6.0f32]].view())?[(0, 0)] - 13.0).abs() < 0.01);
    /// # Ok::<(), percept_regress::RegressError>(())
    /// ```
    pub fn fit<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        groups: &[usize],
    ) -> Result<Ridge<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        Design::grouped(x, groups, &self.params)?.fit(y)
    }

    /// The same with given folds, which are refused when repeats of one stimulus stand in different folds, unless `leaks`
    /// allows it; then the report lists what leaks.
    ///
    /// # Errors
    /// [`RegressError::Leak`], and those of [`RidgeCv::fit`].
    pub fn fit_folds<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        fold_of_sample: &[usize],
        stimulus_of_sample: &[usize],
        leaks: Leaks,
    ) -> Result<(Ridge<T>, LeakReport), RegressError> {
        let report = folds::check(fold_of_sample, stimulus_of_sample, leaks)?;
        Ok((self.fit(x, y, fold_of_sample)?, report))
    }

    /// The same with folds of any kind and a weight > 0 per sample.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`], and [`RegressError::Weight`].
    pub fn fit_with<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        folds: Folds,
        sample_weights: Option<&[f64]>,
    ) -> Result<Ridge<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        Design::prepare(&x, &self.params, Setup { folds: Some(folds), sample_weights, ..Setup::default() })?.fit(y)
    }
}

impl<T: Real> Plain<T> {
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
    /// Fits all targets with one given penalty; the grid of `params` is not used.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] apart from groups.
    pub fn fit(
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        alpha: f64,
        params: &RidgeParams,
    ) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        Design::new(x, params)?.fit_fixed(y, &vec![alpha; y.ncols()])
    }

    /// Predictions: n_samples × n_targets.
    ///
    /// # Shapes
    /// `x` n_samples × n_features.
    ///
    /// # Errors
    /// [`RegressError::Features`] and [`RegressError::NonFinite`].
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

    /// The model in the features' own units, ready to be stored, without a second copy of the weights.
    pub fn into_plain(self) -> Plain<T> {
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
        Plain {
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

pub(crate) fn same_rows(
    left: &'static str,
    left_rows: usize,
    right: &'static str,
    right_rows: usize,
) -> Result<(), RegressError> {
    if left_rows == right_rows {
        return Ok(());
    }
    Err(RegressError::Rows { left, left_rows, right, right_rows })
}
