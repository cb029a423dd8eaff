//! What every ridge regression must do: direct solve, intercept, limits, singular designs, planted truth.

use ndarray::{Array2, Axis, concatenate, s};
use percept_regress::{Design, Path, Real, Ridge, RidgeCv, RidgeParams};

use crate::data::{difference, normal, slow_ridge, targets};

/// f64 against a direct solve of the same well-conditioned system.
const DIRECT: f64 = 1e-9;

fn plain() -> RidgeParams {
    RidgeParams { standardize: false, ..RidgeParams::default() }
}

#[test]
fn coefficients_equal_a_direct_solve() {
    for (rows, features) in [(30, 10), (10, 5), (10, 30)] {
        for n_targets in [3, 20] {
            let x = normal("x", rows, features);
            let y = targets("y", &x, n_targets);
            for exponent in -2..=5 {
                let alpha = 10f64.powi(exponent);
                for (path, intercept) in
                    [(Path::Covariance, true), (Path::Kernel, true), (Path::Covariance, false), (Path::Kernel, false)]
                {
                    let params = RidgeParams { path, intercept, ..plain() };
                    let ridge = Ridge::fit(x.view(), y.view(), alpha, &params).expect("fits");
                    let (coefficients, offset) = ridge.coefficients();
                    let (slow, slow_offset) = slow_ridge(&x, &y, alpha, intercept);
                    assert!(difference(&coefficients, &slow) < DIRECT, "{rows}×{features} {alpha} {path:?}");
                    assert!((offset - slow_offset).iter().all(|value| value.abs() < DIRECT));
                }
            }
        }
    }
}

#[test]
fn an_offset_of_features_and_targets_changes_the_intercept_only() {
    let x = normal("x", 40, 12);
    let y = targets("y", &x, 5);
    let groups: Vec<usize> = (0..40).map(|sample| sample / 4).collect();
    let cv = RidgeCv::new(RidgeParams::default());
    let plain = cv.fit(x.view(), y.view(), &groups).expect("fits");
    let moved = cv.fit((&x + 10.0).view(), (&y + 100.0).view(), &groups).expect("fits");
    assert_eq!(plain.alpha, moved.alpha);
    assert!(difference(&plain.weights, &moved.weights) < DIRECT);
    let new = normal("new", 7, 12);
    let (a, b) = (plain.predict(new.view()).expect("predicts"), moved.predict((new + 10.0).view()).expect("predicts"));
    assert!(difference(&(a + 100.0), &b) < DIRECT);
}

#[test]
fn targets_fitted_in_tiles_from_outside_give_the_same_model() {
    let x = normal("x", 50, 20);
    let y = targets("y", &x, 300);
    let groups: Vec<usize> = (0..50).map(|sample| sample / 3).collect();
    let design = Design::grouped(x.view(), &groups, &RidgeParams::default()).expect("prepares");
    let whole = design.fit(y.view()).expect("fits");
    for start in (0..300).step_by(77) {
        let columns = start..(start + 77).min(300);
        let part = design.fit(y.slice(s![.., columns.clone()])).expect("fits");
        assert_eq!(part.alpha, whole.alpha[columns.clone()]);
        assert!(difference(&part.weights, &whole.weights.slice(s![.., columns]).to_owned()) < 1e-12);
    }
}

#[test]
fn covariance_and_kernel_give_the_same_model() {
    let x = normal("x", 80, 300) + 1.0;
    let y = targets("y", &x, 9);
    let groups: Vec<usize> = (0..80).map(|sample| sample / 2).collect();
    let fit = |path| {
        let params = RidgeParams { path, ..RidgeParams::default() };
        RidgeCv::new(params).fit(x.view(), y.view(), &groups).expect("fits")
    };
    let (primal, dual) = (fit(Path::Covariance), fit(Path::Kernel));
    assert_eq!((primal.report.path, dual.report.path), (Path::Covariance, Path::Kernel));
    assert_eq!(primal.alpha, dual.alpha);
    assert!(difference(&primal.weights, &dual.weights) < DIRECT);
    for (a, b) in primal.cv_score.iter().zip(&dual.cv_score) {
        assert!((a - b).abs() < DIRECT, "{a} {b}");
    }
}

