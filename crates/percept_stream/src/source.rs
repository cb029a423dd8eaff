//! What a source of samples is: something that is asked for its next event, again and again, by a thread of its own.
//!
//! Trouble that may pass (a cable, a stalled amplifier, garbage on the line) is an event, never an error: the engine shows it
//! and goes on when samples come back. An error ends the stream.

use std::time::{Duration, Instant};

use ndarray::Array2;

/// One channel of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Its name; its number where the source has none.
    pub name: String,
    /// The unit of its samples: `V` for voltages, empty where the source says nothing.
    pub unit: String,
}

/// What samples look like until the next [`Event::Facts`].
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFacts {
    /// The source in words, for the page: `Open Ephys at 127.0.0.1:5556, stream Rhythm`.
    pub name: String,
    /// The channels, in the order of the columns of every block.
    pub channels: Vec<ChannelFacts>,
    /// Samples of each channel per second.
    pub rate_hz: f64,
    /// How many samples will come, where that is known (a file).
    pub n_samples: Option<u64>,
}

/// Samples that follow each other without a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The number of the first row, counted by the source from 0 at its start; only ever grows. Rows that are missing
    /// are announced by [`Event::Gap`] and show here too.
    pub first_sample: u64,
    /// n_samples × n_channels.
    pub samples: Array2<f64>,
    /// When the last row was measured, where the source knows better than the moment it hands the block over.
    pub measured: Option<Instant>,
}

/// What a source says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Channels and rate: the first event of every source, and again whenever they change.
    Facts(SourceFacts),
    /// Samples.
    Samples(Block),
    /// Samples are missing before the next block; how many, where that is known.
    Gap(Option<u64>),
    /// A number by name, such as an OSC message `/mood 0.3`: it steers prompts and is no sample.
    Value(String, f64),
    /// Nothing comes any more, and why; the source tries to get it back by itself.
    Lost(String),
    /// Samples come again after [`Event::Lost`].
    Back,
    /// Something was refused that the user should know of (a message that makes no sense); counted, and the last one shown.
    Refused(String),
    /// The source is at its end.
    End,
}

/// A source of samples.
pub trait Source: Send {
    /// Waits at most `wait` for the next event; `None` when nothing happened. Memory stays bounded however fast or
    /// strange the other side is.
    ///
    /// # Errors
    /// [`SourceError`] when nothing will ever come any more.
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError>;
}

/// Why a source cannot go on, or could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The word that names a source is not understood.
    #[error("`{word}` names no source: {problem} (use a file, `synthetic`, {others})")]
    Word {
        /// What was written.
        word: String,
        /// What is wrong with it.
        problem: String,
        /// The forms there are.
        others: &'static str,
    },
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] percept_io::Error),
    /// A socket could not be opened.
    #[error("{place}: {error} ({remedy})")]
    Socket {
        /// Which address.
        place: String,
        /// What the system said.
        error: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The source cannot be used as it is.
    #[error("{place}: {problem} ({remedy})")]
    Unusable {
        /// The source.
        place: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
}
