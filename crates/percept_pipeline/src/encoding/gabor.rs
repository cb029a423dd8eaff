//! A pyramid of Gabor filters and the mean colour on a grid: what early visual areas are known to respond to.
//!
//! A level of the pyramid has filters of one spatial frequency on a square grid about one wavelength apart, each at several
//! orientations and in two phases (cosine and sine) under a Gaussian of σ = half a wavelength. The two phases have mean 0 and the
//! same norm; a feature is the root of their energy, √(c² + s²), as in models of complex cells. Colour is the mean of red,
//! green and blue in every cell of a grid, where any picture has colour.
//!
//! References: Kay et al. 2008, doi:10.1038/nature06713; Adelson and Bergen 1985, doi:10.1364/JOSAA.2.000284.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, ArrayView4, Axis, s};

use crate::data::pictures;
use crate::experiment::encoding::GaborSpace;

/// Weights of red, green and blue in luminance (ITU-R BT.709).
const LUMINANCE: [f64; 3] = [0.2126, 0.7152, 0.0722];

/// The filters of a pyramid for pictures of one size.
pub(super) struct Pyramid {
    /// (size · size) × (2 · n_filters): the cosine and the sine of each filter side by side.
    filters: Array2<f32>,
    settings: GaborSpace,
}

impl Pyramid {
    /// Makes the filters.
    pub(super) fn new(settings: &GaborSpace) -> Self {
        let side = settings.size;
        let mut columns: Vec<Vec<f32>> = Vec::new();
        for &cycles in &settings.cycles {
            let cells = (cycles.round() as usize).max(1);
            for row in 0..cells {
                for column in 0..cells {
                    for orientation in 0..settings.orientations {
                        let center = [row, column].map(|cell| (cell as f64 + 0.5) / cells as f64);
                        let angle = PI * orientation as f64 / settings.orientations as f64;
                        columns.extend(pair(side, cycles, center, angle));
                    }
                }
            }
        }
        let filters = Array2::from_shape_fn((side * side, columns.len()), |(pixel, column)| columns[column][pixel]);
        Self { filters, settings: settings.clone() }
    }

    /// Features of pictures (n, height, width, 3) in 0..=1: n × n_features, filters first, colours behind them.
    pub(super) fn features(&self, shown: ArrayView4<'_, f32>, with_colour: bool) -> Array2<f32> {
        let side = self.settings.size;
        let shown = pictures::resize(shown, side, side);
        let n = shown.dim().0;
        let gray = Array2::from_shape_fn((n, side * side), |(picture, pixel)| {
            let at = |channel: usize| f64::from(shown[(picture, pixel / side, pixel % side, channel)]);
            (0..3).map(|channel| LUMINANCE[channel] * at(channel)).sum::<f64>() as f32
        });
        let answers = gray.dot(&self.filters);
        let n_filters = self.filters.ncols() / 2;
        let cells = if with_colour { self.settings.colours } else { 0 };
        let mut out = Array2::zeros((n, n_filters + cells * cells * 3));
        for picture in 0..n {
            for filter in 0..n_filters {
                let [cosine, sine] = [0, 1].map(|phase| answers[(picture, 2 * filter + phase)]);
                out[(picture, filter)] = cosine.hypot(sine);
            }
        }
        if cells > 0 {
            let small = pictures::resize(shown.view(), cells, cells);
            for (mut row, picture) in out.rows_mut().into_iter().zip(small.axis_iter(Axis(0))) {
                row.slice_mut(s![n_filters..]).iter_mut().zip(picture.iter()).for_each(|(to, from)| *to = *from);
            }
        }
        out
    }
}

/// The cosine and the sine of one filter, row by row, each with mean 0 and norm 1.
fn pair(side: usize, cycles: f64, [row, column]: [f64; 2], angle: f64) -> [Vec<f32>; 2] {
    let deviation = 0.5 / cycles;
    let phase = |shift: f64| {
        let mut weights: Vec<f64> = Vec::with_capacity(side * side);
        let mut window: Vec<f64> = Vec::with_capacity(side * side);
        for pixel in 0..side * side {
            let y = ((pixel / side) as f64 + 0.5) / side as f64 - row;
            let x = ((pixel % side) as f64 + 0.5) / side as f64 - column;
            let gaussian = (-(x * x + y * y) / (2.0 * deviation * deviation)).exp();
            weights.push(gaussian * (TAU * cycles * (x * angle.cos() + y * angle.sin()) - shift).cos());
            window.push(gaussian);
        }
        // The mean is taken out under the window, so that a gray picture gives nothing.
        let excess = weights.iter().sum::<f64>() / window.iter().sum::<f64>();
        weights.iter_mut().zip(&window).for_each(|(weight, window)| *weight -= excess * window);
        let norm = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        weights.into_iter().map(|weight| (weight / norm) as f32).collect()
    };
    [phase(0.0), phase(PI / 2.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    fn grating(cycles: f64, angle: f64, phase: f64) -> Array4<f32> {
        Array4::from_shape_fn((1, 64, 64, 3), |(_, y, x, _)| {
            let [y, x] = [y, x].map(|at| (at as f64 + 0.5) / 64.0);
            (0.5 + 0.5 * (TAU * cycles * (x * angle.cos() + y * angle.sin()) + phase).cos()) as f32
        })
    }

    #[test]
    fn a_grating_drives_the_filters_of_its_frequency_and_orientation_whatever_its_phase() {
        let settings = GaborSpace { cycles: vec![2.0, 8.0], colours: 0, ..GaborSpace::default() };
        let pyramid = Pyramid::new(&settings);
        for (level, cycles) in [(0, 2.0), (1, 8.0)] {
            for orientation in 0..4 {
                let angle = PI * f64::from(orientation) / 4.0;
                let energy: Vec<Array2<f32>> = [0.0, 1.0, 2.5]
                    .iter()
                    .map(|phase| pyramid.features(grating(cycles, angle, *phase).view(), false))
                    .collect();
                let of = |rows: &Array2<f32>, level: usize, orientation: usize| {
                    let range = if level == 0 { 0..16 } else { 16..16 + 256 };
                    range.filter(|filter| filter % 4 == orientation).map(|filter| rows[(0, filter)]).sum::<f32>()
                };
                let best = of(&energy[0], level, orientation as usize);
                for other in 0..4 {
                    assert!(other == orientation as usize || of(&energy[0], level, other) < 0.5 * best);
                }
                assert!(energy.iter().all(|rows| (of(rows, level, orientation as usize) / best - 1.0).abs() < 0.12));
            }
        }
    }

    #[test]
    fn a_gray_picture_gives_nothing_and_colour_is_kept() {
        let pyramid = Pyramid::new(&GaborSpace { colours: 2, ..GaborSpace::default() });
        let mut red = Array4::zeros((1, 32, 32, 3));
        red.slice_mut(s![.., .., .., 0]).fill(0.5f32);
        let rows = pyramid.features(red.view(), true);
        let n = rows.ncols() - 12;
        assert!(rows.slice(s![0, ..n]).iter().all(|value| value.abs() < 1e-4));
        assert_eq!(rows.slice(s![0, n..n + 3]).to_vec(), [0.5, 0.0, 0.0]);
    }
}
