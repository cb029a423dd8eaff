//! Two alternatives, one choice: which of two methods wins, by a similarity or by people's answers.
//!
//! Ties decide nothing: they are counted and left out of the share, as in a sign test.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Interval, LEVEL};
use crate::error::{StatsError, finite, same_shape};
use crate::significance::incomplete_beta;

/// How often the first of two methods won.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// Comparisons that the first won.
    pub wins: usize,
    /// Comparisons that the second won.
    pub losses: usize,
    /// Comparisons without a winner.
    pub ties: usize,
    /// The share of the first among comparisons with a winner; `None` without any.
    pub share: Option<Share>,
}

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Wins ÷ (wins + losses); chance is 0.5.
    pub value: f64,
    /// 95 % interval of Clopper and Pearson.
    pub interval: Interval,
    /// Two-sided exact binomial p of a share of one half.
    pub p: f64,
}

impl Preference {
    /// From counts.
    ///
    /// # Numerics
    /// The interval agrees with `scipy.stats.binomtest(…).proportion_ci(method="exact")`, p with its `pvalue`, to 1e-12.
    ///
    /// # References
    /// Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.
    ///
    /// # Example
    /// ```
    /// let found = percept_stats::preference::Preference::new(8, 2, 1);
    /// assert_eq!(found.share.map(|share| share.value), Some(0.8));
    /// ```
    pub fn new(wins: usize, losses: usize, ties: usize) -> Self {
        let n = wins + losses;
        let share = (n > 0).then(|| Share {
            value: wins as f64 / n as f64,
            interval: clopper_pearson(wins, n, LEVEL),
            p: sign_test(wins, n),
        });
        Self { wins, losses, ties, share }
    }
}

/// The choice by similarity: for each item the method whose result is more similar to the truth wins.
///
/// # Errors
/// Lists that differ in length, values that are not finite.
///
/// # References
/// Takagi and Nishimoto 2023, doi:10.1101/2022.11.18.517004; the similarities are the caller's, such as cosines of CLIP.
pub fn by_similarity(first: &[f64], second: &[f64]) -> Result<Preference, StatsError> {
    same_shape(("first", &[first.len()]), ("second", &[second.len()]))?;
    finite("first", first)?;
    finite("second", second)?;
    let count =
        |wanted: std::cmp::Ordering| first.iter().zip(second).filter(|(a, b)| a.partial_cmp(b) == Some(wanted)).count();
    let (wins, losses) = (count(std::cmp::Ordering::Greater), count(std::cmp::Ordering::Less));
    Ok(Preference::new(wins, losses, first.len() - wins - losses))
}

/// The interval of a share of `wins` among `n` > 0.
fn clopper_pearson(wins: usize, n: usize, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    let (k, n) = (wins as f64, n as f64);
    // P(at least k of n at share x) = I_x(k, n − k + 1).
    let low = if wins == 0 { 0.0 } else { root(|x| incomplete_beta(k, n - k + 1.0, x), tail) };
    let high = if k == n { 1.0 } else { root(|x| incomplete_beta(k + 1.0, n - k, x), 1.0 - tail) };
    Interval { low, high }
}

/// Where a rising function of 0..=1 takes `value`.
fn root(f: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Each step halves the interval; f64 is exhausted after 60.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if f(middle) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Two-sided p of `wins` among `n` > 0 fair coins.
fn sign_test(wins: usize, n: usize) -> f64 {
    let more = wins.max(n - wins);
    // The upper tail twice; both tails together where they meet in the middle.
    (2.0 * incomplete_beta(more as f64, (n - more) as f64 + 1.0, 0.5)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n)` of SciPy 1.17.1: k, n, low, high, p.
    const SCIPY: [(usize, usize, f64, f64, f64); 5] = [
        (8, 10, 0.443_904_537_692_358_5, 0.974_789_273_673_166_5, 0.109_375),
        (0, 7, 0.0, 0.409_616_397_225_048_7, 0.015_625),
        (13, 13, 0.752_947_361_999_496_4, 1.0, 0.000_244_140_625),
        (61, 100, 0.507_314_479_632_299_8, 0.705_989_585_146_582_9, 0.035_200_200_217_704_855),
        (250, 500, 0.455_285_569_324_227_4, 0.544_714_430_675_772_5, 1.0),
    ];

    #[test]
    fn shares_are_those_of_scipy() {
        for (wins, n, low, high, p) in SCIPY {
            let share = Preference::new(wins, n - wins, 3).share.expect("decided");
            for (found, expected) in [(share.interval.low, low), (share.interval.high, high), (share.p, p)] {
                assert!((found - expected).abs() < 1e-12, "{wins} of {n}: {found} {expected}");
            }
        }
    }

    #[test]
    fn ties_decide_nothing() {
        let found = by_similarity(&[0.5, 0.2, 0.1], &[0.5, 0.1, 0.2]).expect("numbers");
        assert_eq!((found.wins, found.losses, found.ties), (1, 1, 1));
        assert_eq!(by_similarity(&[0.0], &[0.0]).expect("numbers").share, None);
        // Minus zero is no less than zero.
        assert_eq!(by_similarity(&[0.0], &[-0.0]).expect("numbers").ties, 1);
        assert!(by_similarity(&[f64::NAN], &[0.0]).is_err());
    }
}
