//! Principal components of features, fitted on training samples and kept for prediction.
//!
//! Components are the directions of largest variance of centred (and, if asked, standardised) features, from the smaller of covariance
//! and kernel. A regression on components is a regression on features: [`Pca::to_features`] turns the weights of the one into those
//! of the other, so that a stored model needs no components. Fit on training samples only; leaving out groups afterwards does not
//! refit the components, which see no targets.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::RegressError;
use crate::samples::Samples;
use crate::solver::basis::{covariance, covariance_spectrum, kernel_spectrum};
use crate::solver::number::Real;
use crate::solver::product::multiply_parallel;
use crate::solver::standard::Standard;
use crate::together::Share;

/// Fitted components.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// n_features: what is subtracted.
    pub mean: Array1<f64>,
    /// n_features: what features are divided by before they are projected.
    pub scale: Array1<f64>,
    /// n_features × n_components, orthonormal columns of falling variance; the largest entry of each is positive.
    pub components: Array2<f64>,
    /// Variance along each component (ddof 1).
    pub variance: Vec<f64>,
    /// Variance along all components, kept or not.
    pub total_variance: f64,
}

impl Pca {
    /// The first `n_components` principal components, reading the samples a few hundred rows at a time where there are more samples
    /// than features.
    ///
    /// # Errors
    /// [`RegressError::Setting`] for no components or more than the samples span; values that are not finite; failures to read.
    ///
    /// # Numerics
    /// In f64; equal to `sklearn.decomposition.PCA(svd_solver="full")` to 1e-9, signs included.
    #[inline(never)]
    pub fn fit<T: Real>(x: &dyn Samples<T>, n_components: usize, standardize: bool) -> Result<Self, RegressError> {
        Self::fitted(x, n_components, standardize, false)
    }

    /// As [`Pca::fit`], but with fewer components where the samples span no more.
    ///
    /// # Errors
    /// As [`Pca::fit`], and samples that do not vary.
    pub fn fit_at_most<T: Real>(
        x: &dyn Samples<T>,
        n_components: usize,
        standardize: bool,
    ) -> Result<Self, RegressError> {
        Self::fitted(x, n_components, standardize, true)
    }

    #[inline(never)]
    fn fitted<T: Real>(
        x: &dyn Samples<T>,
        n_components: usize,
        standardize: bool,
        fewer: bool,
    ) -> Result<Self, RegressError> {
        let (n, p) = x.dim();
        if n < 2 {
            return Err(RegressError::TooFewSamples { rows: n });
        }
        let standard = Standard::fit(x, None, true, standardize, Share::default())?;
        let ones = vec![1.0; n];
        // Columns in the order of rising variance.
        let (values, directions) = if standard.kept.len() > n {
            let x = x.rows(0..n)?;
            let spectrum = kernel_spectrum(x.view(), &standard, &ones, true, Share::default())?;
            let table: Array2<f64> = standard.table(x.view(), |_| 1.0);
            let mut directions = multiply_parallel(spectrum.vectors.t().as_standard_layout().view(), table.view());
            for (mut direction, value) in directions.rows_mut().into_iter().zip(&spectrum.values) {
                direction /= value.sqrt();
            }
            (spectrum.values, directions.reversed_axes())
        } else {
            let spectrum =
                covariance_spectrum(covariance(x, &standard, &ones, Share::default())?, n, Share::default())?;
            (spectrum.values, spectrum.vectors)
        };
        let rank = values.iter().filter(|value| **value > 0.0).count();
        let n_components = if fewer { n_components.min(rank) } else { n_components };
        if n_components == 0 || n_components > rank {
            return Err(RegressError::Setting {
                what: format!("{n_components} principal components are asked for"),
                expected: format!("1 to {rank}, which is what the samples span"),
                remedy: "ask for fewer components",
            });
        }
        let mut components = Array2::zeros((p, n_components));
        for (position, mut component) in components.columns_mut().into_iter().enumerate() {
            let direction = directions.column(values.len() - 1 - position);
            let largest =
                direction.iter().fold(0.0, |largest: f64, v| if v.abs() > largest.abs() { *v } else { largest });
            for (&feature, value) in standard.kept.iter().zip(direction) {
                component[feature] = value * largest.signum();
            }
        }
        let degrees = (n - 1) as f64;
        Ok(Self {
            mean: standard.mean,
            scale: standard.scale,
            components,
            variance: values.iter().rev().take(n_components).map(|value| value / degrees).collect(),
            total_variance: values.iter().sum::<f64>() / degrees,
        })
    }

    /// Samples along the components: n_samples × n_components.
    ///
    /// # Errors
    /// [`RegressError::Features`].
    #[inline(never)]
    pub fn transform<T: Real>(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, RegressError> {
        if x.ncols() != self.mean.len() {
            return Err(RegressError::Features { expected: self.mean.len(), got: x.ncols() });
        }
        let mut standard = Array2::zeros(x.dim());
        for (mut out, row) in standard.rows_mut().into_iter().zip(x.outer_iter()) {
            for ((out, value), (mean, scale)) in out.iter_mut().zip(row).zip(self.mean.iter().zip(&self.scale)) {
                *out = (value.as_f64() - mean) / scale;
            }
        }
        Ok(multiply_parallel(standard.view(), self.components.view()).mapv(T::from_f64))
    }

    /// The samples of which `along` (n_samples × n_components) are what [`Pca::transform`] gives, as far as the components reach.
    #[inline(never)]
    pub fn restored<T: Real>(&self, along: ArrayView2<'_, T>) -> Array2<T> {
        let along = along.mapv(Real::as_f64).as_standard_layout().into_owned();
        let mut out = multiply_parallel(along.view(), self.components.t());
        for mut row in out.rows_mut() {
            for (value, (mean, scale)) in row.iter_mut().zip(self.mean.iter().zip(&self.scale)) {
                *value = *value * scale + mean;
            }
        }
        out.mapv(T::from_f64)
    }

    /// Weights of features, in their own units, that predict what weights of components (n_targets × n_components) predict; their
    /// intercept for centred features is the same.
    #[inline(never)]
    pub fn to_features<T: Real>(&self, weights: ArrayView2<'_, T>) -> Array2<T> {
        let weights = weights.mapv(Real::as_f64).as_standard_layout().into_owned();
        let mut out = multiply_parallel(weights.view(), self.components.t());
        out.axis_iter_mut(Axis(0)).for_each(|mut row| row /= &self.scale);
        out.mapv(T::from_f64)
    }
}
