//! Every kind of unusable input is named, and nothing is left that looks whole.

use ndarray::{Array1, s};
use percept_core::Silent;
use percept_io::npy;
use percept_linear::fit::fit;
use percept_linear::{FitJob, HoldOut, LinearError, Missing, PredictJob, predict};
use percept_regress::RegressError;

use crate::files::{N_SAMPLES, N_TARGETS, Problem, vector, weights};

fn refused(job: &FitJob) -> LinearError {
    let error = fit(job, &mut |_| {}, &Silent).expect_err("refused");
    for file in ["model.safetensors", "model.json", "targets.parquet"] {
        assert!(!job.out.join(file).exists(), "{file} after `{error}`");
    }
    error
}

#[test]
fn missing_values_are_named_by_row_and_column() {
    let problem = Problem::new();
    let mut y = problem.y.clone();
    y[(7, 3)] = f32::NAN;
    y[(9, 3)] = f32::INFINITY;
    y[(9, 60)] = f32::NAN;
    problem.write("y.npy", &y);
    let error = refused(&problem.job("m"));
    let LinearError::Missing { matrix, count, n_rows, n_columns, rows, columns } = &error else { panic!("{error}") };
    assert_eq!((*matrix, *count, *n_rows, *n_columns), ("y", 3, 2, 2));
    assert_eq!((rows, columns), (&vec![7, 9], &vec![3, 60]));
    assert!(error.to_string().contains("(mend the file, or give `--mask-missing`"));
}

#[test]
fn masking_leaves_out_empty_rows_and_columns_with_holes_and_changes_nothing_else() {
    let problem = Problem::new();
    let (mut x, mut y) = (problem.x.clone(), problem.y.clone());
    x.row_mut(0).fill(f32::NAN);
    x[(5, 4)] = f32::NAN;
    y[(7, 3)] = f32::NAN;
    y.row_mut(59).fill(f32::NAN);
    problem.write("x.npy", &x);
    problem.write("y.npy", &y);
    let mut job = problem.job("masked");
    (job.missing, job.targets_per_tile) = (Missing::Mask, Some(57));
    let outcome = fit(&job, &mut |_| {}, &Silent).expect("fits");
    assert_eq!(
        (outcome.plan.n_left_out_rows, outcome.plan.n_masked_features, outcome.plan.n_masked_targets),
        (2, 1, 1)
    );
    assert_eq!(outcome.counts.masked, 1);
    let (masked, alpha) = (weights(&job.out), vector(&job.out, "alpha"));
    assert!(masked.row(4).iter().chain(masked.column(3)).all(|weight| *weight == 0.0));
    assert!(alpha[3].is_nan() && vector(&job.out, "intercept")[3].is_nan());
    // The same without what was left out.
    x.column_mut(4).fill(0.0);
    y.column_mut(3).fill(0.0);
    problem.write("x.npy", &x.slice(s![1..59, ..]).to_owned());
    problem.write("y.npy", &y.slice(s![1..59, ..]).to_owned());
    let groups = Array1::from_iter(problem.groups[1..59].iter().map(|&group| group as i64));
    npy::write(problem.path("groups.npy"), groups.view().into_dyn()).expect("writes");
    let clean = problem.job("clean");
    fit(&clean, &mut |_| {}, &Silent).expect("fits");
    assert_eq!(weights(&clean.out), masked);
    // Predictions of a masked target are not known, and a sample without the masked feature can be predicted.
    let mut new = problem.x.slice(s![..2, ..]).to_owned();
    new[(0, 4)] = f32::NAN;
    problem.write("new.npy", &new);
    let mut job = PredictJob {
        model: problem.path("masked"),
        x: problem.reference("new.npy"),
        bands: Vec::new(),
        missing: Missing::Mask,
        memory: None,
        out: problem.path("p.npy"),
    };
    predict(&job, &Silent).expect("predicts");
    let p = npy::open(problem.path("p.npy")).expect("opens").read::<f32>().expect("reads");
    assert_eq!(p.iter().filter(|value| value.is_nan()).count(), 2, "one target of two samples");
    new[(1, 5)] = f32::NAN;
    problem.write("new.npy", &new);
    job.out = problem.path("q.npy");
    let error = predict(&job, &Silent).expect_err("feature 5 counts");
    assert!(matches!(error, LinearError::Missing { .. }), "{error}");
    assert!(!problem.path("q.npy").exists());
}

