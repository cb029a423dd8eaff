//! Fits of files by every method are those of the library, and their models predict like any other.

use ndarray::{Array1, Array2, Axis, concatenate, s};
use percept_core::{Seed, Silent};
use percept_io::{npy, safetensors};
use percept_linear::fit::fit;
use percept_linear::model::read_description;
use percept_linear::{FitJob, HoldOut, LinearError, Method, Missing, Precision, PredictJob, predict};
use percept_regress::{
    Band, BandedCv, BandedParams, Best, Design, Folds, Path, Pca, Pooling, Region, Regions, RegionsParams, Repeats,
    Ridge, RidgeCv, RidgeParams, Score, Selected, SelectedParams, Setup,
};

use crate::files::{N_FEATURES, N_SAMPLES, N_TARGETS, Problem, vector, weights};

/// The model holds weights in single precision.
const STORED: f32 = 2e-5;

fn predictions(problem: &Problem, model: &str, x: &str, bands: &[&str]) -> Array2<f32> {
    let job = PredictJob {
        model: problem.path(model),
        x: problem.reference(x),
        bands: bands.iter().map(|band| problem.reference(band)).collect(),
        missing: Missing::Refuse,
        memory: None,
        out: problem.path("predicted.npy"),
    };
    predict(&job, &Silent).expect("predicts");
    let file = npy::open(problem.path("predicted.npy")).expect("opens");
    file.read().expect("reads").into_dimensionality().expect("a matrix")
}

fn near(a: &Array2<f32>, b: &Array2<f32>) {
    assert_eq!(a.dim(), b.dim());
    let largest = (a - b).iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = b.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest <= STORED * scale.max(1.0), "{largest}");
}

fn labels(problem: &Problem, name: &str, labels: &[usize]) {
    let labels = Array1::from_iter(labels.iter().map(|&label| label as i64));
    npy::write(problem.path(name), labels.view().into_dyn()).expect("writes");
}

fn made(problem: &Problem, job: &FitJob) -> Array2<f32> {
    fit(job, &mut |_| {}, &Silent).expect("fits");
    assert_eq!(read_description(&job.out, None).expect("a model").method, job.method.name());
    assert!(!problem.path("unfinished").exists());
    weights(&job.out)
}

fn by_groups(problem: &Problem) -> Folds {
    Folds::by_label(&problem.groups).expect("groups")
}

#[test]
fn several_feature_spaces_are_a_banded_ridge() {
    let problem = Problem::new();
    let (a, b) = (problem.x.slice(s![.., ..12]).to_owned(), problem.x.slice(s![.., 12..]).to_owned());
    problem.write("a.npy", &a);
    problem.write("b.npy", &b);
    let mut job = problem.job("banded");
    (job.x, job.bands) = (problem.reference("a.npy"), vec![problem.reference("b.npy")]);
    job.method = Method::Banded { n_draws: 4, seed: 9 };
    let found = made(&problem, &job);
    let bands = [("1", 0..12), ("2", 12..N_FEATURES)].map(|(name, features)| Band { name: name.to_owned(), features });
    let params = BandedParams { n_draws: 4, ..BandedParams::new(job.params.clone(), Seed::new(9).named("scales")) };
    let cv = BandedCv::new(params);
    let banded = cv.fit(problem.x.view(), problem.y.view(), &bands, &by_groups(&problem)).expect("fits");
    assert_eq!(found, banded.weights);
    assert_eq!(vector(&job.out, "alpha"), banded.alpha);
    assert_eq!(vector(&job.out, "cv_score"), banded.cv_score);
    let file = safetensors::open(job.out.join("model.safetensors")).expect("opens");
    let scales: Array2<f64> = file.tensor("scales").expect("scales").into_dimensionality().expect("a matrix");
    assert_eq!(scales, banded.scales);
    let description = read_description(&job.out, None).expect("a model");
    assert_eq!(description.bands, vec![[0, 12], [12, N_FEATURES]]);
    near(&predictions(&problem, "banded", "a.npy", &["b.npy"]), &banded.predict(problem.x.view()).expect("predicts"));
    let twice: Vec<f64> = (0..N_SAMPLES).map(|row| 1.0 + f64::from(u8::from(row < 9))).collect();
    npy::write(problem.path("twice.npy"), Array1::from(twice.clone()).view().into_dyn()).expect("writes");
    (job.weights, job.out) = (Some(problem.reference("twice.npy")), problem.path("weighted"));
    let weighted = cv.fit_with(problem.x.view(), problem.y.view(), &bands, &by_groups(&problem), Some(&twice));
    assert_eq!(made(&problem, &job), weighted.expect("fits").weights);
}

