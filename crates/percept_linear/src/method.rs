//! What each method of regression needs: settings that fit together, memory, operations, tensors of its own.

use std::collections::BTreeMap;

use percept_io::array::Reference;
use percept_regress::cost::{self, Memory, Operations, Size};
use percept_regress::selected::TARGETS_PER_BLOCK;
use percept_regress::{AlphaChoice, BandedParams, Folds, Path, Real, Region, RegressError, RidgeParams};

use crate::error::LinearError;
use crate::job::{FitJob, Method, Missing};
use crate::source;

/// The job with what its method implies, refused where settings contradict each other.
pub(crate) fn settled(job: &FitJob) -> Result<FitJob, LinearError> {
    let name = job.method.name();
    let refuse = |what: &str, expected: &str, remedy| -> Result<FitJob, LinearError> {
        let (what, expected) = (format!("a {name} regression is asked for with {what}"), expected.to_owned());
        Err(RegressError::Setting { what, expected, remedy }.into())
    };
    let mut job = job.clone();
    job.precision = job.working_precision();
    let is_ridge = job.method == Method::Ridge;
    match &job.method {
        Method::Kernel => {
            job.params = RidgeParams { path: Path::Kernel, standardize: false, center: false, ..job.params };
            if job.missing == Missing::Mask {
                return refuse(
                    "missing values masked",
                    "a whole kernel",
                    "leave samples out of both sides of the kernel",
                );
            }
            if !job.bands.is_empty() || job.average.is_some() {
                return refuse(
                    "several matrices or averaged repeats",
                    "one kernel of all samples",
                    "make it from what is to be fitted",
                );
            }
        }
        Method::Selected { .. } => {
            if job.params.alphas.len() != 1 {
                return refuse("several penalties", "one", "give one penalty");
            }
            if job.weights.is_some() || job.average.is_some() {
                return refuse(
                    "weights or averaged repeats",
                    "samples that count alike",
                    "average before, or leave the weights out",
                );
            }
        }
        Method::Banded { .. } if job.bands.is_empty() => {
            return refuse("one feature space", "two or more", "give each feature space as a matrix of its own");
        }
        _ => {}
    }
    let one_penalty = matches!(job.method, Method::Banded { .. } | Method::Selected { .. } | Method::Regions { .. });
    if one_penalty && (job.params.choice == AlphaChoice::Shared || job.target_groups.is_some()) {
        return refuse("a shared penalty", "one penalty per target", "let each target choose its own penalty");
    }
    if one_penalty && job.params.extend > 0 && !matches!(job.method, Method::Regions { .. }) {
        return refuse("a growing grid", "a fixed one", "widen the grid");
    }
    if job.method.is_whole() && job.shard.is_some() {
        return refuse("shards", "one process", "do not give a shard");
    }
    if job.components.is_some() && !is_ridge {
        return refuse("principal components", "a ridge regression", "do not ask for components");
    }
    Ok(job)
}

/// The regions of a job that has any.
pub(crate) fn regions(job: &FitJob, n_features: usize) -> Result<Vec<Region>, LinearError> {
    let Method::Regions { of_feature, .. } = &job.method else { return Ok(Vec::new()) };
    let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (feature, label) in labels(of_feature, n_features, &job.x)?.into_iter().enumerate() {
        regions.entry(label).or_default().push(feature);
    }
    Ok(regions.into_iter().map(|(label, features)| Region { name: label.to_string(), features }).collect())
}

fn labels(list: &Reference, n_features: usize, x: &Reference) -> Result<Vec<usize>, LinearError> {
    source::labels(list, n_features, &[], x).map_err(|error| match error {
        LinearError::Lengths { left, left_len, right, right_len, .. } => {
            LinearError::Lengths { left, left_len, right, right_len, unit: "entries", unit_one: "feature" }
        }
        other => other,
    })
}

/// Targets that are worked on together; tiles and shards are multiples of it.
pub(crate) fn task_width(job: &FitJob, n_targets: usize) -> usize {
    match job.method {
        Method::Ridge | Method::Kernel => cost::task_width(&job.params, n_targets),
        Method::Selected { .. } => TARGETS_PER_BLOCK,
        Method::Banded { .. } | Method::Regions { .. } => n_targets.max(1),
    }
}

/// Tensors beside those of every model, by name and rows.
pub(crate) fn extra_tensors(job: &FitJob, regions: &[Region]) -> Vec<(&'static str, usize)> {
    match job.method {
        Method::Banded { .. } => vec![("scales", 1 + job.bands.len())],
        Method::Regions { .. } => vec![("region_score", regions.len())],
        _ => Vec::new(),
    }
}

/// The method in words, for the record.
pub(crate) fn words(method: &Method) -> String {
    match method {
        Method::Ridge | Method::Kernel => method.name().to_owned(),
        Method::Banded { n_draws, seed } => format!("banded, {n_draws} draws, seed {seed}"),
        Method::Selected { n_features, penalize_intercept } => {
            let n_features = if *n_features == usize::MAX { "all".to_owned() } else { n_features.to_string() };
            format!("selected, {n_features} features, intercept penalised {penalize_intercept}")
        }
        Method::Regions { n_best, per_target, .. } => format!("regions, best {n_best}, per target {per_target}"),
    }
}

