//! How surprising a score is when nothing is there: analytic thresholds of r, permutation p-values, false discovery rate.

use crate::ItemScores;
use crate::error::{StatsError, at_least, finite};

/// Which values count as surprising.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Large ones: a prediction should correlate with the truth.
    Greater,
    /// Those far from 0 on either side.
    TwoSided,
}

impl Side {
    /// What is compared: `r` itself or its size.
    pub fn statistic(self, r: f64) -> f64 {
        match self {
            Self::Greater => r,
            Self::TwoSided => r.abs(),
        }
    }
}

/// p of each correlation between `n` independent pairs, by the t distribution. Not valid for series whose neighbours resemble each
/// other: use [`crate::permutation`] there.
///
/// # Errors
/// As [`correlation_p`].
pub fn correlation_p_values(r: &ItemScores, n: usize, side: Side) -> Result<Vec<Option<f64>>, StatsError> {
    let p = |r: f64| match side {
        Side::Greater => correlation_p(r, n),
        Side::TwoSided => correlation_p(r.abs(), n).map(|p| 2.0 * p),
    };
    r.values.iter().map(|r| r.map(p).transpose()).collect()
}

/// Two-sided p of Student's t with `degrees` degrees of freedom.
pub(crate) fn student_p(t: f64, degrees: f64) -> f64 {
    incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + t * t))
}

/// The t that is exceeded on either side with probability `p` in all.
pub(crate) fn student_quantile(p: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while student_p(high, degrees) > p && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if student_p(middle, degrees) > p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// One-sided p of a correlation `r` between `n` independent pairs: P(R ≥ r) under no correlation, from the t distribution
/// of r √((n − 2) / (1 − r²)). Not valid for autocorrelated series.
///
/// # Errors
/// Fewer than 3 pairs, r outside −1..=1.
///
/// # Numerics
/// Agrees with `scipy.stats.t.sf` to 1e-11 relative.
pub fn correlation_p(r: f64, n: usize) -> Result<f64, StatsError> {
    at_least("pairs", 3, n)?;
    if !(-1.0..=1.0).contains(&r) {
        return Err(StatsError::Range { what: "r", value: r, range: "-1..=1" });
    }
    // For T with k degrees of freedom k / (k + T²) = 1 − r².
    let upper = 0.5 * incomplete_beta(0.5 * (n - 2) as f64, 0.5, 1.0 - r * r);
    Ok(if r >= 0.0 { upper } else { 1.0 - upper })
}

/// The correlation that `n` independent pairs without relation exceed with probability `p`, one-sided.
///
/// # Errors
/// Fewer than 3 pairs, p outside (0, 0.5].
pub fn correlation_threshold(n: usize, p: f64) -> Result<f64, StatsError> {
    at_least("pairs", 3, n)?;
    if !(p > 0.0 && p <= 0.5) {
        return Err(StatsError::Range { what: "p", value: p, range: "(0, 0.5]" });
    }
    let (mut low, mut high) = (0.0, 1.0);
    // Each step halves the interval; f64 is exhausted after 60.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if correlation_p(middle, n)? > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(0.5 * (low + high))
}

/// Permutation p-value (1 + b) / (1 + B), where b of the B null values are at least as large as the observed one. Never 0.
///
/// # Errors
/// No null values, values that are not finite.
///
/// # References
/// Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
pub fn permutation_p(observed: f64, null: &[f64]) -> Result<f64, StatsError> {
    at_least("null values", 1, null.len())?;
    finite("null values", null)?;
    finite("observed", &[observed])?;
    let extreme = null.iter().filter(|value| **value >= observed).count();
    Ok((1 + extreme) as f64 / (1 + null.len()) as f64)
}

/// What survives control of the false discovery rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Discoveries {
    /// The largest p-value that is rejected, if any.
    pub threshold: Option<f64>,
    /// Which hypotheses are rejected.
    pub rejected: Vec<bool>,
    /// Adjusted p-values: the smallest rate at which each hypothesis is rejected.
    pub adjusted: Vec<f64>,
}

/// Benjamini and Hochberg's procedure at false discovery rate `rate`.
///
/// # Errors
/// No p-values, a p-value outside 0..=1, a rate outside (0, 1].
///
/// # Numerics
/// Adjusted values equal `scipy.stats.false_discovery_control` to 1e-15.
///
/// # References
/// Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
pub fn false_discovery(p_values: &[f64], rate: f64) -> Result<Discoveries, StatsError> {
    at_least("p-values", 1, p_values.len())?;
    if let Some(&value) = p_values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(StatsError::Range { what: "p", value, range: "0..=1" });
    }
    if !(rate > 0.0 && rate <= 1.0) {
        return Err(StatsError::Range { what: "rate", value: rate, range: "(0, 1]" });
    }
    let n = p_values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; n];
    let mut smallest = 1.0f64;
    for (rank, &item) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[item] * n as f64 / (rank + 1) as f64);
        adjusted[item] = smallest;
    }
    let rejected_ranks = (0..n).rev().find(|&rank| p_values[order[rank]] <= rate * (rank + 1) as f64 / n as f64);
    let threshold = rejected_ranks.map(|rank| p_values[order[rank]]);
    let rejected = p_values.iter().map(|p| threshold.is_some_and(|threshold| *p <= threshold)).collect();
    Ok(Discoveries { threshold, rejected, adjusted })
}

/// Regularised incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22), evaluated by Lentz's method.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean; above it the symmetry I_x(a, b) = 1 − I_{1−x}(b, a) is used.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (a * x.ln() + b * (-x).ln_1p() + libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)).exp() / a;
    let tiny = 1e-300;
    let nonzero = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / nonzero(1.0 + coefficient * d);
            c = nonzero(1.0 + coefficient / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_of_982_images_is_the_published_one() {
        let r = correlation_threshold(982, 0.05).expect("in range");
        assert!((r - 0.0525).abs() < 5e-5, "{r}");
        assert!((correlation_p(r, 982).expect("in range") - 0.05).abs() < 1e-14);
    }

    #[test]
    fn opposite_correlations_have_complementary_p() {
        let (a, b) = (correlation_p(0.3, 20).expect("in range"), correlation_p(-0.3, 20).expect("in range"));
        assert!((a + b - 1.0).abs() < 1e-14);
        assert_eq!(correlation_p(1.0, 20), Ok(0.0));
        assert!(correlation_p(f64::NAN, 20).is_err());
    }

    #[test]
    fn ten_small_p_values_among_uniform_ones_set_the_threshold() {
        let mut p: Vec<f64> = (0..90).map(|i| 0.1 + 0.9 * f64::from(i) / 90.0).collect();
        p.extend([0.0005; 10]);
        let found = false_discovery(&p, 0.1).expect("in range");
        assert_eq!(found.threshold, Some(0.0005));
        assert_eq!(found.rejected.iter().filter(|rejected| **rejected).count(), 10);
        assert_eq!(false_discovery(&p, 0.001).expect("in range").threshold, None);
    }

    #[test]
    fn a_permutation_p_is_never_zero() {
        assert_eq!(permutation_p(5.0, &[1.0, 2.0, 3.0]), Ok(0.25));
        assert_eq!(permutation_p(2.0, &[1.0, 2.0, 3.0]), Ok(0.75));
    }
}
