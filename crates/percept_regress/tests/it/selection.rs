//! Choosing penalties: any folds, weights, growing grids, parts of one Gram matrix.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ndarray::{Array2, Axis, concatenate, s};
use percept_regress::{
    Design, Edge, Folds, Gram, Path, Pooling, RegressError, Ridge, RidgeCv, RidgeParams, Score, Setup, Spectrum,
    SpectrumCache,
};

use crate::data::{difference, normal, slow_ridge, targets};

/// f64, closed form against refitting.
const EXACT: f64 = 1e-9;

fn params(path: Path) -> RidgeParams {
    RidgeParams { alphas: vec![1e-2, 1.0, 1e2], path, standardize: false, ..RidgeParams::default() }
}

#[test]
fn splits_with_gaps_and_overlaps_score_as_refitting_does() {
    let (x, y) = (normal("x", 40, 9) + 1.0, normal("y", 40, 3));
    let y = y + targets("signal", &x, 3);
    // Trained on rows far away, two rows around the test set left out, tests overlapping.
    let splits: Vec<(Vec<usize>, Vec<usize>)> = [0..12usize, 8..20, 25..40]
        .into_iter()
        .map(|test| {
            let gap = test.start.saturating_sub(2)..(test.end + 2).min(40);
            ((0..40).filter(|row| !gap.contains(row)).collect(), test.collect())
        })
        .collect();
    for path in [Path::Covariance, Path::Kernel] {
        for score in [Score::NegMse, Score::R2, Score::Pearson] {
            let params = RidgeParams { score, pooling: Pooling::Folds, ..params(path) };
            let folds = Folds::splits(&splits, 40).expect("valid");
            let design = Design::prepare(&x.view(), &params, Setup { folds: Some(folds), ..Setup::default() })
                .expect("prepares");
            let scores = design.scores(y.view()).expect("scores");
            for (position, &alpha) in design.grid().iter().enumerate() {
                let mut expected = [0.0; 3];
                for (train, test) in &splits {
                    let (b, offset) = slow_ridge(&x.select(Axis(0), train), &y.select(Axis(0), train), alpha, true);
                    let p = x.select(Axis(0), test).dot(&b) + offset;
                    let truth = y.select(Axis(0), test);
                    for (target, expected) in expected.iter_mut().enumerate() {
                        *expected += slow_score(&truth, &p, target, score) / 3.0;
                    }
                }
                for target in 0..3 {
                    let found = scores[(position, target)];
                    assert!(
                        (found - expected[target]).abs() < EXACT * 10.0,
                        "{path:?} {score:?} {alpha}: {found} {expected:?}"
                    );
                }
            }
            let error = design.held_out_predictions(y.view(), &[1.0; 3]).expect_err("rows are held out twice");
            assert!(matches!(error, RegressError::Setting { .. }), "{error}");
        }
    }
}

fn slow_score(truth: &Array2<f64>, predicted: &Array2<f64>, target: usize, score: Score) -> f64 {
    let (a, b) = (truth.column(target), predicted.column(target));
    let (mean_a, mean_b) = (a.mean().expect("rows"), b.mean().expect("rows"));
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    let aa: f64 = a.iter().map(|a| (a - mean_a).powi(2)).sum();
    let bb: f64 = b.iter().map(|b| (b - mean_b).powi(2)).sum();
    let ab: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    match score {
        Score::NegMse => -squares / a.len() as f64,
        Score::R2 => 1.0 - squares / aa,
        Score::Pearson => ab / (aa * bb).sqrt(),
    }
}

