//! Cross-validation over a few large folds (runs, films, stories) from sums of each fold: no prediction of a held-out sample is made.
//!
//! For folds that hold more samples than there are features, [`crate::Design`]'s blocks of held-out samples are larger than what they
//! correct. Here every fold leaves its sums XᵀX, XᵀY and their means; training sums are totals less those of the fold. One
//! decomposition per fold then gives all penalties, and the error of the held-out samples is a quadratic form in the weights:
//!
//! Σ(ỹ − x̃ᵀb)² = Σỹ² − 2 bᵀX̃ᵀỹ + bᵀX̃ᵀX̃ b, with x̃ and ỹ less the training means.
//!
//! In the directions of the training covariance, each over the root of its eigenvalue, all terms are of the size of what they
//! add to a prediction, so that single precision is enough whatever the penalty. Products for a whole grid of penalties are made of
//! those for a few functions of the spectrum (`solver::penalties`).
//!
//! It takes one matrix of p × p per fold in two forms, p being the number of features, and the standardised samples once. With t
//! targets and k folds the operations are 2·n·p·t for the sums, and about 2·k·p²·t for each of the four or five functions and two changes
//! of basis.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::cost::{columns_per_task, tasks};
use crate::error::RegressError;
use crate::fitted::Ridge;
use crate::folds::Folds;
use crate::params::{AlphaChoice, Edge, FitReport, Path, Pooling, RidgeParams, Score};
use crate::samples::same_rows;
use crate::selection::{best, edge_of};
use crate::solver::basis::covariance_spectrum;
use crate::solver::decomposition::Spectrum;
use crate::solver::heldout::scale;
use crate::solver::mixing::Mixer;
use crate::solver::number::Real;
use crate::solver::penalties::{Lengths, Penalties};
use crate::solver::product::{multiply, multiply_columns, multiply_parallel};
use crate::solver::spectrum::{gram, mirror};
use crate::solver::standard::{Standard, all_finite};
use crate::solver::tile::Tile;
use crate::together::Share;

/// Samples with the sums of their folds, ready for any number of target sets.
pub struct LargeFolds<T: Real = f32> {
    params: RidgeParams,
    grid: Vec<f64>,
    standard: Standard,
    /// Standardised samples in the order of folds, those that are never held out last: n_samples × n_kept.
    x: Array2<T>,
    /// The sample of each row of `x`.
    samples: Vec<usize>,
    /// Rows of each fold, and of the rest.
    ranges: Vec<Range<usize>>,
    folds: Vec<FoldBasis<T>>,
    /// The decomposition of all samples: eigenvalues, and vectors as rows.
    values: Vec<f64>,
    vectors: Array2<T>,
}

/// What one fold's penalties need.
struct FoldBasis<T> {
    n_held: f64,
    /// Means over the training samples of this fold, and over the held-out ones.
    train_mean: Vec<f64>,
    held_mean: Vec<f64>,
    n_train: f64,
    /// Eigenvalues of the training covariance, ascending.
    values: Vec<f64>,
    /// Rows: its directions over the roots of their eigenvalues.
    into: Array2<T>,
    /// The held-out covariance in these directions.
    inner: Array2<T>,
    /// What a weight adds to the sum of held-out predictions.
    level: Vec<f64>,
    penalties: Penalties<T>,
}

/// Sums of one fold for the targets of a tile.
struct TargetSums<T> {
    /// Xᵀy: n_kept × width.
    products: Array2<T>,
    y: Vec<f64>,
    yy: Vec<f64>,
}

impl<T: Real> LargeFolds<T> {
    /// Whether samples of this shape should be fitted so: every fold's blocks would be larger than its sums.
    pub fn apply(x: (usize, usize), params: &RidgeParams, folds: &Folds, has_weights: bool) -> bool {
        let smallest = folds.ranges.iter().map(ExactSizeIterator::len).min().unwrap_or(0);
        let whole = folds.ranges.iter().zip(&folds.n_scored).all(|(range, scored)| range.len() == *scored);
        let mut seen = vec![false; folds.n_samples];
        let once = folds.members.iter().all(|&sample| !std::mem::replace(&mut seen[sample], true));
        let plain = params.choice == AlphaChoice::PerTarget && params.extend == 0 && !has_weights;
        let positive = params.alphas.iter().all(|alpha| *alpha > 0.0);
        plain && positive && whole && once && !params.takes_kernel(x.0, x.1, folds.largest()) && smallest * 2 > x.1
    }

