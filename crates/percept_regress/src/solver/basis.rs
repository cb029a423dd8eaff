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
//!
//! Z is made in the precision of the fit, but for directions that are short beside the samples: those are made in f64.
//!
//! With sample weights, rows of samples and targets are multiplied by the roots of the weights, and 1/n becomes the
//! product of the unit vector in that direction with itself; everything else stays.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, s};
use rayon::prelude::*;

use super::decomposition::Spectrum;
use super::number::Real;
use super::penalties::Lengths;
use super::product::{multiply, multiply_leading, multiply_parallel};
use super::spectrum::{clear_null, eigen, gram, mirror};
use super::standard::{ROWS_PER_READ, Standard};
use crate::error::RegressError;
use crate::samples::Samples;
use crate::together::Share;

/// Samples in the eigenbasis of their Gram matrix.
pub(crate) struct Basis<T> {
    /// n_samples × n_directions, row-major. Rows are multiplied by the root of the sample's weight.
    pub(crate) z: Array2<T>,
    /// Eigenvalue of each direction, ascending.
    pub(crate) values: Vec<f64>,
    /// Number of eigenvalues that are not 0.
    pub(crate) rank: usize,
    /// Order of the decomposed matrix.
    pub(crate) order: usize,
    /// The direction of the intercept: n_samples, of length 1. None without one.
    pub(crate) constant: Option<Vec<f64>>,
    /// How directions become weights.
    back: Back<T>,
}

enum Back<T> {
    /// Vᵀ: n_directions × n_features, row-major.
    Covariance { vectors: Array2<T> },
    /// Standardised samples: n_samples × n_features, row-major.
    Kernel { x: Array2<T> },
    /// Nothing but the kernel is known: weights are those of samples, multiplied by the roots of their weights.
    Dual { roots: Vec<T> },
}

/// Directions whose eigenvalue is this many times smaller than the mean one are short.
const SHORT: f64 = 64.0;

/// How many of the ascending eigenvalues of `order` features belong to directions that must be made in f64.
///
/// A sum over the features of a sample is rounded in proportion to the sample's own length, whose square is the mean
/// eigenvalue's part in it. In f32 that is too much only where what the sample has of a direction is far less.
fn n_short<T: Real>(values: &[f64], order: usize) -> usize {
    let mean = values.iter().sum::<f64>() / order as f64;
    let is_double = T::epsilon().as_f64() <= f64::EPSILON;
    if is_double { 0 } else { values.partition_point(|value| value * SHORT < mean) }
}

/// The unit vector in which an intercept lies when rows are multiplied by `roots`.
fn direction(roots: &[f64]) -> Vec<f64> {
    let length = roots.iter().map(|root| root * root).sum::<f64>().sqrt();
    roots.iter().map(|root| root / length).collect()
}

/// The lower triangle of XᵀX of standardised samples, in f64.
pub(crate) fn covariance<T: Real>(
    x: &dyn Samples<T>,
    standard: &Standard,
    roots: &[f64],
    share: Share<'_>,
) -> Result<Array2<f64>, RegressError> {
    gram(standard.kept.len(), x.dim().0, share, |range| {
        let start = range.start;
        Ok(standard.table(x.rows(range)?.view(), |row| roots[start + row]))
    })
}

/// The spectrum of the covariance, its null directions dropped.
pub(crate) fn covariance_spectrum(
    lower: Array2<f64>,
    n_samples: usize,
    share: Share<'_>,
) -> Result<Spectrum, RegressError> {
    share.once(|| {
        let order = lower.nrows();
        let (mut values, vectors) = eigen(lower)?;
        let rank = clear_null(&mut values, n_samples.max(order));
        let values = values.split_off(order - rank);
        let vectors = if rank == order { vectors } else { vectors.slice(s![.., order - rank..]).to_owned() };
        Ok(Spectrum { values, vectors })
    })
}

/// The spectrum of the kernel on the complement of the intercept's direction.
pub(crate) fn kernel_spectrum<T: Real>(
    x: ArrayView2<'_, T>,
    standard: &Standard,
    roots: &[f64],
    intercept: bool,
    share: Share<'_>,
) -> Result<Spectrum, RegressError> {
    let (n, p) = (x.nrows(), standard.kept.len());
    let lower = gram(n, p, share, |range| {
        // n × features, transposed: the columns of the block are the samples.
        Ok(standard.part(range).table::<T, f64>(x, |row| roots[row]).reversed_axes())
    })?;
    share.once(|| {
        let (mut values, vectors) = if intercept { eigen_off(lower, &direction(roots))? } else { eigen(lower)? };
        clear_null(&mut values, n.max(p));
        Ok(Spectrum { values, vectors })
    })
}

