//! The decomposed samples: a basis in which every penalty is a diagonal, and the way back from it to weights.
//!
//! Covariance path (n > p): XᵀX = V Λ Vᵀ, Z = X V. Residuals of a fit are r = y − Z D Zᵀy with D = 1/(Λ + α), and leaving
//! group g out gives e_g = (I − 1/n − Z_g D Z_gᵀ)⁻¹ r_g.
//!
//! Kernel path (p ≥ n): XXᵀ = U Λ Uᵀ with U spanning the complement of the constant vector, Z = U. With
//! r = U D Uᵀy and T_g = U_g D U_gᵀ the same residuals are e_g = T_g⁻¹ r_g: both factors lost a common α, so nothing
//! cancels when α is small and the fit nearly interpolates.
//!
//! The identity holds because adding group g back changes the fit by a rank |g| update; the intercept is a feature
//! without penalty and is refitted. Scales of features are those of all samples.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::product::{multiply, multiply_parallel};
use super::real::Real;
use super::spectrum::{clear_null, eigen, gram, inverse};
use super::standard::Standard;
use crate::error::RegressError;
use crate::folds::Groups;
use crate::params::Path;

/// Rows of the samples handled by one task.
const BLOCK_ROWS: usize = 512;
/// Pivots of I − H below this are rounding errors of sums of n products in f64.
const SMALLEST_PIVOT: f64 = 1e-11;

/// Samples in the eigenbasis of their Gram matrix.
pub(crate) struct Basis<T> {
    /// n_samples × n_directions, rows sorted by group, row-major.
    pub(crate) z: Array2<T>,
    /// Eigenvalue of each direction, ascending.
    pub(crate) values: Vec<f64>,
    /// Number of eigenvalues that are not 0.
    pub(crate) rank: usize,
    /// Order of the decomposed matrix.
    pub(crate) order: usize,
    /// How directions become weights.
    back: Back<T>,
}

enum Back<T> {
    /// Vᵀ: n_directions × n_features, row-major.
    Covariance { vectors: Array2<T> },
    /// Standardised samples: n_samples × n_features, row-major.
    Kernel { x: Array2<T> },
}

/// (I − H_gg)⁻¹ of every group for every penalty of the grid.
pub(crate) struct Inverses<T> {
    /// Per penalty the row-major matrices of all groups, one after the other.
    pub(crate) blocks: Vec<Vec<T>>,
    /// Where the matrix of each group starts.
    pub(crate) offsets: Vec<usize>,
}

impl<T: Real> Basis<T> {
    /// Decomposes the samples and inverts the group blocks for every penalty of `grid` (none when there are no groups).
    pub(crate) fn new(
        x: ArrayView2<'_, T>,
        standard: &Standard,
        groups: &Groups,
        grid: &[f64],
        path: Path,
        intercept: bool,
    ) -> Result<(Self, Inverses<T>), RegressError> {
        let (n, p) = (x.nrows(), standard.kept.len());
        let kernel = match path {
            Path::Auto => p >= n,
            Path::Covariance => false,
            Path::Kernel => true,
        };
        if kernel {
            Self::kernel(x, standard, groups, grid, intercept)
        } else {
            Self::covariance(x, standard, groups, grid, intercept)
        }
    }

    fn covariance(
        x: ArrayView2<'_, T>,
        standard: &Standard,
        groups: &Groups,
        grid: &[f64],
        intercept: bool,
    ) -> Result<(Self, Inverses<T>), RegressError> {
        let (n, p) = (x.nrows(), standard.kept.len());
        let rows = |range: Range<usize>| standardized::<T, f64>(x, standard, &groups.order[range]);
        let lower = gram(p, n, rows);
        let (mut values, vectors) = eigen(&lower)?;
        drop(lower);
        let rank = clear_null(&mut values, n.max(p));
        let values = values.split_off(p - rank);
        let vectors = vectors.slice(s![.., p - rank..]);
        let mut basis = Self {
            z: Array2::zeros((n, rank)),
            values,
            rank,
            order: p,
            back: Back::Covariance { vectors: Array2::zeros((0, 0)) },
        };
        for &alpha in grid {
            basis.admits(alpha)?;
        }
        let shrinkage: Vec<Vec<f64>> = grid.iter().map(|&alpha| basis.shrinkage(alpha)).collect();
        let blocks = blocks_of(groups, n);
        let mut pieces: Vec<_> = Vec::with_capacity(blocks.len());
        let mut rest = basis.z.view_mut();
        for (members, rows) in blocks {
            let (piece, tail) = rest.split_at(Axis(0), rows.len());
            pieces.push((members, rows, piece));
            rest = tail;
        }
        let inverses: Vec<_> = pieces
            .into_par_iter()
            .map(|(members, range, mut out)| {
                let first = range.start;
                let x = rows(range);
                let mut z = Array2::zeros((x.nrows(), rank));
                multiply(z.view_mut(), x.view(), vectors, false);
                out.zip_mut_with(&z, |out, &value| *out = T::from_f64(value));
                let constant = if intercept { 1.0 / n as f64 } else { 0.0 };
                invert_groups(z.view(), first, members, groups, grid, &shrinkage, |mut hat| {
                    hat.mapv_inplace(|h| -h - constant);
                    hat.diag_mut().mapv_inplace(|h| 1.0 + h);
                    inverse(&hat, SMALLEST_PIVOT)
                })
            })
            .collect();
        let inverses = Inverses::gather(groups, grid, inverses)?;
        basis.back = Back::Covariance { vectors: vectors.t().mapv(T::from_f64).as_standard_layout().into_owned() };
        Ok((basis, inverses))
    }

