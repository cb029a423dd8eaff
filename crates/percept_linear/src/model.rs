//! The folder that a fit leaves.
//!
//! - `model.safetensors`: `weights` (n_features × n_targets, in the features' own units), `intercept`, `alpha`; also `cv_score`,
//!   `norm` (length of the weights), `edge` (-1 and 1: the penalty is the smallest or largest of the grid; 0: inside it; 2: the
//!   target is constant; 3: it was masked), `x_mean`, `offset` (the prediction at `x_mean`). A prediction is
//!   `x @ weights + intercept`, or more exactly in single precision `(x - x_mean) @ weights + offset`.
//! - beside these `scales` (n_bands × n_targets: the scale of each feature space) of a banded ridge, and `region_score` (n_regions ×
//!   n_targets: the held-out score of each region's own model) of an average over regions
//! - `targets.parquet`: one row per target: `target`, `alpha`, `cv_score`, `edge`, `norm`
//! - `model.json`: sizes, settings, what the fit found, provenance; written last, so a folder that has it is whole
//!
//! Nothing here holds a clock time: the same fit writes the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_core::Provenance;
use percept_io::number::Number;
use percept_io::parquet::{self, Column};
use percept_io::pieces::Planned;
use percept_io::{fs, safetensors};
use percept_regress::RidgeParams;
use serde::{Deserialize, Serialize};

use crate::error::LinearError;
use crate::job::{Precision, Shard};

/// What a model and its tensors call themselves.
const KIND: &str = "percept linear model";

/// Larger than any description that a fit writes.
const MAX_JSON_BYTES: u64 = 256 << 20;

/// Code of a constant target in `edge`.
pub const CONSTANT: i8 = 2;
/// Code of a masked target in `edge`.
pub const MASKED: i8 = 3;

/// What `model.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Always `percept linear model`.
    pub kind: String,
    /// Number of training samples.
    pub n_samples: usize,
    /// Number of features.
    pub n_features: usize,
    /// Number of targets.
    pub n_targets: usize,
    /// Targets of this shard: first and one past the last. The whole range in a whole model.
    pub targets: [usize; 2],
    /// Which shard, if this is one.
    pub shard: Option<Shard>,
    /// Precision of the weights.
    pub precision: Precision,
    /// Settings of the regression.
    pub params: RidgeParams,
    /// Which regression it is: `ridge`, `kernel`, `banded`, `selected` or `regions`.
    #[serde(default = "ridge")]
    pub method: String,
    /// First feature of each of several feature spaces, and one past the last; empty when there is one.
    #[serde(default)]
    pub bands: Vec<[usize; 2]>,
    /// Labels of the regions, in the order of `region_score`.
    #[serde(default)]
    pub regions: Vec<String>,
    /// What the samples are like.
    pub design: DesignFacts,
    /// How many targets stand where.
    pub counts: Counts,
    /// Rows left out because nothing was there.
    pub left_out_rows: Vec<usize>,
    /// Features left out because something was missing.
    pub masked_features: Vec<usize>,
    /// Targets left out because something was missing.
    pub masked_targets: Vec<usize>,
    /// What made it.
    pub provenance: Provenance,
    /// [`Provenance::fingerprint`].
    pub fingerprint: String,
    /// Content hash of the tensors file; models of earlier versions have none.
    #[serde(default)]
    pub tensors: Option<String>,
}

/// Refuses a folder with the finished model of another fit, or with weights that no fit wrote.
pub(crate) fn refuse_other(folder: &Path, shard: Option<Shard>, provenance: &Provenance) -> Result<(), LinearError> {
    let taken = |what: &str| Err(LinearError::Taken { folder: folder.display().to_string(), what: what.to_owned() });
    let path = tensors_path(folder, shard);
    if fs::is_file(description_path(folder, shard)) {
        // One that cannot be read belongs to nobody.
        return match read_description(folder, shard) {
            Ok(earlier) if earlier.provenance != *provenance => taken("the model of another fit"),
            _ => Ok(()),
        };
    }
    match safetensors::open(&path) {
        Ok(file) if file.metadata().get("format").is_none_or(|kind| kind != KIND) => {
            taken("a file `model.safetensors` that no fit wrote")
        }
        _ => Ok(()),
    }
}

/// Writes the table of targets of a finished model again if it is gone.
pub(crate) fn mend_table(folder: &Path, shard: Option<Shard>) -> Result<(), LinearError> {
    if shard.is_some() || fs::is_file(table_path(folder)) {
        return Ok(());
    }
    write_table(folder, &safetensors::open(tensors_path(folder, None))?)
}

/// Refuses tensors that are not those that were written.
///
/// # Errors
/// [`LinearError::Model`] when they have another hash.
pub fn verify(folder: &Path, description: &Description) -> Result<(), LinearError> {
    let path = tensors_path(folder, description.shard);
    match &description.tensors {
        Some(hash) if fs::content_hash(&path)? != *hash => {
            Err(broken(folder, &"`model.safetensors` is not what the fit wrote; it was damaged or replaced"))
        }
        _ => Ok(()),
    }
}

fn ridge() -> String {
    "ridge".to_owned()
}

/// What a decomposition found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignFacts {
    /// `covariance` or `kernel`.
    pub path: percept_regress::Path,
    /// Sets held out in turn.
    pub n_folds: usize,
    /// Numerical rank after centring, where one decomposition served all targets.
    pub rank: Option<usize>,
    /// Condition number of the decomposed matrix with the smallest penalty of the grid.
    pub condition: Option<f64>,
    /// Features that do not vary; their weights are 0.
    pub constant_features: Vec<usize>,
}

