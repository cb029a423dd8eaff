//! The noise schedule that samplers share: how much signal is left at each training step, and which steps a sampler
//! visits (DDPM, Ho et al. 2020, arXiv 2006.11239; zero terminal SNR, Lin et al. 2023, arXiv 2305.08891).

use serde::{Deserialize, Serialize};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
};

const NAME: &str = "scheduler";

/// What the U-Net was trained to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise ε.
    Epsilon,
    /// The velocity √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022, arXiv 2202.00512).
    VPrediction,
    /// The clean sample x₀.
    Sample,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum BetaSchedule {
    Linear,
    ScaledLinear,
    #[serde(rename = "squaredcos_cap_v2")]
    Cosine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Spacing {
    Leading,
    Trailing,
    Linspace,
}

/// The keys of a `scheduler_config.json` that the samplers here read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SchedulerConfig {
    /// Steps of the training process.
    #[serde(default = "thousand")]
    pub num_train_timesteps: usize,
    /// What the U-Net predicts.
    #[serde(default = "epsilon")]
    pub prediction_type: Prediction,
    #[serde(default = "beta_start")]
    beta_start: f64,
    #[serde(default = "beta_end")]
    beta_end: f64,
    #[serde(default = "linear")]
    beta_schedule: BetaSchedule,
    #[serde(default = "yes")]
    pub(crate) clip_sample: bool,
    #[serde(default = "unit")]
    pub(crate) clip_sample_range: f64,
    #[serde(default = "yes")]
    pub(crate) set_alpha_to_one: bool,
    #[serde(default)]
    steps_offset: usize,
    #[serde(default = "leading")]
    timestep_spacing: Spacing,
    #[serde(default)]
    rescale_betas_zero_snr: bool,
    #[serde(flatten)]
    rest: Rest,
}

/// Settings of samplers other than DDIM, or of thresholding, which is refused when it is on.
const OTHER_SAMPLERS: &[&str] = &[
    "algorithm_type",
    "dynamic_thresholding_ratio",
    "euler_at_final",
    "final_sigmas_type",
    "interpolation_type",
    "lower_order_final",
    "original_inference_steps",
    "sample_max_value",
    "sigma_max",
    "sigma_min",
    "skip_prk_steps",
    "solver_order",
    "solver_type",
    "timestep_scaling",
    "timestep_type",
    "use_karras_sigmas",
    "variance_type",
];

fn thousand() -> usize {
    1000
}
fn epsilon() -> Prediction {
    Prediction::Epsilon
}
fn beta_start() -> f64 {
    1e-4
}
fn beta_end() -> f64 {
    0.02
}
fn linear() -> BetaSchedule {
    BetaSchedule::Linear
}
fn unit() -> f64 {
    1.0
}
fn yes() -> bool {
    true
}
fn leading() -> Spacing {
    Spacing::Leading
}

impl SchedulerConfig {
    /// Reads and checks a `scheduler_config.json`. Settings that belong to another sampler only (`skip_prk_steps`) are
    /// passed over, as diffusers does when one sampler is made from another's config.
    /// Absent keys have the values that diffusers' `DDIMScheduler` gives them: among others, clean samples are clipped.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        let mut rest = config.rest.clone();
        rest.retain(|key, _| !OTHER_SAMPLERS.contains(&key.as_str()));
        config::check_rest(NAME, &rest, &[])?;
        let refuse = |key: &str, value: String, supported: String| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported })
        };
        let steps = config.num_train_timesteps;
        if !(2..=LARGEST).contains(&steps) {
            return refuse("num_train_timesteps", steps.to_string(), format!("2 to {LARGEST}"));
        }
        if config.steps_offset > steps {
            return refuse("steps_offset", config.steps_offset.to_string(), format!("0 to {steps}"));
        }
        for (key, beta) in [("beta_start", config.beta_start), ("beta_end", config.beta_end)] {
            if !(0.0..1.0).contains(&beta) {
                return refuse(key, beta.to_string(), "0 or more, below 1".into());
            }
        }
        Ok(config)
    }
}

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

    /// The training steps that a sampler of `n` steps visits, noisiest first.
    ///
    /// # Errors
    /// [`ModelError::Input`] unless 1 ≤ n ≤ the number of training steps.
    pub fn steps(&self, n: usize) -> Result<Vec<usize>> {
        let total = self.config.num_train_timesteps;
        if n == 0 || n > total {
            return Err(ModelError::Input {
                what: "number of sampling steps",
                expected: format!("1 to {total}"),
                got: n.to_string(),
            });
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