    /// Prepares samples: n_samples × n_features.
    ///
    /// # Errors
    /// Those of [`crate::Design::prepare`] that concern samples and folds; [`RegressError::Setting`] for settings that are not served
    /// here, see [`LargeFolds::apply`].
    #[inline(never)]
    pub fn prepare(x: ArrayView2<'_, T>, params: &RidgeParams, folds: &Folds) -> Result<Self, RegressError> {
        let standard = Standard::fit(&x, None, params.centers(), params.standardize, Share::default())?;
        Self::with_standard(x, standard, params, folds)
    }

    /// The same with features standardised as given.
    pub(crate) fn with_standard(
        x: ArrayView2<'_, T>,
        standard: Standard,
        params: &RidgeParams,
        folds: &Folds,
    ) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "folds", folds.n_samples())?;
        let grid = params.grid()?;
        if !Self::apply(x.dim(), params, folds, false) {
            return Err(RegressError::Setting {
                what: format!("{} folds of up to {} samples", folds.len(), folds.largest()),
                expected: "whole folds larger than half of the features, a penalty above 0 per target, no growing grid"
                    .to_owned(),
                remedy: "use `RidgeCv` or `Design`",
            });
        }
        let mut samples = folds.members.clone();
        let mut held = vec![false; x.nrows()];
        for &sample in &samples {
            held[sample] = true;
        }
        samples.extend((0..x.nrows()).filter(|&sample| !held[sample]));
        let mut ranges = folds.ranges.clone();
        ranges.push(folds.members.len()..samples.len());
        let ordered = x.select(Axis(0), &samples);
        let parts: Vec<(Array2<f64>, Vec<f64>)> = ranges
            .iter()
            .map(|range| sums(ordered.slice(s![range.clone(), ..]), &standard))
            .collect::<Result<_, _>>()?;
        let table: Array2<T> = standard.table(ordered.view(), |_| 1.0);
        drop(ordered);
        let p = standard.kept.len();
        let (mut total, mut total_sum) = (Array2::<f64>::zeros((p, p)), vec![0.0; p]);
        for (inner, sum) in &parts {
            total += inner;
            total_sum.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
        }
        let n = x.nrows();
        let whole = (&total, &total_sum, n as f64);
        let folds = (0..folds.len())
            .map(|fold| FoldBasis::new(whole, &parts[fold], ranges[fold].len() as f64, params.intercept, &grid))
            .collect::<Result<_, _>>()?;
        let Spectrum { values, vectors } = covariance_spectrum(total, n, Share::default())?;
        let vectors = rows(&vectors, |_| 1.0);
        Ok(Self { params: params.clone(), grid, standard, x: table, samples, ranges, folds, values, vectors })
    }

    /// How many targets one task works on when there are `n_targets` in all. Targets that are cut at multiples of it get the same bits
    /// as all at once.
    pub fn task_width(&self, n_targets: usize) -> usize {
        columns_per_task(self.grid.len(), n_targets)
    }

    /// Chooses a penalty for each target of `y` (n_samples × n_targets) and fits.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `y`.
    #[inline(never)]
    pub fn fit(&self, y: ArrayView2<'_, T>) -> Result<Ridge<T>, RegressError> {
        self.fit_part(y, self.task_width(y.ncols()))
    }

    /// Fits some of the targets of a larger set; `width` is the [`LargeFolds::task_width`] of the whole set.
    ///
    /// # Errors
    /// As [`LargeFolds::fit`].
    #[inline(never)]
    pub fn fit_part(&self, y: ArrayView2<'_, T>, width: usize) -> Result<Ridge<T>, RegressError> {
        same_rows("x", self.samples.len(), "y", y.nrows())?;
        all_finite("y", y)?;
        let (n_features, n_targets) = (self.standard.mean.len(), y.ncols());
        let ones = vec![1.0; y.nrows()];
        let mut weights = Array2::<T>::zeros((n_targets, n_features));
        let mut pieces = Vec::new();
        let mut rest = weights.view_mut();
        for columns in tasks(n_targets, width) {
            let (piece, tail) = rest.split_at(Axis(0), columns.len());
            pieces.push((columns, piece));
            rest = tail;
        }
        let found: Vec<(Vec<usize>, Vec<f64>, Vec<f64>, Vec<bool>)> = pieces
            .into_par_iter()
            .map(|(columns, mut out)| {
                let tile = Tile::new(y, columns, &ones, self.params.intercept);
                let sums = self.target_sums(&tile);
                let scores = self.scores_of(&tile, &sums);
                let chosen: Vec<usize> =
                    scores.columns().into_iter().map(|column| best(column.iter().copied())).collect();
                let solved = self.weights(&sums, &chosen);
                for (target, (mut out, solved)) in out.rows_mut().into_iter().zip(solved.rows()).enumerate() {
                    if self.params.intercept && tile.constant[target] {
                        continue;
                    }
                    for (&feature, &value) in self.standard.kept.iter().zip(solved) {
                        out[feature] = value;
                    }
                }
                let score = chosen.iter().enumerate().map(|(target, &row)| scores[(row, target)]).collect();
                (chosen, score, tile.intercept, tile.constant)
            })
            .collect();
        Ok(self.model(weights, found))
    }

    /// Held-out scores of every penalty (ascending) and target: n_alphas × n_targets. Constant targets score 0.
    ///
    /// # Errors
    /// As [`LargeFolds::fit`].
    #[inline(never)]
    pub fn scores(&self, y: ArrayView2<'_, T>) -> Result<Array2<f64>, RegressError> {
        same_rows("x", self.samples.len(), "y", y.nrows())?;
        all_finite("y", y)?;
        let ones = vec![1.0; y.nrows()];
        let parts: Vec<Array2<f64>> = tasks(y.ncols(), self.task_width(y.ncols()))
            .into_par_iter()
            .map(|columns| {
                let tile = Tile::new(y, columns, &ones, self.params.intercept);
                self.scores_of(&tile, &self.target_sums(&tile))
            })
            .collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(ndarray::concatenate(Axis(1), &views).unwrap_or_else(|_| Array2::zeros((self.grid.len(), 0))))
    }

    /// Sums of every fold and of the rest.
    fn target_sums(&self, tile: &Tile<T>) -> Vec<TargetSums<T>> {
        let width = tile.y.ncols();
        let of = |range: &Range<usize>| {
            let y = tile.y.select(Axis(0), &self.samples[range.clone()]).as_standard_layout().into_owned();
            let mut products = Array2::zeros((self.x.ncols(), width));
            if !range.is_empty() {
                multiply(products.view_mut(), self.x.slice(s![range.clone(), ..]).t(), y.view(), false);
            }
            let (mut sums, mut squares) = (vec![0.0; width], vec![0.0; width]);
            for row in y.rows() {
                for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(row) {
                    let value = value.as_f64();
                    *sum += value;
                    *square += value * value;
                }
            }
            TargetSums { products, y: sums, yy: squares }
        };
        self.ranges.iter().map(of).collect()
    }

    fn scores_of(&self, tile: &Tile<T>, sums: &[TargetSums<T>]) -> Array2<f64> {
        let width = tile.y.ncols();
        let mut products = Array2::<f64>::zeros((self.x.ncols(), width));
        let mut y = vec![0.0; width];
        for part in sums {
            products.zip_mut_with(&part.products, |sum, value| *sum += value.as_f64());
            y.iter_mut().zip(&part.y).for_each(|(sum, value)| *sum += value);
        }
        let mut scores = Array2::zeros((self.grid.len(), width));
        let mut pooled = Pooled::new(self.grid.len(), width);
        for (fold, own) in self.folds.iter().zip(sums) {
            let found = fold.errors((&products, &y), own, self.params.intercept, &self.grid);
            match self.params.pooling {
                Pooling::Folds => {
                    let mut alone = Pooled::new(self.grid.len(), width);
                    alone.add(&found, own, fold.n_held, false);
                    alone.add_scores(&mut scores, self.params.score, 1.0 / self.folds.len() as f64);
                }
                Pooling::Samples => pooled.add(&found, own, fold.n_held, true),
            }
        }
        if self.params.pooling == Pooling::Samples {
            pooled.add_scores(&mut scores, self.params.score, 1.0);
        }
        for (target, constant) in tile.constant.iter().enumerate() {
            if *constant {
                scores.column_mut(target).fill(0.0);
            }
        }
        scores
    }

    /// Weights of standardised features by all samples: width × n_kept.
    fn weights(&self, sums: &[TargetSums<T>], chosen: &[usize]) -> Array2<T> {
        let width = chosen.len();
        let mut products = Array2::<T>::zeros((self.x.ncols(), width));
        for part in sums {
            products += &part.products;
        }
        let mut projected = Array2::zeros((self.values.len(), width));
        multiply(projected.view_mut(), self.vectors.view(), products.view(), false);
        for (mut row, value) in projected.rows_mut().into_iter().zip(&self.values) {
            for (entry, &alpha) in row.iter_mut().zip(chosen) {
                *entry *= T::from_f64(1.0 / (value + self.grid[alpha]));
            }
        }
        let mut out = Array2::zeros((width, self.x.ncols()));
        multiply(out.view_mut(), projected.t(), self.vectors.view(), false);
        out
    }

    fn model(&self, weights: Array2<T>, parts: Vec<(Vec<usize>, Vec<f64>, Vec<f64>, Vec<bool>)>) -> Ridge<T> {
        let (mut alpha, mut cv_score, mut edge) = (Vec::new(), Vec::new(), Vec::new());
        let (mut intercept, mut constant_targets) = (Vec::new(), Vec::new());
        for (chosen, scores, levels, constant) in parts {
            for (target, row) in chosen.into_iter().enumerate() {
                if constant[target] {
                    constant_targets.push(alpha.len());
                }
                alpha.push(self.grid[row]);
                edge.push(if constant[target] { Edge::Inside } else { edge_of(row, self.grid.len()) });
            }
            cv_score.extend(scores);
            intercept.extend(levels);
        }
        let count = |wanted: Edge| edge.iter().filter(|edge| **edge == wanted).count();
        let smallest_alpha = alpha.iter().copied().fold(f64::INFINITY, f64::min);
        let full = self.values.len() == self.standard.kept.len();
        let smallest = if full { self.values.first().copied().unwrap_or(0.0) } else { 0.0 };
        let largest = self.values.last().copied().unwrap_or(0.0);
        let report = FitReport {
            n_samples: self.samples.len(),
            n_groups: self.folds.len(),
            path: Path::Covariance,
            edge_low: count(Edge::Low),
            edge_high: count(Edge::High),
            rank: self.values.len(),
            condition: (largest + smallest_alpha) / (smallest + smallest_alpha),
            constant_features: self.standard.constant.clone(),
            constant_targets,
        };
        Ridge {
            weights: weights.reversed_axes(),
            intercept: intercept.into_iter().map(T::from_f64).collect(),
            alpha,
            cv_score,
            edge,
            x_mean: self.standard.mean.clone(),
            x_scale: self.standard.scale.clone(),
            report,
        }
    }
}

