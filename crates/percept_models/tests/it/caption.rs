//! BLIP against transformers: states, gradients, captions by every kind of search, the original naming, words.

use std::fs;

use candle_core::Tensor;
use ndarray::{Array2, ArrayView2};
use percept_models::{
    caption::{Beam, Blip, BlipConfig, Captioner, Filter, How, Preparation, Search, Stop},
    parts::{Part, Parts},
    tap::Taps,
    weights::PackFiles,
};
use serde::Deserialize;
use tempfile::TempDir;

use crate::fixture::{Case, OUTPUT, folder, laid_out, relative_error, tensors, text, values};

/// Scores are sums of a few logarithms in f32, those of the reference of logits in f64.
const SCORE: f32 = 2e-5;
/// Scores of two beams that are nearer than this are the same but for rounding.
const TIE: f32 = 1e-6;

const FILES: [(&str, &str); 3] = [
    ("blip/config.json", "config.json"),
    ("blip/model.safetensors", "model.safetensors"),
    ("blip/vocab.txt", "vocab.txt"),
];

fn captioner(files: &[(&str, &str)]) -> (Captioner, TempDir) {
    let place = laid_out(files);
    (Captioner::open(place.path()).expect("a captioner"), place)
}

fn features() -> Array2<f32> {
    let tensor = &tensors("blip/features.safetensors")["features"];
    let (n, tokens, width) = tensor.dims3().expect("three axes");
    let values = values(tensor).into_iter().map(|v| v as f32).collect();
    Array2::from_shape_vec((n, tokens * width), values).expect("the shape of the file")
}

#[test]
fn states_and_gradients_are_those_of_the_reference() {
    let case = Case::open("blip", "model.safetensors");
    let blip = Blip::new(&case.params, BlipConfig::parse(&case.config()).expect("a config")).expect("a model");
    let hidden = tensors("blip/hidden.safetensors");
    let places = |prefix: &str| -> Vec<String> {
        hidden.keys().filter_map(|name| name.strip_prefix(prefix)).map(Into::into).collect()
    };
    let (mut vision, mut words) = (Taps::wanting(places("vision.")), Taps::wanting(places("text.")));
    let pixels = case.input("pixel_values");
    let embeds = blip.vision.forward(&pixels, &mut vision).expect("pictures");
    let states = blip.decoder.states(&case.ids("input_ids"), &embeds, &mut words).expect("texts");
    let logits = blip.decoder.logits(&states).expect("states");
    for (prefix, taps) in [("vision.", vision), ("text.", words)] {
        let found = taps.finish().expect("all places exist");
        assert_eq!(found.len(), 3, "{prefix}");
        for (place, ours) in found {
            let error = relative_error(&values(&ours), &values(&hidden[&format!("{prefix}{place}")]));
            assert!(error <= OUTPUT, "{prefix}{place} is off by {error:.1e}");
        }
    }
    case.check(&[("image_embeds", &embeds), ("logits", &logits)], &[("pixel_values", &pixels)]);
}

#[test]
fn pictures_of_any_size_have_interpolated_positions() {
    let hidden = tensors("blip/hidden.safetensors");
    let (captioner, _place) = captioner(&FILES);
    assert_eq!((captioner.image_size(), captioner.n_tokens(), captioner.width()), (12, 10, 12));
    let mut captioner = captioner;
    for (side, tokens) in [(8, 5), (22, 26), (12, 10)] {
        captioner = captioner.with_preparation(Preparation::blip(side)).expect("a size");
        assert_eq!(captioner.n_tokens(), tokens);
        if side != 12 {
            let ours = captioner.blip().vision.forward(&hidden[&format!("pixels{side}")], &mut Taps::none());
            let error = relative_error(&values(&ours.expect("runs")), &values(&hidden[&format!("embeds{side}")]));
            assert!(error <= OUTPUT, "{side}: {error:.1e}");
        }
    }
    assert!(captioner.with_preparation(Preparation::blip(3)).is_err());
}

