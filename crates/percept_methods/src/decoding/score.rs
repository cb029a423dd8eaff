//! Scores of every arm: per item first, then means with bootstrap intervals.
//!
//! What is scored is what lies on the disk: the PNGs, at the generator's picture size. The scores of several samples of one
//! item are averaged before anything else, so an item counts once. Two-way identification asks for each item whether its
//! reconstruction is more like its own stimulus than like that of another item; items that show the same stimulus are no
//! opponents. Intervals draw stimuli with replacement: trials of one stimulus are not independent, so they are drawn together.
//! An arm that lacks what a metric compares has no row of it.

use std::collections::BTreeMap;

use ndarray::Array4;
use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance, Responses, ScoreRow, Seed};
use percept_io::parquet::{self, Column};
use percept_stats::{clusters, noise_ceiling};
use serde::{Deserialize, Serialize};

use super::arms::Arm;
use super::features::Features;
use super::generate;
use super::generator::Generator;
use super::metric::{self, Seen};
use super::plan::Plan;
use super::summary::StimulusPictures;
use crate::error::MethodError;
use crate::experiment::{Experiment, Metric};
use crate::pictures;
use crate::run::RunFolder;

/// What is scored.
pub(super) struct Task<'a> {
    pub(super) run: &'a RunFolder,
    pub(super) plan: &'a Plan,
    pub(super) arms: &'a [Arm],
    pub(super) contents: &'a [String],
    pub(super) stimuli: &'a StimulusPictures,
    /// The true context of every stimulus, where there are captions.
    pub(super) contexts: Option<&'a Features>,
    pub(super) generator: &'a dyn Generator,
    pub(super) experiment: &'a Experiment,
}

/// Scores of a whole run.
pub(super) struct Scored {
    /// One row per arm and metric that the arm has.
    pub(super) rows: Vec<ScoreRow>,
    /// Names of the last axis of `per_item`.
    pub(super) metrics: Vec<String>,
    /// Arm, item, metric; `None` where the arm lacks the metric.
    pub(super) per_item: Vec<Vec<Vec<Option<f64>>>>,
    /// Hash of the files.
    pub(super) content: String,
}

const SCORES: &str = "scores.json";
const SCORES_TABLE: &str = "scores.parquet";
const ITEMS: &str = "scores_per_image.json";
const ITEMS_TABLE: &str = "scores_per_image.parquet";

/// Scores all arms and writes `scores.json`, `scores_per_image.json` and both as Parquet.
pub(super) fn score(task: &Task<'_>, progress: &dyn Progress) -> Result<Scored, MethodError> {
    let metrics = metrics_of(task);
    let mut provenance = Provenance::new(task.experiment.seed);
    provenance.inputs.insert("stimuli".to_owned(), task.stimuli.content.clone());
    for (arm, content) in task.arms.iter().zip(task.contents) {
        provenance.inputs.insert(format!("pictures.{}", arm.name), content.clone());
    }
    if metrics.iter().any(|&metric| metric == Metric::TwoWayClip || metric.reads_latent()) {
        provenance.inputs.insert("pack".to_owned(), task.generator.content().to_owned());
    }
    if let Some(contexts) = task.contexts
        && metrics.iter().any(|metric| metric.reads_context())
    {
        provenance.inputs.insert("c".to_owned(), contexts.content.clone());
        for arm in task.arms {
            if let Some(context) = arm.source.context() {
                let bytes: Vec<u8> = context.iter().flat_map(|value| value.to_le_bytes()).collect();
                provenance.inputs.insert(format!("context.{}", arm.name), content_hash(&bytes));
            }
        }
    }
    provenance.settings.insert("metrics".to_owned(), format!("{metrics:?}"));
    provenance.settings.insert("draws".to_owned(), task.experiment.evaluate.draws.to_string());
    provenance.settings.insert("split".to_owned(), task.plan.split_name.to_owned());
    let arms: Vec<&str> = task.arms.iter().map(|arm| arm.name.as_str()).collect();
    provenance.settings.insert("arms".to_owned(), arms.join(" "));
    let items: Vec<String> = task.plan.items.iter().map(|item| format!("{}={}", item.id, item.stimulus)).collect();
    provenance.settings.insert("items".to_owned(), content_hash(items.join(" ").as_bytes()));
    progress.begin("scores", task.arms.len() as u64);
    let stage = task.run.stage("scores", provenance, || {
        let (rows, per_item) = compute(task, &metrics, progress)?;
        write(task, &metrics, &rows, per_item)?;
        Ok([SCORES, SCORES_TABLE, ITEMS, ITEMS_TABLE].map(str::to_owned).to_vec())
    })?;
    progress.end("");
    let rows = task.run.read_json(SCORES, "score rows")?;
    let per_item: PerItem = task.run.read_json(ITEMS, "scores per image")?;
    Ok(Scored { rows, metrics: per_item.metrics, per_item: per_item.scores, content: stage.content() })
}

