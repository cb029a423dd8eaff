//! A trained variant, applied to the items of a comparison.

use ndarray::Array2;
use percept_models::weights::Tensors;
use percept_pipeline::packs::Changes;

use super::folder::VariantFacts;

/// One trained variant, applied to the test items.
pub(crate) struct Applied {
    /// Its facts.
    pub(crate) facts: VariantFacts,
    /// n_items × context.
    pub(crate) items: Array2<f32>,
    /// 1 × context: for the mean training response.
    pub(crate) mean: Array2<f32>,
    /// n_groups of (n_items × context): without the responses of one group each.
    pub(crate) without: Vec<Array2<f32>>,
    /// Tensors of the U-Net that differ from the pack's.
    pub(crate) changes: Tensors,
    /// Hash of encoder and changes.
    pub(crate) content: String,
}

impl Applied {
    /// What it changes in a generator.
    pub(crate) fn changes(&self) -> Changes {
        Changes { tensors: self.changes.clone(), content: self.content.clone() }
    }
}
