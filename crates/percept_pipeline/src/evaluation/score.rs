//! Scores of every arm: per item first, then means with bootstrap intervals.
//!
//! What is scored is what lies on the disk: the PNGs, at the model's picture size. The scores of several draws of one item are
//! averaged before anything else, so an item counts once. Two-way identification asks for each item whether its
//! reconstruction is more like its own stimulus than like that of another item; items that show the same stimulus are no
//! opponents. Intervals draw stimuli with replacement: trials of one stimulus are not independent, so they are drawn together.
//! An arm that lacks what a metric compares has no row of it. An item for which a metric is not defined is left out of its mean
//! and counted.
//!
//! Chance is known for identification. For every other metric it is measured: what the arm's own pictures score against the
//! stimuli of other items.

use ndarray::{Array4, Axis};
use percept_core::outcome::MetricFacts;
use percept_core::{Progress, Provenance, ScoreRow, Seed};
use percept_stats::{ItemScores, clusters};

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
    /// What a reader of the scores must know.
    pub warnings: Vec<String>,
    /// Hash of the files.
    pub content: String,
}

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;

/// Pairs of pictures and other items' stimuli that chance is measured on, at least, where there are as many.
const CHANCE_PAIRS: usize = 300;
/// Assignments of other stimuli to all pictures, at most.
const MAX_SHUFFLES: usize = 8;

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
    let PerItem { metrics, scores, warnings, .. } = per_item;
    Ok(Scored { rows, metrics, per_item: scores, warnings, content: stage.content() })
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
    let others = shuffles(scoring);
    let (mut by_arm, mut warnings) = (Vec::with_capacity(scoring.arms.len()), Vec::new());
    for arm in scoring.arms {
        by_arm.push(values_of(scoring, arm, &truth, &stimuli, &others, &mut warnings)?);
        progress.advance(1);
    }
    // A metric that no arm has, such as one of contexts without captions, has no column.
    let had: Vec<usize> =
        (0..scoring.metrics.len()).filter(|&metric| by_arm.iter().any(|values| values[metric].is_some())).collect();
    let facts: Vec<MetricFacts> = had.iter().map(|&metric| scoring.metrics[metric].facts()).collect();
    let (mut rows, mut scores) = (Vec::new(), Vec::new());
    for (arm, values) in scoring.arms.iter().zip(&by_arm) {
        for (&metric, facts) in had.iter().zip(&facts) {
            let Some(found) = &values[metric] else { continue };
            // One seed for all arms and metrics: the same stimuli are drawn, so intervals can be compared.
            let seed = Seed::new(scoring.seed).named("bootstrap");
            let names = [arm.name.as_str(), scoring.plan.split_name];
            rows.extend(mean_row(names, facts, &found.scores, &stimuli, found.chance, seed, scoring.draws)?);
        }
        let of_item = |item: usize| had.iter().map(|&metric| values[metric].as_ref()?.scores.values[item]).collect();
        scores.push((0..stimuli.len()).map(of_item).collect());
    }
    warnings.extend(facts.iter().zip(&had).filter_map(|(facts, &metric)| {
        let of_arm = |values: &Vec<Option<Found>>| Some(values[metric].as_ref()?.scores.undefined().len());
        undefined(&facts.label, scoring.arms, &by_arm.iter().map(of_arm).collect::<Vec<_>>(), stimuli.len())
    }));
    let per_item = PerItem {
        metrics: facts.into_iter().map(|facts| facts.name).collect(),
        methods: scoring.arms.iter().map(|arm| arm.name.to_string()).collect(),
        images: scoring.plan.items.iter().map(|item| item.id.clone()).collect(),
        scores,
        warnings,
    };
    Ok(Computed { rows, per_item })
}

/// Says for which arms a metric is not defined on all items; `n_undefined` is `None` where an arm lacks the metric.
fn undefined(label: &str, arms: &[Arm], n_undefined: &[Option<usize>], n_items: usize) -> Option<String> {
    let said: Vec<String> = arms
        .iter()
        .zip(n_undefined)
        .filter_map(|(arm, n)| n.filter(|n| *n > 0).map(|n| format!("{n} of {n_items} items of `{}`", arm.name)))
        .collect();
    let why = "a picture of one colour has no correlation";
    (!said.is_empty()).then(|| format!("{label} is not defined for {} ({why}): they are left out", said.join(", ")))
}

/// Assignments of other items' stimuli to all items; none where a single stimulus has most of them.
fn shuffles(scoring: &Scoring<'_>) -> Vec<Vec<usize>> {
    let n = CHANCE_PAIRS.div_ceil(scoring.plan.items.len().max(1)).min(MAX_SHUFFLES);
    let seed = Seed::new(scoring.seed).named("chance");
    (0..n as u64).map_while(|shuffle| scoring.plan.shuffled(seed.at(shuffle)).ok()).collect()
}

