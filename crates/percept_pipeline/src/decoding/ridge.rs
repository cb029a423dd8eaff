//! Decoders: from responses to a feature space, and their predictions for every test item.
//!
//! Each fold of the plan is normalised by its own training samples, and fitted on single trials with one penalty per target,
//! chosen by leaving out one image (all its repeats) at a time; test items are the means of their normalised samples. Blocks
//! of targets are fitted one after the other and leave one artefact each, so neither all targets of all trials nor all
//! weights are ever held at once. The weights themselves are kept when there is a single fold.
//!
//! With each decoder goes a measure of shrinkage: the variance over images of its held-out predictions (averaged over repeats
//! as the test items are) beside that of the targets; see [`super::rescale`].

use std::cell::OnceCell;

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use percept_core::{Progress, Provenance};
use percept_regress::cost::{self, Size};
use percept_regress::{Design, Folds, RegressError, RidgeParams, Setup};

use crate::data::Columns;
use crate::error::PipelineError;
use crate::experiment::DecodeSettings;
use crate::plan::{Plan, mean_row};
use crate::run::{RunFolder, Stage, StageName, artefact};

/// Targets fitted at a time: bounds the copy of the targets of all trials.
pub const TARGETS_PER_BLOCK: usize = 8192;
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;

/// What one decoder reads and predicts.
pub struct Regression<'a> {
    /// The feature space, `z` or `c`; names artefacts and errors.
    pub feature: &'a str,
    /// Features of every stimulus: n_stimuli × n_targets.
    pub targets: &'a dyn Columns,
    /// Units read.
    pub n_units: usize,
    /// Normalised responses of each fold: n_samples × n_units.
    pub responses: &'a dyn Fn(usize) -> Array2<f32>,
    /// The stimulus of each sample.
    pub stimulus_of_sample: &'a [usize],
    /// The settings.
    pub settings: &'a DecodeSettings,
    /// What the result depends on.
    pub provenance: Provenance,
}

/// Predictions of one feature space for all items.
pub struct Predictions {
    /// n_items × n_targets.
    pub items: Array2<f32>,
    /// The prediction for the mean training response: n_folds × n_targets.
    pub mean: Array2<f32>,
    /// Mean of the targets over training images: n_folds × n_targets.
    pub target_mean: Array2<f32>,
    /// Variance of the targets over training images: n_folds × n_targets.
    pub target_variance: Array2<f32>,
    /// Variance of held-out predictions over training images: n_folds × n_targets.
    pub held_out_variance: Array2<f32>,
    /// Mean cross-validated R² over targets and folds.
    pub cv_r2: f64,
    /// The penalties that were tried or chosen, ascending, and how many targets chose each, over all folds.
    pub n_targets_of_alpha: Vec<(f64, usize)>,
    /// Hash of the artefacts.
    pub content: String,
}

/// Fits the decoders of all folds, or finds them in the run's folder, and collects their predictions.
///
/// # Errors
/// When the regression refuses the samples, or the disk an artefact.
pub fn fit(
    run: &RunFolder,
    plan: &Plan,
    regression: &Regression<'_>,
    progress: &dyn Progress,
) -> Result<Predictions, PipelineError> {
    let n_targets = regression.targets.n_columns();
    let n_folds = plan.train.len();
    let blocks: Vec<std::ops::Range<usize>> = (0..n_targets)
        .step_by(TARGETS_PER_BLOCK)
        .map(|start| start..(start + TARGETS_PER_BLOCK).min(n_targets))
        .collect();
    let stage = format!("decoder of {} (memory {:.1} GB)", regression.feature, memory_bytes(plan, regression) / 1e9);
    progress.begin(&stage, (n_folds * blocks.len()) as u64);
    let mut predictions = Predictions {
        items: Array2::zeros((plan.items.len(), n_targets)),
        mean: Array2::zeros((n_folds, n_targets)),
        target_mean: Array2::zeros((n_folds, n_targets)),
        target_variance: Array2::zeros((n_folds, n_targets)),
        held_out_variance: Array2::zeros((n_folds, n_targets)),
        cv_r2: 0.0,
        n_targets_of_alpha: regression.settings.alphas.iter().map(|&alpha| (alpha, 0)).collect(),
        content: String::new(),
    };
    let mut content = String::new();
    for fold in 0..n_folds {
        let prepared = OnceCell::new();
        for block in &blocks {
            let stage = fit_block(run, plan, regression, fold, block, &prepared)?;
            content.push_str(&stage.content());
            collect(run, plan, regression, fold, block, &mut predictions)?;
            progress.advance(1);
        }
    }
    predictions.n_targets_of_alpha.sort_by(|a, b| a.0.total_cmp(&b.0));
    predictions.cv_r2 /= (n_folds * n_targets) as f64;
    predictions.content = percept_core::provenance::content_hash(content.as_bytes());
    progress.end(&format!("mean cross-validated R² {:.3}", predictions.cv_r2));
    Ok(predictions)
}

