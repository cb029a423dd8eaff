//! `percept report RUNDIR`: the report of a finished run, written again.

use crate::arguments::Report;
use crate::output::say;

/// Writes the report from the outcome in the run's folder.
pub(crate) fn run(arguments: &Report) -> anyhow::Result<()> {
    let report = percept::report::write_again(&arguments.run)?;
    say(format!("report: {}", report.display()));
    Ok(())
}
