//! What a training came to, as figures: the curves, and one score of every variant beside ridge regression.
//!
//! Variants that differ in the number of training images make a curve over that number, all others stand side by side.

use percept_core::figure::{Estimate, Estimates, Level, Positions, Series};
use percept_core::{Figure, ScoreRow, Section, figure};

use percept_core::outcome::{ArmSummary, MetricFacts, Role};
use percept_pipeline::evaluation::Metric;
use percept_pipeline::evaluation::metrics::{ContextCosine, ContextPairwise};

use super::curves::curves;
use super::folder::TrainedRun;

/// The name of ridge regression on all images in the scores.
pub(super) const RIDGE: &str = "ridge";

/// The name of ridge regression on fewer images.
pub(super) fn ridge_on(n_images: usize) -> String {
    format!("{RIDGE}@{n_images}")
}

/// What a training came to.
pub(super) struct Summary<'a> {
    pub(super) run: &'a TrainedRun,
    pub(super) scores: &'a [ScoreRow],
}

impl Summary<'_> {
    /// The sections of a report on this training.
    pub(super) fn sections(&self) -> Vec<Section> {
        let figures = [ContextPairwise.facts(), ContextCosine.facts()].map(|metric| self.comparison(&metric)).to_vec();
        vec![
            Section {
                title: "Contexts of the test images".to_owned(),
                text: format!(
                    "Every encoder of `{}` beside ridge regression from the same units and images, on images that none of \
                     them saw. Pictures are made by `percept reconstruct` with `decoder` set to this folder.",
                    self.run.name
                ),
                figures,
            },
            Section {
                title: "Training".to_owned(),
                text:
                    "Validation images are held out of the training images; the weights of the smallest loss are kept."
                        .to_owned(),
                figures: vec![curves(&self.run.variants)],
            },
        ]
    }

    fn row(&self, method: &str, metric: &MetricFacts) -> Option<&ScoreRow> {
        self.scores.iter().find(|row| row.method == method && row.metric == metric.name)
    }

    fn comparison(&self, metric: &MetricFacts) -> Figure {
        let estimate = |x: f64, method: &str| {
            self.row(method, metric).map(|row| Estimate { x, value: row.value, interval: Some([row.low, row.high]) })
        };
        let level = |method: &str, name: &str| {
            self.row(method, metric).map(|row| Level {
                name: name.to_owned(),
                value: row.value,
                interval: Some([row.low, row.high]),
            })
        };
        let variants = &self.run.variants;
        let n_images = |i: usize| variants[i].n_train_images + variants[i].n_validation_images;
        let sizes: std::collections::BTreeSet<usize> = (0..variants.len()).map(n_images).collect();
        let is_curve = sizes.len() > 1 && sizes.len() == variants.len();
        let mut levels: Vec<Level> = level("mean_context", "mean context").into_iter().collect();
        let (x, series) = if is_curve {
            let mut order: Vec<usize> = (0..variants.len()).collect();
            order.sort_by_key(|&i| n_images(i));
            let points = |name: &dyn Fn(usize) -> String| {
                order.iter().filter_map(|&i| estimate(n_images(i) as f64, &name(i))).collect::<Vec<_>>()
            };
            let ridge = |i: usize| {
                let own = ridge_on(n_images(i));
                if self.row(&own, metric).is_some() { own } else { RIDGE.to_owned() }
            };
            let series = vec![
                Series { name: "b2c".to_owned(), points: points(&|i| variants[i].name.clone()) },
                Series { name: RIDGE.to_owned(), points: points(&ridge) },
            ];
            (Positions::Numbers { axis: figure::Axis::log("training images") }, series)
        } else {
            levels.extend(level(RIDGE, RIDGE));
            let names: Vec<String> = variants.iter().map(|variant| variant.name.clone()).collect();
            let points = names.iter().enumerate().filter_map(|(i, name)| estimate(i as f64, name)).collect();
            let series = vec![Series { name: "b2c".to_owned(), points }];
            (Positions::Categories { label: "variant".to_owned(), names }, series)
        };
        Figure::Estimates(Estimates {
            title: metric.label.clone(),
            caption: "Bars are 95 % intervals over test images; the mean context is the same for all images."
                .to_owned(),
            x,
            y: figure::Axis::plain(&metric.name),
            series,
            levels,
        })
    }
}

