//! The blocks that correct held-out residuals: (I − H_gg)⁻¹ of every group g and penalty, where H projects onto the fit.
//!
//! H_gg = Z_g D Z_gᵀ + 1/n, see [`super::basis`]. Groups of a few samples are made many at a time, each by one task. The block of
//! a large group is cut into panels of rows, and the few functions that make all penalties ([`super::penalties`]) are
//! multiplied instead of the penalties; then every task inverts one penalty's block.

use std::ops::Range;

use faer::{Accum, MatMut};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use super::basis::Basis;
use super::mixing::{FUNCTIONS_PER_PENALTY, Mixer};
use super::number::Real;
use super::penalties::{Penalties, Window, weigh};
use super::product::{matrix, multiply};
use super::spectrum::{INNER, inverse};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::together::Share;

/// Held-out rows handled by one task.
pub(crate) const BLOCK_ROWS: usize = 512;
/// Groups larger than this are corrected by a matrix product.
pub(crate) const SMALL_GROUP: usize = 16;
/// Blocks of groups larger than this are made by all threads.
const LARGE_GROUP: usize = 256;
/// Rows of a block of a large group that one task makes.
pub(crate) const PANEL: usize = 64;
/// Bytes of the blocks of one large group that are made at once, for some penalties.
const BYTES_TOGETHER: usize = 1 << 30;
/// Small groups are shared among processes in runs of so many.
const SMALL_RUN: usize = 64;
/// Pivots of I − H below this are rounding errors of sums of n products in f64.
const SMALLEST_PIVOT: f64 = 1e-11;

/// (I − H_gg)⁻¹ of every group for some penalties, and these penalties over the spectrum.
pub(crate) struct Inverses<T> {
    pub(crate) penalties: Penalties<T>,
    /// Per penalty the row-major matrices of all groups, one after the other.
    pub(crate) blocks: Vec<Vec<T>>,
    /// Where the matrix of each group starts.
    pub(crate) offsets: Vec<usize>,
}

/// How many penalties' blocks of a group of `size` samples are made at once.
pub(crate) fn penalties_together(size: usize) -> usize {
    (BYTES_TOGETHER / (8 * size * size).max(1)).max(1)
}

impl<T: Real> Basis<T> {
    /// (I − H_gg)⁻¹ of every fold for the penalties of `grid`, each made by one share; see the head of [`super::basis`] for the
    /// kernel's form.
    pub(crate) fn inverses(&self, folds: &Folds, grid: &[f64], share: Share<'_>) -> Result<Inverses<T>, RegressError> {
        grid.iter().try_for_each(|&alpha| self.admits(alpha))?;
        let mut offsets = Vec::with_capacity(folds.len());
        let mut total = 0;
        for range in &folds.ranges {
            offsets.push(total);
            total += range.len() * range.len();
        }
        let penalties = Penalties::new(&self.values, grid, self.lengths());
        let mut blocks: Vec<Vec<T>> = grid.iter().map(|_| Vec::with_capacity(total)).collect();
        // Runs of small groups in parallel, large groups one by one; in the order of the groups either way.
        let mut waiting: Vec<Range<usize>> = Vec::new();
        let flush = |waiting: &mut Vec<Range<usize>>, blocks: &mut Vec<Vec<T>>| -> Result<(), RegressError> {
            let pieces: Vec<_> = std::mem::take(waiting)
                .into_par_iter()
                .map(|members| {
                    if share.is_mine(members.start / SMALL_RUN) {
                        return self.invert_small(members, folds, grid);
                    }
                    let size: usize = members.map(|fold| folds.ranges[fold].len().pow(2)).sum();
                    Ok(grid.iter().map(|_| vec![T::zero(); size]).collect())
                })
                .collect();
            for piece in pieces {
                for (all, part) in blocks.iter_mut().zip(piece?) {
                    all.extend(part);
                }
            }
            Ok(())
        };
        for (members, place) in folds.blocks(BLOCK_ROWS) {
            if place.len() <= BLOCK_ROWS && members.clone().all(|fold| folds.ranges[fold].len() <= LARGE_GROUP) {
                waiting.push(members);
                continue;
            }
            flush(&mut waiting, &mut blocks)?;
            for fold in members {
                let size = folds.ranges[fold].len();
                let together = penalties_together(size);
                let n_runs = grid.len().div_ceil(together);
                for (run, (some, blocks)) in grid.chunks(together).zip(blocks.chunks_mut(together)).enumerate() {
                    if share.is_mine(fold * n_runs + run) {
                        let fewer = (n_runs > 1).then(|| Penalties::new(&self.values, some, self.lengths()));
                        self.invert_large(folds, fold, some, fewer.as_ref().unwrap_or(&penalties), blocks)?;
                    } else {
                        for block in blocks {
                            block.resize(block.len() + size * size, T::zero());
                        }
                    }
                }
            }
        }
        flush(&mut waiting, &mut blocks)?;
        blocks.iter_mut().try_for_each(|blocks| share.fill(blocks))?;
        Ok(Inverses { penalties, blocks, offsets })
    }

