//! The engine: one loop over what happens, from samples to encoded pictures.
//!
//! A thread asks the source and hands its events over a short queue; the engine takes all that have come, then draws the newest
//! frame that is complete. Frames that were complete before it are dropped and counted: pictures are late or current, never
//! queued. As fast as possible (a file, no clock) every frame is drawn and the source waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ndarray::Array3;
use serde::Serialize;

use crate::clock::{self, Durations};
use crate::controls::Controls;
use crate::error::{Result, StreamError};
use crate::picture::{Drawn, Job, Painter};
use crate::settings::Settings;
use crate::signal::{Frame, Signal};
use crate::source::{Event, Source, SourceError, SourceFacts};

/// Events between the two threads; a source that is faster waits.
const QUEUE: usize = 64;
/// How long the engine waits for an event before it looks at its controls.
const PATIENCE: Duration = Duration::from_millis(50);
/// Pictures over which the current rate is counted.
const RATE_FRAMES: usize = 60;

/// How a stream runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Draw every frame and let the source wait.
    pub fast: bool,
    /// Stop after so many pictures.
    pub n_frames: Option<u64>,
    /// Draw these frames only, by number: those of a log.
    pub only: Option<BTreeSet<u64>>,
}

/// A picture with everything about it.
pub struct Picture {
    /// The frame.
    pub frame: Frame,
    /// The hash of its latent (BLAKE3 of the little-endian numbers).
    pub latent_hash: blake3::Hash,
    /// Height × width × RGB.
    pub pixels: Array3<u8>,
    /// The same as a JPEG file.
    pub jpeg: Vec<u8>,
    /// Whether it is the picture of an earlier frame that hardly differs.
    pub kept: bool,
    /// Whether it is black because a viewer wanted it.
    pub blank: bool,
}

/// What came of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Pictures drawn.
    pub frames: u64,
    /// Pictures per second, from the first to the last.
    pub fps: f64,
    /// From the last sample of a window to the encoded picture, in milliseconds.
    pub latency_ms: Latency,
    /// Frames that were too late to be drawn.
    pub dropped: u64,
    /// Frames whose picture was kept from the frame before.
    pub skipped: u64,
    /// Places where samples are missing.
    pub gaps: u64,
    /// Times that the source was lost.
    pub lost: u64,
    /// Messages that made no sense.
    pub refused: u64,
    /// Values that were no numbers.
    pub bad_values: u64,
    /// The most memory that the process ever held, where the system says it.
    pub peak_bytes: Option<u64>,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<f64>,
    /// One in a hundred is longer.
    pub p99: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// What is known of a running stream.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Counts so far.
    pub summary: Summary,
    /// Pictures per second at the moment.
    pub fps_now: f64,
    /// Why the source is lost; `None` while samples come.
    pub lost: Option<String>,
    /// The last message that made no sense.
    pub refused: Option<String>,
}

/// Whoever is shown pictures: a page, files, a log.
pub trait Sink {
    /// A picture, as soon as it is encoded.
    ///
    /// # Errors
    /// When it cannot go on; the stream ends then.
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()>;

    /// What the source said, in order with the samples.
    ///
    /// # Errors
    /// As [`Self::picture`].
    fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }

    /// Now and then, whether there are pictures or not.
    ///
    /// # Errors
    /// As [`Self::picture`].
    fn status(&mut self, _status: &Status, _signal: Option<&Signal>) -> Result<()> {
        Ok(())
    }

    /// After the last picture.
    ///
    /// # Errors
    /// When something could not be written to its end.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A stream that runs.
pub struct Engine<'a> {
    settings: &'a Settings,
    painter: Painter<Pending>,
    sinks: &'a mut [Box<dyn Sink>],
    controls: Arc<Controls>,
    run: Run,
    signal: Option<Signal>,
    /// The newest frame that waits to be drawn.
    newest: Option<Frame>,
    status: Status,
    latency: Durations,
    shown: Vec<Instant>,
    first: Option<Instant>,
    bad_before: u64,
    next_frame: u64,
}

/// What goes through the painter with a latent.
pub struct Pending {
    frame: Frame,
    hash: blake3::Hash,
    begun: Instant,
}

