//! Another number of samples for the same stretch of time, by a windowed-sinc filter in phases.
//!
//! The filter is that of `scipy.signal.resample_poly` (Kaiser window with β = 5, ten zero crossings of the slower rate to
//! either side), and so is the continuation of the signal beyond its ends: along the line from its first to its last sample
//! (`padtype="line"`). Nothing outside of the stretch is needed, so the last sample is not waited for.

use ndarray::{Array2, ArrayView2};

use crate::error::SignalError;

/// Zero crossings of the filter on either side.
const CROSSINGS: usize = 10;
/// Shape of the Kaiser window.
const BETA: f64 = 5.0;
/// The longest filter, in taps.
const MAX_TAPS: usize = 1 << 22;

/// Changes the number of samples by `up / down`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resampler {
    up: usize,
    down: usize,
    half: usize,
    taps: Vec<f64>,
}

impl Resampler {
    /// A resampler by `up / down`.
    ///
    /// # Errors
    /// [`SignalError::Resample`] for zero and for ratios whose filter would be longer than four million taps.
    pub fn new(up: usize, down: usize) -> Result<Self, SignalError> {
        let refuse = |problem: &str| SignalError::Resample { up, down, problem: problem.to_owned() };
        if up == 0 || down == 0 {
            return Err(refuse("both must be 1 or more"));
        }
        let common = gcd(up, down);
        let (up, down) = (up / common, down / common);
        let slower = up.max(down);
        if slower > MAX_TAPS / (2 * CROSSINGS) {
            return Err(refuse("the ratio has no small terms"));
        }
        let half = if slower == 1 { 0 } else { CROSSINGS * slower };
        let mut taps: Vec<f64> = (0..=2 * half)
            .map(|i| {
                let x = i as f64 - half as f64;
                let share = if half == 0 { 0.0 } else { x / half as f64 };
                sinc(x / slower as f64) * bessel_i0(BETA * (1.0 - share * share).max(0.0).sqrt())
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        for tap in &mut taps {
            *tap *= up as f64 / sum;
        }
        Ok(Self { up, down, half, taps })
    }

    /// How many samples `n` become: n · up / down, rounded up.
    pub fn n_out(&self, n: usize) -> usize {
        (n * self.up).div_ceil(self.down)
    }

    /// Resamples every column, as `scipy.signal.resample_poly(x, up, down, axis=0, padtype="line")`.
    ///
    /// # Shapes
    /// n × n_channels → [`Self::n_out`]`(n)` × n_channels.
    pub fn apply(&self, signal: ArrayView2<'_, f64>) -> Array2<f64> {
        let (n, n_channels) = signal.dim();
        if self.up == self.down || n == 0 {
            return signal.to_owned();
        }
        let mut out = Array2::zeros((self.n_out(n), n_channels));
        let (first, last) = (signal.row(0), signal.row(n - 1));
        let slope = if n > 1 { (&last - &first) / (n - 1) as f64 } else { &last - &first };
        for (m, mut row) in out.rows_mut().into_iter().enumerate() {
            // In the time of the faster grid: the output stands at `center`, sample i at i · up.
            let center = (m * self.down) as i64;
            let (half, up) = (self.half as i64, self.up as i64);
            let (from, to) = ((center - half).div_euclid(up), (center + half).div_euclid(up));
            for i in from..=to {
                let place = center - i * up + half;
                let Some(&tap) = usize::try_from(place).ok().and_then(|place| self.taps.get(place)) else { continue };
                match usize::try_from(i) {
                    Ok(i) if i < n => row.scaled_add(tap, &signal.row(i)),
                    Ok(i) => row.zip_mut_with(&(&last + &slope * (i + 1 - n) as f64), |y, x| *y += tap * x),
                    Err(_) => row.zip_mut_with(&(&first + &slope * i as f64), |y, x| *y += tap * x),
                }
            }
        }
        out
    }
}

pub(crate) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if x == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// The modified Bessel function of order 0, by its power series.
pub(crate) fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..200 {
        term *= quarter / f64::from(k * k);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}
