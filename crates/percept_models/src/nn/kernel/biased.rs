//! Attention with a number added to every score, of few tokens (the windows of Swin) or with relative positions: scores of one
//! head at a time, softmax, weighted values; forward and backward.

use super::{
    Scratch, for_each_part,
    matmul::{Mat, matmul},
    pointwise::exp,
    sum1, sum2, vectorised,
};

/// A score so far below the largest has no share: e⁻⁶⁰ is 10⁻²⁶.
const LEAST: f32 = -60.0;

/// The geometry of biased attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BiasedShape {
    pub(crate) heads: usize,
    pub(crate) dim: usize,
    pub(crate) tokens: usize,
    /// Tables of bias; sample b uses table b modulo this number.
    pub(crate) tables: usize,
    /// Numbers from token to token in queries, keys and values: their width, or that of what they are packed in.
    pub(crate) stride: usize,
}

impl BiasedShape {
    fn width(&self) -> usize {
        self.heads * self.dim
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// The table of a sample's head.
    fn table<'a>(&self, bias: &'a [f32], sample: usize, head: usize) -> &'a [f32] {
        let size = self.tokens * self.tokens;
        &bias[(sample % self.tables * self.heads + head) * size..][..size]
    }

    /// The shares of one head; `q` and `k` begin at its numbers.
    fn shares(&self, q: &[f32], k: &[f32], table: &[f32], shares: &mut [f32]) {
        let l = self.tokens;
        shares.copy_from_slice(table);
        let (queries, keys) = (Mat::rows(q, self.stride), Mat::rows(k, self.stride).t());
        matmul([l, l, self.dim], shares, l, true, self.scale(), queries, keys);
        for row in shares.chunks_exact_mut(l) {
            vectorised!({
                let most = row.iter().fold(f32::NEG_INFINITY, |most, &v| if v > most { v } else { most });
                for v in row.iter_mut() {
                    // A share that is no normal number costs a product a hundred cycles.
                    *v = if *v - most > LEAST { exp(*v - most) } else { 0.0 };
                }
                let sum = 1.0 / sum1(row, |v| v);
                for v in row.iter_mut() {
                    *v *= sum;
                }
            });
        }
    }
}

/// `q`, `k`, `v` (B, L, heads · dim), `bias` (tables, heads, L, L) → (B, L, heads · dim).
pub(crate) fn forward(s: &BiasedShape, q: &[f32], k: &[f32], v: &[f32], bias: &[f32]) -> Vec<f32> {
    let (l, width) = (s.tokens, s.width());
    let mut out = vec![0.0; q.len().div_ceil(s.stride) * width];
    // One part for a sample: its heads are interleaved in memory.
    let parts: Vec<_> = out.chunks_mut(l * width).enumerate().collect();
    for_each_part(parts, |(sample, out)| {
        let mut memory = Scratch::take();
        let shares = memory.of_length(l * l);
        for head in 0..s.heads {
            let from = sample * l * s.stride + head * s.dim;
            s.shares(&q[from..], &k[from..], s.table(bias, sample, head), shares);
            let (weights, values) = (Mat::rows(shares, l), Mat::rows(&v[from..], s.stride));
            matmul([l, s.dim, l], &mut out[head * s.dim..], width, false, 1.0, weights, values);
        }
    });
    out
}

