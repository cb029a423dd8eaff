//! Designs of recursive filters: Butterworth of any kind, and a notch for the power line.
//!
//! The analogue prototype is moved to its band and to discrete time by the bilinear transform with warped edges, as
//! `scipy.signal.butter(..., output="sos")`; responses agree to rounding, though sections may pair their poles otherwise.

use std::f64::consts::PI;

use crate::error::SignalError;
use crate::fourier::Complex;
use crate::sos::{Section, Sos};

/// The most poles of a prototype: beyond, rounding spoils what is gained.
const MAX_ORDER: usize = 12;

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// Everything below an edge in Hz.
    Low(f64),
    /// Everything above an edge in Hz.
    High(f64),
    /// Everything between two edges in Hz.
    Pass(f64, f64),
    /// Everything but what lies between two edges in Hz.
    Stop(f64, f64),
}

impl Band {
    fn edges(self) -> [f64; 2] {
        match self {
            Self::Low(edge) | Self::High(edge) => [edge, edge],
            Self::Pass(low, high) | Self::Stop(low, high) => [low, high],
        }
    }
}

/// A Butterworth filter of `order` poles (twice as many for a band) with −3 dB at its edges.
///
/// # Units
/// Edges of `band` and `rate_hz` in Hz.
///
/// # Errors
/// [`SignalError::Filter`] for an order that is not 1 to 12 and edges that do not lie between 0 and half the rate in order.
pub fn butterworth(order: usize, band: Band, rate_hz: f64) -> Result<Sos, SignalError> {
    let [low, high] = band.edges();
    check(band, low, high, rate_hz)?;
    if order == 0 || order > MAX_ORDER {
        return Err(SignalError::Filter { problem: format!("order {order} is not 1 to {MAX_ORDER}") });
    }
    // With a sampling rate of 2 the bilinear transform is s = 4 (z − 1) / (z + 1).
    let warp = |edge: f64| 4.0 * (PI * edge / rate_hz).tan();
    let (low, high) = (warp(low), warp(high));
    let prototype: Vec<Complex> = (0..order)
        .map(|k| Complex::turn(PI * (2.0 * k as f64 - order as f64 + 1.0) / (2.0 * order as f64)).times(-1.0))
        .collect();
    let (poles, zeros, at) = match band {
        Band::Low(_) => (prototype.iter().map(|p| p.times(low)).collect(), Zeros::Nyquist, 0.0),
        Band::High(_) => (prototype.iter().map(|p| real(low) / *p).collect(), Zeros::Origin, 0.5),
        Band::Pass(..) => {
            let (width, middle) = (high - low, (low * high).sqrt());
            (split(&prototype, |p| p.times(width / 2.0), middle), Zeros::Both, turn(middle))
        }
        Band::Stop(..) => {
            let (width, middle) = (high - low, (low * high).sqrt());
            (split(&prototype, |p| real(width / 2.0) / p, middle), Zeros::At(turn(middle)), 0.0)
        }
    };
    let poles: Vec<Complex> = poles.into_iter().map(|p: Complex| (real(4.0) + p) / (real(4.0) - p)).collect();
    Ok(normalised(sections(poles, zeros), at))
}

/// A notch at `frequency_hz` with −3 dB at `frequency_hz / quality` around it, as `scipy.signal.iirnotch`.
///
/// # Errors
/// [`SignalError::Filter`] unless 0 < frequency < half the rate and the quality is positive.
pub fn notch(frequency_hz: f64, quality: f64, rate_hz: f64) -> Result<Sos, SignalError> {
    check(Band::Low(frequency_hz), frequency_hz, frequency_hz, rate_hz)?;
    if !(quality.is_finite() && quality > 0.0) {
        return Err(SignalError::Filter { problem: format!("a notch of quality {quality} is none") });
    }
    let angle = 2.0 * PI * frequency_hz / rate_hz;
    let gain = 1.0 / (1.0 + (angle / quality / 2.0).tan());
    let middle = -2.0 * angle.cos() * gain;
    Ok(Sos(vec![Section { numerator: [gain, middle, gain], denominator: [middle, 2.0 * gain - 1.0] }]))
}

