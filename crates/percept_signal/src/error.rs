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
    /// A run has too few samples for what is done to it.
    #[error(
        "run `{run}` has {samples} samples but {what} needs at least {needed} (leave the run out, or choose a smaller setting)"
    )]
    ShortRun {
        /// The run's label.
        run: usize,
        /// Its samples.
        samples: usize,
        /// How many are needed.
        needed: usize,
        /// What needs them.
        what: &'static str,
    },
    /// A run holds training and held-out samples, and what is done to it mixes neighbours.
    #[error(
        "run `{run}` holds training and held-out samples, and a running {what} would carry held-out values into training (split by run, or detrend by polynomials or cosines)"
    )]
    StraddledRun {
        /// The run's label.
        run: usize,
        /// The filter.
        what: &'static str,
    },
    /// Times at which features stand or volumes were taken are unusable.
    #[error("{problem} (give times in seconds from the start of the run)")]
    Times {
        /// What is wrong with them.
        problem: String,
    },
    /// A setting out of range.
    #[error("{what} is {got} but must be {expected} (correct the setting)")]
    Setting {
        /// Which one.
        what: &'static str,
        /// Its value.
        got: String,
        /// What is allowed.
        expected: String,
    },
    /// A filter that cannot be.
    #[error("{problem} (edges lie above 0 and below half the rate, the lower one first)")]
    Filter {
        /// What is wrong with it.
        problem: String,
    },
    /// A ratio of rates that cannot be.
    #[error("resampling by {up}/{down}: {problem} (round the rates to a simpler ratio)")]
    Resample {
        /// Samples after.
        up: usize,
        /// Samples before.
        down: usize,
        /// What is wrong with it.
        problem: String,
    },
}
