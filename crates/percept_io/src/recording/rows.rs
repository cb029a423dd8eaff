//! Tables: one row per sample, one column per channel, a header line or none.
//!
//! Commas, semicolons or tabs, told by the first line. The rate is given by the user, or taken from a first column called
//! `time`, `t`, `seconds` or `timestamp` (in seconds), which is no channel. The file is read once to count its rows and to
//! remember where every few of them begin; samples are parsed when they are asked for. A missing value is NaN.

use std::ops::Range;

use csv::{ByteRecord, Position, ReaderBuilder};

use super::facts::{Channel, Facts, MAX_CHANNELS, Recording, Samples};
use super::options::{Axis, Options};
use crate::fs::{Cursor, Source};
use crate::{Error, Result};

/// Rows between two remembered places.
const STEP_ROWS: usize = 1024;
/// Names of a first column that is the time in seconds.
const TIME_NAMES: [&str; 8] = ["time", "t", "seconds", "timestamp", "timestamps", "time_s", "time (s)", "time_secs"];
/// How far a step of time may be from the mean step, as a share of it.
const TIME_TOLERANCE: f64 = 0.01;

#[derive(Debug)]
struct Rows {
    source: Source,
    separator: u8,
    /// Byte and line of every [`STEP_ROWS`]th row.
    places: Vec<(u64, u64)>,
    n_fields: usize,
    first_channel: usize,
    scale: f64,
}

/// Opens the table `source`.
pub(super) fn open(source: Source, options: &Options) -> Result<Recording> {
    if options.time_axis == Axis::Second || options.stream.is_some() {
        let remedy = "write one row per sample, and leave the name out: all columns are channels";
        return Err(Error::mismatch("the table", "columns in time or one column", "samples × channels", remedy));
    }
    let start = source.bytes_at("the first line", 0, source.len().min(1 << 16))?;
    let line = start.split(|&b| b == b'\n').next().unwrap_or_default();
    let separator = [b'\t', b';', b','].into_iter().find(|s| line.contains(s)).unwrap_or(b',');
    let mut rows =
        Rows { source: source.clone(), separator, places: Vec::new(), n_fields: 0, first_channel: 0, scale: 1.0 };
    let first = rows.first_row()?;
    let has_header = first.iter().any(|field| number(field).is_none());
    rows.n_fields = first.len();
    let names: Vec<String> = if has_header {
        first
            .iter()
            .map(|field| String::from_utf8_lossy(field).trim().trim_start_matches('\u{feff}').to_owned())
            .collect()
    } else {
        (0..rows.n_fields).map(|index| index.to_string()).collect()
    };
    let has_time = has_header
        && names.len() > 1
        && names.first().is_some_and(|name| TIME_NAMES.contains(&name.to_ascii_lowercase().as_str()));
    rows.first_channel = usize::from(has_time);
    let (n_samples, times) = rows.index(has_header, has_time)?;
    let rate_hz = match (options.rate_hz, times) {
        (Some(_), _) | (None, None) => options.required_rate()?,
        (None, Some(times)) => times.rate()?,
    };
    let unit = options.unit.as_deref().unwrap_or_default();
    let scale = options.scale.unwrap_or(1.0);
    let channels: Vec<Channel> =
        names[rows.first_channel..].iter().map(|name| Channel::new(name.as_str(), unit, scale, 0.0)).collect();
    rows.scale = channels.first().map_or(1.0, |channel| channel.scale);
    let mut facts = Facts::new("table", channels, rate_hz, n_samples);
    if let Some(times) = times {
        facts.start.clock_secs = times.first;
    }
    Recording::new(facts, rows)
}

/// The first, last and extreme steps of a column of times.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: f64,
    last: f64,
    count: usize,
    least: f64,
    most: f64,
}

impl Times {
    fn add(&mut self, time: f64) {
        if self.count == 0 {
            self.first = time;
        } else {
            self.least = self.least.min(time - self.last);
            self.most = self.most.max(time - self.last);
        }
        self.last = time;
        self.count += 1;
    }

    fn rate(&self) -> Result<f64> {
        let step = (self.last - self.first) / (self.count.max(2) - 1) as f64;
        let is_even = step > 0.0 && (self.most - step).max(step - self.least) <= TIME_TOLERANCE * step;
        if self.count >= 2 && is_even {
            return Ok(1.0 / step);
        }
        let got = format!("from {} s to {} s", self.least, self.most);
        let remedy = "give the rate, as by `--rate 1000`, or resample the table";
        Err(Error::mismatch("the step of the time column", "even", got, remedy))
    }
}

