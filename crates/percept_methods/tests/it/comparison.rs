//! Metrics and paired differences of a run, computed again from its pictures by plain loops.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array3;
use percept_core::Outcome;
use percept_core::{DifferenceRow, ScoreRow};

use crate::double::{COLOURS, SIDE};
use crate::study::{self, N_TEST};

const ALL: &str = "evaluate.metrics=[\"mse\", \"pixcorr\", \"ssim\", \"latent_mse\", \"latent_pcc\", \"context_cosine\", \
                   \"context_pairwise\", \"twoway_pixel\", \"twoway_clip\"]";
const METRICS: [&str; 9] = [
    "mse",
    "pixcorr",
    "ssim",
    "latent_mse",
    "latent_pcc",
    "context_cosine",
    "context_pairwise",
    "twoway_pixel",
    "twoway_clip",
];
/// Both sides compute in f64 from values that were rounded to f32.
const SAME: f64 = 1e-6;

fn measured(overrides: &[&str]) -> (tempfile::TempDir, Outcome) {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let out = tempfile::tempdir().expect("temporary folder");
    let overrides = [&[ALL][..], overrides].concat();
    let outcome = study::run(&study::experiment(data.path(), &overrides), out.path(), None).expect("run");
    (out, outcome)
}

fn row<'a>(outcome: &'a Outcome, method: &str, metric: &str) -> Option<&'a ScoreRow> {
    outcome.scores.iter().find(|row| row.method == method && row.metric == metric)
}

fn value(outcome: &Outcome, method: &str, metric: &str) -> f64 {
    row(outcome, method, metric).expect("scored").value
}

/// A picture of the run in 0..=1.
fn picture(out: &Path, path: &str) -> Array3<f64> {
    percept_io::picture::read(out.join(path)).expect("a picture").mapv(|level| f64::from(level) / 255.0)
}

/// The latent of the closed-form model: the mean colour of each block, about 0.
fn latent(picture: &Array3<f64>) -> Vec<f64> {
    let mut values = Vec::new();
    for channel in 0..3 {
        for y in (0..SIDE).step_by(4) {
            for x in (0..SIDE).step_by(4) {
                let block = picture.slice(ndarray::s![y..y + 4, x..x + 4, channel]);
                values.push(block.iter().sum::<f64>() / 16.0 - 0.5);
            }
        }
    }
    values
}

/// Mean over items and samples of `score` of the reconstruction and its stimulus.
fn mean_over(out: &Path, outcome: &Outcome, method: &str, score: impl Fn(&Array3<f64>, &Array3<f64>) -> f64) -> f64 {
    let arm = outcome.arms.iter().position(|arm| arm.name == method).expect("this arm");
    let mut total = 0.0;
    for item in &outcome.items {
        let truth = picture(out, &item.stimulus);
        let made = &item.arms[arm].pictures;
        total += made.iter().map(|path| score(&picture(out, path), &truth)).sum::<f64>() / made.len() as f64;
    }
    total / outcome.items.len() as f64
}

#[test]
fn squared_errors_of_pixels_and_latents_are_those_of_plain_loops() {
    let (out, outcome) = measured(&[]);
    for method in ["z", "z+c", "mean", "pixel_ridge"] {
        let pixels = mean_over(out.path(), &outcome, method, |made, truth| {
            // On the scale −1..1.
            let squares = made.iter().zip(truth).map(|(a, b)| ((2.0 * a - 1.0) - (2.0 * b - 1.0)).powi(2));
            squares.sum::<f64>() / (SIDE * SIDE * 3) as f64
        });
        assert!((value(&outcome, method, "mse") - pixels).abs() < SAME, "{method}");
        let latents = mean_over(out.path(), &outcome, method, |made, truth| {
            let (a, b) = (latent(made), latent(truth));
            a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64
        });
        assert!((value(&outcome, method, "latent_mse") - latents).abs() < SAME, "{method}");
        let correlated = mean_over(out.path(), &outcome, method, |made, truth| {
            let (a, b) = (latent(made), latent(truth));
            let n = a.len() as f64;
            let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
            let product = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| {
                a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>()
            };
            let norms = product(&a, mean_a, &a, mean_a) * product(&b, mean_b, &b, mean_b);
            product(&a, mean_a, &b, mean_b) / norms.sqrt()
        });
        assert!((value(&outcome, method, "latent_pcc") - correlated).abs() < SAME, "{method}");
    }
}

