//! Recursive filters as second-order sections: sample by sample, whole signals at once, and there and back.
//!
//! Transposed direct form II in f64, as `scipy.signal.sosfilt`. The form that is pushed and the form for whole signals are the
//! same loop, so they agree bit for bit. Nothing is designed here (see [`crate::design`]).

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis};

/// One section: numerator b0, b1, b2 and denominator 1, a1, a2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// b0, b1, b2.
    pub numerator: [f64; 3],
    /// a1, a2; a0 is 1.
    pub denominator: [f64; 2],
}

impl Section {
    /// The output for a constant input of 1, after all transients.
    fn steady_gain(&self) -> f64 {
        self.numerator.iter().sum::<f64>() / (1.0 + self.denominator[0] + self.denominator[1])
    }

    fn step(&self, x: f64, state: &mut [f64; 2]) -> f64 {
        let ([b0, b1, b2], [a1, a2]) = (self.numerator, self.denominator);
        let y = b0 * x + state[0];
        state[0] = b1 * x - a1 * y + state[1];
        state[1] = b2 * x - a2 * y;
        y
    }
}

/// A filter: sections one behind the other.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Sos(pub Vec<Section>);

impl Sos {
    /// The states of the sections after a constant input of `level` for ever: no transient from a start at that level.
    fn steady(&self, level: f64) -> Vec<[f64; 2]> {
        let mut x = level;
        self.0
            .iter()
            .map(|section| {
                let y = x * section.steady_gain();
                let state = [y - section.numerator[0] * x, section.numerator[2] * x - section.denominator[1] * y];
                x = y;
                state
            })
            .collect()
    }

    /// The response at a frequency: its magnitude and its phase in radians.
    ///
    /// # Units
    /// `frequency` as a share of the sampling rate, 0 to 0.5.
    pub fn response(&self, frequency: f64) -> (f64, f64) {
        use crate::fourier::Complex;
        let back = Complex::turn(-std::f64::consts::TAU * frequency);
        let mut all = Complex::new(1.0, 0.0);
        for section in &self.0 {
            let [b0, b1, b2] = section.numerator;
            let [a1, a2] = section.denominator;
            let one = Complex::new(1.0, 0.0);
            let above = one.times(b0) + back * (one.times(b1) + back.times(b2));
            let below = one + back * (one.times(a1) + back.times(a2));
            all = all * above / below;
        }
        (all.length(), all.angle())
    }

    /// Filters every column from rest, forwards, as `scipy.signal.sosfilt(sos, x, axis=0)`.
    ///
    /// # Shapes
    /// n_samples × n_channels, and so is the result.
    pub fn filter(&self, signal: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut out = signal.to_owned();
        let mut running = self.running(signal.ncols(), Start::Rest);
        running.push(&mut out);
        out
    }

    /// Filters every column forwards, then backwards, so that nothing is delayed, as `scipy.signal.sosfiltfilt(sos, x, axis=0)`
    /// with its padding; `None` for signals that are not longer than the padding.
    ///
    /// # Shapes
    /// n_samples × n_channels, and so is the result.
    pub fn filter_both_ways(&self, signal: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
        let zeros = |of: fn(&Section) -> f64| self.0.iter().filter(|section| of(section) == 0.0).count();
        let at_origin = zeros(|section| section.numerator[2]).min(zeros(|section| section.denominator[1]));
        let padding = 3 * (2 * self.0.len() + 1 - at_origin);
        let n = signal.nrows();
        if n <= padding {
            return None;
        }
        let mut out = Array2::zeros(signal.raw_dim());
        let mut long = vec![0.0; n + 2 * padding];
        for (column, mut result) in signal.columns().into_iter().zip(out.columns_mut()) {
            // Odd extension: the signal turned by half a circle around its ends.
            for i in 0..padding {
                long[i] = 2.0 * column[0] - column[padding - i];
                long[padding + n + i] = 2.0 * column[n - 1] - column[n - 2 - i];
            }
            for (to, from) in long[padding..].iter_mut().zip(column) {
                *to = *from;
            }
            self.sweep(&mut long);
            long.reverse();
            self.sweep(&mut long);
            long.reverse();
            result.iter_mut().zip(&long[padding..]).for_each(|(to, from)| *to = *from);
        }
        Some(out)
    }

    fn sweep(&self, signal: &mut [f64]) {
        let mut states = self.steady(signal[0]);
        for value in signal {
            *value = self.0.iter().zip(&mut states).fold(*value, |x, (section, state)| section.step(x, state));
        }
    }

    /// The form that samples are pushed through.
    pub fn running(&self, n_channels: usize, start: Start) -> RunningSos {
        let rest = vec![[0.0; 2]; self.0.len()];
        RunningSos { sos: self.clone(), states: vec![rest; n_channels], settled: start == Start::Rest }
    }
}

/// What a filter believes was before its first sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing: zeros.
    Rest,
    /// The first sample, for ever: an offset makes no transient.
    First,
}

/// A filter with the memory of what went through it, for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningSos {
    sos: Sos,
    states: Vec<Vec<[f64; 2]>>,
    settled: bool,
}

impl RunningSos {
    /// Filters the next samples in place. Any cut of a signal into blocks gives the same bits.
    ///
    /// # Shapes
    /// n_samples × n_channels, with as many channels as the filter was made for; others are left alone.
    pub fn push(&mut self, block: &mut Array2<f64>) {
        if block.nrows() == 0 {
            return;
        }
        if !self.settled {
            for (states, column) in self.states.iter_mut().zip(block.columns()) {
                *states = self.sos.steady(column[0]);
            }
            self.settled = true;
        }
        for mut row in block.axis_iter_mut(Axis(0)) {
            self.push_row(&mut row);
        }
    }

    fn push_row(&mut self, row: &mut ArrayViewMut1<'_, f64>) {
        for (value, states) in row.iter_mut().zip(&mut self.states) {
            *value = self.sos.0.iter().zip(states).fold(*value, |x, (section, state)| section.step(x, state));
        }
    }
}
