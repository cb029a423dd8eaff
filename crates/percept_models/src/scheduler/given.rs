//! What one step of a sampler is made of, and what a run remembers between its steps.

use candle_core::Tensor;

use super::config::Prediction;
use crate::error::{ModelError, Result};

/// What a run remembers of one batch between its steps. A new one for every batch.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Clean samples as they were predicted at earlier steps, newest last.
    pub(super) clean: Vec<Tensor>,
    /// The sample from which the last step was taken, and the order it was taken with.
    pub(super) last: Option<(Tensor, usize)>,
}

impl History {
    /// Clean samples as they were predicted at earlier steps, newest last.
    pub(crate) fn clean(&self) -> &[Tensor] {
        &self.clean
    }

    /// The sample from which the last step was taken, and its order.
    pub(crate) fn last(&self) -> Option<(&Tensor, usize)> {
        self.last.as_ref().map(|(sample, order)| (sample, *order))
    }

    /// What [`Self::clean`] and [`Self::last`] told.
    pub(crate) fn from_parts(clean: Vec<Tensor>, last: Option<(Tensor, usize)>) -> Self {
        Self { clean, last }
    }
}

/// What a step is made of.
pub(super) struct Given<'a> {
    pub(super) output: &'a Tensor,
    pub(super) sample: &'a Tensor,
    pub(super) noise: Option<&'a Tensor>,
}

impl Given<'_> {
    /// The noise of a stochastic step.
    pub(super) fn noise(&self) -> Result<&Tensor> {
        self.noise.ok_or_else(|| ModelError::Input {
            what: "noise of a sampling step",
            expected: "a tensor like the sample, since this sampler draws noise at every step".into(),
            got: "none".into(),
        })
    }

    /// The clean sample that the model's output means, where the sample holds signal and noise in these shares.
    pub(super) fn clean(&self, prediction: Prediction, signal: f64, noise: f64) -> Result<Tensor> {
        match prediction {
            Prediction::Epsilon => sum(&[(1.0 / signal, self.sample), (-noise / signal, self.output)]),
            Prediction::VPrediction => sum(&[(signal, self.sample), (-noise, self.output)]),
            Prediction::Sample => Ok(self.output.clone()),
        }
    }
}

/// Σ weight · tensor.
pub(super) fn sum(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for &(weight, tensor) in terms {
        let term = (tensor * weight)?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    total.ok_or_else(|| ModelError::Input { what: "sum", expected: "terms".into(), got: "none".into() })
}
