//! Convolution over time by fewer products (Toom 1963 and Cook 1966; Winograd 1980): four outputs of four taps are seven
//! products of transformed samples and transformed weights, where the definition has sixteen. More taps are cut into groups of
//! four. Since outputs go on by four as groups do, what is transformed for one group is the next tile of the group before it:
//! for each of the seven the whole convolution is one matrix product with overlapping rows.
//!
//! The points are 0, ±1, ±½, 2 and ∞, scaled by powers of two so that no transform is much larger than what enters it. One layer
//! differs from the definition by about 7e-7 of its largest value, in f32.

use super::{
    Scratch, for_each_chunk,
    matmul::{Mat, matmul},
    vectorised,
};

/// Outputs of a tile, and taps of a group.
pub(super) const SIDE: usize = 4;
/// Products of a tile and a group.
const POINTS: usize = 7;

/// Of each point, what each tap of a group counts.
const OF_TAPS: [[f32; SIDE]; POINTS] = [
    [-4.0, 0.0, 0.0, 0.0],
    [-4.0 / 3.0, -4.0 / 3.0, -4.0 / 3.0, -4.0 / 3.0],
    [-8.0 / 9.0, 8.0 / 9.0, -8.0 / 9.0, 8.0 / 9.0],
    [32.0 / 9.0, 16.0 / 9.0, 8.0 / 9.0, 4.0 / 9.0],
    [32.0 / 15.0, -16.0 / 15.0, 8.0 / 15.0, -4.0 / 15.0],
    [16.0 / 45.0, 32.0 / 45.0, 64.0 / 45.0, 128.0 / 45.0],
    [0.0, 0.0, 0.0, 2.0],
];

/// Weights (k, C, O) at the points: (points, groups, C, O).
pub(super) fn weights(w: &[f32], kernel: usize) -> Vec<f32> {
    let matrix = w.len() / kernel;
    let groups = kernel.div_ceil(SIDE);
    let mut out = vec![0.0; POINTS * groups * matrix];
    for_each_chunk(&mut out, matrix, |index, out| {
        let (point, group) = (index / groups, index % groups);
        for (tap, w) in w.chunks_exact(matrix).enumerate().skip(group * SIDE).take(SIDE) {
            let factor = OF_TAPS[point][tap - group * SIDE];
            vectorised!(out.iter_mut().zip(w).for_each(|(to, w)| *to += factor * w));
        }
    });
    out
}

/// Samples that the outputs of `n_tiles` tiles may see.
pub(super) fn seen(n_tiles: usize, kernel: usize) -> usize {
    SIDE * (n_tiles + kernel.div_ceil(SIDE) - 1) + SIDE - 1
}

/// One sequence of neighbours: `rows` ([`seen`], C) → `n` outputs, each added to a row of `out`, which lie `stride` numbers
/// apart; `weights` are those of [`weights`].
pub(super) fn sequence(
    rows: &[f32],
    weights: &[f32],
    [n, inputs, outputs, groups]: [usize; 4],
    out: &mut [f32],
    stride: usize,
) {
    let n_tiles = n.div_ceil(SIDE);
    let n_seen = n_tiles + groups - 1;
    let (mut memory, mut more) = (Scratch::take(), Scratch::take());
    let points = memory.of_length(POINTS * n_seen * inputs);
    at_points(rows, points, [n_seen, inputs]);
    let products = more.of_length(POINTS * n_tiles * outputs);
    let depth = groups * inputs;
    for (point, product) in products.chunks_exact_mut(n_tiles * outputs).enumerate() {
        let seen = Mat::rows(&points[point * n_seen * inputs..], inputs);
        let weights = Mat::rows(&weights[point * depth * outputs..], outputs);
        matmul([n_tiles, outputs, depth], product, outputs, false, 1.0, seen, weights);
    }
    from_points(products, [n, outputs], out, stride);
}

/// Seven samples from every fourth row on to their values at the points, (points, n tiles, C).
fn at_points(rows: &[f32], to: &mut [f32], [n, inputs]: [usize; 2]) {
    vectorised!({
        for tile in 0..n {
            let d: [&[f32]; POINTS] = std::array::from_fn(|i| &rows[(tile * SIDE + i) * inputs..][..inputs]);
            let mut places = to.chunks_exact_mut(n * inputs).map(|all| &mut all[tile * inputs..][..inputs]);
            let to: [&mut [f32]; POINTS] = std::array::from_fn(|_| places.next().unwrap_or_default());
            for c in 0..inputs {
                let [d0, d1, d2, d3, d4, d5, d6] = [d[0][c], d[1][c], d[2][c], d[3][c], d[4][c], d[5][c], d[6][c]];
                let half = 0.5 * d5;
                to[0][c] = 1.25 * d2 - 0.25 * d0 + (0.125 * d1 - 0.625 * d3) + (half - d4);
                to[1][c] = 0.25 * d1 + 0.125 * d2 - 1.125 * d3 + (half - 0.5 * d4);
                to[2][c] = 0.1875 * d2 - 0.125 * d1 + 0.4375 * d3 + (0.25 * d5 - 0.75 * d4);
                to[3][c] = 0.5 * d1 + 0.75 * (d2 - d4) + (half - d3);
                to[4][c] = 1.25 * (d2 - d4) - 0.5 * d1 + half;
                to[5][c] = 0.25 * d1 - 1.25 * d3 + d5;
                to[6][c] = 1.25 * d3 - 0.25 * d1 + (0.125 * d2 - 0.625 * d4) + (0.5 * d6 - d5);
            }
        }
    });
}

/// Products at the points (points, tiles, O) to `n` outputs.
fn from_points(products: &[f32], [n, outputs]: [usize; 2], out: &mut [f32], stride: usize) {
    let n_tiles = n.div_ceil(SIDE);
    vectorised!({
        for (tile, out) in out.chunks_mut(SIDE * stride).take(n_tiles).enumerate() {
            let m: [&[f32]; POINTS] = std::array::from_fn(|i| &products[(i * n_tiles + tile) * outputs..][..outputs]);
            let mut rows = out.chunks_mut(stride).map(|row| &mut row[..outputs]);
            if n - tile * SIDE >= SIDE {
                let to: [&mut [f32]; SIDE] = std::array::from_fn(|_| rows.next().unwrap_or_default());
                for c in 0..outputs {
                    let y = combined(std::array::from_fn(|i| m[i][c]));
                    to[0][c] += y[0];
                    to[1][c] += y[1];
                    to[2][c] += y[2];
                    to[3][c] += y[3];
                }
            } else {
                for (i, row) in rows.take(n - tile * SIDE).enumerate() {
                    for c in 0..outputs {
                        row[c] += combined(std::array::from_fn(|i| m[i][c]))[i];
                    }
                }
            }
        }
    });
}

/// The four outputs of seven products: of the points ±1 and ±½ sums or differences, of each point its powers.
#[inline(always)]
fn combined(m: [f32; POINTS]) -> [f32; SIDE] {
    let (sum, difference) = (m[1] + m[2], m[1] - m[2]);
    let (small_sum, small_difference) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + sum + small_sum + 0.125 * m[5],
        difference + 0.5 * small_difference + 0.25 * m[5],
        sum + 0.25 * small_sum + 0.5 * m[5],
        difference + 0.125 * small_difference + m[5] + m[6],
    ]
}
