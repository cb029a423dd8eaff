//! The header of an EDF or BDF file: text in fields of fixed width.

use crate::fs::Source;
use crate::recording::records::Cell;
use crate::{Error, Result};

const FIXED_BYTES: usize = 256;
const SIGNAL_BYTES: usize = 256;
const MAX_SIGNALS: usize = 9999;

/// Whether `start` is the start of an EDF or BDF file.
pub(in crate::recording) fn is_edf(start: &[u8]) -> bool {
    let is_version = start.starts_with(b"0       ") || start.starts_with(b"\xffBIOSEMI");
    // The date tells it from a table whose first number is 0.
    is_version && start.len() >= FIXED_BYTES && start[170] == b'.' && start[173] == b'.'
}

/// What the header says.
pub(super) struct Header {
    pub(super) format: &'static str,
    pub(super) cell: Cell,
    pub(super) n_bytes: u64,
    pub(super) n_records: usize,
    pub(super) record_secs: f64,
    pub(super) record_bytes: usize,
    pub(super) signals: Vec<Signal>,
    date: String,
    time: String,
}

/// One signal.
pub(super) struct Signal {
    pub(super) label: String,
    pub(super) unit: String,
    pub(super) physical: (f64, f64),
    pub(super) digital: (f64, f64),
    pub(super) samples_per_record: usize,
    /// Where its samples stand in a record.
    pub(super) at: usize,
}

impl Signal {
    /// Whether it holds texts in place of samples.
    pub(super) fn is_annotation(&self) -> bool {
        matches!(self.label.as_str(), "EDF Annotations" | "BDF Annotations")
    }
}

/// The text of a field: UTF-8 as some programs write it, else one character a byte.
fn text(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| byte as char).collect(),
    };
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}

fn number(what: &str, bytes: &[u8]) -> Result<f64> {
    let text = text(bytes);
    // Some programs write a decimal comma.
    let value: Option<f64> = text.replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| Error::malformed(what, "a number", format!("`{text}`")))
}

fn count(what: &str, bytes: &[u8], most: usize) -> Result<usize> {
    let value = number(what, bytes)?;
    if value.fract() == 0.0 && value >= 0.0 && value <= most as f64 {
        return Ok(value as usize);
    }
    Err(Error::malformed(what, format!("a whole number up to {most}"), value))
}

impl Header {
    pub(super) fn read(source: &Source) -> Result<Self> {
        let fixed = source.bytes_at("the EDF header", 0, FIXED_BYTES as u64)?;
        let is_bdf = fixed[0] == 0xff;
        let n_signals = count("the number of signals", &fixed[252..256], MAX_SIGNALS).map_err(|error| error.at(252))?;
        let n_bytes = (FIXED_BYTES + n_signals * SIGNAL_BYTES) as u64;
        let bytes = source.bytes_at("the EDF header", FIXED_BYTES as u64, n_bytes - FIXED_BYTES as u64)?;
        let is_plus = matches!(&fixed[192..196], b"EDF+" | b"BDF+");
        let cell = if is_bdf { Cell::I24 } else { Cell::I16 };
        let record_secs = number("the duration of a record", &fixed[244..252]).map_err(|error| error.at(244))?;
        let mut signals = Vec::new();
        let mut record_bytes = 0usize;
        for index in 0..n_signals {
            let signal = Signal::read(&bytes, index, n_signals, record_bytes)?;
            // Both factors are small: no overflow.
            record_bytes += signal.samples_per_record * cell.width();
            signals.push(signal);
        }
        if record_bytes == 0 || record_secs <= 0.0 {
            let got = format!("{record_secs} s in {record_bytes} bytes");
            return Err(Error::malformed("a record", "some seconds of samples", got).at(244));
        }
        let stored = number("the number of records", &fixed[236..244]).map_err(|error| error.at(236))?;
        let n_records = if stored == -1.0 {
            // The recording was not ended properly: what is there is there.
            ((source.len() - n_bytes) / record_bytes as u64) as usize
        } else {
            let n_records =
                count("the number of records", &fixed[236..244], usize::MAX).map_err(|error| error.at(236))?;
            let len = (n_records as u64).saturating_mul(record_bytes as u64);
            source.require("the records", n_bytes, len)?;
            n_records
        };
        let format = match (is_bdf, is_plus) {
            (false, false) => "EDF",
            (false, true) => "EDF+",
            (true, false) => "BDF",
            (true, true) => "BDF+",
        };
        let (date, time) = (text(&fixed[168..176]), text(&fixed[176..184]));
        Ok(Self { format, cell, n_bytes, n_records, record_secs, record_bytes, signals, date, time })
    }

    /// Date and time of the first sample, `late_secs` after the whole second that the header names.
    pub(super) fn date_time(&self, late_secs: f64) -> Option<String> {
        let numbers = |text: &str| -> Option<[u32; 3]> {
            let words: Vec<u32> = text.split(['.', ':']).map(|word| word.trim().parse().ok()).collect::<Option<_>>()?;
            <[u32; 3]>::try_from(words).ok()
        };
        let ([day, month, year], [hour, minute, second]) = (numbers(&self.date)?, numbers(&self.time)?);
        // The format's own rule, which ends in 2084.
        let year = if year >= 85 { 1900 + year } else { 2000 + year };
        let micros = (late_secs.clamp(0.0, 0.999_999) * 1e6).round() as u32;
        let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
        Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}"))
    }
}

impl Signal {
    /// The signal `index` of a header whose fields stand by field, not by signal.
    fn read(bytes: &[u8], index: usize, n_signals: usize, at: usize) -> Result<Self> {
        let field = |start: usize, width: usize| {
            let from = start * n_signals + index * width;
            &bytes[from..from + width]
        };
        let label = text(field(0, 16));
        let at_byte = (FIXED_BYTES + index) as u64;
        let locate = |error: Error| error.in_object(label.clone()).at(at_byte);
        // Most programs end records below 61,440 bytes, as the format asks; some need more.
        let samples_per_record = count("the number of samples", field(216, 8), 1 << 24).map_err(locate)?;
        let physical = (
            number("the physical minimum", field(104, 8)).map_err(locate)?,
            number("the physical maximum", field(112, 8)).map_err(locate)?,
        );
        let digital = (
            number("the digital minimum", field(120, 8)).map_err(locate)?,
            number("the digital maximum", field(128, 8)).map_err(locate)?,
        );
        if digital.0 == digital.1 {
            return Err(locate(Error::malformed("the digital range", "minimum and maximum that differ", digital.0)));
        }
        Ok(Self { unit: text(field(96, 8)), label, physical, digital, samples_per_record, at })
    }
}