/// How many targets stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// At the smallest penalty of the grid.
    pub edge_low: usize,
    /// At the largest.
    pub edge_high: usize,
    /// Constant.
    pub constant: usize,
    /// Masked.
    pub masked: usize,
}

/// The tensors file of a model or shard.
pub fn tensors_path(folder: &Path, shard: Option<Shard>) -> PathBuf {
    folder.join(named("model", shard, "safetensors"))
}

/// The description of a model or shard.
pub fn description_path(folder: &Path, shard: Option<Shard>) -> PathBuf {
    folder.join(named("model", shard, "json"))
}

/// The table of targets.
pub fn table_path(folder: &Path) -> PathBuf {
    folder.join("targets.parquet")
}

/// A file name that tells shards apart.
pub(crate) fn named(stem: &str, shard: Option<Shard>, ending: &str) -> String {
    match shard {
        None => format!("{stem}.{ending}"),
        Some(Shard { number, of }) => format!("{stem}.shard-{number}-of-{of}.{ending}"),
    }
}

/// The tensors of a model of this size.
pub(crate) fn planned(
    n_features: usize,
    n_targets: usize,
    precision: Precision,
    extra: &[(&'static str, usize)],
) -> Vec<Planned> {
    let weights = match precision {
        Precision::Single => Number::F32,
        Precision::Double => Number::F64,
    };
    let tensor = |name: &str, number, shape: &[usize]| Planned { name: name.to_owned(), number, shape: shape.to_vec() };
    let mut all = vec![
        tensor("alpha", Number::F64, &[n_targets]),
        tensor("cv_score", Number::F64, &[n_targets]),
        tensor("edge", Number::I8, &[n_targets]),
        tensor("intercept", Number::F64, &[n_targets]),
        tensor("norm", Number::F64, &[n_targets]),
        tensor("offset", Number::F64, &[n_targets]),
        tensor("weights", weights, &[n_features, n_targets]),
        tensor("x_mean", Number::F64, &[n_features]),
    ];
    all.extend(extra.iter().map(|(name, rows)| tensor(name, Number::F64, &[*rows, n_targets])));
    all
}

/// The bytes of the tensors of a model.
pub(crate) fn tensor_bytes(
    n_features: usize,
    n_targets: usize,
    precision: Precision,
    extra: &[(&'static str, usize)],
) -> u64 {
    let bytes = |planned: &Planned| planned.shape.iter().product::<usize>() as u64 * planned.number.width() as u64;
    planned(n_features, n_targets, precision, extra).iter().map(bytes).sum()
}

/// Texts in the tensors file.
pub(crate) fn texts(fingerprint: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_owned(), KIND.to_owned()), ("fingerprint".to_owned(), fingerprint.to_owned())])
}

/// Counts targets by their codes.
pub(crate) fn count(edge: &[i8]) -> Counts {
    let of = |code: i8| edge.iter().filter(|edge| **edge == code).count();
    Counts { edge_low: of(-1), edge_high: of(1), constant: of(CONSTANT), masked: of(MASKED) }
}

/// Reads a vector of a model.
///
/// # Errors
/// If it is not there or cannot be read.
pub fn vector<T: percept_io::number::Element>(
    file: &safetensors::SafeTensors,
    name: &str,
) -> Result<Vec<T>, LinearError> {
    Ok(file.tensor::<T>(name)?.into_raw_vec_and_offset().0)
}

/// Writes the table of targets from the vectors in `file`.
pub(crate) fn write_table(folder: &Path, file: &safetensors::SafeTensors) -> Result<(), LinearError> {
    let edge = vector::<i8>(file, "edge")?;
    let known =
        |values: Vec<f64>| Column::OptionalFloat(values.into_iter().map(|v| v.is_finite().then_some(v)).collect());
    let words = |code: &i8| match code {
        -1 => "low",
        1 => "high",
        2 => "constant",
        3 => "masked",
        _ => "inside",
    };
    let columns = [
        ("target", Column::Integer((0..edge.len() as i64).collect())),
        ("alpha", known(vector(file, "alpha")?)),
        ("cv_score", known(vector(file, "cv_score")?)),
        ("edge", Column::Text(edge.iter().map(|code| words(code).to_owned()).collect())),
        ("norm", known(vector(file, "norm")?)),
    ];
    Ok(parquet::write(table_path(folder), &columns)?)
}

/// Writes a description.
pub(crate) fn write_description(folder: &Path, description: &Description) -> Result<(), LinearError> {
    let mut text = serde_json::to_vec_pretty(description).map_err(|error| broken(folder, &error))?;
    text.push(b'\n');
    Ok(fs::write_bytes(description_path(folder, description.shard), &text)?)
}

/// Reads the description of a model or shard.
///
/// # Errors
/// [`LinearError::Model`] when there is none or it is damaged.
pub fn read_description(folder: &Path, shard: Option<Shard>) -> Result<Description, LinearError> {
    let text =
        fs::read_text(description_path(folder, shard), MAX_JSON_BYTES).map_err(|error| broken(folder, &error))?;
    serde_json::from_str(&text).map_err(|error| broken(folder, &error))
}

pub(crate) fn broken(folder: &Path, what: &dyn std::fmt::Display) -> LinearError {
    LinearError::Model { folder: folder.display().to_string(), what: what.to_string() }
}
