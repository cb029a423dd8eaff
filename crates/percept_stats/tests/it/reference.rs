//! Agreement with NumPy, SciPy, scikit-image and scikit-learn.

use ndarray::{Array2, Array4};
use percept_core::Seed;
use percept_stats::identification::{Dialect, two_way, two_way_in};
use percept_stats::{bootstrap, clusters, correlation, image, significance};
use serde_json::Value;

/// Both sides compute in f64.
const SAME: f64 = 1e-12;
/// The bootstrap interval of 200,000 draws against one of 20,000 with other random numbers: Monte-Carlo error of a
/// 2.5 % quantile of a mean with standard error 0.16.
const MONTE_CARLO: f64 = 0.012;

fn golden() -> Value {
    serde_json::from_str(include_str!("../data/reference/golden.json")).expect("valid JSON")
}

fn numbers(golden: &Value, name: &str) -> Vec<f64> {
    golden[name].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn matrix(golden: &Value, name: &str) -> Array2<f32> {
    let values = numbers(golden, name).into_iter().map(|value| value as f32).collect();
    Array2::from_shape_vec((6, 9), values).expect("6 × 9")
}

fn images(golden: &Value, name: &str) -> Array4<f32> {
    let values = numbers(golden, name).into_iter().map(|value| value as f32).collect();
    Array4::from_shape_vec((3, 20, 24, 3), values).expect("three images")
}

/// Values that are all defined.
fn all(values: Vec<Option<f64>>) -> Vec<f64> {
    values.into_iter().map(|value| value.expect("defined")).collect()
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn image_metrics_are_those_of_numpy_and_scikit_image() {
    let golden = golden();
    let (pred, truth) = (images(&golden, "pred"), images(&golden, "truth"));
    let pixcorr = all(image::pixcorr(pred.view(), truth.view()).expect("same shape").values);
    assert_close(&pixcorr, &numbers(&golden, "pixcorr"), SAME);
    let ssim = image::ssim(pred.view(), truth.view()).expect("large enough");
    assert_close(&ssim, &numbers(&golden, "ssim"), SAME);
    let columns = image::ssim_columns(pred.view(), truth.view()).expect("large enough");
    assert_close(&columns, &numbers(&golden, "ssim_columns"), SAME);
    assert_close(&image::mse(pred.view(), truth.view()).expect("same shape"), &numbers(&golden, "image_mse"), SAME);
    assert!(ssim.iter().zip(&columns).all(|(a, b)| (a - b).abs() > 1e-3), "the dialects differ");
}

#[test]
fn correlations_and_r2_are_those_of_numpy_and_scikit_learn() {
    let golden = golden();
    let (x, y) = (matrix(&golden, "x"), matrix(&golden, "y"));
    assert_close(&all(correlation::rows(x.view(), y.view()).expect("shapes").values), &numbers(&golden, "rows"), SAME);
    assert_close(
        &all(correlation::columns(x.view(), y.view()).expect("shapes").values),
        &numbers(&golden, "columns"),
        SAME,
    );
    let r2 = all(correlation::r2_columns(x.view(), y.view()).expect("shapes").values);
    assert_close(&r2, &numbers(&golden, "r2_columns"), SAME);
}

#[test]
fn cosines_squared_errors_and_identification_by_cosine_are_those_of_scikit_learn() {
    let golden = golden();
    let (c, d) = (matrix(&golden, "c"), matrix(&golden, "d"));
    let cosines = all(correlation::cosine_rows(c.view(), d.view()).expect("shapes").values);
    assert_close(&cosines, &numbers(&golden, "cosine_rows"), SAME);
    assert_close(&correlation::mse_rows(c.view(), d.view()).expect("shapes"), &numbers(&golden, "mse_rows"), SAME);
    let labels: Vec<usize> = (0..6).collect();
    let found = all(clusters::two_way_cosine(c.view(), d.view(), &labels).expect("shapes").scores.values);
    assert_close(&found, &numbers(&golden, "cosine_two_way"), SAME);
    let correlated = all(clusters::two_way(c.view(), d.view(), &labels).expect("shapes").scores.values);
    assert!(correlated != found, "the common part matters");
}

#[test]
fn a_paired_comparison_of_labelled_items_is_that_of_scipy_up_to_monte_carlo_error() {
    let golden = golden();
    let labels: Vec<usize> = numbers(&golden, "labels").into_iter().map(|label| label as usize).collect();
    let (first, second) = (numbers(&golden, "first"), numbers(&golden, "second"));
    let found = clusters::paired_difference(&first, &second, &labels, Seed::new(1), 20_000).expect("valid");
    assert_close(&[found.mean], &[golden["paired_mean"].as_f64().expect("a number")], SAME);
    let interval = [found.interval.low, found.interval.high];
    assert_close(&interval, &numbers(&golden, "paired_interval"), MONTE_CARLO);
    assert_close(&[found.p], &[golden["paired_p"].as_f64().expect("a number")], MONTE_CARLO);
}

#[test]
fn identification_is_that_of_the_loops() {
    let golden = golden();
    let (x, y) = (matrix(&golden, "x"), matrix(&golden, "y"));
    assert_close(
        &all(two_way(x.view(), y.view()).expect("shapes").scores.values),
        &numbers(&golden, "among_truths"),
        SAME,
    );
    let other = all(two_way_in(Dialect::AmongPredictions, x.view(), y.view()).expect("shapes").scores.values);
    assert_close(&other, &numbers(&golden, "among_predictions"), SAME);
}

#[test]
fn p_values_thresholds_and_adjusted_values_are_those_of_scipy() {
    let golden = golden();
    let found = significance::false_discovery(&numbers(&golden, "p_values"), 0.05).expect("in range");
    assert_close(&found.adjusted, &numbers(&golden, "adjusted"), 1e-15);
    for (adjusted, rejected) in found.adjusted.iter().zip(&found.rejected) {
        assert_eq!(*adjusted <= 0.05, *rejected);
    }
    for case in golden["correlation_p"].as_array().expect("a list") {
        let [r, n, p] = [0, 1, 2].map(|i| case[i].as_f64().expect("a number"));
        let found = significance::correlation_p(r, n as usize).expect("in range");
        assert!((found - p).abs() <= 1e-11 * p, "r {r} n {n}: {found:e} {p:e}");
    }
    for case in golden["correlation_threshold"].as_array().expect("a list") {
        let [n, p, r] = [0, 1, 2].map(|i| case[i].as_f64().expect("a number"));
        let found = significance::correlation_threshold(n as usize, p).expect("in range");
        assert!((found - r).abs() <= 1e-11, "n {n} p {p}: {found} {r}");
    }
}

#[test]
fn the_bootstrap_interval_is_that_of_scipy_up_to_monte_carlo_error() {
    let golden = golden();
    let interval = bootstrap::mean_interval(&numbers(&golden, "values"), Seed::new(1), 20_000).expect("values");
    assert_close(&[interval.low, interval.high], &numbers(&golden, "interval"), MONTE_CARLO);
}
