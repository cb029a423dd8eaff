//! Targets that are the same in all samples of a held-out set: scores made of one number per set are those made of samples.

use ndarray::{Array2, s};
use percept_core::Seed;
use percept_regress::cost::{self, Size};
use percept_regress::{AlphaChoice, Design, Folds, Pooling, Real, Ridge, RidgeParams, Score, Setup};

use crate::data::{difference, normal, targets};

/// Sets of one to four samples, scattered: (x, y, the set of each sample).
fn problem(n_sets: usize, n_features: usize, n_targets: usize) -> (Array2<f64>, Array2<f64>, Vec<usize>) {
    let in_order: Vec<usize> = (0..n_sets).flat_map(|set| std::iter::repeat_n(set, 1 + set % 4)).collect();
    let n = in_order.len();
    let sets: Vec<usize> =
        percept_core::seed::permutation(Seed::new(3), n).into_iter().map(|place| in_order[place]).collect();
    let seen = normal("seen", n_sets, n_features);
    let shown = targets("shown", &seen, n_targets) + 3.0;
    let x = Array2::from_shape_fn((n, n_features), |(sample, feature)| seen[(sets[sample], feature)]);
    let y = Array2::from_shape_fn((n, n_targets), |(sample, target)| shown[(sets[sample], target)]);
    (x + normal("trials", n, n_features) + 1.0, y, sets)
}

fn fit<T: Real>(
    x: &Array2<T>,
    y: &Array2<T>,
    sets: &[usize],
    weights: Option<&[f64]>,
    params: &RidgeParams,
    repeated_targets: bool,
) -> (Ridge<T>, Array2<f64>) {
    let folds = Some(Folds::by_label(sets).expect("sets"));
    let setup = Setup { folds, sample_weights: weights, repeated_targets, ..Setup::default() };
    let design = Design::prepare(&x.view(), params, setup).expect("prepares");
    (design.fit(y.view()).expect("fits"), design.scores(y.view()).expect("scores"))
}

fn grid(n: i32) -> Vec<f64> {
    (0..n).map(|exponent| 10f64.powi(exponent - 1)).collect()
}

#[test]
fn scores_and_weights_are_those_of_all_samples() {
    // More sets than a panel holds, more samples than one block.
    let (x, y, sets) = problem(620, 40, 30);
    let weights: Vec<f64> = (0..x.nrows()).map(|sample| 0.5 + (sample % 5) as f64).collect();
    for (intercept, weights, choice, score) in [
        (true, None, AlphaChoice::PerTarget, Score::R2),
        (true, Some(weights.as_slice()), AlphaChoice::PerTarget, Score::NegMse),
        (false, None, AlphaChoice::Shared, Score::R2),
    ] {
        let params = RidgeParams { alphas: grid(5), intercept, choice, score, extend: 1, ..RidgeParams::default() };
        let (few, few_scores) = fit(&x, &y, &sets, weights, &params, true);
        let (all, all_scores) = fit(&x, &y, &sets, weights, &params, false);
        assert_eq!(few.alpha, all.alpha);
        assert_eq!(few.edge, all.edge);
        assert_ne!(few_scores, all_scores, "two ways to the scores");
        let scale = all_scores.iter().fold(0.0, |largest: f64, score| largest.max(score.abs()));
        assert!(difference(&few_scores, &all_scores) < 1e-11 * scale, "{}", difference(&few_scores, &all_scores));
        assert!(difference(&few.weights, &all.weights) < 1e-11);
    }
}

#[test]
fn single_precision_is_near_double_precision_where_few_functions_make_many_penalties() {
    let (x, y, sets) = problem(500, 300, 12);
    let params = RidgeParams { alphas: grid(9), ..RidgeParams::default() };
    let narrow = |values: &Array2<f64>| values.mapv(|value| value as f32);
    let (single, single_scores) = fit(&narrow(&x), &narrow(&y), &sets, None, &params, true);
    let (double, double_scores) = fit(&x, &y, &sets, None, &params, false);
    assert_eq!(single.alpha, double.alpha);
    assert!(difference(&single_scores, &double_scores) < 2e-6, "{}", difference(&single_scores, &double_scores));
}

