//! Held-out residuals in closed form against fitting again without each group.

use ndarray::{Array2, Axis};
use percept_regress::{AlphaChoice, Design, Path, RidgeCv, RidgeParams, Score};

use crate::data::{difference, normal, slow_ridge, targets};

/// The closed form and the refit are both exact in f64; what remains is the rounding of well-conditioned solves.
const EXACT: f64 = 1e-10;
/// The covariance path on more features than samples, which `Path::Auto` never takes, forms 1 − h by subtraction with h
/// near 1; at penalty 1e-3 about five digits go.
const CANCELS: f64 = 1e-6;

const GRID: [f64; 5] = [1e-3, 3e-2, 1.0, 3e1, 1e3];

fn refitted(x: &Array2<f64>, y: &Array2<f64>, groups: &[usize], alpha: f64, intercept: bool) -> Array2<f64> {
    let mut predicted = Array2::zeros(y.dim());
    for sample in 0..x.nrows() {
        let rest: Vec<usize> = (0..x.nrows()).filter(|&other| groups[other] != groups[sample]).collect();
        let (coefficients, offset) = slow_ridge(&x.select(Axis(0), &rest), &y.select(Axis(0), &rest), alpha, intercept);
        predicted.row_mut(sample).assign(&(x.row(sample).dot(&coefficients) + offset));
    }
    predicted
}

fn params(path: Path, intercept: bool) -> RidgeParams {
    RidgeParams { alphas: GRID.to_vec(), path, intercept, standardize: false, ..RidgeParams::default() }
}

fn compare(n_samples: usize, n_features: usize, groups: &[usize], path: Path, intercept: bool) {
    let x = normal("x", n_samples, n_features) + 3.0;
    let y = targets("y", &x, 4) + 10.0;
    let y_scale = y.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let design = Design::grouped(x.view(), groups, &params(path, intercept)).expect("prepares");
    let tolerance = if path == Path::Covariance && n_features >= n_samples { CANCELS } else { EXACT };
    for alpha in GRID {
        let closed = design.held_out_predictions(y.view(), &[alpha; 4]).expect("predicts");
        let slow = refitted(&x, &y, groups, alpha, intercept);
        let largest = difference(&closed, &slow);
        assert!(largest < tolerance * y_scale, "{n_samples}×{n_features} {path:?} alpha {alpha}: {largest:e}");
        // The scores are those of the same predictions.
        let scores = design.scores(y.view()).expect("scores");
        let position = design.grid().iter().position(|candidate| *candidate == alpha).expect("in the grid");
        for target in 0..4 {
            let (truth, held_out) = (y.column(target), slow.column(target));
            let mean = truth.mean().expect("samples");
            let squares: f64 = truth.iter().zip(held_out).map(|(a, b)| (a - b).powi(2)).sum();
            let r2 = 1.0 - squares / truth.iter().map(|a| (a - mean).powi(2)).sum::<f64>();
            assert!((scores[(position, target)] - r2).abs() < tolerance * (1.0 + r2.abs()));
        }
    }
}

#[test]
fn leaving_one_sample_out_equals_refitting() {
    let groups: Vec<usize> = (0..11).collect();
    for (n_features, path) in [(8, Path::Covariance), (8, Path::Kernel), (20, Path::Covariance), (20, Path::Kernel)] {
        for intercept in [true, false] {
            compare(11, n_features, &groups, path, intercept);
        }
    }
}

#[test]
fn leaving_one_image_of_three_repeats_out_equals_refitting() {
    // Repeats are scattered, as in a scanner.
    let groups: Vec<usize> = (0..36).map(|sample| (sample * 7) % 12).collect();
    for (n_features, path) in [(8, Path::Auto), (8, Path::Kernel), (50, Path::Auto), (30, Path::Covariance)] {
        compare(36, n_features, &groups, path, true);
    }
}

#[test]
fn leaving_out_unequal_groups_larger_than_the_small_path_equals_refitting() {
    let groups: Vec<usize> = (0..60).map(|sample| if sample < 25 { 0 } else { sample / 9 }).collect();
    for path in [Path::Covariance, Path::Kernel] {
        compare(60, 12, &groups, path, true);
    }
}

#[test]
fn each_score_is_that_of_the_refitted_predictions_and_chooses_its_best() {
    let (n, groups) = (30, (0..30).map(|sample| sample / 3).collect::<Vec<_>>());
    let x = normal("x", n, 12);
    let y = targets("y", &x, 3) * 0.05 + normal("more noise", n, 3);
    for score in [Score::R2, Score::NegMse, Score::Pearson] {
        let params = RidgeParams { score, ..params(Path::Auto, true) };
        let ridge = RidgeCv::new(params).fit(x.view(), y.view(), &groups).expect("fits");
        for target in 0..3 {
            let by_hand = |alpha: f64| {
                let held_out = refitted(&x, &y, &groups, alpha, true);
                let (a, b) = (y.column(target), held_out.column(target));
                let (mean_a, mean_b) = (a.mean().expect("samples"), b.mean().expect("samples"));
                let (a, b): (Vec<f64>, Vec<f64>) =
                    (a.iter().map(|v| v - mean_a).collect(), b.iter().map(|v| v - mean_b).collect());
                let shift = mean_a - mean_b;
                let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b + shift).powi(2)).sum();
                let (aa, bb): (f64, f64) = (a.iter().map(|v| v * v).sum(), b.iter().map(|v| v * v).sum());
                match score {
                    Score::R2 => 1.0 - squares / aa,
                    Score::NegMse => -squares / n as f64,
                    Score::Pearson => a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / (aa * bb).sqrt(),
                }
            };
            let (best, alpha) =
                GRID.iter().map(|&alpha| (by_hand(alpha), alpha)).max_by(|a, b| a.0.total_cmp(&b.0)).expect("a grid");
            assert_eq!(ridge.alpha[target], alpha, "{score:?}");
            assert!((ridge.cv_score[target] - best).abs() < EXACT, "{score:?}");
        }
    }
}

#[test]
fn a_shared_penalty_maximises_the_mean_score_and_one_per_target_is_that_of_separate_fits() {
    let groups: Vec<usize> = (0..40).map(|sample| sample / 2).collect();
    let x = normal("x", 40, 15);
    let mut y = targets("y", &x, 6);
    y.slice_mut(ndarray::s![.., 3..]).assign(&normal("pure noise", 40, 3));
    let joint = RidgeCv::new(params(Path::Auto, true)).fit(x.view(), y.view(), &groups).expect("fits");
    assert!(joint.alpha[0] < joint.alpha[3], "signal wants less penalty than noise: {:?}", joint.alpha);
    for target in 0..6 {
        let column = y.slice(ndarray::s![.., target..=target]);
        let alone = RidgeCv::new(params(Path::Auto, true)).fit(x.view(), column, &groups).expect("fits");
        assert_eq!(alone.alpha[0], joint.alpha[target]);
        for feature in 0..15 {
            assert!((alone.weights[(feature, 0)] - joint.weights[(feature, target)]).abs() < EXACT);
        }
    }
    let shared = RidgeParams { choice: AlphaChoice::Shared, ..params(Path::Auto, true) };
    let design = Design::grouped(x.view(), &groups, &shared).expect("prepares");
    let ridge = design.fit(y.view()).expect("fits");
    let scores = design.scores(y.view()).expect("scores");
    let means: Vec<f64> = scores.rows().into_iter().map(|row| row.sum()).collect();
    let best = (0..GRID.len()).max_by(|&a, &b| means[a].total_cmp(&means[b])).expect("a grid");
    assert_eq!(ridge.alpha, vec![GRID[best]; 6]);
}
