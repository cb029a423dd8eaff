//! One session as the scanner would have it: signal, drift and noise, in NSD's integers.
//!
//! Noise has three parts: smooth in the volume, shared by the whole brain on a trial, and independent. Every session has a
//! gain and an offset per voxel, and offsets also drift within the session. A few voxels at the rim are like voxels on large
//! vessels (so strong that the integers saturate), and a few were outside the scanned volume in one session (all zero).

use ndarray::{Array2, Axis};
use percept_core::Seed;
use percept_core::seed::Normal;
use rayon::prelude::*;

use super::energy::gaussian;
use super::subject::Phantom;

/// Integers per percent signal change.
pub const UNITS_PER_PERCENT: f32 = 300.0;
/// Shares of the noise variance: smooth in the volume, common to all voxels, independent.
const NOISE_SHARES: [f32; 3] = [0.42, 0.06, 0.52];
/// Standard deviation of the smoothing in voxels.
const SMOOTHNESS: f32 = 1.1;
/// Standard deviation of a session's gain: common, and per voxel.
const GAIN_DRIFT: [f32; 2] = [0.08, 0.05];
/// Standard deviation of a session's offset in units of the signal's.
const OFFSET_DRIFT: f32 = 0.5;
/// Change of the offset from the beginning to the end of a session in units of the noise's standard deviation.
const SLOPE_DRIFT: f32 = 0.2;
/// Standard deviation of noise where there is no cortex, percent signal change.
const WHITE_NOISE: f32 = 1.2;

/// What is the same in all sessions for each voxel of the brain.
pub(super) struct Scanner {
    noise: Vec<f32>,
    /// Standard deviation that blurred white noise has at each voxel of the brain.
    smooth_deviation: Vec<f32>,
    kernel: Vec<f32>,
    /// For each voxel, the session that missed it.
    missed: Vec<Option<usize>>,
    /// Cortical voxel at each position of the brain.
    cortical: Vec<Option<usize>>,
}

impl Scanner {
    pub(super) fn new(phantom: &Phantom) -> Self {
        let cortex = phantom.cortex();
        let mut cortical = vec![None; cortex.brain.len()];
        for (voxel, &position) in cortex.in_brain.iter().enumerate() {
            cortical[position] = Some(voxel);
        }
        let mut noise = vec![WHITE_NOISE; cortex.brain.len()];
        for (tuning, &position) in phantom.tuning().iter().zip(&cortex.in_brain) {
            // The noise that makes the ratio what the truth says; capped where there is hardly any signal.
            noise[position] = (tuning.amplitude / tuning.ncsnr.max(1e-3)).min(6.0);
        }
        // Rim: the highest voxels outside of `nsdgeneral`, last in the order of offsets.
        let silent = |position: &usize| {
            cortical[*position].is_none_or(|voxel: usize| phantom.tuning()[voxel].voxel.area.nsdgeneral() == 0)
        };
        let rim: Vec<usize> = (0..cortex.brain.len()).rev().filter(silent).take(8).collect();
        let mut missed = vec![None; cortex.brain.len()];
        for (number, &position) in rim.iter().enumerate() {
            if number % 2 == 0 {
                noise[position] = 60.0;
            } else {
                missed[position] = Some(number % phantom.params().n_sessions);
            }
        }
        let kernel = gaussian(SMOOTHNESS);
        let smooth_deviation = smooth_deviation(phantom, &kernel);
        Self { noise, smooth_deviation, kernel, missed, cortical }
    }

    /// The betas of a session.
    ///
    /// # Shapes
    /// trials × voxels of the brain.
    pub(super) fn betas(&self, phantom: &Phantom, session: usize) -> Array2<i16> {
        let n_voxels = self.noise.len();
        let seed = phantom.subject_seed().named("session").at(session as u64);
        let mut normal = Normal::new(seed.named("drift").stream());
        let mut draw = || normal.draw() as f32;
        let common_gain = (GAIN_DRIFT[0] * draw()).exp();
        let drift: Vec<[f32; 3]> = (0..n_voxels)
            .map(|position| {
                let amplitude = self.cortical[position].map_or(0.4, |voxel| phantom.tuning()[voxel].amplitude);
                let gain = common_gain * (GAIN_DRIFT[1] * draw()).exp();
                [gain, OFFSET_DRIFT * amplitude * draw(), SLOPE_DRIFT * self.noise[position] * draw()]
            })
            .collect();

        let stimuli: Vec<usize> = phantom.schedule().stimuli(phantom.params().subject - 1, session).collect();
        let n_trials = stimuli.len();
        let mut betas = Array2::<i16>::zeros((n_trials, n_voxels));
        betas.axis_iter_mut(Axis(0)).into_par_iter().zip(&stimuli).enumerate().for_each(
            |(trial, (mut row, &stimulus))| {
                let noise = self.noise(phantom, seed.named("trial").at(trial as u64));
                let signal = phantom.signal().row(stimulus);
                let time = (trial as f32 + 0.5) / n_trials as f32 - 0.5;
                for (position, out) in row.iter_mut().enumerate() {
                    if self.missed[position] == Some(session) {
                        continue;
                    }
                    let response = self.cortical[position].map_or(0.2, |voxel| {
                        let tuning = &phantom.tuning()[voxel];
                        tuning.mean + tuning.amplitude * signal[voxel]
                    });
                    let [gain, offset, slope] = drift[position];
                    let percent = gain * (response + self.noise[position] * noise[position]) + offset + slope * time;
                    // As MATLAB's `int16`: to the nearest, and to the limits beyond them.
                    *out = (percent * UNITS_PER_PERCENT).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
                }
            },
        );
        betas
    }

