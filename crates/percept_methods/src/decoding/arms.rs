//! The arms of the comparison: methods, controls and baselines, each as the features that a generator gets for every item.
//!
//! Controls run the strongest of the methods asked for (`z+c` if it is among them): `shuffled` gives every item the
//! prediction made for another stimulus, `mean` the prediction for the mean training response, `true` the features of the
//! stimulus itself. All arms share seed and noise, so what differs between them is what the brain said.

use ndarray::{Array1, Array2, Axis};
use percept_core::Seed;

use super::features::Features;
use super::fit::Predictions;
use super::generator::Changes;
use super::plan::Plan;
use super::rescale;
use crate::b2c::Applied;
use crate::error::MethodError;
use crate::experiment::{Experiment, LatentAlone, Method, Rescale};

/// Where an arm's pictures come from.
pub(super) enum Source {
    /// A generator under these features, one row per item.
    Model {
        /// How the features are used.
        method: Method,
        /// Latents, where the method reads them.
        z: Option<Array2<f32>>,
        /// Contexts, where the method reads them.
        c: Option<Array2<f32>>,
    },
    /// Predicted pixels, one row (height × width × channels) per item.
    Pixels {
        /// The rows.
        rows: Array2<f32>,
        /// Height, width and channels.
        shape: [usize; 3],
    },
}

/// One arm.
pub(super) struct Arm {
    /// The name in the scores.
    pub(super) name: String,
    /// One line for the reader.
    pub(super) description: String,
    /// Where its pictures come from.
    pub(super) source: Source,
    /// Pictures per item; arms without noise have one.
    pub(super) n_samples: usize,
    /// What it changes in the generator.
    pub(super) changes: Option<Changes>,
}

/// What the arms are made of.
pub(super) struct Ingredients<'a> {
    pub(super) z: Option<(&'a Predictions, &'a Features)>,
    pub(super) c: Option<&'a Rescaled>,
    pub(super) true_c: Option<&'a Features>,
    /// Encoders that were trained before.
    pub(super) trained: &'a [Applied],
}

/// Rescaled predictions and the factors that were used.
pub(super) struct Rescaled {
    pub(super) items: Array2<f32>,
    pub(super) mean: Array2<f32>,
    pub(super) median_factor: f64,
}

/// Applies the remedy against shrinkage, fold by fold.
pub(super) fn rescaled(predictions: &Predictions, plan: &Plan, remedy: Rescale) -> Rescaled {
    let mut result = Rescaled { items: predictions.items.clone(), mean: predictions.mean.clone(), median_factor: 1.0 };
    if remedy == Rescale::None {
        return result;
    }
    let mut all_factors = Vec::new();
    for fold in 0..plan.train.len() {
        let target_mean = predictions.target_mean.row(fold);
        let factors: Array1<f32> =
            rescale::factors(remedy, predictions.target_variance.row(fold), predictions.held_out_variance.row(fold));
        for (from, items) in [(&predictions.items, Some(plan.items_of(fold))), (&predictions.mean, None)] {
            let rows = items.clone().unwrap_or_else(|| vec![fold]);
            let mut moved = from.select(Axis(0), &rows);
            rescale::apply(&mut moved, target_mean, factors.view());
            let into = if items.is_some() { &mut result.items } else { &mut result.mean };
            for (row, values) in rows.iter().zip(moved.rows()) {
                into.row_mut(*row).assign(&values);
            }
        }
        all_factors.extend(factors.iter().map(|&factor| f64::from(factor)));
    }
    all_factors.sort_unstable_by(f64::total_cmp);
    result.median_factor = all_factors[all_factors.len() / 2];
    result
}

/// `arm` with the U-Net of `trained`.
fn changed(arm: Arm, trained: &Applied) -> Arm {
    Arm { changes: Some(trained.changes()), ..arm }
}

/// All arms that run on a model.
///
/// # Errors
/// When brains cannot be shuffled.
pub(super) fn build(
    experiment: &Experiment,
    plan: &Plan,
    ingredients: &Ingredients<'_>,
) -> Result<Vec<Arm>, MethodError> {
    let stimuli = plan.stimuli();
    let folds: Vec<usize> = plan.items.iter().map(|item| item.fold).collect();
    let predicted_z = ingredients.z.map(|(predictions, _)| &predictions.items);
    let predicted_c = ingredients.c.map(|rescaled| &rescaled.items);
    let denoised = experiment.generate.z == LatentAlone::Denoise;
    let arm = |name: &str, description: String, method: Method, z: Option<Array2<f32>>, c: Option<Array2<f32>>| Arm {
        name: name.to_owned(),
        description,
        n_samples: if method == Method::Z && !denoised { 1 } else { experiment.generate.samples },
        source: Source::Model { method, z: z.filter(|_| method.reads_z()), c: c.filter(|_| method.reads_c()) },
        changes: None,
    };
    let mut arms = Vec::new();
    for &method in &experiment.methods {
        let description = match method {
            Method::Z if denoised => "predicted latent, noised and denoised without a caption",
            Method::Z => "predicted latent, decoded",
            Method::C => "pure noise, denoised under the predicted context",
            Method::ZC => "predicted latent, noised and denoised under the predicted context",
            Method::B2c => continue,
        };
        arms.push(arm(method.name(), description.to_owned(), method, predicted_z.cloned(), predicted_c.cloned()));
    }
    for trained in ingredients.trained {
        let text = "pure noise, denoised under the context of a trained encoder, by its U-Net".to_owned();
        arms.push(changed(arm(&trained.facts.name, text, Method::C, None, Some(trained.items.clone())), trained));
    }
    let pick = |from: Option<&Array2<f32>>, rows: &[usize]| from.map(|from| from.select(Axis(0), rows));
    // Controls run the strongest ridge method, or the last encoder where there is none.
    let ridge = experiment.methods.iter().copied().filter(|method| method.is_ridge()).max();
    let last = ingredients.trained.last().filter(|_| ridge.is_none());
    let main = ridge.unwrap_or(Method::C);
    let main_name = last.map_or(main.name(), |trained| &trained.facts.name);
    let control = |made: Arm| match last {
        Some(trained) => changed(made, trained),
        None => made,
    };
    let c_items = last.map_or(predicted_c, |trained| Some(&trained.items));
    if experiment.controls.shuffled {
        let source = plan.shuffled(Seed::new(experiment.seed))?;
        let text = format!("`{main_name}` with the brain of another stimulus");
        arms.push(control(arm("shuffled", text, main, pick(predicted_z, &source), pick(c_items, &source))));
    }
    if experiment.controls.mean {
        let text = format!("`{main_name}` with the mean training response");
        let z = pick(ingredients.z.map(|(predictions, _)| &predictions.mean), &folds);
        let c_mean = last.map_or(ingredients.c.map(|rescaled| &rescaled.mean), |trained| Some(&trained.mean));
        arms.push(control(arm("mean", text, main, z, pick(c_mean, &folds))));
    }
    let true_z = || pick(ingredients.z.map(|(_, features)| &features.values), &stimuli);
    let true_c = || pick(ingredients.true_c.map(|features| &features.values), &stimuli);
    if experiment.controls.true_features {
        let text = format!("`{}` with the true features of the stimulus", main.name());
        arms.push(arm("true", text, main, true_z(), true_c()));
    }
    if experiment.controls.true_c {
        let text = "`c` with the true context of the stimulus".to_owned();
        arms.push(arm("true_c", text, Method::C, None, true_c()));
    }
    Ok(arms)
}
