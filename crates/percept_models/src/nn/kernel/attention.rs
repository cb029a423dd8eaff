//! Scaled dot-product attention, forward and backward.
//!
//! Scores exist for one block of keys × queries at a time. Forward, the softmax runs along, rescaling what was summed
//! when a larger score appears (Milakov & Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135), and
//! leaves the logarithm of each sum behind; backward, probabilities come from it without a second softmax. Queries lie
//! in the lanes of the vector units: a block of scores is a matrix of keys × queries, so nothing is summed across lanes.

use std::borrow::Cow;

use super::{
    for_each_chunk, for_each_part,
    matmul::{Mat, matmul},
    pointwise::exp,
    vectorised,
};

/// Most query rows of a block, and its keys forward and backward: scores that stay in the second-level cache.
const QUERIES: usize = 128;
const KEYS: usize = 512;
const KEYS_BACKWARD: usize = 256;
/// Query rows are padded to a multiple of this, so that products need no remainder.
const LANES: usize = 16;

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

/// Numbers of the query rows of a block, one per lane.
type Row = [f32; QUERIES];

impl AttentionShape {
    fn width(&self) -> usize {
        self.heads * self.dim
    }

    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Query rows of a block: fewer where there are few, so that there is work for several threads. By shape alone.
    fn rows(&self) -> usize {
        self.queries.div_ceil(4).next_multiple_of(LANES).clamp(2 * LANES, QUERIES)
    }

    /// How many keys the block of `n` queries from `first` on can see.
    fn seen(&self, first: usize, n: usize) -> usize {
        if self.causal { self.keys.min(first + n) } else { self.keys }
    }

    /// Scores (keys × lanes) of the keys `start..start + n_keys` with the queries in `block`; hidden ones are −∞.
    fn scores(&self, k: &[f32], [start, n_keys]: [usize; 2], block: &Queries, scores: &mut [f32]) {
        let (dim, lanes) = (self.dim, block.lanes);
        let (k, q) = (Mat::rows(&k[start * dim..], dim), Mat::rows(&block.values, lanes));
        matmul([n_keys, lanes, dim], scores, lanes, false, self.scale(), k, q);
        if self.causal {
            for (key, row) in scores.chunks_exact_mut(lanes).enumerate().take(n_keys) {
                let hidden = (start + key).saturating_sub(block.first).min(lanes);
                row[..hidden].fill(f32::NEG_INFINITY);
            }
        }
    }

    /// (B, length, heads·dim) head-major, (B·heads, length, dim): a copy unless there is one head.
    fn by_head<'a>(&self, length: usize, x: &'a [f32]) -> Cow<'a, [f32]> {
        let (width, dim, heads) = (self.width(), self.dim, self.heads);
        if heads == 1 {
            return Cow::Borrowed(x);
        }
        let mut out = vec![0.0; x.len()];
        for_each_chunk(&mut out, length * dim, |unit, rows| {
            let start = (unit / heads) * length * width + (unit % heads) * dim;
            for (row, from) in rows.chunks_exact_mut(dim).zip(x[start..].chunks(width)) {
                row.copy_from_slice(&from[..dim]);
            }
        });
        Cow::Owned(out)
    }
}

/// A block of rows of one head, turned: dim × lanes. Lanes behind the last row are zero.
#[derive(Default)]
struct Queries {
    values: Vec<f32>,
    lanes: usize,
    first: usize,
}

impl Queries {
    /// Takes `n` rows from `first` on of a matrix with rows of `stride`, `dim` columns of it from `from` on.
    fn take(&mut self, x: &[f32], [first, n]: [usize; 2], stride: usize, [from, dim]: [usize; 2]) {
        (self.first, self.lanes) = (first, n.next_multiple_of(LANES));
        self.values.clear();
        self.values.resize(dim * self.lanes, 0.0);
        for (lane, row) in x[first * stride..].chunks(stride).take(n).enumerate() {
            for (to, &value) in self.values[lane..].iter_mut().step_by(self.lanes).zip(&row[from..from + dim]) {
                *to = value;
            }
        }
    }
}

