//! A stream from what the user asks for to what came of it: sources and sinks are opened, the engine runs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percept_io::recording::Options;
use percept_serve::Settings as ServeSettings;

use crate::controls::Controls;
use crate::engine::{Engine, Run, Sink, Summary};
use crate::error::Result;
use crate::page::Page;
use crate::picture::Painter;
use crate::settings::Settings;
use crate::sinks::files::{Files, Wanted};
use crate::sinks::log::{self, Check, Line, Log, Recorded, SourceOptions};
use crate::sinks::osc::OscOut;
use crate::source::Source;
use crate::sources::replay::{self, Pace};
use crate::sources::{SourceWord, file, open_live};

/// A stream as it is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The word that names the source.
    pub source: String,
    /// What it is opened with.
    pub options: SourceOptions,
    /// How signals become pictures.
    pub settings: Settings,
    /// Whether a recording is read as fast as pictures can be drawn.
    pub fast: bool,
    /// Stop after so many pictures.
    pub n_frames: Option<u64>,
    /// The folder for the log, films and pictures.
    pub out: Option<PathBuf>,
    /// What is written into it beside the log.
    pub wanted: Wanted,
    /// Where the page is served; `None` for no page.
    pub serve: Option<ServeSettings>,
    /// Where numbers go as OSC messages.
    pub osc_out: Option<SocketAddr>,
    /// The switches, for whoever else turns them.
    pub controls: Arc<Controls>,
}

impl Request {
    /// The source that `source` names in its own time, without a page or files, until it ends or `controls` stop it.
    pub fn new(source: &str, settings: Settings, controls: Arc<Controls>) -> Self {
        Self {
            source: source.to_owned(),
            options: SourceOptions::default(),
            settings,
            fast: false,
            n_frames: None,
            out: None,
            wanted: Wanted::default(),
            serve: None,
            osc_out: None,
            controls,
        }
    }
}

/// Opens what a word names.
///
/// # Errors
/// When it is not there or cannot be used.
pub fn open_source(word: &str, options: &SourceOptions, pace: Pace) -> Result<Box<dyn Source>> {
    Ok(match SourceWord::parse(word)? {
        SourceWord::Synthetic => Box::new(replay::synthetic(options.seed, pace)),
        SourceWord::File(path) => Box::new(file::open(&path, &in_file(options), pace)?),
        live => open_live(&live, options.rate_hz)?,
    })
}

/// What a file is opened with.
pub fn in_file(options: &SourceOptions) -> Options {
    Options { rate_hz: options.rate_hz, stream: options.stream.clone(), ..Options::default() }
}

/// Whether a source cannot be asked for the same samples again.
fn is_live(word: &str) -> Result<bool> {
    Ok(!matches!(SourceWord::parse(word)?, SourceWord::Synthetic | SourceWord::File(_)))
}

/// Runs a stream to its end. `announce` is told the address of the page once it is served.
///
/// # Errors
/// What could not be opened, or could not go on.
pub fn run(request: &Request, announce: &mut dyn FnMut(&str)) -> Result<Summary> {
    request.settings.check()?;
    let pace = if request.fast { Pace::Fast } else { Pace::RealTime };
    let source = open_source(&request.source, &request.options, pace)?;
    let painter = Painter::open(&request.settings)?;
    let controls = request.controls.clone();
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(serve) = &request.serve {
        let page = Page::start(serve, &request.settings, painter.side(), controls.clone(), request.out.is_some())?;
        announce(&page.url());
        sinks.push(Box::new(page));
    }
    if let Some(to) = request.osc_out {
        sinks.push(Box::new(OscOut::new(to)?));
    }
    if let Some(folder) = &request.out {
        let live = is_live(&request.source)?;
        sinks.push(Box::new(Log::new(folder, &request.source, &request.options, &request.settings, live)?));
        sinks.push(Box::new(Files::new(folder, &request.wanted, request.settings.fps, controls.clone())?));
    }
    let run = Run { fast: request.fast, n_frames: request.n_frames, only: None };
    Engine::new(&request.settings, painter, &mut sinks, controls, run).run(source)
}

/// Draws the pictures of a log again, into `out` if it is given, and compares latents and pictures with the log.
///
/// # Errors
/// [`StreamError::Replay`](crate::error::StreamError::Replay) for the first that differs; as [`run`].
pub fn replay(path: &Path, out: Option<&Path>, wanted: &Wanted) -> Result<Summary> {
    let logged = log::read(path)?;
    let source: Box<dyn Source> = match &logged.samples {
        Some(folder) => Box::new(Recorded::open(&logged, folder)?),
        None => open_source(&logged.source, &logged.options, Pace::Fast)?,
    };
    let frames = logged.lines.iter().filter_map(|line| match line {
        Line::Frame { frame_idx, .. } => Some(*frame_idx),
        _ => None,
    });
    let only: BTreeSet<u64> = frames.collect();
    let controls = Arc::new(Controls::default());
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(Check::new(&logged))];
    if let Some(folder) = out {
        sinks.push(Box::new(Files::new(folder, wanted, logged.settings.fps, controls.clone())?));
    }
    let run = Run { fast: true, n_frames: Some(only.len() as u64), only: Some(only) };
    Engine::new(&logged.settings, Painter::open(&logged.settings)?, &mut sinks, controls, run).run(source)
}
