//! The estimators: choose a penalty per target by leave-one-group-out prediction, fit, predict.
//!
//! A [`Design`] holds everything that depends on the samples' features alone; it can be fitted to any number of target
//! sets, for instance to blocks of columns that a caller reads from disk one after the other.
//!
//! References: Hoerl and Kennard 1970, doi:10.1080/00401706.1970.10488634 (ridge); Golub, Heath and Wahba 1979,
//! doi:10.1080/00401706.1979.10489751 (leave-one-out in closed form); Rifkin and Lippert 2007, MIT-CSAIL-TR-2007-025 (kernel form).

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::error::RegressError;
use crate::folds::{self, Groups, LeakReport, Leaks};
use crate::params::{AlphaChoice, FitReport, Path, RidgeParams};
use crate::solver::basis::{Basis, Inverses};
use crate::solver::heldout::{HeldOut, Tile};
use crate::solver::product::{multiply, panel_rows};
use crate::solver::real::Real;
use crate::solver::standard::Standard;

/// Columns of stacked penalties × targets that one task multiplies at a time.
const STACKED_COLUMNS: usize = 1024;

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
    /// n_features: what is subtracted from features; zeros when no intercept was fitted.
    pub x_mean: Array1<f64>,
    /// n_features: what features are divided by.
    pub x_scale: Array1<f64>,
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
/// With n samples, r = min(n − 1, p) directions, t targets, A penalties and groups of m, the work is
/// n·p·r (Gram, f64) + 9r³ (eigen, f64) + 2·n·r·t (projection) + 2·n·(r + m)·t·A (scores) + 2·p·r·t (weights) operations.
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
}

/// Training samples, standardised and decomposed: all of a fit that does not depend on targets.
///
/// It holds n_samples × n_directions and n_features × n_directions numbers (the latter n_samples × n_features on the kernel
/// path), and per penalty the square of each group's size.
pub struct Design<T: Real = f32> {
    params: RidgeParams,
    grid: Vec<f64>,
    groups: Groups,
    standard: Standard,
    basis: Basis<T>,
    inverses: Inverses<T>,
    n_samples: usize,
}

impl<T: Real> Design<T> {
    /// Prepares samples for fits with a given penalty.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] that concern `x`.
    pub fn new(x: ArrayView2<'_, T>, params: &RidgeParams) -> Result<Self, RegressError> {
        Self::prepare(x, Groups::none(x.nrows()), Vec::new(), params)
    }

    /// Prepares samples for fits that choose penalties by leaving out one group at a time.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] that concern `x` and `groups`.
    pub fn grouped(x: ArrayView2<'_, T>, groups: &[usize], params: &RidgeParams) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "groups", groups.len())?;
        let grid = params.grid()?;
        let groups = Groups::new(groups)?;
        Self::prepare(x, groups, grid, params)
    }

    fn prepare(
        x: ArrayView2<'_, T>,
        groups: Groups,
        grid: Vec<f64>,
        params: &RidgeParams,
    ) -> Result<Self, RegressError> {
        all_finite("x", x)?;
        if params.intercept && x.nrows() < 2 {
            return Err(RegressError::TooFewSamples { rows: x.nrows() });
        }
        let standard = Standard::fit(x, params.intercept, params.standardize)?;
        let (basis, inverses) = Basis::new(x, &standard, &groups, &grid, params.path, params.intercept)?;
        Ok(Self { params: params.clone(), grid, groups, standard, basis, inverses, n_samples: x.nrows() })
    }

    /// Chooses a penalty for each target of `y` (n_samples × n_targets) and fits.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] that concern `y`; [`RegressError::Ungrouped`] for a design made by [`Design::new`].
    pub fn fit(&self, y: ArrayView2<'_, T>) -> Result<Ridge<T>, RegressError> {
        let scores = self.scores(y)?;
        let chosen = self.choose(&scores);
        let alpha: Vec<f64> = chosen.iter().map(|&position| self.grid[position]).collect();
        let mut ridge = self.solve(y, alpha);
        ridge.cv_score = chosen.iter().enumerate().map(|(target, &position)| scores[(position, target)]).collect();
        if self.grid.len() > 1 {
            // Constant targets have no optimum, so they stand at no edge.
            let informative = |target: &usize| ridge.report.constant_targets.binary_search(target).is_err();
            let at =
                |edge: usize| (0..chosen.len()).filter(informative).filter(|&target| chosen[target] == edge).count();
            let (low, high) = (at(0), at(self.grid.len() - 1));
            ridge.report.edge_low = low;
            ridge.report.edge_high = high;
        }
        Ok(ridge)
    }

