//! Plain numbers, for everyone who writes a program of their own: lines of text, or frames of f32, by TCP or in UDP datagrams.
//!
//! **Text**: one line per sample, one number per channel, between commas, semicolons or blanks; `nan` is missing. A line that
//! begins with `#` says something: `# rate 250` the samples per second, `# names left,right` the channels.
//!
//! **Frames**: the bytes `PCPT`, u16 number of channels, u16 number of samples, u32 number of the first sample, then the samples,
//! channel after channel of one sample, as f32; everything least significant byte first.
//!
//! Both may follow each other in one stream. A datagram holds whole lines or frames.

use super::pending::Counter;

/// The start of a frame.
pub const MAGIC: &[u8; 4] = b"PCPT";
const HEAD_BYTES: usize = 12;
const MAX_LINE_BYTES: usize = 1 << 16;
pub(super) const MAX_CHANNELS: usize = 4096;

/// What the bytes hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Samples per second.
    Rate(f64),
    /// Names of the channels.
    Names(Vec<String>),
    /// The number of the first sample where the sender counts, the number of channels, and the samples row by row.
    Rows(Option<u32>, usize, Vec<f64>),
    /// Something that makes no sense.
    Refused(String),
}

/// Turns bytes into numbers.
#[derive(Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
    start: usize,
    /// A line that was too long is dropped to its end.
    skips_line: bool,
}

impl Parser {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.start));
        self.bytes.extend_from_slice(bytes);
    }

    /// Says that what was pushed ends here, as a datagram does: a last line needs no line end.
    pub fn end(&mut self) {
        if self.bytes.len() > self.start && self.bytes.last() != Some(&b'\n') {
            self.bytes.push(b'\n');
        }
    }

    /// Forgets what has not come whole.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes held: never more than the longest frame and what was pushed last.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What comes next, if it is all there.
    pub fn numbers(&mut self) -> Option<Numbers> {
        loop {
            let rest = &self.bytes[self.start..];
            if rest.is_empty() {
                return None;
            }
            let is_frame = rest.starts_with(MAGIC) && !self.skips_line;
            if is_frame {
                return self.frame();
            }
            if rest.len() < MAGIC.len() && MAGIC.starts_with(rest) {
                return None;
            }
            let end = rest.iter().take(MAX_LINE_BYTES).position(|&byte| byte == b'\n');
            let Some(end) = end else {
                if rest.len() < MAX_LINE_BYTES {
                    return None;
                }
                self.start += MAX_LINE_BYTES;
                if std::mem::replace(&mut self.skips_line, true) {
                    continue;
                }
                return Some(Numbers::Refused(format!("a line of more than {MAX_LINE_BYTES} bytes")));
            };
            let line = rest[..end].to_vec();
            self.start += end + 1;
            if std::mem::take(&mut self.skips_line) {
                continue;
            }
            if let Some(numbers) = parse_line(&line) {
                return Some(numbers);
            }
        }
    }

    fn frame(&mut self) -> Option<Numbers> {
        let rest = &self.bytes[self.start..];
        let head = rest.first_chunk::<HEAD_BYTES>()?;
        let n_channels = usize::from(u16::from_le_bytes([head[4], head[5]]));
        let n_samples = usize::from(u16::from_le_bytes([head[6], head[7]]));
        let number = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        let len = HEAD_BYTES + 4 * n_channels * n_samples;
        if n_channels == 0 || n_channels > MAX_CHANNELS || n_samples == 0 || len > 1 << 24 {
            self.start += MAGIC.len();
            return Some(Numbers::Refused(format!("a frame of {n_channels} channels × {n_samples} samples")));
        }
        let values = rest.get(HEAD_BYTES..len)?;
        let value = |b: &[u8]| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values = values.chunks_exact(4).map(value).collect();
        self.start += len;
        Some(Numbers::Rows(Some(number), n_channels, values))
    }
}

