//! What an encoder is measured against: ridge regression to the same contexts from the same units and images, and the mean
//! context, all scored in the same way.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, Axis, s};
use percept_core::outcome::{MetricFacts, Unit};
use percept_core::{DifferenceRow, Provenance, ScoreRow, Seed};
use percept_pipeline::decoding::ridge;
use percept_pipeline::evaluation::metrics::{ContextCosine, ContextPairwise};
use percept_pipeline::evaluation::{Metric, mean_row};
use percept_pipeline::run::{StageName, artefact};
use percept_pipeline::{PipelineError, plan};
use percept_regress::RidgeParams;
use percept_stats::{ItemScores, clusters, correlation};

use super::folder::VariantFacts;
use super::shared::Shared;

/// Both metrics, each with one value per item.
pub(super) type Scored = [(MetricFacts, ItemScores); 2];

/// Of the ridge regression; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// Scores contexts of the test items.
pub(super) struct Scorer<'a> {
    shared: &'a Shared<'a>,
    truth: Array2<f32>,
    labels: Vec<usize>,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(shared: &'a Shared<'a>) -> Self {
        let labels = shared.plan.stimuli();
        Self { shared, truth: shared.contexts.values.select(Axis(0), &labels), labels }
    }

    /// Both metrics of contexts predicted for the test items, item by item.
    pub(super) fn score(&self, predicted: &Array2<f32>) -> Result<Scored, PipelineError> {
        Ok([
            (ContextCosine.facts(), correlation::cosine_rows(predicted.view(), self.truth.view())?),
            (
                ContextPairwise.facts(),
                clusters::two_way_cosine(predicted.view(), self.truth.view(), &self.labels)?.scores,
            ),
        ])
    }

    fn seed(&self) -> Seed {
        Seed::new(self.shared.experiment.seed).named("bootstrap")
    }

    /// Means with intervals.
    pub(super) fn rows(&self, method: &str, scored: &Scored) -> Result<Vec<ScoreRow>, PipelineError> {
        let draws = self.shared.experiment.evaluate.draws;
        let of = [method, self.shared.plan.split_name];
        let row = |(metric, scores): &(_, _)| {
            mean_row(of, metric, scores, &self.labels, None, self.seed(), draws).transpose()
        };
        scored.iter().filter_map(row).collect()
    }

    /// How many of the pictures of the validation that was kept fail, by each kind of failure.
    pub(super) fn failures(&self, variant: &VariantFacts) -> Result<Vec<ScoreRow>, PipelineError> {
        let n = variant.best.n_pictures;
        let labels: Vec<usize> = (0..n).collect();
        [("black", variant.best.black), ("exploding", variant.best.exploding)]
            .into_iter()
            .map(|(metric, share)| {
                let failed = (share * n as f64).round() as usize;
                let values: Vec<f64> = (0..n).map(|picture| if picture < failed { 1.0 } else { 0.0 }).collect();
                let draws = self.shared.experiment.evaluate.draws;
                let interval = clusters::mean_interval(&values, &labels, self.seed(), draws)?;
                Ok(ScoreRow {
                    method: variant.name.clone(),
                    split: "validation".to_owned(),
                    metric: metric.to_owned(),
                    value: share,
                    low: interval.low,
                    high: interval.high,
                    chance: None,
                    n,
                    n_undefined: 0,
                })
            })
            .collect()
    }

    /// What one method scores more than another, item by item.
    pub(super) fn differences(
        &self,
        (method, scored): (&str, &Scored),
        (reference, against): (&str, &Scored),
    ) -> Result<Vec<DifferenceRow>, PipelineError> {
        let draws = self.shared.experiment.evaluate.draws;
        let mut rows = Vec::new();
        for ((metric, first), (_, second)) in scored.iter().zip(against) {
            let (first, second) = (&first.values, &second.values);
            if let Some((found, n)) = clusters::paired_scores(first, second, &self.labels, self.seed(), draws)? {
                rows.push(DifferenceRow {
                    method: method.to_owned(),
                    reference: reference.to_owned(),
                    split: self.shared.plan.split_name.to_owned(),
                    metric: metric.name.clone(),
                    value: found.mean,
                    low: found.interval.low,
                    high: found.interval.high,
                    p: found.p,
                    n,
                });
            }
        }
        Ok(rows)
    }
}

/// Contexts of `items` by ridge regression on the first `n_images` of the training images.
pub(super) fn ridge_contexts(
    shared: &Shared<'_>,
    n_images: usize,
    items: &Array2<f32>,
    record: &Provenance,
) -> Result<Array2<f32>, PipelineError> {
    let path = format!("reference/ridge-{n_images:06}.safetensors");
    let seen: BTreeSet<usize> = shared.order[..n_images].iter().copied().collect();
    let of = &shared.dataset.responses.stimulus_of_sample;
    let samples: Vec<usize> =
        shared.plan.train[0].iter().copied().filter(|&sample| seen.contains(&of[sample])).collect();
    let groups: Vec<usize> = samples.iter().map(|&sample| of[sample]).collect();
    let alphas = shared.experiment.decode.alphas.clone();
    let record = Provenance { settings: BTreeMap::new(), ..record.clone() }
        .setting("n_images", &n_images)
        .setting("alphas", &alphas)
        .setting("normalise", &shared.experiment.decode.normalise)
        .setting("split", &shared.experiment.split);
    let contexts = &shared.contexts.values;
    let n_targets = contexts.ncols();
    shared.progress.begin(&format!("ridge on {n_images} images, for comparison"), n_targets as u64);
    let name = format!("reference.ridge.{n_images:06}");
    shared.run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let refused = |error| PipelineError::Regress { feature: "c".to_owned(), error };
        let x = shared.inputs.rows.select(Axis(0), &samples);
        let params = RidgeParams { alphas, ..RidgeParams::default() };
        let design = ridge::design(x.view(), &groups, &params, n_targets).map_err(refused)?;
        let mut predicted = Array2::zeros((items.nrows(), n_targets));
        for start in (0..n_targets).step_by(ridge::TARGETS_PER_BLOCK) {
            let block = start..(start + ridge::TARGETS_PER_BLOCK).min(n_targets);
            let y = contexts.slice(s![.., block.clone()]).select(Axis(0), &groups);
            let made = design.fit(y.view()).and_then(|ridge| ridge.predict(items.view())).map_err(refused)?;
            predicted.slice_mut(s![.., block.clone()]).assign(&made);
            shared.progress.advance(block.len() as u64);
        }
        artefact::save(shared.run, &path, &[("items", predicted.into_dyn())])?;
        Ok(vec![path.clone()])
    })?;
    shared.progress.end("");
    artefact::load(shared.run, &path)?.matrix("items", items.nrows(), Some(n_targets))
}

/// The mean context of all training images.
pub(super) fn mean_context(shared: &Shared<'_>) -> Array1<f32> {
    plan::mean_row(&shared.contexts.values, &shared.order)
}

/// What all metrics of a training's scores are.
pub(super) fn metrics() -> Vec<MetricFacts> {
    let failure = |name: &str, label: &str, description: &str| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description: description.to_owned(),
        unit: Unit::Percent,
        lower_is_better: true,
        chance: None,
    };
    vec![
        ContextCosine.facts(),
        ContextPairwise.facts(),
        failure(
            "black",
            "Black",
            "Share of pictures of validation images in which nothing is brighter than 15 %: a failure of training.",
        ),
        failure(
            "exploding",
            "Exploding",
            "Share of pictures of validation images whose latents are five times as large as those of training images: a \
             failure of training.",
        ),
    ]
}
