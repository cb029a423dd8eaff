//! Items with their pictures and scores, as a report shows them.

use percept_core::outcome::{ItemArm, ItemResult};

use super::score::Scored;
use super::stimuli::StimulusPictures;
use super::words::marked;
use crate::arms::Arm;
use crate::data::Dataset;
use crate::plan::Plan;

/// Items with their pictures and scores.
pub fn items(
    dataset: &Dataset,
    plan: &Plan,
    stimuli: &StimulusPictures,
    arms: &[Arm],
    scored: &Scored,
) -> Vec<ItemResult> {
    // The metrics that an arm has a row of.
    let had = |arm: usize| {
        let is_there = move |metric: &usize| scored.per_item[arm].iter().any(|item| item[*metric].is_some());
        (0..scored.metrics.len()).filter(is_there)
    };
    let references = |stimulus: usize| dataset.captions.as_ref().map(|captions| captions[stimulus].as_slice());
    plan.items
        .iter()
        .enumerate()
        .map(|(item_idx, item)| ItemResult {
            id: item.id.clone(),
            caption: dataset
                .captions
                .as_ref()
                .and_then(|captions| captions[item.stimulus].first().cloned())
                .unwrap_or_default(),
            stimulus: stimuli.paths[item_idx].clone(),
            n_repeats: item.samples.len(),
            arms: arms
                .iter()
                .enumerate()
                .map(|(arm_idx, arm)| ItemArm {
                    pictures: (0..arm.n_draws).map(|draw| arm.picture(item, draw)).collect(),
                    scores: had(arm_idx).map(|metric| scored.per_item[arm_idx][item_idx][metric]).collect(),
                    said: arm
                        .said
                        .as_ref()
                        .map_or_else(Vec::new, |said| marked(&said[item_idx], references(item.stimulus))),
                })
                .collect(),
        })
        .collect()
}
