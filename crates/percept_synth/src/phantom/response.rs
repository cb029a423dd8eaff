//! The forward model: pictures and what they show → noise-free responses.
//!
//! V1 to V3: channels (see [`super::energy`]) are pooled over the receptive field, weighted, summed and compressed by a
//! power. hV4 adds rectified hue tuning and the joint presence of two orientations. Everything in front of it responds to
//! what is shown: a rectified (softplus) weighted sum of preferences over the kinds of attribute, plus a product of two
//! rectified preferences, plus a share of pooled picture. None of it is linear in pixels, latents or text.

use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;

use super::attributes::{Kind, Meaning, N_KINDS, values};
use super::cortex::{Area, ReceptiveField};
use super::energy::{Bank, GRID, N_CHANNELS, N_ORIENTATIONS, SURFACE};
use super::tuning::Tuning;
use crate::drawing::Drawing;

/// Fields wider than this pool over a map of a quarter of the side.
const WIDE: f32 = 0.33;
const COARSE: usize = GRID / 4;
/// Pictures from which the scale of each channel is taken.
const N_SCALING: usize = 192;
/// Steepness of the rectification of semantic drive.
const STEEPNESS: f32 = 2.5;

/// A receptive field as weights on grid points.
struct Pool {
    coarse: bool,
    weights: Vec<(u16, f32)>,
}

impl Pool {
    fn new(field: ReceptiveField) -> Self {
        let coarse = field.sigma > WIDE;
        let side = if coarse { COARSE } else { GRID };
        let spread = field.sigma * side as f32 / 2.0;
        let place = |value: f32| (value + 1.0) * side as f32 / 2.0 - 0.5;
        let (x, y) = (place(field.x), place(field.y));
        let mut weights = Vec::new();
        for row in 0..side {
            for column in 0..side {
                let squared = ((column as f32 - x).powi(2) + (row as f32 - y).powi(2)) / (spread * spread);
                if squared < 6.25 {
                    weights.push(((row * side + column) as u16, (-0.5 * squared).exp()));
                }
            }
        }
        // What lies outside the picture contributes nothing, so fields beyond the edge have weak drive.
        let whole = std::f32::consts::TAU * spread * spread;
        for (_, weight) in &mut weights {
            *weight /= whole;
        }
        Self { coarse, weights }
    }

    fn apply(&self, maps: &Maps) -> [f32; N_CHANNELS] {
        let map = if self.coarse { &maps.coarse } else { &maps.fine };
        let mut sum = [0.0; N_CHANNELS];
        for &(point, weight) in &self.weights {
            for (sum, value) in sum.iter_mut().zip(&map[point as usize]) {
                *sum += weight * value;
            }
        }
        sum
    }
}

struct Maps {
    fine: Vec<[f32; N_CHANNELS]>,
    coarse: Vec<[f32; N_CHANNELS]>,
}

impl Maps {
    fn new(bank: &Bank, picture: ArrayView3<'_, u8>) -> Self {
        let fine = bank.channels(picture);
        let step = GRID / COARSE;
        let coarse = (0..COARSE * COARSE)
            .map(|point| {
                let mut mean = [0.0; N_CHANNELS];
                for row in 0..step {
                    for column in 0..step {
                        let at = (point / COARSE * step + row) * GRID + point % COARSE * step + column;
                        mean.iter_mut().zip(&fine[at]).for_each(|(mean, value)| *mean += value / (step * step) as f32);
                    }
                }
                mean
            })
            .collect();
        Self { fine, coarse }
    }
}

/// The response of every voxel to every stimulus, standardised per voxel over the stimuli.
///
/// # Shapes
/// `picture(stimulus)` (64, 64, 3) → n_stimuli × n_voxels.
pub(super) fn responses(
    tuning: &[Tuning],
    drawings: &[Drawing],
    picture: &(impl Fn(usize) -> ndarray::Array3<u8> + Sync),
    advance: &(impl Fn(u64) + Sync),
) -> Array2<f32> {
    let bank = Bank::new();
    let pools: Vec<Pool> = tuning.iter().map(|tuning| Pool::new(tuning.pooled)).collect();
    let pooled = |stimulus: usize| -> Vec<[f32; N_CHANNELS]> {
        let maps = Maps::new(&bank, picture(stimulus).view());
        pools.iter().map(|pool| pool.apply(&maps)).collect()
    };
    let scale = channel_scale(drawings.len().min(N_SCALING), tuning.len(), &pooled);
    let semantics: Vec<Semantic> = {
        let meaning = Meaning::new();
        tuning.par_iter().map(|tuning| Semantic::new(tuning, &meaning)).collect()
    };

    let n_voxels = tuning.len();
    let mut seen = Array2::<f32>::zeros((drawings.len(), n_voxels));
    let mut meant = Array2::<f32>::zeros((drawings.len(), n_voxels));
    let rows = seen.axis_iter_mut(Axis(0)).into_par_iter().zip(meant.axis_iter_mut(Axis(0)));
    rows.enumerate().for_each(|(stimulus, (mut seen, mut meant))| {
        let values = values(&drawings[stimulus]);
        for (voxel, channels) in pooled(stimulus).into_iter().enumerate() {
            let scaled: [f32; N_CHANNELS] = std::array::from_fn(|channel| channels[channel] / scale[voxel][channel]);
            seen[voxel] = drive(&tuning[voxel], &scaled);
            meant[voxel] = semantics[voxel].respond(&values);
        }
        advance(1);
    });

    seen.axis_iter_mut(Axis(1)).into_par_iter().zip(meant.axis_iter_mut(Axis(1))).zip(tuning).for_each(
        |((mut seen, mut meant), tuning)| {
            standardise(&mut seen);
            if tuning.picture_share < 1.0 {
                standardise(&mut meant);
                let (a, b) = (tuning.picture_share.sqrt(), (1.0 - tuning.picture_share).sqrt());
                seen.zip_mut_with(&meant, |seen, &meant| *seen = a * *seen + b * meant);
                standardise(&mut seen);
            }
        },
    );
    seen
}

