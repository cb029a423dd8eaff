//! `true`: every item gets the true features of its stimulus.

use percept_core::outcome::Role;
use percept_pipeline::experiment::{ControlWord, Needs};
use percept_pipeline::{Arm, PipelineError};

use super::Control;
use crate::bench::Bench;
use crate::system::Candidate;

/// Perfect decoding.
pub struct Truth;

impl Control for Truth {
    fn word(&self) -> ControlWord {
        ControlWord {
            name: "true",
            doc: "The true features of the stimulus: how well perfect decoding would do.",
            by_default: true,
            needs: Needs::default(),
        }
    }

    fn arm(&self, bench: &Bench<'_>, main: &Candidate) -> Result<Option<Arm>, PipelineError> {
        let Some(oracle) = &main.oracle else { return Ok(None) };
        let text = format!("`{}` with the true features of the stimulus", oracle.of);
        let (inputs, generator) = (oracle.inputs.clone(), oracle.generator.clone());
        bench.arm("true", Role::Bound, ["true features", &text], inputs, generator).map(Some)
    }
}
