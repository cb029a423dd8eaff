//! Single parts of a pack: on given tensors, against the clock, checked as a whole; and feature spaces of stimuli.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use ndarray::{Array4, s};
use percept_core::Seed;
use percept_models::{
    parts::{Part, Parts},
    probe::{Pool, Probe, Space},
    run::{bench, places, run_file},
    weights::{PackFiles, read_pth, read_tensors, write_tensors},
};
use tempfile::TempDir;

use crate::fixture::{DIFFUSION, OUTPUT, folder, laid_out, relative_error, tensors, values};

/// A pack of these fixtures.
fn pack(files: &[(&str, &str)]) -> (TempDir, PackFiles) {
    let place = laid_out(files);
    let files = PackFiles::Directory(place.path().to_owned());
    (place, files)
}

const LANGUAGE: [(&str, &str); 3] = [
    ("llama/config.json", "config.json"),
    ("llama/model.safetensors", "model.safetensors"),
    ("tokenizer_json/bytes.json", "tokenizer.json"),
];

/// Feeds tensors of a fixture, renamed, to a part and reads what it wrote.
fn fed(files: &PackFiles, part: &str, input: &[(&str, &Tensor)], taps: &[&str]) -> BTreeMap<String, Tensor> {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    let (from, to) = (place.path().join("in.safetensors"), place.path().join("out.safetensors"));
    let input: BTreeMap<String, Tensor> = input.iter().map(|(n, t)| ((*n).to_owned(), (*t).clone())).collect();
    fs::write(&from, write_tensors(&input, false).expect("tensors can be written")).expect("writable");
    let taps: Vec<String> = taps.iter().map(|tap| (*tap).to_owned()).collect();
    let part = Part::named(part).expect("a part");
    run_file(files, part, &from, &to, &taps).expect("the part runs");
    read_tensors(&fs::read(&to).expect("written"), &to).expect("valid")
}

fn close(ours: &Tensor, truth: &Tensor, what: &str) {
    let error = relative_error(&values(ours), &values(truth));
    assert!(error <= OUTPUT, "{what} is off by {error:.1e}");
}

#[test]
fn parts_answer_on_the_tensors_of_a_file() {
    let (_place, files) = pack(&DIFFUSION);
    let io = tensors("taps/io.safetensors");
    let step = Tensor::new(&[600f32], &Device::Cpu).expect("a number");
    let input = [("sample", &io["input.sample"]), ("timestep", &step), ("encoder_hidden_states", &io["input.context"])];
    let out = fed(&files, "unet", &input, &["mid", "down.0.attn.0.cross"]);
    assert_eq!(out.keys().collect::<Vec<_>>(), ["down.0.attn.0.cross", "mid", "sample"]);
    for (name, truth) in
        [("mid", "unet.mid"), ("down.0.attn.0.cross", "unet.down.0.attn.0.cross"), ("sample", "unet.out")]
    {
        close(&out[name], &io[truth], name);
    }
    let io = tensors("autoencoder_kl/io.safetensors");
    let out = fed(&files, "vae.encode", &[("sample", &io["input.image"])], &[]);
    close(&out["mean"], &io["output.mean"], "mean");
    close(&out["logvar"], &io["output.logvar"], "logvar");
    close(&fed(&files, "vae.decode", &[("z", &io["input.latent"])], &[])["sample"], &io["output.image"], "picture");
    let io = tensors("clip_text/io.safetensors");
    let out = fed(&files, "text", &[("input_ids", &io["input.input_ids"])], &["layer01"]);
    close(&out["last_hidden_state"], &io["output.last_hidden_state"], "states");
    close(&out["pooler_output"], &io["output.pooled"], "pooled");
    let io = tensors("clip_vision/io.safetensors");
    let out = fed(&files, "vision", &[("pixel_values", &io["input.pixel_values"])], &[]);
    close(&out["image_embeds"], &io["output.image_embeds"], "embedding");
    let (_place, files) = pack(&LANGUAGE);
    let io = tensors("llama/io.safetensors");
    let out = fed(&files, "language", &[("input_ids", &io["input.input_ids"])], &[]);
    close(&out["last_hidden_state"], &io["output.last_hidden_state"], "states");
}

#[test]
fn an_absent_tensor_and_an_unknown_part_are_named() {
    let (place, files) = pack(&DIFFUSION);
    let from = place.path().join("in.safetensors");
    let sample = Tensor::zeros((1, 4, 4, 4), candle_core::DType::F32, &Device::Cpu).expect("a small tensor");
    let input = BTreeMap::from([("z".to_owned(), sample)]);
    fs::write(&from, write_tensors(&input, false).expect("written")).expect("writable");
    let words = run_file(&files, Part::VaeEncode, &from, &place.path().join("out"), &[]).expect_err("no picture");
    assert!(words.to_string().contains("one named `sample`"), "{words}");
    assert!(Part::named("decoder").expect_err("no part").to_string().contains("vae.decode"));
}

