//! Kernel ridge regression: a design of which only the products of samples are known.
//!
//! Everything after the decomposition is that of [`Design`]; weights belong to training samples instead of features.

use std::sync::Mutex;

use ndarray::{Array1, Array2, ArrayView2};

use crate::design::{Design, Setup, scored_in};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::params::RidgeParams;
use crate::samples::same_rows;
use crate::solver::basis::{Basis, given_kernel_spectrum};
use crate::solver::number::Real;
use crate::solver::standard::{Standard, all_finite};
use crate::together::Share;
use crate::weights::checked_roots;

impl<T: Real> Design<T> {
    /// Prepares a kernel ridge regression: `kernel` (n_samples × n_samples, symmetric and positive semidefinite; its lower
    /// triangle is read) holds the products of samples in any feature space, which need not be centred.
    ///
    /// Weights of the fitted [`crate::Ridge`] are dual: n_samples × n_targets. Its predictions take the kernel between new samples and
    /// the training samples (n_new × n_samples). `standardize` and `center` have no meaning here, and no cache is used.
    ///
    /// # Errors
    /// Those of [`Design::prepare`]; [`RegressError::Setting`] for a kernel that is not square.
    #[inline(never)]
    pub fn from_kernel(
        kernel: ArrayView2<'_, f64>,
        params: &RidgeParams,
        setup: Setup<'_>,
    ) -> Result<Self, RegressError> {
        let n = kernel.nrows();
        if n != kernel.ncols() {
            return Err(RegressError::Setting {
                what: format!("the kernel is {n} × {}", kernel.ncols()),
                expected: "as many rows as columns".to_owned(),
                remedy: "give the kernel of the training samples with themselves",
            });
        }
        all_finite("kernel", kernel)?;
        if params.intercept && n < 2 {
            return Err(RegressError::TooFewSamples { rows: n });
        }
        let grid = if setup.folds.is_some() { params.grid()? } else { Vec::new() };
        scored_in::<T>(params, setup.folds.is_some())?;
        let folds = setup.folds.unwrap_or_else(|| Folds::none(n));
        same_rows("kernel", n, "folds", folds.n_samples())?;
        let roots = checked_roots(setup.sample_weights, n)?;
        let lower = Array2::from_shape_fn((n, n), |(i, j)| if j <= i { kernel[(i, j)] } else { kernel[(j, i)] });
        let mut mean = Array1::zeros(n);
        if params.intercept {
            // A new sample's kernel is centred by the mean over training samples; dual weights sum to 0, so nothing else matters.
            let total: f64 = roots.iter().map(|root| root * root).sum();
            for (row, root) in lower.rows().into_iter().zip(&roots) {
                mean.zip_mut_with(&row, |mean, value| *mean += root * root * value / total);
            }
        }
        let standard = Standard { mean, scale: Array1::ones(n), kept: (0..n).collect(), constant: Vec::new() };
        let share = Share(setup.together);
        let spectrum = share.once(|| given_kernel_spectrum(lower, &roots, params.intercept))?;
        let basis = Basis::dual(&roots, params.intercept, spectrum);
        let inverses = basis.inverses(&folds, &grid, share)?;
        let beyond = Mutex::default();
        Ok(Self { params: params.clone(), grid, folds, roots, standard, basis, inverses, forms: None, beyond })
    }
}
