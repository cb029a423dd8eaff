//! Controls: arms that say how much of a picture came from the brain. A control is one file behind [`Control`].
//!
//! Controls run the procedure of the strongest method that was asked for, under the same seed and noise.

mod mean;
mod shuffled;
mod true_context;
mod truth;

use percept_pipeline::experiment::ControlWord;
use percept_pipeline::{Arm, PipelineError};

pub use mean::Mean;
pub use shuffled::Shuffled;
pub use true_context::TrueContext;
pub use truth::Truth;

use crate::bench::Bench;
use crate::system::Candidate;

/// A way to judge the methods.
pub trait Control: Send + Sync {
    /// Its key under `[controls]`, which is also the name of its arm.
    fn word(&self) -> ControlWord;

    /// Its arm, made from the strongest candidate; `None` where it does not apply.
    ///
    /// # Errors
    /// When the items do not allow it.
    fn arm(&self, bench: &Bench<'_>, main: &Candidate) -> Result<Option<Arm>, PipelineError>;
}
