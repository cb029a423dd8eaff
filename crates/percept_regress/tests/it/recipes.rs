//! Steps around a ridge: principal components against scikit-learn, repeats averaged, the best regions averaged.

use ndarray::{Array2, Axis, s};
use percept_core::Seed;
use percept_regress::{
    Best, Folds, Gram, Pca, Region, Regions, RegionsParams, Repeats, Ridge, RidgeCv, RidgeParams, Score, Selected,
    SelectedDesign, SelectedParams,
};

use crate::data::{difference, normal, parse, targets};

/// Both decompose in f64.
const AGREES: f64 = 1e-9;

macro_rules! table {
    ($name:literal, $what:literal) => {
        parse(include_str!(concat!("../data/pca/", $name, "_", $what, ".txt")))
    };
}

macro_rules! components {
    ($name:literal) => {
        let (x, new) = (table!($name, "x"), table!($name, "x_new"));
        let pca = Pca::fit(&x.view(), 4, false).expect("fits");
        assert!(difference(&pca.components.t().to_owned(), &table!($name, "components")) < AGREES, $name);
        for (found, expected) in pca.variance.iter().zip(&table!($name, "variance")) {
            assert!((found - expected).abs() < AGREES * expected, "{found} {expected}");
            assert!(found / pca.total_variance < 1.0);
        }
        let share = table!($name, "share");
        assert!((pca.variance[0] / pca.total_variance - share[(0, 0)]).abs() < AGREES);
        assert!(difference(&pca.transform(new.view()).expect("projects"), &table!($name, "transformed")) < AGREES);
        let standard = Pca::fit(&x.view(), 3, true).expect("fits");
        let found = standard.transform(new.view()).expect("projects");
        assert!(difference(&found, &table!($name, "standardized")) < AGREES);
    };
}

#[test]
fn components_are_those_of_scikit_learn_with_few_and_with_many_features() {
    components!("tall");
    components!("wide");
}

#[test]
fn all_that_the_samples_span_brings_them_back() {
    // Six samples of which each stands there twice: five directions.
    let few = normal("few", 6, 9) * 3.0 - 2.0;
    let x = ndarray::concatenate(ndarray::Axis(0), &[few.view(), few.view()]).expect("the same width");
    for standardize in [false, true] {
        let pca = Pca::fit_at_most(&x.view(), 100, standardize).expect("fits");
        assert_eq!(pca.components.ncols(), 5);
        let along = pca.transform(x.view()).expect("projects");
        assert!(difference(&pca.restored(along.view()), &x) < AGREES);
        let error = Pca::fit(&x.view(), 6, standardize).expect_err("there are five").to_string();
        assert!(error.contains("1 to 5"), "{error}");
    }
}

#[test]
fn a_ridge_on_components_is_a_ridge_on_features() {
    let x = normal("x", 60, 10) * 2.0 + 1.0;
    let y = targets("y", &x, 4) + 3.0;
    let params = RidgeParams { standardize: false, ..RidgeParams::default() };
    for standardize in [false, true] {
        // All components: nothing is lost, and the penalty sees the same lengths.
        let pca = Pca::fit(&x.view(), 10, standardize).expect("fits");
        let z = pca.transform(x.view()).expect("projects");
        let ridge = Ridge::fit(z.view(), y.view(), 5.0, &params).expect("fits");
        let weights = pca.to_features(ridge.weights.t()).reversed_axes();
        let direct = RidgeParams { standardize, ..params.clone() };
        let direct = Ridge::fit(x.view(), y.view(), 5.0, &direct).expect("fits").coefficients().0;
        assert!(difference(&weights, &direct) < AGREES);
    }
    let mut constant = x.clone();
    constant.column_mut(3).fill(2.0);
    let pca = Pca::fit(&constant.view(), 9, true).expect("nine directions are left");
    assert!(pca.components.row(3).iter().all(|value| *value == 0.0));
    for wrong in [0, 10] {
        let error = Pca::fit(&constant.view(), wrong, true).expect_err("not that many");
        assert!(error.to_string().contains("expected 1 to 9"), "{error}");
    }
}

