//! Music from the brain: the nearest piece of a corpus, and newly generated music, from decoded vectors of sound.
//!
//! Responses to windows of what somebody heard are regressed on spaces of sound, region by region, the best averaged. The mean decoded
//! vector of an excerpt looks for the nearest piece of a corpus, and conditions a music generator. What is shown beside it: the same with
//! the true vector, with another excerpt's, with the mean one, and the nearest training piece to the true vector.
//!
//! Reference: Brain2Music, Denk, Takagi, Matsuyama and others 2023, arXiv 2307.11078, with open models in place of theirs: CLAP for MuLan,
//! MusicLDM for MusicLM, EnCodec for SoundStream, w2v-BERT 2.0 for w2v-BERT.

mod arms;
mod bench;
mod decode;
pub mod index;
mod outcome;
mod pictures;
mod tags;
mod targets;

use std::path::Path;

use percept_core::{Outcome, Progress, Provenance, Seed};
use percept_pipeline::data::listening::source;
use percept_pipeline::experiment::music::MusicExperiment;
use percept_pipeline::{PipelineError, RunFolder};

use crate::reconstruct::{RunOptions, say_that_it_waits};
pub use outcome::TableRow;

/// The experiment of `percept demo --music`: a phantom listener and the pocket pack.
const DEMO: &str = include_str!("demo.toml");

/// The experiment of `percept demo --music`, with `overrides`.
///
/// # Errors
/// Those of the overrides.
pub fn demo(overrides: &[String]) -> Result<MusicExperiment, PipelineError> {
    Ok(MusicExperiment::parse(DEMO, Path::new("demo.toml"), overrides)?)
}

/// The table of the run in `out`.
///
/// # Errors
/// When there is none.
pub fn table(out: &Path) -> Result<Vec<TableRow>, PipelineError> {
    let path = out.join(outcome::TABLE);
    let text = percept_io::fs::read_text(&path, 1 << 24)?;
    serde_json::from_str(&text)
        .map_err(|error| PipelineError::data(format!("`{}` is damaged: {error}", path.display()), "run it again"))
}

/// Carries out `experiment` in the folder `out` and writes `experiment.toml`, sounds, `scores.json`, `table.json` and `outcome.json`
/// there. What an earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`PipelineError`]; each says what to do about it.
pub fn run(
    experiment: &MusicExperiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    let folder = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    folder.claim("music", &experiment.name)?;
    let data = source::open(&experiment.data, &folder, progress)?;
    percept_io::fs::write_bytes(folder.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let mut record = Provenance::new(experiment.seed);
    record.inputs = source::inputs(&data)?;
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    let bench = bench::Bench {
        experiment,
        data: &data,
        run: &folder,
        record: &record,
        seed: Seed::new(experiment.seed),
        progress,
    };
    folder.write_json("clips.json", &data.schedule.clips)?;
    for warning in &data.warnings {
        progress.warn(warning);
    }
    let targets = targets::made(&bench)?;
    let decoded = targets.iter().map(|target| decode::decoded(&bench, target)).collect::<Result<Vec<_>, _>>()?;
    let arms = arms::made(&bench, &targets, &decoded)?;
    outcome::outcome(&bench, &targets, &decoded, &arms)
}
