//! Noise for the frames of films. What frames have in common they keep: frames that start from one noise differ by their
//! conditions alone, and noise that turns slowly makes pictures that change slowly.
//!
//! All results are unit noise where their inputs are: independent normal numbers of mean 0 and variance 1. Films
//! themselves are made by [`crate::DiffusionPack::film_latents`].

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use percept_core::Seed;

use crate::error::{ModelError, Result};

pub use crate::pack::{FilmRequest, FilmState, Frames, window_spans};

/// Vectors whose angle is closer than this to 0 or π (in its sine) are joined by a line.
const PARALLEL: f64 = 1e-6;

/// The point `t` (0 to 1) of the way from `a` to `b` along the great circle: sin((1−t)·ω)/sin ω · a + sin(t·ω)/sin ω · b with
/// the angle ω between them. Unlike the straight way it does not pass through vectors that are too short to be noise.
///
/// Parallel and opposed vectors, and zeros, have no great circle: they are joined by a line.
///
/// # Errors
/// Vectors of different lengths.
pub fn slerp(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>, t: f64) -> Result<Array1<f32>> {
    if a.len() != b.len() {
        return Err(ModelError::Input {
            what: "vectors to interpolate between",
            expected: format!("two of {} values", a.len()),
            got: format!("one of {} values", b.len()),
        });
    }
    let product = |x: &ArrayView1<'_, f32>, y: &ArrayView1<'_, f32>| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let norms = (product(&a, &a) * product(&b, &b)).sqrt();
    let angle = if norms > 0.0 { (product(&a, &b) / norms).clamp(-1.0, 1.0).acos() } else { 0.0 };
    let sine = angle.sin();
    let (of_a, of_b) =
        if sine < PARALLEL { (1.0 - t, t) } else { (((1.0 - t) * angle).sin() / sine, (t * angle).sin() / sine) };
    let mix = |(&x, &y): (&f32, &f32)| (of_a * f64::from(x) + of_b * f64::from(y)) as f32;
    Ok(a.iter().zip(&b).map(mix).collect())
}

/// The noise at the place `at` among `keys` (rows 0 to n − 1), between two of them by [`slerp`]; before the first and behind
/// the last it is theirs.
///
/// # Errors
/// No keys, a place that is no number.
pub fn noise_between(keys: ArrayView2<'_, f32>, at: f64) -> Result<Array1<f32>> {
    if keys.nrows() == 0 || at.is_nan() {
        return Err(ModelError::Input {
            what: "place among keys of noise",
            expected: "a number, and at least one key".into(),
            got: format!("{at} among {} keys", keys.nrows()),
        });
    }
    let last = keys.nrows() - 1;
    let at = at.clamp(0.0, last as f64);
    let before = (at.floor() as usize).min(last);
    let after = (before + 1).min(last);
    slerp(keys.row(before), keys.row(after), at - before as f64)
}

/// Noise for `n_frames` frames of which each shares the variance `share` (0 to 1) with all others: √share · common +
/// √(1 − share) · own (Ge et al. 2023, arXiv 2305.10474). 1 is one noise for the whole film, 0 a noise of its own for each frame.
///
/// # Errors
/// A share outside 0..=1.
pub fn shared_noise(seed: Seed, n_frames: usize, length: usize, share: f64) -> Result<Array2<f32>> {
    if !(0.0..=1.0).contains(&share) {
        return Err(ModelError::Input {
            what: "share of common noise",
            expected: "0 to 1".into(),
            got: share.to_string(),
        });
    }
    let common = seed.named("common").normal(length);
    let (of_common, of_own) = (share.sqrt(), (1.0 - share).sqrt());
    let mut noise = Array2::zeros((n_frames, length));
    for (frame, mut row) in noise.outer_iter_mut().enumerate() {
        let own = seed.named("frame").at(frame as u64).normal(length);
        for ((value, common), own) in row.iter_mut().zip(&common).zip(own) {
            *value = (of_common * f64::from(*common) + of_own * f64::from(own)) as f32;
        }
    }
    Ok(noise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, aview1};

    fn variance(row: ArrayView1<'_, f32>) -> f64 {
        row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / row.len() as f64
    }

    #[test]
    fn the_way_between_noises_stays_noise() {
        let n = 4096;
        let (a, b) = (Seed::new(1).normal(n), Seed::new(2).normal(n));
        let half = slerp(aview1(&a), aview1(&b), 0.5).expect("same lengths");
        assert!((variance(half.view()) - 1.0).abs() < 0.06, "{}", variance(half.view()));
        let ends = [0.0, 1.0].map(|t| slerp(aview1(&a), aview1(&b), t).expect("same lengths"));
        assert_eq!((ends[0].to_vec(), ends[1].to_vec()), (a.clone(), b));
        assert_eq!(slerp(aview1(&a), aview1(&a), 0.3).expect("same lengths").len(), n);
        // A right angle: the middle is the sum over √2.
        let right = slerp(aview1(&[1.0, 0.0]), aview1(&[0.0, 1.0]), 0.5).expect("same lengths");
        assert!(right.iter().all(|v| (v - 0.5f32.sqrt()).abs() < 1e-6), "{right}");
        let opposed = slerp(aview1(&[1.0, 0.0]), aview1(&[-1.0, 0.0]), 0.5).expect("same lengths");
        assert_eq!(opposed, array![0.0, 0.0]);
        assert!(slerp(aview1(&[1.0]), aview1(&[1.0, 2.0]), 0.5).is_err());
    }

    #[test]
    fn keys_are_met_and_the_ends_hold() {
        let keys = Array2::from_shape_vec((3, 64), Seed::new(3).normal(192)).expect("64 values a key");
        for at in 0..3 {
            assert_eq!(noise_between(keys.view(), at as f64).expect("a place"), keys.row(at));
        }
        assert_eq!(noise_between(keys.view(), -2.0).expect("a place"), keys.row(0));
        assert_eq!(noise_between(keys.view(), f64::INFINITY).expect("a place"), keys.row(2));
        let between = noise_between(keys.view(), 1.25).expect("a place");
        assert_eq!(between, slerp(keys.row(1), keys.row(2), 0.25).expect("same lengths"));
        assert!(noise_between(keys.view(), f64::NAN).is_err());
        assert!(noise_between(Array2::zeros((0, 4)).view(), 0.0).is_err());
    }

    #[test]
    fn frames_share_as_much_noise_as_was_asked_for() {
        let (seed, n) = (Seed::new(4), 8192);
        let same = shared_noise(seed, 3, n, 1.0).expect("a share");
        assert_eq!(same.row(0), same.row(2));
        for share in [0.0, 0.5] {
            let noise = shared_noise(seed, 2, n, share).expect("a share");
            let product = noise.row(0).iter().zip(noise.row(1)).map(|(a, b)| f64::from(a * b)).sum::<f64>() / n as f64;
            assert!((product - share).abs() < 0.05, "{product} for {share}");
            assert!((variance(noise.row(1)) - 1.0).abs() < 0.06);
        }
        assert!(shared_noise(seed, 1, 4, 1.5).is_err());
        // A frame's noise does not depend on how many there are.
        let longer = shared_noise(seed, 5, 16, 0.5).expect("a share");
        assert_eq!(shared_noise(seed, 2, 16, 0.5).expect("a share").row(1), longer.row(1));
    }
}
