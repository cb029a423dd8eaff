//! Features in time to features per volume: averages over each volume, or Lanczos' low-pass interpolation at its middle.
//!
//! Features come at their own times: words at their onsets, annotations over a stretch of time, frames at a fixed rate. A scanner
//! takes one volume every repetition time (TR). All functions work on one run, whose clock starts at its first volume unless
//! [`Volumes::first_secs`] says otherwise, so that nothing crosses a run.
//!
//! References: Lanczos 1964, doi:10.1137/0701007; Huth, de Heer, Griffiths, Theunissen and Gallant 2016, doi:10.1038/nature17637,
//! methods, for words to volumes.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::error::SignalError;

/// When the volumes of one run were taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Volumes {
    /// Number of volumes.
    pub n_volumes: usize,
    /// Seconds from one volume to the next.
    pub tr_secs: f64,
    /// When the first volume begins, on the clock of the features.
    pub first_secs: f64,
}

impl Volumes {
    /// Volumes from second 0 on.
    ///
    /// # Errors
    /// [`SignalError::Setting`] for a repetition time that is not a positive number, or no volumes.
    pub fn new(n_volumes: usize, tr_secs: f64) -> Result<Self, SignalError> {
        let volumes = Self { n_volumes, tr_secs, first_secs: 0.0 };
        volumes.check()?;
        Ok(volumes)
    }

    /// The middle of each volume in seconds.
    pub fn middles_secs(&self) -> Vec<f64> {
        (0..self.n_volumes).map(|volume| self.first_secs + (volume as f64 + 0.5) * self.tr_secs).collect()
    }

    fn check(&self) -> Result<(), SignalError> {
        let wrong = |what, got, expected: &str| Err(SignalError::Setting { what, got, expected: expected.to_owned() });
        if self.n_volumes == 0 {
            return wrong("the number of volumes", "0".to_owned(), "at least 1");
        }
        if !(self.tr_secs > 0.0 && self.tr_secs.is_finite()) {
            return wrong("the repetition time", format!("{} s", self.tr_secs), "a positive number of seconds");
        }
        if !self.first_secs.is_finite() {
            return wrong("the start of the first volume", self.first_secs.to_string(), "a number of seconds");
        }
        Ok(())
    }

    /// The volume during which `secs` lies, if any.
    fn at(&self, secs: f64) -> Option<usize> {
        let position = ((secs - self.first_secs) / self.tr_secs).floor();
        (position >= 0.0 && position < self.n_volumes as f64).then_some(position as usize)
    }
}

/// Features per volume.
#[derive(Clone, Debug, PartialEq)]
pub struct PerVolume {
    /// n_volumes × n_features; zeros where nothing lies in a volume.
    pub features: Array2<f32>,
    /// What each volume is made of: a number of features, or the seconds that they cover. 0 for silence.
    pub weight: Vec<f64>,
    /// Rows of the input outside of all volumes.
    pub outside: Vec<usize>,
}

/// The mean of the features that begin during each volume (words at their onsets, frames at their times).
///
/// # Shapes
/// `features` n_events × n_features, `at_secs` n_events in any order.
///
/// # Errors
/// [`SignalError::Times`] for a time that is not finite or a list of another length, [`SignalError::Setting`].
///
/// # Numerics
/// f64, rounded once.
pub fn averaged(features: ArrayView2<'_, f32>, at_secs: &[f64], volumes: &Volumes) -> Result<PerVolume, SignalError> {
    volumes.check()?;
    times("onsets", features.nrows(), at_secs)?;
    let mut parts: Vec<Vec<(usize, f64)>> = vec![Vec::new(); volumes.n_volumes];
    let mut outside = Vec::new();
    for (event, &secs) in at_secs.iter().enumerate() {
        match volumes.at(secs) {
            Some(volume) => parts[volume].push((event, 1.0)),
            None => outside.push(event),
        }
    }
    Ok(weighted(features, &parts, outside))
}

