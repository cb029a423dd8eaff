//! A table of positions for pictures of another size than it was made for.
//!
//! The original code and transformers do the same: PyTorch's bicubic interpolation of the grid (`align_corners=False`, no
//! antialiasing; Keys' kernel with a = −3/4, borders repeated); the class token keeps its position. It is done once, when the
//! size is chosen, by f64 weights.

use candle_core::Tensor;

use crate::{error::Result, nn::host::to_vec};

/// Keys' coefficient in PyTorch.
const A: f64 = -0.75;

/// The table (1, 1 + old², width), whose first row is the class token's, for a grid of `side` × `side`.
pub(super) fn interpolated(table: &Tensor, side: usize) -> Result<Tensor> {
    let (_, rows, width) = table.dims3()?;
    let old = (rows - 1).isqrt();
    if old == side {
        return Ok(table.clone());
    }
    let values = to_vec(table)?;
    let grid = &values[width..];
    let taps = taps(old, side);
    // Columns first, then rows: (old, old) → (old, side) → (side, side).
    let mut narrow = vec![0.0f64; old * side * width];
    for (cell, to) in narrow.chunks_exact_mut(width).enumerate() {
        let (y, x) = (cell / side, cell % side);
        for (from, weight) in taps[x] {
            let row = &grid[(y * old + from) * width..][..width];
            to.iter_mut().zip(row).for_each(|(to, value)| *to += weight * f64::from(*value));
        }
    }
    let mut out = values[..width].to_vec();
    let mut sums = vec![0.0f64; width];
    for cell in 0..side * side {
        let (y, x) = (cell / side, cell % side);
        sums.fill(0.0);
        for (from, weight) in taps[y] {
            let row = &narrow[(from * side + x) * width..][..width];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
        out.extend(sums.iter().map(|&sum| sum as f32));
    }
    Ok(Tensor::from_vec(out, (1, 1 + side * side, width), table.device())?)
}

/// For each of `new` places the four old ones around it and their weights.
fn taps(old: usize, new: usize) -> Vec<[(usize, f64); 4]> {
    let scale = old as f64 / new as f64;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    (0..new)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale - 0.5;
            let (first, t) = (centre.floor(), centre - centre.floor());
            let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
            std::array::from_fn(|k| ((first + k as f64 - 1.0).clamp(0.0, (old - 1) as f64) as usize, weights[k]))
        })
        .collect()
}
