//! Convolution over time, with any stride or dilation, forward and backward: samples lie behind each other as rows of channels,
//! so that what one output sees is one stretch of memory, and a whole tile is a single matrix product whose rows overlap.
//! Where taps lie apart (dilation d), the samples of a tile are first sorted into d sequences in which they are neighbours.
//! With three taps and more, and enough channels, [`toom`] spares half of the products. And the depthwise convolution of tokens.

use super::{
    Scratch, for_each_chunk, for_each_part,
    matmul::{Mat, matmul},
    pointwise::Bend,
    toom, vectorised,
};

/// Elements of the input that a tile sees: they stay in the second-level cache.
const TILE: usize = 1 << 16;
/// Fewest output samples of a tile, where there are so many: for each tile all weights are read.
const LEAST: usize = 1024;
/// Fewest channels, in and out, for which fewer products pay for their transforms.
const TOOM_FROM: usize = 32;

/// The geometry of a convolution over time; lengths in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conv1dShape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) length: usize,
    pub(crate) kernel: usize,
    /// 1 where `dilation` is more.
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Zeros before and behind; samples are left out where it is negative.
    pub(crate) pad: [isize; 2],
    /// Whether samples mirrored at the ends stand for the zeros; the padding is shorter than the sound then. Forward only.
    pub(crate) mirrored: bool,
    /// What each sample goes through first.
    pub(crate) bend: Option<Bend>,
}

impl Conv1dShape {
    /// Input samples that one output sample sees, with the gaps between them.
    pub(crate) fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation + 1
    }

    /// Output samples; none where the input is too short.
    pub(crate) fn out_length(&self) -> usize {
        let spare = self.length as isize + self.pad[0] + self.pad[1] - self.reach() as isize;
        usize::try_from(spare).map_or(0, |spare| spare / self.stride + 1)
    }

    /// Numbers that enter one output.
    fn depth(&self) -> usize {
        self.kernel * self.inputs
    }

    /// Output samples that are computed together: of long sounds four times as many tiles as make a whole, so that they can
    /// be shared out evenly.
    fn tile(&self) -> usize {
        let ideal = (TILE / (self.stride * self.inputs)).max(LEAST / self.stride).max(64);
        let n_tiles = self.out_length().div_ceil(ideal).next_multiple_of(4);
        self.out_length().div_ceil(n_tiles).max(64).next_multiple_of(toom::SIDE * self.dilation)
    }

    /// Whether fewer products are fewer in time.
    fn is_toom(&self) -> bool {
        self.stride == 1 && self.kernel >= 3 && self.inputs.min(self.outputs) >= TOOM_FROM
    }

    /// Samples of each sequence of neighbours that `n` output samples see.
    fn each(&self, n: usize) -> usize {
        if self.is_toom() {
            return toom::seen(n.div_ceil(self.dilation).div_ceil(toom::SIDE), self.kernel);
        }
        ((n - 1) * self.stride + self.reach()).div_ceil(self.dilation)
    }

    /// The input samples (L, C) that output samples from `first` on see: sequences of `each` neighbours, one for every
    /// remainder modulo the dilation, behind each other.
    fn window<'a>(&self, x: &[f32], first: usize, each: usize, memory: &'a mut Scratch) -> &'a [f32] {
        let (c, d) = (self.inputs, self.dilation);
        let to = memory.of_length(each * d * c);
        let start = (first * self.stride) as isize - self.pad[0];
        let before = usize::try_from(-start).unwrap_or(0).min(each * d);
        let end = usize::try_from(self.length as isize - start).unwrap_or(0).clamp(before, each * d);
        let from = |i: usize| &x[(start + i as isize) as usize * c..];
        if d == 1 {
            to[..before * c].fill(0.0);
            to[end * c..].fill(0.0);
            if before < end {
                to[before * c..end * c].copy_from_slice(&from(before)[..(end - before) * c]);
            }
        } else {
            for i in 0..each * d {
                let row = &mut to[(i % d * each + i / d) * c..][..c];
                if (before..end).contains(&i) { row.copy_from_slice(&from(i)[..c]) } else { row.fill(0.0) }
            }
        }
        if self.mirrored {
            let last = self.length as isize - 1;
            for i in (0..before).chain(end..each * d) {
                let at = (start + i as isize).abs();
                let at = if at > last { 2 * last - at } else { at };
                // Beyond what is mirrored no output looks.
                let Some(at) = usize::try_from(at).ok() else { continue };
                to[(i % d * each + i / d) * c..][..c].copy_from_slice(&x[at * c..][..c]);
            }
        }
        if let Some(bend) = self.bend {
            bend.apply(to);
        }
        to
    }

    /// Calls `product(sequence of neighbours, its first output sample, its number of output samples)` for each sequence of a
    /// window; the rows of the matrix that a sequence is lie `stride · C` from each other.
    fn sequences(&self, window: &[f32], each: usize, n: usize, mut product: impl FnMut(&[f32], usize, usize)) {
        for phase in 0..self.dilation.min(n) {
            product(&window[phase * each * self.inputs..], phase, (n - phase).div_ceil(self.dilation));
        }
    }
}

