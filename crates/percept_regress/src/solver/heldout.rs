//! Leave-one-group-out residuals of a tile of targets, and the scores made of them.
//!
//! A tile is a few dozen targets, handled by one task from its projection to its scores: the only arrays that grow with
//! the number of penalties are the scaled projections (n_alphas · width × n_directions) and the predictions of one block of
//! rows. The cost is one product of 2 · n_samples · n_directions · n_targets operations for each of the few functions that
//! make all penalties, see [`super::penalties`].

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Zip, s};

use super::basis::Basis;
use super::blocks::{BLOCK_ROWS, Inverses};
use super::penalties::{Penalties, Window, add_mixed};
use super::product::{multiply, multiply_columns};
use super::real::Real;
use crate::folds::Folds;
use crate::params::{Pooling, Score};

/// Groups larger than this are corrected by a matrix product.
const SMALL_GROUP: usize = 16;
/// Rows summed in the precision of the fit before they are added in f64.
const SHORT_SUM: usize = 16;

/// The columns of one tile.
#[derive(Clone)]
pub(crate) struct Tile<T> {
    /// n_samples × width, centred when there is an intercept, rows multiplied by the roots of the weights.
    pub(crate) y: Array2<T>,
    /// Mean of each target; 0 without an intercept.
    pub(crate) intercept: Vec<f64>,
    /// Whether each target is the same number in all samples.
    pub(crate) constant: Vec<bool>,
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
        Self { y: centred, intercept: means, constant }
    }

    /// Some of the columns.
    pub(crate) fn select(&self, columns: &[usize]) -> Self {
        Self {
            // A selection of columns may come out in the order of columns.
            y: self.y.select(Axis(1), columns).as_standard_layout().into_owned(),
            intercept: columns.iter().map(|&column| self.intercept[column]).collect(),
            constant: columns.iter().map(|&column| self.constant[column]).collect(),
        }
    }

    /// Zᵀy by rows: width × n_directions.
    pub(crate) fn project(&self, basis: &Basis<T>) -> Array2<T> {
        let mut projected = Array2::zeros((self.y.ncols(), basis.z.ncols()));
        multiply(projected.view_mut(), self.y.t(), basis.z.view(), false);
        projected
    }
}

/// Everything the held-out residuals of one design need.
pub(crate) struct HeldOut<'a, T> {
    pub(crate) basis: &'a Basis<T>,
    pub(crate) folds: &'a Folds,
    pub(crate) roots: &'a [f64],
    pub(crate) grid: &'a [f64],
    pub(crate) inverses: &'a Inverses<T>,
}

