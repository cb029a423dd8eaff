//! From what was computed to what is said about it: the parts of an [`Outcome`](super::Outcome).

use std::collections::BTreeSet;

use percept_core::{Progress, Provenance};

use super::arms::Arm;
use super::features::Features;
use super::fit::Predictions;
use super::generate;
use super::generator::Generator;
use super::outcome::{DataSummary, DecoderSummary, ItemArm, ItemResult, RegionSummary};
use super::plan::Plan;
use super::score::Scored;
use crate::dataset::Dataset;
use crate::error::MethodError;
use crate::experiment::{DecodeSettings, Experiment, Region, SplitKind};
use crate::pictures;
use crate::run::RunFolder;

/// Pictures written at a time.
const PICTURES_PER_BATCH: usize = 64;
/// More targets than this share on the edge of the grid are worth a warning.
const EDGE_SHARE: f64 = 0.2;

/// What the user must know about data and split.
pub(super) fn warnings(dataset: &Dataset, plan: &Plan) -> Vec<String> {
    let mut warnings = dataset.warnings.clone();
    if !plan.leaked_stimuli.is_empty() {
        let leaked = plan.items.iter().filter(|item| plan.leaked_stimuli.binary_search(&item.stimulus).is_ok()).count();
        let n_items = plan.items.len();
        let counted = if leaked == n_items { format!("all {n_items}") } else { format!("{leaked} of {n_items}") };
        let n_different = plan.leaked_stimuli.len();
        let different = if n_different == leaked { String::new() } else { format!(" ({n_different} different ones)") };
        warnings.insert(
            0,
            format!(
                "{counted} test images{different} also occur in training: these scores measure recognition of known pictures, \
                 not reconstruction of new ones"
            ),
        );
    }
    warnings
}

/// Penalties at the edge of the grid mean that the optimum may lie outside.
pub(super) fn edge_warnings(decoders: &[DecoderSummary]) -> Vec<String> {
    let mut warnings = Vec::new();
    for decoder in decoders {
        let total: usize = decoder.n_targets_of_alpha.iter().sum();
        let ends = [
            ("smallest", decoder.n_targets_of_alpha.first(), decoder.alphas.first()),
            ("largest", decoder.n_targets_of_alpha.last(), decoder.alphas.last()),
        ];
        for (end, count, alpha) in ends {
            let (Some(&count), Some(alpha)) = (count, alpha) else { continue };
            if decoder.alphas.len() > 1 && count as f64 > EDGE_SHARE * total as f64 {
                warnings.push(format!(
                    "{count} of {total} targets of `{}` chose the {end} penalty, {alpha}: widen `decode.alphas` unless they \
                     cannot be predicted at all",
                    decoder.feature
                ));
            }
        }
    }
    warnings
}

/// What was measured, in counts.
pub(crate) fn data(dataset: &Dataset, plan: &Plan, experiment: &Experiment) -> DataSummary {
    let stimulus_of_sample = &dataset.responses.stimulus_of_sample;
    let distinct = |samples: &[usize]| samples.iter().map(|&s| stimulus_of_sample[s]).collect::<BTreeSet<_>>().len();
    let n_folds = plan.train.len();
    let tested: Vec<usize> = plan.items.iter().flat_map(|item| item.samples.iter().copied()).collect();
    let repeats: Vec<usize> = plan.items.iter().map(|item| item.samples.len()).collect();
    let split = match experiment.split.kind {
        SplitKind::Given => "as the data give it".to_owned(),
        SplitKind::Shared => "test: the images that all subjects share".to_owned(),
        SplitKind::LeaveOneStimulusOut => {
            format!("each of {n_folds} stimuli is tested by decoders fitted on the others")
        }
    };
    let summary = |name: &str, selector: &str, units: &[usize], n_dropped: usize| {
        let ceiling = super::score::ceiling(&dataset.responses.select_units(units), &repeats);
        RegionSummary {
            name: name.to_owned(),
            selector: selector.to_owned(),
            n_units: units.len(),
            n_dropped,
            ncsnr_median: ceiling.map(|(ncsnr, _)| ncsnr),
            ceiling_median: ceiling.map(|(_, ceiling)| ceiling),
        }
    };
    DataSummary {
        subject: dataset.subject.clone(),
        source: dataset.source.clone(),
        split,
        n_train_samples: plan.train.iter().map(Vec::len).sum::<usize>() / n_folds,
        n_train_stimuli: plan.train.iter().map(|train| distinct(train)).sum::<usize>() / n_folds,
        n_test_samples: tested.len(),
        n_test_stimuli: distinct(&tested),
        regions: dataset
            .regions
            .iter()
            .map(|region| summary(region.region.name(), &region.selector, &region.units, region.n_dropped))
            .collect(),
        groups: dataset
            .groups
            .iter()
            .map(|group| summary(&group.name, &group.selector, &group.units, group.n_dropped))
            .collect(),
    }
}

/// One fitted feature space.
pub(super) struct Fitted<'a> {
    pub(super) feature: &'static str,
    pub(super) region: Region,
    pub(super) n_units: usize,
    pub(super) predictions: &'a Predictions,
    pub(super) features: &'a Features,
    pub(super) factor: f64,
}

