//! Predictions of a finished model: samples by rows, weights by columns, neither held whole.

use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array2;
use percept_core::Progress;
use percept_io::array::Reference;
use percept_io::number::{Element, Number};
use percept_io::pieces::{self, Pieces};
use percept_io::{machine, safetensors};
use percept_regress::{Real, Samples, predict_part};
use serde::Serialize;

use crate::error::LinearError;
use crate::job::{Missing, Precision};
use crate::model;
use crate::source::{Gaps, Source};

/// Targets beyond which a tile gains nothing.
const MOST_TARGETS_PER_TILE: usize = 8192;

/// A prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictJob {
    /// The model's folder.
    pub model: PathBuf,
    /// Samples × features.
    pub x: Reference,
    /// Further features of the same samples, as the model was fitted with.
    pub bands: Vec<Reference>,
    /// What to do about missing values in features that the model uses.
    pub missing: Missing,
    /// Bytes of memory granted; by default most of what is free.
    pub memory: Option<u64>,
    /// The `.npy` file to write: samples × targets.
    pub out: PathBuf,
}

/// What came out of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predicted {
    /// The file.
    pub out: PathBuf,
    /// Number of samples.
    pub n_samples: usize,
    /// Number of targets.
    pub n_targets: usize,
    /// Targets held at a time.
    pub targets_per_tile: usize,
    /// Samples held at a time.
    pub samples_per_tile: usize,
    /// Wall time.
    pub seconds: f64,
    /// Most memory that the process had, if the system says.
    pub peak_bytes: Option<u64>,
}

/// Predicts.
///
/// # Errors
/// [`LinearError::Model`], [`LinearError::Missing`], [`LinearError::Memory`], [`LinearError::Disk`], features that do not fit
/// the model, and failures to read or write.
pub fn predict(job: &PredictJob, progress: &dyn Progress) -> Result<Predicted, LinearError> {
    match model::read_description(&job.model, None)?.precision {
        Precision::Single => predict_as::<f32>(job, progress),
        Precision::Double => predict_as::<f64>(job, progress),
    }
}