/// Scales that a banded ridge tries.
pub(crate) fn n_candidates(n_bands: usize, params: &BandedParams) -> usize {
    1 + n_bands + params.n_draws + params.n_rounds * params.draws_per_round
}

fn largest(regions: &[Region]) -> usize {
    regions.iter().map(|region| region.features.len()).max().unwrap_or(0)
}

/// Memory of a fit.
pub(crate) fn memory<T: Real>(job: &FitJob, size: Size, folds: &Folds, regions: &[Region], n_threads: usize) -> Memory {
    let ridge = |size: Size, params: &RidgeParams| cost::memory::<T>(size, params, Some(folds), n_threads);
    let (n, p, float) = (size.n_samples as u64, size.n_features as u64, size_of::<T>() as u64);
    let held = |memory: Memory, bytes: u64, per_target: u64| Memory {
        decompose: memory.decompose + bytes,
        directions: memory.directions + bytes,
        design: memory.design + bytes,
        per_target,
    };
    match &job.method {
        Method::Ridge => match job.components {
            None => ridge(size, &job.params),
            Some(k) => {
                let memory = ridge(Size { n_features: k, ..size }, &job.params);
                let (k, order) = (k as u64, n.min(p));
                // Matrix, vectors and working space of the components, or a kernel's directions.
                let components =
                    4 * 8 * order * order + 2 * 8 * n.min(4096) * p + if p > n { 3 * 8 * n * p } else { 0 };
                let memory = held(memory, float * n * k + 8 * p * k, float * (2 * n + 2 * k) + (8 + 2 * float) * p);
                Memory { decompose: memory.decompose.max(components), ..memory }
            }
        },
        Method::Kernel => held(ridge(size, &job.params), 16 * n * n, float * 4 * n),
        Method::Banded { .. } => {
            let params = RidgeParams { path: Path::Covariance, ..job.params.clone() };
            held(ridge(size, &params), float * n * p + 16 * p * p, float * (3 * n + 5 * p))
        }
        Method::Selected { n_features, .. } => {
            let k = (*n_features as u64).min(p) + 1;
            let design = 8 * n * p + 8 * p * p + n_threads as u64 * 8 * (4 * k * k + (16 + 2) * p);
            let decompose = 8 * n * p + float * n * p + 8 * p * p;
            Memory { decompose, directions: 0, design, per_target: float * (n + 3 * p) + 8 * (n + 2 * k) }
        }
        Method::Regions { .. } => {
            let m = largest(regions);
            let all: u64 = regions.iter().map(|region| region.features.len() as u64).sum();
            let memory = ridge(Size { n_features: m.max(1), ..size }, &job.params);
            held(memory, float * n * (p + m as u64), float * (2 * n + 2 * m as u64 + all + 2 * p))
        }
    }
}

/// Operations of a fit.
pub(crate) fn operations(job: &FitJob, size: Size, folds: &Folds, regions: &[Region]) -> Operations {
    let ridge = |size: Size, params: &RidgeParams| cost::operations(size, params, Some(folds));
    let (n, p, t) = (size.n_samples as f64, size.n_features as f64, size.n_targets as f64);
    match &job.method {
        Method::Kernel => ridge(size, &job.params),
        Method::Ridge => match job.components {
            None => ridge(size, &job.params),
            Some(k) => {
                let mut operations = ridge(Size { n_features: k, ..size }, &job.params);
                operations.double += n * p * n.min(p) + 9.0 * n.min(p).powi(3) + 2.0 * n * p * k as f64;
                operations.double += 2.0 * p * t * k as f64;
                operations
            }
        },
        Method::Banded { .. } => {
            let params = RidgeParams { path: Path::Covariance, ..job.params.clone() };
            let one = ridge(size, &params);
            let banded = banded_params(job);
            let candidates = n_candidates(1 + job.bands.len(), &banded) as f64;
            // The Gram matrix is formed once.
            let gram = n * p * p;
            Operations { double: gram + candidates * (one.double - gram), single: candidates * one.single }
        }
        Method::Selected { n_features, .. } => {
            let k = (*n_features as f64).min(p);
            Operations { double: n * p * p + t * (2.0 * n * p + k.powi(3) / 3.0), single: 0.0 }
        }
        Method::Regions { .. } => regions.iter().fold(Operations::default(), |sum, region| {
            let own = ridge(Size { n_features: region.features.len(), ..size }, &job.params);
            Operations { double: sum.double + own.double, single: sum.single + own.single }
        }),
    }
}

/// Settings of the banded ridge that a job asks for.
pub(crate) fn banded_params(job: &FitJob) -> BandedParams {
    let (n_draws, seed) = match job.method {
        Method::Banded { n_draws, seed } => (n_draws, seed),
        _ => (0, 0),
    };
    let seed = percept_core::Seed::new(seed).named("scales");
    BandedParams { n_draws, ..BandedParams::new(job.params.clone(), seed) }
}
