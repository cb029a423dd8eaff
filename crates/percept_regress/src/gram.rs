//! The Gram matrix of all features, of which that of every region is a part.
//!
//! Forming it costs n·p² operations. Regions, feature sets and reruns then take their rows and columns of it instead of forming
//! their own.

use ndarray::{Array1, Array2};

use crate::error::RegressError;
use crate::params::RidgeParams;
use crate::samples::Samples;
use crate::solver::basis::covariance;
use crate::solver::number::Real;
use crate::solver::standard::Standard;
use crate::together::Share;
use crate::weights::roots;

/// XᵀX of standardised samples, in f64, with what they were standardised by.
#[derive(Clone, Debug)]
pub struct Gram {
    /// Lower triangle over the features that vary.
    pub(crate) lower: Array2<f64>,
    pub(crate) standard: Standard,
}

impl Gram {
    /// Forms the matrix, reading the samples a few hundred rows at a time.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `x`; failures to read.
    #[inline(never)]
    pub fn new<T: Real>(
        x: &dyn Samples<T>,
        sample_weights: Option<&[f64]>,
        params: &RidgeParams,
    ) -> Result<Self, RegressError> {
        let standard = Standard::fit(x, sample_weights, params.centers(), params.standardize, Share::default())?;
        let lower = covariance(x, &standard, &roots(sample_weights, x.dim().0), Share::default())?;
        Ok(Self { lower, standard })
    }

    /// The part of some features, in the order given: what [`Gram::new`] of their columns alone gives, to the last bit.
    ///
    /// # Errors
    /// [`RegressError::Setting`] for a feature that does not exist; [`RegressError::ConstantDesign`] when none of them varies.
    pub fn select(&self, features: &[usize]) -> Result<Self, RegressError> {
        let n_features = self.standard.mean.len();
        if let Some(feature) = features.iter().find(|&&feature| feature >= n_features) {
            return Err(RegressError::Setting {
                what: format!("feature {feature} was selected"),
                expected: format!("features below {n_features}"),
                remedy: "select features of this matrix",
            });
        }
        let mut places = Vec::new();
        let mut standard = Standard {
            mean: Array1::zeros(features.len()),
            scale: Array1::ones(features.len()),
            kept: Vec::new(),
            constant: Vec::new(),
        };
        for (position, &feature) in features.iter().enumerate() {
            standard.mean[position] = self.standard.mean[feature];
            standard.scale[position] = self.standard.scale[feature];
            match self.standard.kept.binary_search(&feature) {
                Ok(place) => {
                    standard.kept.push(position);
                    places.push(place);
                }
                Err(_) => standard.constant.push(position),
            }
        }
        if places.is_empty() {
            return Err(RegressError::ConstantDesign { features: features.len() });
        }
        let lower = Array2::from_shape_fn((places.len(), places.len()), |(i, j)| {
            let (a, b) = (places[i].max(places[j]), places[i].min(places[j]));
            if j <= i { self.lower[(a, b)] } else { 0.0 }
        });
        Ok(Self { lower, standard })
    }

    /// Means and scales that samples were standardised by.
    pub(crate) fn moments(&self) -> (&Array1<f64>, &Array1<f64>) {
        (&self.standard.mean, &self.standard.scale)
    }

    /// The matrix of standardised features multiplied by `factors`; features with factor 0 are left out. None when nothing is
    /// left. It belongs to samples that are centred and scaled already.
    pub(crate) fn scaled(&self, factors: &[f64]) -> Option<Self> {
        let n_features = factors.len();
        let mut standard = Standard {
            mean: Array1::zeros(n_features),
            scale: Array1::ones(n_features),
            kept: Vec::new(),
            constant: Vec::new(),
        };
        let mut places = Vec::new();
        for (feature, &factor) in factors.iter().enumerate() {
            match self.standard.kept.binary_search(&feature) {
                Ok(place) if factor > 0.0 => {
                    standard.kept.push(feature);
                    places.push((place, factor));
                }
                _ => standard.constant.push(feature),
            }
        }
        if places.is_empty() {
            return None;
        }
        let lower = Array2::from_shape_fn((places.len(), places.len()), |(i, j)| {
            let ((a, left), (b, right)) = (places[i], places[j]);
            if j <= i { self.lower[(a, b)] * left * right } else { 0.0 }
        });
        Some(Self { lower, standard })
    }
}
