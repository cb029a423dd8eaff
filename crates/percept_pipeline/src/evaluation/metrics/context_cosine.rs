//! `context_cosine`: cosine of the context a picture was made under with that of the stimulus' captions, over all tokens.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, correlation};

use super::contexts;
use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric, Reads};

/// Cosine of the context a picture was made under with that of the stimulus' captions, over all tokens.
pub struct ContextCosine;

impl Metric for ContextCosine {
    fn name(&self) -> &'static str {
        "context_cosine"
    }

    fn description(&self) -> &'static str {
        "Cosine of the conditioning a picture was made under with that of the stimulus' captions. Captions have much in common: compare with the mean brain."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Context cosine".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: false,
            chance: None,
        }
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }

    fn is_basic(&self) -> bool {
        false
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        let Some((made, truth)) = contexts(made, truth) else { return Ok(None) };
        Ok(Some(correlation::cosine_rows(made.view(), truth.view())?))
    }
}
