//! Filters, resampling and spectra: those of SciPy and MNE, and the same bits however a signal is cut.

use ndarray::{Array2, Axis, concatenate, s};
use percept_core::Seed;
use percept_signal::{
    Band, Reference, Resampler, RunningZscore, Sos, Start, Surrogate, Welch, butterworth, gaussian_ranks, line_noise,
    notch, rereference, surrogate, whiten, zscore_whole,
};
use rand::Rng;
use serde_json::Value;

/// Golden values have 11 digits and reach about 60.
const CLOSE: f64 = 2e-8;
const RATE: f64 = 250.0;

fn golden() -> Value {
    serde_json::from_str(include_str!("../data/filters/golden.json")).expect("valid JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let values = numbers(value);
    Array2::from_shape_vec((values.len() / 2, 2), values).expect("two channels")
}

fn assert_close(found: &Array2<f64>, expected: &Array2<f64>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < CLOSE * expected.abs().max(1.0), "{what}, {i}: {found} {expected}");
    }
}

fn band(kind: &str, edges: &[f64]) -> Band {
    match kind {
        "lowpass" => Band::Low(edges[0]),
        "highpass" => Band::High(edges[0]),
        "bandpass" => Band::Pass(edges[0], edges[1]),
        _ => Band::Stop(edges[0], edges[1]),
    }
}

fn noise(n: usize, n_channels: usize) -> Array2<f64> {
    let values = Seed::new(4).normal(n * n_channels);
    Array2::from_shape_vec((n, n_channels), values.into_iter().map(f64::from).collect()).expect("fits")
}

#[test]
fn butterworth_filters_are_those_of_scipy_in_every_direction() {
    let golden = golden();
    let x = matrix(&golden["x"]);
    for (name, expected) in golden["filters"].as_object().expect("filters") {
        let order = expected["order"].as_u64().expect("an order") as usize;
        let kind = band(expected["kind"].as_str().expect("a kind"), &numbers(&expected["edges"]));
        let filter = butterworth(order, kind, RATE).expect("possible");
        assert_close(&filter.filter(x.view()), &matrix(&expected["forward"]), name);
        let mut steady = x.clone();
        filter.running(2, Start::First).push(&mut steady);
        assert_close(&steady, &matrix(&expected["steady"]), name);
        assert_close(&filter.filter_both_ways(x.view()).expect("long enough"), &matrix(&expected["both"]), name);
        assert!(filter.filter_both_ways(x.slice(s![..9, ..])).is_none() || order < 2);
    }
}

#[test]
fn a_notch_is_scipys_and_a_band_is_mnes() {
    let golden = golden();
    let x = matrix(&golden["x"]);
    let found = notch(50.0, 25.0, RATE).expect("possible").filter(x.view());
    assert_close(&found, &matrix(&golden["notch"]), "notch");
    let found = butterworth(4, Band::Pass(6.0, 10.0), RATE).expect("possible").filter(x.view());
    assert_close(&found, &matrix(&golden["mne_forward"]), "mne");
    let all = line_noise(50.0, 2.0, 1000.0).expect("possible");
    assert_eq!(all.0.len(), 9);
    for harmonic in 1..=9 {
        assert!(all.response(0.05 * f64::from(harmonic)).0 < 1e-9);
    }
    assert!(all.response(0.075).0 > 0.99);
}

#[test]
fn resampling_is_scipys_with_a_line_beyond_the_ends() {
    let golden = golden();
    let x = matrix(&golden["x"]);
    for (ratio, expected) in golden["resampled"].as_object().expect("ratios") {
        let (up, down) = ratio.split_once('/').expect("a ratio");
        let resampler = Resampler::new(up.parse().expect("a number"), down.parse().expect("a number")).expect("simple");
        assert_close(&resampler.apply(x.view()), &matrix(expected), ratio);
    }
    assert!(Resampler::new(0, 1).is_err() && Resampler::new(1_000_003, 1_000_033).is_err());
}

#[test]
fn spectra_whitening_and_ranks_are_scipys() {
    let golden = golden();
    let x = matrix(&golden["x"]);
    let column = |values: Vec<f64>| Array2::from_shape_vec((values.len(), 1), values).expect("a column");
    let spectrum = Welch::new(32).of(&x.column(0).to_vec(), RATE).expect("long enough");
    assert_close(&column(spectrum.density.clone()), &column(numbers(&golden["welch"])), "welch");
    assert!(Welch::new(128).of(&[0.0; 100], RATE).is_none());
    assert_close(&whiten(x.view(), 0.1), &matrix(&golden["whitened"]), "whitened");
    let mut ranks: Vec<f64> = x.column(0).iter().take(50).map(|value| value.round_ties_even()).collect();
    gaussian_ranks(&mut ranks);
    assert_close(&column(ranks), &column(numbers(&golden["ranks"])), "ranks");
}

