//! From events to frames: the part of a stream that is the same whenever and however fast samples come.
//!
//! Frame `k` ends with row `n_window + ⌊k · rate / fps⌋` of the filtered signal. Which frames there are, their latents and their
//! states depend on the samples alone; which of them are drawn in time is the engine's affair.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::Seed;

use crate::chain::Chain;
use crate::error::Result;
use crate::latent::Latents;
use crate::ring::Ring;
use crate::settings::Settings;
use crate::source::{Block, SourceFacts};
use crate::state::{State, Tracker};

/// Frames that may wait; the engine takes them after every block.
const MAX_WAITING: usize = 4096;

/// A frame that can be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number.
    pub frame_idx: u64,
    /// The number of the source's sample that its window ends with.
    pub sample_idx: u64,
    /// The row after its window.
    end: u64,
    /// When that sample was measured.
    pub measured: Option<Instant>,
    /// The signal's state.
    pub state: State,
}

/// A signal on its way to frames.
pub struct Signal {
    facts: SourceFacts,
    chain: Chain,
    ring: Ring,
    /// The source's own samples of channels whose deviation is wanted.
    raw: Option<Ring>,
    /// Samples that came.
    n_in: u64,
    latents: Latents,
    tracker: Tracker,
    fps: f64,
    first_frame: u64,
    next: u64,
    /// Stretches without a gap: how many samples had come before, and the number of the first one.
    stretches: VecDeque<(u64, u64)>,
    waiting: VecDeque<Frame>,
}

impl Signal {
    /// A signal of a source, for latents of `n_latent` numbers; frames are counted from `first_frame`.
    ///
    /// # Errors
    /// Settings that do not fit the source.
    pub fn new(settings: &Settings, facts: &SourceFacts, n_latent: usize, first_frame: u64) -> Result<Self> {
        let chain = Chain::new(&settings.latent, facts)?;
        let seed = Seed::new(settings.seed);
        let latents = Latents::new(&settings.latent, chain.n_channels(), chain.rate_hz(), n_latent, seed)?;
        let tracker = Tracker::new(settings, facts, chain.rate_hz())?;
        // Frames that wait while a picture is drawn need their windows still: a second's worth.
        let second = (chain.rate_hz() * (1.0 + 1.0 / settings.fps)).ceil() as usize;
        let kept = latents.n_window().max(tracker.n_window()) + second;
        Ok(Self {
            ring: Ring::new(chain.n_channels(), chain.rate_hz(), kept),
            raw: (!tracker.channels().is_empty())
                .then(|| Ring::new(tracker.channels().len(), facts.rate_hz, kept * chain.keep_every())),
            n_in: 0,
            facts: facts.clone(),
            chain,
            latents,
            tracker,
            fps: settings.fps,
            first_frame,
            next: first_frame,
            stretches: VecDeque::new(),
            waiting: VecDeque::new(),
        })
    }

    /// What the source said of itself.
    pub fn facts(&self) -> &SourceFacts {
        &self.facts
    }

    /// How latents are made, in words.
    pub fn words(&self) -> String {
        self.latents.words(self.chain.n_channels(), self.chain.rate_hz())
    }

    /// Rows per second after the filters, and channels.
    pub fn shape(&self) -> (f64, usize) {
        (self.chain.rate_hz(), self.chain.n_channels())
    }

    /// The follower of the signal's state.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Values that were no numbers.
    pub fn n_bad(&self) -> u64 {
        self.chain.n_bad()
    }

    /// The number of the frame after the last that came.
    pub fn next_frame(&self) -> u64 {
        self.next
    }

    /// A value by name, valid from the next frame on.
    pub fn hear(&mut self, name: &str, value: f64) {
        self.tracker.hear(name, value);
    }

