//! `shuffled`: every item gets the prediction that was made for another stimulus.

use percept_core::Seed;
use percept_core::outcome::Role;
use percept_pipeline::experiment::{ControlWord, Needs};
use percept_pipeline::{Arm, PipelineError};

use super::Control;
use crate::bench::Bench;
use crate::system::Candidate;

/// The brain of another stimulus.
pub struct Shuffled;

impl Control for Shuffled {
    fn word(&self) -> ControlWord {
        ControlWord {
            name: "shuffled",
            doc: "The responses to another stimulus: what the generator makes up by itself.",
            by_default: true,
            needs: Needs::default(),
        }
    }

    fn arm(&self, bench: &Bench<'_>, main: &Candidate) -> Result<Option<Arm>, PipelineError> {
        let source = bench.plan.shuffled(Seed::new(bench.experiment.seed))?;
        let text = format!("`{}` with the brain of another stimulus", main.arm.name);
        let (inputs, generator) = (main.arm.inputs.select(&source), main.arm.generator.clone());
        let words = ["another trial's brain", &text];
        bench.arm("shuffled", Role::Control, words, inputs, generator).map(Some)
    }
}
