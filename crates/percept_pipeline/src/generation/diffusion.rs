//! Denoising by a diffusion model.
//!
//! - from pure noise under a context: `c`
//! - from a noised latent under a context: `z+c`; the latent is decoded, brought to the model's picture size, encoded again,
//!   noised to the strength, and denoised (Takagi & Nishimoto, CVPR 2023)
//! - from a noised latent under the empty caption: `z`, where it is denoised
//!
//! The noise of a picture depends on the seed, the item and the draw only, so all arms see the same.

use ndarray::Array2;
use percept_core::{Provenance, Seed};
use percept_models::Generation;

use super::autoencoder::LATENT;
use super::media;
use crate::arms::{Generator, Inputs, Medium};
use crate::data::pictures;
use crate::error::PipelineError;
use crate::experiment::GenerateSettings;
use crate::packs::{OnDemand, PictureModel};
use crate::plan::Item;

/// The space that guides.
const CONTEXT: &str = "c";

/// Where denoising starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Pure noise.
    Noise,
    /// The latent `z`, noised to the strength of the settings.
    Latent,
}

/// What guides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guide {
    /// The empty caption.
    Nothing,
    /// The context `c`.
    Context,
}

/// Denoises by a model, perhaps with changed weights.
pub struct Diffusion {
    model: OnDemand,
    settings: GenerateSettings,
    start: Start,
    guide: Guide,
}

impl Diffusion {
    /// From `start`, under `guide`.
    pub fn new(model: OnDemand, settings: &GenerateSettings, start: Start, guide: Guide) -> Self {
        Self { model, settings: settings.clone(), start, guide }
    }
}

impl Diffusion {
    /// Has `work` do something with the model and what is asked of it.
    fn request<T>(
        &self,
        inputs: &Inputs,
        items: &[Item],
        draw: usize,
        work: impl FnOnce(&dyn PictureModel, &Generation<'_>) -> Result<T, PipelineError>,
    ) -> Result<T, PipelineError> {
        const WHO: &str = "denoising";
        let model = self.model.model()?;
        let init = match self.start {
            Start::Noise => None,
            Start::Latent => Some(encoded_again(&*model, inputs.required(LATENT, WHO)?)?),
        };
        let empty;
        let (context, guidance) = match self.guide {
            Guide::Context => (inputs.required(CONTEXT, WHO)?, self.settings.guidance),
            Guide::Nothing => {
                empty = model.embed_text(&vec![String::new(); items.len()])?;
                // Guidance leads away from the empty caption, so there is none.
                (&empty, 1.0)
            }
        };
        let image_ids: Vec<u64> = items.iter().map(|item| item.noise_id).collect();
        work(
            &*model,
            &Generation {
                context: context.view(),
                init: init.as_ref().map(|rows| rows.view()),
                strength: self.settings.strength,
                steps: self.settings.steps,
                guidance,
                seed: Seed::new(self.settings.seed),
                image_ids: &image_ids,
                sample: draw as u64,
            },
        )
    }
}

/// Latents of the decoded, resized pictures.
fn encoded_again(model: &dyn PictureModel, latents: &Array2<f32>) -> Result<Array2<f32>, PipelineError> {
    let size = model.image_size();
    let shown = model.decode(latents)?;
    Ok(model.encode(pictures::resize(shown.view(), size, size).view())?)
}

impl Generator for Diffusion {
    fn record(&self, items: &[Item], draw: usize, record: Provenance) -> Provenance {
        let noise: Vec<u64> = items.iter().map(|item| item.noise_id).collect();
        let record = record
            .input("pack", self.model.content())
            .setting("generator", "diffusion")
            .setting("start", &format!("{:?}", self.start))
            .setting("guide", &format!("{:?}", self.guide))
            .setting("seed", &self.settings.seed)
            .setting("noise", &noise)
            .setting("draw", &draw)
            .setting("steps", &self.settings.steps)
            .setting("guidance", &self.settings.guidance);
        match self.start {
            Start::Noise => record,
            Start::Latent => record.setting("strength", &self.settings.strength),
        }
    }

    fn make(&self, inputs: &Inputs, items: &[Item], draw: usize) -> Result<Vec<Medium>, PipelineError> {
        self.request(inputs, items, draw, |model, request| Ok(media(&model.generate(request)?)))
    }

    fn starts(
        &self,
        inputs: &Inputs,
        items: &[Item],
        draw: usize,
    ) -> Result<Vec<(&'static str, Array2<f32>)>, PipelineError> {
        self.request(inputs, items, draw, |model, request| {
            let latents = model.start(request)?.map(|latents| ("latents", latents));
            Ok(latents.into_iter().chain([("contexts", request.context.to_owned())]).collect())
        })
    }

    fn release(&self) {
        self.model.release();
    }
}
