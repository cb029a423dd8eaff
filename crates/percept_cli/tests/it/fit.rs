//! `percept fit` with its presets and methods, as a user starts it, against the library.

use std::path::Path;

use percept::core::Seed;
use percept::io::{npy, safetensors};
use percept::regress::{
    Band, BandedCv, BandedParams, Folds, RidgeCv, RidgeParams, Selected, SelectedParams, TAKAGI2023_ALPHAS,
};

use crate::program::{percept as program, text};

type Matrix = ndarray::Array2<f64>;

fn normal(name: &str, rows: usize, columns: usize) -> Matrix {
    let values = Seed::new(5).named(name).normal(rows * columns).into_iter().map(f64::from).collect();
    Matrix::from_shape_vec((rows, columns), values).expect("as many as asked for")
}

struct Problem {
    folder: tempfile::TempDir,
    x: Matrix,
    y: Matrix,
}

impl Problem {
    fn new() -> Self {
        let x = normal("x", 60, 8) + 1.0;
        let y = x.dot(&normal("w", 8, 5)) + normal("noise", 60, 5) * 3.0 + 4.0;
        let folder = tempfile::tempdir().expect("a folder");
        let problem = Self { folder, x, y };
        for (name, values) in [("x", &problem.x), ("y", &problem.y)] {
            npy::write(problem.path(name), values.view().into_dyn()).expect("writes");
        }
        let (a, b) = problem.x.view().split_at(ndarray::Axis(1), 3);
        npy::write(problem.path("a"), a.to_owned().view().into_dyn()).expect("writes");
        npy::write(problem.path("b"), b.to_owned().view().into_dyn()).expect("writes");
        problem
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{name}.npy"))
    }

    /// Runs `percept fit` in double precision; gives weights, intercepts and penalties.
    fn fit(&self, out: &str, arguments: &[&str]) -> (Matrix, Vec<f64>, Vec<f64>) {
        let mut all = vec!["fit", "--y", "y.npy", "--precision", "f64", "--out", out];
        all.extend(arguments);
        let output = program(self.folder.path(), &all).output().expect("the program starts");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let file = safetensors::open(self.folder.path().join(out).join("model.safetensors")).expect("a model");
        let vector = |name: &str| file.tensor::<f64>(name).expect("a vector").into_raw_vec_and_offset().0;
        let weights = file.tensor("weights").expect("weights").into_dimensionality().expect("a matrix");
        (weights, vector("intercept"), vector("alpha"))
    }

    fn refuse(&self, arguments: &[&str]) -> String {
        let mut all = vec!["fit", "--y", "y.npy", "--out", "refused"];
        all.extend(arguments);
        let output = program(self.folder.path(), &all).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(!Path::new(&self.folder.path().join("refused/model.json")).exists());
        text(&output.stderr)
    }
}

fn near(a: &Matrix, b: &Matrix) {
    assert!((a - b).iter().all(|difference| difference.abs() < 1e-9), "{a} {b}");
}