/// XᵀX (whole) and the sums of standardised samples.
fn sums<T: Real>(x: ArrayView2<'_, T>, standard: &Standard) -> Result<(Array2<f64>, Vec<f64>), RegressError> {
    let p = standard.kept.len();
    let mut sum = vec![0.0; p];
    for row in x.rows() {
        for (sum, &feature) in sum.iter_mut().zip(&standard.kept) {
            *sum += (row[feature].as_f64() - standard.mean[feature]) / standard.scale[feature];
        }
    }
    let mut inner = gram(p, x.nrows(), Share::default(), |range| Ok(standard.table(x.slice(s![range, ..]), |_| 1.0)))?;
    mirror(&mut inner);
    Ok((inner, sum))
}

/// Columns of `vectors` as rows, each times `factor(column)`.
fn rows<T: Real>(vectors: &Array2<f64>, factor: impl Fn(usize) -> f64 + Sync) -> Array2<T> {
    let mut out = Array2::zeros((vectors.ncols(), vectors.nrows()));
    out.axis_iter_mut(Axis(0)).into_par_iter().zip(vectors.axis_iter(Axis(1))).enumerate().for_each(
        |(column, (mut out, vector))| {
            let factor = factor(column);
            out.iter_mut().zip(vector).for_each(|(out, value)| *out = T::from_f64(value * factor));
        },
    );
    out
}

