//! `percept average RUNDIR...`: finished runs of `percept encode` as means over subjects.

use percept::methods::RunOptions;
use percept::methods::encoding::average::average;

use crate::arguments::Average;
use crate::output::{json, say};
use crate::progress::Bars;

/// Averages the runs and writes the report.
pub(crate) fn run(arguments: &Average) -> anyhow::Result<()> {
    let averaged = average(&arguments.runs, &arguments.out, RunOptions::default(), &Bars::new())?;
    let report = percept::report::write(&arguments.out, &averaged.outcome)?;
    say(format!("report: {}", report.display()));
    if arguments.json {
        json(&averaged.rows)?;
    }
    Ok(())
}
