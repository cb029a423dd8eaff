//! Averages over subjects: the rows of finished runs of `percept encode`, one run for each subject, as means with Student's intervals.
//!
//! The interval of a run says how its numbers vary over stimuli or blocks of time; this one says how they vary over people, so it is the
//! one that speaks of people who were not measured. Voxels of different heads are not paired: regions are.

mod report;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use percept_core::{Outcome, Progress, Provenance};
use percept_io::fs;
use percept_pipeline::experiment::encoding::EncodingExperiment;
use percept_pipeline::{PipelineError, RunFolder};
use percept_stats::significance::false_discovery;
use percept_stats::subjects::over_subjects;
use serde::Deserialize;
use serde_json::Value;

use super::rows::EncodingRow;
use crate::reconstruct::{RunOptions, say_that_it_waits};
pub use subject::AverageRow;
use subject::Subject;

/// Quantities that are averaged; a margin stands at another set in every subject.
const AVERAGED: [&str; 9] =
    ["r", "r2", "unique_r2", "unique_r", "common_r2", "accuracy", "r_of_ceiling", "best_probability", "significant"];
/// Those that are tested against chance; the others are shares, which are never below it.
const TESTED: [&str; 6] = ["r", "r2", "unique_r2", "unique_r", "common_r2", "accuracy"];
/// Below so many subjects an interval is hardly one.
const FEW: usize = 4;
/// Bytes of a run's rows or outcome.
const MOST_BYTES: u64 = 1 << 30;

/// What an average ended in.
#[derive(Clone, Debug, PartialEq)]
pub struct Averaged {
    /// What the report shows.
    pub outcome: Outcome,
    /// One row for every region, set of features and quantity.
    pub rows: Vec<AverageRow>,
}

/// Averages the finished runs in `runs`, one for each subject, into the folder `out`: `rows.json` and `outcome.json`.
///
/// # Errors
/// Fewer than two runs, a folder without a finished run of `percept encode`, runs of the same responses or of other spaces and fits.
pub fn average(
    runs: &[PathBuf],
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Averaged, PipelineError> {
    let subjects = opened(runs)?;
    let folder = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    folder.claim("average", &subjects[0].experiment.name)?;
    let mut warnings = Vec::new();
    if subjects.len() < FEW {
        warnings.push(format!(
            "{} subjects: Student's interval is wide, and what it says of other people is little",
            subjects.len()
        ));
    }
    let mut rows = means(&subjects, &mut warnings)?;
    adjust(&mut rows, subjects[0].experiment.statistics.rate)?;
    for warning in &warnings {
        progress.warn(warning);
    }
    let mut record = Provenance::new(subjects[0].experiment.seed);
    for subject in &subjects {
        let path = subject.folder.join("rows.json");
        record.inputs.insert(format!("rows of {}", subject.name), fs::content_hash(path)?);
    }
    let outcome = report::outcome(&subjects, &rows, warnings, record);
    folder.write_json("rows.json", &rows)?;
    folder.write_json("outcome.json", &outcome)?;
    Ok(Averaged { outcome, rows })
}

/// The runs, checked against each other.
fn opened(runs: &[PathBuf]) -> Result<Vec<Subject>, PipelineError> {
    if runs.len() < 2 {
        let what = format!("{} run is given; an average over subjects needs two or more", runs.len());
        return Err(PipelineError::data(what, "name a finished run of `percept encode` for every subject"));
    }
    let mut all = runs.iter().map(|folder| read(folder)).collect::<Result<Vec<Subject>, _>>()?;
    for (number, subject) in all.iter().enumerate() {
        for other in &all[..number] {
            expect_comparable(other, subject)?;
        }
    }
    let names: BTreeSet<String> = all.iter().map(|subject| subject.name.clone()).collect();
    if names.len() < all.len() {
        // Data without subjects of their own names, such as arrays: the folders have names.
        let name = |subject: &Subject| subject.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let short: BTreeSet<Option<String>> = all.iter().map(name).collect();
        for subject in &mut all {
            let whole = subject.folder.display().to_string();
            subject.name = if short.len() == runs.len() { name(subject).unwrap_or(whole) } else { whole };
        }
    }
    Ok(all)
}

fn read(folder: &Path) -> Result<Subject, PipelineError> {
    let (rows, outcome): (Vec<EncodingRow>, Outcome) = (json(folder, "rows.json")?, json(folder, "outcome.json")?);
    let experiment = EncodingExperiment::open(&folder.join("experiment.toml"), &[])?;
    Ok(Subject { name: outcome.data.subject.clone(), folder: folder.to_owned(), experiment, outcome, rows })
}

fn json<T: for<'de> Deserialize<'de>>(folder: &Path, name: &str) -> Result<T, PipelineError> {
    let path = folder.join(name);
    let what = |why: String| {
        PipelineError::data(
            format!("`{}` holds no finished run of `percept encode`: {why}", folder.display()),
            "run `percept encode` for this subject first",
        )
    };
    if !fs::is_file(&path) {
        return Err(what(format!("there is no `{name}`")));
    }
    let text = fs::read_text(&path, MOST_BYTES)?;
    serde_json::from_str(&text).map_err(|error| what(format!("`{name}` is not that of an encoding run ({error})")))
}

/// Refuses two runs of one subject, and runs that asked for other things.
fn expect_comparable(a: &Subject, b: &Subject) -> Result<(), PipelineError> {
    let both = format!("`{}` and `{}`", a.folder.display(), b.folder.display());
    let responses = |subject: &Subject| subject.outcome.provenance.inputs.get("responses").cloned();
    if responses(a) == responses(b) {
        return Err(PipelineError::data(
            format!("{both} hold the same responses, so they are one subject"),
            "name one run for every subject",
        ));
    }
    let spaces = |subject: &Subject| {
        let mut value = serde_json::to_value(&subject.experiment.spaces).unwrap_or_default();
        without_folders(&mut value);
        value
    };
    let differs = match (spaces(a) == spaces(b), a.experiment.encode == b.experiment.encode) {
        (true, true) => return Ok(()),
        (true, false) => "encode",
        (false, _) => "spaces",
    };
    Err(PipelineError::data(
        format!("{both} have other settings in `[{differs}]`, so their numbers are not of one kind"),
        "run all subjects with the same experiment but for `[data]`",
    ))
}

/// Cuts paths down to the names of their files: every subject may have arrays of its own.
fn without_folders(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        Value::Array(all) => all.iter_mut().for_each(without_folders),
        Value::Object(all) => all.values_mut().for_each(without_folders),
        _ => {}
    }
}