/// What fitting holds at its peak: responses and their decomposition, what makes errors of targets that repeat, one block of
/// targets three times over (targets, sorted targets, held-out predictions), its weights twice, features and predictions of all
/// stimuli and items.
fn memory_bytes(plan: &Plan, regression: &Regression<'_>) -> f64 {
    let n = plan.train.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let (p, all) = (regression.n_units as f64, regression.stimulus_of_sample.len() as f64);
    let block = regression.targets.n_columns().min(TARGETS_PER_BLOCK) as f64;
    let directions = n.min(p);
    let single = all * p + 2.0 * n * p + n * directions + p * directions + 3.0 * n * block + 2.0 * p * block;
    let shared = (regression.targets.n_held() + plan.items.len() * regression.targets.n_columns()) as f64;
    let repeats = plan.train.iter().filter_map(|train| repeats_bytes(train, regression)).fold(0.0, f64::max);
    4.0 * (single + shared) + 8.0 * 3.0 * directions * directions + repeats
}

/// What it takes more to make errors of one number per stimulus, if that is done for these samples.
fn repeats_bytes(train: &[usize], regression: &Regression<'_>) -> Option<f64> {
    let folds = Folds::by_label(&stimuli_of(train, regression)).ok()?;
    let (params, n_threads) = (params(regression), rayon::current_num_threads());
    let size =
        Size { n_samples: train.len(), n_features: regression.n_units, n_targets: regression.targets.n_columns() };
    if !cost::repeats_pay(size, &params, &folds) {
        return None;
    }
    let (_, with) = cost::with_repeats::<f32>(size, &params, &folds, n_threads);
    Some(with.design.saturating_sub(cost::memory::<f32>(size, &params, Some(&folds), n_threads).design) as f64)
}

fn stimuli_of(train: &[usize], regression: &Regression<'_>) -> Vec<usize> {
    train.iter().map(|&sample| regression.stimulus_of_sample[sample]).collect()
}

fn params(regression: &Regression<'_>) -> RidgeParams {
    let DecodeSettings { alphas, extend, .. } = regression.settings;
    RidgeParams { alphas: alphas.clone(), extend: *extend, ..RidgeParams::default() }
}

/// Samples ready for `n_targets` features of stimuli, which are the same in all samples of a stimulus; stimuli are held out in
/// turn.
///
/// # Errors
/// When the samples cannot be decomposed.
pub fn design(
    x: ArrayView2<'_, f32>,
    stimulus_of_sample: &[usize],
    params: &RidgeParams,
    n_targets: usize,
) -> Result<Design<f32>, RegressError> {
    let folds = Folds::by_label(stimulus_of_sample)?;
    let size = Size { n_samples: x.nrows(), n_features: x.ncols(), n_targets };
    let repeated_targets = cost::repeats_pay(size, params, &folds);
    Design::prepare(&x, params, Setup { folds: Some(folds), repeated_targets, ..Setup::default() })
}

/// What all blocks of a fold share.
struct Prepared {
    design: Design<f32>,
    items: Array2<f32>,
    mean: Array2<f32>,
    groups: Vec<usize>,
}

fn path_of(feature: &str, fold: usize, block: &std::ops::Range<usize>) -> String {
    format!("decoders/{feature}/fold{fold:03}-targets{:06}.safetensors", block.start)
}

fn fit_block(
    run: &RunFolder,
    plan: &Plan,
    regression: &Regression<'_>,
    fold: usize,
    block: &std::ops::Range<usize>,
    prepared: &OnceCell<Prepared>,
) -> Result<Stage, PipelineError> {
    let path = path_of(regression.feature, fold, block);
    let name = format!("decoder.{}.fold{fold:03}.targets{:06}", regression.feature, block.start);
    run.stage(StageName { name: &name, revision: REVISION }, regression.provenance.clone(), || {
        let refused = |error| PipelineError::Regress { feature: regression.feature.to_owned(), error };
        if prepared.get().is_none() {
            let made = prepare(plan, regression, fold).map_err(refused)?;
            let _ = prepared.set(made);
        }
        let prepared = prepared.get().expect("set above");
        let y = regression.targets.columns(block.clone())?.select(Axis(0), &prepared.groups);
        let ridge = prepared.design.fit(y.view()).map_err(refused)?;
        let held_out = prepared.design.held_out_predictions(y.view(), &ridge.alpha).map_err(refused)?;
        let by_image = |rows: &Array2<f32>| {
            if regression.settings.average_repeats { averaged(rows, &prepared.groups) } else { rows.clone() }
        };
        let (target_mean, target_variance) = moments(&by_image(&y));
        let (_, held_out_variance) = moments(&by_image(&held_out));
        let predicted = ridge.predict(prepared.items.view()).map_err(refused)?;
        let mean = ridge.predict(prepared.mean.view()).map_err(refused)?;
        let alpha = Array1::from_iter(ridge.alpha.iter().map(|&alpha| alpha as f32));
        let cv_score = Array1::from_iter(ridge.cv_score.iter().map(|&score| score as f32));
        let mut arrays = vec![
            ("items", predicted.into_dyn()),
            ("mean", mean.row(0).to_owned().into_dyn()),
            ("target_mean", target_mean.into_dyn()),
            ("target_variance", target_variance.into_dyn()),
            ("held_out_variance", held_out_variance.into_dyn()),
            ("alpha", alpha.into_dyn()),
            ("cv_score", cv_score.into_dyn()),
        ];
        if plan.train.len() == 1 {
            arrays.push(("intercept", ridge.intercept.into_dyn()));
            arrays.push(("x_mean", ridge.x_mean.mapv(|value| value as f32).into_dyn()));
            arrays.push(("x_scale", ridge.x_scale.mapv(|value| value as f32).into_dyn()));
            // n_targets × n_units, as scikit-learn stores them.
            arrays.push(("weights", ridge.weights.reversed_axes().into_dyn()));
        }
        artefact::save(run, &path, &arrays)?;
        Ok(vec![path.clone()])
    })
}

