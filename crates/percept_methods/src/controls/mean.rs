//! `mean`: every item gets the prediction for the mean training response.

use percept_core::outcome::Role;
use percept_pipeline::experiment::{ControlWord, Needs};
use percept_pipeline::{Arm, PipelineError};

use super::Control;
use crate::bench::Bench;
use crate::system::Candidate;

/// The average brain.
pub struct Mean;

impl Control for Mean {
    fn word(&self) -> ControlWord {
        ControlWord {
            name: "mean",
            doc: "The mean training response for every stimulus: the picture one gets without knowing the trial.",
            by_default: true,
            needs: Needs::default(),
        }
    }

    fn arm(&self, bench: &Bench<'_>, main: &Candidate) -> Result<Option<Arm>, PipelineError> {
        let Some(mean) = &main.mean else { return Ok(None) };
        let folds: Vec<usize> = bench.plan.items.iter().map(|item| item.fold).collect();
        let text = format!("`{}` with the mean training response", main.arm.name);
        let (inputs, generator) = (mean.select(&folds), main.arm.generator.clone());
        bench.arm("mean", Role::Control, ["average brain", &text], inputs, generator).map(Some)
    }
}
