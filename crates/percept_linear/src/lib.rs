//! Ridge regression on files: targets and weights pass through memory in tiles, a killed fit goes on where it was, and several
//! machines can share the targets.
//!
//! - [`job`]: what is to be fitted, as settings
//! - [`mod@plan`]: the checked job: what the files hold, memory and disk needed, refused before any work when they do not fit
//! - [`fit`]: the work, tile by tile
//! - [`model`]: the folder that a fit leaves: safetensors, JSON, a Parquet table of targets
//! - [`mod@predict`]: predictions of a model for new samples
//! - [`shard`]: parts of a fit made by several processes, and putting them together
//! - [`together`]: one fit by several processes that speak to each other; `mpi`: by MPI (feature `mpi`)
//! - [`source`]: samples and targets in files, with what is missing left out
//! - [`cache`]: decompositions kept by content hash
//!
//! The mathematics is in `percept_regress`, the formats in `percept_io`. Here is no numerics and no format.

pub mod cache;
pub mod error;
pub mod fit;
pub mod job;
mod method;
pub mod model;
#[cfg(feature = "mpi")]
pub mod mpi;
pub mod plan;
pub mod predict;
mod prepared;
pub mod shard;
pub mod source;
pub mod together;

pub use error::LinearError;
pub use job::{FitJob, HoldOut, Method, Missing, Precision, Shard};
pub use plan::{FitPlan, plan};
pub use predict::{PredictJob, predict};
