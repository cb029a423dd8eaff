//! A small problem on disk.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, s};
use percept_core::Seed;
use percept_io::array::Reference;
use percept_io::{npy, safetensors};
use percept_linear::{FitJob, HoldOut};
use percept_regress::RidgeParams;
use tempfile::TempDir;

pub(crate) const N_SAMPLES: usize = 60;
pub(crate) const N_FEATURES: usize = 20;
pub(crate) const N_TARGETS: usize = 150;

/// Samples, targets and groups, in memory and as npy files in a folder of their own.
pub(crate) struct Problem {
    pub(crate) folder: TempDir,
    pub(crate) x: Array2<f32>,
    pub(crate) y: Array2<f32>,
    pub(crate) groups: Vec<usize>,
}

fn noise(seed: Seed, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((rows, columns), seed.normal(rows * columns)).expect("as many as asked for")
}

impl Problem {
    pub(crate) fn new() -> Self {
        let seed = Seed::new(5);
        let x = noise(seed.named("x"), N_SAMPLES, N_FEATURES) + 2.0;
        let mut y =
            x.dot(&noise(seed.named("w"), N_FEATURES, N_TARGETS)) * 0.3 + noise(seed.named("e"), N_SAMPLES, N_TARGETS);
        y.slice_mut(s![.., 100..]).assign(&noise(seed.named("only noise"), N_SAMPLES, 50));
        let groups: Vec<usize> = (0..N_SAMPLES).map(|sample| sample / 3).collect();
        let problem = Self { folder: tempfile::tempdir().expect("a folder"), x, y, groups };
        problem.write("x.npy", &problem.x);
        problem.write("y.npy", &problem.y);
        let groups = Array1::from_iter(problem.groups.iter().map(|&group| group as i64));
        npy::write(problem.path("groups.npy"), groups.view().into_dyn()).expect("writes");
        problem
    }

    /// The same with five times as many targets, which do not vary within groups.
    pub(crate) fn repeated() -> Self {
        let mut problem = Self::new();
        problem.y = Array2::from_shape_fn((N_SAMPLES, 5 * N_TARGETS), |(sample, target)| {
            problem.y[(sample / 3 * 3, target % N_TARGETS)] + (target / N_TARGETS) as f32
        });
        problem.write("y.npy", &problem.y);
        problem
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn reference(&self, name: &str) -> Reference {
        self.path(name).display().to_string().parse().expect("a reference")
    }

    pub(crate) fn write(&self, name: &str, values: &Array2<f32>) {
        npy::write(self.path(name), values.view().into_dyn()).expect("writes");
    }

    /// Leave-one-group-out with five penalties.
    pub(crate) fn job(&self, out: &str) -> FitJob {
        let params = RidgeParams {
            alphas: (-1..=3).map(|exponent| 10f64.powi(exponent)).collect(),
            standardize: false,
            ..RidgeParams::default()
        };
        let hold_out = HoldOut::Groups(self.reference("groups.npy"));
        FitJob::new(self.reference("x.npy"), self.reference("y.npy"), hold_out, params, self.path(out))
    }
}

pub(crate) fn weights(folder: &Path) -> Array2<f32> {
    let file = safetensors::open(folder.join("model.safetensors")).expect("opens");
    file.tensor("weights").expect("weights").into_dimensionality().expect("a matrix")
}

pub(crate) fn vector(folder: &Path, name: &str) -> Vec<f64> {
    let file = safetensors::open(folder.join("model.safetensors")).expect("opens");
    file.tensor(name).expect("a vector").into_raw_vec_and_offset().0
}

pub(crate) fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("reads")
}
