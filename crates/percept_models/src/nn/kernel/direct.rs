//! 3×3 convolution of stride 1 without any intermediate matrix, for pictures with few channels, forward and backward.
//!
//! Every plane is copied once with a border of zeros. In the copy a tap is a constant offset, so a run of output pixels
//! (including those that fall on the border between two rows, which are dropped) is a sum of shifted runs of the input:
//! a block of output channels × pixels stays in registers over all channels and taps.

use pulp::{Arch, Simd, WithSimd};

use super::{conv_shape::ConvShape, for_each_chunk};

const TAPS: usize = 9;
/// Output channels whose weights lie together.
const CHANNELS: usize = 8;
/// Pixels in a run: three vectors of the widest kind.
const RUN: usize = 48;

/// How a picture lies in its bordered copy.
#[derive(Clone, Copy)]
struct Border {
    height: usize,
    width: usize,
    /// Zeros before the first row and the first column.
    before: [usize; 2],
    /// Elements from one row of the copy to the next: that of the output and two more.
    stride: usize,
    /// Elements of a copy: all rows, and room for a whole run behind the last.
    len: usize,
}

impl Border {
    fn new(height: usize, width: usize, before: [usize; 2], [out_height, out_width]: [usize; 2]) -> Self {
        let stride = out_width + 2;
        Self { height, width, before, stride, len: (out_height + 2) * stride + RUN + 2 }
    }

    fn copy(&self, plane: &[f32], to: &mut [f32]) {
        to.fill(0.0);
        let columns = self.width.min(self.stride - self.before[1]);
        for (y, row) in plane.chunks_exact(self.width).enumerate().take(self.height) {
            let start = (y + self.before[0]) * self.stride + self.before[1];
            to[start..start + columns].copy_from_slice(&row[..columns]);
        }
    }

    /// Bordered copies of all planes of `x`.
    fn copy_all(&self, x: &[f32]) -> Vec<f32> {
        let pixels = self.height * self.width;
        let mut out = vec![0.0; x.len() / pixels * self.len];
        for_each_chunk(&mut out, self.len, |plane, to| self.copy(&x[plane * pixels..][..pixels], to));
        out
    }
}

/// The sums over channels and taps for one run of pixels and `CHANNELS` output channels.
struct Run<'a> {
    border: &'a Border,
    /// Bordered inputs, channel after channel.
    planes: &'a [f32],
    /// Channels × taps × `CHANNELS`.
    weights: &'a [f32],
    start: usize,
    sums: &'a mut [[f32; RUN]; CHANNELS],
}

impl Run<'_> {
    /// `C` output channels from `first`, `V` vectors from pixel `at`: C · V sums stay in registers.
    #[inline(always)]
    fn part<S: Simd, const C: usize, const V: usize>(&mut self, simd: S, first: usize, at: usize) {
        let mut sums = [[simd.splat_f32s(0.0); V]; C];
        let (stride, start) = (self.border.stride, self.start + at);
        for (plane, weights) in
            self.planes.chunks_exact(self.border.len).zip(self.weights.chunks_exact(TAPS * CHANNELS))
        {
            for ky in 0..3 {
                for kx in 0..3 {
                    let from = &plane[start + ky * stride + kx..][..V * S::F32_LANES];
                    let x = S::as_simd_f32s(from).0;
                    let weights = &weights[(ky * 3 + kx) * CHANNELS + first..][..C];
                    for c in 0..C {
                        let w = simd.splat_f32s(weights[c]);
                        for v in 0..V {
                            sums[c][v] = simd.mul_add_f32s(w, x[v], sums[c][v]);
                        }
                    }
                }
            }
        }
        for (to, sums) in self.sums[first..].iter_mut().zip(&sums) {
            S::as_mut_simd_f32s(&mut to[at..at + V * S::F32_LANES]).0.copy_from_slice(sums);
        }
    }
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // As many sums as the registers hold: 24 where there are 32 (AVX-512, NEON), 12 where there are 16.
        let step = 3 * S::F32_LANES;
        for at in (0..RUN).step_by(step) {
            if S::F32_LANES == 8 {
                self.part::<S, 4, 3>(simd, 0, at);
                self.part::<S, 4, 3>(simd, 4, at);
            } else {
                self.part::<S, 8, 3>(simd, 0, at);
            }
        }
    }
}

/// The nine sums of products of a bordered plane with the gradients of some outputs, over all samples.
struct Taps<'a, const R: usize> {
    border: &'a Border,
    /// Bordered planes of one input channel, one for each sample.
    planes: Vec<&'a [f32]>,
    /// For each sample, the gradients of `R` outputs in the same geometry.
    gradients: Vec<[&'a [f32]; R]>,
    /// Pixels to sum over, in the bordered geometry.
    flat: usize,
}

impl<const R: usize> WithSimd for Taps<'_, R> {
    type Output = [[f32; TAPS]; R];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut sums = [[simd.splat_f32s(0.0); TAPS]; R];
        let stride = self.border.stride;
        for (plane, gradients) in self.planes.iter().zip(&self.gradients) {
            for at in (0..self.flat).step_by(S::F32_LANES) {
                let mut g = [simd.splat_f32s(0.0); R];
                for r in 0..R {
                    g[r] = S::as_simd_f32s(&gradients[r][at..at + S::F32_LANES]).0[0];
                }
                for ky in 0..3 {
                    for kx in 0..3 {
                        let from = at + ky * stride + kx;
                        let x = S::as_simd_f32s(&plane[from..from + S::F32_LANES]).0[0];
                        for r in 0..R {
                            sums[r][ky * 3 + kx] = simd.mul_add_f32s(g[r], x, sums[r][ky * 3 + kx]);
                        }
                    }
                }
            }
        }
        let mut out = [[0.0; TAPS]; R];
        for r in 0..R {
            for tap in 0..TAPS {
                out[r][tap] = simd.reduce_sum_f32s(sums[r][tap]);
            }
        }
        out
    }
}