#[test]
fn a_vanishing_penalty_gives_least_squares_or_the_smallest_exact_fit() {
    let x = normal("x", 30, 10);
    let y = targets("y", &x, 4);
    let ridge = Ridge::fit(x.view(), y.view(), 1e-16, &plain()).expect("fits");
    let (least_squares, _) = slow_ridge(&x, &y, 0.0, true);
    assert!(difference(&ridge.coefficients().0, &least_squares) < DIRECT);
    let exact = Ridge::fit(x.view(), y.view(), 0.0, &plain()).expect("the Gram matrix is regular");
    assert!(difference(&exact.coefficients().0, &least_squares) < DIRECT);

    let wide = normal("wide", 10, 30);
    let y = targets("y", &wide, 4);
    let ridge = Ridge::fit(wide.view(), y.view(), 1e-16, &plain()).expect("fits");
    assert!(difference(&ridge.predict(wide.view()).expect("predicts"), &y) < 1e-8, "the fit interpolates");
    // Smallest norm: the weights lie in the span of the centred samples.
    let centred = &wide - &wide.mean_axis(Axis(0)).expect("rows");
    let (span, _) = slow_ridge(&centred.t().to_owned(), &ridge.weights, 1e-12, false);
    assert!(difference(&centred.t().dot(&span), &ridge.weights) < 1e-6);
}

#[test]
fn an_infinite_penalty_predicts_the_mean() {
    let x = normal("x", 30, 10);
    let y = targets("y", &x, 4) + 5.0;
    let ridge = Ridge::fit(x.view(), y.view(), 1e16, &plain()).expect("fits");
    let mean = y.mean_axis(Axis(0)).expect("rows");
    let predicted = ridge.predict(normal("new", 6, 10).view()).expect("predicts");
    assert!(predicted.rows().into_iter().all(|row| (&row - &mean).iter().all(|value| value.abs() < 1e-10)));
}

#[test]
fn doubled_features_share_the_weight() {
    let x = normal("x", 25, 8);
    let y = targets("y", &x, 3);
    let twice = concatenate(Axis(1), &[x.view(), x.view()]).expect("same rows") * 0.5;
    for path in [Path::Covariance, Path::Kernel] {
        let params = RidgeParams { path, ..plain() };
        let once = Ridge::fit(x.view(), y.view(), 4.0, &params).expect("fits").weights;
        // [X, X]/2 with α/2 solves the same problem with weights [w, w].
        let both = Ridge::fit(twice.view(), y.view(), 2.0, &params).expect("fits").weights;
        assert!(difference(&both.slice(s![..8, ..]).to_owned(), &once) < DIRECT);
        assert!(difference(&both.slice(s![8.., ..]).to_owned(), &once) < DIRECT);
    }
}

#[test]
fn planted_weights_are_recovered_and_noise_is_given_the_largest_penalty() {
    let x = normal("x", 600, 20);
    let weights = normal("truth", 20, 30);
    let mut y = x.dot(&weights) + normal("noise", 600, 30) * 0.1;
    y.slice_mut(s![.., 20..]).assign(&normal("only noise", 600, 10));
    let groups: Vec<usize> = (0..600).map(|sample| sample / 3).collect();
    let ridge = RidgeCv::new(RidgeParams::default()).fit(x.view(), y.view(), &groups).expect("fits");
    let (coefficients, _) = ridge.coefficients();
    assert!(difference(&coefficients.slice(s![.., ..20]).to_owned(), &weights.slice(s![.., ..20]).to_owned()) < 0.03);
    assert!(ridge.cv_score[..20].iter().all(|score| *score > 0.99));
    assert!(ridge.cv_score[20..].iter().all(|score| *score < 0.02));
    assert!(ridge.report.edge_low >= 20, "10⁰ is the best of the grid for clean targets: {:?}", ridge.report);
    assert!(ridge.report.edge_high >= 1, "noise saturates: {:?}", ridge.alpha);
}

