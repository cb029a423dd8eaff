//! Vision Transformers of pictures and films against transformers: states, gradients, classes, preparation, naming.

use std::{collections::BTreeMap, fs};

use candle_core::{Device, Tensor};
use ndarray::{Array, Array4, Axis};
use percept_models::{
    PictureClassifier, VideoClassifier,
    parts::{Part, Parts},
    preprocess::Preprocess,
    run::{bench, places, run_file},
    tap::Taps,
    video_mae::{VideoMaeConfig, VideoMaeModel},
    vit::{VitConfig, VitModel},
    weights::{PackFiles, read_tensors, write_tensors},
};
use percept_testing::Hostile;

use crate::fixture::{Case, OUTPUT, folder, laid_out, relative_error, tensors, text, values};

const FILE: &str = "model.safetensors";
const LAYERS: [&str; 3] = ["layer00", "layer01", "layer02"];
/// Less than a tenth of one grey level over the smallest deviation of a channel: the resized bytes must be equal.
const PIXELS: f64 = 2e-3;

fn vit(case: &Case) -> VitModel {
    VitModel::new(&case.params, VitConfig::parse(&case.config()).expect("it is supported")).expect("the weights fit")
}

fn video_mae(case: &Case) -> VideoMaeModel {
    let config = VideoMaeConfig::parse(&case.config()).expect("it is supported");
    VideoMaeModel::new(&case.params, config).expect("the weights fit")
}

fn check_layers(name: &str, taps: Taps) {
    let truth = tensors(&format!("{name}/hidden.safetensors"));
    for (place, ours) in taps.finish().expect("all places exist") {
        let error = relative_error(&values(&ours), &values(&truth[&place]));
        assert!(error <= OUTPUT, "{name}: {place} is off by {error:.1e}");
    }
}

#[test]
pub(crate) fn a_vision_transformer_is_that_of_transformers() {
    let case = Case::open("vit", FILE);
    let (model, pixels) = (vit(&case), case.input("pixel_values"));
    let mut taps = Taps::wanting(LAYERS);
    let states = model.forward(&pixels, &mut taps).expect("it runs");
    let pooled = states.pooled.expect("the checkpoint has a pooler");
    assert!(states.logits.is_none());
    let outputs = [("last_hidden_state", &states.last_hidden), ("pooler_output", &pooled)];
    case.check(&outputs, &[("pixel_values", &pixels)]);
    check_layers("vit", taps);
    let words =
        model.forward(&pixels.narrow(2, 0, 8).expect("rows"), &mut Taps::none()).err().expect("low").to_string();
    assert!(words.contains("(n, 3, 12, 12)"), "{words}");
}

#[test]
pub(crate) fn classes_of_pictures_are_those_of_transformers() {
    let case = Case::open("vit_classes", FILE);
    let (model, pixels) = (vit(&case), case.input("pixel_values"));
    let mut taps = Taps::wanting(LAYERS);
    let states = model.forward(&pixels, &mut taps).expect("it runs");
    let logits = states.logits.expect("the checkpoint has classes");
    case.check(&[("logits", &logits)], &[("pixel_values", &pixels)]);
    check_layers("vit_classes", taps);
}

#[test]
pub(crate) fn a_video_transformer_is_that_of_transformers() {
    let case = Case::open("video_mae", FILE);
    let (model, pixels) = (video_mae(&case), case.input("pixel_values"));
    let mut taps = Taps::wanting(LAYERS);
    let states = model.forward(&pixels, &mut taps).expect("it runs");
    case.check(&[("last_hidden_state", &states.last_hidden)], &[("pixel_values", &pixels)]);
    check_layers("video_mae", taps);
    let short = pixels.narrow(1, 0, 2).expect("two frames");
    let words = model.forward(&short, &mut Taps::none()).err().expect("too short").to_string();
    assert!(words.contains("(n, 4, 3, 12, 12)"), "{words}");
}

#[test]
pub(crate) fn classes_of_films_are_those_of_transformers() {
    let case = Case::open("video_mae_classes", FILE);
    let (model, pixels) = (video_mae(&case), case.input("pixel_values"));
    let mut taps = Taps::wanting(LAYERS);
    let states = model.forward(&pixels, &mut taps).expect("it runs");
    let logits = states.logits.expect("the checkpoint has classes");
    case.check(&[("logits", &logits)], &[("pixel_values", &pixels)]);
    check_layers("video_mae_classes", taps);
}

