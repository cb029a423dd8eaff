//! Sampling of latent consistency models (Luo et al. 2023, arXiv 2310.04378): each step predicts the clean sample at
//! once and is noised again to the next of few steps.

use candle_core::Tensor;

use super::{
    NoiseSchedule,
    given::{Given, sum},
    sigmas::Path,
};
use crate::error::Result;

/// The standard deviation of data that consistency models assume.
const SIGMA_DATA: f64 = 0.5;

/// One step: the consistency function, then noise of the next step's level.
pub(super) fn step(schedule: &NoiseSchedule, path: &Path, i: usize, given: &Given<'_>) -> Result<Tensor> {
    let config = schedule.config();
    let at = path.steps[i];
    let (signal, noise) = schedule.mix(at as usize);
    let mut clean = given.clean(config.prediction_type, signal, noise)?;
    if config.clip_sample {
        clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range)?;
    }
    let scaled = at * config.solver.timestep_scaling;
    let squared = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
    let denoised = sum(&[(scaled / squared.sqrt(), &clean), (SIGMA_DATA * SIGMA_DATA / squared, given.sample)])?;
    match path.steps.get(i + 1) {
        None => Ok(denoised),
        Some(&next) => {
            let (signal, noise) = schedule.mix(next as usize);
            sum(&[(signal, &denoised), (noise, given.noise()?)])
        }
    }
}
