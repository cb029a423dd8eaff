//! Many penalties at the price of a few: 1/(λ + α) for a whole grid of α, factored over windows of the spectrum.
//!
//! Sums over directions Σ zᵢ cᵢ / (λᵢ + α) are wanted for every α of a grid. As functions of λ the 1/(λ + α) are smooth, so
//! where λ varies little, all of them are combinations of three or four functions, to the last digit of the precision of the
//! fit: a Cauchy kernel between separated sets has exponentially falling singular values (Beckermann & Townsend 2017, SIAM
//! J. Matrix Anal. 38, 1227). The spectrum is cut into windows, each with its own few functions; the sums are made for the
//! functions and then mixed. Ten penalties need the products of four, and twenty hardly more.
//!
//! What must be right to the last digit is what a direction adds to a sum beside what the direction that adds most may add:
//! the sum itself is rounded there. That is λ / (λ + α) where the directions are Z = X V, whose lengths are √λ, and
//! 1 / (λ + α) where they are of unit length, see [`super::basis`].

use std::ops::Range;

use faer::Mat;
use ndarray::{Array2, ArrayView2, Axis, Zip, s};

use super::number::Real;

/// Candidates for the borders of windows: λ + least penalty grows by this factor from one to the next.
const STEP: f64 = 1.25;
/// Steps that a window spans at most.
const LONGEST: usize = 16;
/// Places inside a window at which functions are compared.
const PLACES: usize = 24;
/// The largest part of any direction is kept to this many rounding errors, and all others to as much.
const ROUNDINGS: f64 = 2.0;
/// What mixing costs for one function and penalty, in directions of a product.
const MIXING: usize = 3;
/// Fewer directions are not worth the trouble.
const FEWEST: usize = 256;

/// Directions that share a few functions.
pub(crate) struct Window<T> {
    pub(crate) directions: Range<usize>,
    /// n_functions × (directions of the window).
    pub(crate) functions: Array2<T>,
    /// How the penalties are made of the functions, n_penalties × n_functions; None where they are the functions.
    pub(crate) mix: Option<Array2<T>>,
}

impl<T: Real> Window<T> {
    /// The same in pieces of at most `longest` directions.
    pub(crate) fn cut(&self, longest: usize) -> impl Iterator<Item = Self> {
        self.functions.axis_chunks_iter(Axis(1), longest).enumerate().map(move |(piece, functions)| {
            let start = self.directions.start + piece * longest;
            Self {
                directions: start..start + functions.ncols(),
                functions: functions.to_owned(),
                mix: self.mix.clone(),
            }
        })
    }
}

/// 1/(λ + α) of some penalties, window by window.
pub(crate) struct Penalties<T> {
    pub(crate) windows: Vec<Window<T>>,
}

/// The length of directions, which decides what they can add to a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lengths {
    /// 1.
    Unit,
    /// The root of the eigenvalue.
    Root,
}

/// The grid of penalties over a spectrum, in parts of what directions can add.
struct Grid<'a> {
    alphas: &'a [f64],
    lengths: Lengths,
    /// The most that any direction adds, per penalty.
    most: Vec<f64>,
}

impl<'a> Grid<'a> {
    fn new(values: &[f64], alphas: &'a [f64], lengths: Lengths) -> Self {
        let mut grid = Self { alphas, lengths, most: vec![1.0; alphas.len()] };
        let strongest = match lengths {
            Lengths::Unit => values.first(),
            Lengths::Root => values.last(),
        };
        let strongest = strongest.copied().unwrap_or(0.0);
        grid.most = (0..alphas.len()).map(|k| grid.square(strongest) * grid.entry(k, strongest)).collect();
        grid
    }

    /// The squared length of a direction.
    fn square(&self, value: f64) -> f64 {
        if self.lengths == Lengths::Unit { 1.0 } else { value }
    }

    /// 1/(λ + α) over the most that it adds.
    fn entry(&self, penalty: usize, value: f64) -> f64 {
        1.0 / ((value + self.alphas[penalty]) * self.most[penalty])
    }

