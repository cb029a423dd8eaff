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
        let pearson = score == Score::Pearson;
        let mut scores = Array2::<f64>::zeros((n_alphas, width));
        let mut sums = Sums::new(n_alphas, width);
        if let (Some(forms), Some(values)) = (self.forms, &tile.by_set) {
            sums.add_targets(tile, &self.folds.members, self.roots);
            sums.ee = forms.squared_errors(values.view());
            sums.add_scores(&mut scores, score, 1.0);
            clear_constant(&mut scores, tile);
            return scores;
        }
        self.residuals(tile, projected, |position, fold, residuals| {
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

/// D Zᵀy of each window for each of its functions, side by side: directions of the window × (n_functions · width).
fn scale<T: Real>(projected: &Array2<T>, penalties: &Penalties<T>) -> Vec<Array2<T>> {
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
