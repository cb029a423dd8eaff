//! `percept stream`: a signal draws pictures, live or from a recording.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use percept::serve::{Settings as ServeSettings, random_token};
use percept::stream::controls::Controls;
use percept::stream::engine::Summary;
use percept::stream::measure::{self, Extent};
use percept::stream::session::{self, Request};
use percept::stream::settings::{Preset, Settings};
use percept::stream::sinks::files::Wanted;
use percept::stream::sinks::log::SourceOptions;
use percept::stream::sources::SourceWord;

use crate::arguments::{Stream, StreamPreset};
use crate::output::{json, say};

/// Where the page is unless the user says otherwise.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8077);

/// Streams, replays or measures.
pub(crate) fn run(arguments: Stream) -> anyhow::Result<()> {
    let wanted = Wanted { png: arguments.png, film: !arguments.no_film };
    if let Some(log) = &arguments.replay {
        let summary = session::replay(log, arguments.out.as_deref(), &wanted)?;
        return finish(&summary, arguments.json);
    }
    let settings = settings(&arguments)?;
    let (source, stream) = split(&arguments.source)?;
    let options = SourceOptions { rate_hz: arguments.rate, stream, seed: settings.seed };
    if arguments.measure {
        return measured(&arguments, &source, &options, &settings);
    }
    let word = SourceWord::parse(&source)?;
    if arguments.fast && !matches!(word, SourceWord::File(_) | SourceWord::Synthetic) {
        bail!("`--fast` cannot hurry a live source (leave it out)");
    }
    if arguments.rate.is_some() && matches!(word, SourceWord::Synthetic) {
        bail!("`--rate` is for recordings that do not say their rate (leave it out)");
    }
    let controls = Arc::new(Controls::default());
    stop_on_interrupt(controls.clone());
    let request = Request {
        serve: serve(&arguments)?,
        osc_out: arguments.osc_out,
        fast: arguments.fast,
        n_frames: arguments.frames,
        out: arguments.out.clone(),
        source,
        options,
        settings,
        wanted,
        controls,
    };
    let summary = session::run(&request, &mut |url| say(format!("page: {url}")))?;
    finish(&summary, arguments.json)
}

fn finish(summary: &Summary, print: bool) -> anyhow::Result<()> {
    let ms = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.1}"));
    say(format!(
        "{} pictures, {:.1} a second; latency {} ms (p50), {} ms (p99), {} ms (longest); {} dropped, {} gaps",
        summary.frames,
        summary.fps,
        ms(summary.latency_ms.p50),
        ms(summary.latency_ms.p99),
        ms(summary.latency_ms.max),
        summary.dropped,
        summary.gaps
    ));
    if print { json(summary) } else { Ok(()) }
}

/// The settings file with what the command line says in place of it.
fn settings(arguments: &Stream) -> anyhow::Result<Settings> {
    const MAX_BYTES: u64 = 1 << 20;
    let mut settings = match &arguments.settings {
        Some(path) => Settings::parse(&percept::io::fs::read_text(path, MAX_BYTES)?)?,
        None => Settings::default(),
    };
    match arguments.preset {
        Some(StreamPreset::Paper) => settings.latent.preset = Preset::Paper,
        Some(StreamPreset::Repo) => settings.latent.preset = Preset::Repo,
        None => {}
    }
    if let Some(pack) = &arguments.pack {
        settings.picture.pack.clone_from(pack);
    }
    if let Some(steps) = arguments.steps {
        settings.picture.steps = steps;
    }
    if let Some(seed) = arguments.seed {
        settings.seed = seed;
    }
    settings.check()?;
    Ok(settings)
}

/// A file and the stream inside it, as arrays are named everywhere.
fn split(source: &str) -> anyhow::Result<(String, Option<String>)> {
    if !matches!(SourceWord::parse(source)?, SourceWord::File(_)) || Path::new(source).exists() {
        return Ok((source.to_owned(), None));
    }
    if let Some((path, stream)) = source.rsplit_once(':')
        && Path::new(path).exists()
        && !stream.is_empty()
    {
        return Ok((path.to_owned(), Some(stream.to_owned())));
    }
    bail!("there is no `{source}` (name a recording, `synthetic`, {})", percept::stream::sources::FORMS)
}

/// Where the page is served, if at all.
fn serve(arguments: &Stream) -> anyhow::Result<Option<ServeSettings>> {
    if let Some(address) = arguments.listen {
        let token = match &arguments.token {
            Some(token) => token.clone(),
            None => random_token()?,
        };
        return Ok(Some(ServeSettings { address, token: Some(token) }));
    }
    let address = arguments.serve.unwrap_or(SocketAddr::from(ADDRESS));
    if !address.ip().is_loopback() {
        bail!(
            "`--serve {address}` would show the page to other machines (use `--listen {address}`, which asks for a token)"
        );
    }
    Ok((!arguments.no_serve).then_some(ServeSettings { address, token: None }))
}

fn measured(arguments: &Stream, source: &str, options: &SourceOptions, settings: &Settings) -> anyhow::Result<()> {
    let (SourceWord::File(path), Some(out)) = (SourceWord::parse(source)?, &arguments.out) else {
        bail!("`--measure` needs a recording (name a file with `--source`)");
    };
    let (report, measures) = measure::run(&path, &session::in_file(options), settings, Extent::default(), out)?;
    say(format!("report: {}", report.display()));
    if arguments.json { json(&measures) } else { Ok(()) }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets the first interrupt end the stream in order, and a second one end the program.
#[cfg(unix)]
fn stop_on_interrupt(controls: Arc<Controls>) {
    extern "C" fn note(signal: libc::c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
        // SAFETY: setting a signal's default action is allowed in a handler.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
    // SAFETY: the handler only stores into an atomic and resets the signal, both of which handlers may do.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGINT, note as *const () as libc::sighandler_t);
        libc::signal(libc::SIGTERM, note as *const () as libc::sighandler_t);
    }
    std::thread::spawn(move || {
        while !INTERRUPTED.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        controls.stop();
    });
}

#[cfg(not(unix))]
fn stop_on_interrupt(_controls: Arc<Controls>) {}
