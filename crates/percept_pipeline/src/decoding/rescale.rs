//! What to do about contexts that shrink towards the mean.
//!
//! A least-squares prediction keeps only the share R² of its target's variance: predictions of a noisy brain crowd around the
//! mean training context, and a generator that has only seen full-sized contexts draws the same mean picture for all of
//! them. Ozcelik & VanRullen (Brain-Diffuser, 2023) answer by standardising the predictions over the test set and giving
//! them the training targets' mean and deviation. That looks at the test set as a whole, so a picture depends on which others
//! are tested with it. Here the factors come from the training side alone: the held-out predictions that cross-validation
//! makes of training images, averaged over repeats just as the test items are, have the variance that test predictions will
//! have; the factor is √(variance of targets / variance of held-out predictions).
//!
//! - `target`: one factor per target dimension, as Brain-Diffuser; restores every dimension's scale, and amplifies the noise of
//!   those that cannot be predicted.
//! - `global`: one factor for the whole space; restores the length of the deviation from the mean and keeps its direction.
//!
//! Neither adds information: correlations of each dimension with the truth stay what they are under `global` and `target`.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::ridge::Predictions;
use crate::experiment::Rescale;
use crate::plan::Plan;

/// No dimension is amplified more than this: predictions that small hold nothing but noise.
const LARGEST_FACTOR: f64 = 20.0;

/// Predictions against whose shrinkage something was done.
pub struct Rescaled {
    /// n_items × n_targets.
    pub items: Array2<f32>,
    /// n_folds × n_targets.
    pub mean: Array2<f32>,
    /// The median factor over targets and folds.
    pub median_factor: f64,
}

/// Applies the remedy, fold by fold.
pub fn rescaled(predictions: &Predictions, plan: &Plan, remedy: Rescale) -> Rescaled {
    let mut result = Rescaled { items: predictions.items.clone(), mean: predictions.mean.clone(), median_factor: 1.0 };
    if remedy == Rescale::None {
        return result;
    }
    let mut all_factors = Vec::new();
    for fold in 0..plan.train.len() {
        let target_mean = predictions.target_mean.row(fold);
        let factors: Array1<f32> =
            factors(remedy, predictions.target_variance.row(fold), predictions.held_out_variance.row(fold));
        let items = plan.items_of(fold);
        move_rows(&mut result.items, &items, target_mean, factors.view());
        move_rows(&mut result.mean, &[fold], target_mean, factors.view());
        all_factors.extend(factors.iter().map(|&factor| f64::from(factor)));
    }
    all_factors.sort_unstable_by(f64::total_cmp);
    result.median_factor = all_factors[all_factors.len() / 2];
    result
}

/// Moves `rows` away from `mean` by one factor, so that predictions are as far from it as their targets are, by the variances of targets and
/// of held-out predictions of the training side.
pub fn restored(
    rows: &mut Array2<f32>,
    mean: ArrayView1<'_, f32>,
    target_variance: ArrayView1<'_, f32>,
    held_out_variance: ArrayView1<'_, f32>,
) {
    let factors = factors(Rescale::Global, target_variance, held_out_variance);
    apply(rows, mean, factors.view());
}

fn move_rows(all: &mut Array2<f32>, which: &[usize], mean: ArrayView1<'_, f32>, factors: ArrayView1<'_, f32>) {
    let mut moved = all.select(Axis(0), which);
    apply(&mut moved, mean, factors);
    for (row, values) in which.iter().zip(moved.rows()) {
        all.row_mut(*row).assign(&values);
    }
}

/// The factor of each target dimension.
fn factors(
    rescale: Rescale,
    target_variance: ArrayView1<'_, f32>,
    held_out_variance: ArrayView1<'_, f32>,
) -> Array1<f32> {
    let factor = |target: f64, held_out: f64| {
        if target <= 0.0 || held_out <= 0.0 { 1.0 } else { (target / held_out).sqrt().min(LARGEST_FACTOR) as f32 }
    };
    match rescale {
        Rescale::None => Array1::ones(target_variance.len()),
        Rescale::Global => {
            let sum = |variances: ArrayView1<'_, f32>| variances.iter().map(|&value| f64::from(value)).sum::<f64>();
            Array1::from_elem(target_variance.len(), factor(sum(target_variance), sum(held_out_variance)))
        }
        Rescale::Target => target_variance
            .iter()
            .zip(held_out_variance)
            .map(|(&target, &held_out)| factor(f64::from(target), f64::from(held_out)))
            .collect(),
    }
}

/// Moves `rows` away from `mean` by `factors`.
fn apply(rows: &mut Array2<f32>, mean: ArrayView1<'_, f32>, factors: ArrayView1<'_, f32>) {
    for mut row in rows.rows_mut() {
        ndarray::Zip::from(&mut row)
            .and(mean)
            .and(factors)
            .for_each(|value, &mean, &factor| *value = mean + factor * (*value - mean));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn factors_restore_the_scale_of_the_targets() {
        let (target, held_out) = (array![4.0, 9.0, 1.0, 1.0], array![1.0, 1.0, 0.0, 1e-9]);
        assert_eq!(factors(Rescale::Target, target.view(), held_out.view()), array![2.0, 3.0, 1.0, 20.0]);
        let global = factors(Rescale::Global, target.view(), held_out.view());
        assert!(global.iter().all(|&factor| (factor - 7.5f32.sqrt()).abs() < 1e-6));
        assert_eq!(factors(Rescale::None, target.view(), held_out.view()), Array1::<f32>::ones(4));
    }

    #[test]
    fn predictions_move_away_from_the_mean_only() {
        let mut rows = array![[3.0f32, 1.0], [2.0, 0.0]];
        apply(&mut rows, array![2.0, 1.0].view(), array![2.0, 5.0].view());
        assert_eq!(rows, array![[4.0, 1.0], [2.0, -4.0]]);
    }
}
