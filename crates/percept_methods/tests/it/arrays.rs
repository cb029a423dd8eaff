//! Arrays from files: what a run makes of them, and what it says when they do not fit.

use ndarray::{Array, Array1, Array2};
use percept_core::outcome::ItemResult;
use percept_core::{ScoreRow, Silent};
use percept_methods::{PipelineError, RunFolder, experiment};
use percept_pipeline::data;

use crate::study::{self, N_REPEATS, N_TEST, N_TRAIN, N_UNITS};

fn value(rows: &[ScoreRow], method: &str, metric: &str) -> f64 {
    row(rows, method, metric).value
}

fn row<'a>(rows: &'a [ScoreRow], method: &str, metric: &str) -> &'a ScoreRow {
    rows.iter().find(|row| row.method == method && row.metric == metric).expect("this score")
}

#[test]
fn a_whole_run_ranks_methods_controls_and_baseline_as_they_must() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let out = tempfile::tempdir().expect("temporary folder");
    let outcome = study::run(&study::experiment(data.path(), &[]), out.path(), None).expect("run");
    let rows = &outcome.scores;
    let arms: Vec<&str> = outcome.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["z", "c", "z+c", "shuffled", "mean", "true", "true_c", "pixel_ridge"]);
    assert_eq!(rows.len(), arms.len() * 4);
    assert!(rows.iter().all(|row| row.n == N_TEST && row.low <= row.value && row.value <= row.high));
    // The latent says where, the context which colour; the truth is best.
    assert!(value(rows, "z", "pixcorr") > value(rows, "c", "pixcorr"));
    assert!(value(rows, "z", "twoway_pixel") > 0.8);
    assert!(value(rows, "pixel_ridge", "twoway_pixel") > 0.8);
    assert!(value(rows, "true", "pixcorr") > value(rows, "z+c", "pixcorr"));
    for metric in ["twoway_pixel", "twoway_clip"] {
        let shuffled = row(rows, "shuffled", metric);
        assert!(shuffled.low < 0.5 && shuffled.value < 0.65, "{shuffled:?}");
    }
    assert_eq!(outcome.data.n_train_samples, N_TRAIN * N_REPEATS);
    assert_eq!((outcome.data.n_test_stimuli, outcome.data.n_test_samples), (N_TEST, N_TEST * N_REPEATS));
    assert!(outcome.items.iter().all(|item| item.n_repeats == N_REPEATS && out.path().join(&item.stimulus).is_file()));
    // Arms without noise have one picture, the others as many as samples were asked for.
    let pictures: Vec<usize> = outcome.items[0].arms.iter().map(|arm| arm.pictures.len()).collect();
    assert_eq!(pictures, [1, 2, 2, 2, 2, 2, 2, 1]);
    let z = outcome.decoders.iter().find(|decoder| decoder.feature == "z").expect("z");
    assert_eq!((z.n_units, z.n_targets, z.n_samples), (N_UNITS, 48, N_TRAIN * N_REPEATS));
    assert!(z.test_correlation > 0.5 && z.cv_r2 > 0.3 && z.kept_variance < 1.0, "{z:?}");
}

#[test]
fn a_latent_alone_can_be_denoised_without_a_caption() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let pictures = |z: &str| {
        let out = tempfile::tempdir().expect("temporary folder");
        let overrides = ["methods=[\"z\"]", "controls.true_c=false", "baselines.pixel_ridge=false", z];
        let outcome = study::run(&study::experiment(data.path(), &overrides), out.path(), None).expect("run");
        let place = outcome.arms.iter().position(|arm| arm.name == "z").expect("z");
        let read = |path: &String| percept_io::picture::read(out.path().join(path)).expect("picture");
        let of_item = |item: &ItemResult| item.arms[place].pictures.iter().map(read).collect::<Vec<_>>();
        outcome.items.iter().map(of_item).collect::<Vec<_>>()
    };
    let (decoded, denoised) = (pictures("generate.z=decode"), pictures("generate.z=denoise"));
    for (decoded, denoised) in decoded.iter().zip(&denoised) {
        assert_eq!((decoded.len(), denoised.len()), (1, 2), "one picture without noise, as many as samples with it");
        // Half of the latent's picture and half of the gray that the empty caption stands for, up to the noise.
        for picture in denoised {
            let differences =
                decoded[0].iter().zip(picture).map(|(&a, &b)| f64::from(b) - f64::from(a).midpoint(127.5));
            let (sum, squares) = differences.fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
            let n = picture.len() as f64;
            assert!((sum / n).abs() < 1.0 && (squares / n).sqrt() < 8.0 && squares > 0.0, "{sum} {squares}");
        }
        assert_ne!(denoised[0], denoised[1], "samples differ in their noise");
    }
}

