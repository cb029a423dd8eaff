//! Activations with vectorised exponential and error function, forward and backward.

use super::{for_each_chunk, vectorised};

/// Elements handed to a thread at a time.
const CHUNK: usize = 1 << 15;

/// `exp(x)`, relative error ≤ 2e-7 over the range of f32 (Cephes' polynomial); flushes to 0 below −87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding 1.5 · 2²³ rounds to the nearest integer, which then stands in the lowest bits.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1)
        * r
        + 0.5;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// The logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, absolute error ≤ 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// The error function, absolute error ≤ 2e-7 (Abramowitz & Stegun 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    (1.0 - p * exp(-a * a)).copysign(x)
}

/// Rectifiers that let something through below zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bend {
    /// x, or this slope times x below 0 (Maas et al. 2013).
    Leaky(f32),
    /// x, or exp(x) − 1 below 0 (Clevert et al. 2015, arXiv 1511.07289).
    Elu,
}

impl Bend {
    /// Each value through the function, in place.
    pub(crate) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Leaky(slope) => {
                vectorised!(values.iter_mut().for_each(|v| *v = v.max(0.0) + slope * v.min(0.0)));
            }
            Self::Elu => vectorised!(values.iter_mut().for_each(|v| *v = v.max(0.0) + exp(v.min(0.0)) - 1.0)),
        }
    }

    /// Each gradient times the slope at the value it belongs to, in place.
    pub(crate) fn slope(self, x: &[f32], grad: &mut [f32]) {
        match self {
            Self::Leaky(slope) => {
                vectorised!(grad.iter_mut().zip(x).for_each(|(g, x)| *g *= if *x > 0.0 { 1.0 } else { slope }));
            }
            Self::Elu => vectorised!(grad.iter_mut().zip(x).for_each(|(g, x)| *g *= exp(x.min(0.0)))),
        }
    }
}

/// The activations of the model families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x·σ(x).
    Silu,
    /// x·Φ(x), exact (by the error function).
    Gelu,
    /// x·σ(1.702 x), as OpenAI's CLIP has it.
    QuickGelu,
}

impl Activation {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        match self {
            Self::Silu => x * sigmoid(x),
            Self::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Self::QuickGelu => x * sigmoid(1.702 * x),
        }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        match self {
            Self::Silu => {
                let s = sigmoid(x);
                s * (1.0 + x * (1.0 - s))
            }
            Self::Gelu => {
                let density = exp(-0.5 * x * x) * 0.398_942_3;
                0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)) + x * density
            }
            Self::QuickGelu => {
                let s = sigmoid(1.702 * x);
                s * (1.0 + 1.702 * x * (1.0 - s))
            }
        }
    }
}

/// `activation(x)`, element by element.
pub(crate) fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    let mut out = x.to_vec();
    for_each_chunk(&mut out, CHUNK, |_, part| match activation {
        Activation::Silu => vectorised!(part.iter_mut().for_each(|v| *v = Activation::Silu.value(*v))),
        Activation::Gelu => vectorised!(part.iter_mut().for_each(|v| *v = Activation::Gelu.value(*v))),
        Activation::QuickGelu => vectorised!(part.iter_mut().for_each(|v| *v = Activation::QuickGelu.value(*v))),
    });
    out
}

/// Multiplies every element of `part` by the slope at that of `x`.
#[inline(always)]
fn scale(part: &mut [f32], x: &[f32], slope: impl Fn(f32) -> f32) {
    part.iter_mut().zip(x).for_each(|(value, &x)| *value *= slope(x));
}

/// The gradient with respect to `x`.
pub(crate) fn backward(activation: Activation, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut out = grad.to_vec();
    for_each_chunk(&mut out, CHUNK, |index, part| {
        let x = &x[index * CHUNK..][..part.len()];
        // One loop for each, so that the choice is made outside of them.
        match activation {
            Activation::Silu => vectorised!(scale(part, x, |x| Activation::Silu.slope(x))),
            Activation::Gelu => vectorised!(scale(part, x, |x| Activation::Gelu.slope(x))),
            Activation::QuickGelu => vectorised!(scale(part, x, |x| Activation::QuickGelu.slope(x))),
        }
    });
    out
}

/// GEGLU: rows (value, gate), each of `width` elements → value · gelu(gate).
pub(crate) fn geglu(width: usize, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len() / 2];
    for_each_chunk(&mut out, width, |row, out| {
        let (value, gate) = x[row * 2 * width..][..2 * width].split_at(width);
        vectorised!({
            for ((o, v), g) in out.iter_mut().zip(value).zip(gate) {
                *o = v * Activation::Gelu.value(*g);
            }
        });
    });
    out
}

/// The gradient of [`geglu`] with respect to `x`.
pub(crate) fn geglu_backward(width: usize, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    for_each_chunk(&mut dx, 2 * width, |row, dx| {
        let (value, gate) = x[row * 2 * width..][..2 * width].split_at(width);
        let (d_value, d_gate) = dx.split_at_mut(width);
        let grad = &grad[row * width..][..width];
        vectorised!({
            for i in 0..width {
                d_value[i] = grad[i] * Activation::Gelu.value(gate[i]);
                d_gate[i] = grad[i] * value[i] * Activation::Gelu.slope(gate[i]);
            }
        });
    });
    dx
}

/// The sum over rows of `width` elements each, in their order.
pub(crate) fn sum_rows(x: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    vectorised!({
        for row in x.chunks(width) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_over_its_range() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let truth = (x as f64).exp();
            assert!(((exp(x) as f64 - truth) / truth).abs() < 3e-7, "{x}");
        }
    }

    #[test]
    fn erf_matches_known_values() {
        for (x, truth) in
            [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (-2.0, -0.995_322_265), (4.0, 1.0)]
        {
            assert!((erf(x) - truth as f32).abs() < 4e-7, "{x}: {}", erf(x));
        }
    }

    #[test]
    fn slopes_are_the_derivatives_of_values() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
            for i in -40..40 {
                let x = i as f32 / 10.0;
                let numeric = (activation.value(x + 0.01) - activation.value(x - 0.01)) / 0.02;
                assert!((numeric - activation.slope(x)).abs() < 1e-3, "{activation:?} at {x}");
            }
        }
    }
}