    fn invert_small(&self, members: Range<usize>, folds: &Folds, grid: &[f64]) -> Result<Vec<Vec<T>>, RegressError> {
        let shrinkage: Vec<Vec<f64>> = grid.iter().map(|&alpha| self.shrinkage(alpha)).collect();
        let mut all: Vec<Vec<T>> = grid.iter().map(|_| Vec::new()).collect();
        let mut gathered = Vec::new();
        for fold in members {
            let samples = folds.samples(fold);
            let rows = self.rows(samples, &mut gathered).mapv(T::as_f64);
            let mut scaled = rows.clone();
            for ((&alpha, shrinkage), part) in grid.iter().zip(&shrinkage).zip(&mut all) {
                for (mut scaled, row) in scaled.rows_mut().into_iter().zip(rows.rows()) {
                    for ((scaled, value), factor) in scaled.iter_mut().zip(row).zip(shrinkage) {
                        *scaled = value * factor;
                    }
                }
                let mut hat = Array2::zeros((samples.len(), samples.len()));
                multiply(hat.view_mut(), scaled.view(), rows.t(), false);
                let inverse = self.complement(samples, hat);
                part.extend(inverse.ok_or(RegressError::Leverage { group: folds.labels[fold], alpha })?);
            }
        }
        Ok(all)
    }

    /// The same for a group of hundreds or thousands of samples, added to what is in `blocks`: products in the precision of the
    /// samples, sums in f64.
    fn invert_large(
        &self,
        folds: &Folds,
        fold: usize,
        grid: &[f64],
        penalties: &Penalties<T>,
        blocks: &mut [Vec<T>],
    ) -> Result<(), RegressError> {
        let samples = folds.samples(fold);
        let mut gathered = Vec::new();
        let hats = projections(self.rows(samples, &mut gathered), penalties, grid.len());
        let inverses: Vec<Option<Vec<T>>> =
            hats.into_par_iter().with_max_len(1).map(|hat| self.complement(samples, hat)).collect();
        for ((block, inverse), &alpha) in blocks.iter_mut().zip(inverses).zip(grid) {
            block.extend(inverse.ok_or(RegressError::Leverage { group: folds.labels[fold], alpha })?);
        }
        Ok(())
    }

    /// Turns the block of the fitted projection, of which the upper triangle is given, into that of the residual one and inverts it.
    fn complement(&self, samples: &[usize], mut hat: Array2<f64>) -> Option<Vec<T>> {
        if self.is_kernel() {
            return inverse(hat, 0.0);
        }
        for (i, mut row) in hat.rows_mut().into_iter().enumerate() {
            let own = self.constant.as_ref().map_or(0.0, |constant| constant[samples[i]]);
            row[i] -= 1.0;
            for (j, h) in row.iter_mut().enumerate().skip(i) {
                *h = -*h - self.constant.as_ref().map_or(0.0, |constant| own * constant[samples[j]]);
            }
        }
        inverse(hat, SMALLEST_PIVOT)
    }
}

