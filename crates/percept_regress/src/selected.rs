//! Ridge regression of each target on a few features: those whose correlation with it is largest in the training samples.
//!
//! This is how Kamitani's group decodes features of networks from voxels. One Gram matrix serves all targets; each solves the
//! system of its own features. Selection uses training samples only, so it must be repeated in every fold of a
//! cross-validation.
//!
//! References: Horikawa and Kamitani 2017, doi:10.1038/ncomms15037; their package `fastl2lir`, whose penalised intercept is
//! had by `penalize_intercept`.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::RegressError;
use crate::samples::same_rows;
use crate::solver::number::Real;
use crate::solver::product::multiply;
use crate::solver::spectrum::{gram, mirror, solve};
use crate::solver::standard::all_finite;
use crate::together::Share;

/// Features whose variance is below this have no correlation (as in `fastl2lir`).
const SMALLEST_VARIANCE: f64 = 1e-8;
/// Targets of one task. Targets that are cut at multiples of it get the same bits as all at once.
pub const TARGETS_PER_BLOCK: usize = 16;

/// Settings of a fit with selected features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelectedParams {
    /// Features per target; all when there are fewer.
    pub n_features: usize,
    /// The penalty.
    pub alpha: f64,
    /// Treat the intercept as one more feature (a column of ones) under the same penalty.
    pub penalize_intercept: bool,
}

/// A fitted model with selected features.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected<T: Real = f32> {
    /// n_features × n_targets, 0 where a feature was not selected.
    pub weights: Array2<T>,
    /// n_targets.
    pub intercept: Array1<T>,
    /// Features of each target, the best first.
    pub features: Vec<Vec<usize>>,
}

impl<T: Real> Selected<T> {
    /// Selects and fits, in f64.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets.
    ///
    /// # Errors
    /// [`RegressError::Rows`], [`RegressError::NonFinite`], [`RegressError::Alphas`], [`RegressError::Setting`] for no
    /// features per target, [`RegressError::SingularGram`] for a system without a unique solution.
    ///
    /// # Numerics
    /// With `penalize_intercept` weights equal those of `fastl2lir` to 1e-9.
    #[inline(never)]
    pub fn fit(x: ArrayView2<'_, T>, y: ArrayView2<'_, T>, params: &SelectedParams) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        SelectedDesign::new(x, params)?.fit(y)
    }

    /// Predictions: n_samples × n_targets.
    ///
    /// # Errors
    /// [`RegressError::Features`].
    #[inline(never)]
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, RegressError> {
        if x.ncols() != self.weights.nrows() {
            return Err(RegressError::Features { expected: self.weights.nrows(), got: x.ncols() });
        }
        Ok(x.dot(&self.weights) + &self.intercept)
    }
}

/// Samples from which features are selected, ready for any number of target sets. Cut targets at multiples of
/// [`TARGETS_PER_BLOCK`] for the same bits as all at once.
pub struct SelectedDesign {
    params: SelectedParams,
    /// Centred samples: n_samples × n_features.
    x: Array2<f64>,
    x_mean: Array1<f64>,
    /// XᵀX of centred features.
    inner: Array2<f64>,
    lengths: Vec<f64>,
    varies: Vec<bool>,
}

