//! What a check found, as data.

use serde::{Deserialize, Serialize};

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The folder.
    pub folder: String,
    /// The recipe.
    pub recipe: String,
    /// Whether the recipe can run: nothing is missing and no check failed.
    pub is_usable: bool,
    /// Each subject of the recipe.
    pub subjects: Vec<SubjectReport>,
    /// The files that are needed and absent.
    pub missing: Vec<MissingFile>,
    /// The sum of the known sizes of missing files.
    pub missing_bytes: u64,
    /// How many missing files have no known size.
    pub n_unknown_sizes: usize,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

/// A file that is needed and absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    /// Its path below the folder, with forward slashes.
    pub path: String,
    /// What it is needed for.
    pub purpose: String,
    /// Its size, where it is known or can be computed.
    pub bytes: Option<u64>,
    /// Whether the size is an estimate.
    pub is_estimate: bool,
    /// Where to get it.
    pub source: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Usable, but the user should know.
    Warning,
    /// Wrong: the recipe would fail or, worse, would not.
    Failed,
    /// Could not be made because a file is missing.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, and what to do if it is wrong.
    pub detail: String,
}

/// What there is of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectReport {
    /// `subj01`.
    pub name: String,
    /// The sessions that the subject completed, where a table tells.
    pub n_sessions_completed: Option<usize>,
    /// The sessions that the recipe needs.
    pub sessions_needed: Vec<usize>,
    /// Those of them that are here.
    pub sessions_present: Vec<usize>,
    /// Voxels along x, y and z.
    pub shape: Option<[usize; 3]>,
    /// The regions of the recipe.
    pub regions: Vec<RegionReport>,
    /// The sessions whose values were read.
    pub sessions: Vec<SessionReport>,
}

/// A region of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionReport {
    /// The atlas.
    pub atlas: String,
    /// Voxels with any label.
    pub n_voxels: usize,
    /// Each label by name (or number) with its number of voxels.
    pub labels: Vec<(String, usize)>,
}

/// The values of a session inside the brain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReport {
    /// The number of the session.
    pub session: usize,
    /// The file, below the folder.
    pub path: String,
    /// Trials.
    pub n_trials: usize,
    /// Voxels that were read.
    pub n_voxels: usize,
    /// Voxels that are 0 in every trial: not measured.
    pub n_unmeasured_voxels: usize,
    /// Voxels with at least one value at the end of the 16-bit range.
    pub n_saturated_voxels: usize,
    /// Values at the end of the 16-bit range, beyond which the response was cut.
    pub n_saturated_values: u64,
    /// Values that are not a number (NIfTI in floats only).
    pub n_nan_values: u64,
}