/// The upper triangle of A D Aᵀ for the D of every penalty; the lower ones are left unspecified.
///
/// # Shapes
/// `rows` (A) n_rows × n_directions, row-major; result n_penalties matrices of n_rows × n_rows.
fn projections<T: Real>(rows: ArrayView2<'_, T>, penalties: &Penalties<T>, n_penalties: usize) -> Vec<Array2<f64>> {
    let n_rows = rows.nrows();
    let mut all = vec![Array2::<f64>::zeros((n_rows, n_rows)); n_penalties];
    // A few directions at a time in the precision of the rows, and their sums in f64.
    let windows: Vec<Window<T>> = penalties.windows.iter().flat_map(|window| window.cut(INNER)).collect();
    let runs = runs(&windows, FUNCTIONS_PER_PENALTY * n_penalties);
    let runs: Vec<_> = runs.into_iter().map(|windows| (windows, Mixer::new(windows, 1.0))).collect();
    // The same rows of all matrices are one task's.
    let mut panels: Vec<Vec<ArrayViewMut2<'_, f64>>> = Vec::new();
    panels.resize_with(n_rows.div_ceil(PANEL), Vec::new);
    for one in &mut all {
        panels.iter_mut().zip(one.axis_chunks_iter_mut(Axis(0), PANEL)).for_each(|(panel, part)| panel.push(part));
    }
    let panels = panels.into_par_iter().enumerate().with_max_len(1);
    panels.for_each_init(
        || vec![Vec::new(); runs.iter().map(|(windows, _)| windows.len()).max().unwrap_or(0)],
        |products, (panel, mut out)| {
            let first = panel * PANEL;
            let own = rows.slice(s![first..(first + PANEL).min(n_rows), ..]);
            let others = matrix(rows.slice(s![first.., ..]));
            let n_others = others.nrows();
            for (windows, mixer) in &runs {
                for (window, product) in windows.iter().zip(&mut *products) {
                    let weighted = weigh(own, window, 0..window.directions.len());
                    product.resize(weighted.nrows() * n_others, T::zero());
                    let into = MatMut::from_row_major_slice_mut(product, weighted.nrows(), n_others);
                    let others = others.subcols(window.directions.start, window.directions.len()).transpose();
                    T::product(into, Accum::Replace, matrix(weighted.view()), others);
                }
                for row in 0..own.nrows() {
                    let places = out.iter_mut().map(|out| {
                        let out = out.row_mut(row).into_slice().expect("rows of a row-major matrix");
                        &mut out[first..]
                    });
                    mixer.add_row(products, row, n_others, places);
                }
            }
        },
    );
    all
}

/// Windows that follow each other, at least one and at most `n_functions` functions together: as many sums are held at once.
fn runs<T>(mut windows: &[Window<T>], n_functions: usize) -> Vec<&[Window<T>]> {
    let mut runs = Vec::new();
    while !windows.is_empty() {
        let mut n_held = 0;
        let fits = windows.iter().take_while(|window| {
            n_held += window.functions.nrows();
            n_held <= n_functions
        });
        let (run, rest) = windows.split_at(fits.count().max(1));
        runs.push(run);
        windows = rest;
    }
    runs
}

/// out = inverse · residuals for one group.
pub(crate) fn correct<T: Real>(inverse: &[T], residuals: &[T], out: &mut [T], width: usize) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::penalties::Lengths;
    use percept_core::Seed;

    /// Projections by the functions against those by each penalty alone, rows of more than one panel.
    fn largest_difference<T: Real>(n_rows: usize) -> f64 {
        let values: Vec<f64> = (0..1200).map(|i| 10f64.powf(1.0 + f64::from(i) / 600.0)).collect();
        let alphas: Vec<f64> = (0..12).map(|k| 10f64.powf(f64::from(k) / 2.0)).collect();
        let noise = Seed::new(n_rows as u64).normal(n_rows * values.len());
        let rows = Array2::from_shape_fn((n_rows, values.len()), |(i, j)| {
            T::from_f64(f64::from(noise[i * values.len() + j]) * values[j].sqrt())
        });
        let few = Penalties::new(&values, &alphas, Lengths::Root);
        let is_few = few.windows.iter().any(|window| window.functions.nrows() < alphas.len());
        assert!(is_few || T::epsilon().as_f64() < 1e-10, "single precision needs fewer functions than penalties");
        let found = projections(rows.view(), &few, alphas.len());
        let exact = rows.mapv(T::as_f64);
        let mut largest = 0f64;
        for (found, alpha) in found.iter().zip(&alphas) {
            let scaled = &exact / &ndarray::Array1::from_iter(values.iter().map(|value| value + alpha));
            let expected = scaled.dot(&exact.t());
            for i in 0..n_rows {
                for j in i..n_rows {
                    largest = largest.max((found[(i, j)] - expected[(i, j)]).abs() / expected[(i, i)]);
                }
            }
        }
        largest
    }

    #[test]
    fn projections_by_few_functions_are_those_of_every_penalty() {
        for n_rows in [1, PANEL, 2 * PANEL + 5] {
            let (single, double) = (largest_difference::<f32>(n_rows), largest_difference::<f64>(n_rows));
            assert!(single < 3e-6 && double < 1e-13, "{n_rows} rows: {single} {double}");
        }
    }

    #[test]
    fn the_blocks_of_a_huge_group_are_made_a_few_at_a_time() {
        assert_eq!(
            [penalties_together(0), penalties_together(3), penalties_together(100_000)],
            [1 << 30, 14_913_080, 1]
        );
    }
}
