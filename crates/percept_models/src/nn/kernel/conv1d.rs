//! Convolution over time, with any stride and dilation: a tile of columns stays in the second-level cache, its product with the
//! weights is one matrix product, and tiles are shared out among the threads. And the depthwise convolution of tokens.

use rayon::prelude::*;

use super::{
    Scratch, is_parallel,
    matmul::{Mat, matmul},
    serial, vectorised,
};

/// Elements of a tile of columns.
const TILE: usize = 1 << 17;

/// The geometry of a convolution over time; lengths in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conv1dShape {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) length: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Zeros before and behind.
    pub(crate) pad: [usize; 2],
}

impl Conv1dShape {
    /// Input samples that one output sample sees, with the gaps between them.
    pub(crate) fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    pub(crate) fn out_length(&self) -> usize {
        (self.length + self.pad[0] + self.pad[1] - self.reach()) / self.stride + 1
    }

    /// Fills `col` (inputs · kernel × tile) for the output samples from `first` on.
    fn columns(&self, x: &[f32], first: usize, tile: usize, col: &mut [f32]) {
        for (row, to) in col.chunks_exact_mut(tile).enumerate() {
            let (channel, tap) = (row / self.kernel, row % self.kernel);
            let x = &x[channel * self.length..][..self.length];
            // Input sample of the first output sample, counted from the first zero of the padding.
            let start = first * self.stride + tap * self.dilation;
            let before = self.pad[0].saturating_sub(start).div_ceil(self.stride).min(tile);
            let end = (self.length + self.pad[0]).saturating_sub(start).div_ceil(self.stride).clamp(before, tile);
            to[..before].fill(0.0);
            to[end..].fill(0.0);
            if before == end {
                continue;
            }
            let from = &x[start + before * self.stride - self.pad[0]..];
            if self.stride == 1 {
                to[before..end].copy_from_slice(&from[..end - before]);
            } else {
                to[before..end].iter_mut().zip(from.iter().step_by(self.stride)).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// `x` (B, C, L) → (B, O, L'); `w` (O, C, k); `bias` (O).
pub(crate) fn forward(shape: &Conv1dShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let (length, depth) = (shape.out_length(), shape.in_channels * shape.kernel);
    let in_len = shape.in_channels * shape.length;
    let batch = x.len() / in_len.max(1);
    let outputs = shape.out_channels;
    let mut out = vec![0.0; batch * outputs * length];
    // Few enough that every thread has several, for lengths of a few thousand too.
    let tile = (TILE / depth.max(1)).clamp(64, 1 << 14).min(length.max(1));
    let n_tiles = length.div_ceil(tile);
    let work = |index: usize| -> (usize, usize, Vec<f32>) {
        let (sample, first) = (index / n_tiles, index % n_tiles * tile);
        let n = tile.min(length - first);
        let mut product = vec![0.0; outputs * n];
        product.chunks_exact_mut(n).zip(bias).for_each(|(row, &value)| row.fill(value));
        let x = &x[sample * in_len..][..in_len];
        let dims = [outputs, n, depth];
        if shape.kernel == 1 && shape.stride == 1 && shape.pad == [0; 2] {
            matmul(dims, &mut product, n, true, 1.0, Mat::rows(w, depth), Mat::rows(&x[first..], length));
        } else {
            let mut memory = Scratch::take();
            let col = memory.of_length(depth * n);
            shape.columns(x, first, n, col);
            matmul(dims, &mut product, n, true, 1.0, Mat::rows(w, depth), Mat::rows(col, n));
        }
        (sample, first, product)
    };
    let place = |out: &mut [f32], (sample, first, product): (usize, usize, Vec<f32>)| {
        let n = tile.min(length - first);
        let rows = product.chunks_exact(n);
        for (to, row) in out[sample * outputs * length..][..outputs * length].chunks_exact_mut(length).zip(rows) {
            to[first..first + n].copy_from_slice(row);
        }
    };
    if is_parallel() && batch * n_tiles > 1 {
        // A few tiles at a time, so that products never lie in memory twice as a whole.
        let round = 4 * rayon::current_num_threads();
        for start in (0..batch * n_tiles).step_by(round) {
            let indices = start..(start + round).min(batch * n_tiles);
            let made: Vec<_> = indices.into_par_iter().map(|index| serial(|| work(index))).collect();
            made.into_iter().for_each(|product| place(&mut out, product));
        }
    } else {
        (0..batch * n_tiles).for_each(|index| place(&mut out, work(index)));
    }
    out
}

/// Depthwise and causal: token t of `x` (B, L, C) sees itself and the k − 1 before it; `w` (k, C) → (B, L, C).
pub(crate) fn depthwise(x: &[f32], w: &[f32], [length, channels]: [usize; 2]) -> Vec<f32> {
    let kernel = w.len() / channels.max(1);
    let mut out = vec![0.0; x.len()];
    super::for_each_chunk(&mut out, channels, |token, out| {
        let (sample, t) = (token / length, token % length);
        let first = (kernel - 1).saturating_sub(t);
        for (tap, w) in w.chunks_exact(channels).enumerate().skip(first) {
            let at = sample * length + t + tap + 1 - kernel;
            let x = &x[at * channels..][..channels];
            vectorised!(out.iter_mut().zip(x).zip(w).for_each(|((out, x), w)| *out += x * w));
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(name: &str, n: usize) -> Vec<f32> {
        percept_core::Seed::new(3).named(name).normal(n)
    }

    #[test]
    fn forward_equals_the_definition() {
        let base =
            Conv1dShape { in_channels: 3, out_channels: 4, length: 23, kernel: 5, stride: 1, dilation: 1, pad: [2, 2] };
        for s in [
            base,
            Conv1dShape { stride: 3, pad: [4, 1], ..base },
            Conv1dShape { dilation: 4, pad: [8, 8], ..base },
            Conv1dShape { kernel: 1, pad: [0, 0], ..base },
            Conv1dShape { pad: [9, 0], ..base },
            Conv1dShape { length: 5000, in_channels: 40, ..base },
        ] {
            let (x, w) =
                (noise("x", 2 * s.in_channels * s.length), noise("w", s.out_channels * s.in_channels * s.kernel));
            let bias = noise("b", s.out_channels);
            let n = s.out_length();
            let ours = forward(&s, &x, &w, &bias);
            assert_eq!(ours.len(), 2 * s.out_channels * n);
            for (index, ours) in ours.iter().enumerate() {
                let (sample, o, t) = (index / n / s.out_channels, index / n % s.out_channels, index % n);
                let mut sum = f64::from(bias[o]);
                for c in 0..s.in_channels {
                    for k in 0..s.kernel {
                        let at = (t * s.stride + k * s.dilation).checked_sub(s.pad[0]).filter(|&at| at < s.length);
                        let x = at.map_or(0.0, |at| x[(sample * s.in_channels + c) * s.length + at]);
                        sum += f64::from(x) * f64::from(w[(o * s.in_channels + c) * s.kernel + k]);
                    }
                }
                assert!((f64::from(*ours) - sum).abs() < 1e-4, "{s:?} at {index}: {ours} {sum}");
            }
        }
    }

    #[test]
    fn depthwise_sees_the_past_alone() {
        let (x, w) = (noise("x", 2 * 9 * 3), noise("w", 4 * 3));
        let ours = depthwise(&x, &w, [9, 3]);
        for (index, ours) in ours.iter().enumerate() {
            let (token, c) = (index / 3, index % 3);
            let t = token % 9;
            let sum: f32 = (0..4).filter(|k| t + k >= 3).map(|k| x[(token + k - 3) * 3 + c] * w[k * 3 + c]).sum();
            assert!((ours - sum).abs() < 1e-5, "{index}");
        }
    }
}