/// The mean of the `values` of one method on one split, with its bootstrap interval over the stimuli `labels`; `None` when the
/// metric is not defined for any item. `chance` counts where the metric has none by its nature.
///
/// # Errors
/// When there are no draws, or values are not finite.
pub fn mean_row(
    [method, split]: [&str; 2],
    metric: &MetricFacts,
    scores: &ItemScores,
    labels: &[usize],
    chance: Option<f64>,
    seed: Seed,
    draws: usize,
) -> Result<Option<ScoreRow>, PipelineError> {
    let Some(value) = scores.mean() else { return Ok(None) };
    let defined = scores.values.iter().zip(labels).filter_map(|(value, label)| Some(((*value)?, *label)));
    let (values, labels): (Vec<f64>, Vec<usize>) = defined.unzip();
    let interval = clusters::mean_interval(&values, &labels, seed, draws)?;
    Ok(Some(ScoreRow {
        method: method.to_owned(),
        split: split.to_owned(),
        metric: metric.name.clone(),
        value,
        low: interval.low,
        high: interval.high,
        chance: metric.chance.or(chance),
        n: values.len(),
        n_undefined: scores.values.len() - values.len(),
    }))
}

/// What a metric finds on one arm.
struct Found {
    /// Per item the mean over the draws on which it is defined.
    scores: ItemScores,
    /// What the pictures of the first draw score against other items' stimuli.
    chance: Option<f64>,
}

/// What each metric finds; `None` for a metric that the arm lacks.
fn values_of(
    scoring: &Scoring<'_>,
    arm: &Arm,
    truth: &Look<'_>,
    stimuli: &[usize],
    others: &[Vec<usize>],
    warnings: &mut Vec<String>,
) -> Result<Vec<Option<Found>>, PipelineError> {
    let mut draws: Vec<Vec<ItemScores>> = vec![Vec::new(); scoring.metrics.len()];
    let mut chances = vec![None; scoring.metrics.len()];
    for draw in 0..arm.n_draws {
        let made = Look::new(read_back(scoring, arm, draw)?, &arm.inputs, scoring.model);
        if draw == 0 && arm.role.is_method() {
            warnings.extend(alike(arm, &made));
        }
        for ((metric, draws), chance) in scoring.metrics.iter().zip(&mut draws).zip(&mut chances) {
            if draw > 0 && metric.reads() == Reads::Inputs {
                continue;
            }
            let Some(scores) = metric.values(&made, truth, stimuli)? else { continue };
            draws.push(scores);
            if draw == 0 && metric.facts().chance.is_none() {
                *chance = chance_of(*metric, &made, truth, stimuli, others)?;
            }
        }
    }
    let all = draws.into_iter().zip(chances);
    Ok(all.map(|(draws, chance)| Some(Found { scores: over_draws(&draws)?, chance })).collect())
}

/// The mean of a metric over pictures and the stimuli of other items.
fn chance_of(
    metric: &dyn Metric,
    made: &Look<'_>,
    truth: &Look<'_>,
    stimuli: &[usize],
    others: &[Vec<usize>],
) -> Result<Option<f64>, PipelineError> {
    let mut values = Vec::new();
    for other in others {
        let shuffled = metric.values(made, &truth.select(other), stimuli)?;
        values.extend(shuffled.into_iter().flat_map(|scores| scores.values));
    }
    Ok(ItemScores { values }.mean())
}

/// Per item the mean over the draws on which it is defined; `None` without draws.
fn over_draws(draws: &[ItemScores]) -> Option<ItemScores> {
    let n = draws.first()?.values.len();
    let of_item = |item: usize| ItemScores { values: draws.iter().map(|draw| draw.values[item]).collect() }.mean();
    Some(ItemScores { values: (0..n).map(of_item).collect() })
}

/// Says when the pictures of a method cannot tell anything: each of one colour, or all the same.
fn alike(arm: &Arm, made: &Look<'_>) -> Option<String> {
    let pixels = made.pixels();
    let first = pixels.rows().into_iter().next()?;
    let flat = |row: ndarray::ArrayView1<'_, f32>| row.iter().all(|value| *value == row[0]);
    let what = if pixels.rows().into_iter().all(flat) {
        "are of one colour"
    } else if pixels.nrows() > 1 && pixels.rows().into_iter().all(|row| row == first) {
        "are the same"
    } else {
        return None;
    };
    Some(format!(
        "all pictures of `{}` {what}: the model or what was decoded is broken (run `percept model verify`)",
        arm.name
    ))
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
