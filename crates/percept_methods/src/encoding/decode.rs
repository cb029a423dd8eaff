//! The other direction beside the encoding: which category a scan shows, read from all units together.
//!
//! Ridge regression of one indicator for each category on the responses, with the folds and penalties of the encoding; the
//! category with the largest prediction is the answer. Scans at rest take no part. A response follows what was shown, so the
//! category of a scan is read from the scan some delays later: the middle one of `encode.delays`.

use ndarray::{Array2, Axis};
use percept_core::Seed;
use percept_pipeline::PipelineError;
use percept_pipeline::data::recording::Labels;
use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::responses::delays;
use percept_regress::{Folds, Pooling, RidgeCv, RidgeParams, Score};
use percept_stats::clusters::mean_interval;

use super::models::{Bench, Decoded};
use super::rows::EncodingRow;

impl Decoded {
    pub(super) fn row(&self) -> EncodingRow {
        let [value, low, high] = self.accuracy;
        EncodingRow {
            region: percept_pipeline::encoding::score::ALL.to_owned(),
            space: "labels".to_owned(),
            axes: Axes::none(),
            metric: "accuracy".into(),
            value,
            low: Some(low),
            high: Some(high),
            chance: Some(self.chance),
            ceiling: Some(1.0),
            n: self.n,
        }
    }
}

/// Decodes the categories of the data, if the experiment asks for it.
pub(super) fn labels(bench: &Bench<'_>) -> Result<Option<Decoded>, PipelineError> {
    if !bench.experiment.encode.decode_labels {
        return Ok(None);
    }
    let Some(labels) = bench.data.labels.as_ref().filter(|labels| labels.exclusive && labels.names.len() > 1) else {
        return Err(PipelineError::data(
            "`encode.decode_labels` is set, but the data have no categories",
            "remove it, or use data of kind `scans`",
        ));
    };
    let record = bench.record.only(&["responses", "design", "labels"]).setting("encode", &bench.experiment.encode);
    bench.kept("decoding", "labels", record, |bench| decoded(bench, labels)).map(Some)
}

fn decoded(bench: &Bench<'_>, labels: &Labels) -> Result<Decoded, PipelineError> {
    let delays = delays(bench.data, &bench.experiment.encode);
    let delay = delays.get(delays.len() / 2).copied().unwrap_or(0);
    let group = &bench.data.group_of_sample;
    // Of every scan with a category, the scan in which its response is read.
    let pairs: Vec<(usize, usize)> = (0..group.len())
        .filter_map(|read| {
            let shown = bench.data.timeline.before(read, delay)?;
            let category = labels.holds.row(shown).iter().position(|holds| *holds > 0.0)?;
            Some((read, category))
        })
        .collect();
    let n_categories = labels.names.len();
    let mut right = vec![None; pairs.len()];
    let mut confusion = vec![vec![0.0; n_categories]; n_categories];
    let params = RidgeParams {
        alphas: bench.experiment.encode.alphas.clone(),
        score: Score::NegMse,
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    let refused = |error| PipelineError::Regress { feature: "labels".to_owned(), error };
    for fold in &bench.plan.folds {
        let tested: std::collections::BTreeSet<usize> =
            fold.items.clone().map(|item| bench.plan.group_of_item[item]).collect();
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..pairs.len()).partition(|&pair| tested.contains(&group[pairs[pair].0]));
        let rows = |chosen: &[usize]| {
            let samples: Vec<usize> = chosen.iter().map(|&pair| pairs[pair].0).collect();
            bench.data.responses.select(Axis(0), &samples).mapv(f64::from)
        };
        let mut targets = Array2::<f64>::zeros((train.len(), n_categories));
        for (row, &pair) in train.iter().enumerate() {
            targets[(row, pairs[pair].1)] = 1.0;
        }
        let inner: Vec<usize> = train.iter().map(|&pair| group[pairs[pair].0]).collect();
        let folds = Folds::by_label(&inner).map_err(refused)?;
        let (x, test_x) = (rows(&train), rows(&test));
        let ridge = RidgeCv::new(params.clone()).fit_with(x.view(), targets.view(), folds, None).map_err(refused)?;
        let predicted = ridge.predict(test_x.view()).map_err(refused)?;
        for (answer, &pair) in predicted.rows().into_iter().zip(&test) {
            let mut best = 0;
            for category in 1..n_categories {
                if answer[category] > answer[best] {
                    best = category;
                }
            }
            let shown = pairs[pair].1;
            right[pair] = Some(f64::from(u8::from(best == shown)));
            confusion[shown][best] += 1.0;
        }
    }
    finish(bench, labels, &pairs, &right, confusion, delay)
}

fn finish(
    bench: &Bench<'_>,
    labels: &Labels,
    pairs: &[(usize, usize)],
    right: &[Option<f64>],
    mut confusion: Vec<Vec<f64>>,
    delay: usize,
) -> Result<Decoded, PipelineError> {
    let runs: Vec<usize> = pairs.iter().map(|&(read, _)| bench.data.group_of_sample[read]).collect();
    let seed: Seed = bench.seed.named("decoding");
    let tested: Vec<usize> = (0..right.len()).filter(|&pair| right[pair].is_some()).collect();
    let values: Vec<f64> = right.iter().flatten().copied().collect();
    let runs: Vec<usize> = tested.iter().map(|&pair| runs[pair]).collect();
    let interval = mean_interval(&values, &runs, seed, bench.experiment.statistics.draws)?;
    let counts: Vec<f64> = confusion.iter().map(|row| row.iter().sum()).collect();
    for (row, count) in confusion.iter_mut().zip(&counts) {
        for share in row.iter_mut() {
            *share /= count.max(1.0);
        }
    }
    let n = values.len();
    let chance = counts.iter().copied().fold(0.0, f64::max) / n.max(1) as f64;
    let accuracy = [values.iter().sum::<f64>() / n.max(1) as f64, interval.low, interval.high];
    Ok(Decoded { names: labels.names.clone(), accuracy, confusion, delay, n, chance })
}
