//! Leave-one-group-out residuals of a tile of targets, and the scores made of them.
//!
//! A tile is a few dozen targets, handled by one task from its projection to its scores: the only arrays that grow with
//! the number of penalties are the scaled projections (n_alphas · width × n_directions) and the predictions of one block of
//! rows. The cost is one product of 2 · n_samples · n_directions · n_targets · n_alphas operations, which no shortcut removes
//! as long as the group blocks (I − H_gg)⁻¹ differ between groups and penalties.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use super::basis::{Basis, Inverses, blocks_of};
use super::product::multiply;
use super::real::Real;
use crate::folds::Groups;
use crate::params::Score;

/// Groups larger than this are corrected by a matrix product.
const SMALL_GROUP: usize = 16;

/// The columns of one tile, rows sorted by group.
pub(crate) struct Tile<T> {
    /// n_samples × width, centred when there is an intercept.
    pub(crate) y: Array2<T>,
    /// Mean of each target; 0 without an intercept.
    pub(crate) intercept: Vec<f64>,
    /// Σ(y − ȳ)² of each target.
    pub(crate) variation: Vec<f64>,
    /// Whether each target is the same number in all samples.
    pub(crate) constant: Vec<bool>,
}

impl<T: Real> Tile<T> {
    /// Copies `columns` of the targets, sorts the rows and centres.
    pub(crate) fn new(y: ArrayView2<'_, T>, columns: Range<usize>, order: &[usize], intercept: bool) -> Self {
        let y = y.slice(s![.., columns]);
        let (n, width) = y.dim();
        let mut means = vec![0.0; width];
        let mut constant = vec![true; width];
        for row in y.rows() {
            for (column, &value) in row.iter().enumerate() {
                means[column] += value.as_f64();
                constant[column] &= value == y[(0, column)];
            }
        }
        for mean in &mut means {
            *mean /= n as f64;
        }
        let mut variation = vec![0.0; width];
        let mut sorted = Array2::zeros((n, width));
        for (mut out, &sample) in sorted.rows_mut().into_iter().zip(order) {
            for (column, (out, &value)) in out.iter_mut().zip(y.row(sample)).enumerate() {
                let centred = value.as_f64() - means[column];
                variation[column] += centred * centred;
                *out = T::from_f64(if intercept { centred } else { value.as_f64() });
            }
        }
        if !intercept {
            means.fill(0.0);
        }
        Self { y: sorted, intercept: means, variation, constant }
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
    pub(crate) inverses: &'a Inverses<T>,
    pub(crate) groups: &'a Groups,
    pub(crate) grid: &'a [f64],
}

impl<T: Real> HeldOut<'_, T> {
    /// Calls `visit(alpha_position, first_sorted_row, residuals)` for every group and every penalty `grid[alphas[…]]`, where
    /// residuals are (rows of the group) × width, row-major.
    pub(crate) fn residuals(
        &self,
        tile: &Tile<T>,
        projected: &Array2<T>,
        alphas: &[usize],
        mut visit: impl FnMut(usize, usize, &[T]),
    ) {
        let (width, directions) = projected.dim();
        let scaled = self.scale(projected, alphas);
        let kernel = self.basis.is_kernel();
        let (mut own, mut held_out) = (Vec::new(), Vec::new());
        for (members, rows) in blocks_of(self.groups, tile.y.nrows()) {
            let mut fitted = Array2::zeros((rows.len(), alphas.len() * width));
            debug_assert_eq!(scaled.ncols(), directions);
            multiply(fitted.view_mut(), self.basis.z.slice(s![rows.clone(), ..]), scaled.t(), false);
            let fitted = fitted.as_slice().expect("freshly allocated arrays are contiguous");
            for group in members {
                let range = self.groups.ranges[group].clone();
                let size = range.len();
                own.resize(size * width, T::zero());
                held_out.resize(size * width, T::zero());
                for (position, &alpha) in alphas.iter().enumerate() {
                    for (row, own) in range.clone().zip(own.chunks_exact_mut(width)) {
                        let start = ((row - rows.start) * alphas.len() + position) * width;
                        let fitted = &fitted[start..start + width];
                        if kernel {
                            own.copy_from_slice(fitted);
                        } else {
                            let y = tile.y.row(row).to_slice().expect("tiles are row-major");
                            for ((own, &y), &fitted) in own.iter_mut().zip(y).zip(fitted) {
                                *own = y - fitted;
                            }
                        }
                    }
                    let offset = self.inverses.offsets[group];
                    let inverse = &self.inverses.blocks[alpha][offset..offset + size * size];
                    correct(inverse, &own, &mut held_out, width);
                    visit(position, range.start, &held_out);
                }
            }
        }
    }

