//! Samples in records of one fixed size: frames of one sample of every channel (WAV, Open Ephys, SpikeGLX), blocks of many
//! samples of one channel after another (EDF, Intan), packets with a head and a tail (Axona). The formats differ in where the
//! numbers stand and in their type, and this reads them all.

use std::ops::Range;

use super::facts::{Channel, Samples};
use crate::fs::Source;
use crate::{Error, Result, limits};

/// How many bytes are read at a time, if a record is not longer.
const BLOCK_BYTES: usize = 1 << 20;

/// The largest record; far above that of any real file.
const MAX_RECORD_BYTES: u64 = 1 << 28;

/// The type of a stored number, least significant byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    U8,
    I8,
    U16,
    I16,
    I24,
    I32,
    F32,
    F64,
}

impl Cell {
    pub(super) fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number at the start of `bytes`, exactly.
    pub(super) fn value(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::U8, &[a, ..]) => f64::from(a),
            (Self::I8, &[a, ..]) => f64::from(a as i8),
            (Self::U16, &[a, b, ..]) => f64::from(u16::from_le_bytes([a, b])),
            (Self::I16, &[a, b, ..]) => f64::from(i16::from_le_bytes([a, b])),
            // The sign travels in the uppermost byte of a wider number.
            (Self::I24, &[a, b, c, ..]) => f64::from(i32::from_le_bytes([0, a, b, c]) >> 8),
            (Self::I32, &[a, b, c, d, ..]) => f64::from(i32::from_le_bytes([a, b, c, d])),
            (Self::F32, &[a, b, c, d, ..]) => f64::from(f32::from_le_bytes([a, b, c, d])),
            (Self::F64, &[a, b, c, d, e, f, g, h, ..]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            // Callers check lengths first.
            _ => f64::NAN,
        }
    }
}

/// Where the samples of one channel stand in a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Bytes from the start of the record to its first sample.
    pub(super) at: usize,
    /// Bytes from one sample to the next.
    pub(super) step: usize,
    pub(super) cell: Cell,
    /// A sample is `scale · stored + offset`.
    pub(super) scale: f64,
    pub(super) offset: f64,
}

/// Records in a file.
#[derive(Debug)]
pub(super) struct Records {
    source: Source,
    start: u64,
    record_bytes: usize,
    samples_per_record: usize,
    places: Vec<Place>,
}

impl Records {
    /// Records of `record_bytes` with `samples_per_record` samples of each of `places`, from byte `start` on.
    ///
    /// # Errors
    /// If a place leaves its record.
    pub(super) fn new(
        source: Source,
        start: u64,
        record_bytes: usize,
        samples_per_record: usize,
        places: Vec<Place>,
    ) -> Result<Self> {
        limits::byte_count("a record", record_bytes, 1, MAX_RECORD_BYTES)?;
        let last = |place: &Place| {
            let inner = samples_per_record.saturating_sub(1).checked_mul(place.step)?;
            place.at.checked_add(inner)?.checked_add(place.cell.width())
        };
        let fits = |place: &Place| last(place).is_some_and(|end| end <= record_bytes);
        if samples_per_record == 0 || !places.iter().all(fits) {
            let got = format!("{samples_per_record} samples of {} channels in {record_bytes} bytes", places.len());
            return Err(Error::malformed("the layout of a record", "samples inside it", got));
        }
        Ok(Self { source, start, record_bytes, samples_per_record, places })
    }

    /// Frames: one number of each of `channels` side by side.
    pub(super) fn frames(source: Source, start: u64, cell: Cell, channels: &[Channel]) -> Result<Self> {
        let columns: Vec<usize> = (0..channels.len()).collect();
        Self::chosen(source, start, cell, channels.len(), &columns, channels)
    }