#[derive(Deserialize)]
struct Searched {
    name: String,
    prompt: String,
    settings: Settings,
    found: Vec<Vec<Found>>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    num_beams: usize,
    min_length: usize,
    max_length: usize,
    #[serde(default = "one")]
    repetition_penalty: f32,
    #[serde(default)]
    length_penalty: Option<f64>,
    #[serde(default)]
    early_stopping: serde_json::Value,
}

fn one() -> f32 {
    1.0
}

#[derive(Deserialize)]
struct Found {
    tokens: Vec<u32>,
    score: Option<f32>,
}

fn search_of(case: &Searched) -> Search {
    let s = &case.settings;
    Search {
        beams: s.num_beams.max(1),
        min_len: s.min_length,
        max_len: s.max_length,
        repetition_penalty: s.repetition_penalty,
        length_penalty: s.length_penalty.unwrap_or(1.0),
        stop: match &s.early_stopping {
            serde_json::Value::Bool(true) => Stop::Full,
            serde_json::Value::String(_) => Stop::Never,
            _ => Stop::NoHope,
        },
        prompt: case.prompt.clone(),
        how: if s.num_beams == 0 { How::Greedy } else { How::Beam },
    }
}

fn golden() -> Vec<Searched> {
    serde_json::from_str(&text("blip/searches.json")).expect("golden captions")
}

#[test]
fn captions_and_scores_are_those_of_the_reference_whatever_the_search() {
    let (captioner, _place) = captioner(&FILES);
    let features = features();
    for case in golden() {
        let found = captioner.caption(features.view(), &search_of(&case)).expect("captions");
        for (i, (ours, truth)) in found.iter().zip(&case.found).enumerate() {
            let place = format!("{} {:?}, picture {i}", case.name, case.prompt);
            assert_eq!(ours.len(), truth.len(), "{place}");
            for (ours, at) in ours.iter().zip(truth) {
                // Beams whose scores are the same to the last bits may change places.
                let ties = |other: &&Found| match (other.score, at.score) {
                    (Some(other), Some(at)) => (other - at).abs() < TIE,
                    _ => std::ptr::eq(*other, at),
                };
                let truth = truth.iter().filter(ties).find(|other| other.tokens == ours.tokens);
                let truth = truth.unwrap_or_else(|| panic!("{place}: {:?} is not {:?}", ours.tokens, at.tokens));
                let prompt = ours.tokens.len() - ours.log_probs.len();
                assert_eq!(prompt, if case.prompt.is_empty() { 1 } else { 4 }, "{place}");
                if let Some(score) = truth.score {
                    assert!((ours.score - score).abs() < SCORE, "{place}: {} {score}", ours.score);
                }
            }
        }
        // Alone and together it is the same.
        let alone = captioner.caption(features.slice(ndarray::s![3..4, ..]), &search_of(&case)).expect("captions");
        assert_same(&alone[0], &found[3]);
    }
    let case = &golden()[0];
    let found = captioner.caption(features.view(), &search_of(case)).expect("captions");
    let small = captioner.within(1, &search_of(case));
    for (a, b) in small.caption(features.view(), &search_of(case)).expect("captions").iter().zip(&found) {
        assert_same(a, b);
    }
}

/// The same captions, with scores that differ by rounding at most.
fn assert_same(a: &[Beam], b: &[Beam]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!((&a.tokens, &a.text), (&b.tokens, &b.text));
        assert!(a.log_probs.iter().zip(&b.log_probs).all(|(a, b)| (a - b).abs() < SCORE));
    }
}

#[test]
fn scores_of_the_nucleus_are_those_of_the_reference() {
    let golden = tensors("blip/nucleus.safetensors");
    let (ids, logits) = (values(&golden["ids"]), values(&golden["logits"]));
    for (p, least) in [(0.3, 0), (0.3, 5), (0.9, 0), (0.9, 5)] {
        let how = How::Nucleus { p, seed: 1 };
        let search = Search { how, min_len: least, repetition_penalty: 1.1, ..Search::default() };
        let truth = values(&golden[&format!("p{p}.least{least}")]);
        for row in 0..3 {
            let own: Vec<f32> = logits[row * 40..][..40].iter().map(|&v| v as f32).collect();
            let tokens: Vec<u32> = ids[row * 4..][..4].iter().map(|&id| id as u32).collect();
            for (ours, truth) in search.scores(&own, &tokens, 3).into_iter().zip(&truth[row * 40..][..40]) {
                assert!(
                    (f64::from(ours.max(-1e30)) - truth).abs() <= 1e-6 * truth.abs(),
                    "{p} {least}: {ours} {truth}"
                );
            }
        }
    }
}

