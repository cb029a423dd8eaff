//! Open Ephys' ZMQ Interface: a publisher of samples, and a heartbeat one port above it.
//!
//! A message has three parts: an envelope, a header in JSON, and the f32 samples (µV) of **one channel**. The channels of one
//! block share the number of their first sample and are put together by it ([`Regroup`]). The set of channels is learned from
//! the first whole block; another set twice in a row is a change, once it is a loss. The first stream that is seen is taken.
//!
//! # References
//! <https://open-ephys.github.io/gui-docs/User-Manual/Plugins/ZMQ-Interface.html>.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::Deserialize;

use super::link::{Got, Link, READ_BYTES};
use super::pending::{Counter, Pending};
use super::zmtp::{self, Decoder, Incoming};
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

const HEARTBEAT: Duration = Duration::from_secs(2);
const MAX_CHANNELS: usize = 4096;
const MAX_BLOCK_SAMPLES: usize = 1 << 16;
const MAX_BLOCK_VALUES: usize = 16 << 20;
const VOLTS: f64 = 1e-6;

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    stream: String,
    channel_num: Option<usize>,
    num_samples: Option<usize>,
    sample_num: Option<u64>,
    sample_rate: Option<f64>,
}

/// One channel's part of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which channel.
    pub channel: usize,
    /// The number of the first sample.
    pub sample_num: u64,
    /// Samples per second.
    pub rate_hz: f64,
    /// In microvolts.
    pub samples: Vec<f32>,
}

/// What a regrouped message gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Regrouped {
    /// Channels, by number, or the rate are others now.
    Channels(Vec<usize>, f64),
    /// A whole block: the number of its first sample, and samples × channels in volts.
    Block(u64, Array2<f64>),
    /// A block of which channels are missing.
    Incomplete(usize),
}

/// Puts the channels of a block together.
#[derive(Debug, Default)]
pub struct Regroup {
    known: Option<(Vec<usize>, f64)>,
    /// A set of channels that was met once in place of the known one.
    candidate: Option<Vec<usize>>,
    group: BTreeMap<usize, Vec<f32>>,
    sample_num: Option<u64>,
    rate_hz: f64,
    is_given: bool,
}

impl Regroup {
    /// Takes a channel's part, and appends what follows from it to `out`.
    ///
    /// # Errors
    /// What makes no sense in it.
    pub fn take(&mut self, part: Part, out: &mut Vec<Regrouped>) -> Result<(), String> {
        let n_samples = part.samples.len();
        if part.channel >= MAX_CHANNELS || n_samples == 0 || n_samples > MAX_BLOCK_SAMPLES {
            return Err(format!("channel {} with {n_samples} samples", part.channel));
        }
        if !(part.rate_hz.is_finite() && part.rate_hz > 0.0) {
            return Err(format!("a rate of {} Hz", part.rate_hz));
        }
        if self.sample_num.is_some_and(|number| number != part.sample_num) {
            self.close(out);
        }
        if self.group.values().next().is_some_and(|first| first.len() != n_samples) {
            return Err(format!("{n_samples} samples of channel {}, unlike the other channels", part.channel));
        }
        if (self.group.len() + 1) * n_samples > MAX_BLOCK_VALUES {
            return Err("a block that is too large".to_owned());
        }
        self.sample_num = Some(part.sample_num);
        self.rate_hz = part.rate_hz;
        if self.group.insert(part.channel, part.samples).is_some() {
            return Err(format!("channel {} twice in a block", part.channel));
        }
        let is_whole = self.known.as_ref().is_some_and(|(channels, rate)| {
            *rate == self.rate_hz && channels.len() == self.group.len() && self.group.keys().eq(channels)
        });
        if is_whole && !self.is_given {
            self.give(out);
        }
        Ok(())
    }

    /// Forgets the block that was begun, as after a new connection.
    pub fn interrupt(&mut self) {
        self.group.clear();
        self.sample_num = None;
        self.is_given = false;
    }