/// Per penalty and target: sums of predictions less the training mean, of their squares, and of their products with targets less
/// that mean; and that mean.
struct Errors {
    p: Array2<f64>,
    pp: Array2<f64>,
    py: Array2<f64>,
    train_y: Vec<f64>,
}

impl<T: Real> FoldBasis<T> {
    fn new(
        (total, total_sum, n): (&Array2<f64>, &Vec<f64>, f64),
        (own, own_sum): &(Array2<f64>, Vec<f64>),
        n_held: f64,
        intercept: bool,
        grid: &[f64],
    ) -> Result<Self, RegressError> {
        let (p, n_train) = (own.nrows(), n - n_held);
        let mean = |feature: usize| if intercept { (total_sum[feature] - own_sum[feature]) / n_train } else { 0.0 };
        let train_mean: Vec<f64> = (0..p).map(mean).collect();
        let held_mean: Vec<f64> = own_sum.iter().map(|sum| sum / n_held).collect();
        let mut train = total - own;
        let mut held = own.clone();
        for ((i, j), value) in train.indexed_iter_mut() {
            *value -= n_train * train_mean[i] * train_mean[j];
        }
        for ((i, j), value) in held.indexed_iter_mut() {
            let (a, b) = (train_mean[i], train_mean[j]);
            *value += n_held * (a * b - a * held_mean[j] - b * held_mean[i]);
        }
        let Spectrum { values, vectors } = covariance_spectrum(train, n_train as usize, Share::default())?;
        let roots: Vec<f64> = values.iter().map(|value| 1.0 / value.sqrt()).collect();
        let into: Array2<f64> = rows(&vectors, |column| roots[column]);
        let half = multiply_parallel(into.view(), held.view());
        let inner = multiply_parallel(half.view(), into.t());
        let shift = |feature: usize| n_held * (held_mean[feature] - train_mean[feature]);
        let level =
            into.rows().into_iter().map(|row| row.iter().enumerate().map(|(f, v)| v * shift(f)).sum()).collect();
        let penalties = Penalties::new(&values, grid, Lengths::Root);
        Ok(Self {
            n_held,
            train_mean,
            held_mean,
            n_train,
            into: into.mapv(T::from_f64),
            inner: inner.mapv(T::from_f64),
            level,
            penalties,
            values,
        })
    }

