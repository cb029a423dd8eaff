//! Captions of a small phantom by the pocket captioner: right words beyond chance, resumed to the same bytes, refused when they
//! cannot be.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use percept_core::{Outcome, Silent};
use percept_methods::{Experiment, PipelineError, RunOptions, captions, experiment};

/// Few pictures, a brain that says much.
const PHANTOM: &str = r#"
name = "captions"
methods = ["z+c", "caption"]
[data]
kind = "phantom"
sessions = 2
trials_per_session = 240
test_images = 16
voxels = 600
shape = [20, 22, 14]
ncsnr = 0.9
[decode]
alphas = [1e2, 1e3, 1e4]
[generate]
steps = 2
[evaluate]
draws = 200
[captions]
batch = 4
[captions.words]
object = ["house", "tree", "car", "boat", "fish", "flower", "cup", "ball", "person", "butterfly", "!in the house"]
"#;

fn of(overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    experiment::parse(PHANTOM, Path::new("captions.toml"), &overrides).expect("an experiment")
}

fn caption(out: &Path, stop_after: Option<usize>) -> Result<Outcome, PipelineError> {
    captions::caption(&of(&[]), out, RunOptions { stop_after, ..RunOptions::default() }, &Silent)
}

/// Every file that holds captions or scores.
fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = ["captions.csv", "captions.parquet", "references.csv", "scores.json", "outcome.json"];
    names.iter().map(|name| ((*name).to_owned(), std::fs::read(out.join(name)).expect(name))).collect()
}

#[test]
fn decoded_captions_are_scored_beside_controls_and_a_killed_run_ends_in_the_same_bytes() {
    let out = tempfile::tempdir().expect("a folder");
    let outcome = caption(out.path(), None).expect("captions");
    let value = |method: &str, metric: &str| {
        let row = outcome.scores.iter().find(|row| row.method == method && row.metric == metric);
        row.unwrap_or_else(|| panic!("{method} {metric}")).value
    };
    for metric in ["bleu4", "rouge_l", "meteor", "cider", "clipscore", "names.object"] {
        assert!(value("true", metric) > value("shuffled", metric), "{metric}: perfect decoding beats another's brain");
    }
    assert!(value("true", "names.object") > 0.8, "the captioner knows drawings");
    let row = outcome.scores.iter().find(|row| row.method == "caption" && row.metric == "rouge_l").expect("scored");
    assert!(row.low <= row.value && row.value <= row.high && row.chance.is_some_and(|chance| chance < row.value));
    assert!(outcome.items.iter().all(|item| item.arms.iter().all(|arm| !arm.said.is_empty())));
    let marks: Vec<bool> =
        outcome.items.iter().flat_map(|item| &item.arms[0].said).filter_map(|word| word.is_right).collect();
    assert!(marks.contains(&true), "some words are right");

    let killed = tempfile::tempdir().expect("a folder");
    let mut n_stops = 0;
    while let Err(error) = caption(killed.path(), Some(3)) {
        assert!(matches!(error, PipelineError::Stopped { .. }), "{error}");
        n_stops += 1;
        assert!(n_stops < 100, "the run does not advance");
    }
    assert!(n_stops > 2);
    assert_eq!(results(out.path()), results(killed.path()));
}

#[test]
fn pictures_are_made_through_captions_and_compared_with_the_direct_way() {
    let out = tempfile::tempdir().expect("a folder");
    let experiment = of(&["data.test_images=6", "controls.shuffled=true"]);
    let outcome = percept_methods::run(&experiment, out.path(), RunOptions::default(), &Silent).expect("a run");
    let arm = outcome.arms.iter().position(|arm| arm.name == "caption").expect("the arm");
    for item in &outcome.items {
        assert_eq!(item.arms[arm].pictures.len(), 1);
        assert!(!item.arms[arm].said.is_empty(), "the caption stands beside its picture");
    }
    let section = outcome.sections.iter().find(|section| section.title.contains("caption")).expect("a section");
    assert!(section.text.contains("By CLIP `caption`"), "{}", section.text);
    assert!(section.text.contains("What the caption loses"), "{}", section.text);
    assert_eq!(section.figures.len(), 4);
    assert!(
        std::fs::read_to_string(out.path().join("captions.csv")).expect("captions").starts_with("id,method,caption")
    );
}

#[test]
fn given_tokens_become_captions_and_tokens_of_another_captioner_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let captioner = percept_pocket_captions::load().expect("the pocket captioner");
    let n = captioner.n_tokens() * captioner.width();
    let tokens = Array2::from_shape_fn((5, n), |(row, column)| ((row * 31 + column * 7) % 13) as f32 / 13.0 - 0.5);
    let file = folder.path().join("tokens.npy");
    percept_io::npy::write(&file, tokens.view().into_dyn()).expect("written");
    let experiment = captions::of_given(&["captions.beams=2".to_owned()]).expect("settings");
    let out = folder.path().join("out");
    let found = captions::caption_given(&file.to_string_lossy(), &experiment, &out, &Silent).expect("captions");
    assert_eq!(found.len(), 5);
    let again = captions::caption_given(&file.to_string_lossy(), &experiment, &out, &Silent).expect("found again");
    assert_eq!(found, again);

    let narrow = folder.path().join("narrow.npy");
    percept_io::npy::write(&narrow, tokens.slice(ndarray::s![.., 1..]).into_dyn()).expect("written");
    let out = folder.path().join("other");
    let error = captions::caption_given(&narrow.to_string_lossy(), &experiment, &out, &Silent).expect_err("too narrow");
    assert!(error.to_string().contains("but the captioner reads"), "{error}");
    assert!(captions::of_given(&["captions.min_tokens=30".to_owned()]).is_err(), "more than `max_tokens`");
}