/// The gradients of [`forward`] with respect to queries, keys and values, packed as `qkv` (B, L, 3 · heads · dim) are, and with
/// respect to `bias`. `s.stride` is the width of all three.
pub(crate) fn backward(s: &BiasedShape, qkv: &[f32], bias: &[f32], grad: &[f32]) -> [Vec<f32>; 2] {
    let (l, width) = (s.tokens, s.width());
    let size = l * l;
    let mut d_qkv = vec![0.0; qkv.len()];
    let mut d_bias = vec![0.0; bias.len()];
    // One part for a table, which sums over its samples in their order.
    let mut of_tables: Vec<Vec<(usize, &mut [f32])>> = (0..s.tables).map(|_| Vec::new()).collect();
    for (sample, part) in d_qkv.chunks_mut(l * s.stride).enumerate() {
        of_tables[sample % s.tables].push((sample, part));
    }
    let parts: Vec<_> = of_tables.into_iter().zip(d_bias.chunks_mut(s.heads * size)).collect();
    for_each_part(parts, |(samples, d_bias)| {
        let (mut memory, mut more) = (Scratch::take(), Scratch::take());
        let (shares, slopes) = (memory.of_length(size), more.of_length(size));
        for (sample, d_qkv) in samples {
            for head in 0..s.heads {
                let (place, at) = (sample * l * s.stride, head * s.dim);
                let [q, k, v] = [0, 1, 2].map(|which| &qkv[place + which * width + at..]);
                let grad = Mat::rows(&grad[sample * l * width + at..], width);
                s.shares(q, k, s.table(bias, sample, head), shares);
                // Of the values: the shares turned; of the shares: the values turned.
                let to = &mut d_qkv[2 * width + at..];
                matmul([l, s.dim, l], to, s.stride, false, 1.0, Mat::rows(shares, l).t(), grad);
                matmul([l, l, s.dim], slopes, l, false, 1.0, grad, Mat::rows(v, s.stride).t());
                for (slopes, shares) in slopes.chunks_exact_mut(l).zip(shares.chunks_exact(l)) {
                    vectorised!({
                        let mean = sum2(slopes, shares, |a, b| a * b);
                        slopes.iter_mut().zip(shares).for_each(|(slope, share)| *slope = share * (*slope - mean));
                    });
                }
                let d_table = &mut d_bias[head * size..][..size];
                vectorised!(d_table.iter_mut().zip(&*slopes).for_each(|(to, slope)| *to += slope));
                let (to, keys) = (&mut d_qkv[at..], Mat::rows(k, s.stride));
                matmul([l, s.dim, l], to, s.stride, false, s.scale(), Mat::rows(slopes, l), keys);
                let (to, queries) = (&mut d_qkv[width + at..], Mat::rows(q, s.stride));
                matmul([l, s.dim, l], to, s.stride, false, s.scale(), Mat::rows(slopes, l).t(), queries);
            }
        }
    });
    [d_qkv, d_bias]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_differences() {
        let s = BiasedShape { heads: 2, dim: 3, tokens: 5, tables: 2, stride: 18 };
        let noise = |name: &str, n: usize| percept_core::Seed::new(4).named(name).normal(n);
        let (qkv, bias, grad) = (noise("qkv", 4 * 5 * 18), noise("bias", 2 * 2 * 25), noise("grad", 4 * 5 * 6));
        let loss = |qkv: &[f32], bias: &[f32]| -> f64 {
            let out = forward(&s, qkv, &qkv[6..], &qkv[12..], bias);
            assert_eq!(out.len(), grad.len());
            out.iter().zip(&grad).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let [d_qkv, d_bias] = backward(&s, &qkv, &bias, &grad);
        let slope = |values: &[f32], i: usize, loss: &dyn Fn(&[f32]) -> f64| {
            let at = |by: f32| {
                let mut values = values.to_vec();
                values[i] += by;
                loss(&values)
            };
            (at(0.01) - at(-0.01)) / 0.02
        };
        for (i, ours) in d_qkv.iter().enumerate() {
            let truth = slope(&qkv, i, &|qkv| loss(qkv, &bias));
            assert!((truth - f64::from(*ours)).abs() < 3e-3, "{i}: {truth} {ours}");
        }
        for (i, ours) in d_bias.iter().enumerate() {
            let truth = slope(&bias, i, &|bias| loss(&qkv, bias));
            assert!((truth - f64::from(*ours)).abs() < 3e-3, "{i}: {truth} {ours}");
        }
    }
}