    fn kernel(
        x: ArrayView2<'_, T>,
        standard: &Standard,
        groups: &Groups,
        grid: &[f64],
        intercept: bool,
    ) -> Result<(Self, Inverses<T>), RegressError> {
        let (n, p) = (x.nrows(), standard.kept.len());
        let lower = gram(n, p, |range| {
            // n × features, transposed: the columns of the block are the samples.
            let mut block = Array2::<f64>::zeros((n, range.len()));
            let part = standard.part(range);
            block.axis_iter_mut(Axis(0)).into_par_iter().zip(&groups.order).for_each(|(out, &sample)| {
                part.apply(x.row(sample), out);
            });
            block.reversed_axes()
        });
        let (mut values, u) = if intercept { eigen_off_constant(lower)? } else { eigen(&lower)? };
        let order = values.len();
        let rank = clear_null(&mut values, n.max(p));
        let mut basis =
            Self { z: Array2::zeros((n, order)), values, rank, order, back: Back::Kernel { x: Array2::zeros((0, 0)) } };
        for &alpha in grid {
            basis.admits(alpha)?;
        }
        basis.z.zip_mut_with(&u, |out, &value| *out = T::from_f64(value));
        let shrinkage: Vec<Vec<f64>> = grid.iter().map(|&alpha| basis.shrinkage(alpha)).collect();
        let inverses: Vec<_> = blocks_of(groups, n)
            .into_par_iter()
            .map(|(members, range)| {
                let rows = u.slice(s![range.clone(), ..]).as_standard_layout().into_owned();
                invert_groups(rows.view(), range.start, members, groups, grid, &shrinkage, |hat| inverse(&hat, 0.0))
            })
            .collect();
        let inverses = Inverses::gather(groups, grid, inverses)?;
        basis.back = Back::Kernel { x: standardized(x, standard, &groups.order) };
        Ok((basis, inverses))
    }

    /// Whether residuals are `r` itself (kernel) or `y − r` (covariance), see the head of this file.
    pub(crate) fn is_kernel(&self) -> bool {
        matches!(self.back, Back::Kernel { .. })
    }

    /// Refuses a penalty of 0 when the weights are not determined.
    pub(crate) fn admits(&self, alpha: f64) -> Result<(), RegressError> {
        if alpha == 0.0 && self.rank < self.order {
            return Err(RegressError::SingularGram { rank: self.rank, needed: self.order });
        }
        Ok(())
    }

    /// D = 1/(Λ + α).
    pub(crate) fn shrinkage(&self, alpha: f64) -> Vec<f64> {
        self.values.iter().map(|value| 1.0 / (value + alpha)).collect()
    }

    /// Condition number of the decomposed matrix with penalty `alpha` on its diagonal.
    pub(crate) fn condition(&self, alpha: f64) -> f64 {
        let largest = self.values.last().copied().unwrap_or(0.0);
        let smallest = if self.rank < self.order { 0.0 } else { self.values.first().copied().unwrap_or(0.0) };
        (largest + alpha) / (smallest + alpha)
    }

    /// Weights of standardised features, from targets in the basis.
    ///
    /// # Shapes
    /// `projected` n_targets × n_directions (Zᵀy by rows), overwritten; result n_targets × n_kept_features.
    pub(crate) fn weights(&self, mut projected: Array2<T>, alphas: &[f64]) -> Array2<T> {
        for (mut row, &alpha) in projected.axis_iter_mut(Axis(0)).zip(alphas) {
            for (value, &eigenvalue) in row.iter_mut().zip(&self.values) {
                // A null direction of the samples carries no weight.
                let factor = if eigenvalue == 0.0 { 0.0 } else { 1.0 / (eigenvalue + alpha) };
                *value *= T::from_f64(factor);
            }
        }
        let mut onto = |right: ArrayView2<'_, T>| {
            let mut out = Array2::zeros((projected.nrows(), right.ncols()));
            multiply(out.view_mut(), projected.view(), right, false);
            projected = out;
        };
        match &self.back {
            Back::Covariance { vectors } => onto(vectors.view()),
            Back::Kernel { x } => {
                onto(self.z.t());
                onto(x.view());
            }
        }
        projected
    }
}

impl<T: Real> Inverses<T> {
    fn gather(
        groups: &Groups,
        grid: &[f64],
        pieces: Vec<Result<Vec<Vec<T>>, RegressError>>,
    ) -> Result<Self, RegressError> {
        let mut offsets = Vec::with_capacity(groups.ranges.len());
        let mut total = 0;
        for range in &groups.ranges {
            offsets.push(total);
            total += range.len() * range.len();
        }
        let mut blocks: Vec<Vec<T>> = grid.iter().map(|_| Vec::with_capacity(total)).collect();
        for piece in pieces {
            for (all, part) in blocks.iter_mut().zip(piece?) {
                all.extend(part);
            }
        }
        Ok(Self { blocks, offsets })
    }
}

