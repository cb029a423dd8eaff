//! A closed-form generative model in place of a network: every number of a run can be followed by hand.
//!
//! Pictures are 16 × 16; the latent is the mean colour of each 4 × 4 block; the context of a caption is the colour it names;
//! generation blends the latent's picture with the context's colour by the strength and adds a little of the shared noise.

use ndarray::{Array2, Array4, ArrayView4};
use std::sync::Arc;

use percept_models::Generation;
use percept_models::error::Result;
use percept_pipeline::packs::{Changes, PictureModel};

pub(crate) const SIDE: usize = 16;
const BLOCK: usize = 4;
const BLOCKS: usize = SIDE / BLOCK;
pub(crate) const COLOURS: [(&str, [f32; 3]); 4] =
    [("red", [0.9, 0.1, 0.1]), ("green", [0.1, 0.8, 0.2]), ("blue", [0.1, 0.2, 0.9]), ("yellow", [0.9, 0.9, 0.1])];

pub(crate) struct Double;

impl PictureModel for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn content(&self) -> &'static str {
        "double 1"
    }

    fn image_size(&self) -> usize {
        SIDE
    }

    fn has_clip(&self) -> bool {
        true
    }

    fn adapted(&self, _changes: &Changes) -> Result<Arc<dyn PictureModel>> {
        Ok(Arc::new(Self))
    }

    fn encode(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        let n = pictures.dim().0;
        Ok(Array2::from_shape_fn((n, 3 * BLOCKS * BLOCKS), |(picture, feature)| {
            let (channel, y, x) = (feature / (BLOCKS * BLOCKS), feature / BLOCKS % BLOCKS, feature % BLOCKS);
            let sum: f32 = (0..BLOCK * BLOCK)
                .map(|pixel| pictures[[picture, y * BLOCK + pixel / BLOCK, x * BLOCK + pixel % BLOCK, channel]])
                .sum();
            sum / (BLOCK * BLOCK) as f32 - 0.5
        }))
    }

    fn decode(&self, latents: &Array2<f32>) -> Result<Array4<f32>> {
        Ok(Array4::from_shape_fn((latents.nrows(), SIDE, SIDE, 3), |(picture, y, x, channel)| {
            let value = latents[(picture, channel * BLOCKS * BLOCKS + y / BLOCK * BLOCKS + x / BLOCK)];
            (value + 0.5).clamp(0.0, 1.0)
        }))
    }

    fn embed_text(&self, captions: &[String]) -> Result<Array2<f32>> {
        Ok(Array2::from_shape_fn((captions.len(), 3), |(caption, channel)| {
            let named = COLOURS.iter().find(|(name, _)| captions[caption].contains(name));
            named.map_or(0.5, |(_, colour)| colour[channel])
        }))
    }

    fn clip_image(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        // Mean colour, and its differences, which a correlation over three numbers alone would see too coarsely.
        let n = pictures.dim().0;
        let pixels = (SIDE * SIDE) as f32;
        Ok(Array2::from_shape_fn((n, 6), |(picture, feature)| {
            let mean = |channel: usize| {
                pictures.slice(ndarray::s![picture, .., .., channel]).iter().copied().sum::<f32>() / pixels
            };
            if feature < 3 { mean(feature) } else { mean(feature - 3) - mean((feature - 2) % 3) }
        }))
    }

    fn generate(&self, request: &Generation<'_>) -> Result<Array4<f32>> {
        let latents = match &request.init {
            Some(init) => init.to_owned(),
            None => Array2::zeros((request.context.nrows(), 3 * BLOCKS * BLOCKS)),
        };
        let strength = if request.init.is_some() { request.strength as f32 } else { 1.0 };
        let mut pictures = self.decode(&latents)?;
        for (row, mut picture) in pictures.outer_iter_mut().enumerate() {
            let noise = request.seed.at(request.image_ids[row]).at(request.sample).normal(SIDE * SIDE * 3);
            for (pixel, value) in picture.iter_mut().enumerate() {
                let colour = request.context[(row, pixel % 3)];
                *value = ((1.0 - strength) * *value + strength * colour + 0.02 * noise[pixel]).clamp(0.0, 1.0);
            }
        }
        Ok(pictures)
    }
}