    /// Unit noise of one trial for the voxels of the brain.
    fn noise(&self, phantom: &Phantom, seed: Seed) -> Vec<f32> {
        let cortex = phantom.cortex();
        let smooth = blur(seed.named("smooth").normal(cortex.n_volume()), cortex.shape, &self.kernel);
        let own = seed.named("own").normal(cortex.brain.len() + 1);
        let common = own[cortex.brain.len()];
        let [a, b, c] = NOISE_SHARES.map(f32::sqrt);
        let voxels = cortex.brain.iter().zip(&self.smooth_deviation).zip(&own);
        voxels.map(|((&offset, deviation), own)| a * smooth[offset] / deviation + b * common + c * own).collect()
    }
}

/// Separable blur, zero outside of the volume.
fn blur(mut data: Vec<f32>, shape: [usize; 3], kernel: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; data.len()];
    let mut stride = 1;
    for length in shape {
        out.fill(0.0);
        for (block, out) in data.chunks_exact(stride * length).zip(out.chunks_exact_mut(stride * length)) {
            for at in 0..length {
                let first = at.saturating_sub(kernel.len() - 1);
                let last = (at + kernel.len()).min(length);
                let target = &mut out[at * stride..(at + 1) * stride];
                for source in first..last {
                    let weight = kernel[source.abs_diff(at)];
                    let source = &block[source * stride..(source + 1) * stride];
                    target.iter_mut().zip(source).for_each(|(target, source)| *target += weight * source);
                }
            }
        }
        std::mem::swap(&mut data, &mut out);
        stride *= length;
    }
    data
}

fn smooth_deviation(phantom: &Phantom, kernel: &[f32]) -> Vec<f32> {
    let cortex = phantom.cortex();
    let squares = cortex.shape.map(|length| -> Vec<f32> {
        (0..length)
            .map(|at| {
                (0..length).filter_map(|other| kernel.get(other.abs_diff(at))).map(|weight| weight * weight).sum()
            })
            .collect()
    });
    let [nx, ny, _] = cortex.shape;
    let deviation =
        |offset: usize| (squares[0][offset % nx] * squares[1][offset / nx % ny] * squares[2][offset / nx / ny]).sqrt();
    cortex.brain.iter().map(|&offset| deviation(offset)).collect()
}

impl Phantom {
    /// The betas of a session (number from 0 on), [`UNITS_PER_PERCENT`] integers per percent signal change.
    ///
    /// # Shapes
    /// trials × voxels of the brain ([`brain`](super::cortex::Cortex::brain)); [`in_brain`](super::cortex::Cortex::in_brain) finds the
    /// cortical ones.
    pub fn betas(&self, session: usize) -> Array2<i16> {
        Scanner::new(self).betas(self, session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurring_a_point_gives_the_separable_kernel() {
        let kernel = gaussian(0.8);
        let shape = [7, 6, 5];
        let mut data = vec![0.0; 7 * 6 * 5];
        data[3 + 7 * (2 + 6 * 2)] = 1.0;
        let out = blur(data, shape, &kernel);
        let at = |x: usize, y: usize, z: usize| out[x + 7 * (y + 6 * z)];
        assert!((at(3, 2, 2) - kernel[0].powi(3)).abs() < 1e-6);
        assert!((at(4, 2, 1) - kernel[1] * kernel[0] * kernel[1]).abs() < 1e-6);
        assert!((at(1, 4, 2) - kernel[2] * kernel[2] * kernel[0]).abs() < 1e-6);
    }
}
