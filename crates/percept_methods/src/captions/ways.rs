//! Ways to a caption that are scored side by side.

use percept_core::outcome::Role;
use percept_pipeline::generation::captions::{Said, best};

/// One way to a caption.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) short: &'static str,
    pub(super) description: &'static str,
    pub(super) beams: Vec<Vec<Said>>,
}

impl Way {
    /// The best caption of each item.
    pub(super) fn best(&self) -> Vec<String> {
        best(&self.beams)
    }
}
