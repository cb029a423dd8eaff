//! `twoway_clip`: two-way identification by the correlation of CLIP image embeddings.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, clusters};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Two-way identification by the correlation of CLIP image embeddings.
pub struct TwoWayClip;

impl Metric for TwoWayClip {
    fn name(&self) -> &'static str {
        "twoway_clip"
    }

    fn description(&self) -> &'static str {
        "The same comparison in the space of CLIP image embeddings: is the meaning right?"
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "2-way, CLIP".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Percent,
            lower_is_better: false,
            chance: Some(0.5),
        }
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, labels: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        let (Some(made), Some(truth)) = (made.clip()?, truth.clip()?) else { return Ok(None) };
        Ok(Some(clusters::two_way(made.view(), truth.view(), labels)?.scores))
    }
}