#[test]
fn draws_depend_on_the_seed_and_the_picture_alone() {
    let (captioner, _place) = captioner(&FILES);
    let features = features();
    let search = |seed| Search { how: How::Nucleus { p: 0.9, seed }, repetition_penalty: 1.0, ..Search::default() };
    let first = captioner.caption(features.view(), &search(1)).expect("captions");
    assert_eq!(captioner.caption(features.view(), &search(1)).expect("captions"), first);
    let part = captioner.caption(features.slice(ndarray::s![5.., ..]), &search(1)).expect("captions");
    part.iter().zip(&first[5..]).for_each(|(a, b)| assert_same(a, b));
    assert_ne!(captioner.caption(features.view(), &search(2)).expect("captions"), first);
    assert!(first.iter().all(|beams| beams.len() == 1));
}

#[test]
fn the_original_naming_gives_the_same() {
    let (ours, _place) = captioner(&FILES);
    let (original, place) = captioner(&[
        ("blip/config.json", "config.json"),
        ("blip/original.pth", "model_base_capfilt_large.pth"),
        ("blip/vocab.txt", "vocab.txt"),
    ]);
    let search = Search::default();
    let found = ours.caption(features().view(), &search).expect("captions");
    assert_eq!(original.caption(features().view(), &search).expect("captions"), found);
    let pictures =
        ndarray::Array4::from_shape_fn((2, 9, 15, 3), |(n, y, x, c)| ((n + 2 * y + 3 * x + c) % 7) as f32 / 7.0);
    let (a, b) = (ours.features(pictures.view()), original.features(pictures.view()));
    assert_eq!(a.expect("pictures"), b.expect("pictures"));
    // Without a config the shapes tell which it is, but for the number of heads, which is that of heads of 64.
    fs::remove_file(place.path().join("config.json")).expect("it is there");
    let files = PackFiles::Directory(place.path().into());
    assert_eq!(Parts::present_in(&files), [Part::Caption]);
    let words = Captioner::load(&files).err().expect("this vocabulary has no token 30522").to_string();
    assert!(words.contains("bos_token_id"), "{words}");
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let place = laid_out(&FILES);
    let files = PackFiles::Directory(place.path().into());
    assert_eq!(Parts::present_in(&files), [Part::Caption]);
    assert!(Parts::new(&files).expect("a pack").problems(Part::Caption).is_empty());
    let config = text("blip/config.json");
    for (from, to, key) in [
        ("\"is_decoder\": true", "\"is_decoder\": false", "is_decoder"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"softsign\"", "hidden_act"),
        ("\"num_attention_heads\": 2", "\"num_attention_heads\": 3", "num_attention_heads"),
        ("BlipForConditionalGeneration", "BlipForQuestionAnswering", "architectures"),
        ("\"patch_size\": 4", "\"patch_size\": 0", "patch_size"),
        ("\"sep_token_id\": 3", "\"sep_token_id\": 300", "sep_token_id"),
        ("\"label_smoothing\": 0.0", "\"surplus\": 1.0", "surplus"),
    ] {
        assert!(config.contains(from), "{from}");
        let words = BlipConfig::parse(&config.replace(from, to)).expect_err(key).to_string();
        assert!(words.contains(&format!("`{key}`")), "{words}");
    }
    fs::write(
        place.path().join("config.json"),
        config.replace("\"intermediate_size\": 16", "\"intermediate_size\": 18"),
    )
    .expect("writable");
    let problems = Parts::new(&files).expect("a pack").problems(Part::Caption);
    assert_eq!(problems.len(), 6, "{problems:?}");
    fs::remove_file(place.path().join("vocab.txt")).expect("it is there");
    let words = Captioner::load(&files).err().expect("no vocabulary").to_string();
    assert!(words.contains("vocab.txt"), "{words}");
}