/// Bytes (…, height, width, 3) as pictures in 0..=1.
fn pictures(bytes: &Tensor) -> Array4<f32> {
    let dims = bytes.dims();
    let (height, width) = (dims[dims.len() - 3], dims[dims.len() - 2]);
    let all: Vec<f32> = values(bytes).into_iter().map(|byte| byte as f32 / 255.0).collect();
    let n = all.len() / (height * width * 3);
    Array::from_shape_vec((n, height, width, 3), all).expect("the values fill the shape")
}

fn check_rows<'a>(ours: impl IntoIterator<Item = &'a f32>, truth: &Tensor, what: &str) {
    let ours: Vec<f64> = ours.into_iter().map(|&v| f64::from(v)).collect();
    let error = relative_error(&ours, &values(truth));
    assert!(error <= OUTPUT, "{what} are off by {error:.1e}");
}

fn check_pixels(ours: &Tensor, truth: &Tensor, what: &str) {
    assert_eq!(ours.dims()[ours.rank() - 3..], truth.dims()[truth.rank() - 3..]);
    for (i, (a, b)) in values(ours).iter().zip(values(truth)).enumerate() {
        assert!((a - b).abs() < PIXELS, "{what}: value {i} is {a}, not {b}");
    }
}

#[test]
fn pictures_of_any_size_are_prepared_and_classified_as_in_transformers() {
    let dir = folder().join("vit_classes");
    let classifier = PictureClassifier::open(&dir).expect("it is complete");
    let preprocess =
        Preprocess::parse_classifier(&text("vit_classes/preprocessor_config.json"), 12).expect("it is supported");
    let io = tensors("vit_classes/prepared.safetensors");
    for name in ["wide", "small"] {
        let picture = pictures(&io[&format!("picture.{name}")]);
        let pixels = preprocess.apply(&picture.view(), 12, &Device::Cpu).expect("a picture");
        check_pixels(&pixels, &io[&format!("pixels.{name}")], name);
        let rows = classifier.probabilities(picture.view()).expect("classes");
        check_rows(&rows, &io[&format!("probabilities.{name}")], name);
        // A picture's row does not depend on the others, but by the order of sums.
        let many = ndarray::concatenate(Axis(0), &[picture.view(); 9]).expect("nine pictures");
        let rows = classifier.probabilities(many.view()).expect("classes");
        rows.outer_iter().for_each(|row| check_rows(row, &io[&format!("probabilities.{name}")], name));
        assert_eq!(classifier.embeddings(picture.view()).expect("states").dim(), (1, 12));
    }
    assert!(classifier.probabilities(Array4::zeros((0, 12, 12, 3)).view()).is_err());
}