#[test]
fn a_kernel_predicts_as_its_features_do() {
    let problem = Problem::new();
    let new = problem.x.slice(s![..7, ..]).to_owned() * 0.5;
    problem.write("kernel.npy", &problem.x.dot(&problem.x.t()));
    problem.write("new.npy", &new.dot(&problem.x.t()));
    let mut job = problem.job("kernel");
    (job.x, job.method) = (problem.reference("kernel.npy"), Method::Kernel);
    (job.targets_per_tile, job.params.standardize) = (Some(57), true);
    let dual = made(&problem, &job);
    assert_eq!(dual.dim(), (N_SAMPLES, N_TARGETS));
    let kernel = problem.x.dot(&problem.x.t()).mapv(f64::from);
    let params = RidgeParams { path: Path::Kernel, standardize: false, ..job.params.clone() };
    let setup = Setup { folds: Some(by_groups(&problem)), ..Setup::default() };
    let design = Design::<f32>::from_kernel(kernel.view(), &params, setup).expect("prepares");
    let ridge = design.fit(problem.y.view()).expect("fits");
    assert_eq!(vector(&job.out, "alpha"), ridge.alpha);
    assert_eq!(dual, ridge.weights);
    let primal = RidgeCv::new(params).fit(problem.x.view(), problem.y.view(), &problem.groups).expect("fits");
    let (found, expected) = (predictions(&problem, "kernel", "new.npy", &[]), primal.predict(new.view()));
    let expected = expected.expect("predicts");
    // A kernel in single precision costs digits.
    assert!((&found - &expected).iter().all(|value| value.abs() < 5e-3));
    problem.write("wide.npy", &problem.x);
    (job.x, job.out) = (problem.reference("wide.npy"), problem.path("no kernel"));
    let error = fit(&job, &mut |_| {}, &Silent).expect_err("60 × 20");
    assert!(error.to_string().contains("the kernel is 60 × 20"), "{error}");
}

#[test]
fn selected_features_pass_in_tiles() {
    let problem = Problem::new();
    let mut job = problem.job("selected");
    job.method = Method::Selected { n_features: 5, penalize_intercept: true };
    job.params.alphas = vec![3.0];
    job.targets_per_tile = Some(40);
    let found = made(&problem, &job);
    let params = SelectedParams { n_features: 5, alpha: 3.0, penalize_intercept: true };
    let selected = Selected::fit(problem.x.view(), problem.y.view(), &params).expect("fits");
    assert_eq!(found, selected.weights);
    assert!(vector(&job.out, "cv_score").iter().all(|score| score.is_nan()), "nothing was held out");
    near(&predictions(&problem, "selected", "x.npy", &[]), &selected.predict(problem.x.view()).expect("predicts"));
    job.params.alphas = vec![1.0, 3.0];
    job.out = problem.path("two");
    let error = fit(&job, &mut |_| {}, &Silent).expect_err("one penalty is needed");
    assert!(error.to_string().contains("(expected one; give one penalty)"), "{error}");
}

