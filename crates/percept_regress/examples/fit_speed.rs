//! Times a leave-one-image-out fit at the size of one early visual cortex and one latent, beside plain products of the
//! same size on the same threads at the same moment.
//!
//! `cargo run --release -p percept_regress --example fit_speed [n_samples n_features n_targets]`

#![allow(clippy::print_stdout)]

use std::time::Instant;

use ndarray::{Array2, Axis};
use percept_core::Seed;
use percept_regress::{Design, RidgeParams};
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
    let [n, p, t] = sizes[..] else {
        println!("usage: speed n_samples n_features n_targets (8640 1500 9856 is the reference size)");
        return Ok(());
    };
    let seed = Seed::new(1);
    let x = noise(seed.named("x"), n, p);
    let mut y = noise(seed.named("y"), n, t);
    y.slice_mut(ndarray::s![.., ..t.min(p)]).zip_mut_with(&x.slice(ndarray::s![.., ..t.min(p)]), |y, x| *y += x);
    let groups: Vec<usize> = (0..n).map(|sample| sample / 3).collect();
    let params = RidgeParams::default();

    let rate = || {
        // The plain product: 1024 stacked columns at a time on every thread, as the scores use it.
        let start = Instant::now();
        let tasks = 8;
        (0..tasks).into_par_iter().for_each(|_| {
            let a = vec![0.5f32; n * p];
            let b = vec![0.5f32; p * 1024];
            let mut c = vec![0f32; n * 1024];
            faer::linalg::matmul::matmul(
                faer::MatMut::from_row_major_slice_mut(&mut c, n, 1024),
                faer::Accum::Replace,
                faer::MatRef::from_row_major_slice(&a, n, p),
                faer::MatRef::from_column_major_slice(&b, p, 1024),
                1.0,
                faer::Par::Seq,
            );
        });
        2.0 * (n * p * 1024 * tasks) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    let before = rate();
    let start = Instant::now();
    let design = Design::grouped(x.view(), &groups, &params)?;
    let prepared = start.elapsed().as_secs_f64();
    let ridge = design.fit(y.view())?;
    let total = start.elapsed().as_secs_f64();
    let after = rate();
    let (n, p, t, a) = (n as f64, p as f64, t as f64, params.alphas.len() as f64);
    let r = p.min(n);
    // Gram, eigenvectors, samples in their basis, two projections of targets, scores, weights.
    let operations =
        n * p * r + 9.0 * r.powi(3) + 2.0 * n * p * r + 4.0 * n * r * t + 2.0 * n * r * t * a + 2.0 * p * r * t;
    println!("prepare {prepared:.2} s, fit {:.2} s, total {total:.2} s", total - prepared);
    println!(
        "{:.0} GFLOP: {:.0} GFLOP/s, plain product {before:.0} before and {after:.0} after",
        operations / 1e9,
        operations / 1e9 / total
    );
    println!(
        "edges {} low, {} high; condition {:.1}",
        ridge.report.edge_low, ridge.report.edge_high, ridge.report.condition
    );
    Ok(())
}
