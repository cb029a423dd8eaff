//! The square in the middle of a frame, at another size: each pixel is the mean of the area that it covers.
//!
//! Means are taken in f64 and rounded half up, so that equal frames give equal bytes on every machine.

use ndarray::{Array3, ArrayView3, s};

/// The largest square in the middle of `frame`, brought to `side` × `side`.
///
/// # Shapes
/// `frame` (height, width, 3); result (side, side, 3).
pub fn square(frame: ArrayView3<'_, u8>, side: usize) -> Array3<u8> {
    let (height, width, _) = frame.dim();
    let edge = height.min(width);
    let (top, left) = ((height - edge) / 2, (width - edge) / 2);
    let middle = frame.slice(s![top..top + edge, left..left + edge, ..]);
    if edge == side {
        return middle.to_owned();
    }
    let shares = shares(edge, side);
    // edge × side × 3: columns first.
    let mut narrow = Array3::<f64>::zeros((edge, side, 3));
    for row in 0..edge {
        for (column, (first, weights)) in shares.iter().enumerate() {
            for (place, weight) in weights.iter().enumerate() {
                for channel in 0..3 {
                    narrow[(row, column, channel)] += weight * f64::from(middle[(row, first + place, channel)]);
                }
            }
        }
    }
    let mut out = Array3::<u8>::zeros((side, side, 3));
    for (row, (first, weights)) in shares.iter().enumerate() {
        for column in 0..side {
            for channel in 0..3 {
                let places = weights.iter().enumerate();
                let mean: f64 = places.map(|(place, weight)| weight * narrow[(first + place, column, channel)]).sum();
                // The weights sum to 1 only up to rounding; a grey area must keep its value.
                out[(row, column, channel)] = (mean + 0.5 + 1e-9).floor().clamp(0.0, 255.0) as u8;
            }
        }
    }
    out
}

/// For each of `n_out` pixels the first of `n_in` that it covers, and how much of each.
fn shares(n_in: usize, n_out: usize) -> Vec<(usize, Vec<f64>)> {
    let step = n_in as f64 / n_out as f64;
    let of = |place: usize| {
        let (from, to) = (place as f64 * step, (place + 1) as f64 * step);
        let first = (from.floor() as usize).min(n_in - 1);
        let end = (to.ceil() as usize).clamp(first + 1, n_in);
        let covered = |pixel: usize| ((to.min(pixel as f64 + 1.0) - from.max(pixel as f64)) / step).max(0.0);
        (first, (first..end).map(covered).collect())
    };
    (0..n_out).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_the_area_that_it_covers() {
        let frame = Array3::from_shape_fn((2, 4, 3), |(y, x, c)| (10 * (4 * y + x) + c) as u8);
        // The middle square holds columns 1 and 2 of both rows.
        assert_eq!(square(frame.view(), 2), frame.slice(s![.., 1..3, ..]));
        let mean = [10, 20, 50, 60].iter().sum::<usize>() / 4;
        assert_eq!(square(frame.view(), 1)[(0, 0, 2)] as usize, mean + 2);
        let three = Array3::from_shape_fn((3, 3, 3), |(y, x, _)| (30 * y + 3 * x) as u8);
        // The first of two covers one and a half: (x0 + x1 / 2) / 1.5.
        assert_eq!(square(three.view(), 2)[(0, 0, 0)], 11);
    }

    #[test]
    fn a_grey_frame_stays_grey_at_every_size() {
        let frame = Array3::from_elem((47, 61, 3), 129);
        for side in [1, 5, 31, 46, 47, 48, 100] {
            assert!(square(frame.view(), side).iter().all(|&value| value == 129), "{side}");
        }
    }
}