#[test]
fn operations_are_counted_and_places_listed() {
    let (_place, files) = pack(&DIFFUSION);
    let bench = bench(&files, Part::Text, 2).expect("the part runs");
    // Per layer and token four square layers and the network; per layer scores and weighted values.
    let (width, inner, length, layers) = (12, 48, 77, 2);
    let products = layers * length * (4 * width * width + 2 * width * inner + 2 * length * width);
    assert_eq!(bench.flops, 2 * products);
    assert!(bench.seconds > 0.0 && bench.share_of_sgemm > 0.0 && bench.passes == 2, "{bench:?}");
    let names = places(&files, Part::VaeEncode).expect("the part runs");
    assert_eq!(names, ["down.0", "down.1", "mid"]);
}

/// Replaces tensors of a weight file.
fn edit(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let mut all = read_tensors(&fs::read(path).expect("readable"), path).expect("valid");
    change(&mut all);
    fs::write(path, write_tensors(&all, true).expect("written")).expect("writable");
}

#[test]
fn every_tensor_that_does_not_fit_is_named_at_once() {
    let (place, files) = pack(&DIFFUSION);
    let whole = Parts::new(&files).expect("a pack").present();
    assert_eq!(whole, [Part::Unet, Part::VaeEncode, Part::VaeDecode, Part::Text, Part::Vision]);
    assert!(whole.into_iter().all(|part| Parts::new(&files).expect("a pack").problems(part).is_empty()));
    let path: PathBuf = place.path().join("unet/diffusion_pytorch_model.safetensors");
    edit(&path, |all| {
        let moved = all.remove("conv_out.bias").expect("a bias");
        all.insert("conv_out.surplus".into(), moved);
        for name in ["conv_in.weight", "time_embedding.linear_1.weight"] {
            let flat = all[name].flatten_all().expect("a tensor can be flattened");
            all.insert(name.into(), flat);
        }
    });
    let problems = Parts::new(&files).expect("a pack").problems(Part::Unet);
    let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for name in ["`conv_in.weight`", "`time_embedding.linear_1.weight`", "`conv_out.bias`", "`conv_out.surplus`"] {
        assert!(words.iter().any(|line| line.contains(name)), "{name}: {words:?}");
    }
    assert_eq!(words.len(), 4, "{words:?}");
    fs::write(&path, &fs::read(&path).expect("readable")[..5000]).expect("writable");
    let words = Parts::new(&files).expect("a pack").problems(Part::Unet);
    assert!(words.len() == 1 && words[0].to_string().contains("unet/diffusion_pytorch_model.safetensors"), "{words:?}");
}

#[test]
fn a_clip_of_both_sides_gives_each_of_them() {
    let (place, files) = pack(&[]);
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_str(&crate::fixture::text(&format!("{name}/config.json"))).expect("a config")
    };
    let (text, vision) = (read("clip_text_projection"), read("clip_vision"));
    let config = serde_json::json!({
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 6,
        "text_config": text, "vision_config": vision,
    });
    fs::write(place.path().join("config.json"), config.to_string()).expect("writable");
    let mut all = tensors("clip_text_projection/model.safetensors");
    all.extend(tensors("clip_vision/model.safetensors"));
    all.insert("logit_scale".into(), Tensor::new(&[4.6f32], &Device::Cpu).expect("a number"));
    let bytes = write_tensors(&all, true).expect("written");
    fs::write(place.path().join("model.safetensors"), bytes).expect("writable");
    let io = tensors("clip_vision/io.safetensors");
    let out = fed(&files, "vision", &[("pixel_values", &io["input.pixel_values"])], &[]);
    close(&out["image_embeds"], &io["output.image_embeds"], "embedding");
    let io = tensors("clip_text_projection/io.safetensors");
    let out = fed(&files, "text", &[("input_ids", &io["input.input_ids"])], &[]);
    close(&out["text_embeds"], &io["output.text_embeds"], "embedding");
}

fn spaces(names: &[&str]) -> Vec<Space> {
    names.iter().map(|name| Space::parse(name).expect("a space")).collect()
}

fn drawings(n: usize, side: usize) -> Array4<f32> {
    Array4::from_shape_fn((n, side, side, 3), |(i, y, x, c)| {
        (0.5 + 0.5 * ((i + 1) as f32 * 0.7 * x as f32 + y as f32 * (c + 1) as f32 * 0.3).sin()).clamp(0.0, 1.0)
    })
}

