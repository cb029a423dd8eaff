//! Kernels of bands: what banded ridge works with where features outnumber samples.
//!
//! The kernel of each band is formed once; K(γ) = Σ γₖ Kₖ. A candidate then costs n³ instead of p³. Dual weights become weights of
//! features by wₖ = γₖ Xₖᵀ dual.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use crate::design::{Design, Setup};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::params::RidgeParams;
use crate::solver::number::Real;
use crate::solver::product::multiply_parallel;
use crate::solver::spectrum::{gram, mirror};
use crate::solver::standard::Standard;
use crate::together::Share;

/// Standardised samples and the kernel of each band.
pub(crate) struct BandKernels {
    /// n_samples × n_features; constant features are 0.
    x: Array2<f64>,
    kernels: Vec<Array2<f64>>,
    features: Vec<Range<usize>>,
}

impl BandKernels {
    pub(crate) fn new<T: Real>(
        x: ArrayView2<'_, T>,
        standard: &Standard,
        features: Vec<Range<usize>>,
    ) -> Result<Self, RegressError> {
        let (n, p) = x.dim();
        let mut table = Array2::<f64>::zeros((n, p));
        for &feature in &standard.kept {
            let (mean, scale) = (standard.mean[feature], standard.scale[feature]);
            table
                .column_mut(feature)
                .zip_mut_with(&x.column(feature), |out, value| *out = (value.as_f64() - mean) / scale);
        }
        let kernel = |band: &Range<usize>| -> Result<Array2<f64>, RegressError> {
            let part = table.slice(s![.., band.clone()]);
            // The samples are the columns of the blocks.
            let mut kernel = gram(n, band.len(), Share::default(), |rows| {
                Ok(part.slice(s![.., rows]).as_standard_layout().into_owned().reversed_axes())
            })?;
            mirror(&mut kernel);
            Ok(kernel)
        };
        let kernels = features.iter().map(kernel).collect::<Result<_, _>>()?;
        Ok(Self { x: table, kernels, features })
    }

    /// The design of the candidate with these scales; none where all of its features are constant.
    pub(crate) fn design<T: Real>(
        &self,
        scales: &[f64],
        params: &RidgeParams,
        folds: Option<&Folds>,
        sample_weights: Option<&[f64]>,
    ) -> Result<Option<Design<T>>, RegressError> {
        let mut sum = Array2::<f64>::zeros((self.x.nrows(), self.x.nrows()));
        for (kernel, &scale) in self.kernels.iter().zip(scales).filter(|(_, scale)| **scale > 0.0) {
            sum.scaled_add(scale, kernel);
        }
        if sum.diag().iter().all(|value| *value == 0.0) {
            return Ok(None);
        }
        let setup = Setup { folds: folds.cloned(), sample_weights, ..Setup::default() };
        Design::from_kernel(sum.view(), params, setup).map(Some)
    }

    /// Weights of standardised features from dual weights: n_features × n_targets.
    pub(crate) fn weights<T: Real>(&self, scales: &[f64], dual: ArrayView2<'_, T>) -> Array2<f64> {
        let dual = dual.mapv(Real::as_f64).as_standard_layout().into_owned();
        let by_feature = self.x.t().as_standard_layout().into_owned();
        let mut weights = multiply_parallel(by_feature.view(), dual.view());
        for (features, &scale) in self.features.iter().zip(scales) {
            weights.slice_mut(s![features.clone(), ..]).mapv_inplace(|value| value * scale);
        }
        weights
    }
}