impl<'a> Engine<'a> {
    /// An engine with an open painter.
    pub fn new(
        settings: &'a Settings,
        painter: Painter<Pending>,
        sinks: &'a mut [Box<dyn Sink>],
        controls: Arc<Controls>,
        run: Run,
    ) -> Self {
        Self {
            settings,
            painter,
            sinks,
            controls,
            run,
            signal: None,
            newest: None,
            status: Status::default(),
            latency: Durations::default(),
            shown: Vec::new(),
            first: None,
            bad_before: 0,
            next_frame: 0,
        }
    }

    /// Runs until the source ends, enough pictures are drawn, or the controls say stop.
    ///
    /// # Errors
    /// What the source, the models or a sink cannot go on with.
    pub fn run(mut self, source: Box<dyn Source>) -> Result<Summary> {
        let (sender, receiver) = sync_channel(QUEUE);
        let controls = self.controls.clone();
        let thread = std::thread::Builder::new()
            .name("percept-source".into())
            .spawn(move || ask(source, &sender, &controls))
            .map_err(|error| StreamError::System { what: "a thread for the source", error })?;
        let result = self.attend(&receiver);
        // The source's thread ends with its queue.
        drop(receiver);
        self.controls.stop();
        let _ = thread.join();
        let finished = self.sinks.iter_mut().map(|sink| sink.finish()).collect::<Vec<_>>();
        result?;
        finished.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(self.summary())
    }

