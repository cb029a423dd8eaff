//! `pixcorr`: Pearson correlation over all pixels and channels.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, image};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Pearson correlation over all pixels and channels.
pub struct PixCorr;

impl Metric for PixCorr {
    fn name(&self) -> &'static str {
        "pixcorr"
    }

    fn description(&self) -> &'static str {
        "Pearson correlation of all pixel values of a reconstruction with those of its stimulus, averaged over stimuli."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "PixCorr".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: false,
            chance: None,
        }
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        Ok(Some(image::pixcorr(made.pictures().view(), truth.pictures().view())?))
    }
}