#[test]
fn leaving_one_stimulus_out_tests_every_sample_and_never_its_own_stimulus() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let out = tempfile::tempdir().expect("temporary folder");
    let overrides = ["split.kind=leave-one-stimulus-out", "methods=[\"z\"]", "decode.average_repeats=false"];
    let outcome = study::run(
        &study::experiment(data.path(), &[&overrides[..], &["controls.true_c=false"]].concat()),
        out.path(),
        None,
    )
    .expect("run");
    let n_stimuli = N_TRAIN + N_TEST;
    assert_eq!(outcome.items.len(), n_stimuli * N_REPEATS);
    assert_eq!(outcome.decoders[0].n_folds, n_stimuli);
    assert_eq!(outcome.data.n_train_samples, (n_stimuli - 1) * N_REPEATS);
    assert!(value(&outcome.scores, "z", "twoway_pixel") > 0.75);
    assert!(outcome.scores.iter().all(|row| row.split == "leave-one-stimulus-out"));
}

#[test]
fn a_leak_is_refused_and_then_warned_of() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let leaky = [
        "data.test_responses=train.npy",
        "data.test_stimuli=train_pictures.npy",
        "data.test_stimulus_ids=train_ids.npy",
        "methods=[\"z\"]",
        "controls.true_c=false",
        "data.captions=none.json",
    ];
    let out = tempfile::tempdir().expect("temporary folder");
    let without_captions = |overrides: &[&str]| {
        let text = study::EXPERIMENT.replace("captions = \"captions.json\"\n", "");
        let overrides: Vec<String> =
            overrides.iter().filter(|text| !text.contains("captions")).map(|&text| text.to_owned()).collect();
        experiment::parse(&text, &data.path().join("bars.toml"), &overrides).expect("valid")
    };
    let error = study::run(&without_captions(&leaky), out.path(), None).expect_err("leak");
    let message = error.to_string();
    assert!(message.starts_with("40 of 40 test stimuli also occur in training"), "{message}");
    let allowed = without_captions(&[&leaky[..], &["split.allow_leaks=true"]].concat());
    let outcome = study::run(&allowed, out.path(), None).expect("allowed");
    assert!(outcome.warnings[0].starts_with("all 40 test images also occur in training"), "{:?}", outcome.warnings);
}

/// The error of opening the study after one file was replaced.
fn refusal(file: &str, array: ndarray::ArrayViewD<'_, f32>, overrides: &[&str]) -> PipelineError {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    percept_io::npy::write(data.path().join(file), array).expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    match data::open(&study::experiment(data.path(), overrides), &run, &Silent) {
        Ok(_) => panic!("`{file}` must be refused"),
        Err(error) => error,
    }
}

#[test]
fn arrays_that_do_not_fit_are_refused_with_both_numbers() {
    let short = Array2::<f32>::zeros((7, N_UNITS));
    let message = refusal("train.npy", short.view().into_dyn(), &[]).to_string();
    assert!(message.contains("has 7 samples but") && message.contains("has 120"), "{message}");

    let narrow = Array2::<f32>::zeros((N_TEST * N_REPEATS, 5));
    let message = refusal("test.npy", narrow.view().into_dyn(), &[]).to_string();
    assert!(message.contains("has 60 units but") && message.contains("has 5"), "{message}");

    let flat = Array2::<f32>::zeros((N_TRAIN * N_REPEATS, 100));
    let message = refusal("train_pictures.npy", flat.view().into_dyn(), &[]).to_string();
    assert!(message.contains("needs 768 values per sample"), "{message}");

    let cube = Array::<f32, _>::zeros((2, 3, 4));
    let message = refusal("train.npy", cube.view().into_dyn(), &[]).to_string();
    assert!(message.contains("expected samples × units"), "{message}");

    let constant = Array1::<f32>::zeros(N_TRAIN * N_REPEATS);
    let message = refusal("train_ids.npy", constant.view().into_dyn(), &[]).to_string();
    assert!(message.contains("have the same stimulus id but different pictures"), "{message}");
}

