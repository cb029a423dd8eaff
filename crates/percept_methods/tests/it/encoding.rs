//! `percept encode` from its file to its rows: planted layers are found, runs resume to the same bytes, bad input is named.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, s};
use percept_core::{Seed, Silent};
use percept_io::npy;
use percept_methods::encoding::average::{AverageRow, average};
use percept_methods::encoding::{self, Encoded, EncodingExperiment, EncodingRow};
use percept_methods::{PipelineError, RunOptions};
use percept_testing::shared_data;

const TITLES: usize = 6;
const TEXTS: usize = 80;
const LAYERS: usize = 4;
const FEATURES: usize = 6;
const UNITS: usize = 16;

fn normal(name: &str, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((rows, columns), Seed::new(5).named(name).normal(rows * columns)).expect("as many")
}

/// Stories whose unit u is driven by layer u % 4, one text later, at r of about 0.7.
fn planted(folder: &Path) {
    planted_with(folder, "noise");
}

/// The same heard by somebody else, who brings another noise.
fn planted_with(folder: &Path, noise: &str) {
    let n = TITLES * TEXTS;
    let layers: Vec<Array2<f32>> = (0..LAYERS).map(|layer| normal(&format!("layer {layer}"), n, FEATURES)).collect();
    let weights = normal("weights", FEATURES, UNITS);
    let mut responses = normal(noise, n, UNITS) * 2.0;
    for unit in 0..UNITS {
        let signal = layers[unit % LAYERS].dot(&weights.column(unit));
        let scale = 2.0 / weights.column(unit).dot(&weights.column(unit)).sqrt();
        for row in (0..n).filter(|row| row % TEXTS > 0) {
            responses[(row, unit)] += scale * signal[row - 1];
        }
    }
    for (layer, values) in layers.iter().enumerate() {
        npy::write(folder.join(format!("layer{layer}.npy")), values.view().into_dyn()).expect("written");
    }
    for title in 0..TITLES {
        let rows = s![title * TEXTS..(title + 1) * TEXTS, ..];
        let path = folder.join(format!("train__story{title}.npy"));
        npy::write(path, responses.slice(rows).into_dyn()).expect("written");
        let texts: Vec<String> = (0..TEXTS).map(|text| format!("word{} again", text % 7)).collect();
        let list = serde_json::to_string(&texts).expect("plain");
        std::fs::write(folder.join(format!("train__story{title}.texts.json")), list).expect("written");
    }
}