#[test]
fn films_of_any_length_are_prepared_and_classified_as_in_transformers() {
    let dir = folder().join("video_mae_classes");
    let classifier = VideoClassifier::open(&dir).expect("it is complete");
    assert_eq!(classifier.frames(), 4);
    let io = tensors("video_mae_classes/prepared.safetensors");
    let films = ["tall", "short"].map(|name| pictures(&io[&format!("film.{name}")]));
    let rows = classifier.probabilities(&films).expect("classes");
    assert!(rows.outer_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
    for (row, name) in rows.outer_iter().zip(["tall", "short"]) {
        check_rows(row, &io[&format!("probabilities.{name}")], name);
    }
    assert_eq!(classifier.embeddings(&films).expect("states").dim(), (2, 12));
    let none = Array4::zeros((0, 12, 12, 3));
    assert!(classifier.probabilities(&[none]).expect_err("no frames").to_string().contains("at least one frame"));
    assert!(classifier.probabilities(&[]).is_err());
}

/// The tensors of a file that were renamed, and some that were added, as another pack.
fn renamed(name: &str, rename: impl Fn(&str) -> String, extra: &[(&str, &[usize])]) -> tempfile::TempDir {
    let place = laid_out(&[]);
    let config = fs::read(folder().join(name).join("config.json")).expect("readable");
    fs::write(place.path().join("config.json"), config).expect("writable");
    let mut all: BTreeMap<String, Tensor> =
        tensors(&format!("{name}/{FILE}")).into_iter().map(|(key, tensor)| (rename(&key), tensor)).collect();
    for (key, shape) in extra {
        let zeros = Tensor::zeros(*shape, candle_core::DType::F32, &Device::Cpu).expect("a small tensor");
        all.insert((*key).to_owned(), zeros);
    }
    fs::write(place.path().join(FILE), write_tensors(&all, true).expect("tensors")).expect("writable");
    place
}

#[test]
fn checkpoints_of_pre_training_and_of_newer_versions_are_the_same_models() {
    let names = [("q_bias", "query.bias"), ("v_bias", "value.bias")];
    let newer = |key: &str| names.iter().fold(format!("videomae.{key}"), |key, (old, new)| key.replace(old, new));
    let place = renamed("video_mae", newer, &[("decoder.norm.weight", &[6]), ("mask_token", &[1, 1, 6])]);
    let files = PackFiles::Directory(place.path().to_owned());
    let model = Parts::new(&files).expect("a pack").video_mae().expect("the same model");
    let case = Case::open("video_mae", FILE);
    let out = |model: &VideoMaeModel| {
        values(&model.forward(case.io("input.pixel_values"), &mut Taps::none()).expect("it runs").last_hidden)
    };
    assert!(relative_error(&out(&model), &out(&video_mae(&case))) <= 1e-6);

    let masked = |key: &str| format!("vit.{key}");
    let place = renamed("vit", masked, &[("vit.embeddings.mask_token", &[1, 1, 12]), ("decoder.0.weight", &[3])]);
    let files = PackFiles::Directory(place.path().to_owned());
    assert!(Parts::new(&files).expect("a pack").vit().is_ok());
    // What is neither of training nor of the model is named.
    let place = renamed("vit", str::to_owned, &[("head.weight", &[3])]);
    let files = PackFiles::Directory(place.path().to_owned());
    let words = Parts::new(&files).expect("a pack").vit().err().expect("one too many").to_string();
    assert!(words.contains("head.weight"), "{words}");
}

#[test]
fn both_are_parts_of_their_packs() {
    for (name, part, word) in [("vit_classes", Part::Vit, "vit"), ("video_mae_classes", Part::VideoMae, "videomae")] {
        let files = PackFiles::Directory(folder().join(name));
        assert_eq!(Parts::present_in(&files), [part]);
        assert_eq!(Part::named(word).expect("a part"), part);
        assert_eq!(Parts::new(&files).expect("a pack").problems(part).len(), 0);
        assert!(places(&files, part).expect("a pass").iter().any(|place| place == "layer02"));
        assert!(bench(&files, part, 1).expect("it runs").flops > 0);

        let place = tempfile::tempdir().expect("a folder");
        let (from, to) = (place.path().join("in.safetensors"), place.path().join("out.safetensors"));
        let io = tensors(&format!("{name}/io.safetensors"));
        let input = BTreeMap::from([("pixel_values".to_owned(), io["input.pixel_values"].clone())]);
        fs::write(&from, write_tensors(&input, false).expect("tensors")).expect("writable");
        run_file(&files, part, &from, &to, &["layer01".to_owned()]).expect("it runs");
        let out = read_tensors(&fs::read(&to).expect("written"), &to).expect("valid");
        assert!(relative_error(&values(&out["logits"]), &values(&io["output.logits"])) <= OUTPUT);
        assert!(out.contains_key("layer01") && out.contains_key("last_hidden_state"));
    }
    let place = renamed("video_mae", str::to_owned, &[]);
    let config = folder().join("video_mae_classes/preprocessor_config.json");
    fs::copy(config, place.path().join("preprocessor_config.json")).expect("writable");
    let plain = VideoClassifier::open(place.path()).expect("it is complete");
    let film = Array4::zeros((4, 12, 12, 3));
    assert!(plain.embeddings(std::slice::from_ref(&film)).is_ok());
    let words = plain.probabilities(&[film]).expect_err("no classes").to_string();
    assert!(words.contains("classifier.weight"), "{words}");
}

#[test]
fn damaged_configs_never_panic() {
    type Attempt = fn(&str) -> Result<(), percept_models::ModelError>;
    let attempts: [(&str, Attempt); 3] = [
        ("vit_classes/config.json", |text| {
            VitModel::new(&VitModel::params(tensors(&format!("vit_classes/{FILE}")), "test"), VitConfig::parse(text)?)
                .map(drop)
        }),
        ("video_mae_classes/config.json", |text| {
            let p = VideoMaeModel::params(tensors(&format!("video_mae_classes/{FILE}")), "test");
            VideoMaeModel::new(&p, VideoMaeConfig::parse(text)?).map(drop)
        }),
        ("vit_classes/preprocessor_config.json", |text| Preprocess::parse_classifier(text, 12).map(drop)),
    ];
    for (file, attempt) in attempts {
        let valid = text(file);
        let outcome = Hostile::new(valid.trim_end().as_bytes()).mutations(1000).check(|copy| {
            let text = std::str::from_utf8(copy).map_err(|error| error.to_string())?;
            attempt(text).map_err(|error| error.to_string())
        });
        assert!(outcome.n_refused > 300, "{file}: {outcome:?}");
    }
}