    /// Takes samples; [`Self::frame`] hands out the frames that they complete.
    pub fn push(&mut self, block: &Block) {
        let n_before = self.n_in;
        let follows = self.stretches.back().is_some_and(|(n, first)| first + (n_before - n) == block.first_sample);
        if !follows && block.samples.nrows() > 0 {
            self.stretches.push_back((n_before, block.first_sample));
            if self.stretches.len() > MAX_WAITING {
                self.stretches.pop_front();
            }
        }
        // Piece by piece, so that a long block is no other signal than many short ones.
        let piece = (self.facts.rate_hz / self.fps).ceil().max(1.0) as usize;
        let n = block.samples.nrows();
        for start in (0..n).step_by(piece) {
            let end = (start + piece).min(n);
            let rows = block.samples.slice(s![start..end, ..]);
            let back = Duration::from_secs_f64((n - end) as f64 / self.facts.rate_hz);
            let measured = block.measured.and_then(|time| time.checked_sub(back));
            if rows.ncols() == self.facts.channels.len() {
                if let Some(raw) = &mut self.raw {
                    raw.push(&rows.select(Axis(1), self.tracker.channels()), measured);
                }
                self.n_in += rows.nrows() as u64;
                let rows = self.chain.push(rows);
                self.ring.push(&rows, measured);
                self.complete();
            }
        }
    }

    /// Puts the frames that are complete into the queue.
    fn complete(&mut self) {
        loop {
            let hop = ((self.next - self.first_frame) as f64 * self.chain.rate_hz() / self.fps).floor() as u64;
            let end = self.latents.n_window() as u64 + hop;
            if end > self.ring.end() {
                return;
            }
            let n_raw = (end - 1) * self.chain.keep_every() as u64 + 1;
            let n_window = self.tracker.n_window();
            let rows = self.ring.window(end, n_window);
            let raw = self.raw.as_ref().and_then(|raw| raw.window(n_raw, n_window * self.chain.keep_every()));
            let state = self.tracker.step(rows, raw);
            let stretch = self.stretches.iter().rev().find(|(n, _)| *n < n_raw);
            let sample_idx = stretch.map_or(n_raw - 1, |(n, first)| first + (n_raw - 1 - n));
            let measured = self.ring.measured(end);
            self.waiting.push_back(Frame { frame_idx: self.next, sample_idx, end, measured, state });
            if self.waiting.len() > MAX_WAITING {
                self.waiting.pop_front();
            }
            self.next += 1;
        }
    }

    /// The oldest frame that nobody took yet.
    pub fn frame(&mut self) -> Option<Frame> {
        self.waiting.pop_front()
    }

    /// The latent of a frame; `None` when it waited so long that its samples are gone.
    pub fn latent(&self, frame: &Frame) -> Option<Vec<f32>> {
        Some(self.latents.make(self.ring.window(frame.end, self.latents.n_window())?))
    }

    /// The newest `n` rows after the filters, fewer at the start.
    pub fn newest(&self, n: usize) -> Option<ArrayView2<'_, f64>> {
        self.ring.window(self.ring.end(), n.min(self.ring.end() as usize))
    }
}

/// All latents of a recording, and the number of the sample that each ends with: the form for whole signals, the same bits as
/// pushing it.
///
/// # Shapes
/// `samples` n_samples × n_channels → n_frames × `n_latent`.
///
/// # Errors
/// As [`Signal::new`].
pub fn latents(
    settings: &Settings,
    facts: &SourceFacts,
    samples: ArrayView2<'_, f64>,
    n_latent: usize,
) -> Result<(Array2<f32>, Vec<u64>)> {
    let mut chain = Chain::new(&settings.latent, facts)?;
    let seed = Seed::new(settings.seed);
    let maker = Latents::new(&settings.latent, chain.n_channels(), chain.rate_hz(), n_latent, seed)?;
    let rows = chain.push(samples);
    let mut made = Vec::new();
    let mut ends = Vec::new();
    for frame in 0u64.. {
        let end = maker.n_window() + (frame as f64 * chain.rate_hz() / settings.fps).floor() as usize;
        if end > rows.nrows() {
            break;
        }
        made.extend(maker.make(rows.slice(s![end - maker.n_window()..end, ..])));
        ends.push(((end - 1) * chain.keep_every()) as u64);
    }
    let made = Array2::from_shape_vec((ends.len(), n_latent), made);
    Ok((made.unwrap_or_else(|_| Array2::zeros((0, n_latent))), ends))
}
