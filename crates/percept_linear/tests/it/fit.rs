//! Fits of files are fits of arrays, whatever the format, the tiles and the cache.

use ndarray::{Array1, Array2, s};
use percept_core::Silent;
use percept_io::hdf5::{DatasetSpec, Writer};
use percept_io::{mat, npy, safetensors};
use percept_linear::fit::fit;
use percept_linear::{HoldOut, Missing, PredictJob, predict};
use percept_regress::design::Setup;
use percept_regress::{AlphaChoice, Design, Folds, RidgeCv, RidgeParams};

use crate::files::{N_FEATURES, N_SAMPLES, N_TARGETS, Problem, bytes, vector, weights};

#[test]
fn a_fit_of_files_is_the_fit_of_their_arrays() {
    let problem = Problem::new();
    let mut job = problem.job("model");
    job.targets_per_tile = Some(40);
    let mut told = Vec::new();
    let outcome = fit(&job, &mut |plan| told.push(plan.clone()), &Silent).expect("fits");
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].n_tiles, told[0].targets_per_tile, told[0].n_folds), (4, 38, 20));
    assert!(told[0].memory_bytes > 0 && told[0].disk_bytes > (4 * N_FEATURES * N_TARGETS) as u64);

    let ridge =
        RidgeCv::new(job.params.clone()).fit(problem.x.view(), problem.y.view(), &problem.groups).expect("fits");
    let (edge_low, edge_high) = (ridge.report.edge_low, ridge.report.edge_high);
    assert_eq!((outcome.counts.edge_low, outcome.counts.edge_high), (edge_low, edge_high));
    assert!(edge_high > 20, "noise wants the largest penalty");
    let plain = ridge.into_linear();
    let model = problem.path("model");
    assert_eq!(weights(&model), plain.weights.t());
    assert_eq!(vector(&model, "alpha"), plain.alpha);
    assert_eq!(vector(&model, "intercept"), plain.intercept);
    assert_eq!(vector(&model, "cv_score"), plain.cv_score);
    let mean = plain.cv_score.iter().sum::<f64>() / N_TARGETS as f64;
    assert!((outcome.mean_cv_score.expect("a score") - mean).abs() < 1e-12);
    let mut names: Vec<String> = std::fs::read_dir(&model)
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["model.json", "model.safetensors", "targets.parquet"]);
}

#[test]
fn targets_that_repeat_within_sets_are_noticed_and_give_the_same_model() {
    let mut problem = Problem::repeated();
    let plans = |problem: &Problem, out: &str| {
        let mut told = Vec::new();
        fit(&problem.job(out), &mut |plan| told.push(plan.clone()), &Silent).expect("fits");
        told.remove(0)
    };
    let noticed = plans(&problem, "noticed");
    assert!(noticed.repeated_targets);
    let job = problem.job("noticed");
    let ridge =
        RidgeCv::new(job.params.clone()).fit(problem.x.view(), problem.y.view(), &problem.groups).expect("fits");
    let plain = ridge.into_linear();
    let model = problem.path("noticed");
    assert_eq!(vector(&model, "alpha"), plain.alpha);
    let near = |a: f64, b: f64| (a - b).abs() < 2e-5;
    assert!(vector(&model, "cv_score").iter().zip(&plain.cv_score).all(|(&a, &b)| near(a, b)));
    assert!(weights(&model).iter().zip(plain.weights.t()).all(|(&a, &b)| near(a.into(), b.into())));

    // Not every target is looked at; those that vary after all are fitted as ever.
    for (target, is_noticed) in [(9, false), (10, true)] {
        problem.y[(1, target)] += 1.0;
        problem.write("y.npy", &problem.y);
        let (name, cv) = (format!("varied{target}"), RidgeCv::new(job.params.clone()));
        let varied = plans(&problem, &name);
        assert_eq!(varied.repeated_targets, !is_noticed);
        assert_eq!(varied.single_operations > noticed.single_operations, is_noticed);
        let ridge = cv.fit(problem.x.view(), problem.y.view(), &problem.groups).expect("fits");
        assert_eq!(vector(&problem.path(&name), "alpha"), ridge.alpha);
    }
}