#[test]
fn an_empty_or_misshapen_mask_is_refused() {
    let empty = Array1::<f32>::zeros(N_UNITS);
    let error = refusal("mask.npy", empty.view().into_dyn(), &["data.early=mask.npy"]);
    assert!(matches!(error, PipelineError::EmptyRegion { region: "early", .. }), "{error}");
    let short = Array1::<f32>::ones(N_UNITS - 1);
    let message = refusal("mask.npy", short.view().into_dyn(), &["data.early=mask.npy"]).to_string();
    assert!(message.contains("has shape [59]") && message.contains("60 units"), "{message}");
}

#[test]
fn units_that_are_not_finite_are_counted_and_masked_when_asked() {
    let mut responses = Array2::<f32>::zeros((N_TRAIN * N_REPEATS, N_UNITS));
    responses.iter_mut().enumerate().for_each(|(i, value)| *value = (i % 13) as f32);
    responses[(4, 10)] = f32::NAN;
    responses[(9, 10)] = f32::NAN;
    responses[(9, 33)] = f32::INFINITY;
    let error = refusal("train.npy", responses.view().into_dyn(), &[]);
    assert!(matches!(error, PipelineError::NonFinite { n_units: 2, total: 60, first: 10, n_samples: 2 }), "{error}");

    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    percept_io::npy::write(data.path().join("train.npy"), responses.view().into_dyn()).expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let experiment = study::experiment(data.path(), &["data.non_finite=mask"]);
    let dataset = data::open(&experiment, &run, &Silent).expect("masked");
    assert_eq!(dataset.responses.n_units(), N_UNITS - 2);
    assert_eq!(dataset.regions[0].n_dropped, 2);
    assert!(dataset.warnings[0].starts_with("2 of 60 units"), "{:?}", dataset.warnings);
}

#[test]
fn a_wrong_variable_name_lists_those_there_are() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let values = Array2::<f32>::zeros((3, 4));
    percept_io::npz::write(data.path().join("all.npz"), |writer| {
        writer.add("brain", values.view().into_dyn())?;
        writer.add("seen", values.view().into_dyn())
    })
    .expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let experiment = study::experiment(data.path(), &["data.responses=all.npz:brian"]);
    let message = match data::open(&experiment, &run, &Silent) {
        Ok(_) => panic!("there is no `brian`"),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("`brian`") && message.contains("`brain`") && message.contains("`seen`"), "{message}");
}

/// A mask over the units: 1 for those in `range`.
fn mask(range: std::ops::Range<usize>) -> Array1<f32> {
    Array1::from_shape_fn(N_UNITS, |unit| if range.contains(&unit) { 1.0 } else { 0.0 })
}

const GROUPS: [&str; 4] =
    ["methods=[\"c\", \"b2c\"]", "decoder=trained", "data.groups.back=back.npy", "data.groups.front=front.npy"];

#[test]
fn groups_keep_the_order_of_the_file_and_are_read_only_when_needed() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    percept_io::npy::write(data.path().join("back.npy"), mask(40..N_UNITS).view().into_dyn()).expect("write");
    percept_io::npy::write(data.path().join("front.npy"), mask(0..25).view().into_dyn()).expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let dataset = data::open(&study::experiment(data.path(), &GROUPS), &run, &Silent).expect("disjoint");
    let found: Vec<(&str, &[usize])> =
        dataset.groups.iter().map(|group| (group.name.as_str(), group.units.as_slice())).collect();
    let (back, front) = ((40..N_UNITS).collect::<Vec<_>>(), (0..25).collect::<Vec<_>>());
    assert_eq!(found, [("back", back.as_slice()), ("front", front.as_slice())]);
    let inputs = dataset.inputs().expect("hashes");
    // Nothing but their own hash changes, and that only when they are read.
    let without = study::experiment(data.path(), &GROUPS[2..]);
    let dataset = data::open(&without, &run, &Silent).expect("unread");
    assert!(dataset.groups.is_empty());
    let mut expected = dataset.inputs().expect("hashes");
    assert!(!expected.contains_key("groups"));
    expected.insert("groups".to_owned(), inputs["groups"].clone());
    assert_eq!(inputs, expected);
}

