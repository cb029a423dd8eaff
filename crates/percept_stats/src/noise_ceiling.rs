//! Noise ceilings from repeats: how much of a unit's variance a perfect model of the stimulus could explain.
//!
//! Responses are z-scored per session first, so that total variance is 1; v² is the variance over repeats of one stimulus,
//! and what is left is signal. It is Spearman and Brown's formula: NC(n) = nρ / (1 + (n − 1)ρ) with ρ = ncsnr² / (1 + ncsnr²).
//!
//! A film or story that was presented several times to the same subject has its ceiling from [`explainable_variance`].
//!
//! Reference: Allen et al. 2022, doi:10.1038/s41593-021-00962-x, methods, "Noise ceiling estimation".

use std::collections::BTreeMap;

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::ItemScores;
use crate::error::{StatsError, at_least, finite, same_shape};

/// Noise-ceiling signal-to-noise ratio of each unit: √max(1 − v², 0) / v, where v² is the mean over stimuli with exactly
/// `repeats` presentations of the variance of these presentations (ddof 1).
///
/// A unit that never varies has no ratio and is undefined. A unit whose repeats are identical is infinite.
///
/// # Shapes
/// `responses` n_samples × n_units, z-scored per session; `stimulus_of_sample` n_samples labels.
///
/// # Errors
/// A label list of another length, fewer than 2 repeats, no stimulus with that many, values that are not finite.
pub fn ncsnr(
    responses: ArrayView2<'_, f32>,
    stimulus_of_sample: &[usize],
    repeats: usize,
) -> Result<ItemScores, StatsError> {
    same_shape(("responses", &[responses.nrows()]), ("stimuli", &[stimulus_of_sample.len()]))?;
    at_least("repeats", 2, repeats)?;
    finite("responses", responses)?;
    let mut samples_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (sample, &stimulus) in stimulus_of_sample.iter().enumerate() {
        samples_of.entry(stimulus).or_default().push(sample);
    }
    let sets: Vec<Vec<usize>> = samples_of.into_values().filter(|samples| samples.len() == repeats).collect();
    if sets.is_empty() {
        return Err(StatsError::NoRepeats { repeats });
    }
    let values: Vec<Option<f64>> = responses
        .axis_iter(Axis(1))
        .into_par_iter()
        .map(|unit| {
            if unit.iter().all(|value| *value == unit[0]) {
                return None;
            }
            let mut sum = 0.0;
            for set in &sets {
                let mean = set.iter().map(|&sample| f64::from(unit[sample])).sum::<f64>() / repeats as f64;
                let squares: f64 = set.iter().map(|&sample| (f64::from(unit[sample]) - mean).powi(2)).sum();
                sum += squares / (repeats - 1) as f64;
            }
            let noise = sum / sets.len() as f64;
            Some((1.0 - noise).max(0.0).sqrt() / noise.sqrt())
        })
        .collect();
    Ok(ItemScores { values })
}

/// Share of variance (R² units) that a perfect model explains in responses averaged over `n_repeats` presentations:
/// ncsnr² / (ncsnr² + 1/n). Its square root is the ceiling of r.
pub fn ceiling(ncsnr: f64, n_repeats: usize) -> f64 {
    ceiling_of_noise(ncsnr, 1.0 / n_repeats as f64)
}

/// The same for stimuli with unequal numbers of presentations: 1/n is replaced by its mean over stimuli, which for A, B and
/// C stimuli with 3, 2 and 1 presentations is (A/3 + B/2 + C) / (A + B + C).
///
/// # Errors
/// No stimuli, or a stimulus without presentations.
pub fn ceiling_mixed(ncsnr: f64, repeats_of_stimulus: &[usize]) -> Result<f64, StatsError> {
    at_least("stimuli", 1, repeats_of_stimulus.len())?;
    at_least("repeats of a stimulus", 1, repeats_of_stimulus.iter().copied().min().unwrap_or(0))?;
    let inverse: f64 = repeats_of_stimulus.iter().map(|&repeats| 1.0 / repeats as f64).sum();
    Ok(ceiling_of_noise(ncsnr, inverse / repeats_of_stimulus.len() as f64))
}

