//! The page of a stream: the picture, traces, spectrum, state, counts and switches, in a browser on this machine.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page |
//! | `/film.mjpg` | motion JPEG, for OBS, TouchDesigner and `<img>` |
//! | `/frames` | WebSocket: one JPEG file per message |
//! | `/status` | WebSocket: one JSON object per message, ten a second |
//! | `/status.json` | the newest of them |
//! | `/snapshot.png` | the picture at the moment |
//! | `/control` | POST `{"pause": true}`, `blank`, `record`, `stop` |
//!
//! Viewers come and go without the engine's notice: it hands pictures to a broadcast and never waits.

use std::sync::{Arc, Mutex, PoisonError};

use percept_serve::{Broadcast, Message, Reply, Request, Routes, Server, Settings as ServeSettings};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::controls::Controls;
use crate::engine::{Picture, Sink, Status};
use crate::error::Result;
use crate::settings::Settings;
use crate::signal::Signal;
use crate::source::Event;

const HTML: &str = include_str!("assets/stream.html");
const STYLE: &str = include_str!("assets/stream.css");
const SCRIPT: &str = include_str!("assets/stream.js");

/// Channels whose traces are shown.
const TRACES: usize = 8;
/// Points of a trace, and the seconds that they span.
const POINTS: usize = 250;
const SECONDS: f64 = 2.0;
/// The highest frequency of the spectrum that is shown, in Hz.
const HIGHEST_HZ: f64 = 100.0;
/// Every how many-th status is sent.
const EVERY: u64 = 2;

/// The page and its server.
pub struct Page {
    server: Server,
    frames: Broadcast,
    status: Broadcast,
    shared: Arc<Shared>,
    controls: Arc<Controls>,
    prompts: Vec<String>,
    can_record: bool,
    n_told: u64,
    side: usize,
    steps: usize,
}

#[derive(Default)]
struct Shared {
    picture: Mutex<Option<Arc<Picture>>>,
    status: Mutex<Value>,
}

/// What a viewer may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    pause: Option<bool>,
    blank: Option<bool>,
    record: Option<bool>,
    stop: Option<bool>,
}

impl Page {
    /// Serves the page from now on. `can_record` says whether there is a folder for films.
    ///
    /// # Errors
    /// When the address cannot be had, or would let strangers in.
    pub fn start(
        serve: &ServeSettings,
        settings: &Settings,
        side: usize,
        controls: Arc<Controls>,
        can_record: bool,
    ) -> Result<Self> {
        let (frames, status) = (Broadcast::new(), Broadcast::new());
        let shared = Arc::new(Shared::default());
        let (of_status, of_picture, of_control) = (shared.clone(), shared.clone(), controls.clone());
        let routes = Routes::new()
            .file("/", "text/html; charset=utf-8", HTML)
            .file("/stream.css", "text/css; charset=utf-8", STYLE)
            .file("/stream.js", "text/javascript; charset=utf-8", SCRIPT)
            .motion_jpeg("/film.mjpg", &frames)
            .socket("/frames", &frames, |_| {})
            .socket("/status", &status, |_| {})
            .get("/status.json", move |_| Reply::json(&*lock(&of_status.status)))
            .get("/snapshot.png", move |_| snapshot(&of_picture))
            .post("/control", move |request| control(&request, &of_control, can_record));
        let server = Server::start(serve, routes)?;
        let prompts = settings.prompt.iter().map(|prompt| prompt.text.clone()).collect();
        let steps = settings.picture.steps;
        Ok(Self { server, frames, status, shared, controls, prompts, can_record, n_told: 0, side, steps })
    }

    /// The address to open.
    pub fn url(&self) -> String {
        self.server.url()
    }

