//! `percept encode EXPERIMENT.toml`: features of models to voxels, from the file to the report.

use percept::methods::encoding::{self, EncodingExperiment};

use crate::arguments::Encode;
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{RunSettings, default_out};

/// Runs the experiment in a file.
pub(crate) fn run(arguments: Encode) -> anyhow::Result<()> {
    let settings = RunSettings::new(arguments.run, &default_out(&arguments.experiment)?)?;
    let experiment = EncodingExperiment::open(&arguments.experiment, &settings.overrides)?;
    let encoded = encoding::run(&experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &encoded.outcome)?;
    say(format!("report: {}", report.display()));
    if settings.json {
        json(&encoded.rows)?;
    }
    Ok(())
}
