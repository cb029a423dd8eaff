//! Activations beyond those of the kernels: ReLU, and the tanh approximation of GELU that GPT-2 was trained with.

use candle_core::{Shape, Tensor};

use super::{
    composed,
    kernel::{for_each_chunk, pointwise::tanh, vectorised},
    ops::{self, Op},
};
use crate::{config, error::Result, nn::Activation};

/// Elements handed to a thread at a time.
const CHUNK: usize = 1 << 15;
/// √(2/π) and the cubic coefficient of the approximation (Hendrycks & Gimpel 2016, arXiv 1606.08415).
const TANH_SCALE: f32 = 0.797_884_6;
const TANH_CUBIC: f32 = 0.044_715;

/// A function that is applied to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elementwise {
    /// One of the kernels' activations.
    Kernel(Activation),
    /// max(x, 0).
    Relu,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    GeluTanh,
}

impl Elementwise {
    /// The activation that transformers gives this name.
    pub(crate) fn named(component: &'static str, key: &str, name: &str) -> Result<Self> {
        match name {
            "relu" => Ok(Self::Relu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Self::GeluTanh),
            other => Ok(Self::Kernel(config::activation(component, key, other)?)),
        }
    }

    /// The function, element by element.
    pub(crate) fn apply(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Kernel(activation) => ops::activate(x, activation)?,
            Self::Relu => x.relu()?,
            Self::GeluTanh => ops::apply1(GeluTanh, x)?,
        })
    }
}

#[inline]
fn value(x: f32) -> f32 {
    0.5 * x * (1.0 + tanh(TANH_SCALE * (x + TANH_CUBIC * x * x * x)))
}

#[inline]
fn slope(x: f32) -> f32 {
    let t = tanh(TANH_SCALE * (x + TANH_CUBIC * x * x * x));
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * TANH_SCALE * (1.0 + 3.0 * TANH_CUBIC * x * x)
}

struct GeluTanh;

impl Op<1> for GeluTanh {
    const NAME: &'static str = "gelu-tanh";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        let mut out = x.to_vec();
        for_each_chunk(&mut out, CHUNK, |_, part| vectorised!(part.iter_mut().for_each(|v| *v = value(*v))));
        (out, dims.into())
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> candle_core::Result<Tensor> {
        composed::gelu_tanh(x, TANH_SCALE, TANH_CUBIC)
    }

    fn backward(&self, [x]: [&[f32]; 1], grad: &[f32]) -> [Option<Vec<f32>>; 1] {
        let mut out = grad.to_vec();
        for_each_chunk(&mut out, CHUNK, |index, part| {
            let x = &x[index * CHUNK..][..part.len()];
            vectorised!(part.iter_mut().zip(x).for_each(|(g, x)| *g *= slope(*x)));
        });
        [Some(out)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_derivative_and_the_value_the_definition() {
        for i in -60..60 {
            let x = i as f32 / 10.0;
            let wide = f64::from(x);
            let truth =
                0.5 * wide * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3))).tanh());
            assert!((f64::from(value(x)) - truth).abs() < 1e-6, "{x}");
            let numeric = (value(x + 0.01) - value(x - 0.01)) / 0.02;
            assert!((numeric - slope(x)).abs() < 1e-3, "{x}");
        }
    }
}
