//! The errors of models: files that do not hold what a config asks for, configs that ask for what is not there.

use std::path::PathBuf;

/// Why a model could not be built, loaded, run or trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("`{path}`: {source} (check that the file exists and is readable)")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("`{path}` is not a valid {format} file: {detail} (download it again, or compare its size with the source)")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// `safetensors`, `JSON`, ….
        format: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A config asks for something that is not built in.
    #[error("{component} config: `{key}` = {value} is not supported (supported: {supported})")]
    Config {
        /// `unet`, `vae`, `text_encoder`, ….
        component: &'static str,
        /// The key.
        key: String,
        /// The value found.
        value: String,
        /// What would be understood.
        supported: String,
    },
    /// A tensor that the config needs is not in the files.
    #[error(
        "tensor `{name}` of shape {shape:?} is missing from {origin} (the weights do not belong to this config, or the download is incomplete)"
    )]
    MissingTensor {
        /// The tensor's full name.
        name: String,
        /// The shape expected.
        shape: Vec<usize>,
        /// Where it was looked for.
        origin: String,
    },
    /// A tensor has another shape than the config says.
    #[error(
        "tensor `{name}` in {origin} has shape {found:?}, expected {expected:?} (the weights do not belong to this config)"
    )]
    WrongShape {
        /// The tensor's full name.
        name: String,
        /// The shape that the config asks for.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
        /// The file or pack.
        origin: String,
    },
    /// A tensor holds a value that is no number.
    #[error(
        "tensor `{name}` in {origin} holds a value that is not finite, the first at position {position} (the file is damaged, or its training diverged: download it again)"
    )]
    NotFiniteWeight {
        /// The tensor's full name.
        name: String,
        /// The first such value.
        position: usize,
        /// The file or pack.
        origin: String,
    },
    /// The files hold tensors that no part of the model uses.
    #[error(
        "{origin} holds {count} tensors that the config does not use, first `{first}` (the weights do not belong to this config)"
    )]
    ExtraTensors {
        /// The file or pack.
        origin: String,
        /// How many.
        count: usize,
        /// The alphabetically first.
        first: String,
    },
    /// A variable that should train received no gradient.
    #[error("trainable tensor `{name}` received no gradient (freeze it, or connect it to the loss)")]
    NoGradient {
        /// The variable.
        name: String,
    },
    /// A loss or weight stopped being a number.
    #[error("{what} is not finite at step {step} (resume from the last checkpoint with a lower learning rate)")]
    NotFinite {
        /// The loss term or tensor.
        what: String,
        /// The training step.
        step: usize,
    },
    /// Training stopped because a loss or weight is no number.
    #[error(
        "{what} is not finite at step {step}; {checkpoint} (lower the learning rate or the weight of that term, and train into another folder)"
    )]
    Diverged {
        /// The loss term or tensor.
        what: String,
        /// The training step.
        step: usize,
        /// Where training can go on from, in words.
        checkpoint: String,
    },
    /// A device cannot be used.
    #[error("device `{name}`: {detail}")]
    Device {
        /// Its name.
        name: String,
        /// Why not, and what to do.
        detail: String,
    },
    /// An input has the wrong shape or content.
    #[error("{what}: expected {expected}, got {got}")]
    Input {
        /// Which input.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What came.
        got: String,
    },
    /// The tensor library refused an operation.
    #[error("tensor operation failed: {}", .0.to_string().lines().next().unwrap_or_default())]
    Tensor(#[from] candle_core::Error),
}

/// The result of model operations.
pub type Result<T> = std::result::Result<T, ModelError>;

/// What the system would say of a file that is looked for in vain.
pub(crate) fn no_such_file() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such file")
}
