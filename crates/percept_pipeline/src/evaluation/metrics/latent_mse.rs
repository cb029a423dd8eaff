//! `latent_mse`: mean squared error of the scaled latents of the two pictures.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, correlation};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Mean squared error of the scaled latents of the two pictures.
pub struct LatentMse;

impl Metric for LatentMse {
    fn name(&self) -> &'static str {
        "latent_mse"
    }

    fn description(&self) -> &'static str {
        "Mean squared difference of the autoencoder's latents of reconstruction and stimulus. Lower is better."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Latent MSE".to_owned(),
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
        Ok(Some(correlation::mse_rows(made.latents()?.view(), truth.latents()?.view())?.into()))
    }
}
