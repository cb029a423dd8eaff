//! A comparison from its experiment to its outcome: every system that takes part, every control, the same seed and noise.
//!
//! The stages, each of which leaves its artefacts in the run's folder and is resumed: features → decoders and predictions →
//! pictures of every arm → scores → differences → [`Outcome`].

use std::path::Path;
use std::sync::Arc;

use percept_core::outcome::Role;
use percept_core::{Outcome, Progress, Provenance, Section};
use percept_pipeline::decoding::summary::edge_warnings;
use percept_pipeline::evaluation::{self, Scored, Scoring, StimulusPictures};
use percept_pipeline::experiment::Experiment;
use percept_pipeline::generation::pictures_of_arm;
use percept_pipeline::packs::PackModel;
use percept_pipeline::plan::{labels, summary};
use percept_pipeline::{Arm, Dataset, Metric, PictureModel, PipelineError, Plan, RunFolder, data};

use crate::bench::{Bench, Setting};
use crate::cortex;
use crate::registry::Registry;
use crate::system::{Candidate, Entry};

/// How a run is carried out; none of it changes the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// End with [`PipelineError::Stopped`] instead of making more stages than this.
    pub stop_after: Option<usize>,
    /// Bytes of memory granted; by default most of what is free.
    pub memory: Option<u64>,
}

/// Carries out `experiment` in the folder `out` and writes `experiment.toml`, pictures, `scores.json`, tables and
/// `outcome.json` there. What an earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`PipelineError`]; each says what to do about it.
pub fn run(
    experiment: &Experiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    let folder = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    folder.claim("comparison", &experiment.name)?;
    let model = Arc::new(PackModel::open(&experiment.model.pack)?.within(options.memory)?);
    let dataset = data::open(experiment, &folder, progress)?;
    reconstruct(experiment, &Registry::default(), &dataset, model, &folder, progress)
}

/// Tells the user why nothing happens, and waits.
pub(crate) fn say_that_it_waits(out: &Path, progress: &dyn Progress) -> bool {
    progress.warn(&format!("another process is working in `{}`: waiting until it is done", out.display()));
    true
}

/// The part of [`run`] after data and model are open, with what `registry` lists.
///
/// # Errors
/// Any [`PipelineError`].
pub fn reconstruct(
    experiment: &Experiment,
    registry: &Registry,
    dataset: &Dataset,
    model: Arc<dyn PictureModel>,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let plan = Plan::new(dataset, &experiment.split, &experiment.decode)?;
    let mut warnings = summary::warnings(dataset, &plan);
    warnings.extend(model.notes());
    for warning in &warnings {
        progress.warn(warning);
    }
    let record = record_of(experiment, dataset, &*model)?;
    labels::write(run, &experiment.name, dataset, &plan, &record)?;
    let setting = Setting { experiment, data: dataset, plan: &plan, run, record: &record, progress };
    let bench = Bench::new(setting, model);
    let systems = || registry.systems.iter().filter(|system| system.takes_part(experiment));
    systems().try_for_each(|system| system.check(&bench))?;
    let entries = systems().map(|system| system.join(&bench)).collect::<Result<Vec<_>, _>>()?;
    let arms = arms(registry, &bench, &entries)?;
    let made = make(registry, &bench, &arms, &entries)?;
    let (found, decoders) = bench.into_findings();
    warnings.extend(found);
    warnings.extend(edge_warnings(&decoders));
    let scored = made.scored;
    for warning in &scored.warnings {
        progress.warn(warning);
    }
    warnings.extend(scored.warnings.iter().cloned());
    let outcome = Outcome {
        name: experiment.name.clone(),
        lead: lead(dataset, &plan, &arms),
        warnings,
        data: summary::data(dataset, &plan, experiment.split.kind),
        decoders,
        items: evaluation::items(dataset, &plan, &made.stimuli, &arms, &scored),
        main: arms.iter().rev().find(|arm| arm.role.is_method()).map(|arm| arm.name.to_string()),
        arms: arms.iter().map(Arm::summary).collect(),
        metrics: registry
            .metrics
            .iter()
            .map(|metric| metric.facts())
            .filter(|facts| scored.metrics.contains(&facts.name))
            .collect(),
        scores: scored.rows,
        differences: made.differences,
        sections: made.sections,
        experiment: experiment.resolved(),
        provenance: record.clone(),
    };
    run.write_json("outcome.json", &outcome)?;
    run.remove_stale("pictures.")?;
    Ok(outcome)
}

