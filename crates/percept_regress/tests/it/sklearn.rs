//! Agreement with scikit-learn where the two coincide: leave-one-out, negative mean squared error, no scaling.

use ndarray::Array2;
use percept_regress::{AlphaChoice, Ridge, RidgeCv, RidgeParams};

use crate::data::{difference, parse};

/// Both solve in f64; the designs have condition ≤ 1e4.
const AGREES: f64 = 1e-9;

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        fn table(name: &str) -> Array2<f64> {
            match name {
                $($name => parse(include_str!(concat!("../data/sklearn/", $name, ".txt"))),)*
                other => panic!("no table `{other}`"),
            }
        }
    };
}

tables!(
    "tall_x",
    "tall_y",
    "tall_per_target_alpha",
    "tall_per_target_score",
    "tall_per_target_coef",
    "tall_per_target_intercept",
    "tall_shared_alpha",
    "tall_shared_score",
    "tall_shared_coef",
    "tall_shared_intercept",
    "tall_fixed_coef",
    "wide_x",
    "wide_y",
    "wide_per_target_alpha",
    "wide_per_target_score",
    "wide_per_target_coef",
    "wide_per_target_intercept",
    "wide_shared_alpha",
    "wide_shared_score",
    "wide_shared_coef",
    "wide_shared_intercept",
    "wide_fixed_coef",
);

fn params(choice: AlphaChoice) -> RidgeParams {
    RidgeParams { choice, ..RidgeParams::sklearn((-2..=4).map(|exponent| 10f64.powi(exponent)).collect()) }
}

#[test]
fn chosen_penalties_scores_and_coefficients_are_those_of_ridge_cv() {
    for size in ["tall", "wide"] {
        let (x, y) = (table(&format!("{size}_x")), table(&format!("{size}_y")));
        let groups: Vec<usize> = (0..x.nrows()).collect();
        for (label, choice) in [("per_target", AlphaChoice::PerTarget), ("shared", AlphaChoice::Shared)] {
            let ridge = RidgeCv::new(params(choice)).fit(x.view(), y.view(), &groups).expect("fits");
            let expected = |what: &str| table(&format!("{size}_{label}_{what}"));
            for (found, expected) in ridge.alpha.iter().zip(&expected("alpha")) {
                assert!((found - expected).abs() < 1e-12 * expected, "{size} {label}: {found} {expected}");
            }
            let (coefficients, intercept) = ridge.coefficients();
            assert!(difference(&coefficients, &expected("coef")) < AGREES, "{size} {label}");
            for (found, expected) in intercept.iter().zip(&expected("intercept")) {
                assert!((found - expected).abs() < AGREES * 100.0, "{size} {label}: {found} {expected}");
            }
            let mean = ridge.cv_score.iter().sum::<f64>() / 5.0;
            for (found, expected) in ridge.cv_score.iter().zip(&expected("score")) {
                // A shared penalty has one score in scikit-learn: the mean over targets.
                let found = if choice == AlphaChoice::Shared { mean } else { *found };
                assert!((found - expected).abs() < AGREES, "{size} {label}: {found} {expected}");
            }
        }
    }
}

#[test]
fn a_given_penalty_gives_the_coefficients_of_ridge() {
    for size in ["tall", "wide"] {
        let (x, y) = (table(&format!("{size}_x")), table(&format!("{size}_y")));
        let ridge = Ridge::fit(x.view(), y.view(), 3.7, &params(AlphaChoice::Shared)).expect("fits");
        assert!(difference(&ridge.coefficients().0, &table(&format!("{size}_fixed_coef"))) < AGREES);
    }
}
