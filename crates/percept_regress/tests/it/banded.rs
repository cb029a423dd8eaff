//! Banded ridge against brute force, against himalaya's split scores, and on planted truth; kernel ridge against ridge.

use ndarray::{Array2, Axis, s};
use percept_core::Seed;
use percept_regress::{
    Band, BandedCv, BandedParams, Design, Folds, Path, Pooling, Ridge, RidgeCv, RidgeParams, Score, Setup,
};

use crate::data::{difference, normal, slow_ridge, targets};

fn bands() -> Vec<Band> {
    [("a", 0..6), ("b", 6..10), ("c", 10..15)].map(|(name, features)| Band { name: name.to_owned(), features }).into()
}

fn params() -> BandedParams {
    let ridge = RidgeParams {
        alphas: vec![0.1, 1.0, 10.0, 100.0],
        standardize: false,
        score: Score::R2,
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    BandedParams { n_draws: 20, n_rounds: 2, ..BandedParams::new(ridge, Seed::new(4)) }
}

#[test]
fn the_table_of_scores_is_that_of_refitting_with_scaled_features() {
    let (x, labels) = (normal("x", 60, 15) + 0.5, (0..60).map(|row| row / 12).collect::<Vec<usize>>());
    let y = targets("y", &x, 4);
    let folds = Folds::by_label(&labels).expect("five folds");
    let scales = [0.7, 0.3, 0.0];
    let scores = BandedCv::new(params()).scores(x.view(), y.view(), &bands(), &scales, &folds).expect("scores");
    let mut scaled = x.clone();
    for (band, scale) in bands().iter().zip(scales) {
        let mut part = scaled.slice_mut(s![.., band.features.clone()]);
        part *= f64::sqrt(scale);
    }
    for (position, alpha) in [0.1, 1.0, 10.0, 100.0].into_iter().enumerate() {
        let mut expected = [0.0; 4];
        for fold in 0..5 {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..60).partition(|&row| labels[row] == fold);
            let (b, offset) = slow_ridge(&scaled.select(Axis(0), &train), &y.select(Axis(0), &train), alpha, true);
            let (p, truth) = (scaled.select(Axis(0), &test).dot(&b) + offset, y.select(Axis(0), &test));
            for (target, expected) in expected.iter_mut().enumerate() {
                let (p, truth) = (p.column(target), truth.column(target));
                let mean = truth.mean().expect("rows");
                let (mut e, mut v) = (0.0, 0.0);
                truth.iter().zip(p).for_each(|(y, p)| (e, v) = (e + (y - p).powi(2), v + (y - mean).powi(2)));
                *expected += (1.0 - e / v) / 5.0;
            }
        }
        for target in 0..4 {
            // Five decimals are asked for; f64 gives nine.
            assert!((scores[(position, target)] - expected[target]).abs() < 1e-9, "{alpha} {target}");
        }
    }
}

#[test]
fn planted_bands_are_found_and_split_scores_add_up() {
    let x = normal("x", 240, 15);
    let mut y = normal("noise", 240, 6) * 0.5;
    let weights = normal("w", 15, 6);
    // Targets 0 to 2 hang on band a alone, 3 to 5 on a and c.
    let a = x.slice(s![.., ..6]).dot(&weights.slice(s![..6, ..]));
    let c = x.slice(s![.., 10..]).dot(&weights.slice(s![10.., ..])) * 2.0;
    y += &a;
    y.slice_mut(s![.., 3..]).zip_mut_with(&c.slice(s![.., 3..]), |y, c| *y += c);
    let folds = Folds::k(5, None, 240).expect("folds");
    let banded = BandedCv::new(params()).fit(x.view(), y.view(), &bands(), &folds).expect("fits");
    let again = BandedCv::new(params()).fit(x.view(), y.view(), &bands(), &folds).expect("fits");
    assert_eq!(banded, again, "the seed decides");
    assert_eq!(banded.candidates.nrows(), 1 + 3 + 20 + 2 * 10);
    for target in 0..6 {
        assert!(banded.scales[(1, target)] < 0.2, "band b explains nothing: {:?}", banded.scales.column(target));
        assert!(banded.scales[(0, target)] > 0.2, "{:?}", banded.scales.column(target));
    }
    assert!((0..3).all(|target| banded.scales[(2, target)] < 0.2));
    assert!((3..6).all(|target| banded.scales[(2, target)] > 0.1));
    let plain = RidgeCv::new(params().ridge).fit_with(x.view(), y.view(), folds, None).expect("fits");
    for (banded, plain) in banded.cv_score.iter().zip(&plain.cv_score) {
        assert!(*banded > plain - 0.01, "{banded} {plain}");
    }
    let new = normal("new", 50, 15);
    let truth = new.slice(s![.., ..6]).dot(&weights.slice(s![..6, ..])) + normal("new noise", 50, 6) * 0.5;
    let shares = banded.split_r2(new.view(), truth.view()).expect("same rows");
    let p = banded.predict(new.view()).expect("predicts");
    let parts = banded.predict_split(new.view()).expect("predicts");
    let sum = parts.iter().fold(Array2::<f64>::zeros(p.dim()), |sum, part| sum + part);
    assert!(difference(&(sum + &banded.intercept), &p) < 1e-10);
    for target in 0..6 {
        let (p, y) = (p.column(target), truth.column(target));
        let (mean_p, mean_y) = (p.mean().expect("rows"), y.mean().expect("rows"));
        let e: f64 = p.iter().zip(y).map(|(p, y)| (y - mean_y - p + mean_p).powi(2)).sum();
        let joint = 1.0 - e / y.iter().map(|y| (y - mean_y).powi(2)).sum::<f64>();
        assert!((shares.column(target).sum() - joint).abs() < 1e-12);
        assert!(shares[(0, target)] > 0.5 || target >= 3);
    }
}

