//! Times a permutation test at the size of a film: all voxels of a brain, one set of permutations.
//!
//! `cargo run --release -p percept_stats --example permutation_speed -- [n_samples n_units n_permutations]`; the peer is
//! `benches/peers/encoding_size.py permutations`.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use ndarray::{Array2, Axis};
use percept_core::Seed;
use percept_stats::permutation::{Permutations, Shuffle, test_columns};
use percept_stats::significance::Side;
use rayon::prelude::*;

fn noise(seed: Seed, rows: usize, columns: usize) -> Array2<f32> {
    let mut out = Array2::zeros((rows, columns));
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
        out.iter_mut().zip(seed.at(row as u64).normal(columns)).for_each(|(out, value)| *out = value);
    });
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [n, units, permutations] = sizes[..] else {
        println!("usage: permutation_speed n_samples n_units n_permutations (7737 60000 1000 is a film)");
        return Ok(());
    };
    let (pred, truth) = (noise(Seed::new(1), n, units), noise(Seed::new(2), n, units));
    let run: Vec<usize> = (0..n).map(|sample| sample * 10 / n).collect();
    let start = Instant::now();
    let orders = Permutations::new(&run, Shuffle::Blocks { length: 10 }, permutations, Seed::new(3))?;
    let test = test_columns(pred.view(), truth.view(), &orders, Side::Greater)?;
    let seconds = start.elapsed().as_secs_f64();
    let products = n as f64 * units as f64 * permutations as f64;
    let small = test.p.iter().flatten().filter(|p| **p <= 0.05).count() as f64 / units as f64;
    println!("{seconds:.2} s, {:.1} G products a second, p ≤ 5 % in {:.2} %", products / seconds / 1e9, small * 100.0);
    Ok(())
}
