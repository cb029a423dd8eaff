//! What can be wrong with an experiment file, said with the key, the place and the remedy.

use std::path::PathBuf;

/// Why an experiment file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] percept_io::Error),
    /// The text is not TOML.
    #[error("{at}: not valid TOML: {message} (see https://toml.io for the syntax)")]
    Syntax {
        /// File and line.
        at: String,
        /// The parser's words.
        message: String,
    },
    /// A key nobody reads.
    #[error("{at}: unknown key `{key}` ({remedy})")]
    UnknownKey {
        /// File and line, or the override.
        at: String,
        /// Dotted path of the key.
        key: String,
        /// The nearest known key, or all of them.
        remedy: String,
    },
    /// A value of another type than the key takes.
    #[error("{at}: `{key}` is {got}, expected {expected} (write for example `{example}`)")]
    WrongType {
        /// File and line, or the override.
        at: String,
        /// Dotted path of the key.
        key: String,
        /// What the key takes.
        expected: &'static str,
        /// What was written.
        got: String,
        /// A line that would be right.
        example: String,
    },
    /// A value of the right type that makes no sense.
    #[error("{at}: `{key}` is {got}, expected {expected}")]
    Value {
        /// File and line, or the override.
        at: String,
        /// Dotted path of the key.
        key: String,
        /// What the key takes.
        expected: String,
        /// What was written.
        got: String,
    },
    /// A key without which the experiment cannot run.
    #[error("{at}: `{key}` is missing (add for example `{example}`)")]
    Missing {
        /// The file.
        at: String,
        /// Dotted path of the key.
        key: String,
        /// A line that would be right.
        example: String,
    },
    /// An override that is not `key=value`.
    #[error("`{text}` is not an override (write `key=value`, for example `generate.steps=50`)")]
    Override {
        /// What was written.
        text: String,
    },
    /// Settings that contradict each other.
    #[error("{file}: {message} ({remedy})", file = file.display())]
    Conflict {
        /// The file.
        file: PathBuf,
        /// What contradicts what.
        message: String,
        /// What to change.
        remedy: String,
    },
}
