//! Integration tests: agreement with SciPy and NumPy, independence of threads.

mod filters;
mod flow;
mod series;

mod sound;

use ndarray::Array2;
use percept_signal::{Cause, Deviation, Invalid, normalise_as_nsd_author, zscore_per_group};
use serde_json::Value;

/// Results are rounded once to f32; values are below 8.
const ROUNDING: f64 = 5e-7;

fn golden() -> Value {
    serde_json::from_str(include_str!("../data/normalise/golden.json")).expect("valid JSON")
}

fn matrix(golden: &Value, name: &str) -> Array2<f64> {
    let values: Vec<f64> =
        golden[name].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect();
    Array2::from_shape_vec((values.len() / 5, 5), values).expect("five units")
}

fn labels(golden: &Value, name: &str) -> Vec<usize> {
    golden[name].as_array().expect("a list").iter().map(|value| value.as_u64().expect("a label") as usize).collect()
}

fn assert_close(found: &Array2<f32>, expected: &Array2<f64>) {
    assert_eq!(found.dim(), expected.dim());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < ROUNDING, "{found} {expected}");
    }
}

fn expected_invalid() -> Vec<Invalid> {
    [(0, 4), (1, 2), (1, 4), (2, 4)].map(|(group, unit)| Invalid { group, unit, cause: Cause::Zero }).to_vec()
}

#[test]
fn z_scores_are_those_of_scipy() {
    let golden = golden();
    for (name, deviation) in [("population", Deviation::Population), ("sample", Deviation::Sample)] {
        let mut x = matrix(&golden, "x").mapv(|value| value as f32);
        let invalid = zscore_per_group(x.view_mut(), &labels(&golden, "session"), deviation).expect("fits");
        assert_close(&x, &matrix(&golden, name));
        assert_eq!(invalid, expected_invalid());
    }
}

#[test]
fn the_authors_recipe_is_that_of_the_steps_in_numpy() {
    let golden = golden();
    let x = matrix(&golden, "x").mapv(|value| value as f32);
    let found =
        normalise_as_nsd_author(x.view(), &labels(&golden, "session"), &labels(&golden, "stimulus")).expect("fits");
    assert_close(&found.data, &matrix(&golden, "author"));
    assert_eq!(found.stimuli, labels(&golden, "order"));
    assert_eq!(found.invalid, expected_invalid());
    assert_eq!(found.constant_units, vec![4]);
}

#[test]
fn the_unit_of_the_betas_does_not_matter_to_the_authors_recipe() {
    let golden = golden();
    let (session, stimulus) = (labels(&golden, "session"), labels(&golden, "stimulus"));
    let percent = matrix(&golden, "x");
    let stored = percent.mapv(|value| (value * 300.0).round() as f32);
    let percent = stored.mapv(|value| value / 300.0);
    let a = normalise_as_nsd_author(percent.view(), &session, &stimulus).expect("fits").data;
    let b = normalise_as_nsd_author(stored.view(), &session, &stimulus).expect("fits").data;
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn one_and_four_threads_give_the_same_bits() {
    let x = Array2::from_shape_fn((90, 1000), |(i, j)| ((i * 31 + j * 17) % 97) as f32 * 0.37 + j as f32 * 0.01);
    let session: Vec<usize> = (0..90).map(|sample| sample / 30).collect();
    let stimulus: Vec<usize> = (0..90).map(|sample| sample % 40).collect();
    let on = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(|| {
            let mut z = x.clone();
            let invalid = zscore_per_group(z.view_mut(), &session, Deviation::Population).expect("fits");
            (z, invalid, normalise_as_nsd_author(x.view(), &session, &stimulus).expect("fits"))
        })
    };
    assert_eq!(on(1), on(4));
}

#[test]
fn stimulus_labels_that_do_not_fit_are_named() {
    let x = Array2::<f32>::zeros((4, 2));
    let error = normalise_as_nsd_author(x.view(), &[0, 0, 1, 1], &[1]).expect_err("one label");
    assert_eq!(error.to_string(), "responses have 4 rows but `stimuli` has 1 (pass exactly one label per row)");
}