/// The rows of the scores as arms: variants are methods, the others judge them.
pub(super) fn arms(run: &TrainedRun, scores: &[ScoreRow]) -> Vec<ArmSummary> {
    let mut arms: Vec<ArmSummary> = Vec::new();
    for row in scores {
        if arms.iter().any(|arm| arm.name == row.method) {
            continue;
        }
        let trained = run.variants.iter().find(|variant| variant.name == row.method);
        let (role, short, description) = match trained {
            Some(variant) => (Role::Method, "trained encoder", variant.description()),
            None if row.method.starts_with(RIDGE) => (
                Role::Baseline,
                "ridge regression",
                "Ridge regression from the same units and images to the same context.".to_owned(),
            ),
            None => (
                Role::Control,
                "mean context",
                "The mean context of the training images, the same for every test image.".to_owned(),
            ),
        };
        arms.push(ArmSummary { name: row.method.clone(), role, short: short.to_owned(), description, n_draws: 0 });
    }
    arms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::b2c::{Validation, VariantFacts};

    fn compared(sizes: &[usize], metric: &MetricFacts) -> Estimates {
        let row = |method: String, metric: &MetricFacts| ScoreRow {
            method,
            split: "test".to_owned(),
            metric: metric.name.clone(),
            value: 0.7,
            low: 0.6,
            high: 0.8,
            chance: None,
            n: 10,
            n_undefined: 0,
        };
        let variant = |&n: &usize| VariantFacts {
            name: format!("on {n}"),
            n_parameters: 1,
            n_changed: 1,
            n_train_images: n - 1,
            n_train_samples: 3 * n,
            n_validation_images: 1,
            tokens: vec![1],
            n_steps: 1,
            best: Validation::default(),
            validations: Vec::new(),
            warnings: Vec::new(),
        };
        let mut names: Vec<String> = sizes.iter().map(|n| format!("on {n}")).collect();
        names.extend([ridge_on(10), RIDGE.to_owned()]);
        let metrics = [ContextCosine.facts(), ContextPairwise.facts()];
        let run = TrainedRun {
            name: "test".to_owned(),
            pack: "pocket".to_owned(),
            pack_content: String::new(),
            design: String::new(),
            groups: Vec::new(),
            training_images: Vec::new(),
            variants: sizes.iter().map(variant).collect(),
        };
        let scores: Vec<ScoreRow> =
            names.iter().flat_map(|name| metrics.clone().map(|metric| row(name.clone(), &metric))).collect();
        match (Summary { run: &run, scores: &scores }).comparison(metric) {
            Figure::Estimates(estimates) => estimates,
            other => panic!("{other:?} where estimates belong"),
        }
    }

    #[test]
    fn sizes_make_a_curve_beside_ridge_and_others_stand_side_by_side() {
        let curve = compared(&[100, 10], &ContextPairwise.facts());
        assert!(matches!(curve.x, Positions::Numbers { .. }));
        let xs: Vec<Vec<f64>> =
            curve.series.iter().map(|series| series.points.iter().map(|point| point.x).collect()).collect();
        assert_eq!(xs, [[10.0, 100.0], [10.0, 100.0]], "ridge on 10 has its own row, on 100 it is ridge on all");
        let beside = compared(&[50, 50], &ContextCosine.facts());
        assert!(matches!(beside.x, Positions::Categories { .. }));
        assert_eq!(beside.levels.len(), 1, "ridge; this outcome has no mean context");
    }
}