    /// Another block begins: what is known of the channels is compared with those that came.
    fn close(&mut self, out: &mut Vec<Regrouped>) {
        let channels: Vec<usize> = self.group.keys().copied().collect();
        let is_known = self.known.as_ref().is_some_and(|known| known.0 == channels && known.1 == self.rate_hz);
        if is_known {
            self.candidate = None;
        } else if self.candidate.as_ref() == Some(&channels) {
            // The first block may have been joined in its middle; two that are alike were not.
            self.candidate = None;
            self.known = Some((channels.clone(), self.rate_hz));
            out.push(Regrouped::Channels(channels, self.rate_hz));
            if !self.is_given {
                self.give(out);
            }
        } else {
            if self.known.is_some() && !self.is_given {
                out.push(Regrouped::Incomplete(channels.len()));
            }
            self.candidate = Some(channels);
        }
        self.interrupt();
    }

    fn give(&mut self, out: &mut Vec<Regrouped>) {
        let n_samples = self.group.values().next().map_or(0, Vec::len);
        let mut block = Array2::zeros((n_samples, self.group.len()));
        for (mut column, samples) in block.columns_mut().into_iter().zip(self.group.values()) {
            for (value, &sample) in column.iter_mut().zip(samples) {
                *value = f64::from(sample) * VOLTS;
            }
        }
        self.is_given = true;
        out.push(Regrouped::Block(self.sample_num.unwrap_or(0), block));
    }
}

/// The part of a block in the message `parts`; `None` for messages of other kinds (events, spikes, other streams).
///
/// # Errors
/// What makes no sense in it.
pub fn parse(parts: &[Vec<u8>], stream: &mut Option<String>) -> Result<Option<Part>, String> {
    let [_envelope, head, rest @ ..] = parts else {
        return Err(format!("a message of {} parts", parts.len()));
    };
    let head: Head = serde_json::from_slice(head).map_err(|error| format!("a header that is no JSON: {error}"))?;
    if head.kind != "data" {
        return Ok(None);
    }
    let (Some(content), [data]) = (head.content, rest) else {
        return Err("a data message without content or samples".to_owned());
    };
    let (Some(channel), Some(n_samples), Some(sample_num), Some(rate_hz)) =
        (content.channel_num, content.num_samples, content.sample_num, content.sample_rate)
    else {
        return Err("a header without channel_num, num_samples, sample_num or sample_rate".to_owned());
    };
    if *stream.get_or_insert_with(|| content.stream.clone()) != content.stream {
        return Ok(None);
    }
    if n_samples.checked_mul(4) != Some(data.len()) {
        return Err(format!("{} bytes for {n_samples} samples", data.len()));
    }
    let samples =
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
    Ok(Some(Part { channel, sample_num, rate_hz, samples }))
}

/// The source.
pub(super) struct OpenEphys {
    link: Link,
    decoder: Decoder,
    beat: Beat,
    regroup: Regroup,
    stream: Option<String>,
    counter: Counter,
    pending: Pending,
    buffer: Vec<u8>,
}

impl OpenEphys {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self {
            link: Link::new(host, port),
            decoder: Decoder::default(),
            beat: Beat::new(host, port.saturating_add(1)),
            regroup: Regroup::default(),
            stream: None,
            counter: Counter::default(),
            pending: Pending::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    fn drop_link(&mut self, why: String) {
        self.link.close(&why);
        self.decoder = Decoder::default();
        self.regroup.interrupt();
        self.pending.lost(why);
    }

    fn decode(&mut self) {
        loop {
            let answer = match self.decoder.incoming() {
                Ok(None) => return,
                Ok(Some(Incoming::Greeting)) => self.link.write(&zmtp::ready("SUB")),
                Ok(Some(Incoming::Ready)) => self.link.write(&zmtp::subscribe_all()),
                Ok(Some(Incoming::Message(parts))) => {
                    self.message(&parts);
                    Ok(())
                }
                Err(problem) => {
                    self.pending.refuse(format!("{}: {problem}", self.link.place()));
                    Err(problem)
                }
            };
            if let Err(problem) = answer {
                self.drop_link(problem);
                return;
            }
        }
    }

