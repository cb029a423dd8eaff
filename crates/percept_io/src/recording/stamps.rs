//! One time stamp for each sample, in place of a rate: the rate they have, and the gaps between them.

use std::ops::Range;

use super::facts::{Gap, MAX_MARKS};
use crate::{Error, Result};

const BLOCK_SAMPLES: usize = 1 << 16;
/// So many steps at the start tell the period.
const FIRST_STEPS: usize = 4096;
/// A step that is longer or shorter by more than this share of the period is a gap.
const TOLERANCE: f64 = 0.5;
/// More gaps than this share of all samples are no gaps: the series has no rate.
const MAX_GAP_SHARE: f64 = 0.05;

/// What even time stamps say.
pub(super) struct Even {
    pub(super) rate_hz: f64,
    pub(super) first_secs: f64,
    pub(super) gaps: Vec<Gap>,
}

/// Looks at `n_samples` time stamps in seconds, which `read` gives in parts.
///
/// # Errors
/// If they have no common period, or cannot be read.
pub(super) fn even(n_samples: usize, mut read: impl FnMut(Range<usize>) -> Result<Vec<f64>>) -> Result<Even> {
    let first = read(0..n_samples.min(FIRST_STEPS + 1))?;
    let mut steps: Vec<f64> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let period = steps.get(steps.len() / 2).copied().unwrap_or(f64::NAN);
    if !(period > 0.0 && period.is_finite()) {
        return Err(uneven(format!("{period} s apart")));
    }
    let (mut gaps, mut last) = (Vec::new(), first[0]);
    let (mut n_even, mut even_secs, mut n_gaps) = (0usize, 0.0, 0usize);
    for start in (0..n_samples).step_by(BLOCK_SAMPLES) {
        for (index, &stamp) in read(start..n_samples.min(start + BLOCK_SAMPLES))?.iter().enumerate() {
            let sample_idx = start + index;
            let step = stamp - last;
            last = stamp;
            if sample_idx == 0 {
                continue;
            }
            if (step - period).abs() <= TOLERANCE * period {
                n_even += 1;
                even_secs += step;
            } else {
                n_gaps += 1;
                if gaps.len() < MAX_MARKS {
                    gaps.push(Gap { sample_idx, missing_secs: step });
                }
            }
        }
    }
    if n_gaps as f64 > MAX_GAP_SHARE * n_samples as f64 + 1.0 {
        return Err(uneven(format!("uneven at {n_gaps} of {n_samples} samples")));
    }
    let period = even_secs / n_even.max(1) as f64;
    for gap in &mut gaps {
        gap.missing_secs -= period;
    }
    Ok(Even { rate_hz: 1.0 / period, first_secs: first[0], gaps })
}

fn uneven(got: String) -> Error {
    Error::mismatch("the time stamps", "a constant rate", got, "resample the series to a constant rate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stamps: &[f64]) -> Result<Even> {
        even(stamps.len(), |range| Ok(stamps[range].to_vec()))
    }

    #[test]
    fn jitter_is_no_gap_and_a_jump_is() {
        let mut stamps: Vec<f64> =
            (0..1000).map(|i| 5.0 + f64::from(i) * 0.01 + if i % 2 == 0 { 0.001 } else { 0.0 }).collect();
        stamps[600..].iter_mut().for_each(|stamp| *stamp += 2.0);
        let even = of(&stamps).expect("even");
        assert!((even.rate_hz - 100.0).abs() < 0.1, "{}", even.rate_hz);
        assert_eq!((even.gaps.len(), even.gaps[0].sample_idx), (1, 600));
        assert!((even.gaps[0].missing_secs - 2.0).abs() < 0.002);
    }

    #[test]
    fn what_has_no_rate_is_refused() {
        assert!(of(&[0.0, 1.0, 3.0, 4.0, 9.0, 10.0, 17.0, 18.0]).is_err());
        assert!(of(&[1.0]).is_err() && of(&[]).is_err() && of(&[2.0, 2.0, 2.0]).is_err());
    }
}
