//! `percept doctor nsd DIR --recipe NAME`: what a recipe needs, what of it is here and whole, and how large the rest is.

use anyhow::bail;
use percept::io::nsd::NsdTree;
use percept::io::nsd::doctor::{Depth, Outcome, Recipe, Report, examine};

use crate::arguments::DoctorNsd;
use crate::output::{bytes, json, say};
use crate::progress::Bars;

/// Checks a folder of the Natural Scenes Dataset.
pub(crate) fn nsd(arguments: &DoctorNsd) -> anyhow::Result<()> {
    let mut recipe = Recipe::named(&arguments.recipe)?;
    if !arguments.subjects.is_empty() {
        recipe = recipe.for_subjects(&arguments.subjects);
    }
    let tree = NsdTree::open(&arguments.dir)?;
    let depth = if arguments.values { Depth::Values } else { Depth::Headers };
    let report = examine(&tree, &recipe, depth, &Bars::new());
    if arguments.json {
        json(&report)?;
    } else {
        print(&report, &recipe);
    }
    if !report.is_usable {
        let n_failed = report.checks.iter().filter(|check| check.outcome == Outcome::Failed).count();
        bail!(
            "the data cannot be used for `{}`: {} missing, {} failed (the list says what to do about each)",
            report.recipe,
            counted(report.missing.len(), "file"),
            counted(n_failed, "check")
        );
    }
    Ok(())
}

fn print(report: &Report, recipe: &Recipe) {
    say(format!("{}: {}", recipe.name, recipe.about));
    for subject in &report.subjects {
        let shape = subject.shape.map_or_else(String::new, |[x, y, z]| format!(", {x} × {y} × {z} voxels"));
        say(format!(
            "\n{}: {} of {} sessions{shape}",
            subject.name,
            subject.sessions_present.len(),
            subject.sessions_needed.len()
        ));
        for region in &subject.regions {
            say(format!("  {} has {} voxels", region.atlas, region.n_voxels));
            for (label, n_voxels) in &region.labels {
                say(format!("    {label} {n_voxels}"));
            }
        }
        for session in &subject.sessions {
            say(format!(
                "  session {}: {} of {} voxels not measured, {} saturated values in {} voxels, {} not a number",
                session.session,
                session.n_unmeasured_voxels,
                session.n_voxels,
                session.n_saturated_values,
                session.n_saturated_voxels,
                session.n_nan_values
            ));
        }
    }
    say("");
    for check in &report.checks {
        let mark = match check.outcome {
            Outcome::Passed => "passed ",
            Outcome::Warning => "warning",
            Outcome::Failed => "FAILED ",
            Outcome::Skipped => "skipped",
        };
        let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
        say(format!("{mark}  {}{detail}", check.name));
    }
    if report.missing.is_empty() {
        say("\nno file is missing");
        return;
    }
    say(format!("\nmissing: {}, {}", counted(report.missing.len(), "file"), total(report)));
    for file in &report.missing {
        let size = match file.bytes {
            Some(n) if file.is_estimate => format!("about {}", bytes(n)),
            Some(n) => bytes(n),
            None => "size not known".to_owned(),
        };
        say(format!("  {} ({size}; {})\n    from {}", file.path, file.purpose, file.source));
    }
}

fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn total(report: &Report) -> String {
    match report.n_unknown_sizes {
        0 => format!("{} in all", bytes(report.missing_bytes)),
        n => format!("{} and {n} of unknown size", bytes(report.missing_bytes)),
    }
}
