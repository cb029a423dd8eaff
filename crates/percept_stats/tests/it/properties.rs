//! Properties on simulated data: coverage of intervals, uniform p-values, chance.

use ndarray::Array2;
use percept_core::Seed;
use percept_stats::bootstrap::{mean_interval, paired_difference};
use percept_stats::identification::{TWO_WAY_CHANCE, two_way};
use percept_stats::significance::{correlation_p, permutation_p};

fn normal(seed: Seed, n: usize) -> Vec<f64> {
    seed.normal(n).into_iter().map(f64::from).collect()
}

/// Largest distance between the empirical distribution and the uniform one.
fn distance_to_uniform(mut p: Vec<f64>) -> f64 {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let gap = |(i, p): (usize, &f64)| (p - i as f64 / n).abs().max((p - (i + 1) as f64 / n).abs());
    p.iter().enumerate().map(gap).fold(0.0, f64::max)
}

/// Kolmogorov and Smirnov's 0.1 % critical distance for n values.
fn critical(n: usize) -> f64 {
    1.95 / (n as f64).sqrt()
}

#[test]
fn bootstrap_intervals_cover_the_true_mean_as_often_as_they_claim() {
    let n_runs: usize = 600;
    let covered = (0..n_runs as u64)
        .filter(|&run| {
            let seed = Seed::new(3).at(run);
            let values: Vec<f64> = normal(seed.named("data"), 60).iter().map(|value| value + 2.0).collect();
            mean_interval(&values, seed.named("bootstrap"), 400).expect("values").contains(2.0)
        })
        .count();
    // Percentile intervals of 60 values cover about 94 %; four standard errors of 600 runs are 4 %.
    let share = covered as f64 / n_runs as f64;
    assert!((0.90..0.98).contains(&share), "{share}");
}

#[test]
fn p_of_a_correlation_is_uniform_when_there_is_none() {
    let n_runs = 2000;
    let p: Vec<f64> = (0..n_runs)
        .map(|run| {
            let seed = Seed::new(4).at(run as u64);
            let (a, b) = (normal(seed.named("a"), 15), normal(seed.named("b"), 15));
            let r = percept_stats::correlation::pearson(
                ndarray::ArrayView1::from(&a[..]),
                ndarray::ArrayView1::from(&b[..]),
            );
            correlation_p(r.expect("varies"), 15).expect("in range")
        })
        .collect();
    assert!(distance_to_uniform(p) < critical(n_runs));
}

#[test]
fn permutation_and_sign_flip_p_are_uniform_under_the_null() {
    let n_runs = 1000;
    let (mut permutation, mut flips) = (Vec::new(), Vec::new());
    for run in 0..n_runs {
        let seed = Seed::new(5).at(run as u64);
        let null = normal(seed.named("null"), 199);
        permutation.push(permutation_p(normal(seed.named("observed"), 1)[0], &null).expect("finite"));
        let (a, b) = (normal(seed.named("a"), 20), normal(seed.named("b"), 20));
        flips.push(paired_difference(&a, &b, seed.named("test"), 199).expect("same length").p);
    }
    // p takes the values k/200, so its distribution lies up to 1/200 beside the uniform one.
    assert!(distance_to_uniform(permutation) < critical(n_runs) + 0.005);
    assert!(distance_to_uniform(flips) < critical(n_runs) + 0.005);
}

#[test]
fn a_real_difference_between_methods_is_found_and_its_interval_excludes_zero() {
    let shared = normal(Seed::new(6).named("items"), 100);
    let noise = normal(Seed::new(6).named("noise"), 100);
    let better: Vec<f64> = shared.iter().zip(&noise).map(|(item, noise)| item + 0.1 + 0.1 * noise).collect();
    let found = paired_difference(&better, &shared, Seed::new(7), 999).expect("same length");
    assert!((found.mean - 0.1).abs() < 0.04 && found.p < 0.002 && found.interval.low > 0.0, "{found:?}");
}

#[test]
fn unrelated_predictions_are_identified_at_chance_and_threads_do_not_matter() {
    let (n, d) = (120, 5000);
    let draw = |name: &str| Array2::from_shape_vec((n, d), Seed::new(8).named(name).normal(n * d)).expect("n × d");
    let (pred, truth) = (draw("pred"), draw("truth"));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| two_way(pred.view(), truth.view()).expect("same shape"))
    };
    let scores = on(1);
    assert_eq!(scores, on(4));
    let mean = scores.scores.mean().expect("defined");
    assert!((mean - TWO_WAY_CHANCE).abs() < 0.1, "{mean}");
}
