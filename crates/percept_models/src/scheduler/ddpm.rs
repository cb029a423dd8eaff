//! DDPM, the stochastic sampler of the training process itself (Ho et al. 2020, arXiv 2006.11239, eqs. 6 and 7), over
//! any subset of the training steps.

use candle_core::Tensor;

use super::{
    NoiseSchedule,
    given::{Given, sum},
    sigmas::Path,
};
use crate::error::Result;

/// The smallest variance, so that its logarithm exists.
const LEAST_VARIANCE: f64 = 1e-20;

/// One step: the posterior's mean given the predicted clean sample, and noise of its variance.
pub(super) fn step(schedule: &NoiseSchedule, path: &Path, i: usize, given: &Given<'_>) -> Result<Tensor> {
    let config = schedule.config();
    let at = path.steps[i] as usize;
    let alpha = schedule.alpha_cumprod(at);
    let next = path.steps.get(i + 1).map_or(1.0, |&step| schedule.alpha_cumprod(step as usize));
    let beta = 1.0 - alpha / next;
    let (signal, noise) = schedule.mix(at);
    let mut clean = given.clean(config.prediction_type, signal, noise)?;
    if config.clip_sample {
        clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range)?;
    }
    let of_clean = next.sqrt() * beta / (1.0 - alpha);
    let of_sample = (1.0 - beta).sqrt() * (1.0 - next) / (1.0 - alpha);
    let mean = sum(&[(of_clean, &clean), (of_sample, given.sample)])?;
    if at == 0 {
        return Ok(mean);
    }
    let variance = match config.solver.variance_type.as_deref() {
        Some("fixed_large") => beta,
        _ => ((1.0 - next) / (1.0 - alpha) * beta).max(LEAST_VARIANCE),
    };
    sum(&[(1.0, &mean), (variance.sqrt(), given.noise()?)])
}
