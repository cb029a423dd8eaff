//! Why there is nothing to judge, or nothing to score.

/// Why there is nothing to judge, or nothing to score.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The folder has nothing that people could compare.
    #[error(
        "`{folder}` has no results of two methods to compare (name the folder of a finished run, or put `captions.csv` or `pictures.csv` into it)"
    )]
    NoCandidates {
        /// The folder.
        folder: String,
    },
    /// A method that was asked for is not there, or it is not clear which two are meant.
    #[error("{got}; there are {available} (name two with `--a` and `--b`)")]
    Methods {
        /// What was asked for.
        got: String,
        /// The methods that there are, in words.
        available: String,
    },
    /// The two methods have no item in common.
    #[error("`{a}` and `{b}` have no item in common for which there is a stimulus to show (check the column `id`)")]
    NoItems {
        /// The first method.
        a: String,
        /// The second method.
        b: String,
    },
    /// A setting lies outside of its range.
    #[error("{what} is {got}, expected {expected} (correct it)")]
    Setting {
        /// Name of the setting.
        what: &'static str,
        /// What came.
        got: String,
        /// What is allowed, in words.
        expected: &'static str,
    },
    /// A file does not hold what it should.
    #[error("`{path}` is no outcome of this version of percept: {reason} (run the experiment again)")]
    Outcome {
        /// The file.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// Nobody answered yet.
    #[error("`{path}` has no answers to score (run `percept judge` first)")]
    NoAnswers {
        /// The file.
        path: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
    /// The server cannot start.
    #[error(transparent)]
    Serve(#[from] percept_serve::ServeError),
    /// A statistic cannot be computed.
    #[error(transparent)]
    Stats(#[from] percept_stats::StatsError),
}