/// The weights (k, C, O) as [`forward`] wants them besides, where it does; without them they are made in every pass.
pub(crate) fn prepared(s: &Conv1dShape, w: &[f32]) -> Option<Vec<f32>> {
    s.is_toom().then(|| toom::weights(w, s.kernel))
}

/// What a convolution does beyond its definition.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    /// What the result is added to, (B, L', O).
    pub(crate) onto: Option<&'a [f32]>,
    /// The weights from [`prepared`].
    pub(crate) prepared: Option<&'a [f32]>,
}

/// `x` (B, L, C) → (B, L', O); `w` (k, C, O); `bias` (O).
pub(crate) fn forward(s: &Conv1dShape, x: &[f32], w: &[f32], bias: &[f32], extras: Extras<'_>) -> Vec<f32> {
    let onto = extras.onto;
    let (length, depth, width) = (s.out_length(), s.depth(), s.outputs);
    let in_len = s.length * s.inputs;
    let mut out = vec![0.0; x.len() / in_len.max(1) * length * width];
    let tile = s.tile();
    let made = if extras.prepared.is_none() { prepared(s, w) } else { None };
    let toom = extras.prepared.or(made.as_deref());
    let parts: Vec<_> = out
        .chunks_mut((length * width).max(1))
        .enumerate()
        .flat_map(|(sample, out)| {
            out.chunks_mut(tile * width).enumerate().map(move |(index, out)| (sample, index * tile, out))
        })
        .collect();
    for_each_part(parts, |(sample, first, out)| {
        let place = (sample * length + first) * width;
        for (i, row) in out.chunks_exact_mut(width).enumerate() {
            row.copy_from_slice(bias);
            if let Some(onto) = onto {
                row.iter_mut().zip(&onto[place + i * width..]).for_each(|(to, value)| *to += value);
            }
        }
        let (x, n) = (&x[sample * in_len..][..in_len], out.len() / width);
        let mut memory = Scratch::take();
        let each = s.each(n);
        if let Some(weights) = toom {
            let window = s.window(x, first, each, &mut memory);
            let groups = s.kernel.div_ceil(toom::SIDE);
            s.sequences(window, each, n, |rows, phase, n| {
                let out = &mut out[phase * width..];
                toom::sequence(rows, weights, [n, s.inputs, width, groups], out, width * s.dilation);
            });
            return;
        }
        let w = Mat::rows(w, width);
        let start = (first * s.stride) as isize - s.pad[0];
        if s.dilation == 1 && s.bend.is_none() && start >= 0 && start + each as isize <= s.length as isize {
            let rows = Mat::rows(&x[start as usize * s.inputs..], s.stride * s.inputs);
            matmul([n, width, depth], out, width, true, 1.0, rows, w);
            return;
        }
        let window = s.window(x, first, each, &mut memory);
        s.sequences(window, each, n, |rows, phase, n| {
            let (rows, out) = (Mat::rows(rows, s.stride * s.inputs), &mut out[phase * width..]);
            matmul([n, width, depth], out, width * s.dilation, true, 1.0, rows, w);
        });
    });
    out
}

/// The gradient of [`forward`] with respect to `x` (B, L, C).
pub(crate) fn backward_input(s: &Conv1dShape, x: &[f32], w: &[f32], grad: &[f32]) -> Vec<f32> {
    let (c, o) = (s.inputs, s.outputs);
    let zeros = vec![0.0; s.stride * c];
    // A sample of the input is seen by taps of one remainder modulo the stride: as many convolutions of the gradient.
    let taps = s.kernel.div_ceil(s.stride);
    let mut turned = vec![0.0; taps * o * s.stride * c];
    for (tap, w) in w.chunks_exact(c * o).enumerate() {
        let (later, phase) = (taps - 1 - tap / s.stride, tap % s.stride);
        for (channel, w) in w.chunks_exact(o).enumerate() {
            for (output, &w) in w.iter().enumerate() {
                turned[((later * o + output) * s.stride + phase) * c + channel] = w;
            }
        }
    }
    let back = Conv1dShape {
        inputs: o,
        outputs: s.stride * c,
        length: s.out_length(),
        kernel: taps,
        stride: 1,
        dilation: s.dilation,
        pad: [((taps - 1) * s.dilation) as isize; 2],
        mirrored: false,
        bend: None,
    };
    let whole = forward(&back, grad, &turned, &zeros, Extras::default());
    let per_sample = back.out_length() * s.stride;
    let mut dx = vec![0.0; x.len()];
    for (dx, whole) in dx.chunks_exact_mut(s.length * c).zip(whole.chunks_exact(per_sample * c)) {
        // The first of `whole` belongs to the first zero of the padding.
        let skipped = usize::try_from(-s.pad[0]).unwrap_or(0).min(s.length);
        let from = usize::try_from(s.pad[0]).unwrap_or(0).min(per_sample);
        let n = (s.length - skipped).min(per_sample - from);
        dx[skipped * c..][..n * c].copy_from_slice(&whole[from * c..][..n * c]);
    }
    if let Some(bend) = s.bend {
        bend.slope(x, &mut dx);
    }
    dx
}

