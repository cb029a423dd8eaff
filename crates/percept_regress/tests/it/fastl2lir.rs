//! Agreement with fastl2lir: features chosen for each target by correlation, an intercept under the same penalty.

use percept_regress::{RegressError, Selected, SelectedParams};

use crate::data::{difference, normal, parse, slow_ridge, targets};

/// Both solve in f64.
const AGREES: f64 = 1e-9;

#[test]
fn weights_and_intercepts_are_those_of_fastl2lir() {
    let (x, y) = (parse(include_str!("../data/fastl2lir/x.txt")), parse(include_str!("../data/fastl2lir/y.txt")));
    for (n_features, weights, intercept) in [
        (
            4,
            include_str!("../data/fastl2lir/selected_weights.txt"),
            include_str!("../data/fastl2lir/selected_intercept.txt"),
        ),
        (12, include_str!("../data/fastl2lir/all_weights.txt"), include_str!("../data/fastl2lir/all_intercept.txt")),
    ] {
        let params = SelectedParams { n_features, alpha: 5.0, penalize_intercept: true };
        let model = Selected::fit(x.view(), y.view(), &params).expect("fits");
        assert!(difference(&model.weights, &parse(weights)) < AGREES);
        let expected = parse(intercept);
        assert!(model.intercept.iter().zip(&expected).all(|(a, b)| (a - b).abs() < AGREES));
        assert!(model.features.iter().all(|features| features.len() == n_features));
    }
}

#[test]
fn all_features_with_a_free_intercept_are_plain_ridge() {
    let x = normal("x", 30, 6) + 1.0;
    let y = targets("y", &x, 3);
    let params = SelectedParams { n_features: 100, alpha: 2.0, penalize_intercept: false };
    let model = Selected::fit(x.view(), y.view(), &params).expect("fits");
    let (weights, intercept) = slow_ridge(&x, &y, 2.0, true);
    assert!(difference(&model.weights, &weights) < AGREES);
    assert!((&model.intercept - &intercept).iter().all(|value| value.abs() < AGREES));
    let p = model.predict(x.view()).expect("predicts");
    assert!(difference(&p, &(x.dot(&weights) + intercept)) < AGREES);
}

#[test]
fn what_cannot_be_solved_is_named() {
    let mut x = normal("x", 30, 6);
    let copy = x.column(0).to_owned();
    x.column_mut(1).assign(&copy);
    let y = targets("y", &x, 1);
    let fit = |n_features, alpha| {
        Selected::fit(x.view(), y.view(), &SelectedParams { n_features, alpha, penalize_intercept: false })
    };
    assert!(matches!(fit(6, 0.0), Err(RegressError::SingularGram { .. })));
    assert!(matches!(fit(0, 1.0), Err(RegressError::Setting { .. })));
    assert!(matches!(fit(3, -1.0), Err(RegressError::Alphas { .. })));
}
