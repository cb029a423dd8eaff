//! Damaged copies of a valid file: a reader must answer each with `Ok` or `Err`, without a panic and in little memory.
//!
//! The copies are every prefix (a sample of them if the file is long) and seeded random mutations: flipped bits, inserted
//! and removed bytes, and runs of bytes set to extreme integers, which is how a false size looks. The peak of memory that
//! the reading thread holds is counted by a global allocator (crate `allocation-counter`), so a buffer taken on the word
//! of a damaged header fails the test even where the system would hand out the address space for nothing.
//!
//! Memory taken by other threads on behalf of the reader is not counted.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;

/// A trial of one reader on damaged copies of one file.
pub struct Hostile<'a> {
    valid: &'a [u8],
    n_prefixes: usize,
    n_mutations: usize,
    memory_limit: u64,
    prefixes_must_fail: bool,
}

/// What happened in a trial; asserted on by the tests that want to know that damage is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Copies tried.
    pub n_tried: usize,
    /// Copies that were refused with an error.
    pub n_refused: usize,
    /// The largest number of bytes that the reader held at once.
    pub peak_bytes: u64,
}

impl<'a> Hostile<'a> {
    /// A trial on copies of `valid`: up to 4096 prefixes, 2000 mutations, 8 MiB of memory beyond 64 times the file.
    pub fn new(valid: &'a [u8]) -> Self {
        let memory_limit = (8 << 20) + 64 * valid.len() as u64;
        Self { valid, n_prefixes: 4096, n_mutations: 2000, memory_limit, prefixes_must_fail: true }
    }

    /// Tries at most `n` prefixes, evenly spaced, the shortest 256 and the longest 256 always among them.
    pub fn prefixes(mut self, n: usize) -> Self {
        self.n_prefixes = n;
        self
    }

    /// Tries `n` random mutations.
    pub fn mutations(mut self, n: usize) -> Self {
        self.n_mutations = n;
        self
    }

    /// The reader may hold at most `bytes` at once.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// A shorter file may still be valid, as a table with fewer rows is.
    pub fn prefixes_may_pass(mut self) -> Self {
        self.prefixes_must_fail = false;
        self
    }

    /// Runs `read` on every damaged copy.
    ///
    /// # Panics
    /// If `read` refuses the valid file, accepts a prefix of it (unless allowed), panics, answers an error without words,
    /// or holds more memory than the limit; the message says which copy did it.
    pub fn check<T, E: Display>(self, read: impl Fn(&[u8]) -> Result<T, E>) -> Outcome {
        let mut outcome = Outcome { n_tried: 0, n_refused: 0, peak_bytes: 0 };
        let whole = self.attempt(&mut outcome, "the valid file", self.valid, &read);
        assert!(whole.is_none(), "the valid file is refused: {}", whole.unwrap_or_default());
        for len in self.prefix_lengths() {
            let name = format!("the first {len} of {} bytes", self.valid.len());
            let refused = self.attempt(&mut outcome, &name, &self.valid[..len], &read);
            assert!(!self.prefixes_must_fail || refused.is_some(), "{name} are accepted as a whole file");
        }
        let root = Seed::new(0).named("hostile");
        for index in 0..self.n_mutations {
            let mut stream = root.at(index as u64).stream();
            let mut copy = self.valid.to_vec();
            let name = format!("mutation {index} ({})", mutate(&mut copy, &mut stream));
            self.attempt(&mut outcome, &name, &copy, &read);
        }
        outcome
    }

    /// The words of the refusal, or `None` if the copy was accepted.
    fn attempt<T, E: Display>(
        &self,
        outcome: &mut Outcome,
        name: &str,
        copy: &[u8],
        read: &impl Fn(&[u8]) -> Result<T, E>,
    ) -> Option<String> {
        let mut answer = Ok(None);
        let used = allocation_counter::measure(|| {
            answer = catch_unwind(AssertUnwindSafe(|| read(copy).err().map(|error| error.to_string())));
        });
        let Ok(refusal) = answer else { panic!("the reader panics on {name}") };
        outcome.n_tried += 1;
        outcome.peak_bytes = outcome.peak_bytes.max(used.bytes_max);
        assert!(
            used.bytes_max <= self.memory_limit,
            "the reader holds {} bytes on {name}, the limit is {}",
            used.bytes_max,
            self.memory_limit
        );
        if let Some(words) = &refusal {
            outcome.n_refused += 1;
            assert!(!words.trim().is_empty(), "the error on {name} has no words");
        }
        refusal
    }

