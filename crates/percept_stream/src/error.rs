//! What ends a stream, or keeps it from beginning.

use percept_models::ModelError;
use percept_serve::ServeError;
use percept_signal::SignalError;

use crate::source::SourceError;

/// What ends a stream, or keeps it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A filter.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The page.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A file.
    #[error(transparent)]
    File(#[from] percept_io::Error),
    /// A setting that cannot be.
    #[error("`{key}`: {problem} ({remedy})")]
    Setting {
        /// The setting.
        key: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A replay did not give what the log says.
    #[error(
        "frame {frame} of the log: {what} is {got}, the log has {expected} (use the same recording, pack and version of percept)"
    )]
    Replay {
        /// Its number.
        frame: u64,
        /// What differs.
        what: &'static str,
        /// What the log says.
        expected: String,
        /// What came.
        got: String,
    },
    /// A thread or a socket of the system.
    #[error("{what}: {error} (close other programs and try again)")]
    System {
        /// What was wanted.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl StreamError {
    /// A setting that cannot be.
    pub(crate) fn setting(key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Setting { key: key.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }
}

/// The result of what a stream does.
pub type Result<T> = std::result::Result<T, StreamError>;
