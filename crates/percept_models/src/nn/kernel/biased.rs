//! Attention with a number added to every score, of few tokens (the windows of Swin) or with relative positions: scores of one
//! head at a time, softmax, weighted values.

use super::{
    Scratch, for_each_part,
    matmul::{Mat, matmul},
    pointwise::exp,
    sum1, vectorised,
};

/// The geometry of biased attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BiasedShape {
    pub(crate) heads: usize,
    pub(crate) dim: usize,
    pub(crate) tokens: usize,
    /// Tables of bias; sample b uses table b modulo this number.
    pub(crate) tables: usize,
}

/// `q`, `k`, `v` (B, L, heads · dim), `bias` (tables, heads, L, L) → (B, L, heads · dim).
pub(crate) fn forward(s: &BiasedShape, q: &[f32], k: &[f32], v: &[f32], bias: &[f32]) -> Vec<f32> {
    let (l, width) = (s.tokens, s.heads * s.dim);
    let mut out = vec![0.0; q.len()];
    let scale = 1.0 / (s.dim as f32).sqrt();
    // One part for a sample: its heads are interleaved in memory.
    let parts: Vec<_> = out.chunks_mut(l * width).enumerate().collect();
    for_each_part(parts, |(sample, out)| {
        let place = sample * l * width;
        let mut memory = Scratch::take();
        let scores = memory.of_length(l * l);
        for head in 0..s.heads {
            let from = place + head * s.dim;
            let bias = &bias[(sample % s.tables * s.heads + head) * l * l..][..l * l];
            scores.copy_from_slice(bias);
            let (queries, keys) = (Mat::rows(&q[from..], width), Mat::rows(&k[from..], width).t());
            matmul([l, l, s.dim], scores, l, true, scale, queries, keys);
            for row in scores.chunks_exact_mut(l) {
                vectorised!({
                    let most = row.iter().fold(f32::NEG_INFINITY, |most, &v| most.max(v));
                    row.iter_mut().for_each(|v| *v = exp(*v - most));
                    let sum = 1.0 / sum1(row, |v| v);
                    row.iter_mut().for_each(|v| *v *= sum);
                });
            }
            matmul(
                [l, s.dim, l],
                &mut out[head * s.dim..],
                width,
                false,
                1.0,
                Mat::rows(scores, l),
                Mat::rows(&v[from..], width),
            );
        }
    });
    out
}
