//! Euler's method on the probability-flow equation in σ (Karras et al. 2022, arXiv 2206.00364, algorithm 2 without
//! churn), and its ancestral variant, which draws part of the noise anew at each step. Samples are clean + σ · noise.
//!
//! With one trailing step this is the sampler of distilled models (SD-Turbo, Sauer et al. 2023, arXiv 2311.17042).

use candle_core::Tensor;

use super::{
    Prediction,
    given::{Given, sum},
    sigmas::Path,
};
use crate::error::Result;

/// The clean sample; here the noise is not scaled down with the signal.
fn clean(prediction: Prediction, sigma: f64, given: &Given<'_>) -> Result<Tensor> {
    let squared = sigma * sigma + 1.0;
    match prediction {
        Prediction::Epsilon => sum(&[(1.0, given.sample), (-sigma, given.output)]),
        Prediction::VPrediction => sum(&[(1.0 / squared, given.sample), (-sigma / squared.sqrt(), given.output)]),
        Prediction::Sample => Ok(given.output.clone()),
    }
}

/// One step from σ to the next.
pub(super) fn step(prediction: Prediction, path: &Path, i: usize, given: &Given<'_>) -> Result<Tensor> {
    let (sigma, next) = (path.sigmas[i], path.sigmas[i + 1]);
    let ratio = next / sigma;
    sum(&[(ratio, given.sample), (1.0 - ratio, &clean(prediction, sigma, given)?)])
}

/// One step to less noise than the next σ has, and fresh noise up to it.
pub(super) fn ancestral(prediction: Prediction, path: &Path, i: usize, given: &Given<'_>) -> Result<Tensor> {
    let (sigma, next) = (path.sigmas[i], path.sigmas[i + 1]);
    let up = (next * next * (sigma * sigma - next * next) / (sigma * sigma)).sqrt();
    let down = (next * next - up * up).sqrt();
    let ratio = down / sigma;
    let moved = sum(&[(ratio, given.sample), (1.0 - ratio, &clean(prediction, sigma, given)?)])?;
    if next == 0.0 { Ok(moved) } else { sum(&[(1.0, &moved), (up, given.noise()?)]) }
}
