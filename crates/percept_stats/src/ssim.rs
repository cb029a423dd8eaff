//! Structural similarity of grey images, in the two dialects that published scores mix.
//!
//! Everyone in the field calls scikit-image with `multichannel=True` on a 2-D grey image. Up to 0.19 that averages
//! one-dimensional similarities of the image's columns (Brain-Diffuser); from 0.20 the keyword is ignored and the result
//! is the true two-dimensional index (MindEye). Shared settings: grey = .2125 R + .7154 G + .0721 B, Gaussian window σ 1.5 of
//! 11 taps, population covariance, range 1, a border of 5 pixels left out.
//!
//! Reference: Wang, Bovik, Sheikh and Simoncelli 2004, doi:10.1109/TIP.2003.819861.

use ndarray::{Array2, ArrayView2, ArrayView4, Axis};
use rayon::prelude::*;

use crate::error::{StatsError, at_least};
use crate::image::check;

const GREY: [f64; 3] = [0.2125, 0.7154, 0.0721];
const SIGMA: f64 = 1.5;
const RADIUS: usize = 5;
const TAPS: usize = 2 * RADIUS + 1;
/// (0.01 · range)² and (0.03 · range)².
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Two-dimensional structural similarity of each pair of images, as scikit-image ≥ 0.20 computes it (MindEye's numbers).
///
/// # Shapes
/// Both n × height × width × 3, at least 11 × 11 pixels, values in 0..=1.
///
/// # Errors
/// Shapes that differ, no images, channels other than 3, values that are not finite, fewer than 11 pixels on a side.
///
/// # Numerics
/// f64; agrees with `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
/// data_range=1.0)` on f64 grey images to 1e-12.
pub fn ssim(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<Vec<f64>, StatsError> {
    at_least("pixels of an image's width", TAPS, pred.dim().2)?;
    each(pred, truth, |image| filter_rows(filter_columns(image.view()).view()))
}

/// The mean over columns of one-dimensional similarities along them, as scikit-image ≤ 0.19 computes it when told that a
/// grey image is `multichannel` (Brain-Diffuser's numbers).
///
/// # Shapes
/// As [`ssim`]; only the height needs 11 pixels.
///
/// # Errors
/// As [`ssim`].
///
/// # Numerics
/// f64; agrees with the same function called with `channel_axis=-1` on f64 grey images to 1e-12.
pub fn ssim_columns(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<Vec<f64>, StatsError> {
    each(pred, truth, |image| filter_columns(image.view()))
}

fn each(
    pred: ArrayView4<'_, f32>,
    truth: ArrayView4<'_, f32>,
    filter: impl Fn(&Array2<f64>) -> Array2<f64> + Sync,
) -> Result<Vec<f64>, StatsError> {
    check(pred, truth)?;
    at_least("pixels of an image's height", TAPS, pred.dim().1)?;
    Ok((0..pred.dim().0)
        .into_par_iter()
        .map(|item| similarity(&grey(pred, item), &grey(truth, item), &filter))
        .collect())
}

fn similarity(a: &Array2<f64>, b: &Array2<f64>, filter: &(impl Fn(&Array2<f64>) -> Array2<f64> + Sync)) -> f64 {
    let (mean_a, mean_b) = (filter(a), filter(b));
    let (aa, bb, ab) = (filter(&(a * a)), filter(&(b * b)), filter(&(a * b)));
    let mut sum = 0.0;
    ndarray::Zip::from(&mean_a).and(&mean_b).and(&aa).and(&bb).and(&ab).for_each(|&ma, &mb, &aa, &bb, &ab| {
        let (var_a, var_b, covariance) = (aa - ma * ma, bb - mb * mb, ab - ma * mb);
        let above = (2.0 * ma * mb + C1) * (2.0 * covariance + C2);
        sum += above / ((ma * ma + mb * mb + C1) * (var_a + var_b + C2));
    });
    sum / mean_a.len() as f64
}

fn grey(batch: ArrayView4<'_, f32>, item: usize) -> Array2<f64> {
    batch
        .index_axis(Axis(0), item)
        .map_axis(Axis(2), |rgb| rgb.iter().zip(GREY).map(|(&value, weight)| f64::from(value) * weight).sum())
}

fn window() -> [f64; TAPS] {
    let mut taps = [0.0; TAPS];
    for (tap, value) in taps.iter_mut().enumerate() {
        let offset = tap as f64 - RADIUS as f64;
        *value = (-0.5 * offset * offset / (SIGMA * SIGMA)).exp();
    }
    let sum: f64 = taps.iter().sum();
    taps.map(|value| value / sum)
}

/// Filters along the first axis where the window fits: (h − 10) × w.
fn filter_columns(image: ArrayView2<'_, f64>) -> Array2<f64> {
    let window = window();
    let mut out = Array2::zeros((image.nrows() + 1 - TAPS, image.ncols()));
    for (y, mut row) in out.rows_mut().into_iter().enumerate() {
        for (tap, weight) in window.into_iter().enumerate() {
            row.scaled_add(weight, &image.row(y + tap));
        }
    }
    out
}

/// Filters along the second axis where the window fits: h × (w − 10).
fn filter_rows(image: ArrayView2<'_, f64>) -> Array2<f64> {
    filter_columns(image.reversed_axes()).reversed_axes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    #[test]
    fn an_image_is_perfectly_similar_to_itself() {
        let image = Array4::from_shape_fn((1, 13, 12, 3), |(_, y, x, c)| ((y * 7 + x * 3 + c) % 11) as f32 / 10.0);
        for score in [ssim(image.view(), image.view()), ssim_columns(image.view(), image.view())] {
            assert!((score.expect("large enough")[0] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn images_smaller_than_the_window_are_refused() {
        let image = Array4::<f32>::zeros((1, 12, 10, 3));
        let error = StatsError::TooFew { what: "pixels of an image's width", needed: 11, got: 10 };
        assert_eq!(ssim(image.view(), image.view()), Err(error));
    }
}