impl<T: Real> HeldOut<'_, T> {
    /// Calls `visit(alpha_position, fold, residuals)` for every fold and every penalty `grid[alphas[…]]`, penalties innermost,
    /// where residuals are (members of the fold) × width, row-major, multiplied by the roots of the weights.
    pub(crate) fn residuals(
        &self,
        tile: &Tile<T>,
        projected: &Array2<T>,
        alphas: &[usize],
        mut visit: impl FnMut(usize, usize, &[T]),
    ) {
        let width = projected.nrows();
        let separate;
        let penalties = if alphas.len() == self.grid.len() {
            &self.inverses.penalties
        } else {
            let some: Vec<f64> = alphas.iter().map(|&alpha| self.grid[alpha]).collect();
            separate = Penalties::separate(&self.basis.values, &some);
            &separate
        };
        let scaled = scale(projected, penalties);
        let kernel = self.basis.is_kernel();
        let (mut fitted, mut own, mut held_out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut gathered, mut sums) = (Vec::new(), Vec::new());
        for (members, place) in self.folds.blocks(BLOCK_ROWS) {
            let samples = &self.folds.members[place.clone()];
            fitted.clear();
            fitted.resize(samples.len() * alphas.len() * width, T::zero());
            for (chunk, out) in samples.chunks(BLOCK_ROWS).zip(fitted.chunks_mut(BLOCK_ROWS * alphas.len() * width)) {
                fit(self.basis.rows(chunk, &mut gathered), penalties, &scaled, width, &mut sums, out);
            }
            for fold in members {
                let range = self.folds.ranges[fold].clone();
                let size = range.len();
                own.resize(size * width, T::zero());
                held_out.resize(size * width, T::zero());
                for (position, &alpha) in alphas.iter().enumerate() {
                    for (row, own) in range.clone().zip(own.chunks_exact_mut(width)) {
                        let start = ((row - place.start) * alphas.len() + position) * width;
                        let fitted = &fitted[start..start + width];
                        if kernel {
                            own.copy_from_slice(fitted);
                        } else {
                            let y = tile.y.row(self.folds.members[row]).to_slice().expect("tiles are row-major");
                            for ((own, &y), &fitted) in own.iter_mut().zip(y).zip(fitted) {
                                *own = y - fitted;
                            }
                        }
                    }
                    let offset = self.inverses.offsets[fold];
                    let inverse = &self.inverses.blocks[alpha][offset..offset + size * size];
                    correct(inverse, &own, &mut held_out, width);
                    visit(position, fold, &held_out);
                }
            }
        }
    }

    /// Scores of every penalty of the grid: n_alphas × width. Constant targets score 0.
    pub(crate) fn scores(&self, tile: &Tile<T>, projected: &Array2<T>, score: Score, pooling: Pooling) -> Array2<f64> {
        let width = projected.nrows();
        let n_alphas = self.grid.len();
        let alphas: Vec<usize> = (0..n_alphas).collect();
        let pearson = score == Score::Pearson;
        let mut scores = Array2::<f64>::zeros((n_alphas, width));
        let mut sums = Sums::new(n_alphas, width);
        self.residuals(tile, projected, &alphas, |position, fold, residuals| {
            let scored = &self.folds.samples(fold)[..self.folds.n_scored[fold]];
            if position == 0 {
                sums.add_targets(tile, scored, self.roots);
            }
            sums.add_residuals(position, tile, scored, self.roots, residuals, pearson);
            if pooling == Pooling::Folds && position + 1 == n_alphas {
                sums.add_scores(&mut scores, score, 1.0 / self.folds.len() as f64);
                sums = Sums::new(n_alphas, width);
            }
        });
        if pooling == Pooling::Samples {
            sums.add_scores(&mut scores, score, 1.0);
        }
        for (target, constant) in tile.constant.iter().enumerate() {
            if *constant {
                scores.column_mut(target).fill(0.0);
            }
        }
        scores
    }
}

/// Weighted sums over held-out samples: of targets (width) and, per penalty, of residuals (n_alphas × width).
struct Sums {
    weight: f64,
    y: Vec<f64>,
    yy: Vec<f64>,
    e: Array2<f64>,
    ee: Array2<f64>,
    ey: Array2<f64>,
}

impl Sums {
    fn new(n_alphas: usize, width: usize) -> Self {
        let zeros = || Array2::zeros((n_alphas, width));
        Self { weight: 0.0, y: vec![0.0; width], yy: vec![0.0; width], e: zeros(), ee: zeros(), ey: zeros() }
    }

    fn add_targets<T: Real>(&mut self, tile: &Tile<T>, scored: &[usize], roots: &[f64]) {
        for &sample in scored {
            let root = roots[sample];
            self.weight += root * root;
            for ((y, yy), value) in self.y.iter_mut().zip(&mut self.yy).zip(tile.y.row(sample)) {
                let value = value.as_f64();
                *y += root * value;
                *yy += value * value;
            }
        }
    }

    fn add_residuals<T: Real>(
        &mut self,
        position: usize,
        tile: &Tile<T>,
        scored: &[usize],
        roots: &[f64],
        residuals: &[T],
        pearson: bool,
    ) {
        let width = self.y.len();
        let mut buffer = vec![T::zero(); width];
        let add = |into: &mut Array2<f64>, buffer: &[T]| {
            into.row_mut(position).iter_mut().zip(buffer).for_each(|(sum, &value)| *sum += value.as_f64());
        };
        for (scored, residuals) in scored.chunks(SHORT_SUM).zip(residuals.chunks(SHORT_SUM * width)) {
            buffer.fill(T::zero());
            for row in residuals.chunks_exact(width).take(scored.len()) {
                buffer.iter_mut().zip(row).for_each(|(sum, &e)| *sum += e * e);
            }
            add(&mut self.ee, &buffer);
            if !pearson {
                continue;
            }
            buffer.fill(T::zero());
            for (row, &sample) in residuals.chunks_exact(width).zip(scored) {
                let root = T::from_f64(roots[sample]);
                buffer.iter_mut().zip(row).for_each(|(sum, &e)| *sum += root * e);
            }
            add(&mut self.e, &buffer);
            buffer.fill(T::zero());
            for (row, &sample) in residuals.chunks_exact(width).zip(scored) {
                buffer.iter_mut().zip(row).zip(tile.y.row(sample)).for_each(|((sum, &e), &y)| *sum += e * y);
            }
            add(&mut self.ey, &buffer);
        }
    }

