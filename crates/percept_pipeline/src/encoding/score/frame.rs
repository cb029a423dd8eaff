//! Some units' responses and predictions as they are compared: less their own mean in every fold for r, less the mean of what the fold was
//! fitted on for R².

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_stats::contrasts::Measure;

use crate::encoding::plan::EncodingPlan;

/// Numbers of responses and predictions that are compared at a time, about.
const NUMBERS_TOGETHER: usize = 1 << 26;
/// As many units are compared at a time at least: fewer do not keep all threads busy.
const FEWEST_UNITS: usize = 512;

/// Units that are compared at a time, where each has `n_items` responses and as many predictions of `n_models` models.
pub(super) fn parts(n_units: usize, n_items: usize, n_models: usize) -> impl Iterator<Item = Range<usize>> {
    let together = NUMBERS_TOGETHER / (n_items * (n_models + 2)).max(1);
    let width = together.max(FEWEST_UNITS);
    (0..n_units).step_by(width).map(move |start| start..(start + width).min(n_units))
}

/// Responses of some units.
pub(super) struct Frame<'a> {
    plan: &'a EncodingPlan,
    /// Less their mean in the fold: n_items × n_units.
    about_own: Array2<f32>,
    /// Less the mean of what the fold was fitted on.
    about_trained: Array2<f32>,
    /// The means of what each fold was fitted on: n_folds × n_units.
    trained: Array2<f64>,
}

impl<'a> Frame<'a> {
    /// Of `responses`, n_samples × n_units.
    pub(super) fn new(responses: ArrayView2<'_, f32>, plan: &'a EncodingPlan) -> Self {
        let measured = plan.averaged(0..plan.n_items(), responses);
        let trained = trained_levels(responses, plan);
        let less = |levels: &Array2<f64>| {
            let mut values = measured.clone();
            take(&mut values, levels, plan);
            values.mapv(|value| value as f32)
        };
        let (about_own, about_trained) = (less(&levels(&measured, plan)), less(&trained));
        Self { plan, about_own, about_trained, trained }
    }

    /// The responses as `measure` takes them: n_items × n_units.
    pub(super) fn truth(&self, measure: Measure) -> ArrayView2<'_, f32> {
        if measure == Measure::R { self.about_own.view() } else { self.about_trained.view() }
    }

    /// Predictions (n_items × n_units) as `measure` takes them.
    pub(super) fn predicted(&self, predicted: ArrayView2<'_, f32>, measure: Measure) -> Array2<f32> {
        let mut values = predicted.mapv(f64::from);
        match measure {
            Measure::R => {
                let own = levels(&values, self.plan);
                take(&mut values, &own, self.plan);
            }
            Measure::R2 | Measure::R2AboutZero => take(&mut values, &self.trained, self.plan),
        }
        values.mapv(|value| value as f32)
    }
}

/// Mean of every unit over the samples that each fold was fitted on.
fn trained_levels(responses: ArrayView2<'_, f32>, plan: &EncodingPlan) -> Array2<f64> {
    let mut levels = Array2::<f64>::zeros((plan.folds.len(), responses.ncols()));
    for (mut level, fold) in levels.rows_mut().into_iter().zip(&plan.folds) {
        for &sample in &fold.train {
            level.zip_mut_with(&responses.row(sample), |sum, value| *sum += f64::from(*value));
        }
        level /= fold.train.len() as f64;
    }
    levels
}

/// Mean of every column in each fold.
fn levels(values: &Array2<f64>, plan: &EncodingPlan) -> Array2<f64> {
    let mut levels = Array2::zeros((plan.folds.len(), values.ncols()));
    for (mut level, fold) in levels.rows_mut().into_iter().zip(&plan.folds) {
        if let Some(mean) = values.slice(s![fold.items.clone(), ..]).mean_axis(Axis(0)) {
            level.assign(&mean);
        }
    }
    levels
}

/// Subtracts the level of each fold.
fn take(values: &mut Array2<f64>, levels: &Array2<f64>, plan: &EncodingPlan) {
    for (level, fold) in levels.rows().into_iter().zip(&plan.folds) {
        let mut part = values.slice_mut(s![fold.items.clone(), ..]);
        part -= &level;
    }
}
