//! Recordings and the simulated rat, as if they were measured now: at the rate at which they were, or as fast as possible.

use std::time::{Duration, Instant};

use ndarray::Array2;
use percept_core::Seed;
use percept_synth::rat::Rat;

use crate::clock;
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

/// How often samples come: several times per picture, so that a picture never waits for a block.
const BLOCK: Duration = Duration::from_millis(4);
/// Samples of a block when nobody waits.
const FAST_ROWS: usize = 256;
/// Channels and rate of the simulated rat.
const RAT_CHANNELS: usize = 32;
const RAT_HZ: f64 = 500.0;

/// Rows on demand, in order.
pub trait Rows: Send {
    /// The rows `first..first + n`, as many as there are.
    ///
    /// # Errors
    /// When they cannot be read.
    fn rows(&mut self, first: u64, n: usize) -> Result<Array2<f64>, SourceError>;

    /// Samples that are missing before a row, in its range; at most one.
    fn gap(&self, _first: u64, _n: usize) -> Option<(u64, Option<u64>)> {
        None
    }
}

/// How time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As it went.
    RealTime,
    /// As fast as whoever asks.
    Fast,
}

/// A source over rows.
pub struct Replay<R> {
    rows: R,
    facts: SourceFacts,
    pace: Pace,
    next: u64,
    begun: Option<Instant>,
    said_facts: bool,
    gap_said: Option<u64>,
}

impl<R: Rows> Replay<R> {
    /// Replays rows that look like `facts`.
    pub fn new(rows: R, facts: SourceFacts, pace: Pace) -> Self {
        Self { rows, facts, pace, next: 0, begun: None, said_facts: false, gap_said: None }
    }

    /// How many rows to hand out now; waits for them, `wait` at most.
    fn due(&mut self, wait: Duration) -> usize {
        let left = self.facts.n_samples.map_or(u64::MAX, |n| n - self.next);
        if self.pace == Pace::Fast {
            return left.min(FAST_ROWS as u64) as usize;
        }
        let now = clock::now();
        let begun = *self.begun.get_or_insert(now);
        let wanted = (BLOCK.as_secs_f64() * self.facts.rate_hz).ceil().max(1.0) as u64;
        let ready = begun + Duration::from_secs_f64((self.next + wanted.min(left)) as f64 / self.facts.rate_hz);
        if let Some(time) = ready.checked_duration_since(now) {
            clock::wait(time.min(wait));
        }
        let passed = (clock::now() - begun).as_secs_f64() * self.facts.rate_hz;
        (passed as u64).saturating_sub(self.next).min(left).min((self.facts.rate_hz as u64).max(1)) as usize
    }
}

impl<R: Rows> Source for Replay<R> {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if !self.said_facts {
            self.said_facts = true;
            return Ok(Some(Event::Facts(self.facts.clone())));
        }
        if self.facts.n_samples.is_some_and(|n| self.next >= n) {
            return Ok(Some(Event::End));
        }
        let mut n = self.due(wait);
        if n == 0 {
            return Ok(None);
        }
        if let Some((at, missing)) = self.rows.gap(self.next, n) {
            if at == self.next && self.gap_said != Some(at) {
                self.gap_said = Some(at);
                return Ok(Some(Event::Gap(missing)));
            }
            if at > self.next {
                n = (at - self.next) as usize;
            }
        }
        let samples = self.rows.rows(self.next, n)?;
        let first_sample = self.next;
        self.next += samples.nrows() as u64;
        // A row is there one period after the row before it.
        let measured = self.begun.map(|begun| begun + Duration::from_secs_f64(self.next as f64 / self.facts.rate_hz));
        Ok(Some(Event::Samples(Block { first_sample, samples, measured })))
    }
}

/// Rows in memory.
pub struct InMemory(pub Array2<f64>);

impl Rows for InMemory {
    fn rows(&mut self, first: u64, n: usize) -> Result<Array2<f64>, SourceError> {
        let end = (first as usize + n).min(self.0.nrows());
        Ok(self.0.slice(ndarray::s![(first as usize).min(end)..end, ..]).to_owned())
    }
}

impl InMemory {
    /// What these rows look like.
    pub fn facts(&self, name: &str, rate_hz: f64) -> SourceFacts {
        let channel = |i: usize| ChannelFacts { name: i.to_string(), unit: String::new() };
        SourceFacts {
            name: name.to_owned(),
            channels: (0..self.0.ncols()).map(channel).collect(),
            rate_hz,
            n_samples: Some(self.0.nrows() as u64),
        }
    }
}

impl Rows for Rat {
    fn rows(&mut self, _first: u64, n: usize) -> Result<Array2<f64>, SourceError> {
        Ok(self.next_block(n))
    }
}

/// The simulated rat as a source that never ends.
pub fn synthetic(seed: u64, pace: Pace) -> Replay<Rat> {
    let channel = |i: usize| ChannelFacts { name: format!("depth {i}"), unit: "V".to_owned() };
    let facts = SourceFacts {
        name: "simulated rat".to_owned(),
        channels: (0..RAT_CHANNELS).map(channel).collect(),
        rate_hz: RAT_HZ,
        n_samples: None,
    };
    Replay::new(Rat::new(RAT_CHANNELS, RAT_HZ, Seed::new(seed)), facts, pace)
}
