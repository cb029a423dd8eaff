//! From a picture to the channels that early visual cortex sees, on a grid of [`GRID`] × [`GRID`].
//!
//! Luminance goes through complex Gabor filters at four orientations and three octaves and leaves as energy (the length of
//! the quadrature pair: phase is lost). Luminance and the two opponent colours go through rectified on and off channels, and
//! the colours also through double opponency (difference from their surroundings, rectified).

use ndarray::{Array3, ArrayView3};

/// Side of the channel maps.
pub(super) const GRID: usize = 32;
/// Orientations of the Gabor filters.
pub(super) const N_ORIENTATIONS: usize = 4;
/// Octaves of the Gabor filters; the first is the finest.
pub(super) const N_SCALES: usize = 3;
/// First channel after the energies.
pub(super) const SURFACE: usize = N_ORIENTATIONS * N_SCALES;
/// Luminance on and off, then red, green, blue, yellow, then double-opponent red–green and blue–yellow.
pub(super) const N_SURFACE: usize = 8;
/// All channels.
pub(super) const N_CHANNELS: usize = SURFACE + N_SURFACE;

/// Period of the Gabor carrier in pixels of its octave.
const PERIOD: f32 = 4.6;
/// Standard deviation of the Gabor envelope in the same pixels.
const ENVELOPE: f32 = 2.0;
const RADIUS: usize = 4;
/// Luminance of no response in the on and off channels.
const ADAPTATION: f32 = 0.45;
/// Standard deviation of the surround of double-opponent channels, in grid points.
const SURROUND: f32 = 4.0;

/// The Gabor filters, separable: along x and along y, real and imaginary.
pub(super) struct Bank {
    filters: [[[[f32; 2]; 2 * RADIUS + 1]; 2]; N_ORIENTATIONS],
    surround: Vec<f32>,
}

impl Bank {
    pub(super) fn new() -> Self {
        let filters = std::array::from_fn(|orientation| {
            let angle = std::f32::consts::PI * orientation as f32 / N_ORIENTATIONS as f32;
            [angle.cos(), angle.sin()].map(|direction| {
                std::array::from_fn(|tap| {
                    let at = tap as f32 - RADIUS as f32;
                    let envelope = (-0.5 * (at / ENVELOPE).powi(2)).exp();
                    let phase = std::f32::consts::TAU * direction * at / PERIOD;
                    [envelope * phase.cos(), envelope * phase.sin()]
                })
            })
        });
        Self { filters, surround: gaussian(SURROUND) }
    }

    /// Channel maps of a picture.
    ///
    /// # Shapes
    /// Picture (64, 64, 3) in 0..=255 → one row of [`N_CHANNELS`] values per grid point, row by row.
    pub(super) fn channels(&self, picture: ArrayView3<'_, u8>) -> Vec<[f32; N_CHANNELS]> {
        let mut maps = vec![[0.0; N_CHANNELS]; GRID * GRID];
        let fine = planes(picture);
        let grid = halve(&fine);
        let mut luminance = fine.luminance;
        for scale in 0..N_SCALES {
            for (orientation, filter) in self.filters.iter().enumerate() {
                let energy = energy(&luminance, filter);
                let side = luminance.side;
                for (point, channels) in maps.iter_mut().enumerate() {
                    let (row, column) = (point / GRID, point % GRID);
                    channels[scale * N_ORIENTATIONS + orientation] = if side == 2 * GRID {
                        let at = |dr, dc| energy[(2 * row + dr) * side + 2 * column + dc];
                        0.25 * (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1))
                    } else {
                        energy[row * side / GRID * side + column * side / GRID]
                    };
                }
            }
            luminance = luminance.half();
        }
        let red_green_surround = blur(&grid.red_green, &self.surround);
        let blue_yellow_surround = blur(&grid.blue_yellow, &self.surround);
        for (point, channels) in maps.iter_mut().enumerate() {
            let (y, rg, by) = (grid.luminance.data[point], grid.red_green.data[point], grid.blue_yellow.data[point]);
            channels[SURFACE..].copy_from_slice(&[
                (y - ADAPTATION).max(0.0),
                (ADAPTATION - y).max(0.0),
                rg.max(0.0),
                (-rg).max(0.0),
                by.max(0.0),
                (-by).max(0.0),
                (rg - red_green_surround[point]).abs(),
                (by - blue_yellow_surround[point]).abs(),
            ]);
        }
        maps
    }
}

struct Plane {
    side: usize,
    data: Vec<f32>,
}

impl Plane {
    fn half(&self) -> Self {
        let side = self.side / 2;
        let data = (0..side * side)
            .map(|point| {
                let first = 2 * (point / side) * self.side + 2 * (point % side);
                let second = first + self.side;
                0.25 * (self.data[first] + self.data[first + 1] + self.data[second] + self.data[second + 1])
            })
            .collect();
        Self { side, data }
    }
}

struct Planes {
    luminance: Plane,
    red_green: Plane,
    blue_yellow: Plane,
}

fn planes(picture: ArrayView3<'_, u8>) -> Planes {
    let side = picture.dim().0;
    let unit: Array3<f32> = picture.mapv(|value| f32::from(value) / 255.0);
    let plane = |mix: [f32; 3]| {
        let data = unit.rows().into_iter().map(|rgb| mix[0] * rgb[0] + mix[1] * rgb[1] + mix[2] * rgb[2]).collect();
        Plane { side, data }
    };
    Planes {
        luminance: plane([0.2125, 0.7154, 0.0721]),
        red_green: plane([1.0, -1.0, 0.0]),
        blue_yellow: plane([-0.5, -0.5, 1.0]),
    }
}

