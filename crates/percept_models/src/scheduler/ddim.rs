//! DDIM, the deterministic sampler (Song et al. 2021, arXiv 2010.02502; η = 0).

use candle_core::Tensor;

use super::{NoiseSchedule, Prediction};
use crate::error::Result;

/// A DDIM run over `n` steps of a noise schedule.
#[derive(Clone, Debug)]
pub struct Ddim {
    schedule: NoiseSchedule,
    steps: Vec<usize>,
}

impl Ddim {
    /// A run of `n` steps.
    ///
    /// # Errors
    /// When `n` is zero or more than the training steps.
    pub fn new(schedule: NoiseSchedule, n: usize) -> Result<Self> {
        Ok(Self { steps: schedule.steps(n)?, schedule })
    }

    /// All training steps visited, noisiest first.
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// The steps left when a run starts from a sample noised to `strength` (0 leaves none, 1 all).
    pub fn steps_from(&self, strength: f64) -> &[usize] {
        let n = self.steps.len();
        let used = ((n as f64 * strength) as usize).min(n);
        &self.steps[n - used..]
    }

    /// The noise schedule.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// One step: from the sample at `step` and the model's output there to the sample at the next step.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn step(&self, output: &Tensor, step: usize, sample: &Tensor) -> Result<Tensor> {
        let config = self.schedule.config();
        let (signal, noise) = self.schedule.mix(step);
        let before = step.checked_sub(config.num_train_timesteps / self.steps.len());
        let alpha = match before {
            Some(before) => self.schedule.alpha_cumprod(before),
            None if config.set_alpha_to_one => 1.0,
            None => self.schedule.alpha_cumprod(0),
        };
        let (next_signal, next_noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        // Clean sample and noise, both as weights of (sample, output).
        let (clean, eps) = match config.prediction_type {
            Prediction::Epsilon => ((1.0 / signal, -noise / signal), (0.0, 1.0)),
            Prediction::VPrediction => ((signal, -noise), (noise, signal)),
            Prediction::Sample => ((0.0, 1.0), (1.0 / noise, -signal / noise)),
        };
        let combine = |(a, b): (f64, f64)| -> Result<Tensor> { Ok(((sample * a)? + (output * b)?)?) };
        if config.clip_sample {
            let range = config.clip_sample_range;
            let clean = combine(clean)?.clamp(-range, range)?;
            return Ok(((clean * next_signal)? + (combine(eps)? * next_noise)?)?);
        }
        combine((next_signal * clean.0 + next_noise * eps.0, next_signal * clean.1 + next_noise * eps.1))
    }
}
