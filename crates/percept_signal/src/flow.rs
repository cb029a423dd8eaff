//! Optical flow: where the pixels of one picture are in the next.
//!
//! Lucas and Kanade's method (1981) over a pyramid, as Bouguet describes it (2001): at each level the displacement of every pixel is the
//! least-squares solution of brightness constancy in a weighted window around it, after the second picture was brought back by what is
//! known so far; a median over neighbours removes outliers between rounds. A small penalty on what each round adds leaves flat areas, of
//! which nothing can be said, where a coarser level had them: at rest. Displacements are in pixels, to the right and downwards.
//!
//! No occlusion and no change of light is modelled: a thing that appears makes short displacements of no meaning.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Zip, s};

/// How flow is estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowSettings {
    /// Standard deviation of the window in pixels.
    pub window: f32,
    /// Rounds at each level.
    pub rounds: usize,
    /// The smallest side of a level of the pyramid.
    pub smallest: usize,
    /// The penalty on what a round adds, in units of squared gradients of pictures in 0..=1.
    pub penalty: f32,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { window: 2.5, rounds: 5, smallest: 16, penalty: 3e-4 }
    }
}

/// Brightness of a picture: Rec. 601's weights.
///
/// # Shapes
/// (height, width, 3) → (height, width).
pub fn luminance(picture: ArrayView3<'_, f32>) -> Array2<f32> {
    let channel = |c: usize| picture.slice(s![.., .., c]);
    let mut out = channel(0).mapv(|v| 0.299 * v);
    Zip::from(&mut out).and(channel(1)).and(channel(2)).for_each(|out, &g, &b| *out += 0.587 * g + 0.114 * b);
    out
}

/// The displacement of every pixel of `from` on its way to `to`, pictures of brightness in 0..=1. Pictures of different sizes have
/// no flow: the result is then empty.
///
/// # Shapes
/// Twice (height, width) → (2, height, width): to the right, downwards.
pub fn flow(from: ArrayView2<'_, f32>, to: ArrayView2<'_, f32>, settings: &FlowSettings) -> Array3<f32> {
    if from.dim() != to.dim() || from.is_empty() {
        return Array3::zeros((2, 0, 0));
    }
    if from == to {
        return Array3::zeros((2, from.dim().0, from.dim().1));
    }
    let mut levels = vec![(from.to_owned(), to.to_owned())];
    while let Some((a, b)) = levels.last() {
        if a.dim().0.min(a.dim().1) < 2 * settings.smallest.max(4) {
            break;
        }
        levels.push((halved(a.view()), halved(b.view())));
    }
    let mut known: Option<Array3<f32>> = None;
    for (a, b) in levels.iter().rev() {
        let start = known.map_or_else(|| Array3::zeros((2, a.dim().0, a.dim().1)), |coarse| doubled(&coarse, a.dim()));
        known = Some(refined(a, b, start, settings));
    }
    known.unwrap_or_else(|| Array3::zeros((2, 0, 0)))
}

/// Half the size, after a blur over five pixels.
fn halved(picture: ArrayView2<'_, f32>) -> Array2<f32> {
    const KERNEL: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];
    let blurred = separable(picture, &KERNEL);
    blurred.slice(s![..;2, ..;2]).to_owned()
}

/// Twice the size in pixels and in displacements, to `dim`.
fn doubled(flow: &Array3<f32>, dim: (usize, usize)) -> Array3<f32> {
    let mut out = Array3::zeros((2, dim.0, dim.1));
    for axis in 0..2 {
        let of = flow.slice(s![axis, .., ..]);
        for ((row, column), to) in out.slice_mut(s![axis, .., ..]).indexed_iter_mut() {
            *to = 2.0 * sampled(of, row as f32 / 2.0, column as f32 / 2.0);
        }
    }
    out
}

