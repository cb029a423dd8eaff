//! `percept reconstruct EXPERIMENT.toml`: an experiment from its file to its report.

use percept::methods::{self, Experiment, experiment};

use crate::arguments::Reconstruct;
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{RunSettings, default_out};

/// Runs the experiment in a file.
pub(crate) fn run(arguments: Reconstruct) -> anyhow::Result<()> {
    let settings = RunSettings::new(arguments.run, &default_out(&arguments.experiment)?)?;
    let experiment = experiment::open(&arguments.experiment, &settings.overrides)?;
    finish(&experiment, &settings)
}

/// Runs `experiment`, writes its report, and says where it is.
pub(super) fn finish(experiment: &Experiment, settings: &RunSettings) -> anyhow::Result<()> {
    let outcome = methods::run(experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &outcome)?;
    say(format!("report: {}", report.display()));
    if settings.json {
        json(&outcome.scores)?;
    }
    Ok(())
}
