//! Leave-one-group-out residuals of a tile of targets, and the scores made of them.
//!
//! A tile is a few dozen targets, handled by one task from its projection to its scores: the only arrays that grow with
//! the number of penalties are the scaled projections (n_alphas · width × n_directions) and the predictions of one block of
//! rows. The cost is one product of 2 · n_samples · n_directions · n_targets operations for each of the few functions that
//! make all penalties, see [`super::penalties`].

use ndarray::{Array2, ArrayView1, Axis, Zip, s};

use super::basis::Basis;
use super::blocks::{BLOCK_ROWS, Inverses, correct};
use super::forms::Forms;
use super::mixing::{FUNCTIONS_PER_PENALTY, Mixer};
use super::number::Real;
use super::penalties::{Penalties, Window};
use super::product::{multiply, multiply_columns};
use super::tile::Tile;
use crate::folds::Folds;
use crate::params::{Pooling, Score};

/// Rows summed in the precision of the fit before they are added in f64.
const SHORT_SUM: usize = 16;

/// Everything the held-out residuals of one design need.
pub(crate) struct HeldOut<'a, T> {
    pub(crate) basis: &'a Basis<T>,
    pub(crate) folds: &'a Folds,
    pub(crate) roots: &'a [f64],
    pub(crate) grid: &'a [f64],
    pub(crate) inverses: &'a Inverses<T>,
    /// What makes squared errors of targets that are the same in all samples of a group, where that was asked for.
    pub(crate) forms: Option<&'a Forms<T>>,
}

