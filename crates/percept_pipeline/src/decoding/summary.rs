//! What a decoder says about itself: how well its targets were predicted, which penalties they chose, what shrinkage left.

use ndarray::Array2;
use percept_core::outcome::DecoderSummary;
use percept_stats::correlation;

use super::ridge::Predictions;
use crate::error::PipelineError;
use crate::experiment::Region;
use crate::plan::Plan;

/// More targets than this share on the edge of the grid are worth a warning.
const EDGE_SHARE: f64 = 0.2;

/// Penalties at the edge of the grid mean that the optimum may lie outside.
pub fn edge_warnings(decoders: &[DecoderSummary]) -> Vec<String> {
    let mut warnings = Vec::new();
    for decoder in decoders {
        let total: usize = decoder.n_targets_of_alpha.iter().sum();
        let ends = [
            ("smallest", decoder.n_targets_of_alpha.first(), decoder.alphas.first()),
            ("largest", decoder.n_targets_of_alpha.last(), decoder.alphas.last()),
        ];
        for (end, count, alpha) in ends {
            let (Some(&count), Some(alpha)) = (count, alpha) else { continue };
            if decoder.alphas.len() > 1 && count as f64 > EDGE_SHARE * total as f64 {
                warnings.push(format!(
                    "{count} of {total} targets of `{}` chose the {end} penalty, {alpha}: widen `decode.alphas` or \
                     raise `decode.extend`, unless they cannot be predicted at all",
                    decoder.feature
                ));
            }
        }
    }
    warnings
}

/// One fitted feature space.
pub struct Fitted<'a> {
    /// The feature space.
    pub feature: &'a str,
    /// The region that was read.
    pub region: Region,
    /// Units in it.
    pub n_units: usize,
    /// What was predicted.
    pub predictions: &'a Predictions,
    /// The truth: n_items × n_targets.
    pub truth: &'a Array2<f32>,
    /// What predictions were stretched by.
    pub factor: f64,
}

/// What a decoder says about itself.
///
/// # Errors
/// When predictions are not finite.
pub fn decoder(fitted: &Fitted<'_>, plan: &Plan) -> Result<DecoderSummary, PipelineError> {
    let predictions = fitted.predictions;
    let sum = |variances: &Array2<f32>| variances.iter().map(|&value| f64::from(value)).sum::<f64>();
    let (held_out, target) = (sum(&predictions.held_out_variance), sum(&predictions.target_variance));
    Ok(DecoderSummary {
        feature: fitted.feature.to_owned(),
        region: fitted.region.name().to_owned(),
        n_samples: plan.train.iter().map(Vec::len).sum::<usize>() / plan.train.len(),
        n_units: fitted.n_units,
        n_targets: predictions.items.ncols(),
        n_folds: plan.train.len(),
        alphas: predictions.n_targets_of_alpha.iter().map(|(alpha, _)| *alpha).collect(),
        n_targets_of_alpha: predictions.n_targets_of_alpha.iter().map(|(_, count)| *count).collect(),
        cv_r2: predictions.cv_r2,
        test_correlation: mean_correlation(&predictions.items, fitted.truth)?,
        kept_variance: if target > 0.0 { held_out / target } else { 0.0 },
        rescale_median: fitted.factor,
    })
}

/// Mean over columns of the correlation between predicted and true features across items; constant columns do not count.
fn mean_correlation(predicted: &Array2<f32>, truth: &Array2<f32>) -> Result<f64, PipelineError> {
    if predicted.nrows() < 2 {
        return Ok(0.0);
    }
    Ok(correlation::columns(predicted.view(), truth.view())?.mean().unwrap_or(0.0))
}