    fn attend(&mut self, events: &Receiver<Said>) -> Result<()> {
        let mut told = clock::now();
        loop {
            let mut going = match events.recv_timeout(PATIENCE) {
                Ok(said) => self.hear(said?)?,
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            // Everything that has come, so that the frame drawn next is the newest.
            while going && !self.run.fast {
                match events.try_recv() {
                    Ok(said) => going = self.hear(said?)?,
                    Err(_) => break,
                }
            }
            if let Some(frame) = self.newest.take() {
                self.draw(frame)?;
            }
            if !going || self.is_enough() || self.controls.is_stopped() {
                return self.flush();
            }
            if clock::now() - told >= PATIENCE {
                told = clock::now();
                self.tell()?;
            }
        }
    }

    fn is_enough(&self) -> bool {
        self.run.n_frames.is_some_and(|n| self.status.summary.frames >= n)
    }

    /// Takes one event; false at the end of the source.
    fn hear(&mut self, event: Event) -> Result<bool> {
        for sink in self.sinks.iter_mut() {
            sink.event(&event)?;
        }
        match event {
            Event::Facts(facts) => self.begin(&facts)?,
            Event::Samples(block) => {
                if let Some(signal) = &mut self.signal {
                    self.status.lost = None;
                    signal.push(&block);
                    self.take_frames()?;
                }
            }
            Event::Gap(_) => self.status.summary.gaps += 1,
            Event::Value(name, value) => {
                if let Some(signal) = &mut self.signal {
                    signal.hear(&name, value);
                }
            }
            Event::Lost(why) => {
                self.status.summary.lost += 1;
                self.status.lost = Some(why);
            }
            Event::Back => self.status.lost = None,
            Event::Refused(why) => {
                self.status.summary.refused += 1;
                self.status.refused = Some(why);
            }
            Event::End => return Ok(false),
        }
        Ok(true)
    }

    /// Begins a signal. One that the settings do not fit ends a stream that has not begun; later it counts as a lost source.
    fn begin(&mut self, facts: &SourceFacts) -> Result<()> {
        self.newest = None;
        if let Some(before) = self.signal.take() {
            self.next_frame = before.next_frame();
            self.bad_before += before.n_bad();
        }
        match Signal::new(self.settings, facts, self.painter.n_latent(), self.next_frame) {
            Ok(signal) => self.signal = Some(signal),
            Err(error) if self.next_frame > 0 => {
                self.status.summary.lost += 1;
                self.status.lost = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Keeps the newest frame, or draws all of them when time does not count.
    fn take_frames(&mut self) -> Result<()> {
        while let Some(frame) = self.signal.as_mut().and_then(Signal::frame) {
            if self.run.only.as_ref().is_some_and(|only| !only.contains(&frame.frame_idx)) {
                continue;
            }
            if self.run.fast {
                if !self.is_enough() {
                    self.draw(frame)?;
                }
            } else if self.newest.replace(frame).is_some() && !self.controls.is_paused() {
                self.status.summary.dropped += 1;
            }
        }
        Ok(())
    }

    fn draw(&mut self, frame: Frame) -> Result<()> {
        if self.controls.is_paused() {
            return Ok(());
        }
        let begun = clock::now();
        let Some(latent) = self.signal.as_ref().and_then(|signal| signal.latent(&frame)) else {
            self.status.summary.dropped += 1;
            return Ok(());
        };
        let hash = latent_hash(&latent);
        let weights = frame.state.weights.clone();
        let drawn = self.painter.draw(Job { tag: Pending { frame, hash, begun }, latent, weights })?;
        drawn.map_or(Ok(()), |drawn| self.show(drawn))
    }

    fn flush(&mut self) -> Result<()> {
        while let Some(drawn) = self.painter.flush()? {
            if !self.is_enough() {
                self.show(drawn)?;
            }
        }
        self.tell()
    }

    fn show(&mut self, drawn: Drawn<Pending>) -> Result<()> {
        const QUALITY: u8 = 92;
        let Pending { frame, hash, begun } = drawn.tag;
        let mut pixels = drawn.picture;
        let blank = self.controls.is_blank();
        if blank {
            pixels.fill(0);
        }
        let jpeg = percept_io::picture::encode_jpeg(pixels.view(), QUALITY)?;
        let now = clock::now();
        let from = if self.run.fast { begun } else { frame.measured.unwrap_or(begun) };
        self.latency.add(now.saturating_duration_since(from));
        self.first.get_or_insert(now);
        self.shown.push(now);
        if self.shown.len() > RATE_FRAMES {
            self.shown.remove(0);
        }
        self.status.summary.frames += 1;
        let picture = Arc::new(Picture { frame, latent_hash: hash, pixels, jpeg, kept: drawn.kept, blank });
        for sink in self.sinks.iter_mut() {
            sink.picture(&picture)?;
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        self.status.summary = self.summary();
        self.status.fps_now = per_second(&self.shown);
        for sink in self.sinks.iter_mut() {
            sink.status(&self.status, self.signal.as_ref())?;
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        let whole = [self.first, self.shown.last().copied()].into_iter().flatten().collect::<Vec<_>>();
        let n = self.status.summary.frames;
        Summary {
            fps: if whole.len() == 2 { per_second(&whole) * n.saturating_sub(1) as f64 } else { 0.0 },
            latency_ms: Latency {
                p50: self.latency.quantile_ms(0.5),
                p99: self.latency.quantile_ms(0.99),
                max: (n > 0).then(|| self.latency.max_ms()),
            },
            skipped: self.painter.n_skipped(),
            bad_values: self.bad_before + self.signal.as_ref().map_or(0, Signal::n_bad),
            peak_bytes: percept_io::machine::peak_bytes(),
            ..self.status.summary.clone()
        }
    }
}

/// The hash of a latent.
pub(crate) fn latent_hash(latent: &[f32]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for value in latent {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize()
}

/// Steps between moments per second.
fn per_second(moments: &[Instant]) -> f64 {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return 0.0 };
    let seconds = (*last - *first).as_secs_f64();
    if seconds > 0.0 { (moments.len() - 1) as f64 / seconds } else { 0.0 }
}

/// What the source's thread hands over.
type Said = std::result::Result<Event, SourceError>;

/// Asks a source until it ends or nobody listens.
fn ask(mut source: Box<dyn Source>, events: &SyncSender<Said>, controls: &Controls) {
    while !controls.is_stopped() {
        let said = match source.next(PATIENCE) {
            Ok(Some(event)) => Ok(event),
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        let over = matches!(said, Err(_) | Ok(Event::End));
        let measured_now = |event| match event {
            Event::Samples(mut block) => {
                block.measured.get_or_insert_with(clock::now);
                Event::Samples(block)
            }
            other => other,
        };
        if events.send(said.map(measured_now)).is_err() || over {
            return;
        }
    }
}
