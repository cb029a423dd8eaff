//! EDF, EDF+ and their 24-bit kin BDF, BDF+: physical values, annotations, discontinuous records, starts within a second.
//!
//! Signals of different rates are different streams, each named by its rate (`200 Hz`); the one with most signals is opened
//! unless another is named. A physical value is `(stored − digital min) · (physical range / digital range) + physical min`; a
//! signal without a physical range stays in counts. In EDF+D, records that do not follow each other make a [`super::Gap`].
//!
//! This is our own code: a header of text fields and records of integers are less than a dependency would cost.
//!
//! # References
//! Kemp et al. 1992, <https://www.edfplus.info/specs/edf.html>; Kemp & Olivan 2003, <https://www.edfplus.info/specs/edfplus.html>;
//! BioSemi, "Which file format does BioSemi use?".

mod header;
mod marks;

use self::header::{Header, Signal};
use self::marks::Marks;
use super::facts::{Channel, Facts, Gap, MAX_MARKS, Recording, Start};
use super::options::Options;
use super::records::{Place, Records};
use crate::fs::Source;
use crate::{Error, Result};

pub(super) use self::header::is_edf;

/// Opens the EDF or BDF file `source`.
pub(super) fn open(source: Source, options: &Options) -> Result<Recording> {
    let header = Header::read(&source)?;
    let streams = streams(&header);
    let names: Vec<String> = streams.iter().map(|stream| stream.name.clone()).collect();
    let index = match (&options.stream, names.is_empty()) {
        (_, true) => return Err(Error::malformed("the number of signals", "at least 1", "annotations only")),
        (None, false) => 0,
        (Some(_), false) => options.choose("rate", &names)?,
    };
    let stream = &streams[index];
    let samples_per_record = stream.samples_per_record;
    let rate_hz = samples_per_record as f64 / header.record_secs;
    let (mut channels, mut places) = (Vec::new(), Vec::new());
    for &signal in &stream.signals {
        let channel = channel(&header.signals[signal]);
        let (scale, offset) = (channel.scale, channel.offset);
        places.push(Place {
            at: header.signals[signal].at,
            step: header.cell.width(),
            cell: header.cell,
            scale,
            offset,
        });
        channels.push(channel);
    }
    let record_bytes = header.record_bytes;
    let records = Records::new(source.clone(), header.n_bytes, record_bytes, samples_per_record, places)?;
    let mut facts = Facts::new(header.format, channels, rate_hz, header.n_records * samples_per_record);
    let marks = Marks::read(&source, &header)?;
    facts.gaps = gaps(&header, &marks, samples_per_record);
    facts.start = Start { date_time: header.date_time(marks.first_secs), clock_secs: 0.0 };
    facts.annotations = marks.annotations;
    Ok(Recording::new(facts, records)?.in_stream(&stream.name, &names))
}

/// Signals of one rate.
struct Stream {
    name: String,
    samples_per_record: usize,
    signals: Vec<usize>,
}

/// The streams, that with most signals first; the faster one of equals.
fn streams(header: &Header) -> Vec<Stream> {
    let mut streams: Vec<Stream> = Vec::new();
    for (index, signal) in header.signals.iter().enumerate().filter(|(_, signal)| !signal.is_annotation()) {
        match streams.iter_mut().find(|stream| stream.samples_per_record == signal.samples_per_record) {
            Some(stream) => stream.signals.push(index),
            None => streams.push(Stream {
                name: format!("{} Hz", signal.samples_per_record as f64 / header.record_secs),
                samples_per_record: signal.samples_per_record,
                signals: vec![index],
            }),
        }
    }
    streams.retain(|stream| stream.samples_per_record > 0);
    streams.sort_by_key(|stream| std::cmp::Reverse((stream.signals.len(), stream.samples_per_record)));
    streams
}

fn channel(signal: &Signal) -> Channel {
    let Signal { physical: (low, high), digital: (least, most), .. } = signal;
    if low == high {
        return Channel::new(&*signal.label, "", 1.0, 0.0);
    }
    let scale = (high - low) / (most - least);
    Channel::new(&*signal.label, &signal.unit, scale, low - least * scale)
}

/// Where a record does not begin when the one before it ends, to half a sample.
fn gaps(header: &Header, marks: &Marks, samples_per_record: usize) -> Vec<Gap> {
    let tolerance = 0.5 * header.record_secs / samples_per_record as f64;
    let pairs = marks.record_secs.windows(2).enumerate();
    let gaps = pairs.map(|(index, pair)| Gap {
        sample_idx: (index + 1) * samples_per_record,
        missing_secs: pair[1] - pair[0] - header.record_secs,
    });
    gaps.filter(|gap| gap.missing_secs.abs() > tolerance).take(MAX_MARKS).collect()
}
