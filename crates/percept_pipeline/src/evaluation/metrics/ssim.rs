//! `ssim`: structural similarity (2-D, gray).

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, ssim};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Structural similarity (2-D, gray).
pub struct Ssim;

impl Metric for Ssim {
    fn name(&self) -> &'static str {
        "ssim"
    }

    fn description(&self) -> &'static str {
        "Structural similarity of the grey pictures (two-dimensional, Gaussian window): local contrast and structure."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "SSIM".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: false,
            chance: None,
        }
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        Ok(Some(ssim::ssim(made.pictures().view(), truth.pictures().view())?.into()))
    }
}
