//! `percept demo`: the whole way from a simulated subject to a report, with nothing but what is in the program.

use std::path::Path;

use percept::methods::experiment;

use crate::arguments::Demo;
use crate::commands::reconstruct::finish;
use crate::settings::RunSettings;

const OUT: &str = "percept-demo";

/// Runs the built-in experiment.
pub(crate) fn run(demo: Demo) -> anyhow::Result<()> {
    let settings = RunSettings::new(demo.run, Path::new(OUT))?;
    let experiment = experiment::demo(&settings.overrides)?;
    finish(&experiment, &settings)
}
