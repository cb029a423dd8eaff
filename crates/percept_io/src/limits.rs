//! What a file may claim: every size that comes out of a file passes through here before memory is taken for it.
//!
//! Two facts bound any honest claim. Data stored plainly cannot be longer than what is left of the file. Data stored by
//! deflate cannot be longer than [`DEFLATE_RATIO`] times its compressed form. A claim within these bounds may still be
//! wrong, so compressed data are read into a buffer that grows only as bytes arrive ([`crate::fs::read_growing`]).

use crate::{Error, Result};

/// Deflate never expands by more than this factor: the shortest code, 2 bits, copies at most 258 bytes.
pub const DEFLATE_RATIO: u64 = 1032;

/// The longest textual or binary header that is read whole (npy, safetensors JSON, NIfTI extensions).
pub const MAX_HEADER_BYTES: u64 = 64 << 20;

/// The largest array that is returned in one piece: 64 GiB. Longer data are read in slabs.
pub const MAX_ARRAY_BYTES: u64 = 64 << 30;

/// The longest file of a format that is read whole (surfaces, labels): 4 GiB.
pub const MAX_WHOLE_BYTES: u64 = 4 << 30;

/// The number of elements of `shape`, refused if it overflows.
///
/// # Errors
/// [`crate::Kind::TooLarge`] if the product does not fit into memory.
pub fn element_count(what: &str, shape: &[usize]) -> Result<usize> {
    // A zero anywhere makes the array empty whatever the other lengths are.
    if shape.contains(&0) {
        return Ok(0);
    }
    shape
        .iter()
        .try_fold(1usize, |product, &length| product.checked_mul(length))
        .filter(|&count| isize::try_from(count).is_ok())
        .ok_or_else(|| {
            let claimed = shape.iter().fold(1u128, |product, &length| product.saturating_mul(length as u128));
            Error::too_large(format!("{what} of shape {shape:?}"), claimed, MAX_ARRAY_BYTES)
        })
}

/// The size in bytes of `count` elements of `width` bytes each, refused if it exceeds `limit`.
///
/// # Errors
/// [`crate::Kind::TooLarge`] if the product exceeds `limit`.
pub fn byte_count(what: &str, count: usize, width: usize, limit: u64) -> Result<usize> {
    let claimed = count as u128 * width as u128;
    if claimed > u128::from(limit) {
        return Err(Error::too_large(what, claimed, limit));
    }
    usize::try_from(claimed).map_err(|_| Error::too_large(what, claimed, limit))
}

/// The most bytes that `compressed` bytes of a deflate stream can become.
pub fn inflated_limit(compressed: u64) -> u64 {
    compressed.saturating_mul(DEFLATE_RATIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflowing_shape_is_refused() {
        let error = element_count("array", &[1 << 40, 1 << 40]).expect_err("2^80 elements");
        assert!(error.to_string().starts_with("array of shape"), "{error}");
    }

    #[test]
    fn an_empty_axis_makes_an_empty_array_even_beside_huge_ones() {
        assert_eq!(element_count("array", &[0, usize::MAX, usize::MAX]).expect("empty"), 0);
    }

    #[test]
    fn a_claim_above_the_limit_is_refused_with_both_numbers() {
        let error = byte_count("volume", 1000, 8, 100).expect_err("8000 bytes of 100");
        assert_eq!(
            error.to_string(),
            "volume claims 8000 bytes, but at most 100 are possible here \
             (the file is damaged or cut short: copy or download it again)"
        );
    }
}
