//! Banded ridge, and plain ridge on the same folds, against himalaya: given scales over folds, fits with fixed scales.

use ndarray::{Array2, s};
use percept_core::Seed;
use percept_regress::{Band, BandedCv, BandedParams, Folds, LargeFolds, Path, RidgeCv, RidgeParams};
use serde_json::Value;

use crate::data::difference;

/// himalaya sums in f64 by other ways; the golden file has twelve digits.
const AGREES: f64 = 1e-8;
const ALPHAS: [f64; 4] = [0.1, 1.0, 10.0, 100.0];
const SCALES: [[f64; 3]; 3] = [[0.2, 0.3, 0.5], [0.7, 0.25, 0.05], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]];

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn matrix(value: &Value, columns: usize) -> Array2<f64> {
    let values = numbers(value);
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= AGREES * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn scores_and_fits_with_given_scales_are_those_of_himalaya_with_few_and_with_many_features() {
    let golden: Value = serde_json::from_str(include_str!("../data/banded/golden.json")).expect("valid JSON");
    for name in ["tall", "wide"] {
        let golden = &golden[name];
        let widths: Vec<usize> = numbers(&golden["widths"]).into_iter().map(|width| width as usize).collect();
        let n_targets = golden["n_targets"].as_u64().expect("a number") as usize;
        let p: usize = widths.iter().sum();
        let (x, y) = (matrix(&golden["x"], p), matrix(&golden["y"], n_targets));
        let mut bands = Vec::new();
        for (number, width) in widths.iter().enumerate() {
            let start = widths[..number].iter().sum();
            bands.push(Band { name: format!("band {number}"), features: start..start + width });
        }
        let folds = Folds::k(4, None, x.nrows()).expect("folds");
        for path in [Path::Auto, Path::Kernel, Path::Covariance] {
            let ridge = RidgeParams { path, ..RidgeParams::himalaya(ALPHAS.to_vec()) };
            let cv = BandedCv::new(BandedParams { n_draws: 0, n_rounds: 0, ..BandedParams::new(ridge, Seed::new(1)) });
            let expected = matrix(&golden["scores"], n_targets);
            for (candidate, scales) in SCALES.iter().enumerate() {
                let found = cv.scores(x.view(), y.view(), &bands, scales, &folds).expect("scores");
                let part = expected.slice(s![candidate * 4..candidate * 4 + 4, ..]).to_owned();
                assert!(difference(&found, &part) < AGREES, "{name} {path:?} {candidate}");
            }
            let scales = matrix(&golden["scales"], n_targets);
            let alpha = numbers(&golden["alpha"]);
            let fit = cv.fit_fixed(x.view(), y.view(), &bands, scales.view(), &alpha).expect("fits");
            assert!(difference(&fit.weights, &matrix(&golden["weights"], n_targets)) < AGREES, "{name} {path:?}");
            assert!(difference(&fit.weights, &matrix(&golden["group_weights"], n_targets)) < AGREES);
            assert!(fit.intercept.iter().all(|value| value.abs() < 1e-12));
        }
        let params = RidgeParams::himalaya(ALPHAS.to_vec());
        assert_eq!(LargeFolds::<f64>::apply(x.dim(), &params, &folds, false), name == "tall");
        let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), folds, None).expect("fits");
        close(&ridge.alpha, &numbers(&golden["ridge_alpha"]));
        assert!(difference(&ridge.coefficients().0, &matrix(&golden["ridge_weights"], n_targets)) < AGREES);
        let predicted = ridge.predict(x.view()).expect("predicts");
        assert!(difference(&predicted, &matrix(&golden["kernel_predictions"], n_targets)) < AGREES);
    }
}

#[test]
fn kernels_and_covariance_give_the_same_banded_fit_with_intercept_standardisation_and_weights() {
    let x = crate::data::normal("x", 40, 15) * 2.0 + 1.0;
    let y = crate::data::targets("y", &x, 5) + 3.0;
    let bands = [("a", 0..6), ("b", 6..15)].map(|(name, features)| Band { name: name.to_owned(), features });
    let folds = Folds::k(4, None, 40).expect("folds");
    let weights: Vec<f64> = (0..40).map(|row| 0.5 + (row % 3) as f64).collect();
    for sample_weights in [None, Some(&weights[..])] {
        let fit = |path| {
            let ridge = RidgeParams { path, ..RidgeParams::default() };
            let params = BandedParams { n_draws: 6, n_rounds: 1, ..BandedParams::new(ridge, Seed::new(2)) };
            BandedCv::new(params).fit_with(x.view(), y.view(), &bands, &folds, sample_weights).expect("fits")
        };
        let (a, b) = (fit(Path::Kernel), fit(Path::Covariance));
        assert_eq!((&a.alpha, &a.scales), (&b.alpha, &b.scales));
        assert!(difference(&a.weights, &b.weights) < 1e-8);
        assert!(a.intercept.iter().zip(&b.intercept).all(|(a, b)| (a - b).abs() < 1e-8));
        assert!(a.cv_score.iter().zip(&b.cv_score).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
