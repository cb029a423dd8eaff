//! Scores of every arm: per item first, then means with bootstrap intervals.
//!
//! What is scored is what lies on the disk: the PNGs, at the model's picture size. The scores of several draws of one item are
//! averaged before anything else, so an item counts once. Two-way identification asks for each item whether its
//! reconstruction is more like its own stimulus than like that of another item; items that show the same stimulus are no
//! opponents. Intervals draw stimuli with replacement: trials of one stimulus are not independent, so they are drawn together.
//! An arm that lacks what a metric compares has no row of it.

use ndarray::{Array4, Axis};
use percept_core::outcome::MetricFacts;
use percept_core::{Progress, Provenance, ScoreRow, Seed};
use percept_stats::clusters;

use super::metric::{Look, Metric, Reads};
use super::stimuli::StimulusPictures;
use super::tables::{self, Computed, ITEMS, PerItem, SCORES};
use crate::arms::{Arm, Inputs};
use crate::data::pictures;
use crate::error::PipelineError;
use crate::packs::PictureModel;
use crate::plan::Plan;
use crate::run::{RunFolder, StageName};

/// What is scored.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// Where pictures are read and scores are written.
    pub run: &'a RunFolder,
    /// The items.
    pub plan: &'a Plan,
    /// The arms.
    pub arms: &'a [Arm],
    /// A hash of the pictures of each arm.
    pub contents: &'a [String],
    /// What was shown.
    pub stimuli: &'a StimulusPictures,
    /// True features of the items' stimuli, in the spaces that were made.
    pub truth: &'a Inputs,
    /// The model that encodes pictures.
    pub model: &'a dyn PictureModel,
    /// The metrics, in the order of the tables.
    pub metrics: &'a [&'a dyn Metric],
    /// Root of the bootstrap.
    pub seed: u64,
    /// Bootstrap draws.
    pub draws: usize,
}

/// Scores of a whole run.
pub struct Scored {
    /// One row per arm and metric that the arm has.
    pub rows: Vec<ScoreRow>,
    /// Names of the last axis of `per_item`.
    pub metrics: Vec<String>,
    /// Arm, item, metric; `None` where the arm lacks the metric.
    pub per_item: Vec<Vec<Vec<Option<f64>>>>,
    /// Hash of the files.
    pub content: String,
}

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// Scores all arms and writes `scores.json`, `scores_per_image.json` and both as Parquet.
///
/// # Errors
/// When pictures are missing or a metric refuses them.
pub fn score(scoring: &Scoring<'_>, progress: &dyn Progress) -> Result<Scored, PipelineError> {
    progress.begin("scores", scoring.arms.len() as u64);
    let stage = scoring.run.stage(StageName { name: "scores", revision: REVISION }, record(scoring), || {
        let scored = compute(scoring, progress)?;
        tables::write(scoring.run, &scored)
    })?;
    progress.end("");
    let rows = scoring.run.read_json(SCORES, "score rows")?;
    let per_item: PerItem = scoring.run.read_json(ITEMS, "scores per image")?;
    Ok(Scored { rows, metrics: per_item.metrics, per_item: per_item.scores, content: stage.content() })
}

/// What scores depend on.
fn record(scoring: &Scoring<'_>) -> Provenance {
    let names: Vec<String> = scoring.metrics.iter().map(|metric| metric.facts().name).collect();
    let arms: Vec<&str> = scoring.arms.iter().map(|arm| arm.name.as_str()).collect();
    let items: Vec<(&str, usize)> = scoring.plan.items.iter().map(|item| (item.id.as_str(), item.stimulus)).collect();
    let mut record = Provenance::new(scoring.seed)
        .input("stimuli", &scoring.stimuli.content)
        .input("pack", scoring.model.content())
        .setting("metrics", &names)
        .setting("draws", &scoring.draws)
        .setting("split", scoring.plan.split_name)
        .setting("arms", &arms)
        .setting("items", &items);
    for (arm, content) in scoring.arms.iter().zip(scoring.contents) {
        record = record.input(&format!("pictures.{}", arm.name), content);
    }
    if scoring.metrics.iter().any(|metric| metric.reads() == Reads::Inputs) {
        record = scoring.truth.record(record);
        for arm in scoring.arms {
            let inputs = arm.inputs.record(Provenance::new(0));
            record = record.input(&format!("inputs.{}", arm.name), inputs.fingerprint());
        }
    }
    record
}