/// `scores_per_image.json`.
#[derive(Serialize, Deserialize)]
struct PerItem {
    /// Names of the last axis of `scores`.
    metrics: Vec<String>,
    /// Names of the first axis.
    methods: Vec<String>,
    /// Names of the middle axis.
    images: Vec<String>,
    /// Method, image, metric; null where a method lacks what the metric compares.
    scores: Vec<Vec<Vec<Option<f64>>>>,
}

/// The metrics asked for that can be computed with this generator and these data.
fn metrics_of(task: &Task<'_>) -> Vec<Metric> {
    let asked = task.experiment.evaluate.metrics.iter().copied();
    asked
        .filter(|&metric| metric != Metric::TwoWayClip || task.generator.has_clip())
        .filter(|metric| !metric.reads_context() || task.contexts.is_some())
        .collect()
}

/// Rows, and values by arm, item and metric.
type Values = (Vec<ScoreRow>, Vec<Vec<Vec<Option<f64>>>>);

fn compute(task: &Task<'_>, metrics: &[Metric], progress: &dyn Progress) -> Result<Values, MethodError> {
    let truth = Seen::new(read_stimuli(task)?, metrics, task.generator)?;
    let stimuli = task.plan.stimuli();
    let (mut rows, mut per_item) = (Vec::new(), Vec::new());
    for arm in task.arms {
        let by_metric = values_of(task, arm, metrics, &truth, &stimuli)?;
        for (metric, values) in metrics.iter().zip(&by_metric) {
            let Some(values) = values else { continue };
            // One seed for all arms and metrics: the same stimuli are drawn, so intervals can be compared.
            let seed = Seed::new(task.experiment.seed).named("bootstrap");
            let draws = task.experiment.evaluate.draws;
            rows.push(mean_row([&arm.name, task.plan.split_name], *metric, values, &stimuli, seed, draws)?);
        }
        let item = |item: usize| by_metric.iter().map(|values| values.as_ref().map(|values| values[item])).collect();
        per_item.push((0..stimuli.len()).map(item).collect());
        progress.advance(1);
    }
    Ok((rows, per_item))
}

/// The mean of the `values` of one method on one split, with its bootstrap interval over the stimuli `labels`.
pub(crate) fn mean_row(
    [method, split]: [&str; 2],
    metric: Metric,
    values: &[f64],
    labels: &[usize],
    seed: Seed,
    draws: usize,
) -> Result<ScoreRow, MethodError> {
    let interval = clusters::mean_interval(values, labels, seed, draws)?;
    Ok(ScoreRow {
        method: method.to_owned(),
        split: split.to_owned(),
        metric: metric.name().to_owned(),
        value: values.iter().sum::<f64>() / values.len() as f64,
        low: interval.low,
        high: interval.high,
        chance: metric.chance(),
        n: values.len(),
    })
}

/// For each metric one value per item, the mean over the arm's samples; `None` for a metric that the arm lacks.
fn values_of(
    task: &Task<'_>,
    arm: &Arm,
    metrics: &[Metric],
    truth: &Seen,
    stimuli: &[usize],
) -> Result<Vec<Option<Vec<f64>>>, MethodError> {
    let contexts = task.contexts.map(|features| &features.values);
    let mut by_metric = metrics
        .iter()
        .map(|&metric| metric::of_context(metric, arm, contexts, stimuli))
        .collect::<Result<Vec<_>, _>>()?;
    for sample in 0..arm.n_samples {
        let made = pictures::to_values(generate::read_back(task.run, arm, &task.plan.items, sample)?.view());
        let made = Seen::new(made, metrics, task.generator)?;
        for (&metric, into) in metrics.iter().zip(&mut by_metric) {
            if let Some(values) = metric::of_pictures(metric, &made, truth, stimuli)? {
                let sums = into.get_or_insert_with(|| vec![0.0; values.len()]);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value / arm.n_samples as f64;
                }
            }
        }
    }
    Ok(by_metric)
}