const EXPERIMENT: &str = "
name = \"planted\"
[data]
kind = \"titles\"
root = \".\"
prefixes = [\"train__\"]
[spaces.model]
kind = \"array\"
array = \"layer{0..3}.npy\"
[spaces.rate]
kind = \"rate\"
[encode]
delays = [1, 2]
alphas = [1, 10, 100, 1000]
together = [\"rate\", \"model\"]
band_draws = 4
[statistics]
permutations = 199
draws = 100
block = 8
";

fn experiment(folder: &Path, overrides: &[&str]) -> EncodingExperiment {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    EncodingExperiment::parse(EXPERIMENT, &folder.join("planted.toml"), &overrides).expect("valid")
}

fn run(experiment: &EncodingExperiment, out: &Path) -> Result<Encoded, PipelineError> {
    encoding::run(experiment, out, RunOptions::default(), &Silent)
}

fn value(rows: &[EncodingRow], space: &str, axes: &str, metric: &str) -> EncodingRow {
    let is_it = |row: &&EncodingRow| row.space == space && row.axes.to_string() == axes && row.metric == metric;
    rows.iter().find(is_it).cloned().unwrap_or_else(|| panic!("no row {space} {axes} {metric}"))
}

/// Folders of `names` below `root`, each with the data and the finished run of a subject.
fn subjects(root: &Path, names: &[&str], overrides: &[&str]) -> Vec<PathBuf> {
    let run_of = |name: &&str| {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        planted_with(&folder, name);
        run(&experiment(&folder, overrides), &folder.join("run")).expect("run");
        folder.join("run")
    };
    names.iter().map(run_of).collect()
}

#[test]
fn an_average_over_subjects_is_the_mean_of_their_rows_with_an_interval_over_people() {
    let root = tempfile::tempdir().expect("a folder");
    let runs = subjects(root.path(), &["ada", "ben", "cho", "dov"], &[]);
    let made = |runs: &[PathBuf], out: &str| average(runs, &root.path().join(out), RunOptions::default(), &Silent);
    let found = made(&runs, "mean").expect("averaged");
    let row = |metric: &str, axes: &str| {
        let is_it = |row: &&AverageRow| row.metric == metric && row.axes.to_string() == axes && row.space == "model";
        found.rows.iter().find(is_it).unwrap_or_else(|| panic!("no row {metric} {axes}"))
    };
    let of_layer = row("r", "layer 2");
    let own: Vec<f64> = of_layer.subjects.values().copied().collect();
    // The folder of the texts names the subject.
    assert_eq!(of_layer.subjects.keys().map(String::as_str).collect::<Vec<_>>(), ["ada", "ben", "cho", "dov"]);
    let mean = own.iter().sum::<f64>() / 4.0;
    let error = (own.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 3.0 / 4.0).sqrt();
    // t(0.975, 3) = 3.182446.
    assert!((of_layer.value - mean).abs() < 1e-12 && (of_layer.high - mean - 3.182_446 * error).abs() < 1e-6);
    // A quarter of the units follow each layer: in every subject clearly above chance.
    assert!(of_layer.p.is_some_and(|p| p < 0.01) && of_layer.q >= of_layer.p && of_layer.n == 4, "{of_layer:?}");
    // What a share is cannot be below chance.
    assert_eq!(row("significant", "layer 2").p, None);
    let figures: Vec<usize> = found.outcome.sections.iter().map(|section| section.figures.len()).collect();
    // Profile, subjects and best sets; one set over regions; profile and subjects of both together; unique and common parts.
    assert_eq!(figures, [3, 1, 2, 3], "{:?}", found.outcome.sections.iter().map(|of| &of.title).collect::<Vec<_>>());
    assert_eq!(made(&runs, "mean").expect("again").rows, found.rows);

    let refused = |runs: &[PathBuf], out: &str| made(runs, out).expect_err("refused").to_string();
    assert!(refused(&[runs[0].clone(), runs[0].clone()], "same").contains("the same responses"));
    let other = subjects(root.path(), &["eva"], &["encode.alphas=[1, 10]"]);
    assert!(refused(&[runs[0].clone(), other[0].clone()], "other").contains("`[encode]`"));
    assert!(refused(&[runs[0].clone(), root.path().to_owned()], "none").contains("no finished run"));
    assert!(refused(&runs[..1], "one").contains("two or more"));
}

#[test]
fn planted_layers_are_found_unit_by_unit_and_an_interrupted_run_ends_in_the_same_bytes() {
    let data = tempfile::tempdir().expect("a folder");
    planted(data.path());
    let experiment = experiment(data.path(), &[]);
    let (whole, parts) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let found = run(&experiment, whole.path()).expect("run");

    let best: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(whole.path().join("best/model.json")).expect("there"))
            .expect("JSON");
    for unit in 0..UNITS {
        assert_eq!(best["units"][unit]["candidate"], unit % LAYERS, "unit {unit}: {}", best["units"][unit]);
    }
    for layer in 0..LAYERS {
        let axes = format!("layer {layer}");
        let r = value(&found.rows, "model", &axes, "r");
        // A quarter of the units at 0.7, the others at 0.
        assert!(r.low.expect("interval") > 0.1 && r.value < 0.25, "{r:?}");
        // All of that quarter, and at most one of the 16 units by mistake.
        let significant = value(&found.rows, "model", &axes, "significant").value;
        assert!((0.25..0.32).contains(&significant), "{significant}");
        let unique = value(&found.rows, "model", &axes, "unique_r");
        assert!(unique.low.expect("interval") > 0.05, "{unique:?}");
    }
    let rate = value(&found.rows, "rate", "", "r");
    assert!(rate.value.abs() < 0.05 && value(&found.rows, "rate", "", "significant").value == 0.0, "{rate:?}");
    for layer in 0..LAYERS {
        let unique = value(&found.rows, "rate", &format!("layer {layer}"), "unique_r2");
        assert!(unique.value.abs() < 0.02, "{unique:?}");
    }
    let titles: Vec<&str> = found.outcome.sections.iter().map(|section| section.title.as_str()).collect();
    for title in ["Profile of model", "What each space adds", "Against chance", "What drives each region"] {
        assert!(titles.contains(&title), "{titles:?}");
    }

    let mut n_stops = 0;
    loop {
        let options = RunOptions { stop_after: Some(3), ..RunOptions::default() };
        match encoding::run(&experiment, parts.path(), options, &Silent) {
            Err(PipelineError::Stopped { .. }) => n_stops += 1,
            other => {
                assert_eq!(other.expect("the end").rows, found.rows);
                break;
            }
        }
    }
    assert!(n_stops >= 3, "{n_stops}");
    for file in ["rows.json", "outcome.json", "units.parquet", "permutations.npy"] {
        let [a, b] = [&whole, &parts].map(|folder| std::fs::read(folder.path().join(file)).expect("written"));
        assert!(a == b, "{file} differs");
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_title_or_run_and_where_it_parts() {
    let data = tempfile::tempdir().expect("a folder");
    planted(data.path());
    let out = tempfile::tempdir().expect("a folder");
    let fail = |overrides: &[&str]| {
        run(&experiment(data.path(), overrides), &out.path().join(overrides.len().to_string()))
            .expect_err("refused")
            .to_string()
    };
    npy::write(data.path().join("long.npy"), normal("long", TITLES * TEXTS + 5, 3).view().into_dyn()).expect("written");
    let error = fail(&["spaces.model.array=long.npy", "encode.together=[]"]);
    assert!(
        error.contains("485 rows for 480 samples: title `story5` ends at its row 80, and 5 rows follow"),
        "{error}"
    );
    let error = fail(&["statistics.permutations=10"]);
    assert!(error.contains("permutations"), "{error}");
    let error = fail(&["statistics.null=permutation", "statistics.block=80"]);
    assert!(
        error.contains("run or title `story0` has 80 samples, too few to be put into another order: 81 are needed"),
        "{error}"
    );
    let error = fail(&["statistics.null=analytic", "encode.together=[]", "seed=2", "name=x"]);
    assert!(error.contains("independent"), "{error}");
    std::fs::write(data.path().join("train__story3.texts.json"), "[\"one\"]").expect("written");
    let error = fail(&["seed=3", "name=y", "encode.folds=3", "encode.together=[]", "statistics.block=9"]);
    assert!(error.contains("title `story3` has 1 texts but 80 rows of responses: they part at row 1"), "{error}");
}

fn scans(folder: &Path, lines: usize, tr_secs: &str) -> String {
    let line = |line: usize| format!("{} {}", ["a", "b", "rest"][line / 4 % 3], line / 24);
    let text = (0..lines).map(line).collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(folder.join("attributes.txt"), text).expect("written");
    let toml = format!(
        "[data]\nkind = \"scans\"\nresponses = \"bold.nii.gz\"\nattributes = \"attributes.txt\"\ntr_secs = {tr_secs}\n\
         [spaces.category]\nkind = \"labels\"\n[encode]\ndelays = [1]\n[statistics]\npermutations = 99\ndraws = 100\nblock = 4\n"
    );
    let experiment = EncodingExperiment::parse(&toml, &folder.join("scans.toml"), &[]).expect("valid");
    let out = tempfile::tempdir().expect("a folder");
    run(&experiment, out.path()).map_or_else(|error| error.to_string(), |found| format!("{} rows", found.rows.len()))
}

#[test]
fn scans_without_lines_lines_without_scans_and_another_tr_are_named_with_run_and_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let volume = ndarray::Array4::from_shape_fn((2, 3, 1, 72), |(x, y, _, t)| ((x * 7 + y * 3 + t * t) % 11) as f32);
    let spec = percept_io::nifti::Spec { tr_secs: Some(2.0), ..percept_io::nifti::Spec::default() };
    percept_io::nifti::write(folder.path().join("bold.nii.gz"), volume.view(), &spec).expect("written");
    assert_eq!(scans(folder.path(), 72, "2.0"), "3 rows");
    let error = scans(folder.path(), 70, "2.0");
    assert!(error.contains("70 lines but there are 72 scans: it says nothing behind second 44 of run `2`"), "{error}");
    let error = scans(folder.path(), 80, "2.0");
    assert!(error.contains("80 lines but there are 72 scans: those of run `3` end at its second 0"), "{error}");
    let error = scans(folder.path(), 72, "2.5");
    assert!(error.contains("`data.tr_secs` is 2.5 s, but the header") && error.contains("says 2 s"), "{error}");
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

#[test]
fn categories_predict_the_voxels_of_haxby_and_are_decoded_from_them() {
    if shared_data("fmri_haxby2001_pymvpa").is_none() {
        return;
    }
    let overrides = ["statistics.permutations=99", "statistics.draws=200", "encode.together=[]"].map(str::to_owned);
    let experiment = EncodingExperiment::open(&example("haxby.toml"), &overrides).expect("a valid example");
    let out = tempfile::tempdir().expect("a folder");
    let found = run(&experiment, out.path()).expect("run");
    let r = value(&found.rows, "category", "", "r");
    assert!(r.n == 530 && r.low.expect("interval") > 0.1, "{r:?}");
    assert!(value(&found.rows, "category", "", "significant").value > 0.3);
    let accuracy = value(&found.rows, "labels", "", "accuracy");
    assert!(accuracy.low.expect("interval") > 0.25 && accuracy.chance.expect("known") < 0.13, "{accuracy:?}");
    let map = percept_io::nifti::open(out.path().join("maps/r_category.nii.gz")).expect("a map");
    assert_eq!(map.header().shape, [40, 20, 1]);
}

const SECS: usize = 40;

/// Two titles of one and two runs: a voxel follows the length of what is said two seconds before.
fn films(root: &Path) {
    let func = root.join("sub-S01/func");
    let texts = root.join("derivatives/annotation");
    for (number, run) in ["boats_run-01", "boats_run-02", "cars_run-01", "trees_run-01"].into_iter().enumerate() {
        let n_words = |second: usize| (second * [3, 4, 2, 1][number] + number) % 5;
        let lines: String = (0..SECS).map(|second| vec!["word"; n_words(second)].join(" ") + "\n").collect();
        std::fs::create_dir_all(&texts).expect("a folder");
        std::fs::write(texts.join(format!("{run}_story_each1sec.txt")), lines).expect("written");
        std::fs::write(texts.join(format!("{run}_objects_each1sec.txt")), "a boat\n".repeat(SECS)).expect("written");
        let noise = normal(run, SECS, 4);
        let volume = ndarray::Array4::from_shape_fn((2, 2, 1, SECS), |(x, y, _, t)| {
            let signal = if x == 0 && t >= 2 { 3.0 * n_words(t - 2) as f32 } else { 0.0 };
            100.0 + signal + noise[(t, 2 * x + y)]
        });
        let spec = percept_io::nifti::Spec { tr_secs: Some(1.0), ..percept_io::nifti::Spec::default() };
        let stem = func.join(format!("sub-S01_task-{run}_bold"));
        percept_io::nifti::write(stem.with_extension("nii.gz"), volume.view(), &spec).expect("written");
        std::fs::write(stem.with_extension("json"), "{ \"RepetitionTime\": 1.0 }").expect("written");
        let events = "onset\tduration\ttrial_type\ttext\n0\t5\tstory\tone two\n5\t5\tstory\tthree\n";
        std::fs::write(func.join(format!("sub-S01_task-{run}_events.tsv")), events).expect("written");
    }
}

fn watched(root: &Path, more: &str) -> Result<Encoded, PipelineError> {
    let toml = format!(
        "[data]\nkind = \"films\"\nroot = \".\"\nsubject = \"S01\"\ndrop_secs = 4\n{more}\n[spaces.rate]\nkind = \"rate\"\nlevel = \"story\"\n\
         [encode]\ndelays = [2]\n[statistics]\npermutations = 99\ndraws = 100\nblock = 6\n"
    );
    let experiment = EncodingExperiment::parse(&toml, &root.join("films.toml"), &[]).expect("valid");
    run(&experiment, tempfile::tempdir().expect("a folder").path())
}

#[test]
fn films_are_read_run_by_run_with_texts_of_their_level_and_titles_are_held_out() {
    let root = tempfile::tempdir().expect("a folder");
    films(root.path());
    let found = watched(root.path(), "").expect("run");
    let r = value(&found.rows, "rate", "", "r");
    assert!(r.n == 4 && r.value > 0.4 && r.value < 0.6, "half of the voxels follow: {r:?}");
    assert!(found.outcome.data.source.contains("144 scans × 4 voxels, 1 s apart, in 4 runs of 3 titles"));
    let findings = percept_pipeline::data::recording::doctor::examine(root.path(), &[]).expect("read");
    assert!(findings.len() == 4 && findings.iter().all(|run| run.problems.is_empty()), "{findings:?}");
    assert_eq!(findings[0].levels, ["objects", "story"]);
}

#[test]
fn what_was_said_during_dropped_scans_reaches_the_scans_behind_them() {
    let root = tempfile::tempdir().expect("a folder");
    films(root.path());
    let toml = "[data]\nkind = \"films\"\nroot = \".\"\nsubject = \"S01\"\ndrop_secs = 4\n[spaces.rate]\nkind = \"rate\"\nlevel = \"story\"\n\
                [spaces.whole]\nkind = \"array\"\narray = \"whole.npy\"\n[spaces.kept]\nkind = \"array\"\narray = \"kept.npy\"\n\
                [encode]\ndelays = [2]\n[statistics]\npermutations = 99\ndraws = 100\nblock = 6\n";
    let words = |number: usize, second: usize| ((second * [3, 4, 2, 1][number] + number) % 5) as f32;
    // Rows of all scans, and of those that are kept only.
    let whole = Array2::from_shape_fn((4 * SECS, 1), |(row, _)| words(row / SECS, row % SECS));
    let kept = Array2::from_shape_fn((4 * 36, 1), |(row, _)| words(row / 36, row % 36 + 4));
    for (name, rows) in [("whole.npy", whole), ("kept.npy", kept)] {
        percept_io::npy::write(root.path().join(name), rows.view().into_dyn()).expect("written");
    }
    let experiment = EncodingExperiment::parse(toml, &root.path().join("films.toml"), &[]).expect("valid");
    let out = tempfile::tempdir().expect("a folder");
    run(&experiment, out.path()).expect("run");
    // Predictions for one voxel of the first two scans of every run, whose features lie in dropped scans.
    let first = |space: &str| -> Vec<f32> {
        let path = out.path().join(format!("predictions/{space}.0000.safetensors"));
        let values: ndarray::ArrayD<f32> =
            percept_io::safetensors::open(path).expect("there").tensor("values").expect("f32");
        (0..4).flat_map(|run| [values[[0, 36 * run]], values[[0, 36 * run + 1]]]).collect()
    };
    let said: Vec<f32> = (0..4).flat_map(|run| [words(run, 2), words(run, 3)]).collect();
    let r = |space: &str| {
        percept_stats::correlation::pearson(Array1::from(first(space)).view(), Array1::from(said.clone()).view())
    };
    assert!(r("rate").expect("varies") > 0.95 && r("whole").expect("varies") > 0.95, "{:?} {said:?}", first("rate"));
    assert!(r("kept").is_none_or(|r| r < 0.8), "an array of the kept scans says nothing of the others");
}

/// The shape of SPM's response, of which the test needs no more than its slowness.
fn slow_response() -> Vec<f32> {
    percept_signal::Hrf::SPM.sampled(1.0, 32.0).expect("samples").into_iter().map(|value| value as f32).collect()
}

#[test]
fn features_lose_what_the_filter_takes_from_the_scans_that_are_kept() {
    let root = tempfile::tempdir().expect("a folder");
    films(root.path());
    let kernel = slow_response();
    let words = |number: usize, second: usize| ((second * [3, 4, 2, 1][number] + number) % 5) as f32;
    for (number, run) in ["boats_run-01", "boats_run-02", "cars_run-01", "trees_run-01"].into_iter().enumerate() {
        let volume = ndarray::Array4::from_shape_fn((2, 2, 1, SECS), |(x, y, _, t)| {
            let heard: f32 = (0..=t.min(31)).map(|back| kernel[back] * words(number, t - back)).sum();
            let drift = (t as f32 / 20.0 - 1.0).powi(2) * (x + 2 * y) as f32;
            100.0 + 10.0 * heard + drift
        });
        let spec = percept_io::nifti::Spec { tr_secs: Some(1.0), ..percept_io::nifti::Spec::default() };
        let path = root.path().join(format!("sub-S01/func/sub-S01_task-{run}_bold.nii.gz"));
        percept_io::nifti::write(path, volume.view(), &spec).expect("written");
    }
    let toml = "[data]\nkind = \"films\"\nroot = \".\"\nsubject = \"S01\"\ndrop_secs = 9\n[spaces.rate]\nkind = \"rate\"\nlevel = \"story\"\n\
                [encode]\nhrf = \"spm\"\ndetrend = \"savitzky-golay\"\ndetrend_secs = 25\ndetrend_features = true\nalphas = [0.001]\n\
                zscore = false\n[statistics]\npermutations = 99\ndraws = 100\nblock = 6\n";
    let experiment = EncodingExperiment::parse(toml, &root.path().join("films.toml"), &[]).expect("valid");
    let found = run(&experiment, tempfile::tempdir().expect("a folder").path()).expect("run");
    // Drifts of the second order are taken whole by a filter of the third; what was said in dropped scans is known.
    let r2 = value(&found.rows, "rate", "", "r2");
    assert!(r2.value > 0.9999, "{r2:?}");
}

#[test]
fn the_null_of_a_series_is_as_slow_as_the_series_and_may_be_chosen() {
    let root = tempfile::tempdir().expect("a folder");
    films(root.path());
    let found = |null: &str| {
        let toml = format!(
            "[data]\nkind = \"films\"\nroot = \".\"\nsubject = \"S01\"\n[spaces.rate]\nkind = \"rate\"\nlevel = \"story\"\n\
             [encode]\ndelays = [2]\n[statistics]\nnull = \"{null}\"\npermutations = 99\ndraws = 100\nblock = 4\n"
        );
        let experiment = EncodingExperiment::parse(&toml, &root.path().join("films.toml"), &[]).expect("valid");
        let out = tempfile::tempdir().expect("a folder");
        run(&experiment, out.path()).map(|found| {
            let orders = npy::open(out.path().join("permutations.npy")).expect("there").read::<u32>().expect("numbers");
            let first: Vec<u32> = orders.iter().copied().take(20).collect();
            (value(&found.rows, "rate", "", "significant").value, first)
        })
    };
    // Runs have 20 scans each behind the 20 that are dropped.
    let (share, ring) = found("auto").expect("run");
    assert_eq!(share, 0.5, "the voxels that follow");
    assert!((0..20).all(|at| ring[at] == (ring[0] + at as u32) % 20), "{ring:?}");
    assert_eq!(found("shifts").expect("run").1, ring);
    let (share, blocks) = found("permutation").expect("run");
    assert_eq!(share, 0.5);
    assert!(blocks.chunks(4).all(|block| (1..4).all(|at| block[at] == block[0] + at as u32)), "{blocks:?}");
    assert!(found("analytic").expect_err("a series").to_string().contains("use `shifts` or `permutation`"));
}

#[test]
fn films_that_do_not_fit_are_named_with_run_and_second() {
    let root = tempfile::tempdir().expect("a folder");
    films(root.path());
    let fail = |more: &str| watched(root.path(), more).err().map(|error| error.to_string()).unwrap_or_default();
    let events = |run: &str| root.path().join(format!("sub-S01/func/sub-S01_task-{run}_events.tsv"));
    let by_events = "annotations = \"events\"";
    let table = "onset\tduration\ttrial_type\ttext\n0\t6\tstory\tone\n5\t5\tstory\ttwo\n";
    std::fs::write(events("cars_run-01"), table).expect("written");
    let error = fail(by_events);
    assert!(error.contains("`cars_run-01`: two annotations of the level `story` overlap at second 5"), "{error}");
    std::fs::write(events("cars_run-01"), table.replace("5\t5", "38\t9")).expect("written");
    let error = fail(by_events);
    assert!(error.contains("`cars_run-01` lasts 40 s, but an annotation") && error.contains("to second 47"), "{error}");
    std::fs::remove_file(events("cars_run-01")).expect("removed");
    assert!(fail(by_events).contains("run `cars_run-01` has no events"));
    let lines = root.path().join("derivatives/annotation/trees_run-01_story_each1sec.txt");
    std::fs::write(&lines, "a\n".repeat(SECS + 9)).expect("written");
    let error = fail("");
    assert!(
        error.contains(
            "run `trees_run-01` ends at second 40, but `trees_run-01_story_each1sec.txt` goes on to second 49"
        ),
        "{error}"
    );
    let sidecar = root.path().join("sub-S01/func/sub-S01_task-boats_run-02_bold.json");
    std::fs::write(sidecar, "{ \"RepetitionTime\": 1.5 }").expect("written");
    let error = fail("");
    assert!(error.contains("run `boats_run-02`: the sidecar says a scan every 1.5 s, the header every 1 s"), "{error}");
    let findings = percept_pipeline::data::recording::doctor::examine(root.path(), &[]).expect("read");
    assert_eq!(findings.iter().filter(|run| !run.problems.is_empty()).count(), 2);
}