impl Rows {
    fn reader(&self, byte: u64, line: u64) -> csv::Reader<Cursor> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(self.separator).from_reader(
            // The reader of `csv` has a buffer of its own.
            self.source.reader_at(byte).into_inner(),
        );
        // Only what errors will say of the place.
        let mut position = Position::new();
        position.set_byte(byte).set_line(line);
        let _ = reader.seek_raw(std::io::SeekFrom::Start(byte), position);
        reader
    }

    fn first_row(&self) -> Result<ByteRecord> {
        let mut record = ByteRecord::new();
        let found = self.reader(0, 1).read_byte_record(&mut record).map_err(translate)?;
        if !found || record.len() > MAX_CHANNELS {
            let got = if found { record.len().to_string() } else { "empty".to_owned() };
            return Err(Error::malformed("the first line", format!("1 to {MAX_CHANNELS} columns"), got).at(0));
        }
        Ok(record)
    }

    /// Counts the rows and remembers places; looks at the times if there are some.
    fn index(&mut self, has_header: bool, has_time: bool) -> Result<(usize, Option<Times>)> {
        let mut times = Times { first: 0.0, last: 0.0, count: 0, least: f64::INFINITY, most: f64::NEG_INFINITY };
        let mut reader = self.reader(0, 1);
        let mut record = ByteRecord::new();
        if has_header {
            reader.read_byte_record(&mut record).map_err(translate)?;
        }
        let mut n_rows = 0;
        loop {
            let (byte, line) = (reader.position().byte(), reader.position().line());
            if !reader.read_byte_record(&mut record).map_err(translate)? {
                break;
            }
            self.check(&record)?;
            if n_rows % STEP_ROWS == 0 {
                self.places.push((byte, line));
            }
            if has_time {
                times.add(self.number(&record, 0)?);
            }
            n_rows += 1;
        }
        if n_rows == 0 {
            return Err(Error::malformed("the table", "rows of numbers", "empty").at(0));
        }
        Ok((n_rows, has_time.then_some(times)))
    }

    fn check(&self, record: &ByteRecord) -> Result<()> {
        if record.len() == self.n_fields {
            return Ok(());
        }
        let (line, byte) = record.position().map_or((0, 0), |p| (p.line(), p.byte()));
        let what = format!("the number of fields in line {line}");
        let error = Error::malformed(what, format!("{} as in the first", self.n_fields), record.len());
        Err(error.at(byte).with_remedy("check the quotes and separators of that line"))
    }

    fn number(&self, record: &ByteRecord, column: usize) -> Result<f64> {
        let field = record.get(column).unwrap_or_default();
        number(field).ok_or_else(|| {
            let (line, byte) = record.position().map_or((0, 0), |p| (p.line(), p.byte()));
            let what = format!("column {} in line {line}", column + 1);
            let shown: String = String::from_utf8_lossy(field).chars().take(40).collect();
            let error = Error::malformed(what, "a number", format!("`{shown}`"));
            self.source.locate(error.at(byte).with_remedy("leave out columns that hold no numbers"))
        })
    }
}

impl Samples for Rows {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let (byte, line) = self.places[range.start / STEP_ROWS];
        let mut reader = self.reader(byte, line);
        let mut record = ByteRecord::new();
        for row in range.start / STEP_ROWS * STEP_ROWS..range.end {
            let found = reader.read_byte_record(&mut record).map_err(translate)?;
            if !found {
                // Another program has cut the file meanwhile.
                return Err(self.source.locate(Error::truncated("the rows", range.end as u64, row as u64)));
            }
            if row < range.start {
                continue;
            }
            self.check(&record)?;
            for column in self.first_channel..self.n_fields {
                out.push((self.number(&record, column)? * self.scale) as f32);
            }
        }
        Ok(())
    }
}

/// A number, or NaN for what is missing.
fn number(field: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(field).ok()?.trim();
    match text {
        "" | "NA" | "n/a" | "nan" | "NaN" | "NAN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

fn translate(error: csv::Error) -> Error {
    let byte = error.position().map_or(0, Position::byte);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("read", error),
        other => Error::codec("the table", format!("{other:?}")).at(byte),
    }
}
