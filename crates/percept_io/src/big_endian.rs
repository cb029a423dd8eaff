//! Reading big-endian binary files that are in memory, as FreeSurfer writes them: every step checks what is left.

use crate::{Error, Result};

/// A place in some bytes.
pub(crate) struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.at as u64
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.all[self.at..]
    }

    /// The next `n` bytes, which hold `what`.
    pub(crate) fn take(&mut self, what: &str, n: usize) -> Result<&'a [u8]> {
        let left = self.all.len() - self.at;
        if n > left {
            return Err(Error::truncated(what, n as u64, left as u64).at(self.position()));
        }
        self.at += n;
        Ok(&self.all[self.at - n..self.at])
    }

    pub(crate) fn i32(&mut self, what: &str) -> Result<i32> {
        self.word(what).map(i32::from_be_bytes)
    }

    pub(crate) fn i16(&mut self, what: &str) -> Result<i16> {
        self.word(what).map(i16::from_be_bytes)
    }

    pub(crate) fn f32(&mut self, what: &str) -> Result<f32> {
        self.word(what).map(f32::from_be_bytes)
    }

    /// An unsigned number of three bytes.
    pub(crate) fn u24(&mut self, what: &str) -> Result<u32> {
        let [a, b, c] = self.word::<3>(what)?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// A count, which is not negative.
    pub(crate) fn count(&mut self, what: &str) -> Result<usize> {
        let at = self.position();
        let count = self.i32(what)?;
        usize::try_from(count).map_err(|_| Error::malformed(what, "at least 0", count).at(at))
    }

    /// `n` words of four bytes: memory is taken only after that many are known to be there.
    pub(crate) fn words(&mut self, what: &str, n: usize) -> Result<impl Iterator<Item = [u8; 4]> + use<'a>> {
        let n_bytes = crate::limits::byte_count(what, n, 4, i64::MAX as u64)?;
        Ok(self.take(what, n_bytes)?.as_chunks::<4>().0.iter().copied())
    }

    /// A text that a byte of 0 ends, with its length in front, as colour tables have it.
    pub(crate) fn text(&mut self, what: &str) -> Result<String> {
        let n = self.count(what)?;
        let bytes = self.take(what, n)?;
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(n);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    fn word<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut word = [0; N];
        word.copy_from_slice(self.take(what, N)?);
        Ok(word)
    }
}
