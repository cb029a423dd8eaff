//! Power spectra by Welch's method, and the power in bands.

use crate::fourier::{Complex, Fourier};

/// A power spectral density: one value per frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Hz from one value to the next; the first stands at 0 Hz.
    pub step_hz: f64,
    /// Power per Hz, in the square of the signal's unit.
    pub density: Vec<f64>,
}

impl Spectrum {
    /// The power between two frequencies: densities of `low <= f < high` times their distance.
    pub fn power(&self, low_hz: f64, high_hz: f64) -> f64 {
        let inside = |&(i, _): &(usize, &f64)| (low_hz..high_hz).contains(&(i as f64 * self.step_hz));
        self.density.iter().enumerate().filter(inside).map(|(_, density)| density * self.step_hz).sum()
    }
}

/// Welch's estimate, kept ready for segments of one length.
pub struct Welch {
    plan: Fourier,
    window: Vec<f64>,
}

impl Welch {
    /// Hann windows of `length` samples that overlap by half.
    pub fn new(length: usize) -> Self {
        let length = length.max(2);
        let window =
            (0..length).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / length as f64).cos()).collect();
        Self { plan: Fourier::new(length), window }
    }

    /// The spectrum of a signal, as `scipy.signal.welch(x, rate, nperseg=length)`: constant detrending, one-sided density. A
    /// signal shorter than a segment has none.
    pub fn of(&self, signal: &[f64], rate_hz: f64) -> Option<Spectrum> {
        let length = self.window.len();
        let hop = length - length / 2;
        let norm: f64 = self.window.iter().map(|w| w * w).sum::<f64>() * rate_hz;
        let mut density = vec![0.0; length / 2 + 1];
        let mut buffer = vec![Complex::default(); length];
        let mut n_segments = 0.0;
        for segment in (0..).map(|i| i * hop).take_while(|start| start + length <= signal.len()) {
            let segment = &signal[segment..segment + length];
            let mean = segment.iter().sum::<f64>() / length as f64;
            for ((to, x), w) in buffer.iter_mut().zip(segment).zip(&self.window) {
                *to = Complex::new((x - mean) * w, 0.0);
            }
            self.plan.forward(&mut buffer);
            for (sum, value) in density.iter_mut().zip(&buffer) {
                *sum += value.square() / norm;
            }
            n_segments += 1.0;
        }
        if n_segments == 0.0 {
            return None;
        }
        let last = density.len() - 1;
        for (i, value) in density.iter_mut().enumerate() {
            // Both signs of a frequency, but for 0 and half the rate.
            let sides = if i == 0 || (i == last && length.is_multiple_of(2)) { 1.0 } else { 2.0 };
            *value *= sides / n_segments;
        }
        Some(Spectrum { step_hz: rate_hz / length as f64, density })
    }
}