/// Share of the variance of a single presentation that repeats have in common: each presentation is z-scored, the variance (ddof 1) of
/// their mean is taken over that of each, and what noise leaves in the mean is subtracted: ev − (1 − ev) / (m − 1). Negative
/// for less than nothing; `None` where a presentation is constant.
///
/// The ceiling of R² for the mean of m presentations is m·ev / (1 + (m − 1)·ev).
///
/// # Shapes
/// m presentations of n_samples × n_units each, the same moments in the same rows.
///
/// # Errors
/// Fewer than 2 presentations or samples, shapes that differ, values that are not finite.
///
/// # References
/// Sahani and Linden 2003; Hsu, Borst and Theunissen 2004, doi:10.1088/0954-898X_15_2_002. The form with z-scores and its correction is
/// that of Gallant's laboratory (`voxelwise_tutorials`).
pub fn explainable_variance(presentations: &[ArrayView2<'_, f32>]) -> Result<ItemScores, StatsError> {
    at_least("presentations", 2, presentations.len())?;
    let m = presentations.len() as f64;
    for presentation in presentations {
        same_shape(("presentation", presentation.shape()), ("the first", presentations[0].shape()))?;
        at_least("samples", 2, presentation.nrows())?;
        finite("presentation", *presentation)?;
    }
    let (n, n_units) = presentations[0].dim();
    let unit = |unit: usize| {
        let mut mean = vec![0.0; n];
        for presentation in presentations {
            let column = presentation.column(unit);
            if column.iter().all(|value| *value == column[0]) {
                return None;
            }
            let level = column.iter().map(|&value| f64::from(value)).sum::<f64>() / n as f64;
            let square = column.iter().map(|&value| (f64::from(value) - level).powi(2)).sum::<f64>();
            let deviation = (square / n as f64).sqrt();
            mean.iter_mut().zip(column).for_each(|(mean, &value)| *mean += (f64::from(value) - level) / deviation / m);
        }
        // z-scores have variance n / (n − 1) with ddof 1, their mean over samples is 0.
        let common = mean.iter().map(|value| value * value).sum::<f64>() / n as f64;
        Some(common - (1.0 - common) / (m - 1.0))
    };
    Ok(ItemScores { values: (0..n_units).into_par_iter().map(unit).collect() })
}

fn ceiling_of_noise(ncsnr: f64, noise: f64) -> f64 {
    if ncsnr.is_infinite() { 1.0 } else { ncsnr * ncsnr / (ncsnr * ncsnr + noise) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_ratio_of_one_half_has_the_published_ceilings() {
        assert!((ceiling(0.5, 1) - 0.2).abs() < 1e-15);
        assert!((ceiling(0.5, 3) - 0.25 / (0.25 + 1.0 / 3.0)).abs() < 1e-15);
        let rho: f64 = 0.25 / 1.25;
        assert!((ceiling(0.5, 3) - 3.0 * rho / (1.0 + 2.0 * rho)).abs() < 1e-15);
        let mixed = ceiling_mixed(0.5, &[3, 3, 2, 1]).expect("stimuli");
        assert!((mixed - 0.25 / (0.25 + (2.0 / 3.0 + 0.5 + 1.0) / 4.0)).abs() < 1e-15);
        assert_eq!(ceiling(f64::INFINITY, 3), 1.0);
    }

    #[test]
    fn a_simulated_ratio_is_recovered() {
        let (n_stimuli, ratio) = (4000, 0.45f64);
        let seed = percept_core::Seed::new(5);
        let signal = seed.named("signal").normal(n_stimuli);
        let noise = seed.named("noise").normal(n_stimuli * 3);
        // Signal and noise variances add to 1, as after z-scoring.
        let noise_sd = (1.0 / (1.0 + ratio * ratio)).sqrt();
        let responses = Array2::from_shape_fn((n_stimuli * 3, 2), |(sample, unit)| {
            if unit == 1 {
                return 0.0;
            }
            (f64::from(signal[sample % n_stimuli]) * ratio * noise_sd + f64::from(noise[sample]) * noise_sd) as f32
        });
        let stimuli: Vec<usize> = (0..n_stimuli * 3).map(|sample| sample % n_stimuli).collect();
        let found = ncsnr(responses.view(), &stimuli, 3).expect("three repeats");
        assert!((found.values[0].expect("varies") - ratio).abs() < 0.03, "{:?}", found.values[0]);
        assert_eq!(found.undefined(), vec![1]);
        assert_eq!(ncsnr(responses.view(), &stimuli, 4), Err(StatsError::NoRepeats { repeats: 4 }));
    }
}