#[test]
fn targets_that_vary_within_a_set_and_constant_ones_are_scored_as_ever() {
    let (x, mut y, sets) = problem(90, 20, 40);
    y.column_mut(3).fill(2.0);
    y[(7, 39)] += 0.5;
    let params = RidgeParams { alphas: grid(5), ..RidgeParams::default() };
    let (few, few_scores) = fit(&x, &y, &sets, None, &params, true);
    let (all, all_scores) = fit(&x, &y, &sets, None, &params, false);
    // A task holds 16 targets; the last of them has one that varies.
    assert_eq!(few_scores.slice(s![.., 32..]), all_scores.slice(s![.., 32..]));
    assert_ne!(few_scores.slice(s![.., ..16]), all_scores.slice(s![.., ..16]));
    assert!(difference(&few_scores, &all_scores) < 1e-11);
    assert_eq!((few.cv_score[3], few.report.constant_targets), (0.0, all.report.constant_targets));
}

#[test]
fn correlations_means_over_folds_and_kernels_take_samples() {
    let (x, y, sets) = problem(90, 20, 10);
    let params = RidgeParams { alphas: grid(5), ..RidgeParams::default() };
    for params in [
        RidgeParams { score: Score::Pearson, ..params.clone() },
        RidgeParams { score: Score::NegMse, pooling: Pooling::Folds, ..params.clone() },
        RidgeParams { path: percept_regress::Path::Kernel, ..params },
    ] {
        assert_eq!(fit(&x, &y, &sets, None, &params, true), fit(&x, &y, &sets, None, &params, false));
    }
}

#[test]
fn samples_that_are_left_out_beside_a_set_are_not_scored_in_it() {
    // Two samples are scored, two more with the same targets left out of training.
    let (x, shown) = (normal("x", 48, 9), normal("shown", 12, 5));
    let y = Array2::from_shape_fn((48, 5), |(sample, target)| shown[(sample / 4, target)]);
    let split = |pair: usize| {
        let left_out = pair / 2 * 4..pair / 2 * 4 + 4;
        let train: Vec<usize> = (0..48).filter(|sample| !left_out.contains(sample)).collect();
        (train, vec![2 * pair, 2 * pair + 1])
    };
    let splits: Vec<_> = (0..24).map(split).collect();
    let scores = |repeated_targets: bool| {
        let folds = Some(Folds::splits(&splits, 48).expect("splits"));
        let setup = Setup { folds, repeated_targets, ..Setup::default() };
        let params = RidgeParams { alphas: grid(5), ..RidgeParams::default() };
        Design::prepare(&x.view(), &params, setup).expect("prepares").scores(y.view()).expect("scores")
    };
    assert_eq!(scores(true), scores(false));
}

#[test]
fn bits_do_not_depend_on_threads() {
    let (x, y, sets) = problem(620, 40, 30);
    let params = RidgeParams { alphas: grid(5), ..RidgeParams::default() };
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a pool");
        pool.install(|| fit(&x, &y, &sets, None, &params, true))
    };
    assert_eq!(on(1), on(5));
}

#[test]
fn it_pays_for_many_targets_in_repeated_samples_only() {
    let params = RidgeParams { alphas: grid(7), ..RidgeParams::default() };
    let sets: Vec<usize> = (0..2490).map(|sample| sample % 886).collect();
    let folds = Folds::by_label(&sets).expect("sets");
    let size = |n_targets: usize| Size { n_samples: 2490, n_features: 1572, n_targets };
    assert!(cost::repeats_pay(size(5913), &params, &folds));
    assert!(!cost::repeats_pay(size(300), &params, &folds));
    let single = Folds::by_label(&(0..2490).collect::<Vec<_>>()).expect("sets");
    assert!(!cost::repeats_pay(size(1 << 20), &params, &single));
    let by_correlation = RidgeParams { score: Score::Pearson, ..params.clone() };
    assert!(!cost::repeats_pay(size(5913), &by_correlation, &folds));
    let all = cost::operations(size(5913), &params, Some(&folds));
    let (few, memory) = cost::with_repeats::<f32>(size(5913), &params, &folds, 2);
    assert!(few.single < 0.4 * all.single && few.double == all.double);
    assert!(memory.design > cost::memory::<f32>(size(5913), &params, Some(&folds), 2).design + 7 * 4 * 886 * 886 / 2);
}