#[test]
fn the_best_regions_are_averaged() {
    let problem = Problem::new();
    let of_feature: Vec<usize> = (0..N_FEATURES).map(|feature| [30, 10, 20, 40][feature % 4]).collect();
    labels(&problem, "regions.npy", &of_feature);
    let mut job = problem.job("regions");
    job.params.score = Score::Pearson;
    job.method = Method::Regions { of_feature: problem.reference("regions.npy"), n_best: 2, per_target: true };
    let found = made(&problem, &job);
    let region = |label: usize| Region {
        name: label.to_string(),
        features: (0..N_FEATURES).filter(|&feature| of_feature[feature] == label).collect(),
    };
    let regions = [10, 20, 30, 40].map(region);
    let params = RegionsParams { ridge: job.params.clone(), n_best: 2, best: Best::PerTarget };
    let folds = by_groups(&problem);
    // Correlations are scored in double precision, whatever the job says.
    let [x, y] = [&problem.x, &problem.y].map(|values| values.mapv(f64::from));
    let expected = Regions::fit(x.view(), y.view(), &regions, &folds, &params, None, None);
    let expected = expected.expect("fits");
    assert_eq!(read_description(&job.out, None).expect("a model").precision, Precision::Double);
    assert_eq!(found, expected.weights.mapv(|weight| weight as f32));
    assert_eq!(read_description(&job.out, None).expect("a model").regions, ["10", "20", "30", "40"]);
    let file = safetensors::open(job.out.join("model.safetensors")).expect("opens");
    let scores: Array2<f64> = file.tensor("region_score").expect("scores").into_dimensionality().expect("a matrix");
    assert_eq!(scores, expected.scores);
    let predicted = expected.predict(x.view()).expect("predicts").mapv(|value| value as f32);
    near(&predictions(&problem, "regions", "x.npy", &[]), &predicted);
    labels(&problem, "regions.npy", &of_feature[1..]);
    job.out = problem.path("short");
    let error = fit(&job, &mut |_| {}, &Silent).expect_err("one label is missing");
    assert!(matches!(error, LinearError::Lengths { left_len: 19, right_len: 20, .. }), "{error}");
}

#[test]
fn components_are_fitted_first_and_folded_into_the_weights() {
    let problem = Problem::new();
    let mut job = problem.job("components");
    (job.components, job.precision, job.targets_per_tile) = (Some(6), Precision::Double, Some(40));
    job.params.standardize = true;
    fit(&job, &mut |_| {}, &Silent).expect("fits");
    let (x, y) = (problem.x.mapv(f64::from), problem.y.mapv(f64::from));
    let pca = Pca::fit(&x.view(), 6, true).expect("fits");
    let z = pca.transform(x.view()).expect("projects");
    let params = RidgeParams { standardize: false, ..job.params.clone() };
    let ridge = RidgeCv::new(params).fit(z.view(), y.view(), &problem.groups).expect("fits");
    assert_eq!(vector(&job.out, "alpha"), ridge.alpha);
    let expected = ridge.predict(z.view()).expect("predicts");
    let file = safetensors::open(job.out.join("model.safetensors")).expect("opens");
    let weights: Array2<f64> = file.tensor("weights").expect("weights").into_dimensionality().expect("a matrix");
    let found = x.dot(&weights) + Array1::from(vector(&job.out, "intercept"));
    assert!((found - expected).iter().all(|value| value.abs() < 1e-9));
    job.components = Some(21);
    job.out = problem.path("too many");
    assert!(fit(&job, &mut |_| {}, &Silent).is_err());
}