#[test]
fn rows_labels_and_groups_that_do_not_fit_are_named() {
    let problem = Problem::new();
    problem.write("short.npy", &problem.y.slice(s![..59, ..]).to_owned());
    let mut job = problem.job("m");
    job.y = problem.reference("short.npy");
    let error = refused(&job);
    assert!(error.to_string().contains("has 60 rows but"), "{error}");
    let list = |name: &str, values: Vec<f64>| {
        npy::write(problem.path(name), Array1::from(values).view().into_dyn()).expect("writes");
        problem.reference(name)
    };
    let mut job = problem.job("m");
    job.hold_out = HoldOut::Groups(list("one.npy", vec![4.0; N_SAMPLES]));
    assert!(matches!(refused(&job), LinearError::Regress(RegressError::SingleGroup { group: 4, rows: 60 })));
    job.hold_out = HoldOut::Groups(list("half.npy", vec![0.5; N_SAMPLES]));
    assert!(matches!(refused(&job), LinearError::Label { position: 0, .. }));
    job.hold_out = HoldOut::Groups(list("few.npy", vec![0.0; 3]));
    assert!(matches!(refused(&job), LinearError::Lengths { left_len: 3, right_len: 60, .. }));
    let mut job = problem.job("m");
    job.weights = Some(list("zero.npy", vec![0.0; N_SAMPLES]));
    assert!(matches!(refused(&job), LinearError::Regress(RegressError::Weight { sample: 0, .. })));
}

#[test]
fn folds_that_part_the_repeats_of_a_stimulus_are_refused() {
    let problem = Problem::new();
    let mut job = problem.job("m");
    (job.hold_out, job.stimuli) = (HoldOut::Folds(7, None), Some(problem.reference("groups.npy")));
    assert!(matches!(refused(&job), LinearError::Regress(RegressError::Leak { .. })));
    job.allow_leaks = true;
    let outcome = fit(&job, &mut |_| {}, &Silent).expect("insists");
    assert!(outcome.plan.n_leaking_stimuli > 0);
}

#[test]
fn no_penalty_on_dependent_features_is_refused() {
    let problem = Problem::new();
    let mut x = problem.x.clone();
    let copy = x.column(0).to_owned();
    x.column_mut(1).assign(&copy);
    problem.write("x.npy", &x);
    let mut job = problem.job("m");
    job.params.alphas = vec![0.0, 1.0];
    assert!(matches!(refused(&job), LinearError::Regress(RegressError::SingularGram { rank: 19, needed: 20 })));
}

#[test]
fn constant_columns_are_counted_and_get_no_weight() {
    let problem = Problem::new();
    let (mut x, mut y) = (problem.x.clone(), problem.y.clone());
    x.column_mut(2).fill(7.0);
    y.column_mut(120).fill(3.0);
    problem.write("x.npy", &x);
    problem.write("y.npy", &y);
    let job = problem.job("m");
    let outcome = fit(&job, &mut |_| {}, &Silent).expect("fits");
    assert_eq!((outcome.counts.constant, outcome.design.constant_features), (1, vec![2]));
    assert!(weights(&job.out).row(2).iter().chain(weights(&job.out).column(120)).all(|weight| *weight == 0.0));
    assert_eq!(vector(&job.out, "intercept")[120], 3.0);
}

#[test]
fn too_little_memory_is_refused_with_what_is_needed() {
    let problem = Problem::new();
    let mut job = problem.job("m");
    job.memory = Some(1000);
    let error = refused(&job);
    assert!(matches!(error, LinearError::Memory { granted: 1000, .. }), "{error}");
}

#[test]
fn a_folder_that_is_no_model_is_named() {
    let problem = Problem::new();
    let job = PredictJob {
        model: problem.path("absent"),
        x: problem.reference("x.npy"),
        bands: Vec::new(),
        missing: Missing::Refuse,
        memory: None,
        out: problem.path("p.npy"),
    };
    let error = predict(&job, &Silent).expect_err("no model");
    assert!(error.to_string().contains("is no finished model"), "{error}");
    assert_eq!(problem.y.ncols(), N_TARGETS);
}
