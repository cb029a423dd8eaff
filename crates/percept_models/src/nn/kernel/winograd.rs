//! 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3) (Lavin & Gray 2016, arXiv 1509.09308), forward and backward.
//!
//! The output is cut into tiles of 4×4 pixels. Each tile's 6×6 patch of the input becomes 36 numbers, each weight 36
//! more, and the sum over channels is 36 independent matrix products: four times fewer multiplications than the
//! definition. The price is rounding: the worst errors are near 5e-5 of an output's typical size.
//!
//! Both gradients use the same transforms: the one of the input is a convolution with turned weights, the one of the
//! weights a matrix product over tiles between the transformed input and the transformed gradient.

use super::{
    Scratch,
    conv_shape::ConvShape,
    for_each_chunk,
    matmul::{Mat, matmul},
    vectorised,
};

/// Tiles that are transformed together, one in each lane of a vector.
const LANES: usize = 16;
/// Pixels of an output tile's side, and of its input patch.
const TILE: usize = 4;
const PATCH: usize = 6;
/// Numbers that a tile becomes.
const POINTS: usize = PATCH * PATCH;
/// Transformed values of one block of tiles: 16 MB, so that large pictures are worked on piece by piece.
const BLOCK: usize = 1 << 22;

type Lanes = [f32; LANES];

/// Copies lanes to where they belong; whole vectors without asking how many there are.
#[inline(always)]
fn store(to: &mut [f32], lanes: &Lanes) {
    match to.first_chunk_mut::<LANES>() {
        Some(whole) => *whole = *lanes,
        None => to.copy_from_slice(&lanes[..to.len()]),
    }
}

/// The reverse of [`store`]; lanes without a value are zero.
#[inline(always)]
fn load(from: &[f32]) -> Lanes {
    if let Some(whole) = from.first_chunk::<LANES>() {
        return *whole;
    }
    let mut lanes = [0.0; LANES];
    lanes[..from.len()].copy_from_slice(from);
    lanes
}

/// Rows of Bᵀ: a patch's row or column to six points.
#[inline(always)]
fn patch_to_points(d: &[Lanes; PATCH]) -> [Lanes; PATCH] {
    let mut out = [[0.0; LANES]; PATCH];
    for l in 0..LANES {
        let [a, b, c, e, f, g] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
        let (even, odd) = (f - 4.0 * c, e - 4.0 * b);
        let (even2, odd2) = (f - c, 2.0 * (e - b));
        out[0][l] = 4.0 * a - 5.0 * c + f;
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = 4.0 * b - 5.0 * e + g;
    }
    out
}

/// Rows of Aᵀ: six points to four output pixels.
#[inline(always)]
fn points_to_tile(d: &[Lanes; PATCH]) -> [Lanes; TILE] {
    let mut out = [[0.0; LANES]; TILE];
    for l in 0..LANES {
        let [a, b, c, e, f, g] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
        let (sum1, difference1) = (b + c, b - c);
        let (sum2, difference2) = (e + f, e - f);
        out[0][l] = a + sum1 + sum2;
        out[1][l] = difference1 + 2.0 * difference2;
        out[2][l] = sum1 + 4.0 * sum2;
        out[3][l] = difference1 + 8.0 * difference2 + g;
    }
    out
}

/// Rows of A: four pixels of a gradient to six points, the transpose of [`points_to_tile`].
#[inline(always)]
fn tile_to_points(d: &[Lanes; TILE]) -> [Lanes; PATCH] {
    let mut out = [[0.0; LANES]; PATCH];
    for l in 0..LANES {
        let [a, b, c, e] = [d[0][l], d[1][l], d[2][l], d[3][l]];
        out[0][l] = a;
        out[1][l] = (a + c) + (b + e);
        out[2][l] = (a + c) - (b + e);
        out[3][l] = (a + 4.0 * c) + (2.0 * b + 8.0 * e);
        out[4][l] = (a + 4.0 * c) - (2.0 * b + 8.0 * e);
        out[5][l] = e;
    }
    out
}

/// Rows of G: three weights to six points.
#[inline(always)]
fn weight_to_points(d: &[Lanes; 3]) -> [Lanes; PATCH] {
    let mut out = [[0.0; LANES]; PATCH];
    for l in 0..LANES {
        let [a, b, c] = [d[0][l], d[1][l], d[2][l]];
        let (outer, wide) = (a + c, a + 4.0 * c);
        out[0][l] = 0.25 * a;
        out[1][l] = (outer + b) * (-1.0 / 6.0);
        out[2][l] = (outer - b) * (-1.0 / 6.0);
        out[3][l] = (wide + 2.0 * b) * (1.0 / 24.0);
        out[4][l] = (wide - 2.0 * b) * (1.0 / 24.0);
        out[5][l] = c;
    }
    out
}