#[test]
fn whole_weights_repeat_samples() {
    let (x, groups) = (normal("x", 24, 7) + 2.0, (0..24).map(|row| row / 4).collect::<Vec<usize>>());
    let y = targets("y", &x, 4) + 3.0;
    let weights: Vec<f64> = (0..24).map(|row| 1.0 + (row % 3) as f64).collect();
    let repeated: Vec<usize> = (0..24).flat_map(|row| vec![row; weights[row] as usize]).collect();
    let (x2, y2) = (x.select(Axis(0), &repeated), y.select(Axis(0), &repeated));
    let groups2: Vec<usize> = repeated.iter().map(|&row| groups[row]).collect();
    for (path, intercept, standardize) in [
        (Path::Covariance, true, true),
        (Path::Covariance, true, false),
        (Path::Covariance, false, false),
        (Path::Kernel, true, true),
        (Path::Kernel, false, false),
    ] {
        for score in [Score::R2, Score::NegMse, Score::Pearson] {
            let params = RidgeParams { score, intercept, standardize, ..params(path) };
            let folds = |labels: &[usize]| Folds::by_label(labels).expect("six groups");
            let cv = RidgeCv::new(params);
            let weighted = cv.fit_with(x.view(), y.view(), folds(&groups), Some(&weights)).expect("fits");
            let plain = cv.fit_with(x2.view(), y2.view(), folds(&groups2), None).expect("fits");
            let case = format!("{path:?} intercept {intercept} {score:?}");
            assert_eq!(weighted.alpha, plain.alpha, "{case}");
            assert!(difference(&weighted.weights, &plain.weights) < EXACT, "{case}");
            for (a, b) in weighted.cv_score.iter().zip(&plain.cv_score) {
                assert!((a - b).abs() < EXACT, "{case}: {a} {b}");
            }
            assert!((&weighted.intercept - &plain.intercept).iter().all(|value| value.abs() < EXACT), "{case}");
        }
    }
    let setup = Setup { sample_weights: Some(&[1.0; 3]), ..Setup::default() };
    assert!(matches!(Design::prepare(&x.view(), &params(Path::Auto), setup).err(), Some(RegressError::Rows { .. })));
    let mut bad = weights.clone();
    bad[5] = 0.0;
    let setup = Setup { sample_weights: Some(&bad), ..Setup::default() };
    let error = Design::prepare(&x.view(), &params(Path::Auto), setup).err().expect("no weight");
    assert_eq!(error, RegressError::Weight { sample: 5, weight: 0.0 });
}

#[test]
fn a_growing_grid_finds_what_a_wide_grid_finds_and_says_where_it_ends() {
    let x = normal("x", 90, 12);
    let mut y = targets("y", &x, 20) + normal("e", 90, 20) * 4.0;
    y.slice_mut(s![.., 15..]).assign(&normal("nothing", 90, 5));
    y.slice_mut(s![.., ..5]).assign(&targets("clean", &x, 5));
    y.column_mut(19).fill(1.0);
    let groups: Vec<usize> = (0..90).map(|row| row / 3).collect();
    let fit = |alphas: Vec<f64>, extend| {
        let params = RidgeParams { alphas, extend, ..params(Path::Auto) };
        RidgeCv::new(params).fit(x.view(), y.view(), &groups).expect("fits")
    };
    let wide = fit((-3..=5).map(|exponent| 10f64.powi(exponent)).collect(), 0);
    let grown = fit(vec![1.0, 10.0, 100.0], 3);
    let narrow = fit(vec![1.0, 10.0, 100.0], 0);
    assert!(narrow.report.edge_low > 0 && narrow.report.edge_high > 0, "{:?}", narrow.report);
    for target in 0..20 {
        // Scores with several tops may hold the growing grid at the nearer one.
        assert!(grown.cv_score[target] <= wide.cv_score[target] + EXACT);
        if target < 15 {
            assert!((grown.alpha[target] / wide.alpha[target] - 1.0).abs() < 1e-9, "target {target}");
            assert!((grown.cv_score[target] - wide.cv_score[target]).abs() < EXACT);
        }
    }
    assert!(grown.report.edge_low + grown.report.edge_high < narrow.report.edge_low + narrow.report.edge_high);
    assert_eq!(grown.edge[19], Edge::Inside, "a constant target has no optimum");
    let coefficients = Ridge::fit(x.view(), y.slice(s![.., 3..4]), grown.alpha[3], &params(Path::Auto)).expect("fits");
    assert!(difference(&coefficients.weights, &grown.weights.slice(s![.., 3..4]).to_owned()) < EXACT);
}

