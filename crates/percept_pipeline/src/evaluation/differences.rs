//! Paired differences between methods: the same items, the same draws, so that what all methods find easy drops out.
//!
//! Every method is compared with the arm that is marked as the reference, or with the first where none is. Arms of one family,
//! such as encoders trained with different losses, are also compared with each other. Controls are not compared: they have
//! their own rows of scores.

use percept_core::{DifferenceRow, Progress, Provenance, Seed};
use percept_io::parquet::{self, Column};
use percept_stats::clusters;

use super::score::{Scored, Scoring};
use crate::arms::Arm;
use crate::error::PipelineError;
use crate::run::StageName;

const DIFFERENCES: &str = "differences.json";
const DIFFERENCES_TABLE: &str = "differences.parquet";
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;

/// Compares the methods and writes `differences.json` and the same as Parquet.
///
/// # Errors
/// When the disk refuses.
pub fn differences(
    scoring: &Scoring<'_>,
    scored: &Scored,
    progress: &dyn Progress,
) -> Result<Vec<DifferenceRow>, PipelineError> {
    let pairs = pairs(scoring.arms);
    let named: Vec<[&str; 2]> = pairs.iter().map(|&(a, b)| [a, b].map(|arm| scoring.arms[arm].name.as_str())).collect();
    let record = Provenance::new(scoring.seed)
        .input("scores", &scored.content)
        .setting("pairs", &named)
        .setting("draws", &scoring.draws);
    progress.begin("differences", pairs.len() as u64);
    scoring.run.stage(StageName { name: "differences", revision: REVISION }, record, || {
        let mut rows = Vec::new();
        for pair in &pairs {
            compare(scoring, scored, *pair, &mut rows)?;
            progress.advance(1);
        }
        write(scoring, &rows)?;
        Ok([DIFFERENCES, DIFFERENCES_TABLE].map(str::to_owned).to_vec())
    })?;
    progress.end("");
    scoring.run.read_json(DIFFERENCES, "rows of differences")
}

/// Which arms are compared: (method, reference).
fn pairs(arms: &[Arm]) -> Vec<(usize, usize)> {
    let methods: Vec<usize> = (0..arms.len()).filter(|&arm| arms[arm].role.is_method()).collect();
    let Some(&first) = methods.first() else { return Vec::new() };
    let reference = methods.iter().copied().find(|&arm| arms[arm].is_reference).unwrap_or(first);
    let others: Vec<usize> = methods.into_iter().filter(|&arm| arm != reference).collect();
    let mut pairs: Vec<(usize, usize)> = others.iter().map(|&arm| (arm, reference)).collect();
    for (i, &earlier) in others.iter().enumerate() {
        let family = arms[earlier].family;
        let kin = others[i + 1..].iter().filter(|&&later| family.is_some() && arms[later].family == family);
        pairs.extend(kin.map(|&later| (later, earlier)));
    }
    pairs
}

/// Appends one row per metric that both arms of the pair have.
fn compare(
    scoring: &Scoring<'_>,
    scored: &Scored,
    (method, reference): (usize, usize),
    rows: &mut Vec<DifferenceRow>,
) -> Result<(), PipelineError> {
    let stimuli = scoring.plan.stimuli();
    for (metric_idx, metric) in scored.metrics.iter().enumerate() {
        let of =
            |arm: usize| -> Vec<Option<f64>> { scored.per_item[arm].iter().map(|item| item[metric_idx]).collect() };
        // The seed of the scores' own intervals: the same stimuli are drawn.
        let seed = Seed::new(scoring.seed).named("bootstrap");
        let found = clusters::paired_scores(&of(method), &of(reference), &stimuli, seed, scoring.draws)?;
        let Some((found, n)) = found else { continue };
        rows.push(DifferenceRow {
            method: scoring.arms[method].name.to_string(),
            reference: scoring.arms[reference].name.to_string(),
            split: scoring.plan.split_name.to_owned(),
            metric: metric.clone(),
            value: found.mean,
            low: found.interval.low,
            high: found.interval.high,
            p: found.p,
            n,
        });
    }
    Ok(())
}

fn write(scoring: &Scoring<'_>, rows: &[DifferenceRow]) -> Result<(), PipelineError> {
    scoring.run.write_json(DIFFERENCES, &rows)?;
    let text = |of: fn(&DifferenceRow) -> &str| Column::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let number = |of: fn(&DifferenceRow) -> f64| Column::Float(rows.iter().map(of).collect());
    Ok(parquet::write(
        scoring.run.file(DIFFERENCES_TABLE),
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
    use crate::arms::{Generator, Inputs, Medium};
    use crate::plan::Item;
    use percept_core::arm::ArmName;
    use percept_core::outcome::Role;

    struct Nothing;

    impl Generator for Nothing {
        fn record(&self, _: &[Item], _: usize, record: Provenance) -> Provenance {
            record
        }

        fn make(&self, _: &Inputs, _: &[Item], _: usize) -> Result<Vec<Medium>, PipelineError> {
            Ok(Vec::new())
        }
    }

    /// Arms by name: `?` marks a control, `*` the reference, `+` a family.
    fn compared(names: &[&str]) -> Vec<(String, String)> {
        let arm = |name: &&str| Arm {
            name: ArmName::new(name.trim_end_matches(['?', '*', '+'])).expect("a name"),
            role: if name.ends_with('?') { Role::Control } else { Role::Method },
            short: String::new(),
            description: String::new(),
            inputs: Inputs::none(),
            generator: std::sync::Arc::new(Nothing),
            n_draws: 1,
            is_reference: name.ends_with('*'),
            family: name.ends_with('+').then_some("trained"),
            said: None,
        };
        let arms: Vec<Arm> = names.iter().map(arm).collect();
        pairs(&arms).into_iter().map(|(a, b)| (arms[a].name.to_string(), arms[b].name.to_string())).collect()
    }

    fn expect(names: &[&str], pairs: &[(&str, &str)]) {
        let found = compared(names);
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, pairs, "{names:?}");
    }

    #[test]
    fn methods_are_compared_with_the_reference_and_families_within() {
        expect(
            &["z", "c*", "z+c", "small+", "shuffled?", "true?", "wide+"],
            &[("z", "c"), ("z+c", "c"), ("small", "c"), ("wide", "c"), ("wide", "small")],
        );
    }

    #[test]
    fn without_a_reference_the_first_method_is_it() {
        expect(&["mean?", "a+", "b+", "d+"], &[("b", "a"), ("d", "a"), ("d", "b")]);
        expect(&["z", "shuffled?"], &[]);
        expect(&["true?"], &[]);
    }
}