impl<T: Real> HeldOut<'_, T> {
    /// Calls `visit(alpha_position, fold, residuals)` for every fold and every penalty of the grid, penalties innermost, where
    /// residuals are (members of the fold) × width, row-major, multiplied by the roots of the weights.
    fn residuals(&self, tile: &Tile<T>, projected: &Array2<T>, mut visit: impl FnMut(usize, usize, &[T])) {
        let (width, n_alphas) = (projected.nrows(), self.grid.len());
        let penalties = &self.inverses.penalties;
        let scaled = scale(projected, penalties);
        let kernel = self.basis.is_kernel();
        let mixer = Mixer::new(&penalties.windows, if kernel { T::one() } else { -T::one() });
        let mut sums = vec![Vec::new(); scaled.len()];
        let (mut fitted, mut held_out, mut gathered) = (Vec::new(), Vec::new(), Vec::new());
        for (members, place) in self.folds.blocks(BLOCK_ROWS) {
            // Per penalty samples × width: residuals of the fit.
            let len = place.len() * width;
            fitted.resize(n_alphas * len, T::zero());
            let rows_at_once = rows_at_once(n_alphas, mixer.n_functions());
            for (chunk, samples) in self.folds.members[place.clone()].chunks(rows_at_once).enumerate() {
                let rows = self.basis.rows(samples, &mut gathered);
                for ((window, scaled), sums) in penalties.windows.iter().zip(&scaled).zip(&mut sums) {
                    sums.resize(samples.len() * scaled.ncols(), T::zero());
                    multiply_columns(sums, rows, window.directions.clone(), scaled.view());
                }
                for (row, &sample) in samples.iter().enumerate() {
                    let start = (chunk * rows_at_once + row) * width;
                    let y = tile.y.row(sample).to_slice().expect("tiles are row-major");
                    let places = fitted.chunks_exact_mut(len).map(|fitted| {
                        let place = &mut fitted[start..start + width];
                        if kernel {
                            place.fill(T::zero());
                        } else {
                            place.copy_from_slice(y);
                        }
                        place
                    });
                    mixer.add_row(&sums, row, width, places);
                }
            }
            for fold in members {
                let range = self.folds.ranges[fold].clone();
                let (size, offset) = (range.len(), self.inverses.offsets[fold]);
                let own = (range.start - place.start) * width..(range.end - place.start) * width;
                held_out.resize(own.len(), T::zero());
                for (alpha, (inverses, fitted)) in self.inverses.blocks.iter().zip(fitted.chunks_exact(len)).enumerate()
                {
                    correct(&inverses[offset..offset + size * size], &fitted[own.clone()], &mut held_out, width);
                    visit(alpha, fold, &held_out);
                }
            }
        }
    }

    /// Residuals of every target at one penalty of its own, `grid[alpha_of_target[…]]`, multiplied by the roots of the weights:
    /// n_samples × width, 0 where a sample is never held out. One product for all penalties.
    pub(crate) fn residuals_at(&self, tile: &Tile<T>, projected: &Array2<T>, alpha_of_target: &[usize]) -> Array2<T> {
        // Targets with the same penalty follow each other.
        let mut order: Vec<usize> = (0..alpha_of_target.len()).collect();
        order.sort_by_key(|&target| alpha_of_target[target]);
        let runs: Vec<&[usize]> = order.chunk_by(|&a, &b| alpha_of_target[a] == alpha_of_target[b]).collect();
        let mut scaled = projected.select(Axis(0), &order);
        let mut rest = scaled.view_mut();
        for run in &runs {
            let (mut rows, others) = rest.split_at(Axis(0), run.len());
            let shrinkage = self.basis.shrinkage(self.grid[alpha_of_target[run[0]]]);
            rows *= &ArrayView1::from(&shrinkage).mapv(T::from_f64);
            rest = others;
        }
        let kernel = self.basis.is_kernel();
        let mut all = Array2::zeros(tile.y.dim());
        let (mut gathered, mut own, mut held_out) = (Vec::new(), Vec::new(), Vec::new());
        for (members, place) in self.folds.blocks(BLOCK_ROWS) {
            let samples = &self.folds.members[place.clone()];
            let mut fitted = Array2::zeros((samples.len(), order.len()));
            for (chunk, out) in samples.chunks(BLOCK_ROWS).zip(fitted.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS)) {
                multiply(out, self.basis.rows(chunk, &mut gathered), scaled.t(), false);
            }
            for fold in members {
                let range = self.folds.ranges[fold].clone();
                let (size, offset) = (range.len(), self.inverses.offsets[fold]);
                let mut first = 0;
                for run in &runs {
                    own.clear();
                    for row in range.clone() {
                        let fitted = fitted.slice(s![row - place.start, first..first + run.len()]);
                        let y = tile.y.row(self.folds.members[row]);
                        own.extend(
                            fitted.iter().zip(*run).map(|(&fit, &target)| if kernel { fit } else { y[target] - fit }),
                        );
                    }
                    held_out.resize(own.len(), T::zero());
                    let inverses = &self.inverses.blocks[alpha_of_target[run[0]]];
                    correct(&inverses[offset..offset + size * size], &own, &mut held_out, run.len());
                    for (row, held_out) in range.clone().zip(held_out.chunks_exact(run.len())) {
                        let mut out = all.row_mut(self.folds.members[row]);
                        run.iter().zip(held_out).for_each(|(&target, &value)| out[target] = value);
                    }
                    first += run.len();
                }
            }
        }
        all
    }

    /// Scores of every penalty of the grid: n_alphas × width. Constant targets score 0.
    pub(crate) fn scores(&self, tile: &Tile<T>, projected: &Array2<T>, score: Score, pooling: Pooling) -> Array2<f64> {
        let width = projected.nrows();
        let n_alphas = self.grid.len();
        let mut scores = Array2::<f64>::zeros((n_alphas, width));
        let mut sums = Sums::new(n_alphas, width);
        if let (Some(forms), Some(values)) = (self.forms, &tile.by_set) {
            sums.add_targets(tile, &self.folds.members, self.roots);
            sums.ee = forms.squared_errors(values.view());
            sums.add_scores(&mut scores, score, 1.0);
            clear_constant(&mut scores, tile);
            return scores;
        }
        let mut is_first = true;
        self.residuals(tile, projected, |position, fold, residuals| {
            let scored = &self.folds.samples(fold)[..self.folds.n_scored[fold]];
            if position == 0 {
                sums.add_targets(tile, scored, self.roots);
            }
            if score == Score::Pearson {
                sums.add_predictions(position, is_first, tile, (scored, self.roots), residuals);
            } else {
                sums.add_residuals(position, scored.len(), residuals);
            }
            if position + 1 < n_alphas {
                return;
            }
            is_first = pooling == Pooling::Folds;
            if is_first {
                sums.add_scores(&mut scores, score, 1.0 / self.folds.len() as f64);
                sums = Sums::new(n_alphas, width);
            }
        });
        if pooling == Pooling::Samples {
            sums.add_scores(&mut scores, score, 1.0);
        }
        clear_constant(&mut scores, tile);
        scores
    }
}

fn clear_constant<T>(scores: &mut Array2<f64>, tile: &Tile<T>) {
    for (target, constant) in tile.constant.iter().enumerate() {
        if *constant {
            scores.column_mut(target).fill(0.0);
        }
    }
}

/// Weighted sums over held-out samples: of targets (width) and, per penalty, of residuals or predictions (n_alphas × width).
///
/// Sums for correlations are those of predictions less the first of them: with large penalties they hardly differ, so that
/// differences of sums of their squares would be rounding. [`crate::Design`] sees to it that these are made in f64.
struct Sums {
    weight: f64,
    y: Vec<f64>,
    yy: Vec<f64>,
    /// Squared residuals.
    ee: Array2<f64>,
    /// The first prediction, then sums of what the others differ from it by: itself, squared, times the target.
    first: Array2<f64>,
    p: Array2<f64>,
    pp: Array2<f64>,
    py: Array2<f64>,
}