/// Rows of Gᵀ: six points to three weights, the transpose of [`weight_to_points`].
#[inline(always)]
fn points_to_weight(d: &[Lanes; PATCH]) -> [Lanes; 3] {
    let mut out = [[0.0; LANES]; 3];
    for l in 0..LANES {
        let [a, b, c, e, f, g] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
        let (inner, outer) = ((b + c) * (-1.0 / 6.0), (e + f) * (1.0 / 24.0));
        out[0][l] = 0.25 * a + inner + outer;
        out[1][l] = (c - b) * (1.0 / 6.0) + (e - f) * (1.0 / 12.0);
        out[2][l] = inner + 4.0 * outer + g;
    }
    out
}

/// Applies a transform to the columns of an `N × N` grid and then to its rows.
#[inline(always)]
fn both<const N: usize, const M: usize>(
    grid: &[[Lanes; N]; N],
    transform: impl Fn(&[Lanes; N]) -> [Lanes; M],
) -> [[Lanes; M]; M] {
    let mut half = [[[0.0; LANES]; N]; M];
    for j in 0..N {
        let mut column = [[0.0; LANES]; N];
        for i in 0..N {
            column[i] = grid[i][j];
        }
        let column = transform(&column);
        for i in 0..M {
            half[i][j] = column[i];
        }
    }
    let mut out = [[[0.0; LANES]; M]; M];
    for i in 0..M {
        out[i] = transform(&half[i]);
    }
    out
}

/// Consecutive tiles of consecutive samples: whole samples, or some rows of tiles of one sample.
#[derive(Clone, Debug)]
struct Block {
    samples: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
}

/// How pictures of `height` × `width` (the output's size) lie in tiles.
#[derive(Clone, Copy)]
struct Tiling {
    height: usize,
    width: usize,
    across: usize,
}

impl Tiling {
    fn new(shape: &ConvShape) -> Self {
        let (height, width) = (shape.out_height(), shape.out_width());
        Self { height, width, across: width.div_ceil(TILE) }
    }

    fn down(&self) -> usize {
        self.height.div_ceil(TILE)
    }

    /// Blocks for `batch` samples of at most `channels` channels: by shape alone.
    fn blocks(&self, batch: usize, channels: usize) -> Vec<Block> {
        let tiles = (BLOCK / (POINTS * channels.max(1))).max(1);
        let per_sample = self.down() * self.across;
        if per_sample <= tiles {
            let step = tiles / per_sample;
            (0..batch)
                .step_by(step)
                .map(|start| Block { samples: start..(start + step).min(batch), rows: 0..self.down() })
                .collect()
        } else {
            let step = (tiles / self.across).max(1);
            (0..batch)
                .flat_map(|n| (0..self.down()).step_by(step).map(move |row| (n, row)))
                .map(|(n, row)| Block { samples: n..n + 1, rows: row..(row + step).min(self.down()) })
                .collect()
        }
    }

    fn tiles(&self, block: &Block) -> usize {
        block.samples.len() * block.rows.len() * self.across
    }

    /// Calls `visit(lane, sample, tile row, tile column)` for the tiles `first..first + LANES` of a block.
    #[inline(always)]
    fn for_each_tile(&self, block: &Block, first: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
        let count = LANES.min(self.tiles(block) - first);
        let per_sample = block.rows.len() * self.across;
        let (mut sample, rest) = (first / per_sample, first % per_sample);
        let (mut row, mut column) = (rest / self.across, rest % self.across);
        for lane in 0..count {
            visit(lane, sample, block.rows.start + row, column);
            column += 1;
            if column == self.across {
                (column, row) = (0, row + 1);
                if row == block.rows.len() {
                    (row, sample) = (0, sample + 1);
                }
            }
        }
    }
}

/// A plane with a border of zeros and room for whole patches; rows `first..` of the picture only as far as needed.
struct Padded {
    values: Vec<f32>,
    stride: usize,
    rows: usize,
}

impl Padded {
    fn new(tiling: &Tiling, block: &Block) -> Self {
        let (rows, stride) = (block.rows.len() * TILE + 2, tiling.across * TILE + 2);
        Self { values: vec![0.0; block.samples.len() * rows * stride], stride, rows }
    }

