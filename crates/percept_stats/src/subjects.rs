//! Averages over subjects: a mean with Student's interval, and the t-test of a mean of 0.
//!
//! Subjects are few, so the interval is Student's; a bootstrap over four or six subjects is far too narrow.

use serde::{Deserialize, Serialize};

use crate::bootstrap::LEVEL;
use crate::error::{StatsError, at_least, finite};
use crate::significance::{student_p, student_quantile};

/// The mean over subjects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverSubjects {
    /// The mean.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Two-sided p of a mean of 0.
    pub p: f64,
    /// Subjects.
    pub n: usize,
}

/// Mean of one value per subject.
///
/// # Errors
/// Fewer than two subjects, values that are not finite.
///
/// # Numerics
/// Equals `scipy.stats.ttest_1samp` and its interval to 1e-9.
pub fn over_subjects(values: &[f64]) -> Result<OverSubjects, StatsError> {
    at_least("subjects", 2, values.len())?;
    finite("values", values)?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = (variance / n).sqrt();
    let half = if error > 0.0 { error * student_quantile(1.0 - LEVEL, n - 1.0) } else { 0.0 };
    let p = match (error > 0.0, mean == 0.0) {
        (true, _) => student_p(mean / error, n - 1.0),
        (false, true) => 1.0,
        (false, false) => 0.0,
    };
    Ok(OverSubjects { mean, low: mean - half, high: mean + half, p, n: values.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_subjects_have_a_wide_interval() {
        let found = over_subjects(&[1.0, 3.0]).expect("two");
        // t(0.975, 1) = 12.706.
        assert!((found.high - 2.0 - 12.706_204_736).abs() < 1e-8, "{found:?}");
        assert!((found.p - 0.295_167_235_3).abs() < 1e-9);
        assert!(over_subjects(&[1.0]).is_err());
        assert_eq!(over_subjects(&[2.0, 2.0]).expect("two").low, 2.0);
    }
}