#[test]
fn contexts_are_scored_where_there_are_any_and_elsewhere_there_is_no_row() {
    let (out, outcome) = measured(&[]);
    for arm in &outcome.arms {
        let found: Vec<&str> =
            outcome.scores.iter().filter(|row| row.method == arm.name).map(|row| row.metric.as_str()).collect();
        let has_context = !["z", "pixel_ridge"].contains(&arm.name.as_str());
        let expected: Vec<&str> =
            METRICS.into_iter().filter(|metric| has_context || !metric.starts_with("context")).collect();
        assert_eq!(found, expected, "{}", arm.name);
        let arm_idx = outcome.arms.iter().position(|other| other.name == arm.name).expect("itself");
        assert!(outcome.items.iter().all(|item| item.arms[arm_idx].scores.len() == found.len()));
    }
    // The context of a test stimulus is its colour; a quarter of the stimuli have each, and equal contexts tie.
    for method in ["true", "true_c"] {
        assert!((value(&outcome, method, "context_cosine") - 1.0).abs() < 1e-12);
        let others = (N_TEST - 1) as f64;
        let same_colour = (N_TEST / COLOURS.len() - 1) as f64;
        assert!((value(&outcome, method, "context_pairwise") - (others - same_colour) / others).abs() < 1e-12);
    }
    // The mean brain is decoded to one context for all: what differs is how far each colour lies from it.
    let mean = value(&outcome, "mean", "context_cosine");
    let c = row(&outcome, "c", "context_cosine").expect("scored");
    assert!(mean < c.low && c.value < 1.0, "{mean} {c:?}");
    assert_eq!(value(&outcome, "c", "context_cosine"), value(&outcome, "z+c", "context_cosine"));

    let text = std::fs::read_to_string(out.path().join("scores_per_image.json")).expect("the file");
    let scores: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let z_first = &scores["scores"][0][0];
    assert!(z_first[5].is_null() && z_first[6].is_null() && z_first[7].is_f64(), "{z_first}");
    assert!(!text.contains("NaN"));
}

#[test]
fn experiments_without_a_trained_encoder_keep_their_four_metrics_and_every_metric_can_be_asked_for() {
    let data = tempfile::tempdir().expect("temporary folder");
    let metrics = |overrides: &[&str]| study::experiment(data.path(), overrides).evaluate.metrics.len();
    assert_eq!(metrics(&[]), 4);
    assert_eq!(metrics(&["methods=[\"c\", \"b2c\"]", "decoder=trained"]), METRICS.len());
    assert_eq!(metrics(&["evaluate.metrics=[\"mse\"]"]), 1);
}

#[test]
fn differences_are_those_of_the_scores_and_their_intervals_are_paired() {
    let (out, outcome) = measured(&[]);
    let text = std::fs::read_to_string(out.path().join("differences.json")).expect("the file");
    let rows: Vec<DifferenceRow> = serde_json::from_str(&text).expect("rows");
    assert_eq!(rows, outcome.differences);
    assert!(out.path().join("differences.parquet").is_file());
    let mut n_rows: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &rows {
        *n_rows.entry((&row.method, &row.reference)).or_default() += 1;
        let (method, reference) =
            (self::row(&outcome, &row.method, &row.metric), self::row(&outcome, &row.reference, &row.metric));
        let (method, reference) = (method.expect("scored"), reference.expect("scored"));
        assert!((row.value - (method.value - reference.value)).abs() < 1e-9, "{row:?}");
        assert!(row.low <= row.value && row.value <= row.high && row.p > 0.0 && row.n == N_TEST, "{row:?}");
        // What is easy for both drops out: never wider than two independent intervals.
        let apart = (method.high - method.low) + (reference.high - reference.low);
        assert!(row.high - row.low <= apart + 1e-12, "{row:?}");
    }
    // `z` has no context to compare.
    assert_eq!(n_rows, BTreeMap::from([(("z", "c"), 7), (("z+c", "c"), 9)]));
    let same = rows.iter().find(|row| row.method == "z+c" && row.metric == "context_cosine").expect("this row");
    assert_eq!((same.value, same.low, same.high, same.p), (0.0, 0.0, 0.0, 1.0));
    assert!(!same.excludes_zero());
    let pixels = rows.iter().find(|row| row.method == "z" && row.metric == "pixcorr").expect("this row");
    assert!(pixels.excludes_zero() && pixels.value > 0.0 && pixels.p < 0.05, "{pixels:?}");
}
