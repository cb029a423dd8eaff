//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the half-split form of Llama, with the frequency
//! scalings `linear` and `llama3`.

use candle_core::{Device, Tensor};

use crate::error::Result;

/// How frequencies are changed for contexts longer than those of the first training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// As they are.
    None,
    /// All divided by a factor.
    Linear(f64),
    /// Long waves divided by a factor, short ones kept, between them a mixture (Llama 3.1).
    Llama3 { factor: f64, low: f64, high: f64, original: f64 },
}

impl Scaling {
    fn apply(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear(factor) => frequency / factor,
            Self::Llama3 { factor, low, high, original } => {
                let wavelength = 2.0 * std::f64::consts::PI / frequency;
                let share = ((original / wavelength - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - share) * frequency / factor + share * frequency
            }
        }
    }
}

/// Cosines and sines for the positions of one sequence.
#[derive(Clone)]
pub(crate) struct Rotary {
    frequencies: Vec<f64>,
}

impl Rotary {
    /// For heads of `dim` features and the base `theta`.
    pub(crate) fn new(dim: usize, theta: f64, scaling: Scaling) -> Self {
        let frequencies = (0..dim / 2).map(|i| scaling.apply(theta.powf(-2.0 * i as f64 / dim as f64))).collect();
        Self { frequencies }
    }

    /// (cos, sin) of the first `length` positions, each (length, 1, dim / 2).
    pub(crate) fn angles(&self, length: usize, device: &Device) -> Result<(Tensor, Tensor)> {
        let half = self.frequencies.len();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..length)
                .flat_map(|position| self.frequencies.iter().map(move |w| f(position as f64 * w) as f32))
                .collect();
            Tensor::from_vec(values, (length, 1, half), device)
        };
        Ok((table(f64::cos)?, table(f64::sin)?))
    }
}

/// Rotates `x` (B, L, heads · dim) by the angles of its positions.
pub(crate) fn rotate(x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    let half = cos.dim(2)?;
    let x = x.reshape((batch, length, width / (2 * half), 2 * half))?;
    let (first, second) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
    let rotated = Tensor::cat(
        &[
            (first.broadcast_mul(cos)? - second.broadcast_mul(sin)?)?,
            (second.broadcast_mul(cos)? + first.broadcast_mul(sin)?)?,
        ],
        3,
    )?;
    Ok(rotated.reshape((batch, length, width))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaling_of_llama_3_keeps_short_waves_and_stretches_long_ones() {
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        assert_eq!(scaling.apply(1.0), 1.0);
        assert!((scaling.apply(1e-5) - 1.25e-6).abs() < 1e-12);
        let middle = 2.0 * std::f64::consts::PI / 4096.0;
        let scaled = scaling.apply(middle);
        assert!(scaled < middle && scaled > middle / 8.0, "{scaled}");
    }

    #[test]
    fn a_rotation_keeps_lengths_and_depends_on_distance_alone() {
        let rotary = Rotary::new(4, 100.0, Scaling::None);
        let x = Tensor::from_vec([1f32, 2.0, 3.0, 4.0].repeat(6), (1, 6, 4), &Device::Cpu).expect("shapes fit");
        let turned = rotate(&x, &rotary.angles(6, &Device::Cpu).expect("angles")).expect("shapes fit");
        let rows: Vec<Vec<f32>> = turned.squeeze(0).and_then(|t| t.to_vec2()).expect("two axes");
        let dot = |a: usize, b: usize| rows[a].iter().zip(&rows[b]).map(|(x, y)| x * y).sum::<f32>();
        assert!((dot(0, 0) - 30.0).abs() < 1e-4 && (dot(5, 5) - 30.0).abs() < 1e-4);
        assert!((dot(0, 2) - dot(3, 5)).abs() < 1e-4 && (dot(0, 2) - dot(0, 3)).abs() > 1e-3);
    }
}