fn read_stimuli(task: &Task<'_>) -> Result<Array4<f32>, MethodError> {
    let size = task.generator.image_size();
    let mut levels = Array4::zeros((task.stimuli.paths.len(), size, size, 3));
    for (mut into, path) in levels.outer_iter_mut().zip(&task.stimuli.paths) {
        let picture = percept_io::picture::read(task.run.file(path))?;
        if picture.dim() != into.dim() {
            let expected = format!("a picture of {size} × {size}");
            return Err(MethodError::Artefact { path: path.clone(), expected });
        }
        into.assign(&picture);
    }
    Ok(pictures::to_values(levels.view()))
}

fn write(
    task: &Task<'_>,
    metrics: &[Metric],
    rows: &[ScoreRow],
    per_item: Vec<Vec<Vec<Option<f64>>>>,
) -> Result<(), MethodError> {
    task.run.write_json(SCORES, &rows)?;
    let text = |of: fn(&ScoreRow) -> &str| Column::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let number = |of: fn(&ScoreRow) -> f64| Column::Float(rows.iter().map(of).collect());
    parquet::write(
        task.run.file(SCORES_TABLE),
        &[
            ("method", text(|row| &row.method)),
            ("split", text(|row| &row.split)),
            ("metric", text(|row| &row.metric)),
            ("value", number(|row| row.value)),
            ("low", number(|row| row.low)),
            ("high", number(|row| row.high)),
            ("chance", Column::OptionalFloat(rows.iter().map(|row| row.chance).collect())),
            ("n", Column::Integer(rows.iter().map(|row| row.n as i64).collect())),
        ],
    )?;
    let images: Vec<String> = task.plan.items.iter().map(|item| item.id.clone()).collect();
    let mut columns = vec![
        ("method", Column::Text(task.arms.iter().flat_map(|arm| images.iter().map(|_| arm.name.clone())).collect())),
        ("image", Column::Text(task.arms.iter().flat_map(|_| images.iter().cloned()).collect())),
    ];
    for (metric_idx, metric) in metrics.iter().enumerate() {
        let values: Vec<Option<f64>> = per_item.iter().flatten().map(|item| item[metric_idx]).collect();
        let column = match values.iter().copied().collect::<Option<Vec<f64>>>() {
            Some(values) => Column::Float(values),
            None => Column::OptionalFloat(values),
        };
        columns.push((metric.name(), column));
    }
    parquet::write(task.run.file(ITEMS_TABLE), &columns)?;
    task.run.write_json(
        ITEMS,
        &PerItem {
            metrics: metrics.iter().map(|metric| metric.name().to_owned()).collect(),
            methods: task.arms.iter().map(|arm| arm.name.clone()).collect(),
            images,
            scores: per_item,
        },
    )
}

/// Median noise-ceiling signal-to-noise ratio over units, and median noise ceiling (share of variance) for items that average
/// `repeats` trials; `None` when no stimulus was repeated. Responses are z-scored within sessions first, as NSD does.
pub(super) fn ceiling(responses: &Responses, repeats: &[usize]) -> Option<(f64, f64)> {
    let mut n_samples_of: BTreeMap<usize, usize> = BTreeMap::new();
    for &stimulus in &responses.stimulus_of_sample {
        *n_samples_of.entry(stimulus).or_default() += 1;
    }
    // The number of repeats that most stimuli have, if it is more than one.
    let mut n_stimuli_with: BTreeMap<usize, usize> = BTreeMap::new();
    for &n in n_samples_of.values().filter(|&&n| n > 1) {
        *n_stimuli_with.entry(n).or_default() += 1;
    }
    let (&n_repeats, _) = n_stimuli_with.iter().max_by_key(|&(n, count)| (*count, *n))?;
    let everything: Vec<usize> = (0..responses.n_samples()).collect();
    let (scaled, _) = super::normalise::by_session(responses, &everything);
    let ncsnr = noise_ceiling::ncsnr(scaled.view(), &responses.stimulus_of_sample, n_repeats).ok()?.values;
    let mut ceilings: Vec<f64> =
        ncsnr.iter().filter_map(|&ratio| noise_ceiling::ceiling_mixed(ratio, repeats).ok()).collect();
    let mut ratios = ncsnr;
    Some((median(&mut ratios)?, median(&mut ceilings)?))
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    Some(if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) })
}