    fn errors(
        &self,
        (products, y): (&Array2<f64>, &Vec<f64>),
        own: &TargetSums<T>,
        intercept: bool,
        grid: &[f64],
    ) -> Errors {
        let (p, width) = products.dim();
        let mean = |target: usize| if intercept { (y[target] - own.y[target]) / self.n_train } else { 0.0 };
        let train_y: Vec<f64> = (0..width).map(mean).collect();
        // Products of training samples, and of held-out ones less the training means.
        let (mut train, mut held) = (Array2::<T>::zeros((p, width)), Array2::<T>::zeros((p, width)));
        for feature in 0..p {
            let (a, h) = (self.train_mean[feature], self.held_mean[feature]);
            for target in 0..width {
                let of_fold = own.products[(feature, target)].as_f64();
                let of_train = products[(feature, target)] - of_fold - self.n_train * a * train_y[target];
                train[(feature, target)] = T::from_f64(of_train);
                let less = self.n_held * (h - a) * train_y[target] + a * own.y[target];
                held[(feature, target)] = T::from_f64(of_fold - less);
            }
        }
        let r = self.values.len();
        let (mut c, mut u) = (Array2::<T>::zeros((r, width)), Array2::<T>::zeros((r, width)));
        multiply(c.view_mut(), self.into.view(), train.view(), false);
        multiply(u.view_mut(), self.into.view(), held.view(), false);
        for (mut row, value) in c.rows_mut().into_iter().zip(&self.values) {
            row *= T::from_f64(*value);
        }
        // The held-out covariance times the weights of every function, window by window.
        let scaled = scale(&c.t().as_standard_layout().into_owned(), &self.penalties);
        let mut sums: Vec<Vec<T>> = Vec::with_capacity(scaled.len());
        for (window, scaled) in self.penalties.windows.iter().zip(&scaled) {
            let mut out = vec![T::zero(); r * scaled.ncols()];
            multiply_columns(&mut out, self.inner.view(), window.directions.clone(), scaled.view());
            sums.push(out);
        }
        let mixer = Mixer::new(&self.penalties.windows, T::one());
        let zeros = || Array2::<f64>::zeros((grid.len(), width));
        let mut errors = Errors { p: zeros(), pp: zeros(), py: zeros(), train_y };
        let mut mixed = vec![T::zero(); grid.len() * width];
        for direction in 0..r {
            mixed.fill(T::zero());
            mixer.add_row(&sums, direction, width, mixed.chunks_exact_mut(width));
            let (c, u) = (c.row(direction), u.row(direction));
            let level = self.level[direction];
            for (alpha, (&penalty, mixed)) in grid.iter().zip(mixed.chunks_exact(width)).enumerate() {
                let shrinkage = 1.0 / (self.values[direction] + penalty);
                let places = errors.p.row_mut(alpha).into_iter().zip(errors.pp.row_mut(alpha));
                let places = places.zip(errors.py.row_mut(alpha));
                for ((((p, pp), py), (&c, &u)), mixed) in places.zip(c.iter().zip(u)).zip(mixed) {
                    let weight = c.as_f64() * shrinkage;
                    *p += weight * level;
                    *pp += weight * mixed.as_f64();
                    *py += weight * u.as_f64();
                }
            }
        }
        errors
    }
}