    fn message(&mut self, parts: &[Vec<u8>]) {
        let mut out = Vec::new();
        let taken = match parse(parts, &mut self.stream) {
            Ok(Some(part)) => self.regroup.take(part, &mut out),
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = taken {
            self.pending.refuse(problem);
        }
        for event in out {
            match event {
                Regrouped::Channels(channels, rate_hz) => {
                    let named =
                        |channel: usize| ChannelFacts { name: format!("CH{}", channel + 1), unit: "V".to_owned() };
                    let stream = self.stream.as_deref().unwrap_or_default();
                    let name = format!("Open Ephys at {}, stream {stream}", self.link.place());
                    let channels = channels.into_iter().map(named).collect();
                    self.pending.push(Event::Facts(SourceFacts { name, channels, rate_hz, n_samples: None }));
                }
                Regrouped::Block(number, samples) => {
                    let (first_sample, gap) = self.counter.place(number, samples.nrows() as u64);
                    if let Some(gap) = gap {
                        self.pending.push(gap);
                    }
                    self.pending.samples(Event::Samples(Block { first_sample, samples, measured: None }));
                }
                Regrouped::Incomplete(n_channels) => {
                    self.pending.refuse(format!("a block of which only {n_channels} channels came"));
                }
            }
        }
    }
}

impl Source for OpenEphys {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.pending.pop() {
            return Ok(Some(event));
        }
        self.beat.tick();
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.link.read(&mut buffer, wait) {
            Got::Connected => {
                self.decoder = Decoder::default();
                if let Err(problem) = self.link.write(&zmtp::greeting()) {
                    self.drop_link(problem);
                }
            }
            Got::Bytes(count) => {
                self.decoder.push(&buffer[..count]);
                self.decode();
            }
            Got::Nothing => {}
            Got::Closed(why) => {
                self.decoder = Decoder::default();
                self.regroup.interrupt();
                self.pending.lost(why);
            }
        }
        self.buffer = buffer;
        self.pending.check_silence();
        Ok(self.pending.pop())
    }
}

/// Tells Open Ephys every two seconds that we listen. Nothing depends on its answers: it only lists us.
struct Beat {
    link: Link,
    decoder: Decoder,
    is_ready: bool,
    is_waiting: bool,
    last: Option<Instant>,
}

impl Beat {
    fn new(host: &str, port: u16) -> Self {
        Self {
            link: Link::new(host, port),
            decoder: Decoder::default(),
            is_ready: false,
            is_waiting: false,
            last: None,
        }
    }

