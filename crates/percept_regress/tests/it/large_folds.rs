//! Folds larger than the number of features: scores and weights are those of blocks of held-out samples, and of himalaya.

use ndarray::Array2;
use percept_regress::{Design, Folds, LargeFolds, Path, Pooling, PreparedRidge, RidgeCv, RidgeParams, Score, Setup};

use crate::data::{difference, normal, targets};

fn problem() -> (Array2<f64>, Array2<f64>, Folds) {
    let mut x = normal("x", 150, 12) * 3.0 + 2.0;
    // Features of very different sizes, and one that does not vary.
    x.column_mut(3).mapv_inplace(|value| value * 1e-3);
    x.column_mut(7).fill(4.0);
    let mut y = targets("y", &x, 40) + 5.0;
    y.column_mut(5).fill(1.0);
    // Three runs of unequal length that do not follow each other, and samples that are never held out.
    let label: Vec<Option<usize>> = (0..150)
        .map(|row| match row % 10 {
            0..=3 => Some(2),
            4..=6 => Some(0),
            7 | 8 => Some(1),
            _ => None,
        })
        .collect();
    (x, y, Folds::by_optional_label(&label).expect("runs"))
}

#[test]
fn scores_and_fits_are_those_of_blocks_of_held_out_samples() {
    let (x, y, folds) = problem();
    for score in [Score::R2, Score::NegMse, Score::Pearson] {
        for (intercept, standardize) in [(true, true), (true, false), (false, false), (false, true)] {
            for pooling in [Pooling::Folds, Pooling::Samples] {
                let params = RidgeParams {
                    alphas: (-4..5).map(|power| 10f64.powi(power)).collect(),
                    score,
                    intercept,
                    standardize,
                    pooling,
                    path: Path::Covariance,
                    ..RidgeParams::default()
                };
                assert!(LargeFolds::<f64>::apply(x.dim(), &params, &folds, false));
                let found = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares");
                let setup = Setup { folds: Some(folds.clone()), ..Setup::default() };
                let blocks = Design::prepare(&x.view(), &params, setup).expect("prepares");
                let (a, b) = (found.scores(y.view()).expect("scores"), blocks.scores(y.view()).expect("scores"));
                assert!(
                    difference(&a, &b) < 1e-9,
                    "{score:?} {intercept} {standardize} {pooling:?}: {}",
                    difference(&a, &b)
                );
                let (a, b) = (found.fit(y.view()).expect("fits"), blocks.fit(y.view()).expect("fits"));
                assert_eq!((&a.alpha, &a.edge), (&b.alpha, &b.edge));
                let facts = |report: &percept_regress::FitReport| {
                    (report.rank, report.n_groups, report.constant_features.clone(), report.constant_targets.clone())
                };
                assert_eq!(facts(&a.report), facts(&b.report));
                assert!((a.report.condition / b.report.condition - 1.0).abs() < 1e-9);
                // The weight of a feature that is small and not standardised is large.
                let largest = b.weights.iter().fold(1f64, |largest, weight| largest.max(weight.abs()));
                assert!(difference(&a.weights, &b.weights) < 1e-9 * largest, "{largest}");
                assert!(a.intercept.iter().zip(&b.intercept).all(|(a, b)| (a - b).abs() < 1e-9));
            }
        }
    }
}

#[test]
fn single_precision_agrees_over_any_penalty_and_threads_and_cuts_do_not_matter() {
    let (x, y, folds) = problem();
    let params = RidgeParams {
        alphas: (-12..13).map(|power| 10f64.powi(power)).collect(),
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    let double = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares").scores(y.view()).expect("scores");
    let (x, y) = (x.mapv(|value| value as f32), y.mapv(|value| value as f32));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let design = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares");
            (design.scores(y.view()).expect("scores"), design.fit(y.view()).expect("fits"))
        })
    };
    let (scores, ridge) = on(1);
    assert_eq!((scores.clone(), ridge.clone()), on(4));
    for (single, double) in scores.iter().zip(&double) {
        // f32 inputs differ by 6e-8 of 5; R² of these targets is above −3.
        assert!((single - double).abs() < 2e-5, "{single} {double}");
    }
    let design = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares");
    let width = design.task_width(40);
    let part = design.fit_part(y.slice(ndarray::s![.., width..]), width).expect("fits");
    assert_eq!(part.alpha, ridge.alpha[width..]);
    assert_eq!(part.weights, ridge.weights.slice(ndarray::s![.., width..]));
    assert_eq!(RidgeCv::new(params).fit_with(x.view(), y.view(), folds, None).expect("fits"), ridge);
}

#[test]
fn many_features_whose_penalties_are_made_of_few_functions_give_the_scores_of_blocks() {
    let x = normal("many", 1300, 300) * 2.0;
    // A spectrum over some decades, so that there are several windows.
    let x = &x * &Array2::from_shape_fn((1, 300), |(_, feature)| 10f64.powf(-(feature as f64) / 100.0));
    let y = targets("of many", &x, 20);
    let folds = Folds::k(4, None, 1300).expect("folds");
    let params = RidgeParams {
        alphas: (-12..13).map(|power| 10f64.powi(power)).collect(),
        standardize: false,
        ..RidgeParams::default()
    };
    let prepared = RidgeCv::new(params.clone()).prepare(x.view(), folds.clone(), None).expect("prepares");
    assert!(matches!(prepared, PreparedRidge::Large(_)));
    let setup = Setup { folds: Some(folds.clone()), ..Setup::default() };
    let blocks = Design::prepare(&x.view(), &params, setup).expect("prepares").scores(y.view()).expect("scores");
    let found = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares").scores(y.view()).expect("scores");
    assert!(difference(&found, &blocks) < 1e-9, "{}", difference(&found, &blocks));
    let [x, y] = [x, y].map(|values| values.mapv(|value| value as f32));
    let single = LargeFolds::prepare(x.view(), &params, &folds).expect("prepares").scores(y.view()).expect("scores");
    assert!(difference(&single, &blocks) < 2e-5, "{}", difference(&single, &blocks));
}

#[test]
fn what_is_not_served_goes_the_other_way() {
    let (x, y, folds) = problem();
    for params in [
        RidgeParams { extend: 2, ..RidgeParams::default() },
        RidgeParams { alphas: vec![0.0, 1.0], ..RidgeParams::default() },
        RidgeParams { path: Path::Kernel, ..RidgeParams::default() },
    ] {
        assert!(LargeFolds::prepare(x.view(), &params, &folds).is_err());
    }
    let small = Folds::k(50, None, 150).expect("folds");
    assert!(!LargeFolds::<f64>::apply(x.dim(), &RidgeParams::default(), &small, false));
    let weights = vec![2.0; 150];
    let weighted = RidgeCv::new(RidgeParams { extend: 0, ..RidgeParams::default() });
    assert!(weighted.fit_with(x.view(), y.view(), folds, Some(&weights)).is_ok());
}
