//! What a metric is: one value per item, from what was made and what was shown.
//!
//! Pixel, latent and CLIP metrics look at pictures as they lie on the disk. Context metrics look at what a picture was made
//! under; an arm that was made under none, such as `z`, has no such metrics.

use std::borrow::Cow;
use std::cell::OnceCell;

use ndarray::{Array2, Array4, Axis};
use percept_core::outcome::MetricFacts;
use percept_stats::ItemScores;

use crate::arms::Inputs;
use crate::error::PipelineError;
use crate::packs::PictureModel;

/// What a metric compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Pictures: each draw is scored, and the draws of an item are averaged.
    Pictures,
    /// What pictures were made under: the same for all draws.
    Inputs,
}

/// A measure of how near a reconstruction, or what it was made under, comes to the truth.
pub trait Metric: Send + Sync {
    /// The name in score rows, with its dialect: `pixcorr`, `twoway_clip`.
    fn name(&self) -> &'static str;

    /// One or two sentences on what it measures.
    fn description(&self) -> &'static str;

    /// All that a table or a report says of it.
    fn facts(&self) -> MetricFacts;

    /// What it compares.
    fn reads(&self) -> Reads {
        Reads::Pictures
    }

    /// Whether it belongs to every comparison; others are for thorough ones.
    fn is_basic(&self) -> bool {
        true
    }

    /// One value per item; `None` where either side lacks what is compared, and for an item on which it is not defined. `labels`
    /// are the items' stimuli: items of one stimulus are no opponents.
    ///
    /// # Errors
    /// When values are not finite or shapes differ.
    fn values(&self, made: &Look<'_>, truth: &Look<'_>, labels: &[usize]) -> Result<Option<ItemScores>, PipelineError>;
}

/// One picture per item, in all the forms that metrics compare. Forms that need a model are made when they are asked for.
pub struct Look<'a> {
    pictures: Array4<f32>,
    inputs: Cow<'a, Inputs>,
    model: &'a dyn PictureModel,
    pixels: OnceCell<Array2<f32>>,
    latents: OnceCell<Array2<f32>>,
    clip: OnceCell<Array2<f32>>,
}

impl<'a> Look<'a> {
    /// Pictures (n, side, side, 3), and what they were made under.
    pub fn new(pictures: Array4<f32>, inputs: &'a Inputs, model: &'a dyn PictureModel) -> Self {
        let (pixels, latents, clip) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { pictures, inputs: Cow::Borrowed(inputs), model, pixels, latents, clip }
    }

    /// The same of other items: row k is the item `items[k]`. What a model has made of the pictures is not made again.
    #[must_use]
    pub fn select(&self, items: &[usize]) -> Self {
        let rows = |cell: &OnceCell<Array2<f32>>| {
            cell.get().map_or_else(OnceCell::new, |all| OnceCell::from(all.select(Axis(0), items)))
        };
        Self {
            pictures: self.pictures.select(Axis(0), items),
            inputs: Cow::Owned(self.inputs.select(items)),
            model: self.model,
            pixels: rows(&self.pixels),
            latents: rows(&self.latents),
            clip: rows(&self.clip),
        }
    }

    /// The pictures: (n, side, side, 3), RGB in 0..=1.
    pub fn pictures(&self) -> &Array4<f32> {
        &self.pictures
    }

    /// What they were made under; on the side of the truth, the true features of the stimuli.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The same as rows: n × (side · side · 3).
    pub fn pixels(&self) -> &Array2<f32> {
        self.pixels.get_or_init(|| {
            let (n, height, width, channels) = self.pictures.dim();
            let rows = self.pictures.to_shape((n, height * width * channels));
            rows.expect("the lengths are the same").into_owned()
        })
    }

    /// Latents of the pictures: n × latent.
    ///
    /// # Errors
    /// When the model refuses them.
    pub fn latents(&self) -> Result<&Array2<f32>, PipelineError> {
        made(&self.latents, || Ok(self.model.encode(self.pictures.view())?))
    }

    /// CLIP embeddings of the pictures: n × projection; `None` when the model has no image encoder.
    ///
    /// # Errors
    /// When the model refuses them.
    pub fn clip(&self) -> Result<Option<&Array2<f32>>, PipelineError> {
        if !self.model.has_clip() {
            return Ok(None);
        }
        made(&self.clip, || Ok(self.model.clip_image(self.pictures.view())?)).map(Some)
    }
}

fn made<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, PipelineError>) -> Result<&T, PipelineError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
