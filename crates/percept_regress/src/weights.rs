//! Weights of samples: their roots multiply rows.

use crate::error::RegressError;
use crate::samples::same_rows;

/// Root of each sample's weight.
pub(crate) fn roots(weights: Option<&[f64]>, n_samples: usize) -> Vec<f64> {
    weights.map_or_else(|| vec![1.0; n_samples], |weights| weights.iter().map(|weight| weight.sqrt()).collect())
}

/// Roots of the weights, refused where one cannot be used.
pub(crate) fn checked_roots(weights: Option<&[f64]>, n_samples: usize) -> Result<Vec<f64>, RegressError> {
    if let Some(weights) = weights {
        same_rows("x", n_samples, "weights", weights.len())?;
        if let Some((sample, &weight)) =
            weights.iter().enumerate().find(|(_, weight)| !(weight.is_normal() && **weight > 0.0))
        {
            return Err(RegressError::Weight { sample, weight });
        }
    }
    Ok(roots(weights, n_samples))
}
