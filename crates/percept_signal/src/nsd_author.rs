//! The normalisation that the author of the Natural Scenes Dataset used himself, from trials to one row per image.
//!
//! 1. z-score per unit within each session (deviation with n − 1); sessions in which a unit is invalid are missing;
//! 2. add back the mean over sessions of the unit's mean / deviation, so that its level is kept;
//! 3. average the trials of each image that are not missing; images without any become 0;
//! 4. divide by the unit's deviation over images (n − 1).
//!
//! Step 1 makes the unit of the betas irrelevant. Reference: `PREPAREDATA.m` published with the data set
//! (Allen et al. 2022, doi:10.1038/s41593-021-00962-x).

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::SignalError;
use crate::zscore::{Deviation, Invalid, collect_invalid, groups, moments, sorted};

const UNITS_PER_TASK: usize = 256;

/// Normalised responses with one row per image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageResponses {
    /// n_images × n_units.
    pub data: Array2<f32>,
    /// The stimulus of each row, in the order of first presentation.
    pub stimuli: Vec<usize>,
    /// Units and sessions that were missing.
    pub invalid: Vec<Invalid>,
    /// Units that do not vary over images after averaging; their values are 0.
    pub constant_units: Vec<usize>,
}

/// Normalises trials as the author of NSD did.
///
/// # Shapes
/// `responses` n_samples × n_units; both label lists n_samples.
///
/// # Errors
/// [`SignalError::LabelCount`], [`SignalError::Empty`], [`SignalError::SingleSample`] for a session of one trial.
///
/// # Numerics
/// f64, rounded once at the end.
pub fn normalise_as_nsd_author(
    responses: ArrayView2<'_, f32>,
    session_of_sample: &[usize],
    stimulus_of_sample: &[usize],
) -> Result<ImageResponses, SignalError> {
    let sessions = groups(responses, "sessions", session_of_sample)?;
    if stimulus_of_sample.len() != responses.nrows() {
        let found = stimulus_of_sample.len();
        return Err(SignalError::LabelCount { rows: responses.nrows(), labels: "stimuli", found });
    }
    let mut row_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut stimuli = Vec::new();
    let image_of_sample: Vec<usize> = stimulus_of_sample
        .iter()
        .map(|&stimulus| {
            *row_of.entry(stimulus).or_insert_with(|| {
                stimuli.push(stimulus);
                stimuli.len() - 1
            })
        })
        .collect();
    let mut data = Array2::<f32>::zeros((stimuli.len(), responses.ncols()));
    let parts: Vec<(Vec<Invalid>, Vec<usize>)> = data
        .axis_chunks_iter_mut(Axis(1), UNITS_PER_TASK)
        .into_par_iter()
        .zip(responses.axis_chunks_iter(Axis(1), UNITS_PER_TASK))
        .enumerate()
        .map(|(task, (mut out, part))| {
            let first_unit = task * UNITS_PER_TASK;
            let mut invalid = Vec::new();
            let (n_images, n_units) = out.dim();
            let mut sums = Array2::<f64>::zeros((n_images, n_units));
            let mut counts = Array2::<f64>::zeros((n_images, n_units));
            let mut level = vec![(0.0, 0.0); n_units];
            for (&session, samples) in &sessions {
                let moments = moments(part, samples, Deviation::Sample);
                collect_invalid(&mut invalid, session, first_unit, &moments);
                for (unit, moments) in moments.iter().enumerate() {
                    let Ok((mean, deviation)) = moments else { continue };
                    level[unit].0 += mean / deviation;
                    level[unit].1 += 1.0;
                    for &sample in samples {
                        let image = image_of_sample[sample];
                        sums[(image, unit)] += (f64::from(part[(sample, unit)]) - mean) / deviation;
                        counts[(image, unit)] += 1.0;
                    }
                }
            }
            let mut constant = Vec::new();
            for unit in 0..n_units {
                let back = level[unit].0 / level[unit].1;
                let image = |image: usize| {
                    let count = counts[(image, unit)];
                    if count > 0.0 { sums[(image, unit)] / count + back } else { 0.0 }
                };
                let values: Vec<f64> = (0..n_images).map(image).collect();
                let mean = values.iter().sum::<f64>() / n_images as f64;
                let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
                if values.iter().all(|value| *value == values[0]) {
                    constant.push(first_unit + unit);
                    continue;
                }
                let deviation = Deviation::Sample.of(squares, n_images);
                for (out, value) in out.column_mut(unit).iter_mut().zip(values) {
                    *out = (value / deviation) as f32;
                }
            }
            (invalid, constant)
        })
        .collect();
    let (invalid, constant): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok(ImageResponses { data, stimuli, invalid: sorted(invalid), constant_units: constant.concat() })
}
