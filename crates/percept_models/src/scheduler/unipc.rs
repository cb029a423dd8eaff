//! UniPC: a predictor, and a corrector that reuses the model's output at the place it arrives (Zhao et al. 2023,
//! arXiv 2302.04867, algorithms 5 and 6 with clean-sample prediction), of order 1 to 3, with B(h) = h or e^h − 1.

use candle_core::Tensor;

use super::{
    SchedulerConfig,
    given::{Given, History, sum},
    sigmas::Path,
};
use crate::error::Result;

/// One step: correct the sample that the last step predicted, then predict the next.
pub(super) fn step(
    config: &SchedulerConfig,
    path: &Path,
    i: usize,
    given: &Given<'_>,
    history: &mut History,
) -> Result<Tensor> {
    let solver = &config.solver;
    let (signal, noise) = path.mix(i);
    let clean = given.clean(config.prediction_type, signal, noise)?;
    let is_plain = solver.solver_type.as_deref() == Some("bh1");
    let corrected = match &history.last {
        Some((anchor, order)) if i > 0 && !solver.disable_corrector.contains(&(i - 1)) => {
            let weights = Weights::new(path, i - 1, *order, is_plain);
            // All places at which the model was asked, the new one last.
            let rho = solve(&weights.rows, &weights.moments);
            let rho = if *order == 1 { vec![0.5] } else { rho };
            weights.apply(anchor, &history.clean, &rho, Some(&clean))?
        }
        _ => given.sample.clone(),
    };
    history.clean.push(clean);
    let kept = history.clean.len().saturating_sub(solver.solver_order);
    history.clean.drain(..kept);
    let left = if solver.lower_order_final || path.sigmas[i + 1] == 0.0 { path.steps.len() - i } else { usize::MAX };
    let order = solver.solver_order.min(left).min(history.clean.len());
    let weights = Weights::new(path, i, order, is_plain);
    let rho = match order {
        1 => vec![],
        2 => vec![0.5],
        _ => {
            let inner: Vec<Vec<f64>> = weights.rows[..order - 1].iter().map(|row| row[..order - 1].to_vec()).collect();
            solve(&inner, &weights.moments[..order - 1])
        }
    };
    let next = weights.apply(&corrected, &history.clean, &rho, None)?;
    history.last = Some((corrected, order));
    Ok(next)
}

/// The coefficients of a step from place `from` to the next.
struct Weights {
    /// Weights of the sample at `from` and of the clean sample predicted there.
    of_sample: f64,
    of_clean: f64,
    /// The weight of all differences between clean samples: signal · B(h).
    of_differences: f64,
    /// Distances of the earlier places in units of the step (negative), and the arrival's, 1.
    places: Vec<f64>,
    /// The conditions that make the solver exact for polynomials: `rows` ρ = `moments`.
    rows: Vec<Vec<f64>>,
    moments: Vec<f64>,
}

impl Weights {
    fn new(path: &Path, from: usize, order: usize, is_plain: bool) -> Self {
        let (_, noise) = path.mix(from);
        let (next_signal, next_noise) = path.mix(from + 1);
        let h = path.log_snr(from + 1) - path.log_snr(from);
        let growth = (-h).exp_m1(); // e^−h − 1
        let b = if is_plain { -h } else { growth };
        let mut places: Vec<f64> =
            (1..order).map(|back| (path.log_snr(from - back) - path.log_snr(from)) / h).collect();
        places.push(1.0);
        let (mut moments, mut factorial, mut phi) = (Vec::new(), 1.0, growth / -h - 1.0);
        for k in 1..=order {
            moments.push(phi * factorial / b);
            factorial *= (k + 1) as f64;
            phi = phi / -h - 1.0 / factorial;
        }
        Self {
            of_sample: next_noise / noise,
            of_clean: -next_signal * growth,
            of_differences: -next_signal * b,
            rows: (0..order as i32).map(|power| places.iter().map(|place| place.powi(power)).collect()).collect(),
            places,
            moments,
        }
    }

    /// The sample at the next place. `clean` are the predictions up to `from`, newest last; `arrived` is the one at the
    /// next place, for the corrector.
    fn apply(&self, sample: &Tensor, clean: &[Tensor], rho: &[f64], arrived: Option<&Tensor>) -> Result<Tensor> {
        let Some((newest, earlier)) = clean.split_last() else { return Ok(sample.clone()) };
        let mut terms = vec![(self.of_sample, sample), (self.of_clean, newest)];
        let others = earlier.iter().rev().take(self.places.len() - 1).chain(arrived);
        // The corrector's last weight belongs to the arrival, whose place stands behind those of the earlier ones.
        for ((place, rho), other) in self.places.iter().zip(rho).zip(others) {
            let weight = self.of_differences * rho / place;
            terms.extend([(weight, other), (-weight, newest)]);
        }
        sum(&terms)
    }
}

/// Solves a small system by Gaussian elimination with row exchange.
fn solve(rows: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let n = right.len();
    let mut m: Vec<Vec<f64>> =
        rows.iter().zip(right).map(|(row, b)| row.iter().copied().chain([*b]).collect()).collect();
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| m[a][column].abs().total_cmp(&m[b][column].abs())).unwrap_or(column);
        m.swap(column, pivot);
        let (above, below) = m.split_at_mut(column + 1);
        for row in below {
            let factor = row[column] / above[column][column];
            row.iter_mut().zip(&above[column]).skip(column).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    let mut x = vec![0.0; n];
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| m[row][k] * x[k]).sum();
        x[row] = (m[row][n] - known) / m[row][row];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn small_systems_are_solved_whatever_their_order() {
        let x = solve(&[vec![0.0, 1.0, 1.0], vec![2.0, 0.0, 1.0], vec![1.0, 1.0, 0.0]], &[5.0, 5.0, 3.0]);
        for (ours, truth) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((ours - truth).abs() < 1e-12, "{x:?}");
        }
    }
}