#[test]
fn a_shared_penalty_grows_too() {
    let x = normal("x", 60, 8);
    let y = targets("y", &x, 6);
    let labels: Vec<usize> = (0..60).map(|row| row / 3).collect();
    let params = |alphas: Vec<f64>, extend| RidgeParams {
        alphas,
        extend,
        choice: percept_regress::AlphaChoice::Shared,
        ..params(Path::Auto)
    };
    let grown = RidgeCv::new(params(vec![100.0, 1000.0], 6)).fit(x.view(), y.view(), &labels).expect("fits");
    let wide = (-4..=3).map(|exponent| 10f64.powi(exponent)).collect();
    let wide = RidgeCv::new(params(wide, 0)).fit(x.view(), y.view(), &labels).expect("fits");
    assert!((grown.alpha[0] / wide.alpha[0] - 1.0).abs() < 1e-9, "{} {}", grown.alpha[0], wide.alpha[0]);
    assert!(grown.alpha.iter().all(|alpha| *alpha == grown.alpha[0]));
    assert_eq!(grown.report.edge_low, 0);
}

#[test]
fn the_gram_matrix_of_a_region_is_part_of_that_of_the_brain() {
    let mut x = normal("x", 50, 30) * 3.0 + 1.0;
    x.column_mut(4).fill(2.0);
    let y = targets("y", &x, 5);
    let region = [20, 3, 4, 11];
    let part = x.select(Axis(1), &region);
    let labels: Vec<usize> = (0..50).map(|row| row / 2).collect();
    let params = RidgeParams { alphas: vec![0.1, 10.0], ..RidgeParams::default() };
    let gram = Gram::new(&x.view(), None, &params).expect("forms").select(&region).expect("a region");
    let setup = |gram| Setup { folds: Some(Folds::by_label(&labels).expect("groups")), gram, ..Setup::default() };
    let shared = Design::prepare(&part.view(), &params, setup(Some(gram))).expect("prepares");
    let own = Design::prepare(&part.view(), &params, setup(None)).expect("prepares");
    let (shared, own) = (shared.fit(y.view()).expect("fits"), own.fit(y.view()).expect("fits"));
    assert_eq!(shared.report.constant_features, vec![2]);
    assert!(difference(&shared.weights, &own.weights) < 1e-12);
    assert_eq!(shared.alpha, own.alpha);
    assert!(Gram::new(&x.view(), None, &params).expect("forms").select(&[30]).is_err());
    assert!(Gram::new(&x.view(), None, &params).expect("forms").select(&[4]).is_err());
}

#[derive(Default)]
struct Shelf(RefCell<BTreeMap<String, Spectrum>>);

impl SpectrumCache for Shelf {
    fn load(&self, name: &str) -> Option<Spectrum> {
        self.0.borrow().get(name).cloned()
    }

    fn store(&self, name: &str, spectrum: &Spectrum) -> Result<(), RegressError> {
        assert!(self.0.borrow_mut().insert(name.to_owned(), spectrum.clone()).is_none(), "kept once");
        Ok(())
    }
}

#[test]
fn a_kept_decomposition_gives_the_same_bits() {
    for (features, path) in [(12, "covariance"), (80, "kernel")] {
        let x = normal("x", 40, features);
        let y = targets("y", &x, 5);
        let shelf = Shelf::default();
        let fit = |cache: Option<&dyn SpectrumCache>| {
            let folds = Folds::k(5, None, 40).expect("folds");
            let setup = Setup { folds: Some(folds), cache, ..Setup::default() };
            Design::prepare(&x.view(), &params(Path::Auto), setup).expect("prepares").fit(y.view()).expect("fits")
        };
        let fresh = fit(None);
        assert_eq!((fit(Some(&shelf)), fit(Some(&shelf))), (fresh.clone(), fresh));
        assert!(shelf.0.borrow().keys().all(|name| name.starts_with(path)) && shelf.0.borrow().len() == 1);
    }
}

