//! Responses as they are predicted: drifts taken out and z-scored within each run, title or session; features brought to their time;
//! and how much of the variance any model could explain.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ndarray::{ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2};
use percept_signal::{Deviation, convolved, detrend, zscore_per_group};
use percept_stats::noise_ceiling::{ceiling_mixed, ncsnr};

use super::plan::EncodingPlan;
use crate::data::Recording;
use crate::data::recording::{Timeline, Timing};
use crate::error::PipelineError;
use crate::experiment::encoding::{EncodeSettings, Trend};

/// Order of the polynomial of Savitzky and Golay's filter.
const SAVITZKY_GOLAY_ORDER: usize = 3;
/// Units whose ceilings are computed at a time.
const UNITS_TOGETHER: usize = 4096;
/// How long the haemodynamic response is followed.
const RESPONSE_SECS: f64 = 32.0;

/// Takes drifts out of the responses of `data` and z-scores them, in their place: those of a brain are not held twice. What the user should
/// know of it.
///
/// # Errors
/// Filters that do not fit the runs.
pub fn prepare(data: &mut Recording, settings: &EncodeSettings) -> Result<Vec<String>, PipelineError> {
    let mut values = std::mem::take(&mut data.responses);
    filter_drifts(values.view_mut(), data, settings)?;
    let mut notes = Vec::new();
    let n_sessions = data.session_of_sample.iter().max().map_or(0, |last| last + 1);
    // With one session its mean and deviation are those of training and test together: then nothing is z-scored, and the
    // intercept of the regression is enough.
    if settings.zscore && n_sessions > 1 {
        let invalid =
            zscore_per_group(values.view_mut(), &data.session_of_sample, Deviation::Population).map_err(|error| {
                PipelineError::data(format!("responses cannot be z-scored: {error}"), "set `encode.zscore = false`")
            })?;
        if !invalid.is_empty() {
            notes.push(format!(
                "{} times a unit does not vary within a run, title or session; it counts as its mean there",
                invalid.len()
            ));
        }
    }
    data.responses = values;
    Ok(notes)
}

/// Takes slow drifts out of every run, as `encode.detrend` says; any rows of samples are filtered alike.
///
/// # Errors
/// A filter that does not fit the runs, or a series without seconds.
pub fn filter_drifts(
    values: ArrayViewMut2<'_, f32>,
    data: &Recording,
    settings: &EncodeSettings,
) -> Result<(), PipelineError> {
    let Some(trend) = trend(data, settings)? else { return Ok(()) };
    detrend(values, &data.session_of_sample, trend, None)
        .map_err(|error| PipelineError::data(format!("drifts cannot be removed: {error}"), "set `encode.detrend`"))
}

/// Features as they reach the images.
pub struct InTime<'a> {
    /// n_scans of the timeline × n_features.
    pub rows: CowArray<'a, f32, Ix2>,
    /// Which scans the rows are.
    pub timeline: Cow<'a, Timeline>,
}

/// Features of all scans (n_scans of the timeline × n_features) as they reach the images: convolved with the haemodynamic response,
/// and without drifts, where this is asked for. What is filtered has the rows of the samples alone, since the responses are filtered over
/// these: the same filter over a longer run leaves other drifts.
///
/// # Errors
/// Stimuli shown one by one, a series without seconds, a filter that does not fit the runs.
pub fn in_time<'a>(
    features: ArrayView2<'a, f32>,
    data: &'a Recording,
    settings: &EncodeSettings,
) -> Result<InTime<'a>, PipelineError> {
    let mut out = InTime { rows: CowArray::from(features), timeline: Cow::Borrowed(&data.timeline) };
    if let Some(hrf) = settings.hrf.form() {
        let tr_secs = seconds(data, &format!("encode.hrf = \"{}\"", settings.hrf.name()))?;
        let refused = |error: percept_signal::SignalError| {
            PipelineError::data(format!("the features cannot be convolved: {error}"), "remove `encode.hrf`")
        };
        let kernel = hrf.sampled(tr_secs, RESPONSE_SECS).map_err(refused)?;
        out.rows = convolved(features, &data.timeline.session, &kernel).map_err(refused)?.into();
    }
    if settings.detrend_features {
        let mut filtered = out.rows.select(Axis(0), &data.timeline.of_sample);
        filter_drifts(filtered.view_mut(), data, settings)?;
        out = InTime { rows: filtered.into(), timeline: Cow::Owned(Timeline::whole(&data.session_of_sample)) };
    }
    Ok(out)
}

