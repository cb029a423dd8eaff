//! What the tests share: signals made of whole numbers, sources that say what they are told, sinks that remember.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndarray::Array2;
use percept_stream::engine::{Picture, Sink, Status};
use percept_stream::signal::Signal;
use percept_stream::sources::replay::InMemory;
use percept_stream::{Block, Event, Result, Source, SourceError, SourceFacts};

/// Samples that look like noise and are the same everywhere.
pub(crate) fn samples(n: usize, n_channels: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n_channels), |(i, j)| {
        ((i * 7919 + j * 104_729 + (i * j) % 97 * 31) % 2003) as f64 / 7.0 + j as f64 * 3.0
    })
}

pub(crate) fn facts(n_channels: usize, rate_hz: f64) -> SourceFacts {
    SourceFacts { n_samples: None, ..InMemory(Array2::zeros((1, n_channels))).facts("a script", rate_hz) }
}

pub(crate) fn block(first_sample: u64, samples: Array2<f64>) -> Event {
    Event::Samples(Block { first_sample, samples, measured: None })
}

/// A source that says what it is told, and ends.
pub(crate) struct Script(pub(crate) VecDeque<Event>);

impl Script {
    #[allow(clippy::new_ret_no_self, clippy::unnecessary_box_returns, reason = "a source is taken in a box")]
    pub(crate) fn new(events: impl IntoIterator<Item = Event>) -> Box<Self> {
        Box::new(Self(events.into_iter().collect()))
    }
}

impl Source for Script {
    fn next(&mut self, _wait: Duration) -> std::result::Result<Option<Event>, SourceError> {
        Ok(Some(self.0.pop_front().unwrap_or(Event::End)))
    }
}

/// What a sink saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) pictures: Vec<Arc<Picture>>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) finished: bool,
}

/// A sink that remembers.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<Seen>>);

impl Sink for Memory {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        self.0.lock().expect("one thread").pictures.push(picture.clone());
        Ok(())
    }

    fn status(&mut self, status: &Status, _signal: Option<&Signal>) -> Result<()> {
        self.0.lock().expect("one thread").statuses.push(status.clone());
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.0.lock().expect("one thread").finished = true;
        Ok(())
    }
}
