//! Checks that any engine of this kind must pass and that no other module makes; the whole list is at the head of this binary.

use ndarray::{Array2, Axis, concatenate, s};
use percept_regress::{Band, BandedCv, BandedParams, Design, Folds, Path, Pooling, RidgeCv, RidgeParams, Score, Setup};
use percept_stats::significance::correlation_p;

use crate::data::{difference, normal, parse, targets};

#[test]
fn predictions_are_those_of_scikit_learn() {
    let tables = [
        (
            include_str!("../data/sklearn/tall_x.txt"),
            include_str!("../data/sklearn/tall_y.txt"),
            include_str!("../data/sklearn/tall_per_target_coef.txt"),
            include_str!("../data/sklearn/tall_per_target_intercept.txt"),
        ),
        (
            include_str!("../data/sklearn/wide_x.txt"),
            include_str!("../data/sklearn/wide_y.txt"),
            include_str!("../data/sklearn/wide_per_target_coef.txt"),
            include_str!("../data/sklearn/wide_per_target_intercept.txt"),
        ),
    ];
    for (x, y, coef, intercept) in tables {
        let (x, y) = (parse(x), parse(y));
        let new = normal("new", 9, x.ncols()) * 2.0;
        let expected = new.dot(&parse(coef)) + parse(intercept).row(0);
        let alphas: Vec<f64> = (-2..=4).map(|exponent| 10f64.powi(exponent)).collect();
        let cv = RidgeCv::new(RidgeParams::sklearn(alphas));
        let groups: Vec<usize> = (0..x.nrows()).collect();
        let double = cv.fit(x.view(), y.view(), &groups).expect("fits").predict(new.view()).expect("predicts");
        assert!(difference(&double, &expected) < 1e-8, "{}", difference(&double, &expected));
        let narrow = |values: &Array2<f64>| values.mapv(|value| value as f32);
        let single = cv.fit(narrow(&x).view(), narrow(&y).view(), &groups).expect("fits");
        let single = single.predict(narrow(&new).view()).expect("predicts").mapv(f64::from);
        let scale = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        assert!(difference(&single, &expected) < 1e-5 * scale, "{}", difference(&single, &expected) / scale);
    }
}

#[test]
fn penalties_scored_in_parts_score_alike() {
    let x = normal("x", 45, 14);
    let y = targets("y", &x, 23);
    let groups: Vec<usize> = (0..45).map(|sample| sample / 3).collect();
    let alphas: Vec<f64> = (0..7).map(|step| 10f64.powi(step - 3)).collect();
    for path in [Path::Covariance, Path::Kernel] {
        let scores = |alphas: &[f64]| {
            let params = RidgeParams { alphas: alphas.to_vec(), path, ..RidgeParams::default() };
            Design::grouped(x.view(), &groups, &params).expect("prepares").scores(y.view()).expect("scores")
        };
        let whole = scores(&alphas);
        for size in [1, 2, 3, 5] {
            let parts: Vec<Array2<f64>> = alphas.chunks(size).map(scores).collect();
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            let stacked = concatenate(Axis(0), &views).expect("same targets");
            assert!(difference(&stacked, &whole) < 1e-11, "{path:?} in parts of {size}");
        }
    }
}

#[test]
fn kernels_of_two_feature_spaces_add_up() {
    let (a, b) = (normal("a", 80, 100), normal("b", 80, 200));
    let x = concatenate(Axis(1), &[a.view(), b.view()]).expect("same samples");
    let y = targets("y", &x, 5);
    let labels: Vec<usize> = (0..80).map(|sample| sample / 4).collect();
    let (scale_a, scale_b) = (0.7, 0.3);
    let params = |path| RidgeParams { standardize: false, path, ..RidgeParams::default() };
    let kernel = a.dot(&a.t()) * scale_a + b.dot(&b.t()) * scale_b;
    let setup = Setup { folds: Some(Folds::by_label(&labels).expect("groups")), ..Setup::default() };
    let dual = Design::from_kernel(kernel.view(), &params(Path::Kernel), setup).expect("prepares").fit(y.view());
    let dual = dual.expect("fits");
    let mut scaled = x.clone();
    scaled.slice_mut(s![.., ..100]).mapv_inplace(|value| value * f64::sqrt(scale_a));
    scaled.slice_mut(s![.., 100..]).mapv_inplace(|value| value * f64::sqrt(scale_b));
    let primal = RidgeCv::new(params(Path::Covariance)).fit(scaled.view(), y.view(), &labels).expect("fits");
    assert_eq!(dual.alpha, primal.alpha);
    let (p, q) = (dual.predict(kernel.view()).expect("predicts"), primal.predict(scaled.view()).expect("predicts"));
    assert!(difference(&p, &q) < 1e-7, "{}", difference(&p, &q));
}

/// Largest distance between the empirical distribution of `p` and the uniform one.
fn distance_to_uniform(mut p: Vec<f64>) -> f64 {
    p.sort_by(f64::total_cmp);
    let n = p.len() as f64;
    let gap = |(i, p): (usize, &f64)| (p - i as f64 / n).abs().max((p - (i + 1) as f64 / n).abs());
    p.iter().enumerate().map(gap).fold(0.0, f64::max)
}

