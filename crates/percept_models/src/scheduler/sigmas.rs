//! The places that a run visits: training steps, or noise levels σ = √((1 − ᾱ)/ᾱ) between them, evenly spaced or after
//! Karras et al. 2022 (arXiv 2206.00364, eq. 5). Rounding follows diffusers, whose steps are `f32`.

use super::{
    NoiseSchedule, SamplerKind,
    config::{BetaSchedule, FinalSigma, SchedulerConfig, Spacing, out_of_range},
};
use crate::error::Result;

/// Karras' ρ.
const RHO: f64 = 7.0;
/// What is left of the signal at the last step of a schedule with zero terminal signal, so that σ is finite there.
const LEAST_SIGNAL: f64 = 1.0 / 16_777_216.0;

/// The places that a run visits, noisiest first.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<f64>,
    /// σ at each step and behind the last; empty for samplers that go by ᾱ.
    pub(super) sigmas: Vec<f64>,
}

impl Path {
    /// The weights of signal and noise at place `i` in a sample of unit variance.
    pub(super) fn mix(&self, i: usize) -> (f64, f64) {
        let sigma = self.sigmas[i];
        let signal = 1.0 / (sigma * sigma + 1.0).sqrt();
        (signal, sigma * signal)
    }

    /// log(signal / noise) at place `i`: infinite where no noise is left.
    pub(super) fn log_snr(&self, i: usize) -> f64 {
        -self.sigmas[i].ln()
    }
}

/// The path of a run of `n` steps of the sampler that the schedule's config names.
pub(super) fn path(schedule: &NoiseSchedule, n: usize) -> Result<Path> {
    let config = schedule.config();
    let kind = config.kind();
    let total = config.num_train_timesteps;
    let steps = match kind {
        SamplerKind::Ddim | SamplerKind::Ddpm => schedule.steps(n)?.into_iter().map(|step| step as f64).collect(),
        SamplerKind::Lcm => consistency_steps(config, n)?,
        _ if n == 0 || n > total => return Err(out_of_range(n, total)),
        SamplerKind::Euler | SamplerKind::EulerAncestral => euler_steps(schedule, n),
        SamplerKind::DpmSolver | SamplerKind::UniPc => solver_steps(schedule, n),
    };
    let sigmas = match kind {
        SamplerKind::Ddim | SamplerKind::Ddpm | SamplerKind::Lcm => return Ok(Path { steps, sigmas: vec![] }),
        _ => table(schedule),
    };
    let mut path = Path { sigmas: steps.iter().map(|&step| interpolate(&sigmas, step)).collect(), steps };
    let solver = &config.solver;
    let karras = solver.use_karras_sigmas == Some(true) && kind != SamplerKind::EulerAncestral;
    if karras {
        let (min, max) = match kind {
            SamplerKind::Euler => (path.sigmas[n - 1], path.sigmas[0]),
            _ => (sigmas[0], sigmas[total - 1]),
        };
        let (min, max) = match kind {
            SamplerKind::DpmSolver => (min, max),
            _ => (solver.sigma_min.unwrap_or(min), solver.sigma_max.unwrap_or(max)),
        };
        path = karras_path(&sigmas, n, min, max);
        if kind == SamplerKind::UniPc || kind == SamplerKind::DpmSolver && config.beta_schedule != BetaSchedule::Cosine
        {
            path.steps.iter_mut().for_each(|step| *step = step.round_ties_even());
        }
        if kind != SamplerKind::Euler {
            path.steps.iter_mut().for_each(|step| *step = step.trunc());
        }
    }
    let last = match solver.final_sigmas_type {
        _ if kind == SamplerKind::EulerAncestral => 0.0,
        FinalSigma::Zero => 0.0,
        FinalSigma::SigmaMin if kind == SamplerKind::UniPc && karras => path.sigmas[n - 1],
        FinalSigma::SigmaMin => sigmas[0],
    };
    path.sigmas.push(last);
    for value in path.steps.iter_mut().chain(&mut path.sigmas) {
        *value = f64::from(*value as f32);
    }
    Ok(path)
}

