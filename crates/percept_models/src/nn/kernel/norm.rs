//! Group and layer normalisation, optionally followed by SiLU in the same pass, forward and backward.
//!
//! Both are one kernel: a *row* of consecutive elements is normalised, and element `i` of a row is scaled by the
//! weight of channel `first + i / run`. For layer norm a row is one token and `run` is 1; for group norm a row is one
//! group of one sample and `run` is the number of pixels. Statistics are accumulated in f64 over blocks of f32 sums.

use super::{for_each_chunk, pointwise::exp, vectorised};

/// How rows lie over channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NormShape {
    /// Channels in a row.
    pub(crate) channels: usize,
    /// Consecutive elements of one channel.
    pub(crate) run: usize,
    /// Rows until the channels start again (the number of groups; 1 for layer norm).
    pub(crate) groups: usize,
    pub(crate) eps: f32,
    /// Whether SiLU follows.
    pub(crate) silu: bool,
}

impl NormShape {
    fn row_len(&self) -> usize {
        self.channels * self.run
    }

    fn first_channel(&self, row: usize) -> usize {
        (row % self.groups) * self.channels
    }
}

/// Mean and reciprocal standard deviation (population) of a row.
fn moments(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f64;
    let sum = |f: &dyn Fn(f32) -> f32| -> f64 {
        x.chunks(4096)
            .map(|block| {
                let mut lanes = [0.0f32; 16];
                for part in block.chunks(16) {
                    for (lane, &value) in lanes.iter_mut().zip(part) {
                        *lane += f(value);
                    }
                }
                lanes.iter().map(|&lane| lane as f64).sum::<f64>()
            })
            .sum()
    };
    let mean = (sum(&|v| v) / n) as f32;
    let variance = sum(&|v| (v - mean) * (v - mean)) / n;
    (mean, (1.0 / (variance + eps as f64).sqrt()) as f32)
}

/// Normalises every row of `x`, scales by `weight`, adds `bias` (both per channel), then SiLU where asked.
pub(crate) fn forward(shape: &NormShape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for_each_chunk(&mut out, shape.row_len(), |row, out| {
        let x = &x[row * shape.row_len()..][..shape.row_len()];
        let first = shape.first_channel(row);
        vectorised(|| {
            let (mean, scale) = moments(x, shape.eps);
            if shape.run == 1 {
                let (weight, bias) = (&weight[first..][..shape.channels], &bias[first..][..shape.channels]);
                for (((o, v), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                    *o = (v - mean) * scale * w + b;
                }
            } else {
                for (c, (out, x)) in out.chunks_mut(shape.run).zip(x.chunks(shape.run)).enumerate() {
                    let (w, b) = (weight[first + c] * scale, bias[first + c]);
                    for (o, v) in out.iter_mut().zip(x) {
                        *o = (v - mean) * w + b;
                    }
                }
            }
            if shape.silu {
                for o in out.iter_mut() {
                    *o /= 1.0 + exp(-*o);
                }
            }
        });
    });
    out
}

/// The gradients with respect to `x`, `weight` and `bias`; the last two are summed over rows in order.
pub(crate) fn backward(
    shape: &NormShape,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let len = shape.row_len();
    // Per row: dx, then the row's share of the channel gradients, so that rows may run on any thread.
    let stride = len + 2 * shape.channels;
    let n_rows = x.len() / len.max(1);
    let mut work = vec![0.0; n_rows * stride];
    for_each_chunk(&mut work, stride, |row, part| {
        let x = &x[row * len..][..len];
        let grad = &grad[row * len..][..len];
        let first = shape.first_channel(row);
        let (dx, sums) = part.split_at_mut(len);
        let (d_weight, d_bias) = sums.split_at_mut(shape.channels);
        vectorised(|| {
            let (mean, scale) = moments(x, shape.eps);
            let (mut sum, mut dot) = (0.0f64, 0.0f64);
            for c in 0..shape.channels {
                let (w, b) = (weight[first + c], bias[first + c]);
                let span = c * shape.run..(c + 1) * shape.run;
                let (mut dw, mut db) = (0.0f32, 0.0f32);
                for ((d, &v), &g) in dx[span.clone()].iter_mut().zip(&x[span.clone()]).zip(&grad[span]) {
                    let hat = (v - mean) * scale;
                    let slope = if shape.silu {
                        let s = 1.0 / (1.0 + exp(-(hat * w + b)));
                        s * (1.0 + (hat * w + b) * (1.0 - s))
                    } else {
                        1.0
                    };
                    let g = g * slope;
                    dw += g * hat;
                    db += g;
                    *d = g * w;
                }
                d_weight[c] = dw;
                d_bias[c] = db;
                sum += (db * w) as f64;
                dot += (dw * w) as f64;
            }
            let (sum, dot) = ((sum / len as f64) as f32, (dot / len as f64) as f32);
            for (d, &v) in dx.iter_mut().zip(x) {
                *d = (*d - sum - (v - mean) * scale * dot) * scale;
            }
        });
    });
    let mut dx = Vec::with_capacity(x.len());
    let (mut d_weight, mut d_bias) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
    for (row, part) in work.chunks(stride).enumerate() {
        dx.extend_from_slice(&part[..len]);
        let first = shape.first_channel(row);
        for c in 0..shape.channels {
            d_weight[first + c] += part[len + c];
            d_bias[first + c] += part[len + shape.channels + c];
        }
    }
    (dx, d_weight, d_bias)
}