/// Standard deviation of each pooled channel of each voxel over the first pictures.
fn channel_scale(
    n_pictures: usize,
    n_voxels: usize,
    pooled: &(impl Fn(usize) -> Vec<[f32; N_CHANNELS]> + Sync),
) -> Vec<[f32; N_CHANNELS]> {
    const AT_ONCE: usize = 16;
    let mut moments = vec![[[0.0f64; 2]; N_CHANNELS]; n_voxels];
    let numbers: Vec<usize> = (0..n_pictures).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let all: Vec<_> = numbers.par_iter().map(|&number| pooled(number)).collect();
        moments.par_iter_mut().enumerate().for_each(|(voxel, moments)| {
            for picture in &all {
                for (moment, &value) in moments.iter_mut().zip(&picture[voxel]) {
                    moment[0] += f64::from(value);
                    moment[1] += f64::from(value).powi(2);
                }
            }
        });
    }
    let deviation = |[sum, squares]: [f64; 2]| {
        let n = n_pictures as f64;
        // A channel that never varies (outside the picture) must not be blown up.
        ((squares / n - (sum / n).powi(2)).max(0.0).sqrt() as f32).max(1e-4)
    };
    moments.into_iter().map(|moments| moments.map(deviation)).collect()
}

/// The response to the picture alone.
fn drive(tuning: &Tuning, channels: &[f32; N_CHANNELS]) -> f32 {
    let linear: f32 = tuning.channels.iter().zip(channels).map(|(weight, value)| weight * value).sum();
    if tuning.voxel.area != Area::V4 {
        return linear.max(0.0).powf(tuning.exponent);
    }
    let red_green = channels[SURFACE + 2] - channels[SURFACE + 3];
    let blue_yellow = channels[SURFACE + 4] - channels[SURFACE + 5];
    let hue = (tuning.hue.cos() * red_green + tuning.hue.sin() * blue_yellow).max(0.0);
    let strength = |orientation: usize| channels[orientation] + channels[N_ORIENTATIONS + orientation];
    let corner = (strength(tuning.corner[0]) * strength(tuning.corner[1])).sqrt();
    (0.3 * linear + 0.4 * hue + 0.15 * corner).max(0.0).powf(tuning.exponent)
}

/// Tuning to attributes, as one number per value of each kind.
struct Semantic {
    weighted: Vec<Vec<f32>>,
    plain: [Vec<f32>; 2],
    conjunction: [usize; 2],
    gain: f32,
    threshold: f32,
}

impl Semantic {
    fn new(tuning: &Tuning, meaning: &Meaning) -> Self {
        let length = tuning.shares.iter().map(|share| share * share).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let project = |kind: Kind, share: f32| -> Vec<f32> {
            let preference = &tuning.preferences[kind as usize];
            (0..kind.n_values()).map(|value| share * meaning.project(kind, value, preference)).collect()
        };
        let weighted = Kind::ALL.iter().map(|&kind| project(kind, tuning.shares[kind as usize] / length)).collect();
        Self {
            weighted,
            plain: tuning.conjunction.map(|kind| project(kind, 1.0)),
            conjunction: tuning.conjunction.map(|kind| kind as usize),
            gain: tuning.conjunction_gain,
            threshold: tuning.threshold,
        }
    }

    fn respond(&self, values: &[Option<usize>; N_KINDS]) -> f32 {
        let known = |table: &[f32], kind: usize| values[kind].map_or(0.0, |value| table[value]);
        let drive: f32 = self.weighted.iter().enumerate().map(|(kind, table)| known(table, kind)).sum();
        let rectified = (STEEPNESS * (drive - self.threshold)).exp().ln_1p() / STEEPNESS;
        let [a, b] = [0, 1].map(|side| known(&self.plain[side], self.conjunction[side]).max(0.0));
        rectified + self.gain * a * b
    }
}

/// Zero mean and unit standard deviation; a constant column becomes zero.
fn standardise(column: &mut ndarray::ArrayViewMut1<'_, f32>) {
    let n = column.len() as f64;
    let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
    let variance = column.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n;
    let factor = if variance > 1e-12 { variance.sqrt().recip() } else { 0.0 };
    column.mapv_inplace(|value| ((f64::from(value) - mean) * factor) as f32);
}