    fn least(&self) -> f64 {
        self.alphas.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl<T: Real> Penalties<T> {
    /// Each penalty by itself, over all of the spectrum `values`.
    pub(crate) fn separate(values: &[f64], alphas: &[f64]) -> Self {
        let functions = Array2::from_shape_fn((alphas.len(), values.len()), |(row, direction)| {
            T::from_f64(1.0 / (values[direction] + alphas[row]))
        });
        let windows = vec![Window { directions: 0..values.len(), functions, mix: None }];
        Self { windows }
    }

    /// By as few functions as each part of the ascending spectrum `values` allows.
    pub(crate) fn new(values: &[f64], alphas: &[f64], lengths: Lengths) -> Self {
        let grid = Grid::new(values, alphas, lengths);
        let least = grid.least();
        let separate = || Self::separate(values, alphas);
        let first = values.first().map_or(0.0, |value| value + least);
        if values.len() < FEWEST || alphas.len() < 3 || first <= 0.0 {
            return separate();
        }
        let mut borders = vec![0];
        let mut reached = first;
        for (direction, value) in values.iter().enumerate() {
            if value + least > reached * STEP {
                borders.push(direction);
                reached = value + least;
            }
        }
        borders.push(values.len());
        borders.dedup();
        let tolerance = ROUNDINGS * T::epsilon().as_f64();
        // best[j]: the cheapest way to cover the directions before border j, the border it comes from, and its last window.
        let mut best: Vec<(usize, usize, Mat<f64>)> = vec![(0, 0, Mat::new())];
        for j in 1..borders.len() {
            let found = (j.saturating_sub(LONGEST)..j).map(|i| {
                let directions = borders[i]..borders[j];
                let mix = few_functions([values[directions.start], values[directions.end - 1]], &grid, tolerance);
                let overhead = MIXING * alphas.len();
                (best[i].0 + mix.ncols() * (directions.len() + overhead), i, mix)
            });
            let Some(cheapest) = found.min_by_key(|(cost, ..)| *cost) else { return separate() };
            best.push(cheapest);
        }
        if best.last().is_none_or(|(cost, ..)| 10 * cost >= 9 * values.len() * alphas.len()) {
            return separate();
        }
        let mut windows = Vec::new();
        let mut end = borders.len() - 1;
        while end > 0 {
            let (_, start, mix) = &best[end];
            windows.push(window(values, &grid, borders[*start]..borders[end], mix));
            end = *start;
        }
        windows.reverse();
        Self { windows }
    }

    /// Products of rows and targets that are made, in units of those for one penalty over all directions.
    #[cfg(test)]
    fn share(&self) -> f64 {
        let products = |window: &Window<T>| window.functions.len();
        let all = self.windows.last().map_or(0, |window| window.directions.end);
        self.windows.iter().map(products).sum::<usize>() as f64 / all as f64
    }
}

/// Orthonormal combinations of the penalties, n_penalties × n_functions, from which all of them can be made again anywhere
/// between the two eigenvalues.
fn few_functions([start, end]: [f64; 2], grid: &Grid<'_>, tolerance: f64) -> Mat<f64> {
    let (n_penalties, least) = (grid.alphas.len(), grid.least());
    let (low, high) = ((start + least).ln(), (end + least).ln());
    let step = (high - low) / (PLACES - 1) as f64;
    let places: Vec<f64> = (0..PLACES).map(|i| ((low + step * i as f64).exp() - least).max(0.0)).collect();
    let table = Mat::from_fn(n_penalties, PLACES, |k, i| grid.square(places[i]) * grid.entry(k, places[i]));
    let Ok(parts) = table.thin_svd() else { return Mat::identity(n_penalties, n_penalties) };
    let combinations = parts.U();
    for n_functions in 1..n_penalties {
        let kept = combinations.subcols(0, n_functions);
        let difference = kept * (kept.transpose() * &table) - &table;
        if difference.norm_max() <= tolerance {
            return kept.to_owned();
        }
    }
    Mat::identity(n_penalties, n_penalties)
}

/// Rows times each function of a window, over some of its directions: (rows · n_functions) × directions, the functions of a
/// row one below the other.
pub(crate) fn weigh<T: Real>(rows: ArrayView2<'_, T>, window: &Window<T>, directions: Range<usize>) -> Array2<T> {
    let n_functions = window.functions.nrows();
    let all = window.directions.start + directions.start..window.directions.start + directions.end;
    let mut weighted = Array2::zeros((rows.nrows() * n_functions, directions.len()));
    for (position, weighted) in weighted.rows_mut().into_iter().enumerate() {
        let row = rows.slice(s![position / n_functions, all.clone()]);
        let function = window.functions.slice(s![position % n_functions, directions.clone()]);
        Zip::from(weighted).and(row).and(function).for_each(|out, &value, &factor| *out = value * factor);
    }
    weighted
}

fn window<T: Real>(values: &[f64], grid: &Grid<'_>, directions: Range<usize>, mix: &Mat<f64>) -> Window<T> {
    let (n_penalties, n_functions) = (mix.nrows(), mix.ncols());
    let functions = Array2::from_shape_fn((n_functions, directions.len()), |(function, direction)| {
        let value = values[directions.start + direction];
        T::from_f64((0..n_penalties).map(|k| mix[(k, function)] * grid.entry(k, value)).sum())
    });
    let mix = Array2::from_shape_fn((n_penalties, n_functions), |(k, function)| {
        T::from_f64(mix[(k, function)] * grid.most[k])
    });
    Window { directions, functions, mix: Some(mix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry 1/(λ + α) from its window.
    fn rebuilt<T: Real>(penalties: &Penalties<T>, [n_penalties, n_directions]: [usize; 2]) -> Array2<f64> {
        let mut all = Array2::zeros((n_penalties, n_directions));
        for window in &penalties.windows {
            let functions = window.functions.mapv(T::as_f64);
            let part = window.mix.as_ref().map_or(functions.clone(), |mix| mix.mapv(T::as_f64).dot(&functions));
            all.slice_mut(s![.., window.directions.clone()]).assign(&part);
        }
        all
    }

    /// The largest error of what a direction adds for a penalty, beside the most that one adds; and the products made.
    fn largest_error<T: Real>(values: &[f64], alphas: &[f64], lengths: Lengths) -> (f64, f64) {
        let penalties = Penalties::<T>::new(values, alphas, lengths);
        let rebuilt = rebuilt(&penalties, [alphas.len(), values.len()]);
        let square = |value: f64| if lengths == Lengths::Unit { 1.0 } else { value };
        let error = |k: usize| {
            let exact: Vec<f64> = values.iter().map(|value| 1.0 / (value + alphas[k])).collect();
            let parts = values.iter().zip(&exact).map(|(&value, exact)| square(value) * exact);
            let most = parts.fold(0.0, f64::max);
            let errors = values.iter().zip(&exact).zip(rebuilt.row(k));
            errors.map(|((&value, exact), found)| square(value) * (found - exact).abs() / most).fold(0.0, f64::max)
        };
        ((0..alphas.len()).map(error).fold(0.0, f64::max), penalties.share())
    }

    #[test]
    fn windows_hold_every_part_to_rounding_and_need_fewer_products() {
        let spectrum =
            |decades: f64| -> Vec<f64> { (0..4000).map(|i| 10f64.powf(1.0 + decades * i as f64 / 4000.0)).collect() };
        let grid = |from: f64, to: f64, n: usize| -> Vec<f64> {
            (0..n).map(|k| 10f64.powf(from + (to - from) * k as f64 / (n - 1) as f64)).collect()
        };
        for lengths in [Lengths::Unit, Lengths::Root] {
            for (decades, alphas) in [(2.0, grid(1.0, 6.0, 10)), (6.0, grid(2.0, 8.0, 7)), (4.0, grid(-6.0, 6.0, 25))] {
                let (error, share) = largest_error::<f32>(&spectrum(decades), &alphas, lengths);
                assert!(error < 2e-6, "{lengths:?} {error}");
                assert!(share < 0.65 * alphas.len() as f64, "{lengths:?} {share} of {}", alphas.len());
                let (error, _) = largest_error::<f64>(&spectrum(decades), &alphas, lengths);
                assert!(error < 1e-14, "{lengths:?} {error}");
            }
        }
    }

    #[test]
    fn null_directions_share_a_window() {
        let values: Vec<f64> = (0..500).map(|i: i32| if i < 200 { 0.0 } else { f64::from(i).powi(2) }).collect();
        let alphas = [0.1, 1.0, 10.0, 100.0, 1e3, 1e4];
        let (error, share) = largest_error::<f32>(&values, &alphas, Lengths::Unit);
        assert!(error < 2e-6 && share < 5.0, "{error} {share}");
    }

    #[test]
    fn one_penalty_stays_alone() {
        let penalties = Penalties::<f64>::new(&[1.0; 1000], &[2.0], Lengths::Root);
        assert!(penalties.windows.len() == 1 && penalties.windows[0].mix.is_none());
    }
}