/// Blocks of whole groups, or plain runs of rows when there are no groups.
pub(crate) fn blocks_of(groups: &Groups, n: usize) -> Vec<(Range<usize>, Range<usize>)> {
    if groups.ranges.is_empty() {
        return (0..n).step_by(BLOCK_ROWS).map(|start| (0..0, start..(start + BLOCK_ROWS).min(n))).collect();
    }
    groups.blocks(BLOCK_ROWS)
}

/// The kept features of the given samples, standardised, row-major.
fn standardized<T: Real, U: Real>(x: ArrayView2<'_, T>, standard: &Standard, samples: &[usize]) -> Array2<U> {
    let mut out = Array2::<U>::zeros((samples.len(), standard.kept.len()));
    out.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(samples)
        .for_each(|(out, &sample)| standard.apply(x.row(sample), out));
    out
}

/// Per penalty the inverted blocks of the groups `members`, whose rows of the basis are `z` starting at row `first`.
fn invert_groups<T: Real>(
    z: ArrayView2<'_, f64>,
    first: usize,
    members: Range<usize>,
    groups: &Groups,
    grid: &[f64],
    shrinkage: &[Vec<f64>],
    invert: impl Fn(Array2<f64>) -> Option<Array2<f64>>,
) -> Result<Vec<Vec<T>>, RegressError> {
    let mut all = Vec::with_capacity(grid.len());
    for (&alpha, shrinkage) in grid.iter().zip(shrinkage) {
        let mut part = Vec::new();
        for group in members.clone() {
            let range = &groups.ranges[group];
            let rows = z.slice(s![range.start - first..range.end - first, ..]);
            let mut scaled = rows.to_owned();
            for mut row in scaled.rows_mut() {
                row.iter_mut().zip(shrinkage).for_each(|(value, factor)| *value *= factor);
            }
            let mut hat = Array2::zeros((range.len(), range.len()));
            multiply(hat.view_mut(), scaled.view(), rows.t(), false);
            let inverse = invert(hat).ok_or(RegressError::Leverage { group: groups.labels[group], alpha })?;
            part.extend(inverse.iter().map(|&value| T::from_f64(value)));
        }
        all.push(part);
    }
    Ok(all)
}

/// Eigendecomposition of a centred kernel on the complement of the constant vector, which a Householder reflection maps
/// to the first axis. Returns n − 1 values and n × (n − 1) vectors.
fn eigen_off_constant(mut kernel: Array2<f64>) -> Result<(Vec<f64>, Array2<f64>), RegressError> {
    let n = kernel.nrows();
    for i in 0..n {
        for j in 0..i {
            kernel[(j, i)] = kernel[(i, j)];
        }
    }
    // Reflector I − 2wwᵀ with w ∝ e₁ − 1/√n.
    let mut w = Array1::from_elem(n, -1.0 / (n as f64).sqrt());
    w[0] += 1.0;
    let norm = w.dot(&w).sqrt();
    w /= norm;
    let kw = multiply_parallel(kernel.view(), w.view().insert_axis(Axis(1))).remove_axis(Axis(1));
    let wkw = w.dot(&kw);
    let mut inner = kernel.slice(s![1.., 1..]).to_owned();
    drop(kernel);
    inner.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, mut row)| {
        for (j, value) in row.iter_mut().enumerate() {
            *value += 4.0 * wkw * w[i + 1] * w[j + 1] - 2.0 * (w[i + 1] * kw[j + 1] + kw[i + 1] * w[j + 1]);
        }
    });
    let (values, vectors) = eigen(&inner)?;
    let reflected = vectors.t().dot(&w.slice(s![1..])) * 2.0;
    let mut u = Array2::zeros((n, n - 1));
    for (i, mut row) in u.axis_iter_mut(Axis(0)).enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            let own = if i == 0 { 0.0 } else { vectors[(i - 1, j)] };
            *value = own - w[i] * reflected[j];
        }
    }
    Ok((values, u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_a_centred_kernel_are_orthogonal_to_the_constant_and_rebuild_it() {
        let n = 7;
        let x = Array2::from_shape_fn((n, 3), |(i, j)| ((i * 5 + j * 3) % 7) as f64);
        let x = &x - &x.mean_axis(Axis(0)).expect("rows");
        let kernel = x.dot(&x.t());
        let (values, u) = eigen_off_constant(kernel.clone()).expect("converges");
        let rebuilt = (&u * &Array1::from(values)).dot(&u.t());
        assert!((rebuilt - kernel).iter().all(|difference| difference.abs() < 1e-12));
        assert!(u.sum_axis(Axis(0)).iter().all(|sum| sum.abs() < 1e-13));
        assert!((u.t().dot(&u) - Array2::<f64>::eye(n - 1)).iter().all(|difference| difference.abs() < 1e-13));
    }
}
