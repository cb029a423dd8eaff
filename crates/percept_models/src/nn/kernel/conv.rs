//! 2-D convolution, forward and backward: 3×3 directly or by Winograd's transforms, 1×1 without any copy, and everything
//! else by im2col in cache-sized tiles.

use super::{
    conv_shape::{ConvShape, Method},
    direct, for_each_chunk,
    matmul::{Mat, matmul},
    sum1, vectorised, winograd,
};

/// `x` (B, C, H, W) → (B, O, H', W'); `w` (O, C, kh, kw); `bias` (O).
pub(crate) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    match shape.method() {
        Method::Direct => return direct::forward(shape, x, w, bias),
        Method::Winograd => return winograd::forward(shape, x, w, bias),
        Method::Columns => {}
    }
    let batch = x.len() / shape.in_len().max(1);
    let mut out = vec![0.0; batch * shape.out_len()];
    let (depth, out_width) = (shape.depth(), shape.out_width());
    let pixels = shape.out_height() * out_width;
    for_each_chunk(&mut out, shape.out_len(), |sample, out| {
        let x = &x[sample * shape.in_len()..][..shape.in_len()];
        for (row, &value) in out.chunks_mut(pixels).zip(bias) {
            row.fill(value);
        }
        if shape.is_pointwise() {
            let dims = [shape.out_channels, pixels, depth];
            matmul(dims, out, pixels, true, 1.0, Mat::rows(w, depth), Mat::rows(x, pixels));
            return;
        }
        let mut col = vec![0.0; depth * shape.tile_rows() * out_width];
        for rows in shape.tiles() {
            let tile = rows.len() * out_width;
            shape.im2col(x, &rows, &mut col);
            let dims = [shape.out_channels, tile, depth];
            let to = &mut out[rows.start * out_width..];
            matmul(dims, to, pixels, true, 1.0, Mat::rows(w, depth), Mat::rows(&col, tile));
        }
    });
    out
}

/// The gradient of [`forward`] with respect to `x`.
pub(crate) fn backward_input(shape: &ConvShape, w: &[f32], grad: &[f32]) -> Vec<f32> {
    match shape.method() {
        Method::Direct => return direct::backward_input(shape, w, grad),
        Method::Winograd => return winograd::backward_input(shape, w, grad),
        Method::Columns => {}
    }
    let batch = grad.len() / shape.out_len().max(1);
    let mut dx = vec![0.0; batch * shape.in_len()];
    let (depth, out_width) = (shape.depth(), shape.out_width());
    let pixels = shape.out_height() * out_width;
    for_each_chunk(&mut dx, shape.in_len(), |sample, dx| {
        let grad = &grad[sample * shape.out_len()..][..shape.out_len()];
        if shape.is_pointwise() {
            let dims = [depth, pixels, shape.out_channels];
            matmul(dims, dx, pixels, false, 1.0, Mat::rows(w, depth).t(), Mat::rows(grad, pixels));
            return;
        }
        let mut col = vec![0.0; depth * shape.tile_rows() * out_width];
        for rows in shape.tiles() {
            let tile = rows.len() * out_width;
            let dims = [depth, tile, shape.out_channels];
            let from = Mat::rows(&grad[rows.start * out_width..], pixels);
            matmul(dims, &mut col, tile, false, 1.0, Mat::rows(w, depth).t(), from);
            shape.col2im(&col, &rows, dx);
        }
    });
    dx
}

/// The gradient of [`forward`] with respect to the weights (O, C, kh, kw), summed over the batch in order.
pub(crate) fn backward_weight(shape: &ConvShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    match shape.method() {
        Method::Direct => return direct::backward_weight(shape, x, grad),
        Method::Winograd => return winograd::backward_weight(shape, x, grad),
        Method::Columns => {}
    }
    let batch = grad.len() / shape.out_len().max(1);
    let (depth, out_width) = (shape.depth(), shape.out_width());
    let pixels = shape.out_height() * out_width;
    let mut dw = vec![0.0; shape.out_channels * depth];
    let mut col = vec![0.0; if shape.is_pointwise() { 0 } else { depth * shape.tile_rows() * out_width }];
    for sample in 0..batch {
        let x = &x[sample * shape.in_len()..][..shape.in_len()];
        let grad = &grad[sample * shape.out_len()..][..shape.out_len()];
        if shape.is_pointwise() {
            let dims = [shape.out_channels, depth, pixels];
            matmul(dims, &mut dw, depth, true, 1.0, Mat::rows(grad, pixels), Mat::rows(x, pixels).t());
            continue;
        }
        for rows in shape.tiles() {
            let tile = rows.len() * out_width;
            shape.im2col(x, &rows, &mut col);
            let dims = [shape.out_channels, depth, tile];
            let from = Mat::rows(&grad[rows.start * out_width..], pixels);
            matmul(dims, &mut dw, depth, true, 1.0, from, Mat::rows(&col, tile).t());
        }
    }
    dw
}