/// Notches at the frequency of the power line and all its multiples below half the rate, each as wide in Hz as the first.
///
/// # Errors
/// As [`notch`].
pub fn line_noise(frequency_hz: f64, width_hz: f64, rate_hz: f64) -> Result<Sos, SignalError> {
    let first = notch(frequency_hz, frequency_hz / width_hz, rate_hz)?;
    let mut all = first.0;
    // A notch too near to half the rate would have no upper side.
    for multiple in (2..).map(|k| f64::from(k) * frequency_hz).take_while(|f| f + width_hz < rate_hz / 2.0) {
        all.extend(notch(multiple, multiple / width_hz, rate_hz)?.0);
    }
    Ok(Sos(all))
}

fn check(band: Band, low: f64, high: f64, rate_hz: f64) -> Result<(), SignalError> {
    let two = matches!(band, Band::Pass(..) | Band::Stop(..));
    if low > 0.0 && high < rate_hz / 2.0 && (!two || low < high) {
        return Ok(());
    }
    let edges = if two { format!("{low} and {high} Hz") } else { format!("{low} Hz") };
    Err(SignalError::Filter { problem: format!("{edges} cannot be edges at {rate_hz} samples per second") })
}

/// Where the zeros of all sections lie.
#[derive(Clone, Copy)]
enum Zeros {
    /// z = −1.
    Nyquist,
    /// z = 1.
    Origin,
    /// One of each per section.
    Both,
    /// On the circle, at a share of the sampling rate.
    At(f64),
}

/// The frequency, as a share of the sampling rate, to which a warped one belongs.
fn turn(warped: f64) -> f64 {
    (warped / 4.0).atan() / PI
}

fn real(value: f64) -> Complex {
    Complex::new(value, 0.0)
}

/// Each pole of a low-pass becomes two around the middle of a band.
fn split(prototype: &[Complex], scale: impl Fn(Complex) -> Complex, middle: f64) -> Vec<Complex> {
    let halves = |sign: f64| {
        let scale = &scale;
        prototype.iter().map(move |p| {
            let half = scale(*p);
            half + (half * half - real(middle * middle)).root().times(sign)
        })
    };
    halves(1.0).chain(halves(-1.0)).collect()
}

/// Poles to sections, those nearest to the circle last.
fn sections(poles: Vec<Complex>, zeros: Zeros) -> Sos {
    const REAL: f64 = 1e-12;
    let mut pairs: Vec<(f64, [f64; 2], usize)> = Vec::new();
    let mut real: Vec<f64> = Vec::new();
    for pole in poles {
        if pole.im > REAL {
            pairs.push((pole.length(), [-2.0 * pole.re, pole.square()], 2));
        } else if pole.im.abs() <= REAL {
            real.push(pole.re);
        }
    }
    real.sort_by(f64::total_cmp);
    for two in real.chunks(2) {
        match *two {
            [p, q] => pairs.push((p.abs().max(q.abs()), [-(p + q), p * q], 2)),
            _ => pairs.push((two[0].abs(), [-two[0], 0.0], 1)),
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let numerator = |order: usize| match (zeros, order) {
        (Zeros::Nyquist, 1) => [1.0, 1.0, 0.0],
        (Zeros::Nyquist, _) => [1.0, 2.0, 1.0],
        (Zeros::Origin, 1) => [1.0, -1.0, 0.0],
        (Zeros::Origin, _) => [1.0, -2.0, 1.0],
        (Zeros::Both, _) => [1.0, 0.0, -1.0],
        (Zeros::At(frequency), _) => [1.0, -2.0 * (2.0 * PI * frequency).cos(), 1.0],
    };
    Sos(pairs.into_iter().map(|(_, denominator, order)| Section { numerator: numerator(order), denominator }).collect())
}

/// The same with a gain of 1 at a frequency; each section carries its own part, so that none overflows.
fn normalised(mut sos: Sos, frequency: f64) -> Sos {
    for section in &mut sos.0 {
        let (gain, _) = Sos(vec![*section]).response(frequency);
        section.numerator = section.numerator.map(|b| b / gain);
    }
    sos
}
