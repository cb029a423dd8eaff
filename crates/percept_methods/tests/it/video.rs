//! Films of a small phantom spectator: a run that is killed at every stage ends in the same bytes, and the controls are what they say.

use std::collections::BTreeMap;
use std::path::Path;

use percept_core::Silent;
use percept_core::figure::Figure;
use percept_io::fs;
use percept_methods::{PipelineError, RunOptions, video};
use percept_pipeline::experiment::video::VideoExperiment;

const SMALL: &str = r#"
name = "small"
methods = ["blurred", "film"]
[data]
kind = "spectator"
training = 3
training_secs = 40
test = 1
test_secs = 40
test_repeats = 2
voxels = 300
[decode]
delay_secs = 4
scans = 2
[film]
steps = 2
guidance = 1.0
[evaluate]
ways = [2]
shown_secs = 10
"#;

fn small() -> VideoExperiment {
    VideoExperiment::parse(SMALL, Path::new("small.toml"), &[]).expect("an experiment")
}

/// Every file of a run by its path, but for what the user's `ffmpeg` writes and what belongs to the lock.
fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = fs::files_below(run).expect("a folder");
    let kept = all.into_iter().filter(|path| path.extension().is_none_or(|end| end != "mp4" && end != "lock"));
    kept.map(|path| {
        let name = path.strip_prefix(run).expect("below").to_string_lossy().into_owned();
        (name, fs::read_to_limit(&path, 1 << 30).expect("readable"))
    })
    .collect()
}

#[test]
fn a_run_that_is_stopped_again_and_again_ends_in_the_same_bytes_and_controls_are_what_they_say() {
    let (whole, pieces) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let outcome = video::run(&small(), whole.path(), RunOptions::default(), &Silent).expect("a run");
    let mut n_stops = 0;
    let again = loop {
        // A film is one stage; some die in the middle of it below.
        let options = RunOptions { stop_after: Some(3), ..RunOptions::default() };
        match video::run(&small(), pieces.path(), options, &Silent) {
            Ok(outcome) => break outcome,
            Err(PipelineError::Stopped { .. }) => n_stops += 1,
            Err(error) => panic!("{error}"),
        }
        if n_stops == 2 {
            // Half a film, as a kill leaves it.
            let folder = pieces.path().join("films/film");
            fs::write_bytes(folder.join("test1.npy"), b"half").expect("written");
        }
        assert!(n_stops < 40, "every run makes three stages");
    };
    assert!(n_stops > 4, "{n_stops}");
    assert_eq!(outcome, again);
    assert_eq!(files(whole.path()), files(pieces.path()));

    let names: Vec<&str> = outcome.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "stimulus",
            "blurred",
            "film",
            "film.true",
            "film.still",
            "film.shuffled",
            "film.reversed",
            "mean",
            "keyframe",
            "decoded.motion"
        ]
    );
    let score = |arm: &str, metric: &str| {
        let row = outcome.scores.iter().find(|row| row.method == arm && row.metric == metric);
        row.unwrap_or_else(|| panic!("{arm}, {metric}")).value
    };
    for arm in ["film.still", "mean", "keyframe"] {
        assert_eq!(score(arm, "flow_agreement"), 0.0, "{arm} stands still");
        assert!((score(arm, "clip_consistency") - 1.0).abs() < 1e-5, "{arm}");
        assert!((score(arm, "motion_twoway") - 0.5).abs() < 1e-9, "{arm}");
    }
    // What is made of true features moves as they do, and backwards it would not.
    assert!(score("film.true", "flow_agreement") > 0.1, "{}", score("film.true", "flow_agreement"));
    assert!(score("film.true", "pixcorr") > score("mean", "pixcorr"));
    assert!(score("keyframe", "pixcorr") > score("mean", "pixcorr"));
    let sum = score("film", "flow_agreement") + score("film.reversed", "flow_agreement");
    assert!(sum.abs() < 0.05, "the flow of a clip backwards is the opposite: {sum}");
    assert!(outcome.differences.iter().any(|row| row.reference == "film.reversed" && row.metric == "flow_agreement"));
    let films = outcome.sections.iter().flat_map(|section| &section.figures);
    let films: Vec<_> =
        films.filter_map(|figure| if let Figure::Films(films) = figure { Some(films) } else { None }).collect();
    // Ten of the seconds that have scans behind them.
    assert_eq!((films.len(), films[0].n_frames, films[0].films[0].name.as_str()), (1, 40, "stimulus"));
    assert!(!films[0].words.is_empty());
    // The frames of a film as bytes, for NumPy.
    let frames = percept_io::npy::open(whole.path().join("films/film/test1.npy")).expect("frames");
    assert_eq!(frames.shape(), [152, 64, 64, 3]);
    let written = percept_io::film::Film::open(whole.path().join("films/test1.png")).expect("a film");
    assert_eq!((written.info().width, written.info().height), (128, 64));
}

#[test]
fn contexts_go_through_captions_where_the_experiment_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        SMALL.replace("[film]\n", "[film]\ncontext = \"captions\"\n").replace("\"blurred\", \"film\"", "\"frames\"");
    let experiment = VideoExperiment::parse(&text, Path::new("small.toml"), &[]).expect("an experiment");
    let outcome = video::run(&experiment, folder.path(), RunOptions::default(), &Silent).expect("a run");
    let decoded: Vec<&str> = outcome.decoders.iter().map(|decoder| decoder.feature.as_str()).collect();
    assert_eq!(decoded, ["z", "vision", "motion"]);
    let table = fs::read_text(folder.path().join("captions.csv"), 1 << 20).expect("a table");
    assert_eq!(table.lines().count(), 1 + 19, "a head, and one line for each clip");
    // The captioner knows drawings: whatever was decoded, it says a sentence.
    let said = |line: &str| line.split(',').nth(2).is_some_and(|caption| caption.split(' ').count() > 3);
    assert!(table.lines().skip(1).all(said), "{table}");
}