#[test]
fn groups_that_share_units_are_refused_with_their_names_and_number() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    percept_io::npy::write(data.path().join("back.npy"), mask(20..N_UNITS).view().into_dyn()).expect("write");
    percept_io::npy::write(data.path().join("front.npy"), mask(0..25).view().into_dyn()).expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let error = data::open(&study::experiment(data.path(), &GROUPS), &run, &Silent).err().expect("five units");
    assert!(error.to_string().starts_with("the groups `back` and `front` share 5 units"), "{error}");
    percept_io::npy::write(data.path().join("front.npy"), mask(0..0).view().into_dyn()).expect("write");
    let error = data::open(&study::experiment(data.path(), &GROUPS), &run, &Silent).err().expect("no units");
    assert!(error.to_string().starts_with("the group `front` (`"), "{error}");
}

#[test]
fn test_pictures_that_trained_under_another_number_are_refused_or_shown_on_top() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let pictures: Array<f32, _> = percept_io::npy::open(data.path().join("train_pictures.npy"))
        .and_then(|npy| npy.read::<f32>())
        .expect("pictures");
    // Two test stimuli show what training stimuli 3 and 5 show, the second one a shade brighter.
    let mut tested: Array<f32, _> = percept_io::npy::open(data.path().join("test_pictures.npy"))
        .and_then(|npy| npy.read::<f32>())
        .expect("pictures");
    for repeat in 0..N_REPEATS {
        let copy = |from: usize| pictures.index_axis(ndarray::Axis(0), repeat * N_TRAIN + from).to_owned();
        tested.index_axis_mut(ndarray::Axis(0), repeat * N_TEST).assign(&copy(3));
        tested.index_axis_mut(ndarray::Axis(0), repeat * N_TEST + 1).assign(&copy(5).mapv(|v| (v + 3.0).min(255.0)));
    }
    percept_io::npy::write(data.path().join("test_pictures.npy"), tested.view()).expect("write");
    let run = |overrides: &[&str]| {
        let out = tempfile::tempdir().expect("temporary folder");
        study::run(&study::experiment(data.path(), overrides), out.path(), None)
    };
    let basic = ["methods=[\"z\"]", "controls.true_c=false"];
    let message = run(&basic).expect_err("a leak").to_string();
    assert!(message.starts_with("the pictures of 1 of 12 test stimuli are shown in training too"), "{message}");
    let outcome = run(&[&basic[..], &["split.allow_leaks=true"]].concat()).expect("allowed");
    assert!(outcome.warnings[0].starts_with("1 of 12 test images also occur"), "{:?}", outcome.warnings);
    assert!(outcome.warnings[1].contains("nearly equal"), "{:?}", outcome.warnings);
}

#[test]
fn grey_stimuli_are_left_out_of_scores_and_counted() {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let mut tested: Array<f32, _> = percept_io::npy::open(data.path().join("test_pictures.npy"))
        .and_then(|npy| npy.read::<f32>())
        .expect("pictures");
    for sample in 0..N_TEST * N_REPEATS {
        // Half of the test stimuli, each of a grey of its own.
        if sample % N_TEST < 6 {
            tested.index_axis_mut(ndarray::Axis(0), sample).fill(100.0 + (sample % N_TEST) as f32);
        }
    }
    percept_io::npy::write(data.path().join("test_pictures.npy"), tested.view()).expect("write");
    let out = tempfile::tempdir().expect("temporary folder");
    let overrides = ["methods=[\"z\"]", "controls.true_c=false"];
    let outcome = study::run(&study::experiment(data.path(), &overrides), out.path(), None).expect("run");
    for metric in ["pixcorr", "twoway_pixel"] {
        let truth = row(&outcome.scores, "true", metric);
        assert_eq!((truth.n, truth.n_undefined), (6, 6), "{metric}");
        assert!(truth.value > 0.8, "{truth:?}");
    }
    let said = |words: &str| outcome.warnings.iter().any(|warning| warning.contains(words));
    assert!(said("PixCorr is not defined for") && said("6 of 12 items of `true`"), "{:?}", outcome.warnings);
    let place = outcome.arms.iter().position(|arm| arm.name == "true").expect("true");
    assert!(outcome.items.iter().any(|item| item.arms[place].scores.contains(&None)));
    // Chance of a correlation is measured, that of identification known.
    let chance = |metric: &str| row(&outcome.scores, "z", metric).chance.expect("stated");
    assert!(chance("twoway_pixel") == 0.5 && chance("pixcorr").abs() < 0.9 && chance("ssim") > 0.0);
}
