//! What a system is: methods that an experiment can ask for, and what they add to a comparison and its report.

use std::sync::Arc;

use percept_core::Section;
use percept_core::outcome::Role;
use percept_pipeline::evaluation::StimulusPictures;
use percept_pipeline::experiment::{Experiment, MethodWord, SectionWord};
use percept_pipeline::{Arm, Generator, Inputs, PipelineError};

use crate::bench::Bench;

/// A published system, or a baseline.
pub trait System: Send + Sync {
    /// The methods that `methods = [...]` of an experiment may name, in the order of their arms.
    fn methods(&self) -> Vec<MethodWord> {
        Vec::new()
    }

    /// Its own section of the experiment file, if it has one.
    fn section(&self) -> Option<SectionWord> {
        None
    }

    /// Whether it has a part in the comparison of `experiment`.
    fn takes_part(&self, experiment: &Experiment) -> bool {
        self.methods().iter().any(|method| experiment.asks(method.name))
    }

    /// Refuses a comparison that it could not join, before anybody's work begins.
    ///
    /// # Errors
    /// When something is missing that no other system makes.
    fn check(&self, _bench: &Bench<'_>) -> Result<(), PipelineError> {
        Ok(())
    }

    /// Its part of the comparison: features, decoders, arms. Pictures are not made yet.
    ///
    /// # Errors
    /// When the data lack what it reads, or a decoder cannot be fitted.
    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError>;
}

/// A system's part of one comparison.
pub trait Entry {
    /// Its arms, in the order of the tables.
    fn candidates(&self) -> Vec<Candidate>;

    /// What it adds to the report once all pictures are made.
    ///
    /// # Errors
    /// When what it looks at cannot be computed.
    fn sections(&self, _bench: &Bench<'_>, _stimuli: &StimulusPictures) -> Result<Vec<Section>, PipelineError> {
        Ok(Vec::new())
    }
}

/// An arm, and what controls need to judge it by.
#[derive(Clone)]
pub struct Candidate {
    /// The arm.
    pub arm: Arm,
    /// How much it knows: controls judge the strongest candidate, the last of several.
    pub strength: u8,
    /// Inputs for the mean training response, one row per fold; `None` for an arm that is no method.
    pub mean: Option<Inputs>,
    /// What the arm would have been with perfect decoding.
    pub oracle: Option<Oracle>,
}

/// An arm's procedure with the true features.
#[derive(Clone)]
pub struct Oracle {
    /// The method whose procedure it is.
    pub of: String,
    /// The procedure.
    pub generator: Arc<dyn Generator>,
    /// True features, one row per item.
    pub inputs: Inputs,
}

impl Candidate {
    /// The candidate that controls judge: the strongest method, the last of several.
    pub fn main(candidates: &[Self]) -> Option<&Self> {
        candidates.iter().filter(|candidate| candidate.arm.role == Role::Method).max_by_key(|one| one.strength)
    }
}
