//! Band-limited resampling of whole sounds between two rates, by windowed sinc functions (Smith & Gossett 1984,
//! doi:10.1109/ICASSP.1984.1172555).
//!
//! An output sample is a sum over the input samples around its time, weighted by a sinc that ends below half of the lower rate
//! and is cut by a window. Kernels are those of `torchaudio.functional.resample`, so that results can be compared:
//! [`Kernel::kaiser_best`] (64 zero crossings; what percept uses) and [`Kernel::hann`] (torchaudio's default, 6).
//! `librosa.load` resamples with soxr, whose filters are others: equal to hearing, not to the bit. [`crate::resample`] is SciPy's
//! resampler of recordings, whose lengths and ends are others.

use std::f64::consts::PI;

use rayon::prelude::*;

use crate::resample::{bessel_i0, gcd};

/// The filter of a change of rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kernel {
    /// Zero crossings of the sinc on either side.
    pub zeros: u32,
    /// Where the band ends, as a share of half of the lower rate.
    pub rolloff: f64,
    /// β of a Kaiser window; without it the window is Hann's.
    pub kaiser: Option<f64>,
}

impl Kernel {
    /// The long filter that resampy called `kaiser_best`.
    pub const fn kaiser_best() -> Self {
        Self { zeros: 64, rolloff: 0.947_593_716_739_959_6, kaiser: Some(14.769_656_459_379_492) }
    }

    /// torchaudio's default: short, with more aliasing.
    pub const fn hann() -> Self {
        Self { zeros: 6, rolloff: 0.99, kaiser: None }
    }

    /// The filter at `t` zero crossings from its centre.
    fn at(self, t: f64) -> f64 {
        let zeros = f64::from(self.zeros);
        if t.abs() >= zeros {
            return 0.0;
        }
        let window = match self.kaiser {
            Some(beta) => bessel_i0(beta * (1.0 - (t / zeros).powi(2)).sqrt()) / bessel_i0(beta),
            None => (t * PI / zeros / 2.0).cos().powi(2),
        };
        if t == 0.0 { window } else { window * (t * PI).sin() / (t * PI) }
    }
}

/// A sound at another rate, as long in time: ceil(n · to / from) samples.
///
/// # Numerics
/// Within 1e-5 of `torchaudio.functional.resample` with the same kernel. Outside of the sound there is silence.
///
/// # Panics
/// If a rate is 0.
pub fn resample(sound: &[f32], from_hz: u32, to_hz: u32, kernel: Kernel) -> Vec<f32> {
    assert!(from_hz > 0 && to_hz > 0, "a sampling rate is positive");
    if from_hz == to_hz || sound.is_empty() {
        return sound.to_vec();
    }
    let divisor = gcd(from_hz as usize, to_hz as usize) as u64;
    let (from, to) = (u64::from(from_hz) / divisor, u64::from(to_hz) / divisor);
    let n_out = (sound.len() as u64 * to).div_ceil(from) as usize;
    let filter = Filter::new(from, to, kernel);
    // Tables for every phase, unless there are more than there is to compute.
    let tables: Option<Vec<(i64, Vec<f64>)>> =
        (to as usize <= n_out).then(|| (0..to).into_par_iter().map(|phase| filter.taps(phase)).collect());
    let mut out = vec![0f32; n_out];
    out.par_chunks_mut(4096).enumerate().for_each(|(chunk, part)| {
        for (i, value) in part.iter_mut().enumerate() {
            let index = (chunk * 4096 + i) as u64;
            let (cycle, phase) = ((index / to * from) as i64, index % to);
            *value = match &tables {
                Some(tables) => weighted(sound, cycle, &tables[phase as usize]),
                None => weighted(sound, cycle, &filter.taps(phase)),
            };
        }
    });
    out
}

/// A kernel between two rates without a common divisor.
struct Filter {
    from: u64,
    to: u64,
    /// Zero crossings in one period of the common divisor of the rates.
    band: f64,
    kernel: Kernel,
}

impl Filter {
    fn new(from: u64, to: u64, kernel: Kernel) -> Self {
        Self { from, to, band: from.min(to) as f64 * kernel.rolloff, kernel }
    }

    /// The weights of an output sample whose time is `phase` / `to`, and the first input sample they are of.
    fn taps(&self, phase: u64) -> (i64, Vec<f64>) {
        let (from, to) = (self.from as f64, self.to as f64);
        let centre = phase as f64 * from / to;
        let reach = f64::from(self.kernel.zeros) * from / self.band;
        let first = (centre - reach).ceil() as i64;
        let last = (centre + reach).floor() as i64;
        let scale = self.band / from;
        let weight = |i: i64| self.kernel.at((i as f64 / from - phase as f64 / to) * self.band) * scale;
        (first, (first..=last).map(weight).collect())
    }
}

fn weighted(sound: &[f32], cycle: i64, (first, taps): &(i64, Vec<f64>)) -> f32 {
    let start = cycle + first;
    let skipped = (-start).clamp(0, taps.len() as i64) as usize;
    let begin = (start + skipped as i64).max(0) as usize;
    let samples = sound.get(begin..).unwrap_or_default();
    samples.iter().zip(&taps[skipped..]).map(|(&x, w)| f64::from(x) * w).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, n: usize) -> Vec<f32> {
        (0..n).map(|i| (2.0 * PI * hz * i as f64 / f64::from(rate)).sin() as f32).collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_loudness() {
        for (from, to) in [(44_100, 48_000), (48_000, 16_000), (8000, 48_000), (22_050, 16_000), (16_001, 16_000)] {
            let out = resample(&tone(1000.0, from, from as usize / 20), from, to, Kernel::kaiser_best());
            assert_eq!(out.len() as u32, (from / 20 * to).div_ceil(from), "{from} to {to}");
            let truth = tone(1000.0, to, out.len());
            let middle = out.len() / 4..3 * out.len() / 4;
            let worst = out[middle.clone()].iter().zip(&truth[middle]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-4, "{from} to {to}: {worst}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let out = resample(&tone(11_000.0, 48_000, 48_000), 48_000, 16_000, Kernel::kaiser_best());
        let loudest = out[2000..14_000].iter().fold(0f32, |most, v| most.max(v.abs()));
        assert!(loudest < 1e-4, "{loudest}");
    }

    #[test]
    fn lengths_are_rounded_up_and_nothing_stays_nothing() {
        for (n, from, to, length) in
            [(1, 44_100, 48_000, 2), (3, 48_000, 16_000, 1), (0, 8000, 16_000, 0), (5, 8000, 8000, 5)]
        {
            assert_eq!(resample(&vec![0.5; n], from, to, Kernel::hann()).len(), length);
        }
    }
}