fn halve(planes: &Planes) -> Planes {
    Planes {
        luminance: planes.luminance.half(),
        red_green: planes.red_green.half(),
        blue_yellow: planes.blue_yellow.half(),
    }
}

/// Length of the response to a complex separable filter whose mean over the plane was removed; edges are repeated.
fn energy(plane: &Plane, filter: &[[[f32; 2]; 2 * RADIUS + 1]; 2]) -> Vec<f32> {
    let side = plane.side;
    let mean = plane.data.iter().sum::<f32>() / plane.data.len() as f32;
    let mut along_x = vec![[0.0f32; 2]; side * side];
    let mut padded = vec![0.0; side + 2 * RADIUS];
    for (row, out) in along_x.chunks_exact_mut(side).enumerate() {
        for (at, value) in padded.iter_mut().enumerate() {
            let column = at.saturating_sub(RADIUS).min(side - 1);
            *value = plane.data[row * side + column] - mean;
        }
        for (column, out) in out.iter_mut().enumerate() {
            for (tap, weight) in filter[0].iter().enumerate() {
                out[0] += weight[0] * padded[column + tap];
                out[1] += weight[1] * padded[column + tap];
            }
        }
    }
    let mut energy = vec![0.0; side * side];
    let mut sums = vec![[0.0f32; 2]; side];
    for (row, out) in energy.chunks_exact_mut(side).enumerate() {
        sums.fill([0.0; 2]);
        for (tap, weight) in filter[1].iter().enumerate() {
            let source = (row + tap).saturating_sub(RADIUS).min(side - 1);
            for (sum, value) in sums.iter_mut().zip(&along_x[source * side..(source + 1) * side]) {
                sum[0] += weight[0] * value[0] - weight[1] * value[1];
                sum[1] += weight[0] * value[1] + weight[1] * value[0];
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = (sum[0] * sum[0] + sum[1] * sum[1]).sqrt();
        }
    }
    energy
}

/// One side of a Gaussian of unit sum, from its centre outwards.
pub(super) fn gaussian(sigma: f32) -> Vec<f32> {
    let half: Vec<f32> =
        (0..=(3.0 * sigma).ceil() as usize).map(|at| (-0.5 * (at as f32 / sigma).powi(2)).exp()).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f32>();
    half.into_iter().map(|value| value / sum).collect()
}

/// Gaussian blur with repeated edges.
fn blur(plane: &Plane, kernel: &[f32]) -> Vec<f32> {
    let side = plane.side as isize;
    let reach = kernel.len() as isize - 1;
    let pass = |data: &[f32], step_row: isize, step_column: isize| -> Vec<f32> {
        let mut out = Vec::with_capacity(data.len());
        for row in 0..side {
            for column in 0..side {
                let mut sum = 0.0;
                for at in -reach..=reach {
                    let r = (row + at * step_row).clamp(0, side - 1);
                    let c = (column + at * step_column).clamp(0, side - 1);
                    sum += kernel[at.unsigned_abs()] * data[(r * side + c) as usize];
                }
                out.push(sum);
            }
        }
        out
    };
    pass(&pass(&plane.data, 0, 1), 1, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grating(angle: f32, period: f32, phase: f32) -> Array3<u8> {
        Array3::from_shape_fn((64, 64, 3), |(row, column, _)| {
            let along = column as f32 * angle.cos() + row as f32 * angle.sin();
            (127.5 + 100.0 * (std::f32::consts::TAU * along / period + phase).cos()) as u8
        })
    }

    #[test]
    fn energy_prefers_its_orientation_and_frequency_and_ignores_phase() {
        let bank = Bank::new();
        let centre = GRID / 2 * GRID + GRID / 2;
        let at = |angle: f32, period: f32, phase: f32| bank.channels(grating(angle, period, phase).view())[centre];
        let vertical = at(0.0, PERIOD, 0.0);
        let best = (0..SURFACE).max_by(|&a, &b| vertical[a].total_cmp(&vertical[b]));
        assert_eq!(best, Some(0));
        assert!((at(0.0, PERIOD, 1.5)[0] / vertical[0] - 1.0).abs() < 0.05);
        let coarse_horizontal = at(std::f32::consts::FRAC_PI_2, 4.0 * PERIOD, 0.3);
        let best = (0..SURFACE).max_by(|&a, &b| coarse_horizontal[a].total_cmp(&coarse_horizontal[b]));
        assert_eq!(best, Some(2 * N_ORIENTATIONS + 2));
    }

    #[test]
    fn opponent_channels_tell_red_from_green_and_blue_from_yellow() {
        let bank = Bank::new();
        let paint =
            |rgb: [u8; 3]| bank.channels(Array3::from_shape_fn((64, 64, 3), |(_, _, channel)| rgb[channel]).view())[0];
        let (red, green, blue, yellow) =
            (paint([200, 20, 20]), paint([20, 200, 20]), paint([20, 20, 200]), paint([200, 200, 20]));
        assert!(red[SURFACE + 2] > 0.5 && red[SURFACE + 3] == 0.0);
        assert!(green[SURFACE + 3] > 0.5 && green[SURFACE + 2] == 0.0);
        assert!(blue[SURFACE + 4] > 0.5 && yellow[SURFACE + 5] > 0.5);
        assert!(red[..SURFACE].iter().all(|&energy| energy < 1e-4), "an even picture has no contrast energy");
    }
}