/// All arms in the order of the tables: methods, then what judges them, then baselines.
fn arms(registry: &Registry, bench: &Bench<'_>, entries: &[Box<dyn Entry + '_>]) -> Result<Vec<Arm>, PipelineError> {
    let candidates: Vec<Candidate> = entries.iter().flat_map(|entry| entry.candidates()).collect();
    let main = Candidate::main(&candidates);
    let (methods, baselines): (Vec<_>, Vec<_>) =
        candidates.iter().map(|candidate| candidate.arm.clone()).partition(|arm| arm.role == Role::Method);
    let mut arms = methods;
    for control in &registry.controls {
        if bench.experiment.controls.is_on(control.word().name)
            && let Some(main) = main
        {
            arms.extend(control.arm(bench, main)?);
        }
    }
    arms.extend(baselines);
    for (i, arm) in arms.iter().enumerate() {
        if arms[..i].iter().any(|earlier| earlier.name == arm.name) {
            return Err(PipelineError::data(
                format!("two arms of the comparison are called `{}`", arm.name),
                "give each variant a name of its own",
            ));
        }
    }
    Ok(arms)
}

/// What is there once all pictures are made.
struct Made {
    stimuli: StimulusPictures,
    scored: Scored,
    differences: Vec<percept_core::DifferenceRow>,
    sections: Vec<Section>,
}

/// Makes the pictures of all arms, scores them, and lets every system say what it has to say about them.
fn make(
    registry: &Registry,
    bench: &Bench<'_>,
    arms: &[Arm],
    entries: &[Box<dyn Entry + '_>],
) -> Result<Made, PipelineError> {
    let Bench { experiment, run, plan, progress, .. } = *bench;
    let mut contents = Vec::with_capacity(arms.len());
    for arm in arms {
        contents.push(pictures_of_arm(run, arm, &plan.items, &experiment.generate, progress)?);
    }
    let stimuli = evaluation::stimulus_pictures(run, bench.data, plan, &*bench.model, bench.record, progress)?;
    let asked = |metric: &&dyn Metric| experiment.evaluate.metrics.contains(&metric.facts().name);
    let metrics: Vec<&dyn Metric> = registry.metrics.iter().map(|metric| &**metric).filter(asked).collect();
    let scoring = Scoring {
        run,
        plan,
        arms,
        contents: &contents,
        stimuli: &stimuli,
        truth: &bench.truth(),
        model: &*bench.model,
        metrics: &metrics,
        seed: experiment.seed,
        draws: experiment.evaluate.draws,
    };
    let scored = evaluation::score(&scoring, progress)?;
    let differences = evaluation::differences(&scoring, &scored, progress)?;
    let mut sections = Vec::new();
    for entry in entries {
        sections.extend(entry.sections(bench, &stimuli)?);
    }
    sections.extend(cortex::section(bench)?);
    Ok(Made { stimuli, scored, differences, sections })
}

/// The record of the whole run.
pub(crate) fn record_of(
    experiment: &Experiment,
    dataset: &Dataset,
    model: &dyn PictureModel,
) -> Result<Provenance, PipelineError> {
    let mut record = Provenance::new(experiment.seed);
    record.inputs = dataset.inputs()?;
    record = record.input("pack", model.content());
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    Ok(record)
}

fn lead(dataset: &Dataset, plan: &Plan, arms: &[Arm]) -> String {
    let names: Vec<String> = arms.iter().map(|arm| format!("`{}`", arm.name)).collect();
    let named = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    };
    let mut tested = plan.stimuli();
    tested.sort_unstable();
    tested.dedup();
    let n = tested.len();
    let noun = if n == 1 { "stimulus" } else { "stimuli" };
    format!(
        "Pictures reconstructed from the responses of {} to {n} {noun}: {named} side by side, with the same seed and noise.",
        dataset.subject
    )
}
