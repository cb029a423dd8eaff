//! Detrending, events to volumes, delays and haemodynamic responses against SciPy and plain NumPy.

use ndarray::{Array2, ArrayView2};
use percept_signal::{
    Hrf, Lanczos, Trend, Volumes, averaged, averaged_spans, convolved, delayed, delayed_mean, detrend, lanczos,
};
use serde_json::Value;

/// Values of the golden file have nine digits, ours are rounded to f32; both are below 40.
const ROUNDING: f64 = 1e-6;

fn golden() -> Value {
    serde_json::from_str(include_str!("../data/series/golden.json")).expect("valid JSON")
}

fn numbers(golden: &Value, name: &str) -> Vec<f64> {
    golden[name].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn labels(golden: &Value, name: &str) -> Vec<usize> {
    numbers(golden, name).into_iter().map(|label| label as usize).collect()
}

fn matrix(golden: &Value, name: &str, columns: usize) -> Array2<f32> {
    let values: Vec<f32> = numbers(golden, name).into_iter().map(|value| value as f32).collect();
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

fn assert_close(found: ArrayView2<'_, f32>, golden: &Value, name: &str) {
    let expected = numbers(golden, name);
    assert_eq!(found.len(), expected.len(), "{name}");
    for (position, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= ROUNDING * expected.abs().max(1.0), "{name} {position}: {found} {expected}");
    }
}

#[test]
fn drifts_are_those_of_scipy_and_least_squares() {
    let golden = golden();
    let run = labels(&golden, "run");
    let training: Vec<bool> =
        golden["training"].as_array().expect("a list").iter().map(|value| value.as_bool().expect("a flag")).collect();
    for (name, trend, trained) in [
        ("median_9", Trend::Median { width: 9 }, None),
        ("median_12", Trend::Median { width: 12 }, None),
        ("median_80", Trend::Median { width: 80 }, None),
        ("savgol_11_3", Trend::SavitzkyGolay { width: 11, order: 3 }, None),
        ("savgol_21_2", Trend::SavitzkyGolay { width: 21, order: 2 }, None),
        ("polynomial_2", Trend::Polynomial { order: 2 }, None),
        ("polynomial_2_training", Trend::Polynomial { order: 2 }, Some(&training[..])),
        ("linear_scipy", Trend::Polynomial { order: 1 }, None),
        ("cosine_30", Trend::Cosine { period_secs: 30.0, tr_secs: 1.5 }, None),
    ] {
        let mut x = matrix(&golden, "x", 3);
        detrend(x.view_mut(), &run, trend, trained).expect("fits");
        assert_close(x.view(), &golden, name);
    }
}

#[test]
fn twenty_random_problems_of_events_to_volumes_and_delays_are_those_of_numpy() {
    for problem in golden()["problems"].as_array().expect("a list") {
        let features = matrix(problem, "features", 2);
        let number = |name: &str| problem[name].as_f64().expect("a number");
        let volumes =
            Volumes { n_volumes: number("n_volumes") as usize, tr_secs: number("tr"), first_secs: number("first") };
        let (onset, end) = (numbers(problem, "onset"), numbers(problem, "end"));
        let mean = averaged(features.view(), &onset, &volumes).expect("fits");
        assert_close(mean.features.view(), problem, "mean");
        let spans = averaged_spans(features.view(), &onset, &end, &volumes).expect("fits");
        assert_close(spans.features.view(), problem, "spans");
        let kernel = Lanczos { lobes: number("lobes") as usize, cutoff: number("cutoff") };
        let resampled = lanczos(features.view(), &onset, &volumes.middles_secs(), kernel).expect("fits");
        assert_close(resampled.view(), problem, "lanczos");
        let label = labels(problem, "label");
        let delays: Vec<isize> = numbers(problem, "delays").into_iter().map(|delay| delay as isize).collect();
        let columns = delayed(features.view(), &label, &delays).expect("fits");
        assert_close(columns.features.view(), problem, "columns");
        let mean = delayed_mean(features.view(), &label, &delays).expect("fits");
        assert_close(mean.features.view(), problem, "averaged");
    }
}

#[test]
fn haemodynamic_responses_are_those_of_scipy() {
    let golden = golden();
    for (name, hrf) in [("spm", Hrf::SPM), ("glover", Hrf::GLOVER)] {
        let expected = numbers(&golden, name);
        let found = hrf.sampled(1.5, 1.5 * expected.len() as f64).expect("valid");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
        }
    }
    let kernel = Hrf::SPM.sampled(1.5, 33.0).expect("valid");
    let x = matrix(&golden, "x", 3);
    let found = convolved(x.view(), &labels(&golden, "run"), &kernel).expect("fits");
    assert_close(found.view(), &golden, "convolved");
}
