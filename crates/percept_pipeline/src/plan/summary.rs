//! What a report says about data and split: counts, noise ceilings, and what a reader must know first.

use std::collections::{BTreeMap, BTreeSet};

use percept_core::Responses;
use percept_core::outcome::{DataSummary, RegionSummary};
use percept_signal::{Deviation, zscore_per_group};
use percept_stats::noise_ceiling;

use super::Plan;
use crate::data::Dataset;
use crate::experiment::SplitKind;

/// What the user must know about data and split.
pub fn warnings(dataset: &Dataset, plan: &Plan) -> Vec<String> {
    let mut warnings = dataset.warnings.clone();
    if !plan.leaked_stimuli.is_empty() {
        let leaked = plan.items.iter().filter(|item| plan.leaked_stimuli.binary_search(&item.stimulus).is_ok()).count();
        let n_items = plan.items.len();
        let counted = if leaked == n_items { format!("all {n_items}") } else { format!("{leaked} of {n_items}") };
        let n_different = plan.leaked_stimuli.len();
        let different = if n_different == leaked { String::new() } else { format!(" ({n_different} different ones)") };
        warnings.insert(
            0,
            format!(
                "{counted} test images{different} also occur in training: these scores measure recognition of known pictures, \
                 not reconstruction of new ones"
            ),
        );
    }
    if !plan.near_stimuli.is_empty() {
        let names: Vec<&str> = plan.near_stimuli.iter().take(3).map(|&stimulus| dataset.stimuli.id(stimulus)).collect();
        let more = if plan.near_stimuli.len() > names.len() { " …" } else { "" };
        let after_leaks = usize::from(!plan.leaked_stimuli.is_empty());
        warnings.insert(
            after_leaks,
            format!(
                "{} test pictures are nearly equal to pictures in training ({}{more}): what is recognised there is not \
                 reconstructed",
                plan.near_stimuli.len(),
                names.join(", ")
            ),
        );
    }
    warnings
}

/// What was measured, in counts.
pub fn data(dataset: &Dataset, plan: &Plan, split: SplitKind) -> DataSummary {
    let stimulus_of_sample = &dataset.responses.stimulus_of_sample;
    let distinct = |samples: &[usize]| samples.iter().map(|&s| stimulus_of_sample[s]).collect::<BTreeSet<_>>().len();
    let n_folds = plan.train.len();
    let tested: Vec<usize> = plan.items.iter().flat_map(|item| item.samples.iter().copied()).collect();
    let repeats: Vec<usize> = plan.items.iter().map(|item| item.samples.len()).collect();
    let split = match split {
        SplitKind::Given => "as the data give it".to_owned(),
        SplitKind::Shared => "test: the images that all subjects share".to_owned(),
        SplitKind::LeaveOneStimulusOut => {
            format!("each of {n_folds} stimuli is tested by decoders fitted on the others")
        }
    };
    let summary = |name: &str, selector: &str, units: &[usize], n_dropped: usize| {
        let ceiling = ceiling(&dataset.responses.select_units(units), &repeats);
        RegionSummary {
            name: name.to_owned(),
            selector: selector.to_owned(),
            n_units: units.len(),
            n_dropped,
            ncsnr_median: ceiling.map(|(ncsnr, _)| ncsnr),
            ceiling_median: ceiling.map(|(_, ceiling)| ceiling),
        }
    };
    DataSummary {
        subject: dataset.subject.clone(),
        source: dataset.source.clone(),
        split,
        n_train_samples: plan.train.iter().map(Vec::len).sum::<usize>() / n_folds,
        n_train_stimuli: plan.train.iter().map(|train| distinct(train)).sum::<usize>() / n_folds,
        n_test_samples: tested.len(),
        n_test_stimuli: distinct(&tested),
        regions: dataset
            .regions
            .iter()
            .map(|region| summary(region.region.name(), &region.selector, &region.units, region.n_dropped))
            .collect(),
        groups: dataset
            .groups
            .iter()
            .map(|group| summary(&group.name, &group.selector, &group.units, group.n_dropped))
            .collect(),
    }
}

/// Median noise-ceiling signal-to-noise ratio over units, and median noise ceiling (share of variance) for items that average
/// `repeats` trials; `None` when no stimulus was repeated. Responses are z-scored within sessions first (ddof 1), as NSD does.
fn ceiling(responses: &Responses, repeats: &[usize]) -> Option<(f64, f64)> {
    let mut n_samples_of: BTreeMap<usize, usize> = BTreeMap::new();
    for &stimulus in &responses.stimulus_of_sample {
        *n_samples_of.entry(stimulus).or_default() += 1;
    }
    // The number of repeats that most stimuli have, if it is more than one.
    let mut n_stimuli_with: BTreeMap<usize, usize> = BTreeMap::new();
    for &n in n_samples_of.values().filter(|&&n| n > 1) {
        *n_stimuli_with.entry(n).or_default() += 1;
    }
    let (&n_repeats, _) = n_stimuli_with.iter().max_by_key(|&(n, count)| (*count, *n))?;
    let mut scaled = responses.data.clone();
    zscore_per_group(scaled.view_mut(), &responses.session_of_sample, Deviation::Sample).ok()?;
    let ncsnr = noise_ceiling::ncsnr(scaled.view(), &responses.stimulus_of_sample, n_repeats).ok()?;
    let mut ratios: Vec<f64> = ncsnr.defined().collect();
    let mut ceilings: Vec<f64> =
        ratios.iter().filter_map(|&ratio| noise_ceiling::ceiling_mixed(ratio, repeats).ok()).collect();
    Some((median(&mut ratios)?, median(&mut ceilings)?))
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    Some(if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) })
}
