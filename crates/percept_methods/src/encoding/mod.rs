//! `percept encode`: which part of a model predicts which part of the brain.
//!
//! Features of stimuli are regressed on the responses of every unit, one set of features at a time (a layer, a step, a block),
//! and some together; held-out predictions are compared with chance and with what any model could reach. The stages, each of
//! which leaves its artefacts in the run's folder and is resumed: features → predictions → scores → parts, best sets → tables, maps,
//! [`Outcome`].
//!
//! References: Takagi and Nishimoto 2023, CVPR (latents, noise levels, steps and blocks of a diffusion model); Takagi and Nishimoto 2023,
//! arXiv 2306.11536 (captions); Nakagi et al. 2024, EMNLP (language models and films); Huth et al. 2016, doi:10.1038/nature17637.

pub mod average;
mod cortex;
mod decode;
mod driving;
mod models;
mod planted;
mod rows;
mod sections;
mod shown;
mod summary;
mod tables;

use std::path::Path;

use percept_core::{Outcome, Progress, Provenance, Seed};
use percept_pipeline::data::{Recording, recording};
use percept_pipeline::encoding::features::{Materials, Point};
use percept_pipeline::encoding::score::Judge;
use percept_pipeline::encoding::{EncodingPlan, planted as simulated, points, responses};
use percept_pipeline::{PipelineError, RunFolder};

pub use percept_pipeline::experiment::encoding::EncodingExperiment;
pub use rows::EncodingRow;

use crate::reconstruct::{RunOptions, say_that_it_waits};
use models::{Bench, Found};

/// What a run ended in.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// What the report shows.
    pub outcome: Outcome,
    /// One row for every region, set of features and quantity.
    pub rows: Vec<EncodingRow>,
}

/// Carries out `experiment` in the folder `out` and writes `experiment.toml`, `rows.json`, tables, maps and `outcome.json` there. What
/// an earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`PipelineError`]; each says what to do about it.
pub fn run(
    experiment: &EncodingExperiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Encoded, PipelineError> {
    let folder = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    folder.claim("encoding", &experiment.name)?;
    simulated::write(experiment, &folder, progress)?;
    let data = recording::open(experiment, &folder, progress)?;
    encode(experiment, data, &folder, progress)
}

/// The part of [`run`] after the data are open.
///
/// # Errors
/// Any [`PipelineError`].
pub fn encode(
    experiment: &EncodingExperiment,
    mut data: Recording,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Encoded, PipelineError> {
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let seed = Seed::new(experiment.seed);
    let plan = EncodingPlan::new(&data, &experiment.encode, &experiment.statistics)?;
    let mut record = Provenance::new(experiment.seed);
    record.inputs = data.inputs()?;
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    // What was planted is scaled by the responses as they were recorded.
    let truth = simulated::truth(experiment, &data, run)?;
    let notes = responses::prepare(&mut data, &experiment.encode)?;
    let data = &data;
    let ceiling = responses::ceilings(data, &plan)?;
    let judge = Judge::new(data, &plan, &experiment.statistics, ceiling, seed)?;
    let mut warnings = data.warnings.clone();
    warnings.extend(notes);
    warnings.extend(judge.notes.iter().cloned());
    for warning in &warnings {
        progress.warn(warning);
    }
    let materials = Materials { run, data, record: &record, seed: simulated::feature_seed(experiment), progress };
    let spaces = experiment
        .spaces
        .iter()
        .map(|(name, settings)| points(name, settings, &materials))
        .collect::<Result<Vec<Vec<Point>>, _>>()?;
    let bench = Bench { experiment, data, plan: &plan, judge: &judge, run, record: &record, seed, progress };
    let (models, joint, best) = (bench.models(&spaces)?, bench.joint(&spaces)?, bench.best(&spaces)?);
    let planted = match truth {
        Some(truth) => Some(planted::recovered(&bench, &truth, &spaces, &models, &joint, &best)?),
        None => None,
    };
    let found = Found { models, joint, best, decoded: decode::labels(&bench)?, spaces };
    warnings.extend(found.edge_warnings());
    let mut rows = rows::rows(&bench, &found);
    rows.extend(planted.iter().flat_map(planted::Recovered::rows));
    tables::write(&bench, &found)?;
    let mut outcome = summary::outcome(&bench, &found, &rows, warnings)?;
    // Behind the spaces side by side, before all that a reader would have to compare by eye.
    if let Some(planted) = &planted {
        outcome.sections.insert(1, planted.section());
    }
    run.write_json("rows.json", &rows)?;
    run.write_json("outcome.json", &outcome)?;
    Ok(Encoded { outcome, rows })
}