    /// D Zᵀy for each of `alphas`, one below the other: (n_alphas · width) × n_directions.
    fn scale(&self, projected: &Array2<T>, alphas: &[usize]) -> Array2<T> {
        let (width, directions) = projected.dim();
        let mut scaled = Array2::zeros((alphas.len() * width, directions));
        for (position, &alpha) in alphas.iter().enumerate() {
            let shrinkage: Vec<T> = self.basis.shrinkage(self.grid[alpha]).into_iter().map(T::from_f64).collect();
            for target in 0..width {
                let out = scaled.row_mut(position * width + target);
                let source = projected.row(target);
                for ((out, &value), &factor) in out.into_iter().zip(source).zip(&shrinkage) {
                    *out = value * factor;
                }
            }
        }
        scaled
    }

    /// Scores of every penalty of the grid: n_alphas × width. Constant targets score 0.
    pub(crate) fn scores(&self, tile: &Tile<T>, projected: &Array2<T>, score: Score) -> Array2<f64> {
        let width = projected.nrows();
        let alphas: Vec<usize> = (0..self.grid.len()).collect();
        let n = tile.y.nrows() as f64;
        let mut squares = Array2::<f64>::zeros((alphas.len(), width));
        let mut sums = Array2::<f64>::zeros((alphas.len(), width));
        let mut crosses = Array2::<f64>::zeros((alphas.len(), width));
        let pearson = score == Score::Pearson;
        let mut buffer = vec![T::zero(); width];
        self.residuals(tile, projected, &alphas, |position, first, residuals| {
            let mut add = |into: &mut Array2<f64>, term: &dyn Fn(&mut [T])| {
                buffer.fill(T::zero());
                term(&mut buffer);
                into.row_mut(position).iter_mut().zip(&buffer).for_each(|(sum, &value)| *sum += value.as_f64());
            };
            add(&mut squares, &|buffer| {
                for row in residuals.chunks_exact(width) {
                    buffer.iter_mut().zip(row).for_each(|(sum, &e)| *sum += e * e);
                }
            });
            if pearson {
                add(&mut sums, &|buffer| {
                    for row in residuals.chunks_exact(width) {
                        buffer.iter_mut().zip(row).for_each(|(sum, &e)| *sum += e);
                    }
                });
                add(&mut crosses, &|buffer| {
                    for (offset, row) in residuals.chunks_exact(width).enumerate() {
                        let y = tile.y.row(first + offset);
                        buffer.iter_mut().zip(row).zip(y).for_each(|((sum, &e), &y)| *sum += e * y);
                    }
                });
            }
        });
        let mut moments = vec![(0.0, 0.0); width];
        if pearson {
            for row in tile.y.rows() {
                for (moment, &y) in moments.iter_mut().zip(row) {
                    moment.0 += y.as_f64();
                    moment.1 += y.as_f64() * y.as_f64();
                }
            }
        }
        Array2::from_shape_fn((alphas.len(), width), |(alpha, target)| {
            if tile.constant[target] {
                return 0.0;
            }
            let (e, ee) = (sums[(alpha, target)], squares[(alpha, target)]);
            match score {
                Score::R2 => 1.0 - ee / tile.variation[target],
                Score::NegMse => -ee / n,
                Score::Pearson => {
                    // Held-out predictions are y − e.
                    let (y, yy) = moments[target];
                    let ye = crosses[(alpha, target)];
                    let (p, pp, py) = (y - e, yy - 2.0 * ye + ee, yy - ye);
                    let (varies_p, varies_y) = (pp - p * p / n, yy - y * y / n);
                    if varies_p > 0.0 { (py - p * y / n) / (varies_p * varies_y).sqrt() } else { 0.0 }
                }
            }
        })
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
