//! `context_pairwise`: share of other stimuli whose context is less similar, by cosine, to the one a picture was made under.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, clusters};

use super::contexts;
use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric, Reads};

/// Share of other stimuli whose context is less similar, by cosine, to the one a picture was made under.
pub struct ContextPairwise;

impl Metric for ContextPairwise {
    fn name(&self) -> &'static str {
        "context_pairwise"
    }

    fn description(&self) -> &'static str {
        "How often the conditioning a picture was made under is more similar to that of its own captions than to another stimulus'."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Context pairwise".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Percent,
            lower_is_better: false,
            chance: Some(0.5),
        }
    }

    fn reads(&self) -> Reads {
        Reads::Inputs
    }

    fn is_basic(&self) -> bool {
        false
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, labels: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        let Some((made, truth)) = contexts(made, truth) else { return Ok(None) };
        Ok(Some(clusters::two_way_cosine(made.view(), truth.view(), labels)?.scores))
    }
}