#[test]
fn pictures_become_rows_of_several_spaces_in_one_pass() {
    let (_place, files) = pack(&DIFFUSION);
    let names =
        ["sd.z", "vae.mid", "unet.mid@t600", "unet.down.0.attn.0.cross@t40", "clip.image", "clip.image.layer01"];
    let probe = Probe::open(&files, spaces(&names), Pool::Mean, Seed::new(1)).expect("the pack has them");
    assert_eq!(probe.image_size(), Some(16));
    let pictures = drawings(5, 16);
    let ids: Vec<String> = (0..5).map(|i| format!("picture {i}")).collect();
    let rows = probe.pictures(&ids, pictures.view(), None, 2).expect("the pass runs");
    let widths: Vec<(&str, usize)> = rows.iter().map(|(name, rows)| (name.as_str(), rows.ncols())).collect();
    assert_eq!(
        widths,
        [
            ("clip.image", 6),
            ("clip.image.layer01", 12),
            ("sd.z", 4 * 8 * 8),
            ("unet.down.0.attn.0.cross@t40", 4),
            ("unet.mid@t600", 8),
            ("vae.mid", 12)
        ]
    );
    // A picture alone gives the same row, noise included; under another name its noise is another.
    let alone = probe.pictures(&ids[3..4], pictures.slice(s![3..4, .., .., ..]), None, 2).expect("the pass runs");
    for (name, all) in &rows {
        for (a, b) in all.row(3).iter().zip(alone[name].row(0)) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{name}: {a} {b}");
        }
    }
    let renamed = probe.pictures(&ids[2..3], pictures.slice(s![3..4, .., .., ..]), None, 2).expect("the pass runs");
    assert_ne!(renamed["unet.mid@t600"], alone["unet.mid@t600"]);
    assert_eq!(renamed["sd.z"], alone["sd.z"]);
    let words = Probe::open(&files, spaces(&["unet.nowhere@t5"]), Pool::Mean, Seed::new(1))
        .and_then(|probe| probe.pictures(&ids, pictures.view(), None, 8))
        .expect_err("no such place");
    assert!(words.to_string().contains("`nowhere`"), "{words}");
}

#[test]
fn texts_of_many_lengths_become_rows_in_their_order() {
    let (_place, files) = pack(&LANGUAGE);
    // The fixture's vocabulary is smaller than the tokenizer's: only texts of its first letters can be read.
    let texts: Vec<String> = ["!", "\"#$", "%&", "'(*", "!"].map(str::to_owned).into();
    let probe =
        Probe::open(&files, spaces(&["llama.layer01", "llama.layer02"]), Pool::Last, Seed::new(1)).expect("a pack");
    let rows = probe.texts(&texts, 3).expect("the pass runs");
    for (name, all) in &rows {
        assert_eq!(all.dim(), (5, 16), "{name}");
        assert_eq!(all.row(0), all.row(4), "{name}");
        for (i, text) in texts.iter().enumerate() {
            let alone = probe.texts(std::slice::from_ref(text), 1).expect("the pass runs");
            for (a, b) in all.row(i).iter().zip(alone[name].row(0)) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{name}, {text}: {a} {b}");
            }
        }
    }
    let words = Probe::open(&files, spaces(&["gpt2.layer01"]), Pool::Last, Seed::new(1)).err().expect("another family");
    assert!(words.to_string().contains("`llama.`"), "{words}");
    let whole = Probe::open(&files, spaces(&["llama.layer01"]), Pool::Whole, Seed::new(1)).expect("a pack");
    let words = whole.texts(&texts, 5).expect_err("unequal lengths").to_string();
    assert!(words.contains("mean, first, last"), "{words}");
    let words = probe.texts(&[String::new()], 1).expect_err("nothing to read").to_string();
    assert!(words.contains("at least one token"), "{words}");
}

#[test]
fn weights_in_pytorch_s_format_are_read_where_there_are_no_others() {
    let (place, files) = pack(&[("taesd_original/encoder.pth", "vae/diffusion_pytorch_model.bin")]);
    let path = place.path().join("vae/diffusion_pytorch_model.bin");
    let ours = files.tensors("vae").expect("it is read");
    assert!(ours.keys().eq(read_pth(&path).expect("it is an archive").keys()));
    let other = "vae/diffusion_pytorch_model.safetensors";
    fs::copy(folder().join("autoencoder_tiny/diffusion_pytorch_model.safetensors"), place.path().join(other))
        .expect("a fixture can be copied");
    assert!(!files.tensors("vae").expect("it is read").keys().eq(ours.keys()));
}