    /// Adds `share` times the scores that the sums give.
    fn add_scores(&self, scores: &mut Array2<f64>, score: Score, share: f64) {
        let n = self.weight;
        for ((alpha, target), out) in scores.indexed_iter_mut() {
            let (y, yy) = (self.y[target], self.yy[target]);
            let (e, ee, ey) = (self.e[(alpha, target)], self.ee[(alpha, target)], self.ey[(alpha, target)]);
            let varies = yy - y * y / n;
            let value = match score {
                Score::NegMse => -ee / n,
                Score::R2 if varies > 0.0 => 1.0 - ee / varies,
                Score::Pearson => {
                    // Held-out predictions are y − e.
                    let (p, pp, py) = (y - e, yy - 2.0 * ey + ee, yy - ey);
                    let varies_p = pp - p * p / n;
                    if varies_p > 0.0 && varies > 0.0 { (py - p * y / n) / (varies_p * varies).sqrt() } else { 0.0 }
                }
                Score::R2 => 0.0,
            };
            *out += share * value;
        }
    }
}

/// D Zᵀy of each window for each of its functions, one below the other: (n_functions · width) × directions of the window.
fn scale<T: Real>(projected: &Array2<T>, penalties: &Penalties<T>) -> Vec<Array2<T>> {
    let width = projected.nrows();
    let of_window = |window: &Window<T>| {
        let (n_functions, n_directions) = window.functions.dim();
        let mut scaled = Array2::zeros((n_functions * width, n_directions));
        for (row, mut out) in scaled.rows_mut().into_iter().enumerate() {
            let source = projected.slice(s![row % width, window.directions.clone()]);
            let function = window.functions.row(row / width);
            Zip::from(&mut out).and(source).and(function).for_each(|out, &value, &factor| *out = value * factor);
        }
        scaled
    };
    penalties.windows.iter().map(of_window).collect()
}

/// Rows of the basis times what [`scale`] made, for every penalty: `out` is rows × (n_penalties · width).
fn fit<T: Real>(
    rows: ArrayView2<'_, T>,
    penalties: &Penalties<T>,
    scaled: &[Array2<T>],
    width: usize,
    sums: &mut Vec<T>,
    out: &mut [T],
) {
    for (window, scaled) in penalties.windows.iter().zip(scaled) {
        let Some(mix) = &window.mix else {
            multiply_columns(out, rows, window.directions.clone(), scaled.t());
            continue;
        };
        sums.resize(rows.nrows() * scaled.nrows(), T::zero());
        multiply_columns(sums, rows, window.directions.clone(), scaled.t());
        add_mixed(mix.view(), width, sums, out);
    }
}

/// out = inverse · residuals for one group.
fn correct<T: Real>(inverse: &[T], residuals: &[T], out: &mut [T], width: usize) {
    let size = residuals.len() / width;
    if size > SMALL_GROUP {
        let shape = "group blocks are square";
        multiply(
            ndarray::ArrayViewMut2::from_shape((size, width), out).expect(shape),
            ArrayView2::from_shape((size, size), inverse).expect(shape),
            ArrayView2::from_shape((size, width), residuals).expect(shape),
            false,
        );
        return;
    }
    for (out, coefficients) in out.chunks_exact_mut(width).zip(inverse.chunks_exact(size)) {
        out.fill(T::zero());
        for (&coefficient, residuals) in coefficients.iter().zip(residuals.chunks_exact(width)) {
            out.iter_mut().zip(residuals).for_each(|(out, &residual)| *out += coefficient * residual);
        }
    }
}
