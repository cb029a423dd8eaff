//! WAV on standard input, as from `ffmpeg … -f wav - | percept stream --source -`.
//!
//! Reading a pipe cannot be given up after a time, so a thread of its own does it; it waits when its few blocks are not taken.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ndarray::Array2;
use percept_io::recording::WavStream;

use super::pending::Pending;
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

/// Blocks that wait at most.
const MAX_BLOCKS: usize = 4;
/// Blocks in a second.
const BLOCKS_PER_SEC: f64 = 100.0;

type Message = Result<Event, percept_io::Error>;

/// A pipe that is read by a thread.
pub(super) struct Pipe {
    receiver: Receiver<Message>,
    pending: Pending,
}

impl Pipe {
    /// Reads WAV from `reader`.
    pub(super) fn open(reader: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(MAX_BLOCKS);
        std::thread::spawn(move || {
            if let Err(error) = pump(reader, &sender) {
                // Nobody listens when the engine has gone.
                let _ = sender.send(Err(error));
            }
        });
        Self { receiver, pending: Pending::new() }
    }
}

fn pump(reader: impl Read, sender: &SyncSender<Message>) -> Result<(), percept_io::Error> {
    let mut stream = WavStream::new(reader)?;
    let rate_hz = stream.rate_hz();
    let n_channels = stream.channels().len();
    let channel = |channel: &percept_io::recording::Channel| ChannelFacts {
        name: channel.name.clone(),
        unit: channel.unit.clone(),
    };
    let channels = stream.channels().iter().map(channel).collect();
    let name = "WAV on standard input".to_owned();
    let facts = SourceFacts { name, channels, rate_hz, n_samples: None };
    if sender.send(Ok(Event::Facts(facts))).is_err() {
        return Ok(());
    }
    let at_once = (rate_hz / BLOCKS_PER_SEC).ceil().max(1.0) as usize;
    let mut first_sample = 0;
    loop {
        let mut values = Vec::new();
        let n_samples = stream.read_into(at_once, &mut values)?;
        let measured = Some(Instant::now());
        let samples = Array2::from_shape_fn((n_samples, n_channels), |(row, column)| {
            f64::from(values[row * n_channels + column])
        });
        let event = if n_samples == 0 { Event::End } else { Event::Samples(Block { first_sample, samples, measured }) };
        if sender.send(Ok(event)).is_err() || n_samples == 0 {
            return Ok(());
        }
        first_sample += n_samples as u64;
    }
}

impl Source for Pipe {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.pending.pop() {
            return Ok(Some(event));
        }
        match self.receiver.recv_timeout(wait) {
            Ok(Ok(event)) if matches!(event, Event::Samples(_)) => self.pending.samples(event),
            Ok(Ok(event)) => self.pending.push(event),
            Ok(Err(error)) => return Err(error.into()),
            Err(RecvTimeoutError::Timeout) => self.pending.check_silence(),
            Err(RecvTimeoutError::Disconnected) => self.pending.push(Event::End),
        }
        Ok(self.pending.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gives_facts_then_samples_then_its_end() {
        // 8-bit mono at 1000 Hz, of a length that is not known.
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\xe8\x03\0\0\xe8\x03\0\0\x01\0\x08\0data\xff\xff\xff\xff".to_vec();
        bytes.extend((0..25u8).map(|i| 128 + i));
        let mut pipe = Pipe::open(std::io::Cursor::new(bytes));
        let mut events = Vec::new();
        while events.last() != Some(&Event::End) {
            events.extend(pipe.next(Duration::from_secs(5)).expect("valid"));
        }
        assert!(matches!(&events[0], Event::Facts(facts) if facts.rate_hz == 1000.0));
        let samples: Vec<f64> = events
            .iter()
            .filter_map(|e| if let Event::Samples(b) = e { Some(b.samples.iter().copied()) } else { None })
            .flatten()
            .collect();
        assert_eq!(samples, (0..25).map(|i| f64::from(i) / 128.0).collect::<Vec<_>>());
        let mut broken = Pipe::open(std::io::Cursor::new(b"no sound".to_vec()));
        assert!(broken.next(Duration::from_secs(5)).is_err());
    }
}