/// The mean of the features that last during each volume, weighted by the seconds that they share with it.
///
/// # Shapes
/// `features` n_events × n_features; `onset_secs` and `end_secs` n_events in any order. Events may overlap.
///
/// # Errors
/// As [`averaged`], and [`SignalError::Times`] for an event that ends before it begins.
pub fn averaged_spans(
    features: ArrayView2<'_, f32>,
    onset_secs: &[f64],
    end_secs: &[f64],
    volumes: &Volumes,
) -> Result<PerVolume, SignalError> {
    volumes.check()?;
    times("onsets", features.nrows(), onset_secs)?;
    times("ends", features.nrows(), end_secs)?;
    let mut parts: Vec<Vec<(usize, f64)>> = vec![Vec::new(); volumes.n_volumes];
    let mut outside = Vec::new();
    for (event, (&onset, &end)) in onset_secs.iter().zip(end_secs).enumerate() {
        if end < onset {
            return Err(SignalError::Times { problem: format!("event {event} lasts from {onset} s to {end} s") });
        }
        let place = |secs: f64| ((secs - volumes.first_secs) / volumes.tr_secs).clamp(0.0, volumes.n_volumes as f64);
        let (first, last) = (place(onset).floor() as usize, place(end).ceil() as usize);
        let mut is_inside = false;
        for (volume, parts) in parts.iter_mut().enumerate().take(last).skip(first) {
            let start = volumes.first_secs + volume as f64 * volumes.tr_secs;
            let shared = end.min(start + volumes.tr_secs) - onset.max(start);
            if shared > 0.0 {
                parts.push((event, shared));
                is_inside = true;
            }
        }
        if !is_inside {
            outside.push(event);
        }
    }
    Ok(weighted(features, &parts, outside))
}

/// Lanczos' interpolation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lanczos {
    /// Lobes of the kernel on each side.
    pub lobes: usize,
    /// Cut-off as a multiple of the rate of volumes; 1 is the rate itself, as in Huth's code.
    pub cutoff: f64,
}

impl Default for Lanczos {
    /// Three lobes, cut off at the rate of volumes.
    fn default() -> Self {
        Self { lobes: 3, cutoff: 1.0 }
    }
}

/// Features at the times `new_secs` by the kernel sinc(ct)·sinc(ct/lobes) with c = cutoff / mean spacing of `new_secs`: a sum
/// over features, so that a feature per word becomes a rate of words.
///
/// # Shapes
/// `features` n_events × n_features, `at_secs` n_events in any order; result new_secs.len() × n_features.
///
/// # Errors
/// [`SignalError::Times`], also for fewer than two new times or new times that do not ascend; [`SignalError::Setting`].
///
/// # Numerics
/// f64, rounded once; equals NumPy's evaluation of the formula to rounding.
pub fn lanczos(
    features: ArrayView2<'_, f32>,
    at_secs: &[f64],
    new_secs: &[f64],
    kernel: Lanczos,
) -> Result<Array2<f32>, SignalError> {
    times("onsets", features.nrows(), at_secs)?;
    times("volumes", new_secs.len(), new_secs)?;
    if new_secs.len() < 2 || new_secs.windows(2).any(|pair| pair[1] <= pair[0]) {
        return Err(SignalError::Times {
            problem: "the times of volumes are fewer than two or do not ascend".to_owned(),
        });
    }
    if kernel.lobes == 0 || !(kernel.cutoff > 0.0 && kernel.cutoff.is_finite()) {
        let got = format!("{} lobes, cut-off {}", kernel.lobes, kernel.cutoff);
        return Err(SignalError::Setting { what: "Lanczos' kernel", got, expected: "above 0".to_owned() });
    }
    let span = new_secs[new_secs.len() - 1] - new_secs[0];
    let rate_hz = kernel.cutoff * (new_secs.len() - 1) as f64 / span;
    let lobes = kernel.lobes as f64;
    let parts: Vec<Vec<(usize, f64)>> = new_secs
        .iter()
        .map(|new| {
            let weight = |(event, at): (usize, &f64)| {
                let t = (new - at) * rate_hz;
                (t.abs() <= lobes).then(|| (event, sinc(t) * sinc(t / lobes)))
            };
            at_secs.iter().enumerate().filter_map(weight).collect()
        })
        .collect();
    let mut out = Array2::zeros((new_secs.len(), features.ncols()));
    fill(&mut out, features, &parts, |_| 1.0);
    Ok(out)
}