/// The gradient of [`forward`] with respect to the bias (O).
pub(crate) fn backward_bias(shape: &ConvShape, grad: &[f32]) -> Vec<f32> {
    let pixels = shape.out_height() * shape.out_width();
    let mut db = vec![0.0; shape.out_channels];
    for (row, values) in grad.chunks(pixels).enumerate() {
        db[row % shape.out_channels] += vectorised!(sum1(values, |v| v));
    }
    db
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one output pixel at a time.
    fn reference(s: &ConvShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; s.out_len()];
        let (oh, ow) = (s.out_height(), s.out_width());
        for o in 0..s.out_channels {
            for y in 0..oh {
                for z in 0..ow {
                    let mut sum = bias[o] as f64;
                    for c in 0..s.in_channels {
                        for ky in 0..s.kernel[0] {
                            for kx in 0..s.kernel[1] {
                                let (iy, ix) = (y * s.stride + ky, z * s.stride + kx);
                                if iy < s.pad[0] || ix < s.pad[1] {
                                    continue;
                                }
                                let (iy, ix) = (iy - s.pad[0], ix - s.pad[1]);
                                if iy < s.height && ix < s.width {
                                    let weight = w[((o * s.in_channels + c) * s.kernel[0] + ky) * s.kernel[1] + kx];
                                    sum += weight as f64 * x[(c * s.height + iy) * s.width + ix] as f64;
                                }
                            }
                        }
                    }
                    out[(o * oh + y) * ow + z] = sum as f32;
                }
            }
        }
        out
    }

    fn shapes() -> Vec<ConvShape> {
        let base =
            ConvShape { in_channels: 3, out_channels: 5, height: 7, width: 6, kernel: [3, 3], stride: 1, pad: [1; 4] };
        vec![
            base,
            ConvShape { stride: 2, pad: [0, 0, 1, 1], ..base },
            ConvShape { stride: 2, ..base },
            ConvShape { kernel: [1, 1], pad: [0; 4], ..base },
            ConvShape { kernel: [2, 2], stride: 2, pad: [0; 4], ..base },
            ConvShape { in_channels: 300, height: 40, width: 33, ..base },
            // By Winograd: odd sizes, one-sided padding, and a picture of several blocks.
            ConvShape { in_channels: 33, out_channels: 40, height: 9, width: 14, ..base },
            ConvShape { in_channels: 32, out_channels: 32, pad: [0, 2, 1, 0], ..base },
            ConvShape { in_channels: 600, out_channels: 32, height: 56, width: 64, ..base },
        ]
    }

    fn noise(name: &str, n: usize) -> Vec<f32> {
        percept_core::Seed::new(5).named(name).normal(n)
    }

    #[test]
    fn forward_equals_the_definition() {
        for s in shapes() {
            let (x, w, b) =
                (noise("x", 2 * s.in_len()), noise("w", s.out_channels * s.depth()), noise("b", s.out_channels));
            let truth: Vec<f32> = x.chunks(s.in_len()).flat_map(|x| reference(&s, x, &w, &b)).collect();
            // Winograd's rounding grows with the length of the sums.
            let tolerance = 1e-4 * (s.depth() as f32).sqrt();
            for (ours, truth) in forward(&s, &x, &w, &b).iter().zip(truth) {
                assert!((ours - truth).abs() < tolerance, "{s:?}: {ours} {truth}");
            }
        }
    }

    #[test]
    fn backward_is_the_transpose_of_forward() {
        // <grad, conv(x, w)> is linear in x and in w, so each gradient must reproduce it.
        for s in shapes() {
            let (x, w) = (noise("x", 2 * s.in_len()), noise("w", s.out_channels * s.depth()));
            let grad = noise("g", 2 * s.out_len());
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(p, q)| *p as f64 * *q as f64).sum::<f64>();
            let truth = dot(&grad, &forward(&s, &x, &w, &vec![0.0; s.out_channels]));
            let scale = truth.abs().max(1.0);
            assert!((dot(&backward_input(&s, &w, &grad), &x) - truth).abs() < 1e-3 * scale, "{s:?} input");
            assert!((dot(&backward_weight(&s, &x, &grad), &w) - truth).abs() < 1e-3 * scale, "{s:?} weight");
        }
    }
}
