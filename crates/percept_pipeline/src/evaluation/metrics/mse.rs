//! `mse`: mean squared error over all pixels and channels, on the scale −1..1 as in latent diffusion.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, image};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Squared errors on −1..1 are this many times those on 0..1.
const SCALE: f64 = 4.0;

/// Mean squared error over all pixels and channels, on the scale −1..1 as in latent diffusion.
pub struct Mse;

impl Metric for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn description(&self) -> &'static str {
        "Mean squared difference of all pixel values on the scale from −1 to 1. Lower is better; a picture of one middle colour scores well."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Pixel MSE".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: true,
            chance: None,
        }
    }

    fn is_basic(&self) -> bool {
        false
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        let errors = image::mse(made.pictures().view(), truth.pictures().view())?;
        Ok(Some(errors.into_iter().map(|error| SCALE * error).collect::<Vec<f64>>().into()))
    }
}