#[test]
fn predictions_are_x_times_weights_plus_intercept_in_any_tiles() {
    let problem = Problem::new();
    fit(&problem.job("model"), &mut |_| {}, &Silent).expect("fits");
    let job = PredictJob {
        model: problem.path("model"),
        x: problem.reference("x.npy"),
        bands: Vec::new(),
        missing: Missing::Refuse,
        memory: None,
        out: problem.path("p.npy"),
    };
    let predicted = predict(&job, &Silent).expect("predicts");
    assert_eq!((predicted.n_samples, predicted.n_targets), (N_SAMPLES, N_TARGETS));
    let p: Array2<f32> = npy::open(problem.path("p.npy"))
        .expect("opens")
        .read()
        .expect("reads")
        .into_dimensionality()
        .expect("a matrix");
    let intercept = Array1::from(vector(&problem.path("model"), "intercept")).mapv(|value| value as f32);
    let expected = problem.x.dot(&weights(&problem.path("model"))) + &intercept;
    assert!((&p - &expected).iter().all(|difference| difference.abs() < 1e-4));
}

#[test]
fn every_format_gives_the_same_model() {
    let problem = Problem::new();
    fit(&problem.job("npy"), &mut |_| {}, &Silent).expect("fits");
    let expected = weights(&problem.path("npy"));
    let (x, y) = (problem.x.view().into_dyn(), problem.y.view().into_dyn());
    let mut writer = safetensors::Writer::new();
    writer.add("x", x.clone()).add("y", y.clone()).write(problem.path("d.safetensors")).expect("writes");
    let hdf5 = Writer::new().dataset("x", &x, &DatasetSpec::contiguous()).expect("fits");
    let hdf5 = hdf5.dataset("y", &y, &DatasetSpec::chunked(&[16, 32]).deflated(4)).expect("fits");
    hdf5.write(problem.path("d.h5")).expect("writes");
    let mat = mat::Writer::new().array("x", &x).expect("fits").array("y", &y).expect("fits");
    mat.write(problem.path("d.mat")).expect("writes");
    for file in ["d.safetensors", "d.h5", "d.mat"] {
        let mut job = problem.job(file.split('.').next_back().expect("an ending"));
        job.x = problem.reference(&format!("{file}:x"));
        job.y = problem.reference(&format!("{file}:y"));
        job.targets_per_tile = Some(64);
        fit(&job, &mut |_| {}, &Silent).expect(file);
        assert_eq!(weights(&job.out), expected, "{file}");
    }
}

#[test]
fn a_kept_decomposition_serves_other_targets_and_changes_nothing() {
    let problem = Problem::new();
    problem.write("y2.npy", &problem.y.slice(s![.., 10..90]).to_owned());
    let fit_to = |out: &str, cached: bool| {
        let mut job = problem.job(out);
        job.y = problem.reference("y2.npy");
        job.cache = cached.then(|| problem.path("kept"));
        fit(&job, &mut |_| {}, &Silent).expect("fits");
        bytes(&job.out, "model.safetensors")
    };
    let mut first = problem.job("first");
    first.cache = Some(problem.path("kept"));
    fit(&first, &mut |_| {}, &Silent).expect("fits");
    let kept: Vec<_> = std::fs::read_dir(problem.path("kept")).expect("lists").collect();
    assert_eq!(kept.len(), 1);
    let modified = |entry: &std::fs::DirEntry| entry.metadata().expect("metadata").modified().expect("a time");
    let before = modified(kept[0].as_ref().expect("an entry"));
    assert_eq!(fit_to("cached", true), fit_to("fresh", false));
    let after: Vec<_> = std::fs::read_dir(problem.path("kept")).expect("lists").collect();
    assert_eq!((after.len(), modified(after[0].as_ref().expect("an entry"))), (1, before));
}

