//! From the outcome of a run to its report, through the files in the run's folder.

use std::path::Path;

use percept_core::Provenance;
use percept_methods::Outcome;
use percept_methods::decoding::{ArmSummary, DataSummary, DecoderSummary, ItemArm, ItemResult, RegionSummary};
use percept_report::{ReportModel, write, write_again};

use crate::sample;

const ARMS: [&str; 3] = ["z", "z+c", "shuffled"];

/// An outcome of two test stimuli; its numbers were not measured.
fn outcome() -> Outcome {
    let model = sample::model();
    let scores = model.scores.into_iter().filter(|row| ARMS.contains(&row.method.as_str())).collect();
    Outcome {
        name: "shapes".to_owned(),
        warnings: vec!["all 2 test stimuli also occur in training".to_owned()],
        data: DataSummary {
            subject: "subject 7".to_owned(),
            source: "`shapes.mat:responses`".to_owned(),
            split: "as given".to_owned(),
            n_train_samples: 107,
            n_train_stimuli: 20,
            n_test_samples: 12,
            n_test_stimuli: 2,
            regions: vec![RegionSummary {
                name: "early".to_owned(),
                selector: "streams.early".to_owned(),
                n_units: 967,
                n_dropped: 3,
                ncsnr_median: None,
                ceiling_median: Some(0.37),
            }],
            groups: Vec::new(),
        },
        decoders: vec![DecoderSummary {
            feature: "z".to_owned(),
            region: "early".to_owned(),
            n_samples: 107,
            n_units: 967,
            n_targets: 1024,
            n_folds: 20,
            alphas: vec![1.0, 10.0, 100.0],
            n_targets_of_alpha: vec![24, 900, 100],
            cv_r2: 0.2,
            test_correlation: 0.4,
            kept_variance: 0.3,
            rescale_median: 1.0,
        }],
        arms: ARMS
            .iter()
            .map(|&name| ArmSummary {
                name: name.to_owned(),
                description: format!("how {name} was made"),
                n_samples: 1,
            })
            .collect(),
        scores,
        differences: Vec::new(),
        sections: Vec::new(),
        items: (0..2)
            .map(|i| ItemResult {
                id: format!("shape-{i}"),
                caption: String::new(),
                stimulus: format!("images/{i:03}_stimulus.png"),
                n_repeats: 6,
                arms: ARMS
                    .iter()
                    .map(|arm| ItemArm {
                        pictures: vec![format!("images/{i:03}_{arm}.png")],
                        scores: vec![0.1, 0.2, 0.3, 0.4 + i as f64],
                    })
                    .collect(),
            })
            .collect(),
        experiment: "name = \"shapes\"\n".to_owned(),
        provenance: Provenance::new(3),
    }
}

fn put_pictures(folder: &Path) {
    std::fs::create_dir(folder.join("images")).expect("a folder");
    for i in 0..2 {
        for name in ["stimulus"].iter().chain(&ARMS) {
            let path = format!("images/{i:03}_{name}.png");
            std::fs::write(folder.join(&path), sample::picture(&path)).expect("a picture");
        }
    }
}

#[test]
fn the_reader_sorts_by_the_scores_of_both_together() {
    let model = ReportModel::from(&outcome());
    let gallery = &model.galleries[0];
    assert_eq!(gallery.columns, ["stimulus", "z", "z+c", "shuffled"]);
    assert_eq!(gallery.sort_keys, ["PixCorr of z+c", "SSIM of z+c", "2-way, pixels of z+c", "2-way, CLIP of z+c"]);
    assert_eq!(gallery.rows[1].scores, [0.1, 0.2, 0.3, 1.4]);
    assert_eq!(model.decoders[0].at_edges(), (24, 100));
    assert_eq!(model.decoders[0].rescale, None, "a factor of 1 is no rescaling");
    assert!(model.lead.contains("`z`, `z+c` and `shuffled` side by side"), "{}", model.lead);
}

#[test]
fn errors_are_sorted_the_other_way_and_old_outcomes_still_open() {
    let mut outcome = outcome();
    for row in outcome.scores.iter_mut().filter(|row| row.metric == "ssim") {
        "mse".clone_into(&mut row.metric);
    }
    let model = ReportModel::from(&outcome);
    assert_eq!(model.galleries[0].sort_keys[1], "Pixel MSE of z+c");
    assert_eq!(model.galleries[0].rows[1].scores, [0.1, -0.2, 0.3, 1.4]);
    let mut json = serde_json::to_value(&outcome).expect("plain data");
    json.as_object_mut().expect("an object").remove("differences").expect("written");
    let opened: Outcome = serde_json::from_value(json).expect("an outcome without differences, sections and groups");
    assert!(opened == outcome);
}

#[test]
fn a_report_written_again_has_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    put_pictures(folder.path());
    let path = write(folder.path(), &outcome()).expect("everything is there");
    let first = std::fs::read(&path).expect("the report");
    let json = serde_json::to_string(&outcome()).expect("plain data");
    std::fs::write(folder.path().join("outcome.json"), json).expect("the outcome");
    std::fs::remove_file(&path).expect("the report was there");
    write_again(folder.path()).expect("the outcome is there");
    assert!(std::fs::read(&path).expect("the report") == first, "the second report differs");
}

#[test]
fn what_is_missing_or_foreign_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = write_again(folder.path()).expect_err("no outcome").to_string();
    assert!(error.contains("outcome.json"), "{error}");
    std::fs::write(folder.path().join("outcome.json"), "{\"name\": 3}").expect("a file");
    let error = write_again(folder.path()).expect_err("no outcome of ours").to_string();
    assert!(error.contains("is no outcome of this version of percept"), "{error}");
    let error = write(folder.path(), &outcome()).expect_err("no pictures").to_string();
    assert!(error.contains("picture `images/000_stimulus.png` of the report cannot be read"), "{error}");
}