#[test]
fn presets_are_those_of_the_library() {
    let problem = Problem::new();
    let each: Vec<usize> = (0..60).collect();
    let five = || Folds::k(5, None, 60).expect("folds");
    let alone = || Folds::by_label(&each).expect("samples");
    let squared: Vec<f64> = vec![1.0, 3.0, 10.0];
    let cases = [
        ("sklearn", vec![], RidgeParams::sklearn(vec![0.1, 1.0, 10.0]), alone()),
        ("himalaya", vec!["--alphas", "1,10"], RidgeParams::himalaya(vec![1.0, 10.0]), five()),
        ("takagi2023", vec![], RidgeParams::takagi2023(TAKAGI2023_ALPHAS.to_vec()), five()),
        (
            "huth",
            vec!["--alphas", "1,3,10", "--chunks", "5:3:6", "--seed", "2"],
            RidgeParams::huth(&squared),
            Folds::chunks(5, 3, 6, 60, Seed::new(2).named("chunks")).expect("chunks"),
        ),
    ];
    for (preset, more, params, folds) in cases {
        let mut arguments = vec!["--x", "x.npy", "--preset", preset];
        arguments.extend(more);
        let (weights, intercept, alpha) = problem.fit(preset, &arguments);
        let ridge = RidgeCv::new(params).fit_with(problem.x.view(), problem.y.view(), folds, None).expect("fits");
        assert_eq!(alpha, ridge.alpha, "{preset}");
        let plain = ridge.into_linear();
        near(&weights, &plain.weights.reversed_axes());
        assert!(intercept.iter().zip(&plain.intercept).all(|(a, b)| (a - b).abs() < 1e-9), "{preset}");
    }
    let (weights, intercept, alpha) =
        problem.fit("fastl2lir", &["--x", "x.npy", "--preset", "fastl2lir", "--select", "3"]);
    let params = SelectedParams { n_features: 3, alpha: 1.0, penalize_intercept: true };
    let selected = Selected::fit(problem.x.view(), problem.y.view(), &params).expect("fits");
    near(&weights, &selected.weights);
    assert!(intercept.iter().zip(&selected.intercept).all(|(a, b)| (a - b).abs() < 1e-9));
    assert_eq!(alpha, vec![1.0; 5]);
}

#[test]
fn several_feature_spaces_are_banded() {
    let problem = Problem::new();
    let arguments = ["--x", "a.npy", "--x", "b.npy", "--folds", "5", "--draws", "3", "--seed", "7", "--alphas", "1,10"];
    let (weights, _, alpha) = problem.fit("banded", &arguments);
    let ridge = RidgeParams { alphas: vec![1.0, 10.0], standardize: false, ..RidgeParams::default() };
    let params = BandedParams { n_draws: 3, ..BandedParams::new(ridge, Seed::new(7).named("scales")) };
    let bands = [("1", 0..3), ("2", 3..8)].map(|(name, features)| Band { name: name.to_owned(), features });
    let folds = Folds::k(5, None, 60).expect("folds");
    let banded = BandedCv::new(params).fit(problem.x.view(), problem.y.view(), &bands, &folds).expect("fits");
    near(&weights, &banded.weights);
    assert_eq!(alpha, banded.alpha);
    let predict = ["predict", "--model", "banded", "--x", "a.npy", "--x", "b.npy", "--out", "p.npy"];
    let output = program(problem.folder.path(), &predict).output().expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let predicted = npy::open(problem.path("p")).expect("opens").read().expect("reads");
    let expected = banded.predict(problem.x.view()).expect("predicts");
    near(&predicted.into_dimensionality().expect("a matrix"), &expected);
}

#[test]
fn requests_that_contradict_each_other_are_refused() {
    let problem = Problem::new();
    let x = ["--x", "x.npy"];
    let with = |more: &[&'static str]| problem.refuse(&[&x[..], more].concat());
    assert!(with(&["--preset", "huth"]).contains("say which (as `--chunks 40:20:15`"));
    assert!(with(&["--kernel", "--select", "3"]).contains("exclude each other (give one of them)"));
    assert!(with(&["--chunks", "5:3:6", "--folds", "3"]).contains("say already what is held out"));
    assert!(with(&["--chunks", "5:3"]).contains("(write `LENGTH:HELD:DRAWS`"));
    assert!(with(&["--preset", "sklearn", "--standardize"]).contains("cannot be used with"));
    assert!(with(&["--select", "3"]).contains("give one penalty"));
    assert!(with(&["--components", "9"]).contains("ask for fewer components"));
}

#[cfg(not(feature = "mpi"))]
#[test]
fn a_program_without_mpi_refuses_to_be_one_of_many() {
    let problem = Problem::new();
    let mut command = program(problem.folder.path(), &["fit", "--x", "x.npy", "--y", "y.npy", "--out", "m"]);
    let output = command.env("OMPI_COMM_WORLD_SIZE", "2").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("was built without MPI"), "{}", text(&output.stderr));
}
