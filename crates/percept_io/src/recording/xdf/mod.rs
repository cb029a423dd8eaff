//! XDF, the format of the Lab Streaming Layer: several streams in chunks, each with its own clock.
//!
//! A numeric stream of constant rate is a recording; it is named as its source was, with `#id` behind the name where two are
//! called the same. If only one such stream holds samples, it is opened unless another is named. Time stamps are moved to the
//! clock of the recording computer by the offsets in the file, a straight line for each stretch between resets of the source's
//! clock; where two samples are then more than a second apart (five samples, if that is longer) there is a gap. The rate is
//! the nominal one. Texts of one marker stream become annotations if there is exactly one.
//!
//! # References
//! <https://github.com/sccn/xdf/wiki/Specifications>. Resets are found as by pyxdf 1.17; its robust fit is a plain one here.

mod chunks;
mod clock;
mod header;

use std::ops::Range;

use self::chunks::{Chunk, Chunks, Walked};
use self::clock::Clock;
use super::facts::{Annotation, Channel, Facts, Gap, MAX_MARKS, Recording, Samples};
use super::options::Options;
use super::records::Cell;
use crate::fs::Source;
use crate::{Error, Result};

/// Two samples further apart than this are no neighbours; jitter of a network stays below.
const GAP_SECS: f64 = 1.0;
const GAP_SAMPLES: f64 = 5.0;

/// Whether `start` is the start of an XDF file.
pub(super) fn is_xdf(start: &[u8]) -> bool {
    start.starts_with(b"XDF:")
}

/// Opens a stream of the XDF file `source`.
pub(super) fn open(source: Source, options: &Options) -> Result<Recording> {
    let walked = Chunks::walk(&source)?;
    let is_signal = |stream: &&Walked| stream.header.cell.is_some() && stream.header.rate_hz > 0.0;
    let signals: Vec<&Walked> = walked.iter().filter(is_signal).collect();
    let count = |name: &str| signals.iter().filter(|stream| stream.header.name == name).count();
    let name = |stream: &Walked| match count(&stream.header.name) {
        1 => stream.header.name.clone(),
        _ => format!("{}#{}", stream.header.name, stream.id),
    };
    let names: Vec<String> = signals.iter().map(|stream| name(stream)).collect();
    let filled: Vec<usize> = (0..signals.len()).filter(|&index| signals[index].n_samples > 0).collect();
    let index = match (&options.stream, filled.as_slice()) {
        (None, &[only]) => only,
        _ => options.choose("stream", &names)?,
    };
    let stream = signals[index];
    if stream.n_samples == 0 {
        let error = Error::mismatch("the stream", "samples", "empty", "name a stream that holds samples");
        return Err(error.in_object(&*names[index]));
    }
    let scan = Stamps::scan(&source, stream)?;
    let header = &stream.header;
    let channels: Vec<Channel> =
        header.channels.iter().map(|(label, unit)| Channel::new(label.as_str(), unit, 1.0, 0.0)).collect();
    let mut facts = Facts::new("XDF", channels, header.rate_hz, stream.n_samples);
    facts.start.clock_secs = scan.first_secs;
    facts.gaps = scan.gaps;
    facts.annotations = annotations(&source, &walked, scan.first_secs)?;
    let scales = facts.channels.iter().map(|channel| channel.scale).collect();
    let cell = header.cell.unwrap_or(Cell::F32);
    let samples = Stream { source, chunks: stream.chunks.clone(), cell, long: header.is_long, scales };
    Ok(Recording::new(facts, samples)?.in_stream(&names[index], &names))
}

/// What the time stamps of a stream say.
struct Stamps {
    first_secs: f64,
    gaps: Vec<Gap>,
}

