//! Agreement of the presets with what they are named after: Takagi and Nishimoto's fit, Huth's ridge.

use ndarray::{Array2, s};
use percept_regress::{Folds, Leaks, Path, RidgeCv, RidgeParams, TAKAGI2023_ALPHAS};

use crate::data::{difference, parse};

/// Both solve in f64.
const AGREES: f64 = 1e-9;
/// At penalty 1e-6 beside eigenvalues of 1e2 the smallest digits of either are rounding.
const AGREES_AT_TINY_PENALTIES: f64 = 1e-6;

macro_rules! table {
    ($preset:literal, $name:literal, $what:literal) => {
        parse(include_str!(concat!("../data/", $preset, "/", $name, "_", $what, ".txt")))
    };
}

fn close(found: &[f64], expected: &Array2<f64>, tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * expected.abs().max(1e-3), "{found} {expected}");
    }
}

macro_rules! takagi {
    ($name:literal) => {
        let (x, y) = (table!("takagi2023", $name, "x"), table!("takagi2023", $name, "y"));
        let (n, new) = (x.nrows(), table!("takagi2023", $name, "x_new"));
        let params = RidgeParams::takagi2023(TAKAGI2023_ALPHAS.to_vec());
        let folds = Folds::k(5, None, n).expect("five folds");
        let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), folds, None).expect("fits");
        close(&ridge.alpha, &table!("takagi2023", $name, "alpha"), 1e-12);
        close(&ridge.cv_score, &table!("takagi2023", $name, "score"), AGREES_AT_TINY_PENALTIES);
        let coef = table!("takagi2023", $name, "coef");
        // Weights are in units of standardised features, as theirs.
        assert!(difference(&ridge.weights, &coef) < AGREES_AT_TINY_PENALTIES, "{}", difference(&ridge.weights, &coef));
        assert!(ridge.intercept.iter().all(|value| *value == 0.0), "there is no intercept");
        let predicted = ridge.predict(new.view()).expect("predicts");
        assert!(difference(&predicted, &table!("takagi2023", $name, "predicted")) < AGREES_AT_TINY_PENALTIES);
        let plain = ridge.into_linear();
        let by_hand = new.dot(&plain.weights.t()) + ndarray::Array1::from(plain.intercept);
        assert!(difference(&by_hand, &predicted) < AGREES_AT_TINY_PENALTIES);
    };
}

#[test]
fn takagi2023_is_their_pipeline_with_more_samples_than_features() {
    takagi!("tall");
    takagi!("collinear");
}

#[test]
fn takagi2023_is_their_pipeline_with_more_features_than_samples() {
    takagi!("wide");
}

#[test]
fn takagi2023_loses_the_mean_of_the_targets() {
    let (x, y) = (table!("takagi2023", "tall", "x"), table!("takagi2023", "tall", "y"));
    let stimuli: Vec<usize> = (0..x.nrows()).collect();
    let folds: Vec<usize> = (0..x.nrows()).map(|row| row * 5 / x.nrows()).collect();
    let fit = |params| {
        let (ridge, _) =
            RidgeCv::new(params).fit_folds(x.view(), y.view(), &folds, &stimuli, Leaks::Refuse).expect("fits");
        let noise = s![.., 6];
        ridge.predict(x.view()).expect("predicts").slice(noise).mean().expect("rows")
    };
    let mean = y.column(6).mean().expect("rows");
    assert!(fit(RidgeParams::takagi2023(TAKAGI2023_ALPHAS.to_vec())).abs() < 1e-9, "predictions have mean 0");
    assert!((fit(RidgeParams::default()) - mean).abs() < 1e-9, "the default keeps the mean {mean}");
}

macro_rules! huth {
    ($name:literal) => {
        let (x, y) = (table!("huth", $name, "x"), table!("huth", $name, "y"));
        let held: Vec<Vec<usize>> = table!("huth", $name, "held")
            .rows()
            .into_iter()
            .map(|row| row.iter().map(|sample| *sample as usize).collect())
            .collect();
        let splits: Vec<(Vec<usize>, Vec<usize>)> = held
            .into_iter()
            .map(|test| ((0..x.nrows()).filter(|sample| !test.contains(sample)).collect(), test))
            .collect();
        let numbers: Vec<f64> = (0..7).map(|step| 10f64.powf(f64::from(step) / 2.0)).collect();
        for path in [Path::Auto, Path::Kernel] {
            let params = RidgeParams { path, ..RidgeParams::huth(&numbers) };
            let folds = Folds::splits(&splits, x.nrows()).expect("draws");
            let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), folds, None).expect("fits");
            let numbers: Vec<f64> = ridge.alpha.iter().map(|alpha| alpha.sqrt()).collect();
            close(&numbers, &table!("huth", $name, "a"), 1e-12);
            close(&ridge.cv_score, &table!("huth", $name, "score"), AGREES);
            assert!(difference(&ridge.weights, &table!("huth", $name, "coef")) < AGREES);
        }
    };
}

#[test]
fn huth_squares_its_grid_and_averages_correlations_over_draws() {
    huth!("tall");
    huth!("wide");
}