    /// Fills sample `index` from a plane of `height` × `width`; the first row is `top` above the block's first.
    fn fill(&mut self, index: usize, plane: &[f32], width: usize, top: isize, left: usize) {
        let height = plane.len() / width;
        let to = &mut self.values[index * self.rows * self.stride..][..self.rows * self.stride];
        let columns = width.min(self.stride - left);
        for (y, row) in to.chunks_mut(self.stride).enumerate() {
            if let Some(source) = usize::try_from(y as isize + top).ok().filter(|&source| source < height) {
                row[left..left + columns].copy_from_slice(&plane[source * width..][..columns]);
            } else {
                row.fill(0.0);
            }
        }
    }
}

/// Transforms all channels of a block: `to` is channels × POINTS × tiles. `side` pixels of each tile are read, and
/// `top`, `left` zeros stand before the picture.
fn transform_pictures<const N: usize>(
    tiling: &Tiling,
    block: &Block,
    x: &[f32],
    [channels, height, width]: [usize; 3],
    [top, left]: [usize; 2],
    to: &mut [f32],
    transform: impl Fn(&[Lanes; N]) -> [Lanes; PATCH] + Sync,
) {
    let tiles = tiling.tiles(block);
    for_each_chunk(to, POINTS * tiles, |channel, to| {
        let mut padded = Padded::new(tiling, block);
        for (index, sample) in block.samples.clone().enumerate() {
            let plane = &x[(sample * channels + channel) * height * width..][..height * width];
            padded.fill(index, plane, width, (block.rows.start * TILE) as isize - top as isize, left);
        }
        vectorised!({
            for first in (0..tiles).step_by(LANES) {
                let mut grid = [[[0.0; LANES]; N]; N];
                tiling.for_each_tile(block, first, |lane, sample, row, column| {
                    let start = (sample * padded.rows + (row - block.rows.start) * TILE) * padded.stride;
                    for (i, grid) in grid.iter_mut().enumerate() {
                        let from = &padded.values[start + i * padded.stride + column * TILE..][..N];
                        for (grid, &value) in grid.iter_mut().zip(from) {
                            grid[lane] = value;
                        }
                    }
                });
                let points = both(&grid, &transform);
                let count = LANES.min(tiles - first);
                for (point, lanes) in points.as_flattened().iter().enumerate() {
                    store(&mut to[point * tiles + first..][..count], lanes);
                }
            }
        });
    });
}

/// Transforms weights into rows × POINTS × columns; `weight(row, column, tap)` reads them.
fn transform_weights(
    [rows, columns]: [usize; 2],
    weight: impl Fn(usize, usize, usize) -> f32 + Sync + Send,
) -> Vec<f32> {
    let mut out = vec![0.0; rows * POINTS * columns];
    for_each_chunk(&mut out, POINTS * columns, |row, out| {
        vectorised!({
            for first in (0..columns).step_by(LANES) {
                let count = LANES.min(columns - first);
                let mut grid = [[[0.0; LANES]; 3]; 3];
                for (tap, lanes) in grid.as_flattened_mut().iter_mut().enumerate() {
                    for (lane, value) in lanes.iter_mut().take(count).enumerate() {
                        *value = weight(row, first + lane, tap);
                    }
                }
                for (point, lanes) in both(&grid, weight_to_points).as_flattened().iter().enumerate() {
                    store(&mut out[point * columns + first..][..count], lanes);
                }
            }
        });
    });
    out
}