/// What a line says; `None` for an empty one.
fn parse_line(line: &[u8]) -> Option<Numbers> {
    let shown = || line[..line.len().min(40)].escape_ascii().to_string();
    let Ok(text) = std::str::from_utf8(line) else {
        return Some(Numbers::Refused(format!("`{}` is no text", shown())));
    };
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(said) = text.strip_prefix('#') {
        let said = said.trim();
        if let Some(rate) = said.strip_prefix("rate ") {
            let rate = rate.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
            return Some(rate.map_or_else(|| Numbers::Refused(format!("`{}` is no rate", shown())), Numbers::Rate));
        }
        return said.strip_prefix("names ").map(|names| {
            Numbers::Names(names.split(',').take(MAX_CHANNELS).map(|name| name.trim().to_owned()).collect())
        });
    }
    let fields = text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|field| !field.is_empty());
    let mut values = Vec::new();
    for field in fields {
        match field.parse::<f64>() {
            Ok(value) if values.len() < MAX_CHANNELS => values.push(value),
            _ => return Some(Numbers::Refused(format!("`{}` is no line of numbers", shown()))),
        }
    }
    Some(if values.is_empty() {
        Numbers::Refused(format!("`{}` holds no number", shown()))
    } else {
        Numbers::Rows(None, values.len(), values)
    })
}

/// Sample numbers of a sender that may count or not.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    counter: Counter,
    uncounted: u64,
}

impl Numbering {
    pub(super) fn place(&mut self, number: Option<u32>, n: u64) -> (u64, Option<crate::source::Event>) {
        let number = number.map_or(self.uncounted, u64::from);
        self.uncounted = number.saturating_add(n);
        self.counter.place(number, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n_channels: u16, number: u32, values: &[f32]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(n_channels.to_le_bytes());
        bytes.extend((values.len() as u16 / n_channels).to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    #[test]
    fn lines_and_frames_in_any_pieces_are_the_same_numbers() {
        let mut bytes = b"# rate 250\n# names a, b\r\n1, -2.5\n\n3e-1;nan\n".to_vec();
        bytes.extend(frame(2, 7, &[1.0, 2.0, 3.0, 4.0]));
        bytes.extend(b"P 1\n5 6\n");
        for step in [1, 5, 1000] {
            let mut parser = Parser::default();
            let mut out = Vec::new();
            for piece in bytes.chunks(step) {
                parser.push(piece);
                out.extend(std::iter::from_fn(|| parser.numbers()));
            }
            assert_eq!(out[0], Numbers::Rate(250.0), "{step}");
            assert_eq!(out[1], Numbers::Names(vec!["a".into(), "b".into()]));
            assert_eq!(out[2], Numbers::Rows(None, 2, vec![1.0, -2.5]));
            assert!(matches!(&out[3], Numbers::Rows(None, 2, values) if values[0] == 0.3 && values[1].is_nan()));
            assert_eq!(out[4], Numbers::Rows(Some(7), 2, vec![1.0, 2.0, 3.0, 4.0]));
            assert!(matches!(&out[5], Numbers::Refused(words) if words.contains("`P 1`")), "{out:?}");
            assert_eq!(out[6..], [Numbers::Rows(None, 2, vec![5.0, 6.0])]);
        }
    }

    #[test]
    fn a_datagram_needs_no_line_end_and_a_long_line_is_dropped() {
        let mut parser = Parser::default();
        parser.push(b"1 2");
        assert_eq!(parser.numbers(), None);
        parser.end();
        assert_eq!(parser.numbers(), Some(Numbers::Rows(None, 2, vec![1.0, 2.0])));
        for _ in 0..10 {
            parser.push(&vec![b'9'; 40_000]);
            while parser.numbers().is_some() {}
            assert!(parser.held_bytes() <= MAX_LINE_BYTES + 40_000);
        }
        parser.push(b"\n4\n");
        assert_eq!(parser.numbers(), Some(Numbers::Rows(None, 1, vec![4.0])));
    }
}
