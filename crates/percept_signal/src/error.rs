//! Why responses cannot be normalised or features delayed.

/// An error of this crate: what was expected, what was found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Labels and samples differ in number.
    #[error("responses have {rows} rows but `{labels}` has {found} (pass exactly one label per row)")]
    LabelCount {
        /// Rows of the matrix.
        rows: usize,
        /// Name of the label list.
        labels: &'static str,
        /// Labels found.
        found: usize,
    },
    /// The matrix has no rows or no columns.
    #[error("responses are {rows} × {columns} (give at least one sample and one unit)")]
    Empty {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// A run or session of one sample has no deviation.
    #[error(
        "group `{group}` has a single sample, so nothing can be normalised by its deviation (merge it with another)"
    )]
    SingleSample {
        /// The group's label.
        group: usize,
    },
    /// The list of delays is unusable.
    #[error("{problem} (list each delay in samples once)")]
    Delays {
        /// What is wrong with it.
        problem: String,
    },
    /// The samples of a run do not follow each other, so what came before a sample is not known.
    #[error(
        "run `{run}` comes back at sample {sample} after another run (put samples in the order of time, or name each stretch of them differently)"
    )]
    ScatteredRun {
        /// The run's label.
        run: usize,
        /// The sample with which it comes back, from 0.
        sample: usize,
    },
}
