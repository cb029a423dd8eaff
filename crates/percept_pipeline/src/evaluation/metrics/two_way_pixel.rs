//! `twoway_pixel`: two-way identification by the correlation of pixels.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, clusters};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Two-way identification by the correlation of pixels.
pub struct TwoWayPixel;

impl Metric for TwoWayPixel {
    fn name(&self) -> &'static str {
        "twoway_pixel"
    }

    fn description(&self) -> &'static str {
        "How often a reconstruction correlates better with its own stimulus than with another one, over all other stimuli."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "2-way, pixels".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Percent,
            lower_is_better: false,
            chance: Some(0.5),
        }
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, labels: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        Ok(Some(clusters::two_way(made.pixels().view(), truth.pixels().view(), labels)?.scores))
    }
}