    fn prefix_lengths(&self) -> Vec<usize> {
        const EDGE: usize = 256;
        let len = self.valid.len();
        if len <= self.n_prefixes {
            return (0..len).collect();
        }
        let n_inner = self.n_prefixes.saturating_sub(2 * EDGE).max(1);
        let inner = (0..n_inner).map(|i| EDGE + i * (len - 2 * EDGE) / n_inner);
        (0..EDGE).chain(inner).chain(len - EDGE..len).collect()
    }
}

/// Damages `bytes` in one of several ways and says how.
fn mutate(bytes: &mut Vec<u8>, stream: &mut Stream) -> String {
    // Sizes and types stand at the start of most formats, so half of all damage goes there.
    let span = if stream.random_bool(0.5) { bytes.len().min(512) } else { bytes.len() };
    let position = stream.random_range(0..span.max(1) as u64) as usize;
    match stream.random_range(0..5u32) {
        0 | 1 => {
            let n_flips = stream.random_range(1..=4u64);
            for _ in 0..n_flips {
                let position = stream.random_range(0..span.max(1) as u64) as usize;
                let bit = stream.random_range(0..8u32);
                if let Some(byte) = bytes.get_mut(position) {
                    *byte ^= 1 << bit;
                }
            }
            format!("{n_flips} flipped bits")
        }
        2 => {
            let n_new = stream.random_range(1..=9u64);
            for _ in 0..n_new {
                bytes.insert(position, stream.random());
            }
            format!("{n_new} bytes inserted at {position}")
        }
        3 => {
            let end = (position + stream.random_range(1..=9u64) as usize).min(bytes.len());
            bytes.drain(position.min(end)..end);
            format!("bytes {position}..{end} removed")
        }
        _ => {
            const EXTREMES: [[u8; 8]; 5] = [
                [0xff; 8],
                [0; 8],
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                [0x39; 8],
            ];
            let pattern = EXTREMES[stream.random_range(0..EXTREMES.len() as u64) as usize];
            let width = [1, 2, 4, 8][stream.random_range(0..4u64) as usize];
            let end = (position + width).min(bytes.len());
            // The end of a pattern, so that the byte that decides the size of a big-endian number is among them.
            for (byte, value) in bytes[position.min(end)..end].iter_mut().zip(&pattern[8 - width..]) {
                *byte = *value;
            }
            format!("bytes {position}..{end} set to {:02x?}", &pattern[8 - width..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A toy format: one length byte, then so many bytes.
    fn read_toy(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        let (&len, rest) = bytes.split_first().ok_or("empty")?;
        if rest.len() == len as usize { Ok(rest.to_vec()) } else { Err("wrong length") }
    }

    #[test]
    fn a_careful_reader_passes() {
        let outcome = Hostile::new(&[3, 1, 2, 3]).check(read_toy);
        assert_eq!(outcome.n_tried, 1 + 4 + 2000);
        assert!(outcome.n_refused > 4, "{outcome:?}");
    }

    #[test]
    #[should_panic(expected = "the reader panics on")]
    fn a_reader_that_indexes_past_the_end_is_caught() {
        Hostile::new(&[3, 1, 2, 3]).check(|bytes| {
            let len = *bytes.first().ok_or("empty")? as usize;
            Ok::<_, &str>(bytes[1..=len].to_vec())
        });
    }

    #[test]
    #[should_panic(expected = "the reader holds")]
    fn a_reader_that_believes_the_header_is_caught() {
        Hostile::new(&[3, 1, 2, 3]).check(|bytes| {
            let len = *bytes.first().ok_or("empty")? as usize;
            // Hidden from the optimiser, which would drop a buffer that nobody fills.
            let buffer: Vec<u8> = std::hint::black_box(Vec::with_capacity(len << 20));
            if bytes.len() == len + 1 { Ok(buffer) } else { Err("wrong length") }
        });
    }

    #[test]
    #[should_panic(expected = "are accepted as a whole file")]
    fn a_reader_that_accepts_half_a_file_is_caught() {
        Hostile::new(&[3, 1, 2, 3]).check(|_| Ok::<_, &str>(()));
    }
}