    /// Frames of `n_stored` numbers, of which `channels` are those at `columns`.
    pub(super) fn chosen(
        source: Source,
        start: u64,
        cell: Cell,
        n_stored: usize,
        columns: &[usize],
        channels: &[Channel],
    ) -> Result<Self> {
        let width = cell.width();
        let place = |(&column, channel): (&usize, &Channel)| Place {
            at: column * width,
            step: 0,
            cell,
            scale: channel.scale,
            offset: channel.offset,
        };
        let places = columns.iter().zip(channels).map(place).collect();
        let record_bytes = limits::byte_count("a frame", n_stored, width, MAX_RECORD_BYTES)?;
        Self::new(source, start, record_bytes, 1, places)
    }

    /// How many whole records lie in `len` bytes.
    pub(super) fn count(&self, len: u64) -> usize {
        (len / self.record_bytes.max(1) as u64) as usize
    }
}

impl Samples for Records {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let per_record = self.samples_per_record;
        let at_once = (BLOCK_BYTES / self.record_bytes.max(1)).max(1);
        let (mut record, end) = (range.start / per_record, (range.end - 1) / per_record + 1);
        let mut bytes = Vec::new();
        while record < end {
            let count = (end - record).min(at_once);
            let offset = self.start + record as u64 * self.record_bytes as u64;
            // Checked before memory is taken: a record may be large, and the file may have been cut meanwhile.
            self.source.require("the samples", offset, (count * self.record_bytes) as u64)?;
            bytes.resize(count * self.record_bytes, 0);
            self.source.read_at(offset, &mut bytes)?;
            for (index, block) in bytes.chunks_exact(self.record_bytes).enumerate() {
                let first = (record + index) * per_record;
                let inside = range.start.max(first) - first..range.end.min(first + per_record) - first;
                for sample in inside {
                    put_row(&self.places, sample, block, out);
                }
            }
            record += count;
        }
        Ok(())
    }
}

fn put_row(places: &[Place], sample: usize, block: &[u8], out: &mut Vec<f32>) {
    out.extend(places.iter().map(|place| {
        let stored = place.cell.value(&block[place.at + sample * place.step..]);
        (stored * place.scale + place.offset) as f32
    }));
}

/// One file for each channel, or for a few of them, side by side.
#[derive(Debug)]
pub(super) struct Beside(pub(super) Vec<Records>);

impl Samples for Beside {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let n_samples = range.len();
        let columns = self.0.iter().map(|records| {
            let mut values = Vec::new();
            records.read(range.clone(), &mut values).map(|()| (records.places.len(), values))
        });
        let columns: Vec<(usize, Vec<f32>)> = columns.collect::<Result<_>>()?;
        for row in 0..n_samples {
            for (width, values) in &columns {
                out.extend_from_slice(&values[row * width..(row + 1) * width]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bytes_keep_their_sign() {
        let values = [[0xff, 0xff, 0xff], [0, 0, 0x80], [0xff, 0xff, 0x7f], [1, 0, 0]].map(|b| Cell::I24.value(&b));
        assert_eq!(values, [-1.0, -8_388_608.0, 8_388_607.0, 1.0]);
    }

    #[test]
    fn any_range_of_records_is_the_part_of_the_whole() {
        // Records of 3 samples of 2 channels, one channel after the other, between a head and a tail of one byte.
        let bytes: Vec<u8> = (0..8u8).flat_map(|r| [200, r, 20 + r, 40 + r, 60 + r, 80 + r, 100 + r, 250]).collect();
        let place = |at| Place { at, step: 1, cell: Cell::U8, scale: 1.0, offset: 0.0 };
        let records = Records::new(Source::from_bytes(bytes), 0, 8, 3, vec![place(1), place(4)]).expect("valid");
        let read = |range| {
            let mut out = Vec::new();
            records.read(range, &mut out).expect("read");
            out
        };
        let whole = read(0..24);
        assert_eq!(whole[..8], [0.0, 60.0, 20.0, 80.0, 40.0, 100.0, 1.0, 61.0]);
        for (start, end) in [(0, 1), (2, 3), (2, 4), (5, 17), (23, 24), (7, 7)] {
            assert_eq!(read(start..end), whole[2 * start..2 * end]);
        }
    }
}