/// sin(πt) / πt.
fn sinc(t: f64) -> f64 {
    let t = std::f64::consts::PI * t;
    if t == 0.0 { 1.0 } else { t.sin() / t }
}

fn times(what: &str, rows: usize, secs: &[f64]) -> Result<(), SignalError> {
    if rows != secs.len() {
        return Err(SignalError::Times { problem: format!("{rows} rows of features have {} {what}", secs.len()) });
    }
    match secs.iter().position(|secs| !secs.is_finite()) {
        Some(event) => Err(SignalError::Times { problem: format!("{what}: entry {event} is {}", secs[event]) }),
        None => Ok(()),
    }
}

fn weighted(features: ArrayView2<'_, f32>, parts: &[Vec<(usize, f64)>], outside: Vec<usize>) -> PerVolume {
    let weight: Vec<f64> = parts.iter().map(|parts| parts.iter().map(|(_, weight)| weight).sum()).collect();
    let mut out = Array2::zeros((parts.len(), features.ncols()));
    fill(&mut out, features, parts, |volume| weight[volume]);
    PerVolume { features: out, weight, outside }
}

/// Each row of `out`: the weighted sum of rows of `features`, divided by `divisor(row)`.
fn fill(
    out: &mut Array2<f32>,
    features: ArrayView2<'_, f32>,
    parts: &[Vec<(usize, f64)>],
    divisor: impl Fn(usize) -> f64 + Sync,
) {
    out.outer_iter_mut().into_par_iter().zip(parts).enumerate().for_each(|(row, (mut out, parts))| {
        let mut sums = vec![0.0; out.len()];
        for &(event, weight) in parts {
            sums.iter_mut().zip(features.row(event)).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        let divisor = divisor(row);
        if !parts.is_empty() {
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum / divisor) as f32);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn words_are_averaged_in_their_volume_and_silence_is_zero() {
        let features = array![[1.0f32], [3.0], [10.0], [50.0]];
        let volumes = Volumes::new(4, 2.0).expect("valid");
        let found = averaged(features.view(), &[0.0, 1.9, 4.0, 8.0], &volumes).expect("fits");
        assert_eq!(found.features, array![[2.0f32], [0.0], [10.0], [0.0]]);
        assert_eq!((found.weight, found.outside), (vec![2.0, 0.0, 1.0, 0.0], vec![3]));
    }

    #[test]
    fn stretches_count_by_the_time_that_they_share() {
        let features = array![[4.0f32], [8.0], [9.0]];
        let volumes = Volumes { n_volumes: 3, tr_secs: 2.0, first_secs: 10.0 };
        let found = averaged_spans(features.view(), &[9.0, 11.5, 20.0], &[11.5, 13.0, 21.0], &volumes).expect("fits");
        assert_eq!(found.features, array![[5.0f32], [8.0], [0.0]]);
        assert_eq!((found.weight, found.outside), (vec![2.0, 1.0, 0.0], vec![2]));
        let error = averaged_spans(features.view(), &[3.0; 3], &[1.0; 3], &volumes).expect_err("ends first");
        assert!(error.to_string().starts_with("event 0 lasts from 3 s to 1 s"), "{error}");
    }

    #[test]
    fn unusable_times_are_named() {
        let features = Array2::<f32>::zeros((2, 1));
        assert!(Volumes::new(0, 1.0).is_err() && Volumes::new(3, f64::NAN).is_err());
        let fail = |at: &[f64], new: &[f64]| lanczos(features.view(), at, new, Lanczos::default()).expect_err("bad");
        assert!(fail(&[0.0], &[0.0, 1.0]).to_string().contains("2 rows of features have 1 onsets"));
        assert!(fail(&[0.0, f64::NAN], &[0.0, 1.0]).to_string().contains("entry 1 is NaN"));
        assert!(fail(&[0.0, 1.0], &[1.0, 1.0]).to_string().contains("do not ascend"));
    }
}