#[test]
fn any_cut_into_blocks_gives_the_same_bits() {
    let x = noise(3000, 3);
    let filter: Sos = butterworth(4, Band::Pass(1.0, 40.0), RATE).expect("possible");
    let mut random = Seed::new(1).stream();
    let whole = {
        let mut out = x.clone();
        filter.running(3, Start::First).push(&mut out);
        RunningZscore::new(3, 500.0).push(&mut out);
        out
    };
    let (mut running, mut scale) = (filter.running(3, Start::First), RunningZscore::new(3, 500.0));
    let mut parts = Vec::new();
    let mut at = 0;
    while at < x.nrows() {
        let to = (at + random.random_range(0..40)).min(x.nrows());
        let mut part = x.slice(s![at..to, ..]).to_owned();
        running.push(&mut part);
        scale.push(&mut part);
        parts.push(part);
        at = to;
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    assert_eq!(concatenate(Axis(0), &views).expect("same channels"), whole);
}

#[test]
fn a_running_z_score_does_not_drift_in_ten_million_samples() {
    let mut scale = RunningZscore::new(1, 1000.0);
    let mut block = Array2::zeros((1000, 1));
    let mut last = Vec::new();
    for round in 0..10_000u32 {
        // An offset a million times larger than what varies around it.
        for (i, value) in block.iter_mut().enumerate() {
            *value = 1e6 + f64::from((round * 7919 + i as u32 * 104_729) % 1009) / 1009.0;
        }
        scale.push(&mut block);
        last = block.iter().copied().collect();
    }
    let mean = last.iter().sum::<f64>() / 1000.0;
    let square = last.iter().map(|v| v * v).sum::<f64>() / 1000.0;
    assert!(mean.abs() < 0.1 && (square - 1.0).abs() < 0.1, "{mean} {square}");
}

#[test]
fn references_take_away_what_they_name() {
    let x = ndarray::array![[1.0, 2.0, 6.0], [4.0, 4.0, 1.0]];
    let with = |reference| {
        let mut block = x.clone();
        rereference(&mut block, &reference);
        block
    };
    assert_eq!(with(Reference::Average), ndarray::array![[-2.0, -1.0, 3.0], [1.0, 1.0, -2.0]]);
    assert_eq!(with(Reference::Median), ndarray::array![[-1.0, 0.0, 4.0], [0.0, 0.0, -3.0]]);
    assert_eq!(with(Reference::Channel(0)), ndarray::array![[0.0, 1.0, 5.0], [0.0, 0.0, -3.0]]);
    assert_eq!(with(Reference::Bipolar), ndarray::array![[0.0, 1.0, 4.0], [0.0, 0.0, -3.0]]);
}

#[test]
fn surrogates_keep_what_they_promise_and_lose_the_rest() {
    let x = butterworth(2, Band::Low(10.0), RATE).expect("possible").filter(noise(2001, 2).view());
    let seed = Seed::new(5);
    // Around the end, a signal's products with itself are what its spectrum says.
    let turned = |x: &Array2<f64>, by: usize| {
        let column = x.column(1);
        (0..2001).map(|i| column[i] * column[(i + by) % 2001]).sum::<f64>()
    };
    let phases = surrogate(x.view(), Surrogate::Phases, seed);
    for by in [0, 1, 7, 60] {
        assert!((turned(&phases, by) / turned(&x, by) - 1.0).abs() < 1e-9, "{by}");
    }
    let product = |x: &Array2<f64>| x.column(0).dot(&x.column(1)) - x.column(0).sum() * x.column(1).sum() / 2001.0;
    assert!((product(&phases) - product(&x)).abs() < 1e-6 * product(&x).abs().max(1.0), "channels stay together");
    let shuffled = surrogate(x.view(), Surrogate::Shuffled, seed);
    let sorted = |x: &Array2<f64>| {
        let mut values = x.column(0).to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    assert_eq!(sorted(&shuffled), sorted(&x));
    let white = surrogate(x.view(), Surrogate::White, seed);
    assert!((white.std_axis(Axis(0), 0.0)[0] / x.std_axis(Axis(0), 0.0)[0] - 1.0).abs() < 0.1);
    assert_ne!(phases, surrogate(x.view(), Surrogate::Phases, Seed::new(6)));
}

#[test]
fn a_vector_is_scaled_as_a_whole_and_a_constant_one_is_zero() {
    let mut values = [1.0, 3.0, 1.0, 3.0];
    zscore_whole(&mut values);
    assert_eq!(values, [-1.0, 1.0, -1.0, 1.0]);
    let mut constant = [5.0; 3];
    zscore_whole(&mut constant);
    assert_eq!(constant, [0.0; 3]);
}

#[test]
fn filters_that_cannot_be_are_refused() {
    for (order, band) in [
        (0, Band::Low(1.0)),
        (13, Band::Low(1.0)),
        (2, Band::Low(0.0)),
        (2, Band::High(125.0)),
        (2, Band::Pass(9.0, 4.0)),
        (2, Band::Low(f64::NAN)),
    ] {
        assert!(butterworth(order, band, RATE).is_err(), "{order} {band:?}");
    }
    assert!(notch(50.0, 0.0, RATE).is_err() && notch(200.0, 20.0, RATE).is_err());
}