#[test]
fn folds_splits_weights_and_shared_penalties_are_those_of_the_library() {
    let problem = Problem::new();
    let check = |name: &str, hold_out: HoldOut, folds: Folds, params: RidgeParams, weighted: Option<&[f64]>| {
        let mut job = problem.job(name);
        job.hold_out = hold_out;
        job.params = params.clone();
        job.targets_per_tile = Some(38);
        job.weights = weighted.map(|weights| {
            npy::write(problem.path("weights.npy"), Array1::from(weights.to_vec()).view().into_dyn()).expect("writes");
            problem.reference("weights.npy")
        });
        fit(&job, &mut |_| {}, &Silent).expect(name);
        let setup = Setup { folds: Some(folds.clone()), sample_weights: weighted, ..Setup::default() };
        let design = Design::prepare(&problem.x.view(), &params, setup).expect(name);
        let exact = design.fit(problem.y.view()).expect(name);
        assert_eq!(vector(&job.out, "alpha"), exact.alpha, "{name}");
        assert_eq!(weights(&job.out), exact.into_linear().weights.t(), "{name}");
        // The library takes few large folds from sums of products instead of residuals: other roundings, the same fit.
        let ridge = RidgeCv::new(params).fit_with(problem.x.view(), problem.y.view(), folds, weighted).expect(name);
        assert_eq!(vector(&job.out, "alpha"), ridge.alpha, "{name}");
        let (ours, theirs) = (weights(&job.out), ridge.into_linear().weights.t().to_owned());
        let largest = theirs.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        let apart = (&ours - &theirs).iter().fold(0.0f32, |apart, weight| apart.max(weight.abs()));
        assert!(apart <= 1e-5 * largest, "{name}: {apart} of {largest}");
    };
    let params = problem.job("").params;
    let by_groups = HoldOut::Folds(4, Some(problem.reference("groups.npy")));
    check("k", by_groups, Folds::k(4, Some(&problem.groups), N_SAMPLES).expect("folds"), params.clone(), None);
    let loo: Vec<usize> = (0..N_SAMPLES).collect();
    check("samples", HoldOut::Samples, Folds::by_label(&loo).expect("folds"), params.clone(), None);
    // A split with a gap.
    let table = Array2::from_shape_fn((N_SAMPLES, 2), |(sample, split)| match (sample / 20 + split) % 3 {
        0 => 2.0f32,
        1 if sample % 20 > 2 => 1.0,
        1 => 0.0,
        _ => 1.0,
    });
    problem.write("splits.npy", &table);
    let side = |split: usize, code: f32| (0..N_SAMPLES).filter(|&row| table[(row, split)] == code).collect::<Vec<_>>();
    let splits = [(side(0, 1.0), side(0, 2.0)), (side(1, 1.0), side(1, 2.0))];
    let folds = Folds::splits(&splits, N_SAMPLES).expect("splits");
    check("splits", HoldOut::Splits(problem.reference("splits.npy")), folds, params.clone(), None);
    let weighted: Vec<f64> = (0..N_SAMPLES).map(|sample| 1.0 + (sample % 3) as f64).collect();
    let groups =
        || (HoldOut::Groups(problem.reference("groups.npy")), Folds::by_label(&problem.groups).expect("folds"));
    let (hold_out, folds) = groups();
    check("weights", hold_out, folds, params.clone(), Some(&weighted));
    let (hold_out, folds) = groups();
    check("shared", hold_out, folds, RidgeParams { choice: AlphaChoice::Shared, ..params }, None);
}

#[test]
fn targets_with_one_label_share_a_penalty() {
    let problem = Problem::new();
    let labels = Array1::from_iter((0..N_TARGETS).map(|target| i64::from(target >= 100)));
    npy::write(problem.path("labels.npy"), labels.view().into_dyn()).expect("writes");
    let mut job = problem.job("grouped");
    job.target_groups = Some(problem.reference("labels.npy"));
    fit(&job, &mut |_| {}, &Silent).expect("fits");
    let alpha = vector(&job.out, "alpha");
    assert!(
        alpha[..100].iter().all(|value| *value == alpha[0]) && alpha[100..].iter().all(|value| *value == alpha[100])
    );
    assert!(alpha[0] < alpha[100], "{alpha:?}");
}