fn compute(scoring: &Scoring<'_>, progress: &dyn Progress) -> Result<Computed, PipelineError> {
    let shown = scoring.stimuli.read(scoring.run, scoring.model.image_size())?;
    let truth = Look::new(shown, scoring.truth, scoring.model);
    let stimuli = scoring.plan.stimuli();
    let mut by_arm = Vec::with_capacity(scoring.arms.len());
    for arm in scoring.arms {
        by_arm.push(values_of(scoring, arm, &truth, &stimuli)?);
        progress.advance(1);
    }
    // A metric that no arm has, such as one of contexts without captions, has no column.
    let had: Vec<usize> =
        (0..scoring.metrics.len()).filter(|&metric| by_arm.iter().any(|values| values[metric].is_some())).collect();
    let facts: Vec<MetricFacts> = had.iter().map(|&metric| scoring.metrics[metric].facts()).collect();
    let (mut rows, mut scores) = (Vec::new(), Vec::new());
    for (arm, values) in scoring.arms.iter().zip(&by_arm) {
        for (&metric, facts) in had.iter().zip(&facts) {
            let Some(values) = &values[metric] else { continue };
            // One seed for all arms and metrics: the same stimuli are drawn, so intervals can be compared.
            let seed = Seed::new(scoring.seed).named("bootstrap");
            rows.push(mean_row(
                [arm.name.as_str(), scoring.plan.split_name],
                facts,
                values,
                &stimuli,
                seed,
                scoring.draws,
            )?);
        }
        let of_item = |item: usize| had.iter().map(|&metric| values[metric].as_ref().map(|all| all[item])).collect();
        scores.push((0..stimuli.len()).map(of_item).collect());
    }
    let per_item = PerItem {
        metrics: facts.into_iter().map(|facts| facts.name).collect(),
        methods: scoring.arms.iter().map(|arm| arm.name.to_string()).collect(),
        images: scoring.plan.items.iter().map(|item| item.id.clone()).collect(),
        scores,
    };
    Ok(Computed { rows, per_item })
}

/// The mean of the `values` of one method on one split, with its bootstrap interval over the stimuli `labels`.
///
/// # Errors
/// When there are no values, or some are not finite.
pub fn mean_row(
    [method, split]: [&str; 2],
    metric: &MetricFacts,
    values: &[f64],
    labels: &[usize],
    seed: Seed,
    draws: usize,
) -> Result<ScoreRow, PipelineError> {
    let interval = clusters::mean_interval(values, labels, seed, draws)?;
    Ok(ScoreRow {
        method: method.to_owned(),
        split: split.to_owned(),
        metric: metric.name.clone(),
        value: values.iter().sum::<f64>() / values.len() as f64,
        low: interval.low,
        high: interval.high,
        chance: metric.chance,
        n: values.len(),
    })
}

/// For each metric one value per item, the mean over the arm's draws; `None` for a metric that the arm lacks.
fn values_of(
    scoring: &Scoring<'_>,
    arm: &Arm,
    truth: &Look<'_>,
    stimuli: &[usize],
) -> Result<Vec<Option<Vec<f64>>>, PipelineError> {
    let mut by_metric: Vec<Option<Vec<f64>>> = vec![None; scoring.metrics.len()];
    for draw in 0..arm.n_draws {
        let made = Look::new(read_back(scoring, arm, draw)?, &arm.inputs, scoring.model);
        for (metric, into) in scoring.metrics.iter().zip(&mut by_metric) {
            match metric.reads() {
                Reads::Inputs if draw == 0 => *into = metric.values(&made, truth, stimuli)?,
                Reads::Inputs => {}
                Reads::Pictures => {
                    if let Some(values) = metric.values(&made, truth, stimuli)? {
                        let sums = into.get_or_insert_with(|| vec![0.0; values.len()]);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum += value / arm.n_draws as f64;
                        }
                    }
                }
            }
        }
    }
    Ok(by_metric)
}

/// Pictures that were made, read back: (n_items, side, side, 3) in 0..=1.
fn read_back(scoring: &Scoring<'_>, arm: &Arm, draw: usize) -> Result<Array4<f32>, PipelineError> {
    let items = &scoring.plan.items;
    let mut all: Option<Array4<u8>> = None;
    for (row, item) in items.iter().enumerate() {
        let path = arm.picture(item, draw);
        let picture = percept_io::picture::read(scoring.run.file(&path))?;
        let (height, width, _) = picture.dim();
        let all = all.get_or_insert_with(|| Array4::zeros((items.len(), height, width, 3)));
        if all.index_axis(Axis(0), row).dim() != picture.dim() {
            return Err(PipelineError::Artefact { path, expected: "a picture of the size of the others".to_owned() });
        }
        all.index_axis_mut(Axis(0), row).assign(&picture);
    }
    Ok(pictures::to_values(all.unwrap_or_default().view()))
}