fn predict_as<T: Real + Element>(job: &PredictJob, progress: &dyn Progress) -> Result<Predicted, LinearError> {
    let start = Instant::now();
    let description = model::read_description(&job.model, None)?;
    model::verify(&job.model, &description)?;
    let file = safetensors::open(model::tensors_path(&job.model, None))?;
    let inputs = [model::tensors_path(&job.model, None), model::description_path(&job.model, None)];
    let inputs = inputs.iter().chain(std::iter::once(&job.x.path)).chain(job.bands.iter().map(|band| &band.path));
    if let Some(path) = inputs.into_iter().find(|path| percept_io::fs::is_same_file(path, &job.out)) {
        return Err(LinearError::Overwrites { path: path.display().to_string() });
    }
    let shape = file.info("weights")?.shape.clone();
    let (n_features, n_targets) = (description.n_features, description.n_targets);
    if shape != [n_features, n_targets] {
        let what = format!("weights are {shape:?}, but {n_features} × {n_targets} are described");
        return Err(model::broken(&job.model, &what));
    }
    let references: Vec<Reference> = std::iter::once(&job.x).chain(&job.bands).cloned().collect();
    let granted = machine::granted_bytes(job.memory);
    for reference in &references {
        let needed = reference.inflated_bytes()?;
        if needed > granted {
            return Err(LinearError::Memory { stage: "the unpacked samples", needed, granted });
        }
    }
    let mut x = Source::<T>::side_by_side(&references)?;
    let (n_samples, got) = x.file_dim();
    if got != n_features {
        return Err(percept_regress::RegressError::Features { expected: n_features, got }.into());
    }
    let gaps = x.gaps()?;
    let unused = |column: &usize| {
        description.masked_features.binary_search(column).is_ok()
            || description.design.constant_features.binary_search(column).is_ok()
    };
    let in_use: Vec<usize> = gaps.columns.iter().copied().filter(|column| !unused(column)).collect();
    if !in_use.is_empty() || !gaps.empty_rows.is_empty() {
        // A sample with a hole in a feature that counts has no prediction; masking would invent one.
        let remedy_rows: Vec<usize> = (0..n_samples).filter(|&row| gaps.of_row[row] > 0).collect();
        let masked_only = job.missing == Missing::Mask && in_use.is_empty();
        if !masked_only {
            return Err(missing(&gaps, &remedy_rows, &in_use));
        }
    }
    x.leave_out(&[], gaps.columns);

    let number = match size_of::<T>() {
        4 => Number::F32,
        _ => Number::F64,
    };
    let float = size_of::<T>() as u64;
    let base = machine::resident_bytes().unwrap_or(64 << 20);
    let (p, n, t) = (n_features as u64, n_samples as u64, n_targets as u64);
    // Weights are held as read and while they are decoded, samples as read and centred, results once.
    let bytes = |rows: u64, columns: u64| base + float * (2 * p * columns + 2 * rows * p + rows * columns) + (2 << 20);
    let narrow = t.min(64);
    if bytes(n.min(512), narrow) > granted {
        return Err(LinearError::Memory { stage: "one tile", needed: bytes(n.min(512), narrow), granted });
    }
    let fits = |rows: u64, columns: u64| bytes(rows, columns) <= granted;
    let columns = (0..).map(|k| narrow << k).take_while(|&w| w < 2 * t && w <= MOST_TARGETS_PER_TILE as u64);
    let columns = columns.filter(|&w| fits(n.min(512), w.min(t))).last().unwrap_or(narrow).min(t);
    let rows = (0..).map(|k| 512u64 << k).take_while(|&rows| rows < 2 * n.max(512));
    let rows = rows.filter(|&rows| fits(rows.min(n), columns)).last().unwrap_or(512).min(n.max(1));

    let needed = float * n * t;
    if let Some(free) = pieces::free_bytes(&job.out).filter(|&free| free < needed) {
        return Err(LinearError::Disk { folder: job.out.display().to_string(), needed, free });
    }
    let x_mean = model::vector::<f64>(&file, "x_mean")?;
    let offset = model::vector::<f64>(&file, "offset")?;
    let (out, _) = Pieces::npy(&job.out, number, &[n_samples, n_targets], false)?;
    let attempt = || -> Result<(), LinearError> {
        progress.begin("predictions", t);
        for first in (0..n_targets).step_by(columns.max(1) as usize) {
            let tile = first..(first + columns as usize).min(n_targets);
            let weights = file.columns::<T>("weights", tile.clone())?;
            let weights = weights.into_dimensionality().map_err(|error| model::broken(&job.model, &error))?;
            for row in (0..n_samples).step_by(rows as usize) {
                let part = x.rows(row..(row + rows as usize).min(n_samples))?;
                let mut predicted = Array2::zeros((part.nrows(), tile.len()));
                predict_part(
                    part.view(),
                    &x_mean,
                    ndarray::ArrayView2::from(&weights),
                    &offset[tile.clone()],
                    predicted.view_mut(),
                );
                let is_known =
                    |target: usize| description.masked_targets.binary_search(&(tile.start + target)).is_err();
                let mut values = predicted.indexed_iter();
                let broken = values.find(|((_, target), value)| !value.is_finite() && is_known(*target));
                if let Some(((sample, target), _)) = broken {
                    let (sample, target) = (row + sample, tile.start + target);
                    let what = format!("the prediction of target {target} for sample {sample} is not finite");
                    return Err(model::broken(&job.model, &what));
                }
                out.put_block("array", row, tile.clone(), predicted.view())?;
            }
            progress.advance(tile.len() as u64);
        }
        progress.end("");
        Ok(())
    };
    if let Err(error) = attempt() {
        percept_io::fs::remove_file(out.partial())?;
        return Err(error);
    }
    out.finish()?;
    Ok(Predicted {
        out: job.out.clone(),
        n_samples,
        n_targets,
        targets_per_tile: columns as usize,
        samples_per_tile: rows as usize,
        seconds: start.elapsed().as_secs_f64(),
        peak_bytes: machine::peak_bytes(),
    })
}

fn missing(gaps: &Gaps, rows: &[usize], columns: &[usize]) -> LinearError {
    LinearError::Missing {
        matrix: "x",
        count: gaps.count,
        n_rows: rows.len(),
        n_columns: columns.len(),
        rows: rows.iter().copied().take(5).collect(),
        columns: columns.iter().copied().take(5).collect(),
    }
}
