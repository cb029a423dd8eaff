//! `percept demo`: the whole way from a simulated subject to a report, with nothing but what is in the program.

use std::path::Path;

use percept::methods::{self, experiment};

use crate::arguments::Demo;
use crate::commands::reconstruct::{finish, finish_music, finish_video};
use crate::settings::RunSettings;

const OUT: &str = "percept-demo";
const MUSIC_OUT: &str = "percept-demo-music";
const VIDEO_OUT: &str = "percept-demo-video";

/// Runs the built-in experiment.
pub(crate) fn run(demo: Demo) -> anyhow::Result<()> {
    if demo.music {
        let settings = RunSettings::new(demo.run, Path::new(MUSIC_OUT))?;
        return finish_music(&methods::music::demo(&settings.overrides)?, &settings);
    }
    if demo.video {
        let settings = RunSettings::new(demo.run, Path::new(VIDEO_OUT))?;
        return finish_video(&methods::video::demo(&settings.overrides)?, &settings);
    }
    let settings = RunSettings::new(demo.run, Path::new(OUT))?;
    let experiment = experiment::demo(&settings.overrides)?;
    finish(&experiment, &settings)
}
