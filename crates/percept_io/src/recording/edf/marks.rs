//! Annotations and the times of records: lists of `+onset[\x15duration]\x14text\x14…\0` in a signal of their own.

use super::header::Header;
use crate::fs::Source;
use crate::recording::facts::{Annotation, MAX_MARKS};
use crate::{Error, Result};

/// What the annotation signals of all records say.
#[derive(Default)]
pub(super) struct Marks {
    /// When each record begins, from the start of the file; empty where the file does not say.
    pub(super) record_secs: Vec<f64>,
    /// The first of them: how far the first sample is behind the whole second of the header.
    pub(super) first_secs: f64,
    pub(super) annotations: Vec<Annotation>,
}

/// One list of texts at one time.
struct List<'a> {
    onset_secs: f64,
    duration_secs: Option<f64>,
    texts: Vec<&'a [u8]>,
}

impl Marks {
    pub(super) fn read(source: &Source, header: &Header) -> Result<Self> {
        let width = header.cell.width();
        let place = |signal: &super::header::Signal| (signal.at, signal.samples_per_record * width);
        let places: Vec<(usize, usize)> = header.signals.iter().filter(|s| s.is_annotation()).map(place).collect();
        let mut marks = Self::default();
        if places.is_empty() || !header.format.ends_with('+') {
            return Ok(marks);
        }
        for record in 0..header.n_records {
            let start = header.n_bytes + record as u64 * header.record_bytes as u64;
            for (index, &(at, len)) in places.iter().enumerate() {
                let offset = start + at as u64;
                let bytes = source.bytes_at("the annotations", offset, len as u64)?;
                marks.add(&bytes, index == 0).map_err(|error| error.at(offset))?;
            }
        }
        marks.first_secs = marks.record_secs.first().copied().unwrap_or(0.0);
        for annotation in &mut marks.annotations {
            annotation.onset_secs -= marks.first_secs;
        }
        marks.annotations.sort_by(|a, b| a.onset_secs.total_cmp(&b.onset_secs));
        Ok(marks)
    }

    /// Adds the lists of one record; the first list of its first annotation signal tells the time of the record.
    fn add(&mut self, bytes: &[u8], tells_time: bool) -> Result<()> {
        let lists = bytes.split(|&byte| byte == 0).filter(|list| !list.is_empty());
        for (index, list) in lists.enumerate() {
            let list = List::parse(list)?;
            let mut texts = list.texts.as_slice();
            if tells_time && index == 0 {
                self.record_secs.push(list.onset_secs);
                // An empty text stands for the record itself.
                texts = texts.split_first().filter(|(first, _)| first.is_empty()).map_or(texts, |(_, rest)| rest);
            }
            for text in texts {
                if self.annotations.len() < MAX_MARKS {
                    let text = String::from_utf8_lossy(text).into_owned();
                    let (onset_secs, duration_secs) = (list.onset_secs, list.duration_secs);
                    self.annotations.push(Annotation { onset_secs, duration_secs, text });
                }
            }
        }
        Ok(())
    }
}

impl<'a> List<'a> {
    fn parse(list: &'a [u8]) -> Result<Self> {
        let wrong = || {
            let shown = &list[..list.len().min(40)];
            Error::malformed("an annotation", "`+seconds`, a text, and byte 20", format!("`{}`", shown.escape_ascii()))
        };
        let mut parts = list.split(|&byte| byte == 0x14);
        let mut time = parts.next().unwrap_or_default().split(|&byte| byte == 0x15);
        let seconds = |bytes: &[u8]| -> Option<f64> {
            std::str::from_utf8(bytes).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
        };
        let onset = time.next().unwrap_or_default();
        let is_signed = matches!(onset.first(), Some(b'+' | b'-'));
        let onset_secs = seconds(onset).filter(|_| is_signed).ok_or_else(wrong)?;
        let duration_secs = match time.next() {
            None | Some([]) => None,
            Some(bytes) => Some(seconds(bytes).ok_or_else(wrong)?),
        };
        let mut texts: Vec<&[u8]> = parts.collect();
        // What stands behind the last byte 20.
        if texts.pop() != Some(&[][..]) {
            return Err(wrong());
        }
        Ok(Self { onset_secs, duration_secs, texts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_give_times_of_records_and_annotations() {
        let mut marks = Marks::default();
        marks.add(b"+0.25\x14\x14start\x14\0+3.5\x150.5\x14one\x14two\x14\0\0\0", true).expect("valid");
        marks.add(b"+1.25\x14\x14\0-1\x14before\x14\0", true).expect("valid");
        assert_eq!(marks.record_secs, [0.25, 1.25]);
        let got: Vec<_> = marks.annotations.iter().map(|a| (a.onset_secs, a.duration_secs, a.text.as_str())).collect();
        assert_eq!(
            got,
            [(0.25, None, "start"), (3.5, Some(0.5), "one"), (3.5, Some(0.5), "two"), (-1.0, None, "before")]
        );
        for wrong in [&b"1\x14a\x14"[..], b"+1\x14a", b"+x\x14a\x14", b"+1\x15y\x14a\x14"] {
            assert!(Marks::default().add(wrong, false).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
