//! Films from the brain: what was seen in a scanner, scan by scan, made into moving pictures again.
//!
//! Every scan's clip has a latent of its middle picture (`z`), a context of its captions (`c`; or a captioner's `vision` tokens, which are
//! put into words) and motion, the mean optical flow in the cells of a grid. Each is decoded by ridge regression from a few scans behind the clip. The decoded
//! picture of each clip is made sharp by image-to-image diffusion under the decoded contexts; these keyframes are moved by the decoded
//! motion, from one clip to the next; then the film is finished with little noise, frame by frame, with self-attention over frames, or with
//! motion modules. Beside it stand what a still picture, the mean
//! picture, another clip's brain, the film backwards and the true features score: no film is worth more than those.
//!
//! References: MinD-Video (Chen et al. 2023, arXiv 2305.11675) and NeuroClips (Gong et al. 2024, arXiv 2410.19452) for the task, its
//! metrics and the blurred film before the sharp one; Text2Video-Zero (Khachatryan et al. 2023, arXiv 2303.13439) for attention to the
//! first frame; AnimateDiff (Guo et al. 2024, arXiv 2307.04725) for motion modules. It differs from both in that nothing but ridge
//! regressions is fitted to a brain, and that motion is decoded by itself and not left to the generator.

mod arms;
mod bench;
mod classes;
mod clips;
mod data;
mod decode;
mod drives;
mod films;
mod frames;
mod guide;
mod measure;
mod outcome;
mod pictures;
mod scores;
mod spoken;
mod targets;

use std::path::Path;

use percept_core::{Outcome, Progress, Provenance, Seed};
use percept_pipeline::experiment::video::VideoExperiment;
use percept_pipeline::{PipelineError, RunFolder};

use crate::reconstruct::{RunOptions, say_that_it_waits};

/// The experiment of `percept demo --video`: a phantom spectator and the pocket pack.
const DEMO: &str = include_str!("demo.toml");

/// The experiment of `percept demo --video`, with `overrides`.
///
/// # Errors
/// Those of the overrides.
pub fn demo(overrides: &[String]) -> Result<VideoExperiment, PipelineError> {
    Ok(VideoExperiment::parse(DEMO, Path::new("demo.toml"), overrides)?)
}

/// Carries out `experiment` in the folder `out` and writes `experiment.toml`, films, `scores.json` and `outcome.json` there. What an
/// earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`PipelineError`]; each says what to do about it.
pub fn run(
    experiment: &VideoExperiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    let folder = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    folder.claim("films", &experiment.name)?;
    let pack = bench::pack(experiment)?;
    let (data, inputs) = data::open(experiment, &folder, &pack, progress)?;
    percept_io::fs::write_bytes(folder.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let mut record = Provenance::new(experiment.seed);
    record.inputs = inputs;
    record.settings.insert("experiment".to_owned(), experiment.resolved());
    for warning in &data.warnings {
        progress.warn(warning);
    }
    let clips = clips::Clips::new(experiment, &data)?;
    let bench = bench::Bench {
        experiment,
        data: &data,
        clips: &clips,
        pack: &pack,
        run: &folder,
        record: &record,
        seed: Seed::new(experiment.seed),
        progress,
    };
    let targets = targets::made(&bench)?;
    let decoded = decode::all(&bench, &targets)?;
    let spoken = spoken::contexts(&bench, &targets, &decoded)?;
    let arms = arms::made(&bench, &targets, &decoded, spoken.as_ref())?;
    let measured = measure::all(&bench, &arms)?;
    outcome::outcome(&bench, &targets, &decoded, &arms, &measured)
}