/// How many samples after a stimulus its response is looked for: the delays, later by the peak of the haemodynamic response where
/// features were convolved with one.
pub fn delays(data: &Recording, settings: &EncodeSettings) -> Vec<usize> {
    let kernel = match (settings.hrf.form(), &data.timing) {
        (Some(hrf), Timing::Series { tr_secs: Some(tr_secs), .. }) => hrf.sampled(*tr_secs, RESPONSE_SECS).ok(),
        _ => None,
    };
    let peak =
        kernel.and_then(|kernel| (0..kernel.len()).max_by(|&a, &b| kernel[a].total_cmp(&kernel[b]))).unwrap_or(0);
    settings.delays.iter().map(|delay| delay + peak).collect()
}

/// Seconds between samples, for which `option` asks.
fn seconds(data: &Recording, option: &str) -> Result<f64, PipelineError> {
    match data.timing {
        Timing::Series { tr_secs: Some(tr_secs), .. } => Ok(tr_secs),
        _ => {
            Err(PipelineError::data(format!("`{option}` needs a series with seconds between its samples"), "remove it"))
        }
    }
}

fn trend(data: &Recording, settings: &EncodeSettings) -> Result<Option<percept_signal::Trend>, PipelineError> {
    if settings.detrend == Trend::None {
        return Ok(None);
    }
    let tr_secs = seconds(data, &format!("encode.detrend = \"{}\"", settings.detrend.name()))?;
    let width = (settings.detrend_secs / tr_secs).round().max(1.0) as usize;
    Ok(match settings.detrend {
        Trend::None => None,
        Trend::Median => Some(percept_signal::Trend::Median { width }),
        // Its window is symmetric.
        Trend::SavitzkyGolay => Some(percept_signal::Trend::SavitzkyGolay {
            width: width | 1,
            order: SAVITZKY_GOLAY_ORDER.min(width.saturating_sub(1)),
        }),
    })
}

/// The share of variance of each unit, over the items that are scored, that repeats have in common: none for series, and for
/// trials without repeats.
///
/// # Errors
/// Values that are not finite.
pub fn ceilings(data: &Recording, plan: &EncodingPlan) -> Result<Option<Vec<Option<f64>>>, PipelineError> {
    let responses = data.responses.view();
    if !data.is_trials() {
        return Ok(None);
    }
    let mut repeats_of = BTreeMap::<usize, usize>::new();
    for &group in &data.group_of_sample {
        *repeats_of.entry(group).or_default() += 1;
    }
    let mut n_with = BTreeMap::<usize, usize>::new();
    for &repeats in repeats_of.values().filter(|repeats| **repeats > 1) {
        *n_with.entry(repeats).or_default() += 1;
    }
    // The number of repeats that most stimuli have; the larger of two.
    let Some((&repeats, _)) = n_with.iter().max_by_key(|(repeats, n)| (**n, **repeats)) else { return Ok(None) };
    let whole = vec![0; responses.nrows()];
    let mut ratios = Vec::with_capacity(responses.ncols());
    for units in responses.axis_chunks_iter(Axis(1), UNITS_TOGETHER) {
        let mut scaled = units.to_owned();
        zscore_per_group(scaled.view_mut(), &whole, Deviation::Population).map_err(|error| {
            PipelineError::data(format!("responses cannot be z-scored: {error}"), "give more samples")
        })?;
        ratios.extend(ncsnr(scaled.view(), &data.group_of_sample, repeats)?.values);
    }
    let of_item: Vec<usize> = plan.items.iter().map(Vec::len).collect();
    let ceiling = |ratio: Option<f64>| ratio.map(|ratio| ceiling_mixed(ratio, &of_item)).transpose();
    Ok(Some(ratios.into_iter().map(ceiling).collect::<Result<_, _>>()?))
}