/// Convolves rows and columns with an odd kernel; edges are repeated.
fn separable(picture: ArrayView2<'_, f32>, kernel: &[f32]) -> Array2<f32> {
    let (height, width) = picture.dim();
    let half = kernel.len() / 2;
    // Whole rows at a time, so that the compiler makes vectors of them.
    let mut rows = Array2::<f32>::zeros((height, width));
    let mut padded = vec![0.0; width + 2 * half];
    for (from, mut to) in picture.outer_iter().zip(rows.outer_iter_mut()) {
        for (place, value) in padded.iter_mut().enumerate() {
            *value = from[place.saturating_sub(half).min(width - 1)];
        }
        for (k, &weight) in kernel.iter().enumerate() {
            to.iter_mut().zip(&padded[k..]).for_each(|(to, from)| *to += weight * from);
        }
    }
    let mut out = Array2::<f32>::zeros((height, width));
    for (row, mut to) in out.outer_iter_mut().enumerate() {
        for (k, &weight) in kernel.iter().enumerate() {
            let from = rows.row((row + k).saturating_sub(half).min(height - 1));
            to.zip_mut_with(&from, |to, from| *to += weight * from);
        }
    }
    out
}

/// The value between pixels, bilinear; edges are repeated.
fn sampled(picture: ArrayView2<'_, f32>, row: f32, column: f32) -> f32 {
    let (height, width) = picture.dim();
    let (row, column) = (row.clamp(0.0, (height - 1) as f32), column.clamp(0.0, (width - 1) as f32));
    let (top, left) = (row as usize, column as usize);
    let (below, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
    let (down, across) = (row - top as f32, column - left as f32);
    let upper = picture[(top, left)] * (1.0 - across) + picture[(top, right)] * across;
    let lower = picture[(below, left)] * (1.0 - across) + picture[(below, right)] * across;
    upper * (1.0 - down) + lower * down
}

/// Rounds of the method at one level.
fn refined(from: &Array2<f32>, to: &Array2<f32>, mut flow: Array3<f32>, settings: &FlowSettings) -> Array3<f32> {
    let (height, width) = from.dim();
    let radius = (2.0 * settings.window).ceil().max(1.0) as i32;
    let weights: Vec<f32> = (-radius..=radius).map(|x| (-0.5 * (x as f32 / settings.window).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let kernel: Vec<f32> = weights.iter().map(|weight| weight / total).collect();
    for _ in 0..settings.rounds {
        let mut back = Array2::zeros((height, width));
        for ((row, column), value) in back.indexed_iter_mut() {
            let (right, down) = (flow[(0, row, column)], flow[(1, row, column)]);
            *value = sampled(to.view(), row as f32 + down, column as f32 + right);
        }
        let [across, downwards] = gradients(&back);
        let error = from - &back;
        let sum = |a: &Array2<f32>, b: &Array2<f32>| separable((a * b).view(), &kernel);
        let (xx, xy, yy) = (sum(&across, &across), sum(&across, &downwards), sum(&downwards, &downwards));
        let (xe, ye) = (sum(&across, &error), sum(&downwards, &error));
        for ((row, column), &xy) in xy.indexed_iter() {
            let (xx, yy) = (xx[(row, column)] + settings.penalty, yy[(row, column)] + settings.penalty);
            let (xe, ye) = (xe[(row, column)], ye[(row, column)]);
            let determinant = xx * yy - xy * xy;
            flow[(0, row, column)] += (yy * xe - xy * ye) / determinant;
            flow[(1, row, column)] += (xx * ye - xy * xe) / determinant;
        }
        for axis in 0..2 {
            let middle = median(flow.slice(s![axis, .., ..]));
            flow.slice_mut(s![axis, .., ..]).assign(&middle);
        }
    }
    flow
}

/// Central differences, one-sided at the edges: to the right, downwards.
fn gradients(picture: &Array2<f32>) -> [Array2<f32>; 2] {
    let (height, width) = picture.dim();
    let difference = |lower: (usize, usize), upper: (usize, usize), steps: usize| {
        (picture[upper] - picture[lower]) / steps.max(1) as f32
    };
    let across = Array2::from_shape_fn((height, width), |(row, column)| {
        let (left, right) = (column.saturating_sub(1), (column + 1).min(width - 1));
        difference((row, left), (row, right), right - left)
    });
    let down = Array2::from_shape_fn((height, width), |(row, column)| {
        let (above, below) = (row.saturating_sub(1), (row + 1).min(height - 1));
        difference((above, column), (below, column), below - above)
    });
    [across, down]
}

/// The median of each 3 × 3 neighbourhood; edges are repeated.
fn median(picture: ArrayView2<'_, f32>) -> Array2<f32> {
    let (height, width) = picture.dim();
    Array2::from_shape_fn((height, width), |(row, column)| {
        let rows = [row.saturating_sub(1), row, (row + 1).min(height - 1)];
        let columns = [column.saturating_sub(1), column, (column + 1).min(width - 1)];
        let sorted = rows.map(|row| {
            let [a, b, c] = columns.map(|column| picture[(row, column)]);
            let (low, high) = (a.min(b), a.max(b));
            [low.min(c), low.max(high.min(c)), high.max(c)]
        });
        // The median of nine is that of the largest of the lows, the middle of the middles and the smallest of the highs.
        let [a, b, c] = sorted;
        let middle = |a: f32, b: f32, c: f32| a.min(b).max(a.max(b).min(c));
        middle(a[0].max(b[0]).max(c[0]), middle(a[1], b[1], c[1]), a[2].min(b[2]).min(c[2]))
    })
}

/// A picture whose content is moved by a displacement of each pixel, bilinear; what comes in from outside repeats the edge.
///
/// # Shapes
/// (height, width, 3) and (2, height, width) → (height, width, 3).
pub fn moved(picture: ArrayView3<'_, f32>, by: ArrayView3<'_, f32>) -> Array3<f32> {
    let mut out = Array3::zeros(picture.raw_dim());
    for channel in 0..picture.dim().2 {
        let of = picture.slice(s![.., .., channel]);
        for ((row, column), to) in out.slice_mut(s![.., .., channel]).indexed_iter_mut() {
            // Of smooth displacements, the one that arrives here is close to the one that starts here.
            *to = sampled(of, row as f32 - by[(1, row, column)], column as f32 - by[(0, row, column)]);
        }
    }
    out
}

/// The mean displacement in each of `cells` × `cells` equal parts of the picture, row after row: all to the right, then all downwards.
///
/// # Shapes
/// (2, height, width) → 2 · cells².
pub fn by_cells(flow: ArrayView3<'_, f32>, cells: usize) -> Vec<f32> {
    let (_, height, width) = flow.dim();
    let edge = |side: usize, cell: usize| cell * side / cells.max(1);
    let mut out = Vec::with_capacity(2 * cells * cells);
    for axis in 0..2 {
        for row in 0..cells {
            for column in 0..cells {
                let rows = edge(height, row)..edge(height, row + 1);
                let part = flow.slice(s![axis, rows, edge(width, column)..edge(width, column + 1)]);
                out.push(part.mean().unwrap_or(0.0));
            }
        }
    }
    out
}

/// The displacement of each pixel from the means of cells (as [`by_cells`] gives them), bilinear between their middles.
///
/// # Shapes
/// 2 · cells² → (2, height, width); zeros where the number of values is another.
pub fn from_cells(values: &[f32], cells: usize, (height, width): (usize, usize)) -> Array3<f32> {
    let mut out = Array3::zeros((2, height, width));
    if values.len() != 2 * cells * cells || cells == 0 {
        return out;
    }
    for axis in 0..2 {
        let own = &values[axis * cells * cells..(axis + 1) * cells * cells];
        let grid = Array2::from_shape_fn((cells, cells), |(row, column)| own[row * cells + column]);
        for ((row, column), to) in out.slice_mut(s![axis, .., ..]).indexed_iter_mut() {
            let place = |at: usize, side: usize| (at as f32 + 0.5) * cells as f32 / side as f32 - 0.5;
            *to = sampled(grid.view(), place(row, height), place(column, width));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Smooth texture, moved by (right, down).
    fn texture(right: f32, down: f32) -> Array2<f32> {
        Array2::from_shape_fn((64, 64), |(row, column)| {
            let (x, y) = (column as f32 - right, row as f32 - down);
            0.5 + 0.15 * (0.31 * x + 0.2 * y).sin() + 0.15 * (0.45 * y - 0.1 * x).cos() + 0.1 * (0.7 * x).sin()
        })
    }

    fn mean(flow: &Array3<f32>, axis: usize) -> f32 {
        flow.slice(s![axis, 8..56, 8..56]).mean().unwrap_or(0.0)
    }

    #[test]
    fn known_shifts_are_found() {
        for (right, down) in [(0.4, 0.0), (-1.7, 0.8), (3.0, -2.5), (0.0, 5.0)] {
            let found = flow(texture(0.0, 0.0).view(), texture(right, down).view(), &FlowSettings::default());
            let (x, y) = (mean(&found, 0), mean(&found, 1));
            let allowed = 0.1 + 0.08 * right.hypot(down);
            assert!((x - right).hypot(y - down) < allowed, "({x}, {y}) for ({right}, {down})");
        }
    }

    #[test]
    fn the_median_of_nine_is_in_the_middle() {
        let picture = Array2::from_shape_fn((7, 9), |(row, column)| ((row * 37 + column * 101) % 29) as f32);
        let found = median(picture.view());
        for ((row, column), &value) in found.indexed_iter() {
            let near = |d: usize, at: usize, side: usize| (at + d).saturating_sub(1).min(side - 1);
            let mut nine: Vec<f32> =
                (0..9).map(|place| picture[(near(place / 3, row, 7), near(place % 3, column, 9))]).collect();
            nine.sort_unstable_by(f32::total_cmp);
            assert_eq!(value, nine[4], "{row}, {column}");
        }
    }

    #[test]
    fn nothing_moves_where_nothing_can_be_seen() {
        let flat = Array2::from_elem((32, 40), 0.3);
        let found = flow(flat.view(), flat.view(), &FlowSettings::default());
        assert_eq!(found.dim(), (2, 32, 40));
        assert!(found.iter().all(|&v| v == 0.0));
        let other = Array2::from_elem((31, 40), 0.3);
        assert!(flow(flat.view(), other.view(), &FlowSettings::default()).is_empty());
    }

    #[test]
    fn a_picture_that_is_moved_by_its_flow_is_the_next_one() {
        let (from, to) = (texture(0.0, 0.0), texture(2.0, -1.5));
        let found = flow(from.view(), to.view(), &FlowSettings::default());
        let as_picture = from.clone().insert_axis(ndarray::Axis(2));
        let there = moved(as_picture.view(), found.view());
        let error = |a: ArrayView2<'_, f32>| (&a - &to).slice(s![8..56, 8..56]).mapv(f32::abs).mean().unwrap_or(1.0);
        let (before, after) = (error(from.view()), error(there.slice(s![.., .., 0])));
        assert!(after < 0.12 * before, "{after} {before}");
    }

    #[test]
    fn cells_are_means_and_come_back_smooth() {
        let mut field = Array3::zeros((2, 64, 64));
        field.slice_mut(s![0, .., 32..]).fill(2.0);
        field.slice_mut(s![1, ..32, ..]).fill(-1.0);
        let cells = by_cells(field.view(), 2);
        assert_eq!(cells, vec![0.0, 2.0, 0.0, 2.0, -1.0, -1.0, 0.0, 0.0]);
        let back = from_cells(&cells, 2, (64, 64));
        assert!((back[(0, 5, 60)] - 2.0).abs() < 1e-6 && back[(0, 5, 3)].abs() < 1e-6);
        assert!((back[(0, 5, 31)] - 1.0).abs() < 0.1 && back[(1, 60, 5)].abs() < 1e-6);
        assert!(from_cells(&cells, 3, (8, 8)).iter().all(|&v| v == 0.0));
    }
}
