//! Image metrics that compare pixels: correlation, mean squared error, peak signal to noise.
//!
//! Images are RGB in 0..=1, batches n × height × width × 3. Resizing, which published numbers depend on, is the caller's choice.

use ndarray::{ArrayView4, Axis};
use rayon::prelude::*;

use crate::ItemScores;
use crate::correlation::pearson;
use crate::error::{StatsError, at_least, finite, same_shape};

pub use crate::ssim::{ssim, ssim_columns};

/// PixCorr: Pearson correlation over all pixels and channels of each pair of images. An image of one colour value has none.
///
/// # Shapes
/// Both n × height × width × 3.
///
/// # Errors
/// Shapes that differ, no images, channels other than 3, values that are not finite.
///
/// # Numerics
/// f64; agrees with `numpy.corrcoef` of the flattened images to 1e-12.
pub fn pixcorr(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<ItemScores, StatsError> {
    check(pred, truth)?;
    let values: Vec<Option<f64>> = (0..pred.dim().0)
        .into_par_iter()
        .map(|item| {
            let flat = |batch: ArrayView4<'_, f32>| {
                ndarray::Array1::from_iter(batch.index_axis(Axis(0), item).iter().copied())
            };
            pearson(flat(pred).view(), flat(truth).view())
        })
        .collect();
    Ok(ItemScores { values })
}

/// Mean squared difference over all pixels and channels of each pair of images.
///
/// # Shapes
/// Both n × height × width × 3.
///
/// # Errors
/// As [`pixcorr`].
pub fn mse(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<Vec<f64>, StatsError> {
    check(pred, truth)?;
    Ok((0..pred.dim().0)
        .into_par_iter()
        .map(|item| {
            let (a, b) = (pred.index_axis(Axis(0), item), truth.index_axis(Axis(0), item));
            let sum: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
            sum / a.len() as f64
        })
        .collect())
}

/// Peak signal-to-noise ratio of each pair of images, −10 log₁₀(mse), for a range of 1.
///
/// # Units
/// Decibel; infinite for identical images.
///
/// # Errors
/// As [`pixcorr`].
pub fn psnr(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<Vec<f64>, StatsError> {
    Ok(mse(pred, truth)?.into_iter().map(|mse| -10.0 * mse.log10()).collect())
}

pub(crate) fn check(pred: ArrayView4<'_, f32>, truth: ArrayView4<'_, f32>) -> Result<(), StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    at_least("pixels", 2, pred.dim().1 * pred.dim().2)?;
    at_least("images", 1, pred.dim().0)?;
    if pred.dim().3 != 3 {
        return Err(StatsError::Channels { what: "pred", channels: pred.dim().3 });
    }
    finite("pred", pred)?;
    finite("truth", truth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    #[test]
    fn a_black_reconstruction_is_masked_not_nan() {
        let truth = Array4::from_shape_fn((2, 4, 4, 3), |(n, y, x, c)| (n + y + x + c) as f32 / 12.0);
        let mut pred = truth.clone();
        pred.index_axis_mut(Axis(0), 1).fill(0.0);
        let scores = pixcorr(pred.view(), truth.view()).expect("same shape");
        assert!((scores.values[0].expect("varies") - 1.0).abs() < 1e-15);
        assert_eq!((scores.values[1], scores.undefined()), (None, vec![1]));
    }

    #[test]
    fn a_difference_of_a_tenth_is_twenty_decibel() {
        let (a, b) = (Array4::from_elem((1, 3, 3, 3), 0.25f32), Array4::from_elem((1, 3, 3, 3), 0.35f32));
        assert!((mse(a.view(), b.view()).expect("same shape")[0] - 0.01).abs() < 1e-8);
        assert!((psnr(a.view(), b.view()).expect("same shape")[0] - 20.0).abs() < 1e-5);
    }

    #[test]
    fn grey_images_are_refused() {
        let a = Array4::<f32>::zeros((1, 3, 3, 1));
        assert_eq!(pixcorr(a.view(), a.view()), Err(StatsError::Channels { what: "pred", channels: 1 }));
    }
}