impl SelectedDesign {
    /// Prepares samples (n_samples × n_features), in f64.
    ///
    /// # Errors
    /// Those of [`Selected::fit`] that concern `x` and the settings.
    #[inline(never)]
    pub fn new<T: Real>(x: ArrayView2<'_, T>, params: &SelectedParams) -> Result<Self, RegressError> {
        all_finite("x", x)?;
        if !params.alpha.is_finite() || params.alpha < 0.0 {
            return Err(RegressError::Alphas { found: format!("`{}`", params.alpha) });
        }
        if params.n_features == 0 {
            return Err(RegressError::Setting {
                what: "0 features per target are asked for".to_owned(),
                expected: "at least 1".to_owned(),
                remedy: "select one or more features",
            });
        }
        let (n, p) = x.dim();
        let mut x = x.mapv(Real::as_f64);
        let x_mean = x.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(p));
        x -= &x_mean;
        let mut inner = gram(p, n, Share::default(), |rows| Ok(x.slice(ndarray::s![rows, ..]).to_owned()))?;
        mirror(&mut inner);
        let lengths = inner.diag().iter().map(|square| square.sqrt()).collect();
        let varies = inner.diag().iter().map(|square| square / n as f64 >= SMALLEST_VARIANCE).collect();
        Ok(Self { params: *params, x, x_mean, inner, lengths, varies })
    }

    /// Features that do not vary.
    pub fn constant_features(&self) -> Vec<usize> {
        (0..self.varies.len()).filter(|&feature| !self.varies[feature]).collect()
    }

    /// Means of the features.
    pub fn x_mean(&self) -> &Array1<f64> {
        &self.x_mean
    }

    /// Selects and fits for each target of `y` (n_samples × n_targets).
    ///
    /// # Errors
    /// Those of [`Selected::fit`] that concern `y`.
    #[inline(never)]
    pub fn fit<T: Real>(&self, y: ArrayView2<'_, T>) -> Result<Selected<T>, RegressError> {
        same_rows("x", self.x.nrows(), "y", y.nrows())?;
        all_finite("y", y)?;
        let p = self.x.ncols();
        let mut y = y.mapv(Real::as_f64);
        let y_mean = y.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(y.ncols()));
        y -= &y_mean;
        let starts: Vec<usize> = (0..y.ncols()).step_by(TARGETS_PER_BLOCK).collect();
        let solved: Vec<TargetFit> = starts
            .into_par_iter()
            .flat_map_iter(|start| {
                let end = (start + TARGETS_PER_BLOCK).min(y.ncols());
                let block = y.slice(ndarray::s![.., start..end]).t().as_standard_layout().into_owned();
                let mut products = Array2::zeros((end - start, p));
                multiply(products.view_mut(), block.view(), self.x.view(), false);
                (start..end)
                    .map(|target| self.fit_target(products.row(target - start), y_mean[target]))
                    .collect::<Vec<_>>()
            })
            .collect::<Result<_, RegressError>>()?;
        let mut model = Selected {
            weights: Array2::zeros((p, y.ncols())),
            intercept: Array1::zeros(y.ncols()),
            features: Vec::with_capacity(y.ncols()),
        };
        for (target, (features, weights, intercept)) in solved.into_iter().enumerate() {
            for (&feature, weight) in features.iter().zip(weights) {
                model.weights[(feature, target)] = T::from_f64(weight);
            }
            model.intercept[target] = T::from_f64(intercept);
            model.features.push(features);
        }
        Ok(model)
    }

    /// Features, weights and intercept of the target with these products with the features.
    fn fit_target(&self, products: ArrayView1<'_, f64>, y_mean: f64) -> Result<TargetFit, RegressError> {
        let strength = |feature: usize| {
            if self.varies[feature] { (products[feature] / self.lengths[feature]).abs() } else { 0.0 }
        };
        let mut order: Vec<usize> = (0..products.len()).collect();
        order.sort_by(|&a, &b| strength(b).total_cmp(&strength(a)));
        order.truncate(self.params.n_features);
        let n = self.x.nrows() as f64;
        let problem = Problem { inner: &self.inner, x_mean: &self.x_mean, n, params: &self.params };
        let products: Vec<f64> = order.iter().map(|&feature| products[feature]).collect();
        let (weights, intercept) = problem.solve(&order, &products, y_mean)?;
        Ok((order, weights, intercept))
    }
}

/// Selected features, their weights, the intercept.
type TargetFit = (Vec<usize>, Vec<f64>, f64);

/// What the systems of all targets share.
struct Problem<'a> {
    /// XᵀX of centred features.
    inner: &'a Array2<f64>,
    x_mean: &'a Array1<f64>,
    n: f64,
    params: &'a SelectedParams,
}

impl Problem<'_> {
    /// Weights of the selected features and the intercept, from products of centred features with the centred target.
    fn solve(&self, features: &[usize], products: &[f64], y_mean: f64) -> Result<(Vec<f64>, f64), RegressError> {
        let k = features.len();
        let extra = usize::from(self.params.penalize_intercept);
        let alpha = self.params.alpha;
        let mean = |i: usize| self.x_mean[features[i]];
        let mut system = Array2::zeros((k + extra, k + extra));
        let mut right = Array2::zeros((k + extra, 1));
        for i in 0..k {
            for j in 0..k {
                // Products of features that are not centred where their mean is not taken care of.
                let means = if extra == 1 { self.n * mean(i) * mean(j) } else { 0.0 };
                system[(i, j)] = self.inner[(features[i], features[j])] + means;
            }
            system[(i, i)] += alpha;
            right[(i, 0)] = products[i] + if extra == 1 { self.n * mean(i) * y_mean } else { 0.0 };
        }
        if extra == 1 {
            for i in 0..k {
                system[(i, k)] = self.n * mean(i);
                system[(k, i)] = self.n * mean(i);
            }
            system[(k, k)] = self.n + alpha;
            right[(k, 0)] = self.n * y_mean;
        }
        let solution = solve(&system, &right).ok_or(RegressError::SingularGram { rank: 0, needed: k + extra })?;
        let weights: Vec<f64> = (0..k).map(|i| solution[(i, 0)]).collect();
        let intercept = if extra == 1 {
            solution[(k, 0)]
        } else {
            y_mean - weights.iter().enumerate().map(|(i, weight)| weight * mean(i)).sum::<f64>()
        };
        Ok((weights, intercept))
    }
}
