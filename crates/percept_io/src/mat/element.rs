//! Data elements: the tagged, padded, possibly compressed units of which a MAT file consists.

use std::io::Read;

use flate2::read::ZlibDecoder;

use crate::number::{ByteOrder, Number};
use crate::{Error, Result, fs, limits};

pub(super) const MATRIX: u32 = 14;
pub(super) const COMPRESSED: u32 = 15;

/// A cursor over elements in memory, with the place of its bytes in the file.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    position: usize,
    order: ByteOrder,
    /// The file offset of `bytes[0]`; of the compressed element, if `bytes` were decompressed.
    origin: u64,
    is_inflated: bool,
}

/// One element: its type and its data.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) kind: u32,
    pub(super) data: &'a [u8],
    pub(super) offset: u64,
}

/// A tag at the top level of the file.
pub(super) struct Tag {
    pub(super) kind: u32,
    pub(super) len: u32,
}

pub(super) fn u32_of(bytes: [u8; 4], order: ByteOrder) -> u32 {
    match order {
        ByteOrder::Little => u32::from_le_bytes(bytes),
        ByteOrder::Big => u32::from_be_bytes(bytes),
    }
}

/// The two words of a full tag.
pub(super) fn tag(bytes: [u8; 8], order: ByteOrder) -> Tag {
    let [a, b, c, d, e, f, g, h] = bytes;
    Tag { kind: u32_of([a, b, c, d], order), len: u32_of([e, f, g, h], order) }
}

impl<'a> Elements<'a> {
    pub(super) fn new(bytes: &'a [u8], order: ByteOrder, origin: u64, is_inflated: bool) -> Self {
        Self { bytes, position: 0, order, origin, is_inflated }
    }

    /// The elements inside the matrix `element` of this sequence.
    pub(super) fn inside(&self, element: &Element<'a>) -> Self {
        Self { bytes: element.data, position: 0, origin: element.offset, ..*self }
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }

    /// How many bytes follow.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The file offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        if self.is_inflated { self.origin } else { self.origin + self.position as u64 }
    }

    fn take(&mut self, what: &str, len: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let taken =
            rest.get(..len).ok_or_else(|| Error::truncated(what, len as u64, rest.len() as u64).at(self.offset()))?;
        self.position += len;
        Ok(taken)
    }

    /// The next element, called `what` in errors.
    pub(super) fn next(&mut self, what: &str) -> Result<Element<'a>> {
        let head = self.take(what, 4)?;
        let first = u32_of([head[0], head[1], head[2], head[3]], self.order);
        // A small element packs type, length and up to four bytes of data into eight bytes.
        if first >> 16 != 0 {
            let len = (first >> 16) as usize;
            let offset = self.offset();
            let data = self.take(what, 4)?;
            let data = data
                .get(..len)
                .ok_or_else(|| Error::malformed(format!("the length of {what}"), "at most 4", len).at(offset))?;
            return Ok(Element { kind: first & 0xffff, data, offset });
        }
        let size = self.take(what, 4)?;
        let len = u32_of([size[0], size[1], size[2], size[3]], self.order) as usize;
        let offset = self.offset();
        let data = self.take(what, len)?;
        // Elements are padded to eight bytes; the last one of a file sometimes is not.
        let padding = (len.next_multiple_of(8) - len).min(self.left());
        self.position += padding;
        Ok(Element { kind: first, data, offset })
    }
}

/// The number type of a numeric element; `None` for others.
pub(super) fn number_of(kind: u32) -> Option<Number> {
    Some(match kind {
        1 => Number::I8,
        2 => Number::U8,
        3 => Number::I16,
        4 => Number::U16,
        5 => Number::I32,
        6 => Number::U32,
        7 => Number::F32,
        9 => Number::F64,
        12 => Number::I64,
        13 => Number::U64,
        _ => return None,
    })
}

/// The whole content of a compressed element: one matrix with its tag. Never more than deflate can make of `bytes`.
pub(super) fn inflate(bytes: impl Read, compressed: u64, order: ByteOrder) -> Result<Vec<u8>> {
    let mut decoder = ZlibDecoder::new(bytes);
    let mut head = [0; 8];
    fs::read_full(&mut decoder, "the compressed variable", &mut head)?;
    let limit = limits::inflated_limit(compressed);
    let claimed = u64::from(tag(head, order).len);
    if claimed + 8 > limit {
        return Err(Error::too_large("the compressed variable", u128::from(claimed), limit));
    }
    let rest = fs::read_growing(&mut decoder, "the compressed variable", claimed)?;
    // The checksum stands at the very end; reading on to the end of the stream verifies it.
    std::io::copy(&mut decoder.take(64), &mut std::io::sink())
        .map_err(|error| Error::codec("the compressed variable", error))?;
    let mut whole = head.to_vec();
    whole.extend_from_slice(&rest);
    Ok(whole)
}