    fn tick(&mut self) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= HEARTBEAT);
        if !is_due && !self.is_waiting && self.is_ready {
            return;
        }
        let mut buffer = [0; 1024];
        match self.link.read(&mut buffer, Duration::ZERO) {
            Got::Connected => {
                self.decoder = Decoder::default();
                (self.is_ready, self.is_waiting) = (false, false);
                // A failure is met by the next read.
                let _ = self.link.write(&zmtp::greeting());
            }
            Got::Bytes(count) => self.answer(&buffer[..count]),
            Got::Nothing => {}
            Got::Closed(_) => (self.is_ready, self.is_waiting) = (false, false),
        }
        if is_due && self.is_ready && !self.is_waiting {
            const TEXT: &[u8] = br#"{"application": "percept", "uuid": "percept", "type": "heartbeat"}"#;
            self.is_waiting = self.link.write(&zmtp::request(TEXT)).is_ok();
            self.last = Some(Instant::now());
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
        loop {
            match self.decoder.incoming() {
                Ok(None) => return,
                Ok(Some(Incoming::Greeting)) => drop(self.link.write(&zmtp::ready("REQ"))),
                Ok(Some(Incoming::Ready)) => self.is_ready = true,
                Ok(Some(Incoming::Message(_))) => self.is_waiting = false,
                Err(problem) => {
                    self.link.close(&problem);
                    (self.is_ready, self.is_waiting) = (false, false);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(channel: usize, sample_num: u64) -> Part {
        Part { channel, sample_num, rate_hz: 1000.0, samples: vec![channel as f32, sample_num as f32] }
    }

    fn feed(regroup: &mut Regroup, channels: &[usize], sample_num: u64) -> Vec<Regrouped> {
        let mut out = Vec::new();
        for &channel in channels {
            regroup.take(part(channel, sample_num), &mut out).expect("valid");
        }
        out
    }

    #[test]
    fn channels_of_a_block_are_put_together_at_once_when_the_set_is_known() {
        let mut regroup = Regroup::default();
        // Joined in the middle of a block.
        assert_eq!(feed(&mut regroup, &[2], 0), []);
        assert_eq!(feed(&mut regroup, &[0, 1, 2], 2), []);
        assert_eq!(feed(&mut regroup, &[0, 1, 2], 4), []);
        let out = feed(&mut regroup, &[0, 1, 2], 6);
        assert_eq!(out[0], Regrouped::Channels(vec![0, 1, 2], 1000.0));
        let Regrouped::Block(4, block) = &out[1] else { panic!("{out:?}") };
        assert_eq!(block, &(ndarray::array![[0.0, 1.0, 2.0], [4.0, 4.0, 4.0]] * 1e-6));
        assert!(matches!(out[2], Regrouped::Block(6, _)) && out.len() == 3);
    }

    #[test]
    fn a_lost_message_is_a_loss_and_a_lasting_one_a_change() {
        let mut regroup = Regroup::default();
        for block in 0..4 {
            feed(&mut regroup, &[0, 1, 2], 2 * block);
        }
        assert_eq!(feed(&mut regroup, &[0, 2], 8), []);
        let out = feed(&mut regroup, &[0, 1, 2], 10);
        assert!(matches!(out[..], [Regrouped::Incomplete(2), Regrouped::Block(10, _)]), "{out:?}");
        // One channel less from here on.
        feed(&mut regroup, &[0, 1], 12);
        feed(&mut regroup, &[0, 1], 14);
        let out = feed(&mut regroup, &[0, 1], 16);
        assert!(
            matches!(&out[..], [Regrouped::Channels(c, _), Regrouped::Block(14, _), Regrouped::Block(16, _)] if c == &[0, 1]),
            "{out:?}"
        );
        // One more.
        feed(&mut regroup, &[0, 1, 5], 18);
        feed(&mut regroup, &[0, 1, 5], 20);
        let out = feed(&mut regroup, &[0, 1, 5], 22);
        assert!(out.contains(&Regrouped::Channels(vec![0, 1, 5], 1000.0)), "{out:?}");
    }

    #[test]
    fn parts_that_make_no_sense_are_refused() {
        let mut stream = None;
        let json = |text: &str| vec![b"DATA".to_vec(), text.as_bytes().to_vec(), vec![0; 8]];
        let good = r#"{"type":"data","content":{"stream":"a","channel_num":1,"num_samples":2,"sample_num":7,"sample_rate":1000.0}}"#;
        assert!(parse(&json(good), &mut stream).expect("valid").is_some());
        assert_eq!(stream.as_deref(), Some("a"));
        assert!(parse(&json(&good.replace("\"a\"", "\"b\"")), &mut stream).expect("another stream").is_none());
        assert!(parse(&json(r#"{"type":"event"}"#), &mut stream).expect("an event").is_none());
        for wrong in [
            good.replace("\"num_samples\":2", "\"num_samples\":3"),
            "x".to_owned(),
            good.replace('7', "-7"),
            r#"{"type":"data"}"#.to_owned(),
        ] {
            assert!(parse(&json(&wrong), &mut stream).is_err(), "{wrong}");
        }
        assert!(parse(&[], &mut stream).is_err());
        let mut regroup = Regroup::default();
        assert!(regroup.take(Part { rate_hz: f64::NAN, ..part(0, 0) }, &mut Vec::new()).is_err());
        assert!(regroup.take(Part { channel: 1 << 40, ..part(0, 0) }, &mut Vec::new()).is_err());
        assert!(regroup.take(Part { samples: vec![], ..part(0, 0) }, &mut Vec::new()).is_err());
    }
}
