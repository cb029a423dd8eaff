//! From the outcome of a run to its report, through the files in the run's folder.

use std::path::Path;

use percept_core::Outcome;
use percept_report::{write, write_again};

use crate::sample;

/// An outcome of two test stimuli.
fn outcome() -> Outcome {
    let mut outcome = sample::outcome();
    outcome.items.truncate(2);
    outcome
}

fn put_pictures(folder: &Path) {
    std::fs::create_dir(folder.join("images")).expect("a folder");
    for i in 0..2 {
        for name in ["stimulus", "z", "c", "z+c", "true", "shuffled", "mean"] {
            let path = format!("images/{i:03}_{name}.png");
            std::fs::write(folder.join(&path), sample::picture(&path)).expect("a picture");
        }
    }
}

#[test]
fn an_outcome_without_what_came_later_still_opens() {
    let outcome = outcome();
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
