//! `latent_pcc`: Pearson correlation of the scaled latents of the two pictures.

use percept_core::outcome::{MetricFacts, Unit};
use percept_stats::{ItemScores, correlation};

use crate::error::PipelineError;
use crate::evaluation::metric::{Look, Metric};

/// Pearson correlation of the scaled latents of the two pictures.
pub struct LatentPcc;

impl Metric for LatentPcc {
    fn name(&self) -> &'static str {
        "latent_pcc"
    }

    fn description(&self) -> &'static str {
        "Pearson correlation of the autoencoder's latents of reconstruction and stimulus."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Latent correlation".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: false,
            chance: None,
        }
    }

    fn is_basic(&self) -> bool {
        false
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        Ok(Some(correlation::rows(made.latents()?.view(), truth.latents()?.view())?))
    }
}
