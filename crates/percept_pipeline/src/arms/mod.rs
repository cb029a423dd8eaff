//! What is compared: an [`Arm`] is a name, a role, the features that a generator gets for every item, and the generator.
//!
//! All arms share items, seed and noise, so what differs between them is what the brain said, or how it was read. Methods,
//! controls, bounds and baselines are all arms; [`percept_core::Role`] says which is which.

mod inputs;

use std::sync::Arc;

use ndarray::{Array2, Array3};
use percept_core::Provenance;
use percept_core::arm::ArmName;
use percept_core::outcome::{ArmSummary, Role};

use crate::error::PipelineError;
use crate::plan::Item;

pub use inputs::Inputs;

/// What a generator makes for one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Medium {
    /// A picture (height, width, 3), RGB in 0..=1.
    Picture(Array3<f32>),
}

/// From features to something that can be looked at.
pub trait Generator: Send + Sync {
    /// Adds what the result depends on besides inputs and items: the model, the settings that it reads, and the draw where
    /// there is noise.
    fn record(&self, items: &[Item], draw: usize, record: Provenance) -> Provenance;

    /// One medium per item from one row of inputs each. The noise of an item depends on the seed, the item and the draw only.
    ///
    /// # Errors
    /// When inputs are missing or do not fit.
    fn make(&self, inputs: &Inputs, items: &[Item], draw: usize) -> Result<Vec<Medium>, PipelineError>;

    /// What denoising starts from, by name, one row per item; none where nothing is denoised.
    ///
    /// # Errors
    /// As [`Generator::make`].
    fn starts(
        &self,
        _inputs: &Inputs,
        _items: &[Item],
        _draw: usize,
    ) -> Result<Vec<(&'static str, Array2<f32>)>, PipelineError> {
        Ok(Vec::new())
    }

    /// Whether draws differ; without noise one is enough.
    fn is_random(&self) -> bool {
        true
    }

    /// Lets go of what is held in memory between batches.
    fn release(&self) {}
}

/// One way of making something for every item.
#[derive(Clone)]
pub struct Arm {
    /// The name in the scores.
    pub name: ArmName,
    /// Why it is there.
    pub role: Role,
    /// A few words for the head of a column.
    pub short: String,
    /// One sentence for the reader.
    pub description: String,
    /// Features, one row per item.
    pub inputs: Inputs,
    /// What is made of them.
    pub generator: Arc<dyn Generator>,
    /// Pictures per item.
    pub n_draws: usize,
    /// Whether the other methods are compared with this one.
    pub is_reference: bool,
    /// Arms of one family are also compared with each other.
    pub family: Option<&'static str>,
    /// The caption of each item, where there was one on the way.
    pub said: Option<Arc<[String]>>,
}

/// The file of one picture of the arm `name`, relative to the run's folder.
pub fn picture_path(name: &str, item: &Item, draw: usize) -> String {
    format!("images/{name}/{}-s{draw}.png", item.id)
}

impl Arm {
    /// The file of one picture, relative to the run's folder.
    pub fn picture(&self, item: &Item, draw: usize) -> String {
        picture_path(self.name.as_str(), item, draw)
    }

    /// What a report says of it.
    pub fn summary(&self) -> ArmSummary {
        ArmSummary {
            name: self.name.to_string(),
            role: self.role,
            short: self.short.clone(),
            description: self.description.clone(),
            n_draws: self.n_draws,
        }
    }
}
