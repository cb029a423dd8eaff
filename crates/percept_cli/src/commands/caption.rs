//! `percept caption`: captions of the stimuli in an experiment, or of vision tokens that the user has.

use anyhow::Context;
use percept::methods::{captions, experiment};

use crate::arguments::Caption;
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{RunSettings, default_out};

/// Decodes captions as the experiment says, or puts given tokens into words.
pub(crate) fn run(arguments: Caption) -> anyhow::Result<()> {
    if let Some(features) = &arguments.features {
        let out = arguments.run.out.as_deref().context("`--features` needs `--out`")?;
        let experiment = captions::of_given(&arguments.run.overrides)?;
        let found = captions::caption_given(features, &experiment, out, &Bars::new())?;
        say(format!("captions: {}", out.join("captions.csv").display()));
        return if arguments.run.json { json(&found) } else { Ok(()) };
    }
    let file = arguments.experiment.context("no experiment was named")?;
    let settings = RunSettings::new(arguments.run, &default_out(&file)?)?;
    let experiment = experiment::open(&file, &settings.overrides)?;
    let outcome = captions::caption(&experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &outcome)?;
    say(format!("captions: {}", settings.out.join("captions.csv").display()));
    say(format!("report: {}", report.display()));
    if settings.json {
        json(&outcome.scores)?;
    }
    Ok(())
}
