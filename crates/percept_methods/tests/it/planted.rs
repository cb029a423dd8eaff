//! Simulated subjects whose regions follow spaces of the experiment: what was planted is found again, and the films that were written are
//! refused, with run and second, once something in them does not fit.

use std::path::Path;

use ndarray::Array2;
use percept_core::{Seed, Silent};
use percept_io::npy;
use percept_methods::encoding::{self, Encoded, EncodingExperiment};
use percept_methods::{PipelineError, RunOptions};
use percept_pipeline::data::recording::doctor;

const WATCHER: &str = "
[data]
kind = \"watcher\"
titles = [\"harbour\", \"winter\", \"express\", \"canyon\"]
runs = 2
run_secs = 160
annotators = 1
shape = [10, 12, 9]
voxels = 240
ceiling = 0.5
drop_secs = 10
[planted]
V1 = \"words@level=objectiveAnnot50chara\"
lateral = \"words@level=speechTranscription_EN\"
V2 = \"0.5 objects + 0.5 speech\"
V3 = \"speech\"
[spaces.words]
kind = \"bag\"
columns = 6
level = \"{speechTranscription_EN,objectiveAnnot50chara,story}\"
[spaces.objects]
kind = \"bag\"
columns = 6
level = \"objectiveAnnot50chara\"
[spaces.speech]
kind = \"bag\"
columns = 6
level = \"speechTranscription_EN\"
[encode]
hrf = \"spm\"
detrend = \"savitzky-golay\"
detrend_secs = 80
detrend_features = true
alphas = [1, 10, 100, 1000]
together = [\"objects\", \"speech\"]
band_draws = 4
[statistics]
block = 20
permutations = 399
draws = 200
";

fn run(toml: &str, folder: &Path, out: &Path) -> Result<Encoded, PipelineError> {
    let experiment = EncodingExperiment::parse(toml, &folder.join("planted.toml"), &[]).expect("valid");
    encoding::run(&experiment, out, RunOptions::default(), &Silent)
}

/// A row's value and number of units.
fn value(found: &Encoded, region: &str, space: &str, metric: &str) -> (f64, usize) {
    let row = found.rows.iter().find(|row| row.region == region && row.space == space && row.metric == metric);
    row.map_or_else(|| panic!("no row {region} {space} {metric}"), |row| (row.value, row.n))
}

#[test]
fn planted_levels_of_films_are_found_and_unique_parts_only_where_they_were_planted() {
    let out = tempfile::tempdir().expect("a folder");
    let found = run(WATCHER, Path::new("."), out.path()).expect("run");
    let (share, n) = value(&found, "all", "words", "planted_found");
    assert!(share >= 0.9 && n > 40, "{share} of {n}");
    // Something of each where both are planted (the filter takes more of what is slower); nothing of what is not.
    let truth = |space, region| value(&found, region, space, "planted_unique_r2").0;
    let [objects, speech] = ["objects", "speech"].map(|space| truth(space, "V2"));
    assert!(objects > 0.1 && speech > 0.1 && (0.5..2.0).contains(&(objects / speech)), "{objects} {speech}");
    assert_eq!(truth("objects", "V3"), 0.0);
    let unique = |space, region| value(&found, region, space, "unique_r2").0;
    // A fit to twenty minutes finds most of the truth, and nothing where nothing was planted.
    for space in ["objects", "speech"] {
        let found = unique(space, "V2");
        assert!(found > 0.7 * truth(space, "V2") && found < 1.2 * truth(space, "V2"), "{space}: {found}");
    }
    // The intervals are for what these fits are worth against the responses without noise: less than endless data would give.
    let (mut within, mut n_units) = (0.0, 0);
    for (space, region) in [("objects", "V2"), ("speech", "V2"), ("speech", "V3")] {
        let worth = value(&found, region, space, "planted_fits_unique_r2").0;
        let row = found.rows.iter().find(|row| row.region == region && row.space == space && row.metric == "unique_r2");
        let (low, high) = row.and_then(|row| row.low.zip(row.high)).expect("an interval");
        assert!(
            worth < truth(space, region) && (low..=high).contains(&worth),
            "{space} {region}: {worth} in {low}..{high}"
        );
        let (share, n) = value(&found, region, space, "planted_within");
        (within, n_units) = (within + share * n as f64, n_units + n);
    }
    assert!(within / n_units as f64 > 0.8, "{within} of {n_units} units");
    assert!(unique("objects", "V3").abs() < 0.03, "{}", unique("objects", "V3"));
    let section = &found.outcome.sections[1];
    assert!(section.title == "What was planted, and what was found" && section.figures.len() == 3, "{section:?}");
    assert!(section.text.contains("units follow nothing"), "{}", section.text);

    // A second run finds the same tree, and the layout is the one that recordings have.
    let again = run(WATCHER, Path::new("."), out.path()).expect("run");
    assert!(again.rows == found.rows);
    let findings = doctor::examine(&out.path().join("phantom"), &[]).expect("read");
    assert!(findings.len() == 8 && findings.iter().all(|run| run.problems.is_empty()), "{findings:?}");
    assert_eq!(findings[0].levels.len(), 5);
}

/// The written films as if they had been recorded.
fn films(root: &Path, more: &str, space: &str) -> String {
    let out = tempfile::tempdir().expect("a folder");
    let toml = format!(
        "[data]\nkind = \"films\"\nroot = \".\"\nsubject = \"S01\"\ndrop_secs = 10\n{more}\n[spaces.x]\n{space}\n[encode]\ndelays = [4]\n\
         alphas = [10, 1000]\n[statistics]\nblock = 20\npermutations = 399\ndraws = 100\n"
    );
    run(&toml, root, out.path()).map_or_else(|error| error.to_string(), |found| format!("{} rows", found.rows.len()))
}

#[test]
fn written_films_in_which_something_does_not_fit_are_refused_with_run_and_second() {
    let out = tempfile::tempdir().expect("a folder");
    let toml = WATCHER.replace("runs = 2", "runs = 1").replace("together = [\"objects\", \"speech\"]", "");
    run(&toml, Path::new("."), out.path()).expect("run");
    let root = out.path().join("phantom");
    let rate = "kind = \"rate\"\nlevel = \"story\"";
    let by_events = "annotations = \"events\"";
    for form in ["", by_events] {
        assert_eq!(films(&root, form, rate), "3 rows", "{form}");
    }
    let func = root.join("sub-S01/func/sub-S01_task-harbour_run-01");
    let file = |end: &str| std::path::PathBuf::from(format!("{}{end}", func.display()));
    let text = |end: &str| std::fs::read_to_string(file(end)).expect("written");
    let fails = |end: &str, content: String, more: &str, says: &[&str]| {
        let before = text(end);
        assert_ne!(content, before);
        std::fs::write(file(end), content).expect("written");
        let error = films(&root, more, rate);
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
        std::fs::write(file(end), before).expect("written");
    };
    let events = text("_events.tsv");
    let story = |secs: usize| format!("{secs}.000\t5.000\tstory\t1\t");
    let late = events.clone() + "158.000\t9.000\tother\t1\tmore\n";
    fails("_events.tsv", late, by_events, &["`harbour_run-01` lasts 160 s", "`other`", "to second 167"]);
    let first = events.lines().find(|line| line.starts_with(&story(0))).expect("a story").to_owned();
    let longer = events.replace(&first, &first.replace("\t5.000\t", "\t7.000\t"));
    fails("_events.tsv", longer, by_events, &["`harbour_run-01`", "`story` overlap at second 5", "ends at second 7"]);
    let sidecar = text("_bold.json").replace("1.0", "1.5");
    fails("_bold.json", sidecar, "", &["`harbour_run-01`: the sidecar says a scan every 1.5 s, the header every 1 s"]);

    let (events, away) = (file("_events.tsv"), file("_events.away"));
    std::fs::rename(&events, &away).expect("moved");
    assert!(films(&root, by_events, rate).contains("run `harbour_run-01` has no events"));
    std::fs::rename(&away, &events).expect("moved");

    let lines = root.join("derivatives/annotation/harbour_run-01_story_each1sec.txt");
    let before = std::fs::read_to_string(&lines).expect("written");
    std::fs::write(&lines, before.clone() + "more\nmore\nmore\n").expect("written");
    let error = films(&root, "", rate);
    assert!(error.contains("run `harbour_run-01` ends at second 160, but") && error.contains("second 163"), "{error}");
    std::fs::write(&lines, before).expect("written");

    let n = 4 * 150 + 3;
    let long = Array2::from_shape_vec((n, 2), Seed::new(1).normal(2 * n)).expect("as many");
    npy::write(root.join("long.npy"), long.view().into_dyn()).expect("written");
    let error = films(&root, "", "kind = \"array\"\narray = \"long.npy\"");
    assert!(error.contains("603 rows for 600 samples: title `winter` ends at its second 150, and 3 rows"), "{error}");
}

const VIEWER: &str = "
[data]
kind = \"phantom\"
sessions = 4
trials_per_session = 240
test_images = 80
shape = [14, 16, 12]
voxels = 600
ncsnr = 0.9
[planted]
V1 = \"clip@layer=0\"
V2 = \"clip@layer=4\"
ventral = \"pixels\"
[spaces.clip]
kind = \"taps\"
places = [\"clip.image.layer{00,04}\"]
[spaces.pixels]
kind = \"pixels\"
size = 4
[encode]
alphas = [1, 10, 100, 1000]
[statistics]
draws = 200
";

#[test]
fn planted_layers_of_pictures_are_found_through_the_tree_that_was_written() {
    let out = tempfile::tempdir().expect("a folder");
    let found = run(VIEWER, Path::new("."), out.path()).expect("run");
    let (share, n) = value(&found, "all", "clip", "planted_found");
    assert!(share >= 0.9 && n > 100, "{share} of {n}");
    let r = |space: &str| value(&found, "ventral", space, "r").0;
    assert!(r("pixels") > 0.5 && r("pixels") > r("clip"), "{} {}", r("pixels"), r("clip"));
    let regions: Vec<&str> = found.outcome.data.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(regions, ["all", "V1", "V2", "ventral"]);
}

#[test]
fn what_cannot_be_planted_is_refused_when_the_file_is_read() {
    let fail = |from: &str, to: &str| {
        let text = VIEWER.replace(from, to);
        assert_ne!(text, VIEWER);
        let read = EncodingExperiment::parse(&text, Path::new("x.toml"), &[]);
        read.map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert!(fail("V1 = ", "V9 = ").contains("`midventral`"), "{}", fail("V1 = ", "V9 = "));
    assert!(fail("\"pixels\"\n[spaces", "\"pixel\"\n[spaces").contains("`pixel`"));
    assert!(fail("clip@layer=0", "clip@0").contains("clip@layer=2"));
    let measured = fail("kind = \"phantom\"\nsessions = 4", "kind = \"films\"\nroot = \".\"\nsubject = \"S01\"");
    assert!(!measured.is_empty());
    let out = tempfile::tempdir().expect("a folder");
    let error =
        run(&VIEWER.replace("clip@layer=0", "clip@layer=1"), Path::new("."), out.path()).expect_err("no such set");
    assert!(error.to_string().contains("`planted.V1` follows a set of `clip` that there is not"), "{error}");
}