/// The spectrum of a kernel that was computed elsewhere, given by its lower triangle.
pub(crate) fn given_kernel_spectrum(
    mut lower: Array2<f64>,
    roots: &[f64],
    intercept: bool,
) -> Result<Spectrum, RegressError> {
    let n = lower.nrows();
    for ((i, j), value) in lower.indexed_iter_mut() {
        *value *= roots[i] * roots[j];
    }
    let (mut values, vectors) = if intercept { eigen_off(lower, &direction(roots))? } else { eigen(lower)? };
    clear_null(&mut values, n);
    Ok(Spectrum { values, vectors })
}

impl<T: Real> Basis<T> {
    /// Samples in the directions of the covariance's `spectrum`.
    pub(crate) fn covariance(
        x: &dyn Samples<T>,
        standard: &Standard,
        roots: &[f64],
        intercept: bool,
        spectrum: Spectrum,
        share: Share<'_>,
    ) -> Result<Self, RegressError> {
        let n = x.dim().0;
        let Spectrum { values, vectors } = spectrum;
        let rank = values.len();
        let mut transposed = Array2::zeros((rank, standard.kept.len()));
        transposed.axis_iter_mut(Axis(0)).into_par_iter().zip(vectors.axis_iter(Axis(1))).for_each(
            |(mut out, vector)| out.iter_mut().zip(vector).for_each(|(out, &value)| *out = T::from_f64(value)),
        );
        let n_short = n_short::<T>(&values, standard.kept.len());
        let mut z = Array2::zeros((n, rank));
        let blocks = z.axis_chunks_iter_mut(Axis(0), ROWS_PER_READ).enumerate();
        for (block, mut out) in blocks.filter(|(block, _)| share.is_mine(*block)) {
            let start = block * ROWS_PER_READ;
            let rows = x.rows(start..start + out.nrows())?;
            let (short, mut long) = out.view_mut().split_at(Axis(1), n_short);
            let own: Array2<T> = standard.table(rows.view(), |row| roots[start + row]);
            long.assign(&multiply_parallel(own.view(), transposed.slice(s![n_short.., ..]).reversed_axes()));
            if n_short > 0 {
                let own: Array2<f64> = standard.table(rows.view(), |row| roots[start + row]);
                let found = multiply_leading(own.view(), vectors.view(), n_short);
                Zip::from(short).and(&found).for_each(|out, &value| *out = T::from_f64(value));
            }
        }
        share.fill(z.as_slice_mut().expect("freshly allocated arrays are contiguous"))?;
        Ok(Self {
            z,
            values,
            rank,
            order: standard.kept.len(),
            constant: intercept.then(|| direction(roots)),
            back: Back::Covariance { vectors: transposed },
        })
    }

    /// The directions of the kernel's `spectrum`.
    pub(crate) fn kernel(
        x: ArrayView2<'_, T>,
        standard: &Standard,
        roots: &[f64],
        intercept: bool,
        spectrum: Spectrum,
    ) -> Self {
        let Spectrum { values, vectors } = spectrum;
        let mut z = Array2::zeros(vectors.dim());
        z.zip_mut_with(&vectors, |out, &value| *out = T::from_f64(value));
        Self {
            z,
            rank: values.iter().filter(|value| **value > 0.0).count(),
            order: values.len(),
            values,
            constant: intercept.then(|| direction(roots)),
            back: Back::Kernel { x: standard.table(x, |row| roots[row]) },
        }
    }

    /// The directions of a given kernel's `spectrum`.
    pub(crate) fn dual(roots: &[f64], intercept: bool, spectrum: Spectrum) -> Self {
        let Spectrum { values, vectors } = spectrum;
        Self {
            z: vectors.mapv(T::from_f64).as_standard_layout().into_owned(),
            rank: values.iter().filter(|value| **value > 0.0).count(),
            order: values.len(),
            values,
            constant: intercept.then(|| direction(roots)),
            back: Back::Dual { roots: roots.iter().map(|&root| T::from_f64(root)).collect() },
        }
    }

