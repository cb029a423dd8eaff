//! Scaled dot-product attention, forward and backward.
//!
//! Forward, scores exist for one block of queries × keys at a time: the softmax runs along, rescaling what was summed
//! when a larger score appears (Milakov & Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135).
//! Backward, probabilities are computed again for a block of queries over all keys.

use super::{
    for_each_chunk,
    matmul::{Mat, matmul},
    pointwise::exp,
    sum1, sum2, vectorised,
};

/// Query rows and keys of a block forward: a quarter of a megabyte of scores, which stays in the second-level cache.
const QUERIES: usize = 128;
const KEYS: usize = 512;
/// Query rows per block backward.
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
                let max = largest(row);
                for value in row.iter_mut() {
                    *value = exp(*value - max);
                }
                let scale = 1.0 / sum1(row, |v| v);
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

/// What the softmax of some query rows knows so far: largest score and sum of exponentials of each.
struct Running {
    max: [f32; QUERIES],
    sum: [f32; QUERIES],
}

impl Running {
    /// Turns the scores of row `i` into weights relative to the largest so far, and rescales what was summed before.
    fn absorb(&mut self, i: usize, scores: &mut [f32], summed: &mut [f32]) {
        vectorised(|| {
            let max = largest(scores).max(self.max[i]);
            for score in scores.iter_mut() {
                *score = exp(*score - max);
            }
            let rescale = exp(self.max[i] - max);
            self.sum[i] = self.sum[i] * rescale + sum1(scores, |v| v);
            self.max[i] = max;
            if rescale < 1.0 {
                for value in summed.iter_mut() {
                    *value *= rescale;
                }
            }
        });
    }
}

/// The largest of some values.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = values.chunks_exact(16);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for part in chunks {
        for i in 0..16 {
            lanes[i] = if part[i] > lanes[i] { part[i] } else { lanes[i] };
        }
    }
    lanes.iter().copied().fold(rest, f32::max)
}

/// softmax(q kᵀ / √dim) v per head.
pub(crate) fn forward(shape: &AttentionShape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let (width, dim) = (shape.width(), shape.dim);
    let mut by_head = vec![0.0; q.len()];
    for_each_chunk(&mut by_head, shape.queries * dim, |unit, out| {
        let (q, k) = (&q[shape.start(unit, shape.queries)..], &k[shape.start(unit, shape.keys)..]);
        let v = &v[shape.start(unit, shape.keys)..];
        let mut scores = vec![0.0; QUERIES.min(shape.queries) * KEYS.min(shape.keys)];
        for (block, out) in out.chunks_mut(QUERIES * dim).enumerate() {
            let (first, n) = (block * QUERIES, out.len() / dim);
            let mut running = Running { max: [f32::NEG_INFINITY; QUERIES], sum: [0.0; QUERIES] };
            let last = if shape.causal { shape.keys.min(first + n) } else { shape.keys };
            for start in (0..last).step_by(KEYS) {
                let keys = KEYS.min(last - start);
                let q = Mat::rows(&q[first * width..], width);
                let k = Mat::rows(&k[start * width..], width).t();
                matmul([n, keys, dim], &mut scores, keys, false, shape.scale(), q, k);
                for (i, (row, summed)) in scores.chunks_mut(keys).zip(out.chunks_mut(dim)).enumerate() {
                    let seen = if shape.causal { (first + i + 1).saturating_sub(start).min(keys) } else { keys };
                    let (row, hidden) = row.split_at_mut(seen);
                    if seen > 0 {
                        running.absorb(i, row, summed);
                    }
                    hidden.fill(0.0);
                }
                matmul(
                    [n, dim, keys],
                    out,
                    dim,
                    true,
                    1.0,
                    Mat::rows(&scores, keys),
                    Mat::rows(&v[start * width..], width),
                );
            }
            for (row, sum) in out.chunks_mut(dim).zip(running.sum) {
                for value in row {
                    *value /= sum;
                }
            }
        }
    });
    interleave(shape, shape.queries, &by_head)
}

/// The gradients with respect to `q`, `k` and `v`; probabilities are computed again, not kept.
pub(crate) fn backward(shape: &AttentionShape, q: &[f32], k: &[f32], v: &[f32], grad: &[f32]) -> [Vec<f32>; 3] {
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
                    let dot = sum2(ds, p, |d, p| d * p);
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
    [interleave(shape, queries, &dq), interleave(shape, keys, &dk), interleave(shape, keys, &dv)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_core::Seed;

    /// The definition for one sample and head width `dim`, in f64.
    fn reference(s: &AttentionShape, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
        let width = s.heads * s.dim;
        let mut out = vec![0.0; s.queries * width];
        for head in 0..s.heads {
            let at = |x: &[f32], row: usize, i: usize| f64::from(x[row * width + head * s.dim + i]);
            for row in 0..s.queries {
                let seen = if s.causal { row + 1 } else { s.keys };
                let scores: Vec<f64> = (0..seen)
                    .map(|key| (0..s.dim).map(|i| at(q, row, i) * at(k, key, i)).sum::<f64>() / (s.dim as f64).sqrt())
                    .map(f64::exp)
                    .collect();
                let total: f64 = scores.iter().sum();
                for i in 0..s.dim {
                    let value: f64 = scores.iter().enumerate().map(|(key, p)| p / total * at(v, key, i)).sum();
                    out[row * width + head * s.dim + i] = value as f32;
                }
            }
        }
        out
    }

    #[test]
    fn forward_equals_the_definition_and_backward_its_derivative() {
        for (queries, keys, causal) in
            [(70, 70, true), (5, 33, false), (130, 16, false), (3, 1100, false), (600, 600, true)]
        {
            let s = AttentionShape { heads: 2, dim: 8, queries, keys, causal };
            let draw = |name: &str, rows: usize| Seed::new(4).named(name).normal(rows * 16);
            let (q, k, v, g) = (draw("q", queries), draw("k", keys), draw("v", keys), draw("g", queries));
            for (ours, truth) in forward(&s, &q, &k, &v).iter().zip(reference(&s, &q, &k, &v)) {
                assert!((ours - truth).abs() < 1e-5, "{s:?}: {ours} {truth}");
            }
            let [dq, dk, dv] = backward(&s, &q, &k, &v, &g);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let moved = |a: &[f32], u: &[f32], h: f32| a.iter().zip(u).map(|(a, u)| a + h * u).collect::<Vec<_>>();
            let slope = |f: &dyn Fn(f32) -> Vec<f32>| (dot(&g, &f(1e-2)) - dot(&g, &f(-1e-2))) / 2e-2;
            let (uq, uk, uv) = (draw("uq", queries), draw("uk", keys), draw("uv", keys));
            for (what, ours, truth) in [
                ("q", dot(&dq, &uq), slope(&|h| forward(&s, &moved(&q, &uq, h), &k, &v))),
                ("k", dot(&dk, &uk), slope(&|h| forward(&s, &q, &moved(&k, &uk, h), &v))),
                ("v", dot(&dv, &uv), slope(&|h| forward(&s, &q, &k, &moved(&v, &uv, h)))),
            ] {
                assert!((ours - truth).abs() < 5e-3 * truth.abs().max(1.0), "{s:?} {what}: {ours} {truth}");
            }
        }
    }
}