#[test]
fn training_on_some_samples_always_equals_folds_of_the_others() {
    let (x, labels) = (normal("x", 30, 6), (0..30).map(|row| (row < 12).then_some(row / 4)).collect::<Vec<_>>());
    let y = targets("y", &x, 3);
    let folds = Folds::by_optional_label(&labels).expect("three folds");
    let design = Design::prepare(&x.view(), &params(Path::Auto), Setup { folds: Some(folds), ..Setup::default() })
        .expect("prepares");
    let scores = design.scores(y.view()).expect("scores");
    let mut squares = [0.0; 3];
    for fold in 0..3 {
        let test: Vec<usize> = (fold * 4..fold * 4 + 4).collect();
        let train: Vec<usize> = (0..30).filter(|row| !test.contains(row)).collect();
        let (b, offset) = slow_ridge(&x.select(Axis(0), &train), &y.select(Axis(0), &train), 1.0, true);
        let e = y.select(Axis(0), &test) - (x.select(Axis(0), &test).dot(&b) + offset);
        e.columns().into_iter().zip(&mut squares).for_each(|(e, sum)| *sum += e.dot(&e));
    }
    for target in 0..3 {
        let y = y.slice(s![..12, target]);
        let mean = y.mean().expect("rows");
        let r2 = 1.0 - squares[target] / y.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
        assert!((scores[(1, target)] - r2).abs() < EXACT, "{} {r2}", scores[(1, target)]);
    }
    let twice = concatenate(Axis(0), &[x.view(), x.view()]).expect("same columns");
    assert_eq!(twice.nrows(), 60);
}

#[test]
fn a_grid_of_penalties_scores_as_each_by_itself() {
    // Enough directions for windows of the spectrum; one penalty alone is summed without them.
    for (n, p) in [(420, 300), (300, 420)] {
        let scale = Array2::from_shape_fn((1, p), |(_, j)| 10f64.powf(-2.0 * j as f64 / p as f64));
        let x = normal("x", n, p) * &scale;
        let y = targets("signal", &x, 37) + normal("y", n, 37);
        let groups: Vec<usize> = (0..n).map(|row| row / 3).collect();
        let grid: Vec<f64> = (0..12).map(|k| 10f64.powf(-4.0 + 0.75 * f64::from(k))).collect();
        fn scores<T: percept_regress::Real>(
            x: &Array2<f64>,
            y: &Array2<f64>,
            groups: &[usize],
            alphas: Vec<f64>,
        ) -> Array2<f64> {
            let params = RidgeParams { alphas, ..RidgeParams::default() };
            let (x, y) = (x.mapv(T::from_f64), y.mapv(T::from_f64));
            Design::grouped(x.view(), groups, &params).expect("prepares").scores(y.view()).expect("scores")
        }
        let (double, single) =
            (scores::<f64>(&x, &y, &groups, grid.clone()), scores::<f32>(&x, &y, &groups, grid.clone()));
        for (position, &alpha) in grid.iter().enumerate() {
            let alone = scores::<f64>(&x, &y, &groups, vec![alpha]);
            let largest = |of: &Array2<f64>| {
                let pairs = of.row(position).to_vec().into_iter().zip(alone.row(0).to_vec());
                pairs.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
            };
            assert!(largest(&double) < 1e-12, "{n} × {p}, {alpha}: {}", largest(&double));
            assert!(largest(&single) < 2e-6, "{n} × {p}, {alpha}: {}", largest(&single));
        }
    }
}
