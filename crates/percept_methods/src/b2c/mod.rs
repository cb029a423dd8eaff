//! Brain-to-Context (Ishizaki & Kobayashi 2026): a Transformer turns responses into the context of the U-Net, trained through
//! the U-Net, whose keys and values learn with it.
//!
//! [`train()`] trains every variant of `[b2c]` on the training images of the experiment, keeps the weights of the best
//! validation, and says how well the contexts of the test images are told apart, beside ridge regression on the same images.
//! `percept reconstruct` makes pictures with them (method `b2c`, `decoder = "FOLDER"`).
//!
//! Open points of the paper, decided here and settings of the experiment: tokens go to groups in proportion to their units;
//! positions are learnt; training rows are single trials, drawn with replacement; validation images are held out of the
//! training images; the weights of the best validation loss are kept.

mod applied;
mod attention;
mod compare;
mod curves;
mod figures;
mod folder;
mod inputs;
mod insight;
mod reference;
mod sections;
pub mod settings;
mod shared;
mod task;
mod train;
mod validate;
mod validation;

use percept_pipeline::PipelineError;
use percept_pipeline::experiment::{MethodWord, SectionWord};

pub use folder::{TrainedRun, VariantFacts};
pub use inputs::GroupFacts;
pub use train::train;
pub use validation::Validation;

use crate::bench::Bench;
use crate::system::{Entry, System};

/// The system.
pub struct B2c;

impl System for B2c {
    fn methods(&self) -> Vec<MethodWord> {
        vec![MethodWord {
            name: "b2c",
            doc: "Encoders that `percept train b2c` made (`decoder = \"FOLDER\"`), each an arm under its own name.",
            by_default: false,
            thorough: true,
            needs: settings::SECTION.needs,
        }]
    }

    fn section(&self) -> Option<SectionWord> {
        Some(settings::SECTION)
    }

    fn check(&self, bench: &Bench<'_>) -> Result<(), PipelineError> {
        compare::found(bench).map(drop)
    }

    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError> {
        Ok(Box::new(compare::join(bench)?))
    }
}