#[test]
fn p_values_of_an_encoder_of_noise_are_uniform() {
    // Voxels that have nothing to do with the features, predicted on samples that were not fitted.
    let (n, n_voxels) = (90, 1500);
    let (x, y) = (normal("x", n, 12), normal("voxels", n, n_voxels));
    let groups: Vec<usize> = (0..60).map(|sample| sample / 3).collect();
    let (train, test) = (s![..60, ..], s![60.., ..]);
    let ridge = RidgeCv::new(RidgeParams::default()).fit(x.slice(train), y.slice(train), &groups).expect("fits");
    let predicted = ridge.predict(x.slice(test)).expect("predicts");
    let truth = y.slice(test);
    let p: Vec<f64> = (0..n_voxels)
        .map(|voxel| {
            let r = percept_stats::correlation::pearson(predicted.column(voxel), truth.column(voxel));
            correlation_p(r.expect("varies"), 30).expect("in range")
        })
        .collect();
    // Kolmogorov and Smirnov's 0.1 % critical distance. Voxels share their features but have noise of their own.
    let distance = distance_to_uniform(p.clone());
    assert!(distance < 1.95 / (n_voxels as f64).sqrt(), "{distance}");
    let found = percept_stats::significance::false_discovery(&p, 0.05).expect("in range");
    assert!(found.rejected.iter().filter(|rejected| **rejected).count() <= 2, "nothing is there to be found");
}

#[test]
fn planted_penalties_are_recovered() {
    // With weights of variance 1 and noise of variance v the best penalty is v (Hoerl and Kennard; Golub, Heath and Wahba).
    let (n, p, n_targets) = (120, 100, 80);
    let x = normal("x", n, p);
    for variance in [3.0, 30.0, 300.0f64] {
        let weights = normal(&format!("weights {variance}"), p, n_targets);
        let y = x.dot(&weights) + normal(&format!("noise {variance}"), n, n_targets) * variance.sqrt();
        let alphas: Vec<f64> = (-4..=14).map(|step| 10f64.powf(f64::from(step) / 4.0)).collect();
        let params = RidgeParams { alphas, standardize: false, intercept: false, ..RidgeParams::default() };
        let groups: Vec<usize> = (0..n).collect();
        let ridge = RidgeCv::new(params.clone()).fit(x.view(), y.view(), &groups).expect("fits");
        let mut alpha = ridge.alpha.clone();
        alpha.sort_by(f64::total_cmp);
        let ratio = alpha[n_targets / 2] / variance;
        assert!((0.5..2.0).contains(&ratio), "noise {variance}: the median penalty is {ratio} times that");
        let shared = RidgeParams { choice: percept_regress::AlphaChoice::Shared, ..params };
        let shared = RidgeCv::new(shared).fit(x.view(), y.view(), &groups).expect("fits");
        let ratio = shared.alpha[0] / variance;
        assert!((0.5..2.0).contains(&ratio), "noise {variance}: the shared penalty is {ratio} times that");
    }
}

#[test]
fn planted_unique_contributions_are_recovered() {
    // Two spaces of ten features each, of which one is the same in both: what it explains is unique to neither.
    let (n_train, n) = (900, 1800);
    let (common, a, b) = (normal("common", n, 1), normal("a", n, 9), normal("b", n, 9));
    let first = concatenate(Axis(1), &[common.view(), a.view()]).expect("same samples");
    let second = concatenate(Axis(1), &[common.view(), b.view()]).expect("same samples");
    // Shares of the variance of each target: common, unique to the first, unique to the second; noise is the rest.
    let planted = [(0.2, 0.3, 0.1), (0.0, 0.5, 0.0), (0.4, 0.0, 0.0), (0.1, 0.1, 0.4)];
    let mut y = Array2::zeros((n, planted.len()));
    for (target, (shared, unique_a, unique_b)) in planted.into_iter().enumerate() {
        let mean = |part: &Array2<f64>| part.sum_axis(Axis(1)) / (part.ncols() as f64).sqrt();
        let rest: f64 = 1.0 - shared - unique_a - unique_b;
        let noise = normal(&format!("noise {target}"), n, 1).remove_axis(Axis(1));
        let sum = mean(&common) * f64::sqrt(shared) + mean(&a) * f64::sqrt(unique_a) + mean(&b) * f64::sqrt(unique_b);
        y.column_mut(target).assign(&(sum + noise * rest.sqrt()));
    }
    let ridge = RidgeParams {
        alphas: (0..6).map(|step| 10f64.powi(step - 1)).collect(),
        score: Score::R2,
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    let params = BandedParams { n_draws: 8, n_rounds: 1, ..BandedParams::new(ridge, percept_core::Seed::new(3)) };
    let folds = Folds::k(5, None, n_train).expect("folds");
    let r2 = |spaces: &[&Array2<f64>]| -> Vec<f64> {
        let x = concatenate(Axis(1), &spaces.iter().map(|space| space.view()).collect::<Vec<_>>()).expect("samples");
        let bands: Vec<Band> = (0..spaces.len())
            .map(|band| Band { name: format!("space {band}"), features: band * 10..band * 10 + 10 })
            .collect();
        let (train, test) = (s![..n_train, ..], s![n_train.., ..]);
        let banded = BandedCv::new(params.clone()).fit(x.slice(train), y.slice(train), &bands, &folds).expect("fits");
        let shares = banded.split_r2(x.slice(test), y.slice(test)).expect("same rows");
        shares.columns().into_iter().map(|shares| shares.sum()).collect()
    };
    let (both, without_a, without_b) = (r2(&[&first, &second]), r2(&[&second]), r2(&[&first]));
    for (target, (shared, unique_a, unique_b)) in planted.into_iter().enumerate() {
        // Three standard errors of a share of variance over 900 samples are .06 to .08.
        let near = |found: f64, expected: f64| (found - expected).abs() < 0.07;
        assert!(near(both[target], shared + unique_a + unique_b), "{target}: {}", both[target]);
        assert!(near(both[target] - without_a[target], unique_a), "{target}: {}", both[target] - without_a[target]);
        assert!(near(both[target] - without_b[target], unique_b), "{target}: {}", both[target] - without_b[target]);
    }
}