/// What a decoder says about itself.
pub(super) fn decoder(fitted: &Fitted<'_>, plan: &Plan, settings: &DecodeSettings) -> DecoderSummary {
    let predictions = fitted.predictions;
    let sum = |variances: &ndarray::Array2<f32>| variances.iter().map(|&value| f64::from(value)).sum::<f64>();
    let (held_out, target) = (sum(&predictions.held_out_variance), sum(&predictions.target_variance));
    DecoderSummary {
        feature: fitted.feature.to_owned(),
        region: fitted.region.name().to_owned(),
        n_samples: plan.train.iter().map(Vec::len).sum::<usize>() / plan.train.len(),
        n_units: fitted.n_units,
        n_targets: predictions.items.ncols(),
        n_folds: plan.train.len(),
        alphas: settings.alphas.clone(),
        n_targets_of_alpha: predictions.n_targets_of_alpha.clone(),
        cv_r2: predictions.cv_r2,
        test_correlation: mean_column_correlation(&predictions.items, fitted.features, &plan.stimuli()),
        kept_variance: if target > 0.0 { held_out / target } else { 0.0 },
        rescale_median: fitted.factor,
    }
}

/// Mean over columns of the correlation between predicted and true features across items; constant columns do not count.
fn mean_column_correlation(predicted: &ndarray::Array2<f32>, features: &Features, stimuli: &[usize]) -> f64 {
    let n = stimuli.len() as f64;
    let (mut total, mut counted) = (0.0, 0usize);
    for (column, predicted) in predicted.columns().into_iter().enumerate() {
        let (mut p, mut t, mut pp, mut tt, mut pt) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
        // Differences from the first item, so that large means do not eat the digits.
        let (first_p, first_t) = (f64::from(predicted[0]), f64::from(features.values[(stimuli[0], column)]));
        for (&value, &stimulus) in predicted.iter().zip(stimuli) {
            let a = f64::from(value) - first_p;
            let b = f64::from(features.values[(stimulus, column)]) - first_t;
            p += a;
            t += b;
            pp += a * a;
            tt += b * b;
            pt += a * b;
        }
        let (variance_p, variance_t) = (pp - p * p / n, tt - t * t / n);
        if variance_p > 0.0 && variance_t > 0.0 {
            total += (pt - p * t / n) / (variance_p * variance_t).sqrt();
            counted += 1;
        }
    }
    if counted == 0 { 0.0 } else { total / counted as f64 }
}

/// The stimulus pictures of all items, for people to look at and for scoring: path of each item's picture.
pub(super) struct StimulusPictures {
    pub(super) paths: Vec<String>,
    pub(super) content: String,
}

/// Writes the picture of every tested stimulus in the generator's size.
pub(super) fn stimulus_pictures(
    run: &RunFolder,
    dataset: &Dataset,
    plan: &Plan,
    generator: &dyn Generator,
    mut provenance: Provenance,
    progress: &dyn Progress,
) -> Result<StimulusPictures, MethodError> {
    let tested: Vec<usize> = plan.stimuli().into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let path_of = |stimulus: usize| format!("images/stimulus/{}.png", dataset.stimuli.id(stimulus));
    let size = generator.image_size();
    provenance.settings.insert("size".to_owned(), size.to_string());
    provenance.settings.insert("tested".to_owned(), format!("{tested:?}"));
    progress.begin("pictures: stimuli", tested.len() as u64);
    let stage = run.stage("pictures.stimuli", provenance, || {
        let mut files = Vec::with_capacity(tested.len());
        for batch in tested.chunks(PICTURES_PER_BATCH) {
            let shown = pictures::to_values(dataset.stimuli.pictures(batch)?.view());
            let levels = pictures::to_levels(pictures::resize(shown.view(), size, size).view());
            for (&stimulus, picture) in batch.iter().zip(levels.outer_iter()) {
                run.write(&path_of(stimulus), &percept_io::picture::encode_png(picture)?)?;
                files.push(path_of(stimulus));
            }
            progress.advance(batch.len() as u64);
        }
        Ok(files)
    })?;
    progress.end("");
    let paths = plan.items.iter().map(|item| path_of(item.stimulus)).collect();
    Ok(StimulusPictures { paths, content: stage.content() })
}

/// Items with their pictures and scores.
pub(super) fn items(dataset: &Dataset, plan: &Plan, arms: &[Arm], scored: &Scored) -> Vec<ItemResult> {
    plan.items
        .iter()
        .enumerate()
        .map(|(item_idx, item)| ItemResult {
            id: item.id.clone(),
            caption: dataset
                .captions
                .as_ref()
                .and_then(|captions| captions[item.stimulus].first().cloned())
                .unwrap_or_default(),
            stimulus: format!("images/stimulus/{}.png", dataset.stimuli.id(item.stimulus)),
            n_repeats: item.samples.len(),
            arms: arms
                .iter()
                .enumerate()
                .map(|(arm_idx, arm)| ItemArm {
                    pictures: (0..arm.n_samples).map(|sample| generate::path_of(&arm.name, item, sample)).collect(),
                    scores: scored.per_item[arm_idx][item_idx].iter().copied().flatten().collect(),
                })
                .collect(),
        })
        .collect()
}