/// `n` of the steps that a latent consistency model was distilled on.
fn consistency_steps(config: &SchedulerConfig, n: usize) -> Result<Vec<f64>> {
    let original = config.solver.original_inference_steps;
    if n == 0 || n > original {
        return Err(out_of_range(n, original));
    }
    let stride = config.num_train_timesteps / original;
    let skip = original as f64 / n as f64;
    Ok((0..n).map(|i| ((original - (i as f64 * skip) as usize) * stride - 1) as f64).collect())
}

/// σ at every training step.
fn table(schedule: &NoiseSchedule) -> Vec<f64> {
    let total = schedule.config().num_train_timesteps;
    let zero_snr = schedule.config().rescale_betas_zero_snr;
    let alpha = |step: usize| match schedule.alpha_cumprod(step) {
        _ if zero_snr && step + 1 == total => LEAST_SIGNAL,
        alpha => alpha,
    };
    (0..total).map(|step| ((1.0 - alpha(step)) / alpha(step)).sqrt()).collect()
}

/// Linear interpolation in a table, constant beyond its ends.
fn interpolate(table: &[f64], at: f64) -> f64 {
    let at = at.clamp(0.0, (table.len() - 1) as f64);
    let low = (at as usize).min(table.len() - 2);
    table[low] + (at - low as f64) * (table[low + 1] - table[low])
}

/// Steps of Euler's method: all `n` places, ends included.
fn euler_steps(schedule: &NoiseSchedule, n: usize) -> Vec<f64> {
    let config = schedule.config();
    let total = config.num_train_timesteps;
    match config.timestep_spacing {
        Spacing::Linspace if n == 1 => vec![0.0],
        Spacing::Linspace => {
            (0..n).rev().map(|i| f64::from(((total - 1) as f64 * i as f64 / (n - 1) as f64) as f32)).collect()
        }
        Spacing::Leading => (0..n).rev().map(|i| (i * (total / n) + config.steps_offset) as f64).collect(),
        Spacing::Trailing => trailing(total, total, n),
    }
}

/// Steps of the solvers: `n` of `n` + 1 places, since the last is where they arrive.
fn solver_steps(schedule: &NoiseSchedule, n: usize) -> Vec<f64> {
    let config = schedule.config();
    let total = config.num_train_timesteps;
    let last = match (config.kind(), config.solver.lambda_min_clipped) {
        (SamplerKind::DpmSolver, Some(least)) => {
            table(schedule).into_iter().filter(|sigma| -sigma.ln() >= least).count().max(1)
        }
        _ => total,
    };
    match config.timestep_spacing {
        Spacing::Linspace => {
            (1..=n).rev().map(|i| ((last - 1) as f64 * i as f64 / n as f64).round_ties_even()).collect()
        }
        Spacing::Leading => (1..=n).rev().map(|i| (i * (last / (n + 1)) + config.steps_offset) as f64).collect(),
        Spacing::Trailing => trailing(last, total, n),
    }
}

/// `n` steps down from `first` in strides of `total` / `n`.
fn trailing(first: usize, total: usize, n: usize) -> Vec<f64> {
    let stride = total as f64 / n as f64;
    (0..n).map(|i| ((first as f64 - i as f64 * stride).round_ties_even() - 1.0).max(0.0)).collect()
}

/// `n` levels between `max` and `min`, dense where there is little noise.
fn karras_path(table: &[f64], n: usize, min: f64, max: f64) -> Path {
    let (low, high) = (min.powf(1.0 / RHO), max.powf(1.0 / RHO));
    let sigmas: Vec<f64> = (0..n)
        .map(|i| {
            let ramp = if n == 1 { 0.0 } else { i as f64 / (n - 1) as f64 };
            (high + ramp * (low - high)).powf(RHO)
        })
        .collect();
    let logs: Vec<f64> = table.iter().map(|sigma| sigma.ln()).collect();
    let steps = sigmas
        .iter()
        .map(|sigma| {
            let log = sigma.max(1e-10).ln();
            let low = logs.partition_point(|&at| at <= log).saturating_sub(1).min(logs.len() - 2);
            let share = ((logs[low] - log) / (logs[low] - logs[low + 1])).clamp(0.0, 1.0);
            low as f64 + share
        })
        .collect();
    Path { steps, sigmas }
}