impl Sums {
    fn new(n_alphas: usize, width: usize) -> Self {
        let zeros = || Array2::zeros((n_alphas, width));
        let (y, yy) = (vec![0.0; width], vec![0.0; width]);
        Self { weight: 0.0, y, yy, ee: zeros(), first: zeros(), p: zeros(), pp: zeros(), py: zeros() }
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

    /// Adds squared residuals of one penalty: members of a fold × width, of which the first `n_scored` count.
    fn add_residuals<T: Real>(&mut self, position: usize, n_scored: usize, residuals: &[T]) {
        let width = self.y.len();
        let mut buffer = vec![T::zero(); width];
        for residuals in residuals[..n_scored * width].chunks(SHORT_SUM * width) {
            buffer.fill(T::zero());
            for row in residuals.chunks_exact(width) {
                buffer.iter_mut().zip(row).for_each(|(sum, &e)| *sum += e * e);
            }
            let sums = self.ee.row_mut(position);
            sums.into_iter().zip(&buffer).for_each(|(sum, &value)| *sum += value.as_f64());
        }
    }

    /// Adds predictions of one penalty, which are targets less residuals. `is_first` says that nothing was added before.
    fn add_predictions<T: Real>(
        &mut self,
        position: usize,
        is_first: bool,
        tile: &Tile<T>,
        (scored, roots): (&[usize], &[f64]),
        residuals: &[T],
    ) {
        let width = self.y.len();
        for (row, (residuals, &sample)) in residuals.chunks_exact(width).zip(scored).enumerate() {
            let root = roots[sample];
            for (target, (&e, &y)) in residuals.iter().zip(tile.y.row(sample)).enumerate() {
                let (at, y) = ((position, target), y.as_f64());
                let predicted = y - e.as_f64();
                if is_first && row == 0 {
                    self.first[at] = predicted / root;
                }
                let p = predicted - root * self.first[at];
                self.p[at] += root * p;
                self.pp[at] += p * p;
                self.py[at] += p * y;
            }
        }
    }

    /// Adds `share` times the scores that the sums give.
    fn add_scores(&self, scores: &mut Array2<f64>, score: Score, share: f64) {
        let n = self.weight;
        for ((alpha, target), out) in scores.indexed_iter_mut() {
            let (at, y) = ((alpha, target), self.y[target]);
            let varies = self.yy[target] - y * y / n;
            let value = match score {
                Score::NegMse => -self.ee[at] / n,
                Score::R2 if varies > 0.0 => 1.0 - self.ee[at] / varies,
                Score::Pearson => {
                    let varies_p = self.pp[at] - self.p[at].powi(2) / n;
                    let together = self.py[at] - self.p[at] * y / n;
                    if varies_p > 0.0 && varies > 0.0 { together / (varies_p * varies).sqrt() } else { 0.0 }
                }
                Score::R2 => 0.0,
            };
            *out += share * value;
        }
    }
}

/// D Zᵀy of each window for each of its functions, side by side: directions of the window × (n_functions · width).
pub(crate) fn scale<T: Real>(projected: &Array2<T>, penalties: &Penalties<T>) -> Vec<Array2<T>> {
    let width = projected.nrows();
    let by_directions = projected.t().as_standard_layout().into_owned();
    let of_window = |window: &Window<T>| {
        let (n_functions, n_directions) = window.functions.dim();
        let mut scaled = Array2::zeros((n_directions, n_functions * width));
        let rows = by_directions.slice(s![window.directions.clone(), ..]);
        for ((mut out, row), function) in scaled.rows_mut().into_iter().zip(rows.rows()).zip(window.functions.columns())
        {
            for (mut out, &factor) in out.exact_chunks_mut(width).into_iter().zip(function) {
                Zip::from(&mut out).and(row).for_each(|out, &value| *out = value * factor);
            }
        }
        scaled
    };
    penalties.windows.iter().map(of_window).collect()
}

/// Samples whose sums for all functions are made at once: [`BLOCK_ROWS`], or fewer where more functions than
/// [`FUNCTIONS_PER_PENALTY`] would take more memory.
fn rows_at_once(n_alphas: usize, n_functions: usize) -> usize {
    (BLOCK_ROWS * FUNCTIONS_PER_PENALTY * n_alphas / n_functions.max(1)).clamp(64, BLOCK_ROWS)
}
