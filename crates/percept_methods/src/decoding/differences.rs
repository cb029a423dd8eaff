//! Paired differences between methods: the same items, the same draws, so that what all methods find easy drops out.
//!
//! Every method is compared with the ridge decoder of `c`, or with the first where there is none; trained decoders are compared
//! with each other besides. Controls are not compared: they have their own rows of scores.

use percept_core::{DifferenceRow, Progress, Provenance, Seed};
use percept_io::parquet::{self, Column};
use percept_stats::clusters;

use super::score::{Scored, Task};
use crate::error::MethodError;
use crate::experiment::Method;

/// Arms that judge the methods and are none.
const CONTROLS: [&str; 5] = ["shuffled", "mean", "true", "true_c", "pixel_ridge"];

const DIFFERENCES: &str = "differences.json";
const DIFFERENCES_TABLE: &str = "differences.parquet";

/// Compares the methods and writes `differences.json` and the same as Parquet.
pub(super) fn differences(
    task: &Task<'_>,
    scored: &Scored,
    progress: &dyn Progress,
) -> Result<Vec<DifferenceRow>, MethodError> {
    let names: Vec<&str> = task.arms.iter().map(|arm| arm.name.as_str()).collect();
    let mut provenance = Provenance::new(task.experiment.seed);
    provenance.inputs.insert("scores".to_owned(), scored.content.clone());
    let pairs = pairs(&names);
    let named: Vec<String> = pairs.iter().map(|&(a, b)| format!("{} {}", names[a], names[b])).collect();
    provenance.settings.insert("pairs".to_owned(), named.join("\n"));
    provenance.settings.insert("draws".to_owned(), task.experiment.evaluate.draws.to_string());
    progress.begin("differences", pairs.len() as u64);
    task.run.stage("differences", provenance, || {
        let mut rows = Vec::new();
        for pair in &pairs {
            compare(task, scored, *pair, &mut rows)?;
            progress.advance(1);
        }
        write(task, &rows)?;
        Ok([DIFFERENCES, DIFFERENCES_TABLE].map(str::to_owned).to_vec())
    })?;
    progress.end("");
    task.run.read_json(DIFFERENCES, "rows of differences")
}

/// Which arms are compared: (method, reference).
fn pairs(names: &[&str]) -> Vec<(usize, usize)> {
    let methods: Vec<usize> = (0..names.len()).filter(|&arm| !CONTROLS.contains(&names[arm])).collect();
    let Some(&first) = methods.first() else { return Vec::new() };
    let reference = methods.iter().copied().find(|&arm| names[arm] == Method::C.name()).unwrap_or(first);
    let ridge = [Method::Z, Method::C, Method::ZC].map(Method::name);
    let trained: Vec<usize> =
        methods.iter().copied().filter(|&arm| arm != reference && !ridge.contains(&names[arm])).collect();
    let mut pairs: Vec<(usize, usize)> =
        methods.into_iter().filter(|&arm| arm != reference).map(|arm| (arm, reference)).collect();
    for (i, &earlier) in trained.iter().enumerate() {
        pairs.extend(trained[i + 1..].iter().map(|&later| (later, earlier)));
    }
    pairs
}

/// Appends one row per metric that both arms of the pair have.
fn compare(
    task: &Task<'_>,
    scored: &Scored,
    (method, reference): (usize, usize),
    rows: &mut Vec<DifferenceRow>,
) -> Result<(), MethodError> {
    let labels = task.plan.stimuli();
    for (metric_idx, metric) in scored.metrics.iter().enumerate() {
        let of =
            |arm: usize| -> Option<Vec<f64>> { scored.per_item[arm].iter().map(|item| item[metric_idx]).collect() };
        let (Some(first), Some(second)) = (of(method), of(reference)) else { continue };
        // The seed of the scores' own intervals: the same stimuli are drawn.
        let seed = Seed::new(task.experiment.seed).named("bootstrap");
        let found = clusters::paired_difference(&first, &second, &labels, seed, task.experiment.evaluate.draws)?;
        rows.push(DifferenceRow {
            method: task.arms[method].name.clone(),
            reference: task.arms[reference].name.clone(),
            split: task.plan.split_name.to_owned(),
            metric: metric.clone(),
            value: found.mean,
            low: found.interval.low,
            high: found.interval.high,
            p: found.p,
            n: first.len(),
        });
    }
    Ok(())
}

fn write(task: &Task<'_>, rows: &[DifferenceRow]) -> Result<(), MethodError> {
    task.run.write_json(DIFFERENCES, &rows)?;
    let text = |of: fn(&DifferenceRow) -> &str| Column::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let number = |of: fn(&DifferenceRow) -> f64| Column::Float(rows.iter().map(of).collect());
    Ok(parquet::write(
        task.run.file(DIFFERENCES_TABLE),
        &[
            ("method", text(|row| &row.method)),
            ("reference", text(|row| &row.reference)),
            ("split", text(|row| &row.split)),
            ("metric", text(|row| &row.metric)),
            ("value", number(|row| row.value)),
            ("low", number(|row| row.low)),
            ("high", number(|row| row.high)),
            ("p", number(|row| row.p)),
            ("n", Column::Integer(rows.iter().map(|row| row.n as i64).collect())),
        ],
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_compared_with_c_and_trained_ones_with_each_other() {
        let names = ["z", "c", "z+c", "b2c", "b2c+patch", "shuffled", "true", "wide"];
        let named =
            |pairs: Vec<(usize, usize)>| pairs.into_iter().map(|(a, b)| (names[a], names[b])).collect::<Vec<_>>();
        assert_eq!(
            named(pairs(&names)),
            [
                ("z", "c"),
                ("z+c", "c"),
                ("b2c", "c"),
                ("b2c+patch", "c"),
                ("wide", "c"),
                ("b2c+patch", "b2c"),
                ("wide", "b2c"),
                ("wide", "b2c+patch"),
            ]
        );
    }

    #[test]
    fn without_c_the_first_method_is_the_reference() {
        assert_eq!(pairs(&["mean", "small", "large", "larger"]), [(2, 1), (3, 1), (3, 2)]);
        assert_eq!(pairs(&["z", "shuffled"]), []);
        assert_eq!(pairs(&["true"]), []);
    }
}
