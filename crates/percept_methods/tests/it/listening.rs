//! `percept encode` of somebody who listens: sounds reach the scans in which they were heard, runs of the test are held out, and regions that
//! hear are predicted.

use std::path::Path;

use ndarray::Axis;
use percept_core::{Seed, Silent};
use percept_methods::encoding::{self, Encoded, EncodingExperiment};
use percept_methods::{PipelineError, RunOptions};
use percept_models::probe::{Pool, Probe, Space};
use percept_models::weights::PackFiles;
use percept_pipeline::RunFolder;
use percept_pipeline::data::listening::sounds;
use percept_pipeline::data::recording;
use percept_pipeline::encoding::features::{Materials, points};

const LISTENER: &str = "
[data]
kind = \"listener\"
training = 40
test = 20
per_training_run = 10
per_test_run = 10
repeats = 3
clip_secs = 9.0
track_secs = 10.5
ceiling = 0.6
[spaces.mel]
kind = \"taps\"
places = [\"sound.mel\"]
[spaces.clap]
kind = \"taps\"
places = [\"clap.audio.stage{0..1}\"]
window_secs = 4.08
[spaces.genre]
kind = \"labels\"
[encode]
hrf = \"spm\"
alphas = [10, 100, 1000, 10000]
[statistics]
block = 12
permutations = 1999
draws = 100
";

fn experiment(toml: &str) -> EncodingExperiment {
    EncodingExperiment::parse(toml, Path::new("listening.toml"), &[]).expect("valid")
}

fn run(toml: &str, out: &Path) -> Result<Encoded, PipelineError> {
    encoding::run(&experiment(toml), out, RunOptions::default(), &Silent)
}

#[test]
fn regions_that_hear_are_predicted_and_others_are_not() {
    let out = tempfile::tempdir().expect("a folder");
    let found = run(LISTENER, out.path()).expect("run");
    let value = |region: &str, space: &str, metric: &str| {
        let row = found.rows.iter().find(|row| row.region == region && row.space == space && row.metric == metric);
        row.map_or_else(|| panic!("no row {region} {space} {metric}"), Clone::clone)
    };
    let truth = std::fs::read_to_string(out.path().join("listener/phantom/sub-001_voxels.json")).expect("written");
    let truth: serde_json::Value = serde_json::from_str(&truth).expect("JSON");
    let atlas = std::fs::read_to_string(out.path().join("listener/derivatives/atlas/sub-001/sub-001_atlas.tsv"));
    let names: Vec<String> =
        atlas.expect("written").lines().skip(1).filter_map(|line| Some(line.split_once('\t')?.1.to_owned())).collect();
    let hears = |name: &&String| {
        truth["regions"].as_array().expect("names").iter().any(|region| name.contains(region.as_str().expect("a word")))
    };
    let (hearing, deaf): (Vec<&String>, Vec<&String>) = names.iter().partition(hears);
    assert!(hearing.len() >= 8 && deaf.len() > 100, "{hearing:?}");
    let r = |names: &[&String], metric: &str| {
        names.iter().map(|name| value(name, "mel", metric).value).sum::<f64>() / names.len() as f64
    };
    assert!(r(&hearing, "r") > 0.15 && r(&deaf, "r").abs() < 0.03, "{} {}", r(&hearing, "r"), r(&deaf, "r"));
    let [named, wrong] = [&hearing, &deaf].map(|names| r(names, "significant"));
    assert!(named > 0.2 && wrong < 0.01, "{named} {wrong}");
    // Runs of the test are held out; the many regions of the atlas are not all drawn.
    assert!(found.outcome.data.split.contains("the test side of the data: 2 runs"), "{}", found.outcome.data.split);
    assert!(
        found.outcome.sections[0].text.contains("regions the 7 with the largest r are shown"),
        "{:?}",
        found.outcome.sections[0]
    );
}

#[test]
fn a_scan_has_the_sound_around_its_middle_and_silence_is_zeros() {
    let out = tempfile::tempdir().expect("a folder");
    let experiment = experiment(LISTENER);
    let folder = RunFolder::open(out.path(), None).expect("a folder");
    let data = recording::open(&experiment, &folder, &Silent).expect("read");
    let heard = data.heard.clone().expect("sounds");
    let mut record = percept_core::Provenance::new(1);
    record.inputs = data.inputs().expect("read");
    let from = Materials { run: &folder, data: &data, record: &record, seed: Seed::new(1), progress: &Silent };
    let (_, settings) = experiment.spaces.iter().find(|(name, _)| *name == "clap").expect("there");
    let made = points("clap", settings, &from).expect("made");
    assert_eq!(made.iter().map(|point| point.axes.to_string()).collect::<Vec<_>>(), ["stage 0", "stage 1"]);
    let rows = made[0].of_scans(&folder, &data).expect("there");

    let space = Space::parse("clap.audio.stage0").expect("a space");
    let files = PackFiles::Embedded(percept_pocket_music::FILES);
    let probe = Probe::open(&files, vec![space], Pool::Mean, Seed::new(1)).expect("open");
    let (rate, channels) = probe.sound_format().expect("of sounds");
    // An excerpt of 9 s in scans of 1.5 s: the middles are 0.75, 2.25 … s; 4.08 s around the first one begin with the excerpt.
    let onset = data.samples_of(1).start;
    for (scan, from_secs) in [(0, 0.0), (3, 5.25 - 2.04), (5, 9.0 - 4.08)] {
        let sample = onset + scan;
        let moment = heard.stands.iter().find(|[_, at]| *at == sample).expect("heard")[0];
        let (clip, at_secs) = heard.moments[moment];
        assert!((at_secs - (0.75 + 1.5 * scan as f64)).abs() < 1e-9, "{at_secs}");
        let whole = sounds::excerpt(&heard.clips[clip].0, &heard.clips[clip].1, rate).expect("read");
        let [first, length] = [from_secs, 4.08].map(|secs| (secs * f64::from(rate)).round() as usize);
        let cut = sounds::channels(&whole[first..first + length], channels);
        let expected = &probe.sounds(&[cut]).expect("heard")["clap.audio.stage0"];
        assert_eq!(rows.row(sample), expected.index_axis(Axis(0), 0), "scan {scan}");
    }
    let silent = (0..data.n_samples()).find(|sample| !heard.stands.iter().any(|[_, at]| at == sample));
    assert!(silent.is_none_or(|sample| rows.row(sample).iter().all(|value| *value == 0.0)));
}

#[test]
fn sounds_where_there_are_none_and_windows_of_texts_are_refused() {
    let out = tempfile::tempdir().expect("a folder");
    let toml = LISTENER.replace("places = [\"sound.mel\"]", "places = [\"clap.text\"]\nwindow_secs = 2.0");
    let error = run(&toml, out.path()).expect_err("refused").to_string();
    assert!(error.contains("`spaces.mel.window_secs` is set, but its places are of texts"), "{error}");
    let toml = LISTENER.replace("places = [\"sound.mel\"]", "places = [\"sound.mel\", \"clap.text\"]");
    let error = run(&toml, out.path()).expect_err("refused").to_string();
    assert!(error.contains("has places of sounds and of texts"), "{error}");
    let phantom = "[data]\nkind = \"phantom\"\nsessions = 2\n[spaces.mel]\nkind = \"taps\"\n\
                   places = [\"sound.mel\"]\n";
    let other = tempfile::tempdir().expect("a folder");
    let error = run(phantom, other.path()).expect_err("refused").to_string();
    assert!(error.contains("is made from sounds, and the data have none"), "{error}");
}
