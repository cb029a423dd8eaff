//! What can go wrong between an experiment and its result.

use crate::experiment::ExperimentError;

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The experiment file was refused.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
    /// A model could not be loaded or run.
    #[error(transparent)]
    Model(#[from] percept_models::ModelError),
    /// A regression was refused.
    #[error("the decoder of `{feature}` cannot be fitted: {error}")]
    Regress {
        /// The feature space.
        feature: String,
        /// Why.
        error: percept_regress::RegressError,
    },
    /// A score was refused.
    #[error(transparent)]
    Stats(#[from] percept_stats::StatsError),
    /// A phantom could not be made.
    #[error(transparent)]
    Phantom(#[from] percept_synth::phantom::Error),
    /// Test stimuli also occur in training, or a side is empty.
    #[error(transparent)]
    Split(#[from] percept_core::split::SplitError),
    /// Row labels and rows differ in number.
    #[error(transparent)]
    Responses(#[from] percept_core::responses::ResponsesError),
    /// The data do not fit together.
    #[error("{what} ({remedy})")]
    Data {
        /// What does not fit what, with both numbers.
        what: String,
        /// What to change.
        remedy: String,
    },
    /// The name of an arm was refused.
    #[error(transparent)]
    Arm(#[from] percept_core::arm::ArmNameError),
    /// Units with values that are not finite.
    #[error(
        "{n_units} of {total} units hold values that are not finite, first unit {first} in {n_samples} of its samples (leave them out with `data.non_finite = \"mask\"`, or mend the recording)"
    )]
    NonFinite {
        /// How many units.
        n_units: usize,
        /// Units in all.
        total: usize,
        /// The first of them, counted from 0.
        first: usize,
        /// How many of the first one's samples are not finite.
        n_samples: usize,
    },
    /// A region without units.
    #[error("the region `{region}` ({selector}) holds no units (check the mask or the names of its labels)")]
    EmptyRegion {
        /// The region.
        region: &'static str,
        /// How it was selected.
        selector: String,
    },
    /// A group without units.
    #[error("the group `{group}` (`{selector}`) holds no units (check the mask or the names of its labels)")]
    EmptyGroup {
        /// The group.
        group: String,
        /// How it was selected.
        selector: String,
    },
    /// Two groups that are no parts of a partition.
    #[error(
        "the groups `{first}` and `{second}` share {n_shared} units (take those of one out of the other, such as `b & !a`)"
    )]
    GroupsOverlap {
        /// The group that was named first.
        first: String,
        /// The other.
        second: String,
        /// Units that belong to both.
        n_shared: usize,
    },
    /// An artefact of the run directory is not what its stage writes.
    #[error("the artefact `{path}` does not hold {expected} (remove the folder `stages` of the run and start again)")]
    Artefact {
        /// The file.
        path: String,
        /// What was looked for.
        expected: String,
    },
    /// The run was stopped on purpose after some stages.
    #[error("stopped after {made} stages as asked (start the same run again to go on)")]
    Stopped {
        /// Stages made by this process.
        made: usize,
    },
}

impl PipelineError {
    /// The data do not fit together: `what`, and what to change.
    pub fn data(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Data { what: what.into(), remedy: remedy.into() }
    }
}
