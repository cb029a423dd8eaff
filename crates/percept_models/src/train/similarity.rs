//! Similarities that losses are made of: cosine, structural similarity of latents, and the contrastive loss.

use candle_core::{D, DType, Device, Tensor};

use crate::{error::Result, nn::ops};

/// Added to products of norms, so that zero has a cosine (of 0) and a gradient.
const TINY: f64 = 1e-12;
/// Width of the Gaussian window in positions, and the stabilising constants (Wang et al. 2004).
const SIGMA: f64 = 1.5;
const LARGEST_WINDOW: usize = 11;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The cosine between the last dimension of `a` and of `b`, both (…, F) → (…).
pub(super) fn cosine(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let dot = (a * b)?.sum(D::Minus1)?;
    let norms = (a.sqr()?.sum(D::Minus1)? * b.sqr()?.sum(D::Minus1)?)?;
    Ok((dot / (norms + TINY)?.sqrt()?)?)
}

/// The mean structural similarity of each pair of (B, C, H, W), channel by channel: (B). The window is Gaussian, as large
/// as fits up to 11×11, and only whole windows count; `range` is the span of the values.
pub(super) fn ssim(a: &Tensor, b: &Tensor, range: f64) -> Result<Tensor> {
    let (batch, channels, height, width) = a.dims4()?;
    let size = LARGEST_WINDOW.min(height.min(width).saturating_sub(1) | 1).max(1);
    let window = gaussian(size, a.device())?;
    let bias = Tensor::zeros(1, DType::F32, a.device())?;
    let planes = |x: &Tensor| x.reshape((batch * channels, 1, height, width));
    let mean = |x: &Tensor| ops::conv2d(x, &window, &bias, 1, [0; 4]);
    let (a, b) = (planes(a)?, planes(b)?);
    let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
    let var_a = (mean(&a.sqr()?)? - mean_a.sqr()?)?;
    let var_b = (mean(&b.sqr()?)? - mean_b.sqr()?)?;
    let cov = (mean(&(&a * &b)?)? - (&mean_a * &mean_b)?)?;
    let (c1, c2) = ((K1 * range).powi(2), (K2 * range).powi(2));
    let top = (((&mean_a * &mean_b)? * 2.0)? + c1)? * ((cov * 2.0)? + c2)?;
    let bottom = ((mean_a.sqr()? + mean_b.sqr()?)? + c1)? * ((var_a + var_b)? + c2)?;
    let map = (top? / bottom?)?;
    Ok(map.reshape((batch, ()))?.mean(1)?)
}

fn gaussian(size: usize, device: &Device) -> Result<Tensor> {
    let centre = (size - 1) as f64 / 2.0;
    let line: Vec<f64> = (0..size).map(|i| (-((i as f64 - centre) / SIGMA).powi(2) / 2.0).exp()).collect();
    let sum: f64 = line.iter().sum();
    let values: Vec<f32> = line.iter().flat_map(|y| line.iter().map(move |x| (y * x / (sum * sum)) as f32)).collect();
    Ok(Tensor::from_vec(values, (1, 1, size, size), device)?)
}

/// The symmetric contrastive loss of pairs: both (B, F); each row of `a` must find its partner in `b` among all, and the
/// other way round, by cosine over `temperature` (Radford et al. 2021). A scalar; 0 for a single pair.
pub(super) fn contrastive(a: &Tensor, b: &Tensor, temperature: f64) -> Result<Tensor> {
    let unit =
        |x: &Tensor| -> Result<Tensor> { Ok(x.broadcast_div(&(x.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()?)?) };
    let logits = (unit(a)?.matmul(&unit(b)?.t()?.contiguous()?)? * (1.0 / temperature))?;
    let n = logits.dim(0)?;
    let eye = Tensor::eye(n, DType::F32, logits.device())?;
    let own = (&logits * eye)?.sum_all()?;
    let both = (logits.log_sum_exp(1)?.sum_all()? + logits.log_sum_exp(0)?.sum_all()?)?;
    Ok(((both - (own * 2.0)?)? * (0.5 / n as f64))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fit_and_the_same_is_fully_similar() {
        for (height, width) in [(1, 1), (4, 6), (8, 8), (64, 64)] {
            let values: Vec<f32> = (0..2 * 3 * height * width).map(|i| (i as f32 * 0.37).sin()).collect();
            let x = Tensor::from_vec(values, (2, 3, height, width), &Device::Cpu).expect("shape");
            let same = ssim(&x, &x, 2.0).and_then(|s| Ok(s.to_vec1::<f32>()?)).expect("runs");
            assert!(same.iter().all(|s| (s - 1.0).abs() < 1e-5), "{height}×{width}: {same:?}");
        }
    }
}