#[test]
fn searches_and_features_that_cannot_be_are_named() {
    let (captioner, _place) = captioner(&FILES);
    let refused = |search: Search, features: ArrayView2<'_, f32>| {
        captioner.caption(features, &search).expect_err("refused").to_string()
    };
    let good = features();
    let default = Search::default;
    for (search, words) in [
        (Search { beams: 0, ..default() }, "beams"),
        (Search { max_len: 4, ..default() }, "greatest length"),
        (Search { max_len: 25, ..default() }, "greatest length"),
        (Search { min_len: 21, ..default() }, "least length"),
        (Search { repetition_penalty: 0.0, ..default() }, "repetition penalty"),
        (Search { length_penalty: f64::NAN, ..default() }, "length penalty"),
        (Search { how: How::Nucleus { p: 1.5, seed: 0 }, ..default() }, "nucleus"),
    ] {
        let said = refused(search, good.view());
        assert!(said.contains(words), "{said}");
    }
    let mut bad = good.clone();
    bad[[2, 7]] = f32::NAN;
    assert!(refused(default(), bad.view()).contains("row 2"));
    assert!(refused(default(), good.slice(ndarray::s![.., ..24])).contains("120 columns"));
    assert!(captioner.caption(good.slice(ndarray::s![..0, ..]), &default()).expect("none").is_empty());
}

#[test]
fn states_belong_to_the_tokens_that_were_chosen_from_them() {
    let (captioner, _place) = captioner(&FILES);
    let features = features();
    let found = captioner.caption(features.view(), &Search::default()).expect("captions");
    let texts: Vec<Vec<u32>> = found.iter().map(|beams| beams[0].tokens.clone()).collect();
    let states = captioner.states(features.view(), &texts, 4, &["layer00", "layer02"]).expect("states");
    for (state, beams) in states.iter().zip(&found) {
        assert_eq!(state["layer00"].dim(), (beams[0].log_probs.len(), 8));
        // The last layer's state at each token gives that token's probability.
        let last = &state["layer02"];
        let x = Tensor::from_vec(last.iter().copied().collect::<Vec<f32>>(), last.dim(), captioner.device());
        let logits = captioner.blip().decoder.logits(&x.expect("a matrix")).expect("states");
        for (row, (token, log_prob)) in beams[0].tokens[4..].iter().zip(&beams[0].log_probs).enumerate() {
            let row: Vec<f64> = values(&logits.get(row).expect("a row"));
            let sum: f64 = row.iter().map(|v| v.exp()).sum();
            assert!((row[*token as usize] - sum.ln() - f64::from(*log_prob)).abs() < 1e-5);
        }
    }
    assert!(captioner.states(features.view(), &texts[1..], 4, &["layer00"]).is_err());
    assert!(captioner.states(features.view(), &texts, 4, &["layer77"]).is_err());
}

#[test]
fn pictures_are_prepared_as_the_config_says() {
    let mut files = FILES.to_vec();
    files.push(("clip_preprocess/preprocessor_config.json", "preprocessor_config.json"));
    let place = laid_out(&files);
    let words = Captioner::open(place.path()).err().expect("it crops").to_string();
    assert!(words.contains("do_center_crop"), "{words}");
    let text = r#"{"do_normalize": false, "resample": 1, "size": {"height": 22, "width": 22}}"#;
    fs::write(place.path().join("preprocessor_config.json"), text).expect("writable");
    let captioner = Captioner::open(place.path()).expect("a captioner");
    assert_eq!(*captioner.preparation(), Preparation::takagi2023(22));
    assert_eq!((captioner.n_tokens(), captioner.preparation().filter), (26, Filter::Lanczos));
    assert_ne!(captioner.content(), Captioner::open(laid_out(&FILES).path()).expect("a captioner").content());
    assert!(folder().join("blip").is_dir());
}
