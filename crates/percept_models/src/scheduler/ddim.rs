//! DDIM, the deterministic sampler (Song et al. 2021, arXiv 2010.02502; η = 0).

use candle_core::Tensor;

use super::{
    NoiseSchedule, Prediction,
    given::{Given, sum},
    sigmas::Path,
};
use crate::error::Result;

/// One step, with the noise that the model's output means before the clean sample is clipped.
pub(super) fn step(schedule: &NoiseSchedule, path: &Path, i: usize, given: &Given<'_>) -> Result<Tensor> {
    let config = schedule.config();
    let at = path.steps[i] as usize;
    let (signal, noise) = schedule.mix(at);
    let alpha = match at.checked_sub(config.num_train_timesteps / path.steps.len()) {
        Some(before) => schedule.alpha_cumprod(before),
        None if config.set_alpha_to_one => 1.0,
        None => schedule.alpha_cumprod(0),
    };
    let (next_signal, next_noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
    // Clean sample and noise, both as weights of (sample, output).
    let (clean, eps) = match config.prediction_type {
        Prediction::Epsilon => ((1.0 / signal, -noise / signal), (0.0, 1.0)),
        Prediction::VPrediction => ((signal, -noise), (noise, signal)),
        Prediction::Sample => ((0.0, 1.0), (1.0 / noise, -signal / noise)),
    };
    let combine = |(a, b): (f64, f64)| sum(&[(a, given.sample), (b, given.output)]);
    if config.clip_sample {
        let range = config.clip_sample_range;
        let clean = combine(clean)?.clamp(-range, range)?;
        return sum(&[(next_signal, &clean), (next_noise, &combine(eps)?)]);
    }
    combine((next_signal * clean.0 + next_noise * eps.0, next_signal * clean.1 + next_noise * eps.1))
}