#[test]
fn averaged_repeats_with_their_weights_fit_as_all_repeats_do_where_features_are_shared() {
    // An encoder: every repeat of a stimulus has the same features.
    let labels: Vec<usize> = (0..90).map(|sample| [7, 3, 3, 12, 5, 7][sample % 6] + 20 * (sample / 12)).collect();
    let stimuli = normal("stimuli", 200, 6);
    let x = Array2::from_shape_fn((90, 6), |(sample, feature)| stimuli[(labels[sample], feature)]);
    let y = targets("y", &x, 5);
    let repeats = Repeats::by_label(&labels);
    let weights = repeats.weights(None).expect("weights");
    assert_eq!(weights.iter().sum::<f64>(), 90.0);
    let average = |values: &Array2<f64>| repeats.average(values.view(), None).expect("averages");
    let (mean_x, mean_y) = (average(&x), average(&y));
    assert_eq!(mean_x.nrows(), repeats.labels.len());
    assert!(repeats.labels.is_sorted() && repeats.n_samples() == 90);
    let params = RidgeParams::default();
    let all = Ridge::fit(x.view(), y.view(), 3.0, &params).expect("fits");
    let each: Vec<usize> = (0..repeats.labels.len()).collect();
    let cv = RidgeCv::new(RidgeParams { alphas: vec![3.0], ..params });
    let folds = || Folds::by_label(&each).expect("stimuli");
    let averaged = cv.fit_with(mean_x.view(), mean_y.view(), folds(), Some(&weights)).expect("fits");
    assert!(difference(&averaged.weights, &all.weights) < AGREES);
    assert!((&averaged.intercept - &all.intercept).iter().all(|value| value.abs() < AGREES));
    let unweighted = cv.fit_with(mean_x.view(), mean_y.view(), folds(), None).expect("fits");
    assert!(difference(&unweighted.weights, &all.weights) > 1e-4, "weights matter");
    // Own weights count too.
    let own: Vec<f64> = (0..90).map(|sample| 1.0 + (sample % 4) as f64).collect();
    let mean = repeats.average(y.view(), Some(&own)).expect("averages");
    let of_first: Vec<usize> = (0..90).filter(|sample| labels[*sample] == repeats.labels[0]).collect();
    let total: f64 = of_first.iter().map(|&sample| own[sample]).sum();
    let by_hand = of_first.iter().map(|&sample| own[sample] * y[(sample, 2)]).sum::<f64>() / total;
    assert!((mean[(0, 2)] - by_hand).abs() < 1e-12);
    assert_eq!(repeats.weights(Some(&own)).expect("weights")[0], total);
    let runs: Vec<usize> = labels.iter().map(|label| label % 2).collect();
    assert_eq!(repeats.common("runs", &runs).expect("by stimulus")[0], repeats.labels[0] % 2);
    let error = repeats.common("runs", &each_sample(90)).expect_err("differ");
    assert!(error.to_string().contains("repeats of stimulus"), "{error}");
    assert!(repeats.average(y.slice(s![..3, ..]), None).is_err());
}

fn each_sample(n: usize) -> Vec<usize> {
    (0..n).collect()
}

fn regions() -> Vec<Region> {
    (0..5)
        .map(|region| Region { name: format!("r{region}"), features: (region * 6..region * 6 + 6).collect() })
        .collect()
}