#[test]
fn standardising_is_dividing_by_the_deviation_and_survives_huge_means_in_f32() {
    let x = normal("x", 60, 6);
    let y = targets("y", &x, 3);
    let moved = x.mapv(|value| value * 250.0 + 1e4);
    let (x32, moved32, y32) = (x.mapv(|v| v as f32), moved.mapv(|v| v as f32), y.mapv(|v| v as f32));
    let params = RidgeParams::default();
    let a = Ridge::fit(x32.view(), y32.view(), 3.0, &params).expect("fits");
    let b = Ridge::fit(moved32.view(), y32.view(), 3.0, &params).expect("fits");
    let (a, b) = (a.predict(x32.view()).expect("predicts"), b.predict(moved32.view()).expect("predicts"));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn single_precision_agrees_with_double() {
    for (n, p) in [(240, 60), (90, 200)] {
        let x = normal("x", n, p) + 0.5;
        let y = targets("y", &x, 40);
        let groups: Vec<usize> = (0..n).map(|sample| sample / 3).collect();
        let cv = RidgeCv::new(RidgeParams::default());
        let double = cv.fit(x.view(), y.view(), &groups).expect("fits");
        let (x, y) = (x.mapv(|v| v as f32), y.mapv(|v| v as f32));
        let single = cv.fit(x.view(), y.view(), &groups).expect("fits");
        assert_eq!(single.alpha, double.alpha);
        let scale = double.weights.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        assert!(difference(&single.weights.mapv(f64::from), &double.weights) < 1e-5 * scale);
        for (a, b) in single.cv_score.iter().zip(&double.cv_score) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}

#[test]
fn constant_features_and_targets_are_reported_and_get_no_weight() {
    let mut x = normal("x", 30, 6);
    x.column_mut(2).fill(7.0);
    let mut y = targets("y", &x, 3);
    y.column_mut(1).fill(0.1);
    let groups: Vec<usize> = (0..30).map(|sample| sample / 3).collect();
    let ridge = RidgeCv::new(RidgeParams::default()).fit(x.view(), y.view(), &groups).expect("fits");
    assert_eq!(ridge.report.constant_features, vec![2]);
    assert_eq!(ridge.report.constant_targets, vec![1]);
    assert!(ridge.weights.row(2).iter().chain(ridge.weights.column(1)).all(|weight| *weight == 0.0));
    assert_eq!(ridge.cv_score[1], 0.0);
    let predicted = ridge.predict(x.view()).expect("predicts");
    assert!(predicted.column(1).iter().all(|value| (value - 0.1).abs() < 1e-15));
}

#[test]
fn the_report_and_the_settings_survive_serialisation() {
    let x = normal("x", 12, 4);
    let ridge = Ridge::fit(x.view(), targets("y", &x, 2).view(), 1.0, &plain()).expect("fits");
    let text = serde_json::to_string(&ridge.report).expect("serialises");
    assert_eq!(serde_json::from_str::<percept_regress::FitReport>(&text).expect("parses"), ridge.report);
    let text = serde_json::to_string(&plain()).expect("serialises");
    assert_eq!(serde_json::from_str::<RidgeParams>(&text).expect("parses"), plain());
}

#[test]
fn a_view_with_strides_predicts_like_a_copy() {
    fn check<T: Real>(x: &Array2<T>, y: &Array2<T>) {
        let every_second = x.slice(s![..;2, ..]);
        let ridge = Ridge::fit(every_second, y.slice(s![..;2, ..]), 1.0, &RidgeParams::default()).expect("fits");
        let copy = Ridge::fit(every_second.to_owned().view(), y.slice(s![..;2, ..]), 1.0, &RidgeParams::default());
        assert_eq!(ridge, copy.expect("fits"));
        let strided = ridge.predict(every_second).expect("predicts");
        assert_eq!(strided, ridge.predict(every_second.to_owned().view()).expect("predicts"));
        let transposed = x.t().to_owned();
        assert_eq!(ridge.predict(transposed.t()).expect("predicts"), ridge.predict(x.view()).expect("predicts"));
    }
    let x = normal("x", 40, 5);
    check(&x, &targets("y", &x, 2));
}

#[test]
fn held_out_predictions_at_penalties_of_their_own_are_those_of_each_penalty_alone() {
    let x = normal("x", 90, 12);
    let y = targets("y", &x, 9);
    let alphas = vec![0.1, 10.0, 1000.0];
    let own: Vec<f64> = (0..9).map(|target| alphas[(target * 5) % 3]).collect();
    // Small sets, and sets that are corrected by a product of matrices.
    for size in [3, 30] {
        let groups: Vec<usize> = (0..90).map(|sample| sample / size).collect();
        for path in [Path::Covariance, Path::Kernel] {
            let params = RidgeParams { alphas: alphas.clone(), path, ..RidgeParams::default() };
            let design = Design::grouped(x.view(), &groups, &params).expect("prepares");
            let found = design.held_out_predictions(y.view(), &own).expect("predicts");
            for &alpha in &alphas {
                let alone = design.held_out_predictions(y.view(), &[alpha; 9]).expect("predicts");
                for target in (0..9).filter(|&target| own[target] == alpha) {
                    let difference = &found.column(target) - &alone.column(target);
                    assert!(difference.iter().all(|value| value.abs() < 1e-12), "{path:?}, sets of {size}");
                }
            }
        }
    }
}
