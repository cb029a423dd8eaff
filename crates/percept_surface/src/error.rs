//! What can go wrong when a map is made: files, and things that do not fit together.

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a map could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
    /// Two things do not fit together.
    #[error("{what}: {got}, expected {expected} ({remedy})")]
    Mismatch {
        /// What was looked at.
        what: String,
        /// What fits.
        expected: String,
        /// What there is.
        got: String,
        /// What to do.
        remedy: String,
    },
    /// Something that is needed is not there.
    #[error("there is no {what} ({remedy})")]
    Missing {
        /// What is missing, and where.
        what: String,
        /// What to do.
        remedy: String,
    },
}

impl Error {
    pub(crate) fn mismatch(
        what: impl Into<String>,
        expected: impl std::fmt::Display,
        got: impl std::fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        let (expected, got) = (expected.to_string(), got.to_string());
        Self::Mismatch { what: what.into(), expected, got, remedy: remedy.into() }
    }

    pub(crate) fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), remedy: remedy.into() }
    }
}