/// Sums over held-out samples, in one frame for all folds.
struct Pooled {
    n: f64,
    y: Vec<f64>,
    yy: Vec<f64>,
    ee: Array2<f64>,
    p: Array2<f64>,
    pp: Array2<f64>,
    py: Array2<f64>,
}

impl Pooled {
    fn new(n_alphas: usize, width: usize) -> Self {
        let zeros = || Array2::zeros((n_alphas, width));
        Self { n: 0.0, y: vec![0.0; width], yy: vec![0.0; width], ee: zeros(), p: zeros(), pp: zeros(), py: zeros() }
    }

    /// Adds a fold. With `levels` its training means stay in: folds that are pooled have different ones. Without them targets are taken less
    /// these means, since predictions that hardly move would be lost beside them.
    fn add<T>(&mut self, errors: &Errors, own: &TargetSums<T>, n_held: f64, levels: bool) {
        self.n += n_held;
        for target in 0..self.y.len() {
            let (level, y) = (errors.train_y[target], own.y[target]);
            let squares = own.yy[target] - 2.0 * level * y + n_held * level * level;
            let (level, y, yy) = if levels { (level, y, own.yy[target]) } else { (0.0, y - n_held * level, squares) };
            self.y[target] += y;
            self.yy[target] += yy;
            for alpha in 0..self.ee.nrows() {
                let at = (alpha, target);
                let (p, pp, py) = (errors.p[at], errors.pp[at], errors.py[at]);
                self.ee[at] += (squares - 2.0 * py + pp).max(0.0);
                // Predictions with their level: p + level.
                self.p[at] += p + n_held * level;
                self.pp[at] += pp + 2.0 * level * p + n_held * level * level;
                self.py[at] += py + level * p + level * y;
            }
        }
    }

    fn add_scores(&self, scores: &mut Array2<f64>, score: Score, share: f64) {
        for ((alpha, target), out) in scores.indexed_iter_mut() {
            let at = (alpha, target);
            let varies = self.yy[target] - self.y[target].powi(2) / self.n;
            let value = match score {
                Score::NegMse => -self.ee[at] / self.n,
                Score::R2 if varies > 0.0 => 1.0 - self.ee[at] / varies,
                Score::Pearson => {
                    let varies_p = self.pp[at] - self.p[at].powi(2) / self.n;
                    let together = self.py[at] - self.p[at] * self.y[target] / self.n;
                    if varies_p > 0.0 && varies > 0.0 { together / (varies_p * varies).sqrt() } else { 0.0 }
                }
                Score::R2 => 0.0,
            };
            *out += share * value;
        }
    }
}
