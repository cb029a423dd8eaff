//! `true_c`: every item is made from pure noise under the true context of its stimulus.

use std::sync::Arc;

use percept_core::outcome::Role;
use percept_pipeline::experiment::{ControlWord, Needs};
use percept_pipeline::generation::{Diffusion, Guide, Start};
use percept_pipeline::packs::OnDemand;
use percept_pipeline::spaces::{Context, Space};
use percept_pipeline::{Arm, Inputs, PipelineError};

use super::Control;
use crate::bench::Bench;
use crate::system::Candidate;

/// Perfect decoding of meaning alone.
pub struct TrueContext;

impl Control for TrueContext {
    fn word(&self) -> ControlWord {
        ControlWord {
            name: "true_c",
            doc: "Pure noise denoised under the true context: how well perfect decoding of meaning would do.",
            by_default: false,
            needs: Needs { captions: true, ..Needs::default() },
        }
    }

    fn arm(&self, bench: &Bench<'_>, _: &Candidate) -> Result<Option<Arm>, PipelineError> {
        let inputs = Inputs::none().with(Context.name(), bench.true_rows(&Context)?);
        let model = OnDemand::plain(bench.model.clone());
        let generator = Arc::new(Diffusion::new(model, &bench.experiment.generate, Start::Noise, Guide::Context));
        let words = ["true meaning only", "`c` with the true context of the stimulus"];
        bench.arm("true_c", Role::Bound, words, inputs, generator).map(Some)
    }
}
