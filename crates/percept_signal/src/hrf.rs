//! Canonical haemodynamic responses: what blood does after a brief burst of activity, as a difference of two gamma densities.
//!
//! Parameters are those of SPM and of Glover's fit to auditory responses, as nilearn has them. A sampled response sums to 1, so a
//! regressor keeps its scale.
//!
//! References: Friston and others 1998, doi:10.1006/nimg.1998.0369; Glover 1999, doi:10.1006/nimg.1998.0419.

use ndarray::{Array2, ArrayView2, s};

use crate::error::SignalError;
use crate::runs::runs;

/// A difference of two gamma densities: peak less `ratio` times undershoot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hrf {
    /// Time to the peak, seconds.
    pub delay_secs: f64,
    /// Time to the undershoot, seconds.
    pub undershoot_secs: f64,
    /// Width of the peak, seconds.
    pub dispersion_secs: f64,
    /// Width of the undershoot, seconds.
    pub undershoot_dispersion_secs: f64,
    /// Size of the undershoot against the peak.
    pub ratio: f64,
}

impl Hrf {
    /// SPM's default: peak density at 6 s, undershoot at 16 s, a sixth of the peak.
    pub const SPM: Self = Self {
        delay_secs: 6.0,
        undershoot_secs: 16.0,
        dispersion_secs: 1.0,
        undershoot_dispersion_secs: 1.0,
        ratio: 0.167,
    };

    /// Glover's.
    pub const GLOVER: Self = Self {
        delay_secs: 6.0,
        undershoot_secs: 12.0,
        dispersion_secs: 0.9,
        undershoot_dispersion_secs: 0.9,
        ratio: 0.48,
    };

    /// The response `secs` after the burst, not scaled.
    ///
    /// # Numerics
    /// Equals `scipy.stats.gamma.pdf` to 1e-12 relative.
    pub fn at(&self, secs: f64) -> f64 {
        gamma_density(secs, self.delay_secs / self.dispersion_secs, self.dispersion_secs)
            - self.ratio
                * gamma_density(
                    secs,
                    self.undershoot_secs / self.undershoot_dispersion_secs,
                    self.undershoot_dispersion_secs,
                )
    }

    /// Samples every `tr_secs` from 0 on for `length_secs`, scaled to the sum 1.
    ///
    /// # Errors
    /// [`SignalError::Setting`] for times that are not positive or do not reach the response.
    pub fn sampled(&self, tr_secs: f64, length_secs: f64) -> Result<Vec<f64>, SignalError> {
        let n = (length_secs / tr_secs).round();
        if !(tr_secs > 0.0 && n.is_finite() && n >= 1.0) {
            return Err(SignalError::Setting {
                what: "the sampling of the haemodynamic response",
                got: format!("every {tr_secs} s for {length_secs} s"),
                expected: "positive, and longer than one sample".to_owned(),
            });
        }
        let samples: Vec<f64> = (0..n as usize).map(|sample| self.at(sample as f64 * tr_secs)).collect();
        let sum: f64 = samples.iter().sum();
        if sum.abs() <= f64::EPSILON {
            return Err(SignalError::Setting {
                what: "the sampling of the haemodynamic response",
                got: format!("{length_secs} s with the sum {sum}"),
                expected: "long enough to hold the peak".to_owned(),
            });
        }
        Ok(samples.into_iter().map(|sample| sample / sum).collect())
    }
}

/// Features convolved with `kernel` (its first entry is the present) within each run; what came before a run counts as 0.
///
/// # Shapes
/// `features` n_samples × n_features in the order of time, `run_of_sample` n_samples.
///
/// # Errors
/// [`SignalError::LabelCount`], [`SignalError::Empty`], [`SignalError::ScatteredRun`], [`SignalError::Setting`] for no kernel.
///
/// # Numerics
/// f64, rounded once.
pub fn convolved(
    features: ArrayView2<'_, f32>,
    run_of_sample: &[usize],
    kernel: &[f64],
) -> Result<Array2<f32>, SignalError> {
    if kernel.is_empty() {
        let (got, expected) = ("empty".to_owned(), "at least one sample".to_owned());
        return Err(SignalError::Setting { what: "the kernel", got, expected });
    }
    let mut out = Array2::zeros(features.dim());
    let mut sums = vec![0.0; features.ncols()];
    for run in runs(features.dim(), run_of_sample)? {
        let part = features.slice(s![run.clone(), ..]);
        for (sample, mut out) in out.slice_mut(s![run, ..]).rows_mut().into_iter().enumerate() {
            sums.fill(0.0);
            for (delay, weight) in kernel.iter().enumerate().take(sample + 1) {
                let row = part.row(sample - delay);
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
            }
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum as f32);
        }
    }
    Ok(out)
}

/// x^(k−1) e^(−x/θ) / (Γ(k) θ^k).
fn gamma_density(x: f64, shape: f64, scale: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    ((shape - 1.0) * (x / scale).ln() - x / scale - libm::lgamma(shape)).exp() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_burst_at_the_end_of_a_run_does_not_reach_the_next() {
        let features = array![[0.0f32], [1.0], [0.0], [0.0], [2.0], [0.0]];
        let found = convolved(features.view(), &[0, 0, 1, 1, 1, 1], &[0.5, 0.25]).expect("fits");
        assert_eq!(found, array![[0.0f32], [0.5], [0.0], [0.0], [1.0], [0.5]]);
    }

    #[test]
    fn responses_rise_to_one_peak_and_undershoot() {
        for (hrf, peak) in [(Hrf::SPM, 5.0), (Hrf::GLOVER, 5.0)] {
            let samples = hrf.sampled(0.1, 32.0).expect("valid");
            let best = (0..samples.len()).max_by(|&a, &b| samples[a].total_cmp(&samples[b])).expect("samples");
            assert!((best as f64 * 0.1 - peak).abs() < 0.3, "{best}");
            assert!(samples[130..200].iter().any(|&value| value < 0.0));
            assert!((samples.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(Hrf::SPM.sampled(0.0, 32.0).is_err() && Hrf::SPM.sampled(1.0, 1.0).is_err());
    }
}