/// What the softmax of some query rows knows so far: largest score and sum of exponentials of each.
struct Running {
    max: Row,
    sum: Row,
}

impl Running {
    /// Turns scores (keys × lanes) into weights relative to the largest so far, and rescales what was summed before.
    fn absorb(&mut self, lanes: usize, scores: &mut [f32], summed: &mut [f32]) {
        vectorised!({
            let (mut max, mut rescale) = (self.max, [0.0; QUERIES]);
            let (max, rescale) = (&mut max[..lanes], &mut rescale[..lanes]);
            for row in scores.chunks_exact(lanes) {
                for (max, &score) in max.iter_mut().zip(row) {
                    *max = if score > *max { score } else { *max };
                }
            }
            let sum = &mut self.sum[..lanes];
            for (((rescale, sum), old), max) in rescale.iter_mut().zip(&mut *sum).zip(&mut self.max).zip(&*max) {
                *rescale = exp(*old - max);
                *sum *= *rescale;
                *old = *max;
            }
            for row in scores.chunks_exact_mut(lanes) {
                for ((score, sum), max) in row.iter_mut().zip(&mut *sum).zip(&*max) {
                    *score = exp(*score - max);
                    *sum += *score;
                }
            }
            if rescale.iter().any(|&factor| factor < 1.0) {
                for row in summed.chunks_exact_mut(lanes) {
                    for (value, factor) in row.iter_mut().zip(&*rescale) {
                        *value *= factor;
                    }
                }
            }
        });
    }
}

/// softmax(q kᵀ / √dim) v per head. Where `sums` is not empty it receives, as (B, L, heads), the logarithm of the sum of
/// exponentials of each row of scores: what [`backward`] needs.
pub(crate) fn forward(shape: &AttentionShape, q: &[f32], k: &[f32], v: &[f32], sums: &mut [f32]) -> Vec<f32> {
    let (width, dim, heads, rows) = (shape.width(), shape.dim, shape.heads, shape.rows());
    let (k, v) = (shape.by_head(shape.keys, k), shape.by_head(shape.keys, v));
    let mut out = vec![0.0; q.len()];
    let mut sums = sums.chunks_mut((shape.queries * heads).max(1));
    let mut parts = Vec::new();
    for (sample, out) in out.chunks_mut((shape.queries * width).max(1)).enumerate() {
        let mut sums = sums.next().unwrap_or_default().chunks_mut(rows * heads);
        for (block, out) in out.chunks_mut(rows * width).enumerate() {
            parts.push((sample, block * rows, out, sums.next().unwrap_or_default()));
        }
    }
    for_each_part(parts, |(sample, first, out, sums)| {
        let q = &q[sample * shape.queries * width..][..shape.queries * width];
        let n = out.len() / width;
        let mut block = Queries::default();
        let mut scores = vec![0.0; KEYS.min(shape.keys) * n.next_multiple_of(LANES)];
        let mut summed = vec![0.0; dim * n.next_multiple_of(LANES)];
        for head in 0..heads {
            block.take(q, [first, n], width, [head * dim, dim]);
            let lanes = block.lanes;
            let unit = (sample * heads + head) * shape.keys * dim;
            let (k, v) = (&k[unit..][..shape.keys * dim], &v[unit..][..shape.keys * dim]);
            let mut running = Running { max: [f32::MIN; QUERIES], sum: [0.0; QUERIES] };
            summed.fill(0.0);
            let last = shape.seen(first, n);
            for start in (0..last).step_by(KEYS) {
                let keys = KEYS.min(last - start);
                let scores = &mut scores[..keys * lanes];
                shape.scores(k, [start, keys], &block, scores);
                running.absorb(lanes, scores, &mut summed);
                let v = Mat::rows(&v[start * dim..], dim).t();
                matmul([dim, lanes, keys], &mut summed, lanes, true, 1.0, v, Mat::rows(scores, lanes));
            }
            for (lane, row) in out.chunks_exact_mut(width).enumerate() {
                let scale = 1.0 / running.sum[lane];
                for (to, value) in row[head * dim..][..dim].iter_mut().zip(summed[lane..].iter().step_by(lanes)) {
                    *to = value * scale;
                }
            }
            for (lane, row) in sums.chunks_exact_mut(heads).enumerate() {
                row[head] = running.max[lane] + running.sum[lane].ln();
            }
        }
    });
    out
}