#[test]
fn the_best_regions_are_found_and_averaged() {
    let x = normal("x", 150, 30) + 2.0;
    let weights = normal("w", 30, 4);
    let mut y = normal("noise", 150, 4);
    // Targets 0 and 1 hang on regions 1 and 3, targets 2 and 3 on region 4 and, weakly, 1.
    let part = |region: usize| s![.., region * 6..region * 6 + 6];
    let from = |region: usize| x.slice(part(region)).dot(&weights.slice(s![region * 6..region * 6 + 6, ..]));
    let (one, three, four) = (from(1), from(3), from(4));
    y.slice_mut(s![.., ..2]).zip_mut_with(&(&one + &three).slice(s![.., ..2]), |y, v| *y += v);
    y.slice_mut(s![.., 2..]).zip_mut_with(&(&four + &(one * 0.5)).slice(s![.., 2..]), |y, v| *y += v);
    let ridge = RidgeParams { score: Score::Pearson, ..RidgeParams::default() };
    let folds = Folds::k(5, None, 150).expect("folds");
    let fit = |n_best, best, gram: Option<&Gram>| {
        let params = RegionsParams { ridge: ridge.clone(), n_best, best };
        Regions::fit(x.view(), y.view(), &regions(), &folds, &params, gram, None).expect("fits")
    };
    let per_target = fit(2, Best::PerTarget, None);
    for target in 0..4 {
        let mut chosen = per_target.chosen[target].clone();
        chosen.sort_unstable();
        assert_eq!(chosen, if target < 2 { vec![1, 3] } else { vec![1, 4] }, "target {target}");
    }
    let together = fit(3, Best::Together, None);
    let mut chosen = together.chosen[0].clone();
    chosen.sort_unstable();
    assert_eq!(chosen, vec![1, 3, 4]);
    assert!(together.chosen.iter().all(|chosen| *chosen == together.chosen[0]));
    // The average of separate models, one by one.
    let new = normal("new", 7, 30);
    let mut expected = Array2::<f64>::zeros((7, 4));
    for &region in &together.chosen[0] {
        let own = x.slice(part(region)).to_owned();
        let model = RidgeCv::new(ridge.clone()).fit_with(own.view(), y.view(), folds.clone(), None).expect("fits");
        for target in 0..4 {
            assert!((together.scores[(region, target)] - model.cv_score[target]).abs() < AGREES);
            assert_eq!(together.alpha[(region, target)], model.alpha[target]);
        }
        expected += &(model.predict(new.slice(part(region)).to_owned().view()).expect("predicts") / 3.0);
    }
    assert!(difference(&together.predict(new.view()).expect("predicts"), &expected) < AGREES);
    assert!(together.weights.slice(s![..6, ..]).iter().all(|weight| *weight == 0.0), "region 0 takes no part");
    // The Gram matrix of the whole serves every region.
    let gram = Gram::new(&x.view(), None, &ridge).expect("forms");
    let shared = fit(3, Best::Together, Some(&gram));
    assert!(difference(&shared.weights, &together.weights) < AGREES && shared.alpha == together.alpha);
}

#[test]
fn regions_that_cannot_be_used_are_named_and_silent_ones_predict_the_mean() {
    let mut x = normal("x", 40, 30);
    x.slice_mut(s![.., ..6]).fill(1.0);
    let y = normal("y", 40, 2) + 5.0;
    let folds = Folds::k(4, None, 40).expect("folds");
    let params = RegionsParams { ridge: RidgeParams::default(), n_best: 1, best: Best::PerTarget };
    let only = [regions()[0].clone()];
    let model = Regions::fit(x.view(), y.view(), &only, &folds, &params, None, None).expect("fits");
    let mean = y.mean_axis(Axis(0)).expect("rows");
    assert!((model.predict(x.view()).expect("predicts") - mean).iter().all(|value| value.abs() < 1e-12));
    let fail = |regions: &[Region], n_best| {
        let params = RegionsParams { n_best, ..params.clone() };
        Regions::fit(x.view(), y.view(), regions, &folds, &params, None, None).expect_err("unusable").to_string()
    };
    assert!(fail(&[], 1).contains("at least one"));
    assert!(fail(&regions(), 0).contains("the best 0 of 5 regions"));
    assert!(fail(&[Region { name: "far".to_owned(), features: vec![30] }], 1).contains("`far` names feature 30"));
    assert!(fail(&[Region { name: "none".to_owned(), features: vec![] }], 1).contains("`none` has no features"));
}

#[test]
fn features_selected_for_targets_in_tiles_are_those_of_all_targets_at_once() {
    let x = normal("x", 50, 20).mapv(|value| value as f32);
    let y = Array2::from_shape_vec((50, 40), Seed::new(2).normal(2000)).expect("as many as asked for");
    let params = SelectedParams { n_features: 5, alpha: 2.0, penalize_intercept: false };
    let whole = Selected::fit(x.view(), y.view(), &params).expect("fits");
    let design = SelectedDesign::new(x.view(), &params).expect("prepares");
    for tile in [0..16usize, 16..40, 32..40] {
        let part = design.fit(y.slice(s![.., tile.clone()])).expect("fits");
        assert_eq!(part.weights, whole.weights.slice(s![.., tile.clone()]));
        assert_eq!(part.features, whole.features[tile]);
    }
}
