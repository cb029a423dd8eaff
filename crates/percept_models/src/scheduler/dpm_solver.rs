//! DPM-Solver++ in its multistep form of order 1 or 2 (Lu et al. 2022, arXiv 2211.01095), and its stochastic variant.
//! The solvers predict clean samples; λ = log(signal / noise). It has no singlestep form and no order 3.

use candle_core::Tensor;

use super::{
    SchedulerConfig,
    config::{FinalSigma, SolverConfig},
    given::{Given, History, sum},
    sigmas::Path,
};
use crate::error::Result;

/// Runs shorter than this end with a step of lower order.
const SHORT: usize = 15;

/// Whether the config asks for the stochastic variant.
pub(super) fn is_stochastic(solver: &SolverConfig) -> bool {
    solver.algorithm_type.as_deref() == Some("sde-dpmsolver++")
}

/// One step of the order that place and history allow.
pub(super) fn step(
    config: &SchedulerConfig,
    path: &Path,
    i: usize,
    given: &Given<'_>,
    history: &mut History,
) -> Result<Tensor> {
    let solver = &config.solver;
    let n = path.steps.len();
    let (signal, noise) = path.mix(i);
    let clean = given.clean(config.prediction_type, signal, noise)?;
    let before = history.clean.last().cloned();
    history.clean = vec![clean.clone()];
    let lowered = i + 1 == n
        && (solver.euler_at_final
            || solver.lower_order_final && n < SHORT
            || solver.final_sigmas_type == FinalSigma::Zero);

    let (next_signal, next_noise) = path.mix(i + 1);
    let h = path.log_snr(i + 1) - path.log_snr(i);
    let stochastic = is_stochastic(solver);
    // The weights of the sample and of the clean sample in the exact solution for a constant prediction.
    let (of_sample, of_clean) = if stochastic {
        (next_noise / noise * (-h).exp(), next_signal * -(-2.0 * h).exp_m1())
    } else {
        (next_noise / noise, next_signal * -(-h).exp_m1())
    };
    let mut terms = vec![(of_sample, given.sample), (of_clean, &clean)];
    if let (Some(before), 2, false) = (&before, solver.solver_order, lowered) {
        // The prediction's slope over λ, times the step.
        let slope = h / (path.log_snr(i) - path.log_snr(i - 1));
        let weight = match (solver.solver_type.as_deref(), stochastic) {
            (Some("heun"), false) => next_signal * ((-h).exp_m1() / h + 1.0),
            (Some("heun"), true) => next_signal * ((-2.0 * h).exp_m1() / (2.0 * h) + 1.0),
            _ => 0.5 * of_clean,
        };
        terms.extend([(weight * slope, &clean), (-weight * slope, before)]);
    }
    if stochastic {
        terms.push((next_noise * (-(-2.0 * h).exp_m1()).sqrt(), given.noise()?));
    }
    sum(&terms)
}
