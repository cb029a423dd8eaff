//! Percentile bootstrap over items, and paired comparisons of two methods on the same items.

use percept_core::Seed;
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{StatsError, at_least, finite, same_shape};

/// The level of intervals unless another is asked for.
pub const LEVEL: f64 = 0.95;

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies between the ends, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The difference between two methods on the same items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Mean of first minus second.
    pub mean: f64,
    /// 95 % bootstrap interval of the mean difference.
    pub interval: Interval,
    /// Two-sided p of a sign-flip permutation test, (1 + b) / (1 + B).
    pub p: f64,
}

/// 95 % percentile bootstrap interval of the mean over items.
///
/// # Errors
/// No values, values that are not finite, no draws.
///
/// # Numerics
/// Draw k uses the stream `seed.at(k)`; quantiles are interpolated as by `numpy.percentile`.
///
/// # References
/// Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.
pub fn mean_interval(values: &[f64], seed: Seed, n_draws: usize) -> Result<Interval, StatsError> {
    mean_interval_at(values, seed, n_draws, LEVEL)
}

/// The same at another level in (0, 1).
///
/// # Errors
/// As [`mean_interval`], and a level outside (0, 1).
pub fn mean_interval_at(values: &[f64], seed: Seed, n_draws: usize, level: f64) -> Result<Interval, StatsError> {
    at_least("values", 1, values.len())?;
    at_least("draws", 1, n_draws)?;
    finite("values", values)?;
    if !(level > 0.0 && level < 1.0) {
        return Err(StatsError::Range { what: "level", value: level, range: "(0, 1)" });
    }
    let n = values.len();
    let mut means: Vec<f64> = (0..n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.at(draw).stream();
            (0..n).map(|_| values[stream.random_range(0..n as u64) as usize]).sum::<f64>() / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Ok(Interval { low: quantile(&means, tail), high: quantile(&means, 1.0 - tail) })
}

/// 95 % percentile bootstrap interval of any statistic of items: `statistic` is given the places of drawn items, of `n_items`. Draws for
/// which it is not defined count as 0, the value of a statistic that found nothing.
///
/// # Errors
/// No items, no draws.
///
/// # Numerics
/// As [`mean_interval`].
pub fn statistic_interval(
    n_items: usize,
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
    seed: Seed,
    n_draws: usize,
) -> Result<Interval, StatsError> {
    at_least("items", 1, n_items)?;
    at_least("draws", 1, n_draws)?;
    let mut values: Vec<f64> = (0..n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.at(draw).stream();
            let places: Vec<usize> = (0..n_items).map(|_| stream.random_range(0..n_items as u64) as usize).collect();
            statistic(&places).unwrap_or(0.0)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Ok(Interval { low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
}

/// Compares two methods item by item: mean difference, its interval, and a sign-flip permutation p.
///
/// # Errors
/// Lists that differ in length, and those of [`mean_interval`].
pub fn paired_difference(
    first: &[f64],
    second: &[f64],
    seed: Seed,
    n_draws: usize,
) -> Result<PairedDifference, StatsError> {
    same_shape(("first", &[first.len()]), ("second", &[second.len()]))?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let interval = mean_interval(&differences, seed.named("interval"), n_draws)?;
    let total: f64 = differences.iter().sum();
    let p = sign_flip_p(&differences, seed.named("flips"), n_draws);
    Ok(PairedDifference { mean: total / differences.len() as f64, interval, p })
}

/// Two-sided p of the sum of `differences` when each could as well have had the other sign.
pub(crate) fn sign_flip_p(differences: &[f64], seed: Seed, n_draws: usize) -> f64 {
    let total: f64 = differences.iter().sum();
    // Sums of the same numbers in another sign pattern differ in rounding; that must not turn a tie into a loss.
    let slack = 1e-12 * differences.iter().map(|value| value.abs()).sum::<f64>();
    let extreme = (0..n_draws as u64)
        .into_par_iter()
        .filter(|&draw| {
            let mut stream = seed.at(draw).stream();
            let sum: f64 = differences.iter().map(|&value| if stream.random::<bool>() { value } else { -value }).sum();
            sum.abs() >= total.abs() - slack
        })
        .count();
    (1 + extreme) as f64 / (1 + n_draws) as f64
}

/// Linear interpolation between order statistics, as `numpy.percentile` does.
pub(crate) fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_the_same_as_a_statistic() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
        let mean = |places: &[usize]| Some(places.iter().map(|&at| values[at]).sum::<f64>() / places.len() as f64);
        let seed = Seed::new(6);
        let found = statistic_interval(values.len(), mean, seed, 500).expect("items");
        assert_eq!(found, mean_interval(&values, seed, 500).expect("items"));
        assert!(statistic_interval(0, mean, seed, 500).is_err());
    }

    #[test]
    fn quantiles_interpolate_as_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 3.0);
        assert!((quantile(&sorted, 0.9) - 6.8).abs() < 1e-12);
    }

    #[test]
    fn an_interval_is_reproducible_and_depends_on_the_seed() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7)).collect();
        let a = mean_interval(&values, Seed::new(1), 200).expect("values");
        assert_eq!(a, mean_interval(&values, Seed::new(1), 200).expect("values"));
        assert_ne!(a, mean_interval(&values, Seed::new(2), 200).expect("values"));
    }

    #[test]
    fn unusable_inputs_are_named() {
        assert!(matches!(mean_interval(&[], Seed::new(1), 10), Err(StatsError::TooFew { what: "values", .. })));
        assert!(matches!(mean_interval(&[1.0], Seed::new(1), 0), Err(StatsError::TooFew { what: "draws", .. })));
        let error = mean_interval(&[1.0, f64::NAN], Seed::new(1), 10);
        assert_eq!(error, Err(StatsError::NonFinite { what: "values", position: 1 }));
        assert!(matches!(mean_interval_at(&[1.0], Seed::new(1), 10, 1.0), Err(StatsError::Range { .. })));
        assert!(matches!(paired_difference(&[1.0], &[1.0, 2.0], Seed::new(1), 10), Err(StatsError::Shape { .. })));
    }
}
