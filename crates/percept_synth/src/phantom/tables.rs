//! The text files of the tree: stimulus table, captions, label names.

use std::fmt::Write;

use percept_core::Seed;
use percept_core::seed::permutation;
use rand::Rng;
use serde_json::{Value, json};

use super::params::{N_REPEATS, N_SUBJECTS};
use super::subject::Phantom;

/// Names of the labels of a region volume, in the order of the labels from 1 on.
pub(super) const STREAMS: [&str; 7] =
    ["early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"];
pub(super) const VISUAL_ROIS: [&str; 7] = ["V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"];
pub(super) const NSDGENERAL: [&str; 1] = ["nsdgeneral"];

/// A table of label names as FreeSurfer's atlases have beside them.
pub(super) fn labels(names: &[&str]) -> String {
    let mut text = "0 Unknown\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        let _ = writeln!(text, "{} {name}", number + 1);
    }
    text
}

/// Where a stimulus comes from in the annotation files.
pub(super) struct Origin {
    /// Identifier in the annotation files.
    pub(super) coco_id: u64,
    /// `train2017` or `val2017`.
    pub(super) split: &'static str,
}

/// Origins of all stimuli: identifiers in no order, one in twelve from the validation part.
pub(super) fn origins(n_stimuli: usize, seed: Seed) -> Vec<Origin> {
    let mut stream = seed.stream();
    let mut next = 0;
    let ascending: Vec<u64> = (0..n_stimuli)
        .map(|_| {
            next += stream.random_range(3..250u64);
            next
        })
        .collect();
    let order = permutation(seed.named("order"), n_stimuli);
    let origin = |place: usize| {
        let split = if stream.random_bool(1.0 / 12.0) { "val2017" } else { "train2017" };
        Origin { coco_id: ascending[place], split }
    };
    order.into_iter().map(origin).collect()
}

/// `nsd_stim_info_merged.csv`: one row per stimulus; trial numbers count from 1, 0 means never.
pub(super) fn stimulus_table(phantom: &Phantom, origins: &[Origin]) -> String {
    let schedule = phantom.schedule();
    let mut text = ",cocoId,cocoSplit,cropBox,loss,nsdId,flagged,BOLD5000,shared1000".to_owned();
    for subject in 1..=N_SUBJECTS {
        let _ = write!(text, ",subject{subject}");
    }
    for subject in 1..=N_SUBJECTS {
        for repeat in 0..N_REPEATS {
            let _ = write!(text, ",subject{subject}_rep{repeat}");
        }
    }
    text.push('\n');

    let n_stimuli = origins.len();
    let mut trials = vec![vec![Vec::new(); n_stimuli]; N_SUBJECTS];
    for (trials, stimuli) in trials.iter_mut().zip(&schedule.stimulus_of_image) {
        for (trial, &image) in schedule.image_of_trial.iter().enumerate() {
            trials[stimuli[image]].push(trial + 1);
        }
    }
    let mut shared = vec![false; n_stimuli];
    for &stimulus in &schedule.stimulus_of_image[0][..schedule.n_shared] {
        shared[stimulus] = true;
    }
    let word = |value: bool| if value { "True" } else { "False" };
    for (stimulus, origin) in origins.iter().enumerate() {
        let _ = write!(
            text,
            "{stimulus},{},{},\"(0, 0, 0, 0)\",0.0,{stimulus},False,False,{}",
            origin.coco_id,
            origin.split,
            word(shared[stimulus])
        );
        for trials in &trials {
            let _ = write!(text, ",{}", word(!trials[stimulus].is_empty()));
        }
        for trials in &trials {
            for repeat in 0..N_REPEATS {
                let _ = write!(text, ",{}", trials[stimulus].get(repeat).unwrap_or(&0));
            }
        }
        text.push('\n');
    }
    text
}

/// The captions of one split in the layout of COCO's `captions_*.json`.
pub(super) fn captions(phantom: &Phantom, origins: &[Origin], split: &str) -> Value {
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    let mut of_split: Vec<(usize, &Origin)> =
        origins.iter().enumerate().filter(|(_, origin)| origin.split == split).collect();
    of_split.sort_unstable_by_key(|(_, origin)| origin.coco_id);
    for (stimulus, origin) in of_split {
        let side = crate::drawing::SIDE;
        let file_name = format!("{:012}.jpg", origin.coco_id);
        images
            .push(json!({ "id": origin.coco_id, "file_name": file_name, "height": side, "width": side, "license": 1 }));
        for (number, caption) in phantom.captions(stimulus).into_iter().enumerate() {
            let id = stimulus * crate::drawing::N_CAPTIONS + number + 1;
            annotations.push(json!({ "image_id": origin.coco_id, "id": id, "caption": caption }));
        }
    }
    json!({
        "info": { "description": "captions of drawings shown to a phantom subject", "version": "1.0" },
        "licenses": [{ "id": 1, "name": "MIT OR Apache-2.0" }],
        "images": images,
        "annotations": annotations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_tables_begin_with_unknown() {
        assert_eq!(labels(&NSDGENERAL), "0 Unknown\n1 nsdgeneral\n");
    }

    #[test]
    fn identifiers_are_unique_and_from_both_splits() {
        let origins = origins(600, Seed::new(3));
        let mut ids: Vec<u64> = origins.iter().map(|origin| origin.coco_id).collect();
        assert!(!ids.is_sorted(), "the order of identifiers must not be that of the stimuli");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 600);
        assert!((20..90).contains(&origins.iter().filter(|origin| origin.split == "val2017").count()));
    }
}
