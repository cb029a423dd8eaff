//! Agreement with himalaya's penalty per target over given folds, which it fits one by one.

use percept_regress::{Folds, Leaks, Path, Pooling, RidgeCv, RidgeParams, Score};

use crate::data::{difference, parse};

/// himalaya solves in f64 by a singular value decomposition per fold.
const AGREES: f64 = 1e-9;

macro_rules! table {
    ($size:literal, $what:literal) => {
        parse(include_str!(concat!("../data/himalaya/", $size, "_", $what, ".txt")))
    };
}

macro_rules! agrees {
    ($size:literal) => {
        let (x, y) = (table!($size, "x"), table!($size, "y"));
        let folds: Vec<usize> =
            parse(include_str!("../data/himalaya/folds.txt")).iter().map(|fold| *fold as usize).collect();
        // Every sample is a stimulus of its own: nothing can leak.
        let stimuli: Vec<usize> = (0..x.nrows()).collect();
        for path in [Path::Covariance, Path::Kernel] {
            let alphas = (-1..=4).map(|exponent| 10f64.powi(exponent)).collect();
            let params = RidgeParams { intercept: true, path, ..RidgeParams::himalaya(alphas) };
            let (ridge, _) =
                RidgeCv::new(params).fit_folds(x.view(), y.view(), &folds, &stimuli, Leaks::Refuse).expect("fits");
            for (found, expected) in ridge.alpha.iter().zip(&table!($size, "alpha")) {
                assert!((found - expected).abs() < 1e-12 * expected, "{path:?}: {found} {expected}");
            }
            for (found, expected) in ridge.cv_score.iter().zip(&table!($size, "score")) {
                assert!((found - expected).abs() < AGREES * expected.abs(), "{path:?}: {found} {expected}");
            }
            let (coefficients, intercept) = ridge.coefficients();
            assert!(difference(&coefficients, &table!($size, "coef")) < AGREES);
            for (found, expected) in intercept.iter().zip(&table!($size, "intercept")) {
                assert!((found - expected).abs() < AGREES * expected.abs(), "{path:?}: {found} {expected}");
            }
        }
    };
}

#[test]
fn penalties_scores_and_coefficients_over_folds_are_those_of_himalaya_with_fewer_features_than_samples() {
    agrees!("tall");
}

#[test]
fn penalties_scores_and_coefficients_over_folds_are_those_of_himalaya_with_more_features_than_samples() {
    agrees!("wide");
}

#[test]
fn scores_averaged_over_unequal_folds_are_those_of_himalaya() {
    let (x, y) = (table!("tall", "x"), table!("tall", "y"));
    let labels: Vec<usize> = [(0, 10), (1, 15), (2, 23)].iter().flat_map(|&(fold, n)| vec![fold; n]).collect();
    macro_rules! unequal {
        ($label:literal, $score:expr, $intercept:expr) => {
            for path in [Path::Covariance, Path::Kernel] {
                let params = RidgeParams {
                    alphas: (-1..=4).map(|exponent| 10f64.powi(exponent)).collect(),
                    score: $score,
                    intercept: $intercept,
                    standardize: false,
                    pooling: Pooling::Folds,
                    path,
                    ..RidgeParams::default()
                };
                let folds = Folds::by_label(&labels).expect("three folds");
                let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), folds, None).expect("fits");
                for (found, expected) in ridge.alpha.iter().zip(&table!($label, "alpha")) {
                    assert!((found - expected).abs() < 1e-12 * expected, "{} {path:?}: {found} {expected}", $label);
                }
                for (found, expected) in ridge.cv_score.iter().zip(&table!($label, "score")) {
                    assert!((found - expected).abs() < AGREES, "{} {path:?}: {found} {expected}", $label);
                }
            }
        };
    }
    unequal!("unequal_r2_intercept", Score::R2, true);
    unequal!("unequal_r2_plain", Score::R2, false);
    unequal!("unequal_r_intercept", Score::Pearson, true);
    unequal!("unequal_r_plain", Score::Pearson, false);
}