/// The operands of [`backward`].
pub(crate) struct Operands<'a> {
    pub(crate) q: &'a [f32],
    pub(crate) k: &'a [f32],
    pub(crate) v: &'a [f32],
    /// What [`forward`] returned, and its sums.
    pub(crate) out: &'a [f32],
    pub(crate) sums: &'a [f32],
    pub(crate) grad: &'a [f32],
}

/// Turns scores into probabilities, and the gradients of the probabilities into those of the scores, all (keys × lanes):
/// p = exp(score − log-sum), d = p (d − Σ p d), of which `total` is the sum.
fn of_scores(lanes: usize, scores: &mut [f32], gradients: &mut [f32], log_sum: &Row, total: &Row) {
    vectorised!({
        let (log_sum, total) = (&log_sum[..lanes], &total[..lanes]);
        for (p, d) in scores.chunks_exact_mut(lanes).zip(gradients.chunks_exact_mut(lanes)) {
            for (((p, d), log_sum), total) in p.iter_mut().zip(d).zip(log_sum).zip(total) {
                *p = exp(*p - log_sum);
                *d = (*d - total) * *p;
            }
        }
    });
}

/// The gradients with respect to `q`, `k` and `v`, where `needs` says so; probabilities are computed again, not kept.
pub(crate) fn backward(shape: &AttentionShape, known: &Operands<'_>, needs: [bool; 3]) -> [Option<Vec<f32>>; 3] {
    let (width, dim, keys, queries, heads) = (shape.width(), shape.dim, shape.keys, shape.queries, shape.heads);
    let (k, v) = (shape.by_head(keys, known.k), shape.by_head(keys, known.v));
    let unit_len = (queries + 2 * keys) * dim;
    let n_units = known.q.len() / (queries * dim).max(1);
    let mut work = vec![0.0; n_units * unit_len];
    for_each_chunk(&mut work, unit_len, |unit, part| {
        let (dq, rest) = part.split_at_mut(queries * dim);
        let (dk, dv) = rest.split_at_mut(keys * dim);
        let (k, v) = (&k[unit * keys * dim..][..keys * dim], &v[unit * keys * dim..][..keys * dim]);
        let (sample, head) = (unit / heads, unit % heads);
        let span = sample * queries * width..(sample + 1) * queries * width;
        let (q, out, grad) = (&known.q[span.clone()], &known.out[span.clone()], &known.grad[span]);
        let sums = &known.sums[sample * queries * heads..];
        let rows = shape.rows();
        let (mut of_q, mut of_grad) = (Queries::default(), Queries::default());
        let area = KEYS_BACKWARD.min(keys) * rows;
        let (mut p, mut ds, mut dq_turned) = (vec![0.0; area], vec![0.0; area], vec![0.0; dim * rows]);
        for first in (0..queries).step_by(rows) {
            let n = rows.min(queries - first);
            of_q.take(q, [first, n], width, [head * dim, dim]);
            of_grad.take(grad, [first, n], width, [head * dim, dim]);
            let lanes = of_q.lanes;
            let (mut log_sum, mut total) = ([0.0; QUERIES], [0.0; QUERIES]);
            for lane in 0..n {
                let at = (first + lane) * width + head * dim;
                log_sum[lane] = sums[(first + lane) * heads + head];
                total[lane] = out[at..at + dim].iter().zip(&grad[at..at + dim]).map(|(o, g)| o * g).sum();
            }
            let dq_turned = &mut dq_turned[..dim * lanes];
            dq_turned.fill(0.0);
            let last = shape.seen(first, n);
            for start in (0..last).step_by(KEYS_BACKWARD) {
                let keys = KEYS_BACKWARD.min(last - start);
                let (p, ds) = (&mut p[..keys * lanes], &mut ds[..keys * lanes]);
                shape.scores(k, [start, keys], &of_q, p);
                let v = Mat::rows(&v[start * dim..], dim);
                matmul([keys, lanes, dim], ds, lanes, false, 1.0, v, Mat::rows(&of_grad.values, lanes));
                of_scores(lanes, p, ds, &log_sum, &total);
                let (p, ds, scale) = (Mat::rows(p, lanes), Mat::rows(ds, lanes), shape.scale());
                if needs[2] {
                    let grad = Mat::rows(&of_grad.values, lanes).t();
                    matmul([keys, dim, lanes], &mut dv[start * dim..], dim, true, 1.0, p, grad);
                }
                if needs[1] {
                    let q = Mat::rows(&of_q.values, lanes).t();
                    matmul([keys, dim, lanes], &mut dk[start * dim..], dim, true, scale, ds, q);
                }
                if needs[0] {
                    let k = Mat::rows(&k[start * dim..], dim).t();
                    matmul([dim, lanes, keys], dq_turned, lanes, true, scale, k, ds);
                }
            }
            for (lane, row) in dq[first * dim..].chunks_exact_mut(dim).take(n).enumerate() {
                for (to, value) in row.iter_mut().zip(dq_turned[lane..].iter().step_by(lanes)) {
                    *to = *value;
                }
            }
        }
    });
    let lengths = [(0, queries), (queries * dim, keys), ((queries + keys) * dim, keys)];
    let mut gradients = [const { None }; 3];
    for ((gradient, (from, length)), need) in gradients.iter_mut().zip(lengths).zip(needs) {
        *gradient = need.then(|| {
            let mut out = vec![0.0; n_units * length * dim];
            for_each_chunk(&mut out, (length * width).max(1), |sample, out| {
                for head in 0..heads {
                    let rows = work[(sample * heads + head) * unit_len + from..].chunks_exact(dim);
                    for (to, row) in out.chunks_exact_mut(width).zip(rows) {
                        to[head * dim..][..dim].copy_from_slice(row);
                    }
                }
            });
            out
        });
    }
    gradients
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
            let mut sums = vec![0.0; queries * 2];
            let out = forward(&s, &q, &k, &v, &mut sums);
            for (ours, truth) in out.iter().zip(reference(&s, &q, &k, &v)) {
                assert!((ours - truth).abs() < 1e-5, "{s:?}: {ours} {truth}");
            }
            let forward = |q: &[f32], k: &[f32], v: &[f32]| forward(&s, q, k, v, &mut []);
            let known = Operands { q: &q, k: &k, v: &v, out: &out, sums: &sums, grad: &g };
            let [dq, dk, dv] = backward(&s, &known, [true; 3]).map(|gradient| gradient.expect("all are needed"));
            let [none, dk_alone, _] = backward(&s, &known, [false, true, false]);
            assert!(none.is_none() && dk_alone.expect("it is needed") == dk);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let moved = |a: &[f32], u: &[f32], h: f32| a.iter().zip(u).map(|(a, u)| a + h * u).collect::<Vec<_>>();
            let slope = |f: &dyn Fn(f32) -> Vec<f32>| (dot(&g, &f(1e-2)) - dot(&g, &f(-1e-2))) / 2e-2;
            let (uq, uk, uv) = (draw("uq", queries), draw("uk", keys), draw("uv", keys));
            for (what, ours, truth) in [
                ("q", dot(&dq, &uq), slope(&|h| forward(&moved(&q, &uq, h), &k, &v))),
                ("k", dot(&dk, &uk), slope(&|h| forward(&q, &moved(&k, &uk, h), &v))),
                ("v", dot(&dv, &uv), slope(&|h| forward(&q, &k, &moved(&v, &uv, h)))),
            ] {
                assert!((ours - truth).abs() < 5e-3 * truth.abs().max(1.0), "{s:?} {what}: {ours} {truth}");
            }
        }
    }
}