    fn report(&self, status: &Status, signal: Option<&Signal>) -> Value {
        let picture = lock(&self.shared.picture).clone();
        let frame = picture.as_ref().map(|picture| &picture.frame);
        let state = frame.map(|frame| &frame.state);
        let weights = state.map(|state| state.weights.clone()).unwrap_or_default();
        let prompts: Vec<Value> = self
            .prompts
            .iter()
            .enumerate()
            .map(|(i, text)| json!({ "text": text, "weight": weights.get(i) }))
            .collect();
        json!({
            "frame": frame.map(|frame| frame.frame_idx),
            "sample": frame.map(|frame| frame.sample_idx),
            "fps": short(status.fps_now),
            "summary": status.summary,
            "lost": status.lost,
            "refused": status.refused,
            "source": signal.map(|signal| json!({
                "name": signal.facts().name,
                "rate_hz": signal.facts().rate_hz,
                "channels": signal.facts().channels.len(),
            })),
            "latent": signal.map(Signal::words),
            "side": self.side,
            "steps": self.steps,
            "values": state.map(|state| state.values.iter().map(|(k, v)| (k.clone(), short(*v))).collect::<std::collections::BTreeMap<_, _>>()),
            "prompts": prompts,
            "traces": signal.map(traces),
            "spectrum": signal.and_then(spectrum),
            "paused": self.controls.is_paused(),
            "blank": self.controls.is_blank(),
            "recording": self.controls.is_recording(),
            "can_record": self.can_record,
            "viewers": self.frames.n_viewers(),
        })
    }
}

impl Sink for Page {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        *lock(&self.shared.picture) = Some(picture.clone());
        self.frames.send(Message::binary(picture.jpeg.clone()));
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        if matches!(event, Event::Facts(_) | Event::Lost(_) | Event::Back) {
            // Told with the next status, whichever that is.
            self.n_told = 0;
        }
        Ok(())
    }

    fn status(&mut self, status: &Status, signal: Option<&Signal>) -> Result<()> {
        if self.n_told.is_multiple_of(EVERY) {
            let report = self.report(status, signal);
            if self.status.n_viewers() > 0 {
                self.status.send(Message::text(report.to_string()));
            }
            *lock(&self.shared.status) = report;
        }
        self.n_told += 1;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn snapshot(shared: &Shared) -> Reply {
    let picture = lock(&shared.picture).clone();
    match picture.map(|picture| percept_io::picture::encode_png(picture.pixels.view())) {
        Some(Ok(png)) => Reply::bytes("image/png", png),
        Some(Err(error)) => Reply { status: 500, ..Reply::text(error.to_string()) },
        None => Reply::absent(),
    }
}

fn control(request: &Request, controls: &Controls, can_record: bool) -> Reply {
    let wish: Wish = match request.json() {
        Ok(wish) => wish,
        Err(reply) => return reply,
    };
    if wish.record == Some(true) && !can_record {
        return Reply::refused("there is no folder for films (start with `--out DIR`)");
    }
    wish.pause.into_iter().for_each(|on| controls.pause(on));
    wish.blank.into_iter().for_each(|on| controls.blank(on));
    wish.record.into_iter().for_each(|on| controls.record(on));
    if wish.stop == Some(true) {
        controls.stop();
    }
    Reply::done()
}

/// A number with four digits, as JSON needs no more; what is no number becomes null.
fn short(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    if value == 0.0 {
        return json!(0);
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    json!((value * scale).round() / scale)
}

/// Names, unit and last seconds of some channels, spread evenly; voltages in microvolts.
fn traces(signal: &Signal) -> Value {
    let (rate_hz, n_channels) = signal.shape();
    let n = (SECONDS * rate_hz) as usize;
    let Some(rows) = signal.newest(n) else { return json!([]) };
    let shown = n_channels.min(TRACES);
    let stride = (rows.nrows() / POINTS).max(1);
    let unit = signal.facts().channels.first().map_or("", |channel| channel.unit.as_str());
    let (factor, unit) = if unit == "V" { (1e6, "µV") } else { (1.0, unit) };
    let curves: Vec<Value> = (0..shown)
        .map(|i| {
            let column = rows.column(i * n_channels / shown);
            json!(column.iter().step_by(stride).map(|value| short(value * factor)).collect::<Vec<_>>())
        })
        .collect();
    json!({ "unit": unit, "seconds": SECONDS, "curves": curves })
}

/// The spectrum in decibels, up to a hundred hertz.
fn spectrum(signal: &Signal) -> Option<Value> {
    let spectrum = signal.tracker().spectrum()?;
    let shown = spectrum.density.iter().take((HIGHEST_HZ / spectrum.step_hz) as usize + 1);
    let decibels: Vec<Value> = shown.map(|density| short(10.0 * density.max(1e-30).log10())).collect();
    Some(json!({ "step_hz": spectrum.step_hz, "decibels": decibels }))
}
