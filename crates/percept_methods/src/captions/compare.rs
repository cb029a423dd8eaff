//! The method `caption` in a comparison: the decoded latent, denoised under the context of the decoded caption.

use std::sync::Arc;

use percept_core::Section;
use percept_core::outcome::Role;
use percept_pipeline::decoding::rescaled;
use percept_pipeline::evaluation::StimulusPictures;
use percept_pipeline::experiment::Rescale;
use percept_pipeline::generation::captions::best;
use percept_pipeline::generation::{Diffusion, Guide, Start};
use percept_pipeline::packs::OnDemand;
use percept_pipeline::spaces::{Context, Latent};
use percept_pipeline::{Generator, Inputs, PipelineError};

use super::decoded::{self, Decoded, mean_of_items};
use super::names::METHOD;
use super::sections::{self, Told};
use super::tables;
use crate::bench::Bench;
use crate::system::{Candidate, Entry, Oracle};

/// Weaker than `z+c`, which controls judge where both are asked for.
const STRENGTH: u8 = 2;

/// The captions of one comparison, and the arm that is made of them.
pub(super) struct Through {
    decoded: Decoded,
    candidate: Candidate,
}

/// Decodes captions and lays out the arm.
///
/// # Errors
/// When the data lack a region, or a model refuses what it is given.
pub(super) fn join(bench: &Bench<'_>) -> Result<Through, PipelineError> {
    let settings = decoded::settings(bench.experiment);
    let captioner = decoded::open(&settings)?;
    let decoded = decoded::decode(bench, &*captioner)?;
    drop(captioner);
    let z = bench.decode(&Latent, bench.experiment.decode.z_region)?;
    let z = rescaled(&z, bench.plan, Rescale::None);
    let context = |said: &[String]| bench.model.embed_text(said);
    let said = decoded.items.best();
    let inputs = Inputs::none().with(Latent::NAME, z.items).with(Context::NAME, context(&said)?);
    let mean = Inputs::none().with(Latent::NAME, z.mean).with(Context::NAME, context(&decoded.mean.best())?);
    let truth = Inputs::none()
        .with(Latent::NAME, bench.true_rows(&Latent)?)
        .with(Context::NAME, context(&decoded.truth.best())?);
    let model = OnDemand::plain(bench.model.clone());
    let generator: Arc<dyn Generator> =
        Arc::new(Diffusion::new(model, &bench.experiment.generate, Start::Latent, Guide::Context));
    let words = ["through a caption", "predicted latent, noised and denoised under the context of the decoded caption"];
    let mut arm = bench.arm(METHOD, Role::Method, words, inputs, generator.clone())?;
    arm.said = Some(said.into());
    tables::write(
        bench,
        &[
            (METHOD, decoded.items.beams.clone()),
            ("true", decoded.truth.beams.clone()),
            ("mean", mean_of_items(bench, &decoded)),
        ],
    )?;
    let oracle = Oracle { of: METHOD.to_owned(), generator, inputs: truth };
    let candidate = Candidate { arm, strength: STRENGTH, mean: Some(mean), oracle: Some(oracle) };
    Ok(Through { decoded, candidate })
}

impl Entry for Through {
    fn candidates(&self) -> Vec<Candidate> {
        vec![self.candidate.clone()]
    }

    fn sections(&self, bench: &Bench<'_>, stimuli: &StimulusPictures) -> Result<Vec<Section>, PipelineError> {
        let told = Told {
            items: self.decoded.items.best(),
            truth: self.decoded.truth.best(),
            mean: best(&mean_of_items(bench, &self.decoded)),
        };
        sections::of_comparison(bench, &self.decoded, &told, stimuli)
    }
}
