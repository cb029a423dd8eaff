//! Times one layer of an encoding analysis: 1,280 features of 22,262 seconds of film, voxels, 25 penalties, four folds by title.
//!
//! `cargo run --release -p percept_regress --example encoding_size -- N_VOXELS [N_SAMPLES]`; the peer is
//! `benches/peers/encoding_size.py ridge`. It says the time and the most memory that the process held.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use ndarray::{Array2, Axis, s};
use percept_core::Seed;
use percept_regress::{Folds, Pooling, RidgeCv, RidgeParams, Score};
use rayon::prelude::*;

const N_SAMPLES: usize = 22_262;
const N_FEATURES: usize = 1_280;

/// Standard normal numbers.
fn noise(seed: u64, rows: usize, columns: usize) -> Array2<f32> {
    let mut out = Array2::zeros((rows, columns));
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
        let values = Seed::new(seed).at(row as u64).normal(columns);
        out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    });
    out
}

/// The most memory that this process held, in GB; 0 where the system does not say.
fn peak_gb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kb| kb / 1e6)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let Some(&n_voxels) = sizes.first() else {
        println!("usage: encoding_size N_VOXELS [N_SAMPLES] (60000 is a brain)");
        return Ok(());
    };
    let n_samples = sizes.get(1).copied().unwrap_or(N_SAMPLES);
    let x = noise(1, n_samples, N_FEATURES);
    let mut y = noise(2, n_samples, n_voxels);
    let shared = n_voxels.min(N_FEATURES);
    y.slice_mut(s![.., ..shared]).zip_mut_with(&x.slice(s![.., ..shared]), |y, x| *y += 0.3 * x);
    let params = RidgeParams {
        alphas: (-12..13).map(|power| 10f64.powi(power)).collect(),
        score: Score::R2,
        pooling: Pooling::Folds,
        intercept: false,
        standardize: false,
        ..RidgeParams::default()
    };
    let title: Vec<usize> = (0..n_samples).map(|sample| sample * 4 / n_samples).collect();
    let before = peak_gb();
    let start = Instant::now();
    let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), Folds::by_label(&title)?, None)?;
    let seconds = start.elapsed().as_secs_f64();
    let mean = ridge.cv_score.iter().sum::<f64>() / n_voxels as f64;
    println!("{seconds:.1} s, {:.2} GB (of it data {before:.2}), mean score {mean:.6}", peak_gb());
    Ok(())
}