    /// Fits all targets of `y` (n_samples × n_targets) with the given penalties, one per target.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] that concern `y` and the penalties.
    pub fn fit_fixed(&self, y: ArrayView2<'_, T>, alpha: &[f64]) -> Result<Ridge<T>, RegressError> {
        self.accept(y)?;
        if alpha.len() != y.ncols() {
            return Err(RegressError::PerTarget { list: "alpha", expected: y.ncols(), got: alpha.len() });
        }
        if let Some(bad) = alpha.iter().find(|alpha| !alpha.is_finite() || **alpha < 0.0) {
            return Err(RegressError::Alphas { found: format!("`{bad}`") });
        }
        alpha.iter().try_for_each(|&alpha| self.basis.admits(alpha))?;
        Ok(self.solve(y, alpha.to_vec()))
    }

    /// Held-out scores of every penalty (ascending) and target: n_alphas × n_targets. Constant targets score 0.
    ///
    /// # Errors
    /// Those of [`Design::fit`].
    pub fn scores(&self, y: ArrayView2<'_, T>) -> Result<Array2<f64>, RegressError> {
        self.accept(y)?;
        self.needs_groups()?;
        let parts: Vec<Array2<f64>> = self
            .tiles(y.ncols())
            .into_par_iter()
            .map(|columns| {
                let tile = Tile::new(y, columns, &self.groups.order, self.params.intercept);
                let projected = tile.project(&self.basis);
                self.held_out().scores(&tile, &projected, self.params.score)
            })
            .collect();
        let mut scores = Array2::zeros((self.grid.len(), y.ncols()));
        for (columns, part) in self.tiles(y.ncols()).into_iter().zip(parts) {
            scores.slice_mut(s![.., columns]).assign(&part);
        }
        Ok(scores)
    }

    /// The prediction of every sample by the model fitted without its group: n_samples × n_targets.
    ///
    /// `alpha` holds one penalty of the grid per target. Penalties chosen on the same samples make these predictions
    /// slightly optimistic; nest the choice where that matters.
    ///
    /// # Errors
    /// Those of [`Design::fit`], and [`RegressError::Alphas`] for a penalty that is not in the grid.
    pub fn held_out_predictions(&self, y: ArrayView2<'_, T>, alpha: &[f64]) -> Result<Array2<T>, RegressError> {
        self.accept(y)?;
        self.needs_groups()?;
        if alpha.len() != y.ncols() {
            return Err(RegressError::PerTarget { list: "alpha", expected: y.ncols(), got: alpha.len() });
        }
        let positions: Vec<usize> = alpha
            .iter()
            .map(|alpha| {
                self.grid
                    .iter()
                    .position(|candidate| candidate == alpha)
                    .ok_or_else(|| RegressError::Alphas { found: format!("no `{alpha}`") })
            })
            .collect::<Result<_, _>>()?;
        let parts: Vec<Array2<T>> = self
            .tiles(y.ncols())
            .into_par_iter()
            .map(|columns| {
                let chosen = &positions[columns.clone()];
                let mut used = chosen.to_vec();
                used.sort_unstable();
                used.dedup();
                let tile = Tile::new(y, columns, &self.groups.order, self.params.intercept);
                let projected = tile.project(&self.basis);
                let width = chosen.len();
                let mut predicted = Array2::zeros((self.n_samples, width));
                self.held_out().residuals(&tile, &projected, &used, |position, first, residuals| {
                    for (offset, row) in residuals.chunks_exact(width).enumerate() {
                        let (from, to) = (first + offset, self.groups.order[first + offset]);
                        for target in (0..width).filter(|&target| chosen[target] == used[position]) {
                            let value = tile.y[(from, target)] - row[target] + T::from_f64(tile.intercept[target]);
                            predicted[(to, target)] = value;
                        }
                    }
                });
                predicted
            })
            .collect();
        let mut predicted = Array2::zeros((self.n_samples, y.ncols()));
        for (columns, part) in self.tiles(y.ncols()).into_iter().zip(parts) {
            predicted.slice_mut(s![.., columns]).assign(&part);
        }
        Ok(predicted)
    }

    /// The penalties a fit chooses from, ascending; empty for a design made by [`Design::new`].
    pub fn grid(&self) -> &[f64] {
        &self.grid
    }