    /// Whether residuals are `r` itself (kernel) or `y − r` (covariance), see the head of this file.
    pub(crate) fn is_kernel(&self) -> bool {
        !matches!(self.back, Back::Covariance { .. })
    }

    /// How long the directions are: those of the samples' own space are √λ.
    pub(crate) fn lengths(&self) -> Lengths {
        if self.is_kernel() { Lengths::Unit } else { Lengths::Root }
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
            Back::Dual { roots } => {
                onto(self.z.t());
                for mut row in projected.rows_mut() {
                    row.iter_mut().zip(roots).for_each(|(value, &root)| *value *= root);
                }
            }
        }
        projected
    }

    /// Rows of the basis: a view where the samples follow each other, else a copy.
    pub(crate) fn rows<'a>(&'a self, samples: &[usize], gathered: &'a mut Vec<T>) -> ArrayView2<'a, T> {
        let (first, directions) = (samples[0], self.z.ncols());
        if samples.iter().enumerate().all(|(position, &sample)| sample == first + position) {
            return self.z.slice(s![first..first + samples.len(), ..]);
        }
        gathered.clear();
        for &sample in samples {
            gathered.extend_from_slice(self.z.row(sample).to_slice().expect("the basis is row-major"));
        }
        ArrayView2::from_shape((samples.len(), directions), gathered).expect("filled row by row")
    }
}

/// Eigendecomposition of a centred kernel on the complement of the unit vector `constant`, which a Householder reflection
/// maps to the first axis. Returns n − 1 values and n × (n − 1) vectors.
fn eigen_off(mut kernel: Array2<f64>, constant: &[f64]) -> Result<(Vec<f64>, Array2<f64>), RegressError> {
    let n = kernel.nrows();
    mirror(&mut kernel);
    // Reflector I − 2wwᵀ with w ∝ e₁ − constant.
    let mut w = Array1::from_iter(constant.iter().map(|value| -value));
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
    let (values, vectors) = eigen(inner)?;
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
        let (values, u) = eigen_off(kernel.clone(), &[1.0 / 7f64.sqrt(); 7]).expect("converges");
        let rebuilt = (&u * &Array1::from(values)).dot(&u.t());
        assert!((rebuilt - kernel).iter().all(|difference| difference.abs() < 1e-12));
        assert!(u.sum_axis(Axis(0)).iter().all(|sum| sum.abs() < 1e-13));
        assert!((u.t().dot(&u) - Array2::<f64>::eye(n - 1)).iter().all(|difference| difference.abs() < 1e-13));
    }

    #[test]
    fn short_directions_are_as_exact_as_long_ones() {
        let (n, p) = (300, 80);
        let noise = percept_core::Seed::new(4).normal(n * p);
        let mixing = percept_core::Seed::new(5).normal(p * p);
        let falling = Array2::from_shape_fn((n, p), |(i, j)| {
            f64::from(noise[i * p + j]) * 10f64.powf(-3.0 * j as f64 / p as f64)
        });
        // Mixed, so that no feature stands for one direction.
        let x = falling.dot(&Array2::from_shape_fn((p, p), |(i, j)| f64::from(mixing[i * p + j])));
        let (single, roots) = (x.mapv(|value| value as f32), vec![1.0; n]);
        let x = single.mapv(f64::from);
        let standard = Standard::fit(&x.view(), None, true, false, Share::default()).expect("varies");
        let lower = covariance::<f64>(&x.view(), &standard, &roots, Share::default()).expect("in memory");
        let spectrum = covariance_spectrum(lower, n, Share::default()).expect("converges");
        let n_short = n_short::<f32>(&spectrum.values, p);
        assert!((10..p - 10).contains(&n_short) && super::n_short::<f64>(&spectrum.values, p) == 0, "{n_short}");
        let exact = Basis::<f64>::covariance(&x.view(), &standard, &roots, true, spectrum.clone(), Share::default());
        let found = Basis::<f32>::covariance(&single.view(), &standard, &roots, true, spectrum, Share::default());
        let (exact, found) = (exact.expect("in memory"), found.expect("in memory"));
        for (direction, value) in exact.values.iter().enumerate() {
            let difference = found.z.column(direction).mapv(f64::from) - exact.z.column(direction);
            let error = difference.dot(&difference).sqrt() / value.sqrt();
            assert!(error < 5e-6, "{direction} of {n_short}: {error}");
        }
    }
}