/// Weights in blocks of `CHANNELS` outputs: block × channels × taps × CHANNELS, zero where there is no output channel.
fn pack([outputs, channels]: [usize; 2], weight: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
    let blocks = outputs.div_ceil(CHANNELS);
    let mut packed = vec![0.0; blocks * channels * TAPS * CHANNELS];
    for o in 0..outputs {
        for c in 0..channels {
            for tap in 0..TAPS {
                packed[(((o / CHANNELS) * channels + c) * TAPS + tap) * CHANNELS + o % CHANNELS] = weight(o, c, tap);
            }
        }
    }
    packed
}

/// The convolution of `x` (B, channels, `border.height`, `border.width`) with packed weights.
fn convolve(
    border: &Border,
    x: &[f32],
    [channels, outputs]: [usize; 2],
    [height, width]: [usize; 2],
    packed: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let arch = Arch::new();
    let pixels = border.height * border.width;
    let batch = x.len() / (channels * pixels).max(1);
    let mut out = vec![0.0; batch * outputs * height * width];
    for_each_chunk(&mut out, outputs * height * width, |sample, out| {
        let mut planes = vec![0.0; channels * border.len];
        for (plane, to) in x[sample * channels * pixels..].chunks(pixels).zip(planes.chunks_mut(border.len)) {
            border.copy(plane, to);
        }
        let flat = height * border.stride;
        for (block, weights) in packed.chunks(channels * TAPS * CHANNELS).enumerate() {
            let here = CHANNELS.min(outputs - block * CHANNELS);
            for start in (0..flat).step_by(RUN) {
                let mut sums = [[0.0; RUN]; CHANNELS];
                arch.dispatch(Run { border, planes: &planes, weights, start, sums: &mut sums });
                for (index, sums) in sums.iter().enumerate().take(here) {
                    let output = block * CHANNELS + index;
                    let shift = bias.map_or(0.0, |bias| bias[output]);
                    let plane = &mut out[output * height * width..][..height * width];
                    scatter(sums, start, border.stride, width, plane, shift);
                }
            }
        }
    });
    out
}

/// Writes the run `values` of bordered positions `start..` to the plane, without what lies on the border.
fn scatter(values: &[f32], start: usize, stride: usize, width: usize, plane: &mut [f32], shift: f32) {
    let mut at = start;
    while at < start + values.len() {
        let (row, column) = (at / stride, at % stride);
        let n = (stride - column).min(start + values.len() - at);
        if (row + 1) * width > plane.len() {
            return;
        }
        if column < width {
            let inside = n.min(width - column);
            let to = &mut plane[row * width + column..][..inside];
            for (to, from) in to.iter_mut().zip(&values[at - start..]) {
                *to = from + shift;
            }
        }
        at += n;
    }
}

/// As [`super::conv::forward`].
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let size = [shape.out_height(), shape.out_width()];
    let border = Border::new(shape.height, shape.width, [shape.pad[0], shape.pad[1]], size);
    let packed = pack([outputs, channels], |o, c, tap| w[(o * channels + c) * TAPS + tap]);
    convolve(&border, x, [channels, outputs], size, &packed, Some(bias))
}

/// As [`super::conv::backward_input`]: the convolution of the gradient with the weights turned by 180°.
pub(super) fn backward_input(shape: &ConvShape, w: &[f32], grad: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let size = [shape.height, shape.width];
    let before = [2 - shape.pad[0], 2 - shape.pad[1]];
    let border = Border::new(shape.out_height(), shape.out_width(), before, size);
    let packed = pack([channels, outputs], |c, o, tap| w[(o * channels + c) * TAPS + TAPS - 1 - tap]);
    convolve(&border, grad, [outputs, channels], size, &packed, None)
}

/// As [`super::conv::backward_weight`].
pub(super) fn backward_weight(shape: &ConvShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let size = [shape.out_height(), shape.out_width()];
    let border = Border::new(shape.height, shape.width, [shape.pad[0], shape.pad[1]], size);
    // The gradient in the same geometry: pixel (y, x) at y · stride + x, zeros on the border.
    let beside = Border { height: size[0], width: size[1], before: [0, 0], ..border };
    let (planes, gradients) = (border.copy_all(x), beside.copy_all(grad));
    let batch = planes.len() / (channels * border.len).max(1);
    let (arch, flat) = (Arch::new(), size[0] * border.stride);
    let mut dw = vec![0.0; outputs * channels * TAPS];
    // Three outputs at once: 27 sums, and with the gradients 30 registers.
    for_each_chunk(&mut dw, 3 * channels * TAPS, |block, dw| {
        let rows = dw.len() / (channels * TAPS);
        // A row too many reads the last again; its sums are not used.
        let of = |sample: usize, row: usize| {
            let output = block * 3 + row.min(rows - 1);
            &gradients[(sample * outputs + output) * border.len..][..border.len]
        };
        for channel in 0..channels {
            let planes =
                (0..batch).map(|sample| &planes[(sample * channels + channel) * border.len..][..border.len]).collect();
            let gradients = (0..batch).map(|sample| [of(sample, 0), of(sample, 1), of(sample, 2)]).collect();
            let sums = arch.dispatch(Taps { border: &border, planes, gradients, flat });
            for (to, sums) in dw.chunks_mut(channels * TAPS).zip(&sums) {
                to[channel * TAPS..][..TAPS].copy_from_slice(sums);
            }
        }
    });
    dw
}