    fn held_out(&self) -> HeldOut<'_, T> {
        HeldOut { basis: &self.basis, inverses: &self.inverses, groups: &self.groups, grid: &self.grid }
    }

    fn needs_groups(&self) -> Result<(), RegressError> {
        if self.groups.ranges.is_empty() { Err(RegressError::Ungrouped) } else { Ok(()) }
    }

    fn accept(&self, y: ArrayView2<'_, T>) -> Result<(), RegressError> {
        same_rows("x", self.n_samples, "y", y.nrows())?;
        all_finite("y", y)
    }

    /// Runs of targets, each the work of one task. Their widths depend on the numbers of targets and penalties alone.
    fn tiles(&self, n_targets: usize) -> Vec<Range<usize>> {
        let stacked = (STACKED_COLUMNS / self.grid.len().max(8)).max(16);
        let width = n_targets.div_ceil(8).clamp(16, stacked);
        (0..n_targets).step_by(width).map(|start| start..(start + width).min(n_targets)).collect()
    }

    /// Position in the grid for each target; among equal scores the largest penalty wins.
    fn choose(&self, scores: &Array2<f64>) -> Vec<usize> {
        let best = |scores: &[f64]| {
            let mut best = 0;
            for (position, score) in scores.iter().enumerate() {
                if *score >= scores[best] {
                    best = position;
                }
            }
            best
        };
        match self.params.choice {
            AlphaChoice::PerTarget => scores.axis_iter(Axis(1)).map(|column| best(&column.to_vec())).collect(),
            AlphaChoice::Shared => {
                let means: Vec<f64> = scores.axis_iter(Axis(0)).map(|row| row.sum()).collect();
                vec![best(&means); scores.ncols()]
            }
        }
    }

    fn solve(&self, y: ArrayView2<'_, T>, alpha: Vec<f64>) -> Ridge<T> {
        let (n_features, n_targets) = (self.standard.mean.len(), y.ncols());
        let mut weights = Array2::<T>::zeros((n_targets, n_features));
        let tiles = self.tiles(n_targets);
        let mut pieces = Vec::with_capacity(tiles.len());
        let mut rest = weights.view_mut();
        for columns in tiles {
            let (piece, tail) = rest.split_at(Axis(0), columns.len());
            pieces.push((columns, piece));
            rest = tail;
        }
        let parts: Vec<(Vec<f64>, Vec<bool>)> = pieces
            .into_par_iter()
            .map(|(columns, mut out)| {
                let tile = Tile::new(y, columns.clone(), &self.groups.order, self.params.intercept);
                let solved = self.basis.weights(tile.project(&self.basis), &alpha[columns]);
                for (target, (mut out, solved)) in out.rows_mut().into_iter().zip(solved.rows()).enumerate() {
                    // Rounding of the mean would leave dust where the weights are 0.
                    if self.params.intercept && tile.constant[target] {
                        continue;
                    }
                    for (&feature, &value) in self.standard.kept.iter().zip(solved) {
                        out[feature] = value;
                    }
                }
                (tile.intercept, tile.constant)
            })
            .collect();
        let intercept = parts.iter().flat_map(|(intercept, _)| intercept).map(|&value| T::from_f64(value)).collect();
        let constant = parts.iter().flat_map(|(_, constant)| constant).enumerate();
        let constant_targets = constant.filter(|(_, constant)| **constant).map(|(target, _)| target).collect();
        let smallest = alpha.iter().copied().fold(f64::INFINITY, f64::min);
        let report = FitReport {
            n_samples: self.n_samples,
            n_groups: self.groups.ranges.len(),
            path: if self.basis.is_kernel() { Path::Kernel } else { Path::Covariance },
            edge_low: 0,
            edge_high: 0,
            rank: self.basis.rank,
            condition: self.basis.condition(smallest),
            constant_features: self.standard.constant.clone(),
            constant_targets,
        };
        Ridge {
            weights: weights.reversed_axes(),
            intercept,
            alpha,
            cv_score: Vec::new(),
            x_mean: self.standard.mean.clone(),
            x_scale: self.standard.scale.clone(),
            report,
        }
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

/// The view itself when it is contiguous by rows or by columns, else a copy.
fn contiguous<T: Real>(view: ArrayView2<'_, T>) -> ndarray::CowArray<'_, T, ndarray::Ix2> {
    if view.is_standard_layout() || view.t().is_standard_layout() { view.into() } else { view.to_owned().into() }
}

fn same_rows(left: &'static str, left_rows: usize, right: &'static str, right_rows: usize) -> Result<(), RegressError> {
    if left_rows == right_rows {
        return Ok(());
    }
    Err(RegressError::Rows { left, left_rows, right, right_rows })
}

/// Names the first value that is not finite, and refuses empty matrices.
fn all_finite<T: Real>(matrix: &'static str, values: ArrayView2<'_, T>) -> Result<(), RegressError> {
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
