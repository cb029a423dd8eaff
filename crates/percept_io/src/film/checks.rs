//! What any film must be: a positive rate, and frames of one shape.

use ndarray::Array3;

use crate::{Error, Result};

/// Whether a film can have so many frames a second.
pub(super) fn is_rate(rate: f64) -> bool {
    rate.is_finite() && (1e-3..=1e5).contains(&rate)
}

/// Refuses a rate that no film has.
pub(super) fn check_rate(rate: f64) -> Result<()> {
    if is_rate(rate) {
        return Ok(());
    }
    Err(Error::mismatch("the number of frames a second", "0.001 to 100000", rate, "give a positive rate"))
}

/// Refuses a frame of another shape than those before it, and one that is empty.
pub(super) fn same_shape(
    before: &mut Option<(usize, usize, usize)>,
    frame_idx: usize,
    frame: &Array3<u8>,
) -> Result<()> {
    let own = frame.dim();
    let expected = *before.get_or_insert(own);
    if own == expected && own.0 > 0 && own.1 > 0 && own.2 == 3 {
        return Ok(());
    }
    let expected = format!("{:?}", if own == expected { (own.0.max(1), own.1.max(1), 3) } else { expected });
    let what = format!("the shape of frame {frame_idx}");
    Err(Error::mismatch(what, expected, format!("{own:?}"), "give all frames one shape, (height, width, 3)"))
}