/// Rows that two subjects or more have, in the order of the first subject that has them.
fn means(subjects: &[Subject], warnings: &mut Vec<String>) -> Result<Vec<AverageRow>, PipelineError> {
    let mut of_key: BTreeMap<Key<'_>, Vec<(&str, &EncodingRow)>> = BTreeMap::new();
    let mut order = Vec::new();
    for subject in subjects {
        for row in subject.rows.iter().filter(|row| AVERAGED.contains(&row.metric.as_ref())) {
            let key = key(row);
            let own = of_key.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            own.push((&subject.name, row));
        }
    }
    let mut rows = Vec::new();
    let mut missing = BTreeSet::new();
    for key in order {
        let own = &of_key[&key];
        if own.len() < subjects.len() {
            missing.insert(key.0.to_owned());
        }
        if own.len() > 1 {
            rows.push(mean(own)?);
        }
    }
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        warnings.push(format!(
            "not every subject has every row of {}; each mean is over those who do (`n`), and what one subject alone has is left out",
            names.join(", ")
        ));
    }
    if rows.is_empty() {
        return Err(PipelineError::data("the runs share no rows", "run all subjects with the same experiment"));
    }
    Ok(rows)
}

/// Region, space, axes in words, metric.
type Key<'a> = (&'a str, &'a str, String, &'a str);

fn key(row: &EncodingRow) -> Key<'_> {
    (&row.region, &row.space, row.axes.to_string(), &row.metric)
}

fn mean(own: &[(&str, &EncodingRow)]) -> Result<AverageRow, PipelineError> {
    let first = own[0].1;
    let of_all = |value: fn(&EncodingRow) -> Option<f64>| {
        let known: Option<Vec<f64>> = own.iter().map(|(_, row)| value(row)).collect();
        known.map(|known| known.iter().sum::<f64>() / known.len() as f64)
    };
    let chance = of_all(|row| row.chance);
    let level = chance.unwrap_or(0.0);
    // What is tested is the mean above chance.
    let above: Vec<f64> = own.iter().map(|(_, row)| row.value - level).collect();
    let found = over_subjects(&above)?;
    // Held-out predictions that know nothing correlate a little below 0: that is no finding.
    let one_sided = if found.mean > 0.0 { found.p / 2.0 } else { 1.0 - found.p / 2.0 };
    Ok(AverageRow {
        region: first.region.clone(),
        space: first.space.clone(),
        axes: first.axes.clone(),
        metric: first.metric.to_string(),
        value: found.mean + level,
        low: found.low + level,
        high: found.high + level,
        chance,
        ceiling: of_all(|row| row.ceiling),
        n: found.n,
        p: TESTED.contains(&first.metric.as_ref()).then_some(one_sided),
        q: None,
        subjects: own.iter().map(|(name, row)| ((*name).to_owned(), row.value)).collect(),
    })
}

/// Fills in q, one family for each quantity.
fn adjust(rows: &mut [AverageRow], rate: f64) -> Result<(), PipelineError> {
    for metric in TESTED {
        let mut own: Vec<&mut AverageRow> = rows.iter_mut().filter(|row| row.metric == metric).collect();
        let p: Vec<f64> = own.iter().filter_map(|row| row.p).collect();
        if p.is_empty() {
            continue;
        }
        let adjusted = false_discovery(&p, rate)?.adjusted;
        own.iter_mut().zip(adjusted).for_each(|(row, q)| row.q = Some(q));
    }
    Ok(())
}
