//! Looking inside trained encoders: what each group of units contributes.
//!
//! A group is silenced by setting its normalised responses to zero, their mean.

use ndarray::{Array2, s};
use percept_core::figure::{Estimate, Estimates, Level, Matrix, Positions, Series};
use percept_core::{Figure, Seed, figure};
use percept_pipeline::evaluation::metrics::ContextPairwise;
use percept_pipeline::evaluation::{Metric, StimulusPictures, mean_row};
use percept_pipeline::{Arm, PipelineError};
use percept_stats::clusters;

use super::applied::Applied;
use super::folder::TrainedRun;
use crate::bench::Bench;

/// Everything that is looked at.
pub(super) struct Insight<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) facts: &'a TrainedRun,
    pub(super) trained: &'a [Applied],
    /// The arms of the trained variants.
    pub(super) arms: &'a [&'a Arm],
    /// True contexts of the items.
    pub(super) truth: Array2<f32>,
    /// What was shown.
    pub(super) stimuli: &'a StimulusPictures,
}

impl Insight<'_> {
    /// Identification of contexts with each group silenced.
    pub(super) fn silenced(&self) -> Result<Figure, PipelineError> {
        let labels: Vec<usize> = self.bench.plan.items.iter().map(|item| item.stimulus).collect();
        let seed = Seed::new(self.bench.experiment.seed).named("bootstrap");
        let estimate = |x: usize, predicted: &Array2<f32>| -> Result<Option<Estimate>, PipelineError> {
            let found = clusters::two_way_cosine(predicted.view(), self.truth.view(), &labels)?.scores;
            let draws = self.bench.experiment.evaluate.draws;
            let row = mean_row(["", ""], &ContextPairwise.facts(), &found, &labels, None, seed, draws)?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some(Estimate { x: x as f64, value: row.value, interval: Some([row.low, row.high]) }))
        };
        let mut names = vec!["none".to_owned()];
        names.extend(self.facts.groups.iter().map(|group| group.name.clone()));
        let series = self
            .trained
            .iter()
            .map(|variant| {
                let mut points = Vec::from_iter(estimate(0, &variant.items)?);
                for (group, predicted) in variant.without.iter().enumerate() {
                    points.extend(estimate(group + 1, predicted)?);
                }
                Ok(Series { name: variant.facts.name.clone(), points })
            })
            .collect::<Result<Vec<_>, PipelineError>>()?;
        Ok(Figure::Estimates(Estimates {
            title: "Identification without a group".to_owned(),
            caption:
                "Share of other test images whose true context is less like the decoded one, with one group of units \
                      silenced. The more it falls, the more only that group knew."
                    .to_owned(),
            x: Positions::Categories { label: "group that is silenced".to_owned(), names },
            y: figure::Axis::plain("context_pairwise"),
            series,
            levels: vec![Level { name: "chance".to_owned(), value: 0.5, interval: None }],
        }))
    }

    /// How much each token changes when a group is silenced.
    pub(super) fn tokens(&self, variant: &Applied) -> Figure {
        let n_tokens: usize = variant.facts.tokens.iter().sum();
        let values = variant
            .without
            .iter()
            .map(|silent| {
                let width = silent.ncols() / n_tokens;
                (0..n_tokens)
                    .map(|token| {
                        let columns = s![.., token * width..(token + 1) * width];
                        let (with, without) = (variant.items.slice(columns), silent.slice(columns));
                        let square =
                            |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
                        let change = square(&mut with.iter().zip(&without).map(|(a, b)| f64::from(a - b)));
                        let whole = square(&mut with.iter().map(|&value| f64::from(value)));
                        (change / whole.max(f64::MIN_POSITIVE)).sqrt()
                    })
                    .collect()
            })
            .collect();
        let owners = self.facts.groups.iter().zip(&variant.facts.tokens);
        let columns = owners.flat_map(|(group, &n)| (1..=n).map(|token| format!("{} {token}", group.name))).collect();
        Figure::Matrix(Matrix {
            title: format!("What drives the tokens of `{}`", variant.facts.name),
            caption:
                "Change of each token, as a share of its length, when a group of units is silenced. Blocks on the \
                      diagonal speak for themselves; what lies beside them was passed on by attention."
                    .to_owned(),
            row_label: "group that is silenced".to_owned(),
            rows: self.facts.groups.iter().map(|group| group.name.clone()).collect(),
            column_label: "token".to_owned(),
            columns,
            quantity: figure::Axis::plain("relative change"),
            values,
        })
    }
}
