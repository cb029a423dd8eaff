//! `percept reconstruct EXPERIMENT.toml`: an experiment from its file to its report.

use percept::methods::{self, Experiment, experiment};
use percept::pipeline::experiment::music::MusicExperiment;
use percept::pipeline::experiment::video::VideoExperiment;

use crate::arguments::Reconstruct;
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{RunSettings, default_out};

/// Runs the experiment in a file.
pub(crate) fn run(arguments: Reconstruct) -> anyhow::Result<()> {
    let settings = RunSettings::new(arguments.run, &default_out(&arguments.experiment)?)?;
    if MusicExperiment::is_one_in(&arguments.experiment) {
        return finish_music(&MusicExperiment::open(&arguments.experiment, &settings.overrides)?, &settings);
    }
    if VideoExperiment::is_one_in(&arguments.experiment) {
        return finish_video(&VideoExperiment::open(&arguments.experiment, &settings.overrides)?, &settings);
    }
    let experiment = experiment::open(&arguments.experiment, &settings.overrides)?;
    finish(&experiment, &settings)
}

/// Runs an experiment of films, writes its report, and says what came out.
pub(super) fn finish_video(experiment: &VideoExperiment, settings: &RunSettings) -> anyhow::Result<()> {
    const SHOWN: [&str; 4] = ["pixcorr", "twoway_clip", "flow_agreement", "direction"];
    let outcome = methods::video::run(experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &outcome)?;
    say(format!("report: {}", report.display()));
    if settings.json {
        return json(&outcome.scores);
    }
    let line =
        |name: &str, cells: [String; 4]| format!("{name:<16} {}", cells.map(|cell| format!("{cell:>22}")).join(" "));
    say(line("film", SHOWN.map(str::to_owned)));
    for arm in outcome.arms.iter().filter(|arm| arm.name != "stimulus") {
        let cell = |metric: &str| {
            let row = outcome.scores.iter().find(|row| row.method == arm.name && row.metric == metric);
            row.map_or("–".to_owned(), |row| format!("{:.3} [{:.3}, {:.3}]", row.value, row.low, row.high))
        };
        say(line(&arm.name, SHOWN.map(cell)));
    }
    Ok(())
}

/// Runs an experiment of music, writes its report, and says what came out.
pub(super) fn finish_music(experiment: &MusicExperiment, settings: &RunSettings) -> anyhow::Result<()> {
    let outcome = methods::music::run(experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &outcome)?;
    say(format!("report: {}", report.display()));
    if settings.json {
        return json(&outcome.scores);
    }
    say(format!("{:<18} {:<20} {:>24} {:>24}", "space", "split", "identification", "correlation"));
    for row in methods::music::table(&settings.out)? {
        let cell = |of: Option<[f64; 3]>| match of {
            Some([value, low, high]) if low < high => format!("{value:.3} [{low:.3}, {high:.3}]"),
            Some([value, ..]) => format!("{value:.3}"),
            None => "–".to_owned(),
        };
        let split = if row.is_published { "test, published" } else { row.split.as_str() };
        say(format!("{:<18} {split:<20} {:>24} {:>24}", row.target, cell(row.identification), cell(row.correlation)));
    }
    say("published: Denk et al. 2023, arXiv 2307.11078; other people, models and music, for reference");
    Ok(())
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