/// The gradient of [`forward`] with respect to the weights (k, C, O), summed in the order of the samples.
pub(crate) fn backward_weight(s: &Conv1dShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let (length, depth, width) = (s.out_length(), s.depth(), s.outputs);
    let in_len = s.length * s.inputs;
    let mut dw = vec![0.0; depth * width];
    let mut memory = Scratch::take();
    for (x, grad) in x.chunks_exact(in_len).zip(grad.chunks_exact((length * width).max(1))) {
        for (index, grad) in grad.chunks(s.tile() * width).enumerate() {
            let n = grad.len() / width;
            let each = s.each(n);
            let window = s.window(x, index * s.tile(), each, &mut memory);
            s.sequences(window, each, n, |rows, phase, n| {
                let rows = Mat::rows(rows, s.stride * s.inputs).t();
                let grad = Mat::rows(&grad[phase * width..], width * s.dilation);
                matmul([depth, width, n], &mut dw, width, true, 1.0, rows, grad);
            });
        }
    }
    dw
}

/// Depthwise and causal: token t of `x` (B, L, C) sees itself and the k − 1 before it; `w` (k, C) → (B, L, C).
pub(crate) fn depthwise(x: &[f32], w: &[f32], [length, channels]: [usize; 2]) -> Vec<f32> {
    let kernel = w.len() / channels.max(1);
    let mut out = vec![0.0; x.len()];
    for_each_chunk(&mut out, channels, |token, out| {
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

    /// Rounding grows with the length of the sums, whose terms are normal, and more where products are fewer.
    fn tolerance(s: &Conv1dShape) -> f64 {
        3e-5 * (s.depth() as f64).sqrt()
    }

    fn shapes() -> Vec<Conv1dShape> {
        let base = Conv1dShape {
            inputs: 3,
            outputs: 4,
            length: 23,
            kernel: 5,
            stride: 1,
            dilation: 1,
            pad: [2, 2],
            mirrored: false,
            bend: None,
        };
        vec![
            base,
            Conv1dShape { stride: 3, pad: [4, 1], ..base },
            Conv1dShape { stride: 8, pad: [0, 7], bend: Some(Bend::Elu), ..base },
            Conv1dShape { dilation: 4, pad: [8, 8], ..base },
            Conv1dShape { dilation: 5, pad: [20, 0], bend: Some(Bend::Leaky(0.1)), ..base },
            Conv1dShape { kernel: 1, pad: [0, 0], ..base },
            Conv1dShape { pad: [9, 0], ..base },
            Conv1dShape { pad: [-2, -1], bend: Some(Bend::Elu), ..base },
            Conv1dShape { length: 5000, inputs: 40, dilation: 3, ..base },
            Conv1dShape { length: 5000, inputs: 40, bend: Some(Bend::Leaky(0.2)), ..base },
            // By fewer products: one group of taps, and several; lengths that no tile divides.
            Conv1dShape { kernel: 3, inputs: 32, outputs: 33, pad: [1, 1], ..base },
            Conv1dShape { kernel: 7, inputs: 36, outputs: 48, length: 1501, dilation: 3, pad: [9, 9], ..base },
            Conv1dShape { kernel: 11, inputs: 32, outputs: 32, pad: [-2, 9], bend: Some(Bend::Elu), ..base },
            Conv1dShape { kernel: 4, inputs: 40, outputs: 32, dilation: 7, pad: [20, 30], ..base },
        ]
    }

    #[test]
    fn forward_equals_the_definition() {
        for s in shapes() {
            let (x, w) = (noise("x", 2 * s.inputs * s.length), noise("w", s.outputs * s.inputs * s.kernel));
            let (bias, n) = (noise("b", s.outputs), s.out_length());
            let onto = noise("o", 2 * n * s.outputs);
            let mut bent = x.clone();
            s.bend.into_iter().for_each(|bend| bend.apply(&mut bent));
            let ours = forward(&s, &x, &w, &bias, Extras { onto: Some(&onto), prepared: None });
            let weights = prepared(&s, &w);
            let again = Extras { onto: Some(&onto), prepared: weights.as_deref() };
            assert_eq!(ours, forward(&s, &x, &w, &bias, again), "{s:?}");
            assert_eq!(ours.len(), onto.len());
            for (index, ours) in ours.iter().enumerate() {
                let (sample, t, o) = (index / s.outputs / n, index / s.outputs % n, index % s.outputs);
                let mut sum = f64::from(bias[o]) + f64::from(onto[index]);
                for k in 0..s.kernel {
                    let at = (t * s.stride + k * s.dilation) as isize - s.pad[0];
                    let Some(at) = usize::try_from(at).ok().filter(|&at| at < s.length) else { continue };
                    for c in 0..s.inputs {
                        let x = bent[(sample * s.length + at) * s.inputs + c];
                        sum += f64::from(x) * f64::from(w[(k * s.inputs + c) * s.outputs + o]);
                    }
                }
                assert!((f64::from(*ours) - sum).abs() < tolerance(&s), "{s:?} at {index}: {ours} {sum}");
            }
        }
    }

    #[test]
    fn mirrored_ends_are_those_of_a_longer_sound() {
        for s in shapes().into_iter().filter(|s| s.pad.iter().all(|pad| (0..s.length as isize).contains(pad))) {
            let (x, w) = (noise("x", s.inputs * s.length), noise("w", s.outputs * s.inputs * s.kernel));
            let bias = noise("b", s.outputs);
            let last = s.length as isize - 1;
            let longer: Vec<f32> = (-s.pad[0]..s.length as isize + s.pad[1])
                .map(|at| at.abs().min(2 * last - at.abs()) as usize)
                .flat_map(|at| x[at * s.inputs..][..s.inputs].to_vec())
                .collect();
            let whole = Conv1dShape { length: longer.len() / s.inputs, pad: [0, 0], ..s };
            let ours = forward(&Conv1dShape { mirrored: true, ..s }, &x, &w, &bias, Extras::default());
            let truth = forward(&whole, &longer, &w, &bias, Extras::default());
            assert_eq!(ours.len(), truth.len(), "{s:?}");
            let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(f64::from(worst) < tolerance(&s), "{s:?}: {worst}");
        }
    }

    #[test]
    fn backward_is_the_transpose_of_forward() {
        // Without a bend <grad, conv(x, w)> is linear in x and in w, so each gradient must reproduce it.
        for s in shapes() {
            let s = Conv1dShape { bend: None, ..s };
            let (x, w) = (noise("x", 2 * s.inputs * s.length), noise("w", s.outputs * s.inputs * s.kernel));
            let grad = noise("g", 2 * s.out_length() * s.outputs);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum::<f64>();
            let truth = dot(&grad, &forward(&s, &x, &w, &vec![0.0; s.outputs], Extras::default()));
            let scale = truth.abs().max(1.0);
            assert!((dot(&backward_input(&s, &x, &w, &grad), &x) - truth).abs() < 1e-3 * scale, "{s:?} input");
            assert!((dot(&backward_weight(&s, &x, &grad), &w) - truth).abs() < 1e-3 * scale, "{s:?} weight");
        }
    }

    #[test]
    fn gradients_through_a_bend_are_differences() {
        for s in shapes().into_iter().filter(|s| s.bend.is_some() && s.length < 100) {
            let (x, w) = (noise("x", s.inputs * s.length), noise("w", s.outputs * s.inputs * s.kernel));
            let (grad, bias) = (noise("g", s.out_length() * s.outputs), vec![0.0; s.outputs]);
            let loss = |x: &[f32], w: &[f32]| -> f64 {
                let out = forward(&s, x, w, &bias, Extras::default());
                out.iter().zip(&grad).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let (dx, dw) = (backward_input(&s, &x, &w, &grad), backward_weight(&s, &x, &grad));
            let shifted = |values: &[f32], i: usize, by: f32| {
                let mut values = values.to_vec();
                values[i] += by;
                values
            };
            // Away from 0, where the slope of a leaky rectifier jumps.
            for i in (0..x.len()).step_by(7).filter(|&i| x[i].abs() > 0.02) {
                let slope = (loss(&shifted(&x, i, 0.01), &w) - loss(&shifted(&x, i, -0.01), &w)) / 0.02;
                assert!((slope - f64::from(dx[i])).abs() < 0.01 * slope.abs().max(1.0), "{s:?} {i}: {slope} {}", dx[i]);
            }
            for i in (0..w.len()).step_by(5) {
                let slope = (loss(&x, &shifted(&w, i, 0.01)) - loss(&x, &shifted(&w, i, -0.01))) / 0.02;
                assert!((slope - f64::from(dw[i])).abs() < 0.01 * slope.abs().max(1.0), "{s:?} {i}: {slope} {}", dw[i]);
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