#[test]
fn averaged_repeats_are_fitted_with_their_weights() {
    let problem = Problem::new();
    // Repeats of unequal number, scattered.
    let stimuli: Vec<usize> = (0..N_SAMPLES).map(|sample| (sample * sample) % 23).collect();
    labels(&problem, "stimuli.npy", &stimuli);
    let runs: Vec<usize> = stimuli.iter().map(|stimulus| stimulus % 4).collect();
    labels(&problem, "runs.npy", &runs);
    let mut job = problem.job("averaged");
    job.average = Some(problem.reference("stimuli.npy"));
    job.hold_out = HoldOut::Groups(problem.reference("runs.npy"));
    job.targets_per_tile = Some(57);
    let found = made(&problem, &job);
    let repeats = Repeats::by_label(&stimuli);
    let average = |values: &Array2<f32>| repeats.average(values.view(), None).expect("averages");
    let (x, y, counts) = (average(&problem.x), average(&problem.y), repeats.weights(None).expect("weights"));
    let folds = Folds::by_label(&repeats.common("runs", &runs).expect("by stimulus")).expect("groups");
    let ridge = RidgeCv::new(job.params.clone()).fit_with(x.view(), y.view(), folds, Some(&counts)).expect("fits");
    assert_eq!(vector(&job.out, "alpha"), ridge.alpha);
    assert_eq!(found, ridge.into_linear().weights.t());
    job.hold_out = HoldOut::Groups(problem.reference("groups.npy"));
    job.out = problem.path("straddling");
    let error = fit(&job, &mut |_| {}, &Silent).expect_err("repeats stand in several groups");
    assert!(error.to_string().contains("repeats of stimulus"), "{error}");
}

#[test]
fn random_chunks_are_those_of_the_library() {
    let problem = Problem::new();
    let mut job = problem.job("chunks");
    job.params = RidgeParams::huth(&[1.0, 3.0, 10.0]);
    job.hold_out = HoldOut::Chunks { length: 5, held: 3, draws: 6, seed: 4 };
    made(&problem, &job);
    let folds = Folds::chunks(5, 3, 6, N_SAMPLES, Seed::new(4).named("chunks")).expect("chunks");
    let ridge = RidgeCv::new(job.params.clone()).fit_with(problem.x.view(), problem.y.view(), folds, None);
    assert_eq!(vector(&job.out, "alpha"), ridge.expect("fits").alpha);
    assert_eq!(job.params.pooling, Pooling::Folds);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let problem = Problem::new();
    let refuse = |change: &dyn Fn(&mut FitJob)| {
        let mut job = problem.job("refused");
        change(&mut job);
        let error = fit(&job, &mut |_| {}, &Silent).expect_err("refused").to_string();
        assert!(!job.out.join("model.json").exists());
        error
    };
    let banded = Method::Banded { n_draws: 1, seed: 1 };
    assert!(refuse(&|job| job.method = banded.clone()).contains("one feature space"));
    let shared = |job: &mut FitJob| {
        job.method = Method::Selected { n_features: 2, penalize_intercept: false };
        job.params.alphas = vec![1.0];
        job.params.choice = percept_regress::AlphaChoice::Shared;
    };
    assert!(refuse(&shared).contains("a shared penalty"));
    let shard = |job: &mut FitJob| {
        job.method = banded.clone();
        job.bands = vec![problem.reference("x.npy")];
        job.shard = Some(percept_linear::Shard { number: 1, of: 2 });
    };
    assert!(refuse(&shard).contains("do not give a shard"));
    let components = |job: &mut FitJob| (job.method, job.components) = (Method::Kernel, Some(3));
    assert!(refuse(&components).contains("principal components"));
    let masked = |job: &mut FitJob| (job.method, job.missing) = (Method::Kernel, Missing::Mask);
    assert!(refuse(&masked).contains("leave samples out of both sides"));
    let short = concatenate(Axis(0), &[problem.x.view(), problem.x.view()]).expect("same columns");
    problem.write("other.npy", &short);
    let rows = |job: &mut FitJob| (job.method, job.bands) = (banded.clone(), vec![problem.reference("other.npy")]);
    assert!(refuse(&rows).contains("has 60 rows but"));
    let plain = Ridge::fit(problem.x.view(), problem.y.view(), 1.0, &RidgeParams::default());
    assert!(plain.is_ok());
}
