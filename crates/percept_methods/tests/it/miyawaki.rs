//! Real fMRI (Miyawaki et al. 2008) through the examples of the repository and the pocket pack, where the data are at hand.

use std::path::{Path, PathBuf};

use percept_core::Outcome;
use percept_core::Silent;
use percept_methods::encoding::EncodingExperiment;
use percept_methods::{PipelineError, RunOptions, experiment};
use percept_pipeline::experiment::music::MusicExperiment;
use percept_pipeline::experiment::video::VideoExperiment;
use percept_testing::shared_data;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

fn run(name: &str, overrides: &[&str]) -> Result<Outcome, PipelineError> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    let experiment = experiment::open(&example(name), &overrides).expect("a valid example");
    let out = tempfile::tempdir().expect("temporary folder");
    percept_methods::run(&experiment, out.path(), RunOptions::default(), &Silent)
}

#[test]
fn every_example_is_a_valid_experiment() {
    let mut n_examples = 0;
    for entry in std::fs::read_dir(example("")).expect("the folder of examples") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(&path).expect("text");
            if text.contains("\n[spaces.") {
                EncodingExperiment::open(&path, &[]).expect("a valid example");
            } else if MusicExperiment::is_one(&text) {
                let music = MusicExperiment::open(&path, &[]).expect("a valid example");
                assert_eq!(MusicExperiment::parse(&music.resolved(), &path, &[]).expect("resolved is valid"), music);
            } else if VideoExperiment::is_one(&text) {
                let video = VideoExperiment::open(&path, &[]).expect("a valid example");
                assert_eq!(VideoExperiment::parse(&video.resolved(), &path, &[]).expect("resolved is valid"), video);
            } else {
                experiment::open(&path, &[]).expect("a valid example");
            }
            n_examples += 1;
        }
    }
    assert!(n_examples >= 4, "{n_examples}");
}

#[test]
fn left_out_images_are_identified_above_chance() {
    if shared_data("fmri_miyawaki28").is_none() {
        return;
    }
    let outcome = run("miyawaki.toml", &[]).expect("run");
    let row = |method: &str| {
        let mut rows = outcome.scores.iter();
        rows.find(|row| row.method == method && row.metric == "twoway_pixel").expect("scored").clone()
    };
    for method in ["z", "pixel_ridge"] {
        let row = row(method);
        assert!(row.n == 119 && row.value >= 0.60 && row.low > 0.5, "{row:?}");
    }
    assert!(row("true").value > row("z").value && row("shuffled").low < 0.5);
    assert_eq!((outcome.data.n_test_stimuli, outcome.decoders[0].n_folds), (20, 20));
    assert!(outcome.warnings.iter().all(|warning| !warning.contains("occur in training")), "{:?}", outcome.warnings);
}

#[test]
fn the_split_of_the_file_leaks_and_says_so() {
    if shared_data("fmri_miyawaki28").is_none() {
        return;
    }
    let error = run("miyawaki_given_split.toml", &["split.allow_leaks=false"]).expect_err("refused");
    assert!(error.to_string().contains("test stimuli also occur in training"), "{error}");
    let outcome = run("miyawaki_given_split.toml", &[]).expect("allowed");
    let warning = &outcome.warnings[0];
    assert!(warning.starts_with("all 12 test images (10 different ones) also occur in training"), "{warning}");
    assert_eq!(outcome.items.len(), 12);
}