/// Sums over channels at each point and turns the points of every tile into output pixels.
fn convolve(
    tiling: &Tiling,
    x: &[f32],
    [channels, height, width]: [usize; 3],
    pad: [usize; 2],
    weights: &[f32],
    bias: Option<&[f32]>,
    outputs: usize,
) -> Vec<f32> {
    let batch = x.len() / (channels * height * width).max(1);
    let pixels = tiling.height * tiling.width;
    let mut out = vec![0.0; batch * outputs * pixels];
    let (mut points, mut products) = (Scratch::take(), Scratch::take());
    for block in tiling.blocks(batch, channels.max(outputs)) {
        let tiles = tiling.tiles(&block);
        let points = points.of_length(channels * POINTS * tiles);
        let products = products.of_length(POINTS * outputs * tiles);
        transform_pictures(tiling, &block, x, [channels, height, width], pad, points, patch_to_points);
        for_each_chunk(products, outputs * tiles, |point, to| {
            let a = Mat::rows(&weights[point * channels..], POINTS * channels);
            let b = Mat::rows(&points[point * tiles..], POINTS * tiles);
            matmul([outputs, tiles, channels], to, tiles, false, 1.0, a, b);
        });
        let per_sample = block.rows.len() * tiling.across;
        let planes = &mut out[block.samples.start * outputs * pixels..block.samples.end * outputs * pixels];
        for_each_chunk(planes, pixels, |plane, to| {
            let (sample, output) = (plane / outputs, plane % outputs);
            let shift = bias.map_or(0.0, |bias| bias[output]);
            let one = Block { samples: 0..1, rows: block.rows.clone() };
            vectorised!({
                for first in (0..per_sample).step_by(LANES) {
                    let count = LANES.min(per_sample - first);
                    let mut grid = [[[0.0; LANES]; PATCH]; PATCH];
                    for (point, lanes) in grid.as_flattened_mut().iter_mut().enumerate() {
                        let from = (point * outputs + output) * tiles + sample * per_sample + first;
                        *lanes = load(&products[from..from + count]);
                    }
                    let tile = both(&grid, points_to_tile);
                    tiling.for_each_tile(&one, first, |lane, _, row, column| {
                        for (y, lanes) in tile.iter().enumerate().take(tiling.height - row * TILE) {
                            let start = (row * TILE + y) * tiling.width + column * TILE;
                            let n = TILE.min(tiling.width - column * TILE);
                            for (to, lanes) in to[start..start + n].iter_mut().zip(lanes) {
                                *to = lanes[lane] + shift;
                            }
                        }
                    });
                }
            });
        });
    }
    out
}

/// As [`super::conv::forward`].
pub(super) fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let weights = transform_weights([outputs, channels], |o, c, tap| w[(o * channels + c) * 9 + tap]);
    let size = [channels, shape.height, shape.width];
    convolve(&Tiling::new(shape), x, size, [shape.pad[0], shape.pad[1]], &weights, Some(bias), outputs)
}

/// As [`super::conv::backward_input`]: the convolution of the gradient with the weights turned by 180°.
pub(super) fn backward_input(shape: &ConvShape, w: &[f32], grad: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let weights = transform_weights([channels, outputs], |c, o, tap| w[(o * channels + c) * 9 + 8 - tap]);
    let tiling = Tiling { height: shape.height, width: shape.width, across: shape.width.div_ceil(TILE) };
    let size = [outputs, shape.out_height(), shape.out_width()];
    convolve(&tiling, grad, size, [2 - shape.pad[0], 2 - shape.pad[1]], &weights, None, channels)
}

/// As [`super::conv::backward_weight`].
pub(super) fn backward_weight(shape: &ConvShape, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let (channels, outputs) = (shape.in_channels, shape.out_channels);
    let tiling = Tiling::new(shape);
    let batch = x.len() / (channels * shape.height * shape.width).max(1);
    let (mut points, mut gradients) = (Scratch::take(), Scratch::take());
    let mut sums = vec![0.0; POINTS * outputs * channels];
    for (index, block) in tiling.blocks(batch, channels.max(outputs)).iter().enumerate() {
        let tiles = tiling.tiles(block);
        let points = points.of_length(channels * POINTS * tiles);
        let gradients = gradients.of_length(outputs * POINTS * tiles);
        let pad = [shape.pad[0], shape.pad[1]];
        let size = [channels, shape.height, shape.width];
        transform_pictures(&tiling, block, x, size, pad, points, patch_to_points);
        let size = [outputs, shape.out_height(), shape.out_width()];
        transform_pictures(&tiling, block, grad, size, [0, 0], gradients, tile_to_points);
        for_each_chunk(&mut sums, outputs * channels, |point, to| {
            let a = Mat::rows(&gradients[point * tiles..], POINTS * tiles);
            let b = Mat::rows(&points[point * tiles..], POINTS * tiles).t();
            matmul([outputs, channels, tiles], to, channels, index > 0, 1.0, a, b);
        });
    }
    let mut dw = vec![0.0; outputs * channels * 9];
    for_each_chunk(&mut dw, channels * 9, |output, dw| {
        vectorised!({
            for first in (0..channels).step_by(LANES) {
                let count = LANES.min(channels - first);
                let mut grid = [[[0.0; LANES]; PATCH]; PATCH];
                for (point, lanes) in grid.as_flattened_mut().iter_mut().enumerate() {
                    let from = (point * outputs + output) * channels + first;
                    *lanes = load(&sums[from..from + count]);
                }
                for (tap, lanes) in both(&grid, points_to_weight).as_flattened().iter().enumerate() {
                    for (lane, value) in lanes.iter().take(count).enumerate() {
                        dw[(first + lane) * 9 + tap] = *value;
                    }
                }
            }
        });
    });
    dw
}