impl Stamps {
    fn scan(source: &Source, stream: &Walked) -> Result<Self> {
        let header = &stream.header;
        let period = 1.0 / header.rate_hz;
        let longest = GAP_SECS.max(GAP_SAMPLES * period);
        let mut clock = Clock::new(&stream.clock);
        let mut out = Self { first_secs: 0.0, gaps: Vec::new() };
        let (mut raw, mut last, mut sample_idx) = (0.0, 0.0, 0usize);
        for chunk in &stream.chunks {
            let bytes = chunk.read(source)?;
            let mut rest = bytes.as_slice();
            for _ in 0..chunk.n_samples {
                let (stamp, values) = chunks::split_stamp(rest, chunk.offset)?;
                rest = values
                    .get(header.sample_bytes()..)
                    .ok_or_else(|| chunk.cut(header.sample_bytes(), values.len()))?;
                raw = stamp.unwrap_or(raw + period);
                let secs = clock.correct(raw);
                if sample_idx == 0 {
                    out.first_secs = secs;
                } else if (secs - last).abs() > longest && out.gaps.len() < MAX_MARKS {
                    out.gaps.push(Gap { sample_idx, missing_secs: secs - last - period });
                }
                last = secs;
                sample_idx += 1;
            }
        }
        Ok(out)
    }
}

/// The texts of the only stream of texts that has some.
fn annotations(source: &Source, streams: &[Walked], first_secs: f64) -> Result<Vec<Annotation>> {
    let mut texts = streams.iter().filter(|stream| stream.header.is_text && stream.n_samples > 0);
    let (Some(stream), None) = (texts.next(), texts.next()) else { return Ok(Vec::new()) };
    let mut clock = Clock::new(&stream.clock);
    let (mut out, mut raw) = (Vec::new(), 0.0);
    for chunk in &stream.chunks {
        let bytes = chunk.read(source)?;
        let mut rest = bytes.as_slice();
        for _ in 0..chunk.n_samples {
            let (stamp, values) = chunks::split_stamp(rest, chunk.offset)?;
            rest = values;
            let step = if stream.header.rate_hz > 0.0 { 1.0 / stream.header.rate_hz } else { 0.0 };
            raw = stamp.unwrap_or(raw + step);
            let onset_secs = clock.correct(raw) - first_secs;
            for _channel in 0..stream.header.n_channels {
                let (text, after) = chunks::split_text(rest, chunk.offset)?;
                rest = after;
                if out.len() < MAX_MARKS {
                    let text = String::from_utf8_lossy(text).into_owned();
                    out.push(Annotation { onset_secs, duration_secs: None, text });
                }
            }
        }
    }
    Ok(out)
}

/// The samples of one stream.
#[derive(Debug)]
struct Stream {
    source: Source,
    chunks: Vec<Chunk>,
    cell: Cell,
    /// Whether samples are integers of 8 bytes, which [`Cell`] does not know.
    long: bool,
    scales: Vec<f64>,
}

impl Samples for Stream {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let width = if self.long { 8 } else { self.cell.width() };
        let first = self.chunks.partition_point(|chunk| chunk.first_sample + chunk.n_samples <= range.start);
        for chunk in self.chunks[first..].iter().take_while(|chunk| chunk.first_sample < range.end) {
            let bytes = chunk.read(&self.source)?;
            let mut rest = bytes.as_slice();
            for sample in chunk.first_sample..(chunk.first_sample + chunk.n_samples).min(range.end) {
                let (_, values) = chunks::split_stamp(rest, chunk.offset)?;
                let len = width * self.scales.len();
                let (values, after) = values.split_at_checked(len).ok_or_else(|| chunk.cut(len, values.len()))?;
                rest = after;
                if sample < range.start {
                    continue;
                }
                let number = |bytes: &[u8]| match (self.long, bytes.first_chunk::<8>()) {
                    (true, Some(&bytes)) => i64::from_le_bytes(bytes) as f64,
                    _ => self.cell.value(bytes),
                };
                out.extend(values.chunks_exact(width).zip(&self.scales).map(|(b, scale)| (number(b) * scale) as f32));
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> u64 {
        (self.chunks.len() * size_of::<Chunk>()) as u64
    }
}