fn prepare(plan: &Plan, regression: &Regression<'_>, fold: usize) -> Result<Prepared, RegressError> {
    let responses = (regression.responses)(fold);
    let train = &plan.train[fold];
    let x = responses.select(Axis(0), train);
    let groups = stimuli_of(train, regression);
    let items = plan.items_of(fold);
    let mut averages = Array2::zeros((items.len(), responses.ncols()));
    for (mut row, &item) in averages.rows_mut().into_iter().zip(&items) {
        row.assign(&mean_row(&responses, &plan.items[item].samples));
    }
    let mean = mean_row(&x, &(0..x.nrows()).collect::<Vec<_>>()).insert_axis(Axis(0));
    let design = design(x.view(), &groups, &params(regression), regression.targets.n_columns())?;
    Ok(Prepared { design, items: averages, mean, groups })
}

fn collect(
    run: &RunFolder,
    plan: &Plan,
    regression: &Regression<'_>,
    fold: usize,
    block: &std::ops::Range<usize>,
    predictions: &mut Predictions,
) -> Result<(), PipelineError> {
    let arrays = artefact::load(run, &path_of(regression.feature, fold, block))?;
    let items = plan.items_of(fold);
    let predicted = arrays.matrix("items", items.len(), Some(block.len()))?;
    for (row, item) in predicted.rows().into_iter().zip(items) {
        predictions.items.slice_mut(s![item, block.clone()]).assign(&row);
    }
    for (name, into) in [
        ("mean", &mut predictions.mean),
        ("target_mean", &mut predictions.target_mean),
        ("target_variance", &mut predictions.target_variance),
        ("held_out_variance", &mut predictions.held_out_variance),
    ] {
        into.slice_mut(s![fold, block.clone()]).assign(&arrays.vector(name, block.len())?);
    }
    predictions.cv_r2 += arrays.vector("cv_score", block.len())?.iter().map(|&score| f64::from(score)).sum::<f64>();
    for alpha in arrays.vector("alpha", block.len())? {
        let counts = &mut predictions.n_targets_of_alpha;
        match counts.iter_mut().find(|(candidate, _)| *candidate as f32 == alpha) {
            Some((_, count)) => *count += 1,
            // The grid grew.
            None => counts.push((f64::from(alpha), 1)),
        }
    }
    Ok(())
}

/// One row per label, in ascending order of labels: the mean of the rows that carry it.
fn averaged(rows: &Array2<f32>, label_of_row: &[usize]) -> Array2<f32> {
    let mut rows_of_label: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for (row, &label) in label_of_row.iter().enumerate() {
        rows_of_label.entry(label).or_default().push(row);
    }
    let mut means = Array2::zeros((rows_of_label.len(), rows.ncols()));
    for (mut mean, which) in means.rows_mut().into_iter().zip(rows_of_label.values()) {
        mean.assign(&mean_row(rows, which));
    }
    means
}

/// Mean and population variance of every column, in f64.
fn moments(rows: &Array2<f32>) -> (Array1<f32>, Array1<f32>) {
    let n = rows.nrows() as f64;
    let mut mean = Array1::<f64>::zeros(rows.ncols());
    for row in rows.rows() {
        mean.zip_mut_with(&row, |sum, &value| *sum += f64::from(value));
    }
    mean /= n;
    let mut variance = Array1::<f64>::zeros(rows.ncols());
    for row in rows.rows() {
        ndarray::Zip::from(&mut variance)
            .and(&row)
            .and(&mean)
            .for_each(|sum, &value, &mean| *sum += (f64::from(value) - mean).powi(2));
    }
    (mean.mapv(|value| value as f32), variance.mapv(|value| (value / n) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_averaged_by_label_in_ascending_order() {
        let rows = array![[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]];
        assert_eq!(averaged(&rows, &[7, 4, 7]), array![[2.0, 20.0], [2.0, 20.0]]);
    }

    #[test]
    fn moments_are_by_column() {
        let (mean, variance) = moments(&array![[1.0, 5.0], [3.0, 5.0]]);
        assert_eq!((mean, variance), (array![2.0, 5.0], array![1.0, 0.0]));
    }
}
