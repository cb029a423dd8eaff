//! Group and layer normalisation, optionally followed by SiLU in the same pass, forward and backward.
//!
//! Both are one kernel: a *row* of consecutive elements is normalised, and element `i` of a row is scaled by the
//! weight of channel `first + i / run`. For layer norm a row is one token and `run` is 1; for group norm a row is one
//! group of one sample and `run` is the number of pixels. Statistics are accumulated in f64 over blocks of f32 sums.

use super::{for_each_chunk, for_each_part, pointwise::exp, sum1, sum2, vectorised};

/// Elements summed in f32 before the sum goes on in f64.
const BLOCK: usize = 4096;

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
#[inline(always)]
fn moments(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f64;
    let mean = (x.chunks(BLOCK).map(|block| sum1(block, |v| v) as f64).sum::<f64>() / n) as f32;
    let square = |v: f32| (v - mean) * (v - mean);
    let variance = x.chunks(BLOCK).map(|block| sum1(block, square) as f64).sum::<f64>() / n;
    (mean, (1.0 / (variance + eps as f64).sqrt()) as f32)
}

/// Normalises every row of `x`, scales by `weight`, adds `bias` (both per channel), then SiLU where asked.
pub(crate) fn forward(shape: &NormShape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for_each_chunk(&mut out, shape.row_len(), |row, out| {
        let x = &x[row * shape.row_len()..][..shape.row_len()];
        let first = shape.first_channel(row);
        vectorised!({
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

/// Normalises all `n` elements of a sample together and scales and shifts them per channel, of which each row has one element:
/// (B, L, C) by `weight` and `bias` (C).
pub(crate) fn whole(x: &[f32], weight: &[f32], bias: &[f32], n: usize, eps: f32) -> Vec<f32> {
    let channels = weight.len();
    let mut out = vec![0.0; x.len()];
    for (out, x) in out.chunks_mut(n.max(1)).zip(x.chunks(n.max(1))) {
        let mut sums = vec![0.0f32; n.div_ceil(BLOCK)];
        let mut mean_of = |term: &(dyn Fn(&[f32]) -> f32 + Sync)| {
            for_each_chunk(&mut sums, 1, |block, sum| {
                sum[0] = term(&x[block * BLOCK..n.min((block + 1) * BLOCK)]);
            });
            sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() / n as f64
        };
        let mean = mean_of(&|block| vectorised!(sum1(block, |v| v))) as f32;
        let variance = mean_of(&|block| vectorised!(sum1(block, |v| (v - mean) * (v - mean))));
        let scale = (1.0 / (variance + f64::from(eps)).sqrt()) as f32;
        let rows = BLOCK.div_ceil(channels) * channels;
        for_each_chunk(out, rows, |index, out| {
            for (out, x) in out.chunks_exact_mut(channels).zip(x[index * rows..].chunks_exact(channels)) {
                vectorised!(
                    out.iter_mut()
                        .zip(x)
                        .zip(weight.iter().zip(bias))
                        .for_each(|((o, v), (w, b))| *o = (v - mean) * scale * w + b)
                );
            }
        });
    }
    out
}

/// The gradient with respect to `x`, and with `trains` those with respect to `weight` and `bias`, summed over rows in order.
pub(crate) fn backward(
    shape: &NormShape,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    grad: &[f32],
    trains: bool,
) -> (Vec<f32>, Option<[Vec<f32>; 2]>) {
    let len = shape.row_len();
    let mut dx = vec![0.0; x.len()];
    let n_rows = x.len() / len.max(1);
    // Each row's share of the channel gradients, so that rows may run on any thread.
    let mut shares = vec![0.0; if trains || shape.run > 1 { n_rows * 2 * shape.channels } else { 0 }];
    let mut rest = shares.chunks_mut((2 * shape.channels).max(1));
    let parts = dx.chunks_mut(len.max(1)).map(|dx| (dx, rest.next().unwrap_or_default())).enumerate().collect();
    for_each_part(parts, |(row, (dx, sums))| {
        let x = &x[row * len..][..len];
        let grad = &grad[row * len..][..len];
        let first = shape.first_channel(row);
        let (d_weight, d_bias) = sums.split_at_mut(sums.len() / 2);
        vectorised!({
            let (mean, scale) = moments(x, shape.eps);
            let (mut sum, mut dot) = (0.0f64, 0.0f64);
            if shape.run == 1 {
                let weight = &weight[first..][..shape.channels];
                for ((d, g), w) in dx.iter_mut().zip(grad).zip(weight) {
                    *d = g * w;
                }
                if trains {
                    for ((d, g), v) in d_weight.iter_mut().zip(grad).zip(x) {
                        *d = g * (v - mean) * scale;
                    }
                    d_bias.copy_from_slice(grad);
                }
                sum = sum1(dx, |v| v) as f64;
                dot = (sum2(dx, x, |d, v| d * (v - mean)) * scale) as f64;
            } else {
                for c in 0..shape.channels {
                    let (w, b) = (weight[first + c], bias[first + c]);
                    let span = c * shape.run..(c + 1) * shape.run;
                    let (x, grad, dx) = (&x[span.clone()], &grad[span.clone()], &mut dx[span]);
                    if shape.silu {
                        for ((d, &v), &g) in dx.iter_mut().zip(x).zip(grad) {
                            let y = (v - mean) * scale * w + b;
                            let s = 1.0 / (1.0 + exp(-y));
                            *d = g * s * (1.0 + y * (1.0 - s));
                        }
                    } else {
                        dx.copy_from_slice(grad);
                    }
                    d_weight[c] = sum2(dx, x, |g, v| g * (v - mean)) * scale;
                    d_bias[c] = sum1(dx, |g| g);
                    for d in dx.iter_mut() {
                        *d *= w;
                    }
                    sum += (d_bias[c] * w) as f64;
                    dot += (d_weight[c] * w) as f64;
                }
            }
            let (sum, dot) = ((sum / len as f64) as f32, (dot / len as f64) as f32);
            for (d, &v) in dx.iter_mut().zip(x) {
                *d = (*d - sum - (v - mean) * scale * dot) * scale;
            }
        });
    });
    let of_channels = trains.then(|| {
        let (mut d_weight, mut d_bias) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
        for (row, sums) in shares.chunks(2 * shape.channels).enumerate() {
            let first = shape.first_channel(row);
            for c in 0..shape.channels {
                d_weight[first + c] += sums[c];
                d_bias[first + c] += sums[shape.channels + c];
            }
        }
        [d_weight, d_bias]
    });
    (dx, of_channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_core::Seed;

    /// The derivative of `⟨grad, forward⟩` along `direction`, by central differences in each argument's own place.
    fn numeric(f: &dyn Fn(f32) -> Vec<f32>, grad: &[f32]) -> f64 {
        let step = 1e-2;
        let dot = |y: Vec<f32>| y.iter().zip(grad).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        (dot(f(step)) - dot(f(-step))) / (2.0 * f64::from(step))
    }

    #[test]
    fn gradients_are_the_derivatives_of_forward() {
        for (run, groups, silu) in [(1, 1, false), (6, 2, false), (25, 2, true)] {
            let shape = NormShape { channels: 20, run, groups, eps: 1e-5, silu };
            let draw = |name: &str, n: usize| Seed::new(2).named(name).normal(n);
            let (n, c) = (3 * groups * 20 * run, groups * 20);
            let (x, w, b, g) = (draw("x", n), draw("w", c), draw("b", c), draw("g", n));
            let (ux, uw, ub) = (draw("ux", n), draw("uw", c), draw("ub", c));
            let moved = |a: &[f32], u: &[f32], h: f32| a.iter().zip(u).map(|(a, u)| a + h * u).collect::<Vec<_>>();
            let (dx, of_channels) = backward(&shape, &x, &w, &b, &g, true);
            let [dw, db] = of_channels.expect("weight and bias train");
            assert!(backward(&shape, &x, &w, &b, &g, false) == (dx.clone(), None));
            let along = |d: &[f32], u: &[f32]| d.iter().zip(u).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            for (what, ours, truth) in [
                ("x", along(&dx, &ux), numeric(&|h| forward(&shape, &moved(&x, &ux, h), &w, &b), &g)),
                ("weight", along(&dw, &uw), numeric(&|h| forward(&shape, &x, &moved(&w, &uw, h), &b), &g)),
                ("bias", along(&db, &ub), numeric(&|h| forward(&shape, &x, &w, &moved(&b, &ub, h)), &g)),
            ] {
                assert!((ours - truth).abs() < 2e-3 * truth.abs().max(10.0), "{shape:?} {what}: {ours} {truth}");
            }
        }
    }
}
