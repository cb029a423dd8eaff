//! One ridge regression per region, and the mean prediction of those that predict held-out samples best.
//!
//! This is how Brain2Music decodes embeddings of music from 150 regions: each has a model of its own, the best six by held-out score
//! are averaged. The mean of linear models is a linear model of all features, so what comes out is one.
//!
//! Reference: Denk, Takagi, Matsuyama and others 2023, arXiv:2307.11078, section 3.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::design::{Design, Setup};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::gram::Gram;
use crate::params::RidgeParams;
use crate::ridge::RidgeCv;
use crate::samples::same_rows;
use crate::solver::number::Real;
use crate::weights::checked_roots;

/// Features that are fitted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it is called.
    pub name: String,
    /// Its features, ascending; regions may overlap.
    pub features: Vec<usize>,
}

/// For what the best regions are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    /// The same for all targets, by their mean score.
    Together,
    /// For each target by itself.
    PerTarget,
}

/// Settings of an average over regions.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionsParams {
    /// The settings of each region's regression.
    pub ridge: RidgeParams,
    /// How many regions are averaged; all when there are fewer.
    pub n_best: usize,
    /// Whether all targets take the same regions.
    pub best: Best,
}

/// A fitted average over regions.
#[derive(Clone, Debug, PartialEq)]
pub struct Regions<T: Real = f32> {
    /// n_features × n_targets, in the features' own units.
    pub weights: Array2<T>,
    /// n_targets.
    pub intercept: Array1<T>,
    /// n_regions × n_targets: held-out score of each region's own model.
    pub scores: Array2<f64>,
    /// n_regions × n_targets: its penalty.
    pub alpha: Array2<f64>,
    /// Per target the regions that are averaged, the best first.
    pub chosen: Vec<Vec<usize>>,
}

impl<T: Real> Regions<T> {
    /// Fits every region, then averages the best.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets; `gram`, if it is there, of all features with the same settings and
    /// weights; `sample_weights` n_samples.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit_with`]; [`RegressError::Setting`] for no regions, none to be averaged, or a feature that does
    /// not exist. A region whose features do not vary has score 0 and predicts the mean.
    #[inline(never)]
    pub fn fit(
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        regions: &[Region],
        folds: &Folds,
        params: &RegionsParams,
        gram: Option<&Gram>,
        sample_weights: Option<&[f64]>,
    ) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        check(regions, x.ncols(), params.n_best)?;
        checked_roots(sample_weights, x.nrows())?;
        let n_targets = y.ncols();
        let fit = |region: &Region| -> Result<Option<_>, RegressError> {
            let part = x.select(Axis(1), &region.features);
            if gram.is_none() && sample_weights.is_none() {
                // In the form that suits the folds: a few large ones need no block of held-out samples.
                return match RidgeCv::new(params.ridge.clone()).prepare(part.view(), folds.clone(), None) {
                    Err(RegressError::ConstantDesign { .. }) => Ok(None),
                    design => Ok(Some(design?.fit(y)?)),
                };
            }
            let gram = match gram.map(|gram| gram.select(&region.features)) {
                Some(Err(RegressError::ConstantDesign { .. })) => return Ok(None),
                Some(gram) => Some(gram?),
                None => None,
            };
            let setup = Setup { folds: Some(folds.clone()), gram, sample_weights, ..Setup::default() };
            match Design::prepare(&part.view(), &params.ridge, setup) {
                Err(RegressError::ConstantDesign { .. }) => Ok(None),
                design => Ok(Some(design?.fit(y)?)),
            }
        };
        let mut scores = Array2::zeros((regions.len(), n_targets));
        let mut alpha = Array2::zeros((regions.len(), n_targets));
        let mut fitted = Vec::with_capacity(regions.len());
        let mean = if params.ridge.intercept { column_means(y, sample_weights) } else { Array1::zeros(n_targets) };
        for (position, region) in regions.iter().enumerate() {
            let model = fit(region)?;
            if let Some(model) = &model {
                scores.row_mut(position).assign(&ndarray::ArrayView1::from(&model.cv_score));
                alpha.row_mut(position).assign(&ndarray::ArrayView1::from(&model.alpha));
            }
            // Without a model the mean of the targets is predicted.
            let coefficients = model.map(|model| model.coefficients());
            fitted.push(
                coefficients.unwrap_or_else(|| (Array2::zeros((region.features.len(), n_targets)), mean.clone())),
            );
        }
        let chosen = choose(&scores, params);
        let mut weights = Array2::<T>::zeros((x.ncols(), n_targets));
        let mut intercept = Array1::<T>::zeros(n_targets);
        for (target, regions_of_target) in chosen.iter().enumerate() {
            let share = T::from_f64(1.0 / regions_of_target.len() as f64);
            for &region in regions_of_target {
                let (own, offset) = &fitted[region];
                for (&feature, &weight) in regions[region].features.iter().zip(own.column(target)) {
                    weights[(feature, target)] += weight * share;
                }
                intercept[target] += offset[target] * share;
            }
        }
        Ok(Self { weights, intercept, scores, alpha, chosen })
    }

    /// Predictions: n_samples × n_targets.
    ///
    /// # Errors
    /// [`RegressError::Features`].
    #[inline(never)]
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, RegressError> {
        if x.ncols() != self.weights.nrows() {
            return Err(RegressError::Features { expected: self.weights.nrows(), got: x.ncols() });
        }
        Ok(x.dot(&self.weights) + &self.intercept)
    }
}

fn check(regions: &[Region], n_features: usize, n_best: usize) -> Result<(), RegressError> {
    let wrong = |what: String, expected: String, remedy| Err(RegressError::Setting { what, expected, remedy });
    if regions.is_empty() || n_best == 0 {
        let what = format!("the best {n_best} of {} regions are asked for", regions.len());
        return wrong(what, "at least one of at least one".to_owned(), "name regions and average one or more");
    }
    for region in regions {
        if region.features.is_empty() {
            return wrong(format!("region `{}` has no features", region.name), "at least one".to_owned(), "drop it");
        }
        if let Some(feature) = region.features.iter().find(|feature| **feature >= n_features) {
            let what = format!("region `{}` names feature {feature}", region.name);
            return wrong(what, format!("features below {n_features}"), "name features of this matrix");
        }
    }
    Ok(())
}

fn column_means<T: Real>(y: ArrayView2<'_, T>, weights: Option<&[f64]>) -> Array1<T> {
    let weight = |sample: usize| weights.map_or(1.0, |weights| weights[sample]);
    let total: f64 = (0..y.nrows()).map(weight).sum();
    let sum = |column: ndarray::ArrayView1<'_, T>| -> f64 {
        column.iter().enumerate().map(|(sample, value)| weight(sample) * value.as_f64()).sum()
    };
    y.columns().into_iter().map(|column| T::from_f64(sum(column) / total)).collect()
}

/// Per target the regions with the largest scores; among equal ones the first.
fn choose(scores: &Array2<f64>, params: &RegionsParams) -> Vec<Vec<usize>> {
    let best = |score: &dyn Fn(usize) -> f64| {
        let mut order: Vec<usize> = (0..scores.nrows()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order.truncate(params.n_best);
        order
    };
    match params.best {
        Best::Together => vec![best(&|region| scores.row(region).sum()); scores.ncols()],
        Best::PerTarget => (0..scores.ncols()).map(|target| best(&|region| scores[(region, target)])).collect(),
    }
}
