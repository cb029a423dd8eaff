//! Scaled dot-product attention in blocks of query rows: scores exist for one block at a time. Forward and backward.

use super::{
    for_each_chunk,
    matmul::{Mat, matmul},
    pointwise::exp,
    vectorised,
};

/// Query rows per block.
const BLOCK: usize = 64;

/// Sizes of one attention: queries (B, L, heads·dim), keys and values (B, S, heads·dim).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AttentionShape {
    pub(crate) heads: usize,
    pub(crate) dim: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    /// Whether a query sees only keys at its own position and before.
    pub(crate) causal: bool,
}

impl AttentionShape {
    fn width(&self) -> usize {
        self.heads * self.dim
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Where head `unit % heads` of sample `unit / heads` starts in a (B, length, width) tensor.
    fn start(&self, unit: usize, length: usize) -> usize {
        (unit / self.heads) * length * self.width() + (unit % self.heads) * self.dim
    }

    /// Softmax probabilities (rows × keys) of the query rows `rows`.
    fn probabilities(&self, q: &[f32], k: &[f32], rows: &std::ops::Range<usize>, p: &mut [f32]) {
        let (width, keys) = (self.width(), self.keys);
        let q = Mat::rows(&q[rows.start * width..], width);
        matmul([rows.len(), keys, self.dim], p, keys, false, self.scale(), q, Mat::rows(k, width).t());
        for (i, row) in p.chunks_mut(keys).take(rows.len()).enumerate() {
            let seen = if self.causal { (rows.start + i + 1).min(keys) } else { keys };
            let (row, hidden) = row.split_at_mut(seen);
            vectorised(|| {
                let mut lanes = [f32::NEG_INFINITY; 16];
                for part in row.chunks(16) {
                    for (lane, &value) in lanes.iter_mut().zip(part) {
                        *lane = if value > *lane { value } else { *lane };
                    }
                }
                let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut sums = [0.0f32; 16];
                for part in row.chunks_mut(16) {
                    for (sum, value) in sums.iter_mut().zip(part) {
                        *value = exp(*value - max);
                        *sum += *value;
                    }
                }
                let scale = 1.0 / sums.iter().sum::<f32>();
                for value in row.iter_mut() {
                    *value *= scale;
                }
            });
            hidden.fill(0.0);
        }
    }

    fn blocks(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let n = self.queries;
        (0..n).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(n))
    }
}

/// Copies head-major rows (B·heads, length, dim) into (B, length, heads·dim).
fn interleave(shape: &AttentionShape, length: usize, by_head: &[f32]) -> Vec<f32> {
    let (width, dim) = (shape.width(), shape.dim);
    let mut out = vec![0.0; by_head.len()];
    for (unit, rows) in by_head.chunks(length * dim).enumerate() {
        let start = shape.start(unit, length);
        for (position, row) in rows.chunks(dim).enumerate() {
            out[start + position * width..][..dim].copy_from_slice(row);
        }
    }
    out
}

/// softmax(q kᵀ / √dim) v per head.
pub(crate) fn forward(shape: &AttentionShape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let (width, dim) = (shape.width(), shape.dim);
    let mut by_head = vec![0.0; q.len()];
    for_each_chunk(&mut by_head, shape.queries * dim, |unit, out| {
        let (q, k) = (&q[shape.start(unit, shape.queries)..], &k[shape.start(unit, shape.keys)..]);
        let v = &v[shape.start(unit, shape.keys)..];
        let mut p = vec![0.0; BLOCK.min(shape.queries) * shape.keys];
        for rows in shape.blocks() {
            shape.probabilities(q, k, &rows, &mut p);
            let to = &mut out[rows.start * dim..];
            matmul([rows.len(), dim, shape.keys], to, dim, false, 1.0, Mat::rows(&p, shape.keys), Mat::rows(v, width));
        }
    });
    interleave(shape, shape.queries, &by_head)
}

/// The gradients with respect to `q`, `k` and `v`; probabilities are computed again, not kept.
pub(crate) fn backward(
    shape: &AttentionShape,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (width, dim, keys, queries) = (shape.width(), shape.dim, shape.keys, shape.queries);
    let unit_len = (queries + 2 * keys) * dim;
    let n_units = q.len() / (queries * dim).max(1);
    let mut work = vec![0.0; n_units * unit_len];
    for_each_chunk(&mut work, unit_len, |unit, part| {
        let (dq, rest) = part.split_at_mut(queries * dim);
        let (dk, dv) = rest.split_at_mut(keys * dim);
        let (q, k) = (&q[shape.start(unit, queries)..], &k[shape.start(unit, keys)..]);
        let (v, grad) = (&v[shape.start(unit, keys)..], &grad[shape.start(unit, queries)..]);
        let block = BLOCK.min(queries);
        let (mut p, mut ds) = (vec![0.0; block * keys], vec![0.0; block * keys]);
        for rows in shape.blocks() {
            let n = rows.len();
            shape.probabilities(q, k, &rows, &mut p);
            let grad = Mat::rows(&grad[rows.start * width..], width);
            matmul([keys, dim, n], dv, dim, true, 1.0, Mat::rows(&p, keys).t(), grad);
            matmul([n, keys, dim], &mut ds, keys, false, 1.0, grad, Mat::rows(v, width).t());
            for (ds, p) in ds.chunks_mut(keys).zip(p.chunks(keys)).take(n) {
                vectorised(|| {
                    let mut lanes = [0.0f32; 16];
                    for (d, p) in ds.chunks(16).zip(p.chunks(16)) {
                        for ((lane, d), p) in lanes.iter_mut().zip(d).zip(p) {
                            *lane += d * p;
                        }
                    }
                    let dot = lanes.iter().sum::<f32>();
                    for (d, p) in ds.iter_mut().zip(p) {
                        *d = (*d - dot) * p;
                    }
                });
            }
            let scale = shape.scale();
            let to = &mut dq[rows.start * dim..];
            matmul([n, dim, keys], to, dim, false, scale, Mat::rows(&ds, keys), Mat::rows(k, width));
            let q = Mat::rows(&q[rows.start * width..], width);
            matmul([keys, dim, n], dk, dim, true, scale, Mat::rows(&ds, keys).t(), q);
        }
    });
    let (mut dq, mut dk, mut dv) = (Vec::new(), Vec::new(), Vec::new());
    for part in work.chunks(unit_len) {
        dq.extend_from_slice(&part[..queries * dim]);
        dk.extend_from_slice(&part[queries * dim..(queries + keys) * dim]);
        dv.extend_from_slice(&part[(queries + keys) * dim..]);
    }
    (interleave(shape, queries, &dq), interleave(shape, keys, &dk), interleave(shape, keys, &dv))
}
