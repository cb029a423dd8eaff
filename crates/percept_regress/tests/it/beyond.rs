//! Held-out predictions at penalties to which the grid grew.

use percept_regress::{Design, Folds, RegressError, RidgeParams, Setup};

use crate::data::{normal, targets};

#[test]
fn penalties_beyond_the_grid_predict_as_those_of_a_wider_grid() {
    let x = normal("x", 60, 8);
    let mut y = targets("y", &x, 6);
    // Noise wants more than the grid has.
    for target in 3..6 {
        y.column_mut(target).assign(&normal("noise", 60, 6).column(target));
    }
    let folds = || Folds::k(6, None, 60).expect("folds");
    let design = |alphas: Vec<f64>, extend| {
        let params = RidgeParams { alphas, extend, ..RidgeParams::default() };
        Design::prepare(&x.view(), &params, Setup { folds: Some(folds()), ..Setup::default() }).expect("prepares")
    };
    let growing = design(vec![1.0, 10.0], 6);
    let fitted = growing.fit(y.view()).expect("fits");
    let wide = design(fitted.alpha.iter().copied().chain([1.0, 10.0]).collect(), 0);
    assert!(fitted.alpha.iter().any(|alpha| *alpha > 10.0), "{:?}", fitted.alpha);
    let found = growing.held_out_predictions(y.view(), &fitted.alpha).expect("tried");
    let expected = wide.held_out_predictions(y.view(), &fitted.alpha).expect("in the grid");
    let difference = found.iter().zip(&expected).fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs()));
    assert!(difference < 1e-9, "{difference}");
    let error = growing.held_out_predictions(y.view(), &[123.0; 6]).expect_err("nobody tried it");
    assert!(matches!(error, RegressError::Alphas { .. }), "{error}");
}