#[test]
fn whole_weights_repeat_samples() {
    let x = normal("x", 50, 15) + 1.0;
    let y = targets("y", &x, 3) + 4.0;
    let weights: Vec<f64> = (0..50).map(|row| 1.0 + f64::from(row % 3)).collect();
    let rows: Vec<usize> = (0..50).flat_map(|row| vec![row; weights[row] as usize]).collect();
    let of_row: Vec<usize> = (0..50).map(|row| row / 10).collect();
    let labels: Vec<usize> = rows.iter().map(|&row| of_row[row]).collect();
    let (once, repeated) = (Folds::by_label(&of_row).expect("folds"), Folds::by_label(&labels).expect("folds"));
    let cv = BandedCv::new(params());
    let weighted = cv.fit_with(x.view(), y.view(), &bands(), &once, Some(&weights)).expect("fits");
    let (x, y) = (x.select(Axis(0), &rows), y.select(Axis(0), &rows));
    let plain = cv.fit(x.view(), y.view(), &bands(), &repeated).expect("fits");
    assert_eq!(weighted.alpha, plain.alpha);
    assert!(difference(&weighted.weights, &plain.weights) < 1e-9);
    assert!(cv.fit_with(x.view(), y.view(), &bands(), &repeated, Some(&[1.0])).is_err());
}

#[test]
fn one_candidate_is_plain_ridge() {
    let x = normal("x", 50, 15) * 2.0 + 1.0;
    let y = targets("y", &x, 3) + 4.0;
    let folds = Folds::k(5, None, 50).expect("folds");
    for standardize in [false, true] {
        let ridge = RidgeParams { standardize, ..params().ridge };
        let one = BandedParams { n_draws: 0, n_rounds: 0, ridge: ridge.clone(), ..params() };
        let all = [Band { name: "all".to_owned(), features: 0..15 }];
        let banded = BandedCv::new(one).fit(x.view(), y.view(), &all, &folds).expect("fits");
        let plain = RidgeCv::new(ridge).fit_with(x.view(), y.view(), folds.clone(), None).expect("fits");
        assert_eq!(banded.alpha, plain.alpha);
        let (weights, intercept) = plain.coefficients();
        assert!(difference(&banded.weights, &weights) < 1e-10);
        assert!((&banded.intercept - &intercept).iter().all(|value| value.abs() < 1e-9));
    }
    let gap = [Band { name: "a".to_owned(), features: 0..5 }, Band { name: "b".to_owned(), features: 6..15 }];
    assert!(BandedCv::new(params()).fit(x.view(), y.view(), &gap, &folds).is_err());
}

#[test]
fn kernel_ridge_with_a_linear_kernel_is_ridge() {
    let x = normal("x", 40, 9) + 1.5;
    let y = targets("y", &x, 3) + 2.0;
    let new = normal("new", 6, 9) + 1.5;
    let (k, k_new) = (x.dot(&x.t()), new.dot(&x.t()));
    let labels: Vec<usize> = (0..40).map(|row| row / 2).collect();
    let weights: Vec<f64> = (0..40).map(|row| 0.5 + (row % 4) as f64).collect();
    for intercept in [true, false] {
        for sample_weights in [None, Some(&weights[..])] {
            let params = RidgeParams {
                alphas: vec![0.1, 1.0, 10.0],
                intercept,
                standardize: false,
                path: Path::Kernel,
                ..RidgeParams::default()
            };
            let folds = || Folds::by_label(&labels).expect("groups");
            let setup = Setup { folds: Some(folds()), sample_weights, ..Setup::default() };
            let dual = Design::from_kernel(k.view(), &params, setup).expect("prepares").fit(y.view()).expect("fits");
            let ridge = RidgeCv::new(params).fit_with(x.view(), y.view(), folds(), sample_weights).expect("fits");
            assert_eq!(dual.alpha, ridge.alpha);
            assert_eq!(dual.weights.dim(), (40, 3));
            let (p, q) = (dual.predict(k_new.view()).expect("predicts"), ridge.predict(new.view()).expect("predicts"));
            assert!(difference(&p, &q) < 1e-8, "intercept {intercept}: {}", difference(&p, &q));
            for (a, b) in dual.cv_score.iter().zip(&ridge.cv_score) {
                assert!((a - b).abs() < 1e-9);
            }
        }
    }
    assert!(Design::<f64>::from_kernel(k_new.view(), &RidgeParams::default(), Setup::default()).is_err());
    assert!(Ridge::fit(x.view(), y.view(), 1.0, &RidgeParams::default()).is_ok());
}
