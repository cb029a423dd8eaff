//! The noise schedule that samplers share: how much signal is left at each training step, and which steps a sampler
//! visits (DDPM, Ho et al. 2020, arXiv 2006.11239; zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).

use super::config::{BetaSchedule, Prediction, SchedulerConfig, Spacing, out_of_range};
use crate::error::Result;

/// The share of signal variance after `i` of `n` steps of the cosine schedule (Nichol & Dhariwal 2021, arXiv 2102.09672).
fn cosine(i: usize, n: usize) -> f64 {
    ((i as f64 / n as f64 + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)
}

/// How much signal is left at each training step.
#[derive(Clone, Debug)]
pub struct NoiseSchedule {
    config: SchedulerConfig,
    /// ᾱ, the share of signal variance, by training step.
    alphas_cumprod: Vec<f64>,
}

impl NoiseSchedule {
    /// The sampler that the pack names, where another one stands in for it.
    pub fn stands_in_for(&self) -> Option<&'static str> {
        self.config.stands_in_for()
    }

    /// The schedule that a config describes.
    pub fn new(config: SchedulerConfig) -> Self {
        let n = config.num_train_timesteps;
        let (start, end) = match config.beta_schedule {
            BetaSchedule::Linear => (config.beta_start, config.beta_end),
            BetaSchedule::ScaledLinear => (config.beta_start.sqrt(), config.beta_end.sqrt()),
            BetaSchedule::Cosine => (0.0, 1.0),
        };
        let mut product = 1.0;
        let mut alphas_cumprod: Vec<f64> = (0..n)
            .map(|i| {
                let at = start + (end - start) * i as f64 / (n - 1) as f64;
                let beta = match config.beta_schedule {
                    BetaSchedule::Linear => at,
                    BetaSchedule::ScaledLinear => at * at,
                    BetaSchedule::Cosine => (1.0 - cosine(i + 1, n) / cosine(i, n)).min(0.999),
                };
                product *= 1.0 - beta;
                product
            })
            .collect();
        if config.rescale_betas_zero_snr {
            let (first, last) = (alphas_cumprod[0].sqrt(), alphas_cumprod[n - 1].sqrt());
            for alpha in &mut alphas_cumprod {
                *alpha = ((alpha.sqrt() - last) * first / (first - last)).powi(2);
            }
        }
        Self { config, alphas_cumprod }
    }

    /// The config it was made from.
    pub fn config(&self) -> &SchedulerConfig {
        &self.config
    }

    /// ᾱ at a training step.
    pub fn alpha_cumprod(&self, step: usize) -> f64 {
        self.alphas_cumprod[step.min(self.alphas_cumprod.len() - 1)]
    }

    /// The weights (√ᾱ, √(1−ᾱ)) of signal and noise in a noisy sample at `step`.
    pub fn mix(&self, step: usize) -> (f64, f64) {
        let alpha = self.alpha_cumprod(step);
        (alpha.sqrt(), (1.0 - alpha).sqrt())
    }

    /// The weights (signal, noise) that make the training target at `step` from clean sample and noise.
    pub fn target(&self, step: usize) -> (f64, f64) {
        let (signal, noise) = self.mix(step);
        match self.config.prediction_type {
            Prediction::Epsilon => (0.0, 1.0),
            Prediction::VPrediction => (-noise, signal),
            Prediction::Sample => (1.0, 0.0),
        }
    }

    /// The ratio of signal to noise variance at `step`; 0 where no signal is left.
    pub fn snr(&self, step: usize) -> f64 {
        let alpha = self.alpha_cumprod(step);
        alpha / (1.0 - alpha).max(f64::MIN_POSITIVE)
    }

    /// The weight of a squared error at `step` under min-SNR-γ weighting (Hang et al. 2023, arXiv 2303.09556), for an error of
    /// the given quantity: min(SNR, γ) for the clean sample, divided by SNR for noise and by SNR + 1 for velocity.
    pub fn min_snr_weight(&self, step: usize, gamma: f64, of: Prediction) -> f64 {
        let snr = self.snr(step);
        match of {
            Prediction::Sample => snr.min(gamma),
            // The limit without any signal.
            Prediction::Epsilon if snr == 0.0 => 1.0,
            Prediction::Epsilon => snr.min(gamma) / snr,
            Prediction::VPrediction => snr.min(gamma) / (snr + 1.0),
        }
    }

    /// The training steps that a sampler of `n` steps visits, noisiest first.
    ///
    /// # Errors
    /// Unless 1 ≤ n ≤ the number of training steps.
    pub fn steps(&self, n: usize) -> Result<Vec<usize>> {
        let total = self.config.num_train_timesteps;
        if n == 0 || n > total {
            return Err(out_of_range(n, total));
        }
        let mut steps: Vec<usize> = match self.config.timestep_spacing {
            Spacing::Leading => (0..n).map(|i| i * (total / n) + self.config.steps_offset).rev().collect(),
            Spacing::Trailing => {
                let ratio = total as f64 / n as f64;
                (0..n)
                    .map(|i| ((total as f64 - i as f64 * ratio).round_ties_even() as usize).saturating_sub(1))
                    .collect()
            }
            Spacing::Linspace if n == 1 => vec![0],
            Spacing::Linspace => (0..n)
                .map(|i| ((total - 1) as f64 * i as f64 / (n - 1) as f64).round_ties_even() as usize)
                .rev()
                .collect(),
        };
        for step in &mut steps {
            *step = (*step).min(total - 1);
        }
        Ok(steps)
    }
}
