//! A whole pack: text to picture against diffusers' pipeline, and what is said about damaged packs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use ndarray::{Array, Array2, Array4};
use percept_core::Seed;
use percept_models::{
    DiffusionPack, Generation, ModelError,
    weights::{read_tensors, write_tensors},
};
use percept_testing::Hostile;
use tempfile::TempDir;

use crate::fixture::{DIFFUSION, OUTPUT, folder, laid_out, relative_error, tensors, text, values};

/// Five steps with guidance 3 feed errors back into the network.
const PIPELINE: f64 = 5e-4;

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// The cases of the fixture laid out as one pack.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        Self(laid_out(&DIFFUSION))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> Result<DiffusionPack, ModelError> {
        DiffusionPack::open(self.0.path())
    }

    /// The words with which the pack is refused.
    fn refusal(&self) -> String {
        self.open().err().expect("the pack is damaged").to_string()
    }

    /// Changes the tensors of the U-Net.
    fn edit(&self, change: impl FnOnce(&mut std::collections::BTreeMap<String, Tensor>)) {
        let path = self.path(UNET);
        let mut all = read_tensors(&fs::read(&path).expect("readable"), &path).expect("valid");
        change(&mut all);
        fs::write(&path, write_tensors(&all, true).expect("tensors can be written")).expect("writable");
    }

    /// Replaces `from` by `to` in a text file.
    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("readable");
        assert!(text.contains(from), "{name} has no {from}");
        fs::write(self.path(name), text.replace(from, to)).expect("writable");
    }
}

fn rows(tensor: &Tensor) -> Array2<f32> {
    let n = tensor.dim(0).expect("there are rows");
    let all: Vec<f32> = values(tensor).into_iter().map(|v| v as f32).collect();
    Array::from_shape_vec((n, all.len() / n), all).expect("the values fill the shape")
}

fn error(ours: impl IntoIterator<Item = f32>, truth: &Tensor) -> f64 {
    relative_error(&ours.into_iter().map(f64::from).collect::<Vec<_>>(), &values(truth))
}

fn prompts() -> Vec<String> {
    let file: serde_json::Value = serde_json::from_str(&text("pipeline/prompts.json")).expect("valid JSON");
    serde_json::from_value(file["prompts"].clone()).expect("a list of sentences")
}

#[test]
pub(crate) fn texts_become_the_pictures_of_the_reference_pipeline() {
    let pack = Copy::new().open().expect("the pack is complete");
    assert_eq!((pack.image_size(), pack.latent_shape(), pack.context_shape()), (16, [4, 8, 8], [77, 12]));
    let io = tensors("pipeline/io.safetensors");

    let context = pack.embed_text(&prompts()).expect("texts can be embedded");
    let off = error(context.iter().copied(), &io["context"]);
    assert!(off <= OUTPUT, "contexts are off by {off:.1e}");

    // The pack draws its own noise. To start from the reference's, noise is taken back out of the start: at strength 1 a
    // run begins with signal · init + amount · noise, which is to be the reference's start.
    let (seed, ids) = (Seed::new(3), [0, 1]);
    let steps = pack.schedule().steps(5).expect("five steps are valid");
    let (signal, amount) = pack.schedule().mix(steps[0]);
    let mut init = rows(&io["noise"]);
    for (mut row, &id) in init.outer_iter_mut().zip(&ids) {
        let drawn = seed.named("noise").at(id).at(0).normal(row.len());
        for (value, noise) in row.iter_mut().zip(drawn) {
            *value = ((f64::from(*value) - amount * f64::from(noise)) / signal) as f32;
        }
    }
    let request = Generation {
        context: context.view(),
        init: Some(init.view()),
        strength: 1.0,
        steps: 5,
        guidance: 3.0,
        seed,
        image_ids: &ids,
        sample: 0,
    };
    let latents = pack.generate_latents(&request).expect("the request is valid");
    let off = error(latents.iter().copied(), &io["latents"]);
    assert!(off <= PIPELINE, "latents are off by {off:.1e}");

    let pictures = pack.generate(&request).expect("the request is valid");
    assert_eq!(pictures.dim(), (2, 16, 16, 3));
    let off = error(pictures.permuted_axes([0, 3, 1, 2]).iter().copied(), &io["images"]);
    assert!(off <= PIPELINE, "pictures are off by {off:.1e}");
}

/// The fixture's weights as one file in the original naming, beside the configs.
fn single_file(copy: &Copy) {
    let names: std::collections::BTreeMap<String, std::collections::BTreeMap<String, String>> =
        serde_json::from_str(&text("compvis/names.json")).expect("a table of names");
    let mut all = std::collections::BTreeMap::new();
    for (part, weights) in [("unet", UNET), ("vae", "vae/diffusion_pytorch_model.safetensors")] {
        let tensors = read_tensors(&fs::read(copy.path(weights)).expect("readable"), Path::new(part)).expect("valid");
        all.extend(names[part].iter().map(|(old, new)| (old.clone(), tensors[new].clone())));
        fs::remove_file(copy.path(weights)).expect("removable");
    }
    let weights = copy.path("text_encoder/model.safetensors");
    let text = read_tensors(&fs::read(&weights).expect("readable"), &weights).expect("valid");
    all.extend(text.into_iter().map(|(name, tensor)| (format!("cond_stage_model.transformer.{name}"), tensor)));
    fs::remove_file(weights).expect("removable");
    fs::write(copy.path("model.safetensors"), write_tensors(&all, true).expect("written")).expect("writable");
}

#[test]
fn weights_in_one_original_file_two_shards_or_half_precision_are_the_same_pack() {
    let whole = Copy::new();
    let context = whole.open().expect("the pack is complete").embed_text(&prompts()).expect("texts can be embedded");
    let latents = |copy: &Copy| {
        let request = Generation {
            context: context.view(),
            init: None,
            strength: 1.0,
            steps: 2,
            guidance: 2.0,
            seed: Seed::new(5),
            image_ids: &[7, 9],
            sample: 1,
        };
        copy.open().expect("the pack is complete").generate_latents(&request).expect("the request is valid")
    };
    let truth = latents(&whole);

    let single = Copy::new();
    single_file(&single);
    assert_eq!(latents(&single), truth);

    let half = Copy::new();
    fs::rename(half.path(UNET), half.path("unet/diffusion_pytorch_model.fp16.safetensors")).expect("renamed");
    assert_eq!(latents(&half), truth);

    let sharded = Copy::new();
    let all = read_tensors(&fs::read(sharded.path(UNET)).expect("readable"), Path::new(UNET)).expect("valid");
    let shard = |i: usize| format!("diffusion_pytorch_model-0000{}-of-00002.safetensors", i + 1);
    let mut map = serde_json::Map::new();
    for part in 0..2 {
        let own = all.iter().enumerate().filter(|(i, _)| i % 2 == part);
        let own: std::collections::BTreeMap<_, _> = own.map(|(_, (n, t))| (n.clone(), t.clone())).collect();
        map.extend(own.keys().map(|name| (name.clone(), shard(part).into())));
        fs::write(sharded.path("unet").join(shard(part)), write_tensors(&own, true).expect("written"))
            .expect("writable");
    }
    fs::remove_file(sharded.path(UNET)).expect("removable");
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    fs::write(sharded.path("unet/diffusion_pytorch_model.safetensors.index.json"), index).expect("writable");
    assert_eq!(latents(&sharded), truth);

    fs::copy(sharded.path("unet").join(shard(0)), sharded.path("unet").join(shard(1))).expect("copied");
    let words = sharded.refusal();
    assert!(words.contains(&shard(1)) && words.contains("lacks tensor"), "{words}");
    fs::remove_file(sharded.path("unet").join(shard(1))).expect("removable");
    assert!(sharded.refusal().contains(&shard(1)), "{}", sharded.refusal());
}

#[test]
fn a_pack_may_have_a_tiny_autoencoder() {
    let copy = Copy::new();
    for file in ["config.json", "diffusion_pytorch_model.safetensors"] {
        fs::copy(folder().join("autoencoder_tiny").join(file), copy.path("vae").join(file)).expect("a fixture");
    }
    let pack = copy.open().expect("the pack is complete");
    assert_eq!((pack.latent_shape(), pack.image_size()), ([5, 8, 8], 32));
    copy.replace("vae/config.json", "AutoencoderTiny", "AsymmetricAutoencoderKL");
    assert!(copy.refusal().contains("supported: AutoencoderKL, AutoencoderTiny"), "{}", copy.refusal());
}

#[test]
fn every_sampler_makes_a_row_from_its_identity_alone() {
    for sampler in
        ["ddpm_leading", "euler_turbo", "ancestral_leading", "dpm_stochastic", "unipc_linspace", "lcm_defaults"]
    {
        let copy = Copy::new();
        let config = text(&format!("samplers/{sampler}/scheduler_config.json"));
        fs::write(copy.path("scheduler/scheduler_config.json"), config).expect("writable");
        let pack = copy.open().expect("the pack is complete");
        let context = pack.embed_text(&prompts()).expect("texts can be embedded");
        let latents = |rows: std::ops::Range<usize>| {
            let request = Generation {
                context: context.slice(ndarray::s![rows.clone(), ..]),
                init: None,
                strength: 1.0,
                steps: 3,
                guidance: 2.0,
                seed: Seed::new(5),
                image_ids: &[7, 9][rows],
                sample: 1,
            };
            pack.generate_latents(&request).expect("the request is valid")
        };
        let (both, second) = (latents(0..2), latents(1..2));
        assert!(both.iter().all(|v| v.is_finite()), "{sampler}");
        assert_ne!(both.row(0), both.row(1), "{sampler}");
        for (a, b) in both.row(1).iter().zip(second.row(0)) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{sampler}: {a} {b}");
        }
    }
}

#[test]
fn pictures_become_latents_and_embeddings() {
    let pack = Copy::new().open().expect("the pack is complete");
    let io = tensors("pipeline/io.safetensors");
    let pixels = values(&io["pictures"]).into_iter().map(|byte| byte as f32 / 255.0).collect();
    let pictures: Array4<f32> = Array::from_shape_vec((2, 16, 16, 3), pixels).expect("the values fill the shape");

    let encoded = pack.encode(pictures.view()).expect("the pictures have the pack's size");
    let off = error(encoded.iter().copied(), &io["encoded"]);
    assert!(off <= OUTPUT, "latents are off by {off:.1e}");

    let embedded = pack.clip_image(pictures.view()).expect("the pack has an image encoder");
    let off = error(embedded.iter().copied(), &io["clip_image"]);
    assert!(off <= OUTPUT, "embeddings are off by {off:.1e}");

    let words = pack.clip_text(&prompts()).expect_err("this text encoder has no projection").to_string();
    assert!(words.contains("CLIPTextModelWithProjection"), "{words}");
}

#[test]
fn batches_do_not_change_a_row() {
    let pack = Copy::new().open().expect("the pack is complete");
    let texts: Vec<String> = (0..19).map(|i| format!("{i} trees and a house")).collect();
    let together = pack.embed_text(&texts).expect("texts can be embedded");
    for (i, text) in texts.iter().enumerate() {
        let alone = pack.embed_text(std::slice::from_ref(text)).expect("a text can be embedded");
        let off = relative_error(
            &alone.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
            &together.row(i).iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
        );
        assert!(off < 1e-5, "row {i} is off by {off:.1e}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for name in ["unet/config.json", UNET, "vae/config.json", "tokenizer/vocab.json", "scheduler/scheduler_config.json"]
    {
        let copy = Copy::new();
        fs::remove_file(copy.path(name)).expect("the file is there");
        let words = copy.refusal();
        let part = Path::new(name).parent().and_then(Path::to_str).expect("a folder");
        assert!(words.contains(part), "{name}: {words}");
    }
}

#[test]
fn a_missing_tensor_is_named() {
    let copy = Copy::new();
    copy.edit(|all| {
        all.remove("mid_block.attentions.0.proj_in.weight").expect("it is there");
    });
    let words = copy.refusal();
    assert!(words.contains("`mid_block.attentions.0.proj_in.weight`") && words.contains("missing"), "{words}");
    assert!(words.contains("unet"), "the part is named: {words}");
}

#[test]
fn an_extra_tensor_is_named() {
    let copy = Copy::new();
    copy.edit(|all| {
        let extra = all["conv_in.weight"].clone();
        all.insert("add_embedding.linear_1.weight".into(), extra);
    });
    let words = copy.refusal();
    assert!(words.contains("`add_embedding.linear_1.weight`") && words.contains("unet"), "{words}");
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let copy = Copy::new();
    copy.edit(|all| {
        let transposed = all["conv_in.weight"].transpose(0, 2).and_then(|t| t.contiguous()).expect("four axes");
        all.insert("conv_in.weight".into(), transposed);
    });
    let words = copy.refusal();
    for part in ["`conv_in.weight`", "[3, 4, 4, 3]", "[4, 4, 3, 3]", "unet"] {
        assert!(words.contains(part), "no {part}: {words}");
    }
}

#[test]
fn an_unknown_setting_is_named() {
    for (file, from, to, key) in [
        ("unet/config.json", "\"act_fn\": \"silu\"", "\"act_fn\": \"mish\"", "act_fn"),
        ("unet/config.json", "\"UpBlock2D\"", "\"AttnUpBlock2D\"", "up_block_types"),
        ("unet/config.json", "\"freq_shift\": 0", "\"time_embedding_dim\": 256", "time_embedding_dim"),
        ("unet/config.json", "\"norm_num_groups\": 2", "\"norm_num_groups\": 0", "norm_num_groups"),
        ("unet/config.json", "\"attention_head_dim\": 2", "\"attention_head_dim\": 3", "attention_head_dim"),
        ("unet/config.json", "\"attention_head_dim\": 2", "\"attention_head_dim\": 0", "attention_head_dim"),
        ("vae/config.json", "\"DownEncoderBlock2D\"", "\"AttnDownEncoderBlock2D\"", "down_block_types"),
        ("vae/config.json", "\"act_fn\": \"silu\"", "\"shift_factor\": 0.1", "shift_factor"),
        ("vae/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 5", "norm_num_groups"),
        ("text_encoder/config.json", "\"quick_gelu\"", "\"relu\"", "hidden_act"),
        ("text_encoder/config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 5", "num_attention_heads"),
        ("image_encoder/config.json", "\"patch_size\": 4", "\"patch_size\": 5", "patch_size"),
        (
            "image_encoder/config.json",
            "\"num_attention_heads\": 2",
            "\"num_attention_heads\": 0",
            "num_attention_heads",
        ),
        ("feature_extractor/preprocessor_config.json", "\"resample\": 3", "\"resample\": 0", "resample"),
        ("scheduler/scheduler_config.json", "\"clip_sample\": false", "\"thresholding\": true", "thresholding"),
    ] {
        let copy = Copy::new();
        copy.replace(file, from, to);
        let words = copy.refusal();
        let part = Path::new(file).parent().and_then(Path::to_str).expect("a folder");
        assert!(words.contains(&format!("`{key}`")) && words.contains(part), "{file}, {to}: {words}");
    }
}

#[test]
fn a_truncated_file_is_refused_as_damaged() {
    let copy = Copy::new();
    let path = copy.path(UNET);
    let bytes = fs::read(&path).expect("readable");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("writable");
    let words = copy.refusal();
    assert!(words.contains("diffusion_pytorch_model.safetensors") && words.contains("unet"), "{words}");
    assert!(words.contains("not a valid safetensors"), "{words}");
}

#[test]
fn damaged_weights_never_panic() {
    let path = folder().join("clip_vision/model.safetensors");
    let bytes = fs::read(&path).expect("readable");
    let outcome = Hostile::new(&bytes).prefixes(1000).check(|copy| read_tensors(copy, &path));
    assert!(outcome.n_refused >= 1000, "{outcome:?}");
}

#[test]
fn damaged_configs_never_panic() {
    use percept_models::{
        autoencoder::{AutoencoderConfig, AutoencoderKl},
        nn::params::Params,
        preprocess::Preprocess,
        scheduler::{History, NoiseSchedule, Sampler, SchedulerConfig},
        text::{ClipTextModel, TextConfig},
        unet::{UNet2DConditionModel, UnetConfig},
        vision::{ClipVisionModel, VisionConfig},
    };
    type Attempt = Box<dyn Fn(&str) -> Result<(), ModelError>>;
    let params = |name: &str| tensors(&format!("{name}.safetensors"));
    let picture = |shape: &[usize]| {
        Tensor::ones(shape, candle_core::DType::F32, &candle_core::Device::Cpu).expect("a small tensor")
    };
    let (unet, vae) =
        (params("unet_2d_condition/diffusion_pytorch_model"), params("autoencoder_kl/diffusion_pytorch_model"));
    let (words, vision) = (params("clip_text/model"), params("clip_vision/model"));
    let attempts: Vec<(&str, Attempt)> = vec![
        (
            "unet_2d_condition/config.json",
            Box::new(move |text| {
                let model =
                    UNet2DConditionModel::new(&Params::from_tensors(unet.clone(), "test"), UnetConfig::parse(text)?)?;
                model.forward(&picture(&[1, 4, 8, 8]), &[1.0], &picture(&[1, 3, 12])).map(drop)
            }),
        ),
        (
            "autoencoder_kl/config.json",
            Box::new(move |text| {
                let config = AutoencoderConfig::parse(text)?;
                let model = AutoencoderKl::new(&Params::from_tensors(vae.clone(), "test"), config)?;
                model.decode(&picture(&[1, 4, 4, 4])).map(drop)
            }),
        ),
        (
            "clip_text/config.json",
            Box::new(move |text| {
                let model = ClipTextModel::new(&Params::from_tensors(words.clone(), "test"), TextConfig::parse(text)?)?;
                model.forward(&[vec![1, 2, 3]]).map(drop)
            }),
        ),
        (
            "clip_vision/config.json",
            Box::new(move |text| {
                let config = VisionConfig::parse(text)?;
                let model = ClipVisionModel::new(&Params::from_tensors(vision.clone(), "test"), config)?;
                model.forward(&picture(&[1, 3, 12, 12])).map(drop)
            }),
        ),
        (
            "ddim/sd1/scheduler_config.json",
            Box::new(|text| {
                let sampler = Sampler::new(NoiseSchedule::new(SchedulerConfig::parse(text)?), 2)?;
                let sample = Tensor::ones(4, candle_core::DType::F32, &candle_core::Device::Cpu)?;
                sampler.step(0, &sample, &sample, Some(&sample), &mut History::default()).map(drop)
            }),
        ),
        (
            "samplers/unipc_third_order/scheduler_config.json",
            Box::new(|text| {
                let sampler = Sampler::new(NoiseSchedule::new(SchedulerConfig::parse(text)?), 2)?;
                let sample = Tensor::ones(4, candle_core::DType::F32, &candle_core::Device::Cpu)?;
                sampler.step(0, &sample, &sample, Some(&sample), &mut History::default()).map(drop)
            }),
        ),
        ("clip_preprocess/preprocessor_config.json", Box::new(|text| Preprocess::parse(text, 12).map(drop))),
    ];
    for (file, attempt) in attempts {
        let valid = text(file);
        // The last line break of a text file may be missing.
        let outcome = Hostile::new(valid.trim_end().as_bytes()).mutations(3000).check(|copy| {
            let text = std::str::from_utf8(copy).map_err(|error| error.to_string())?;
            attempt(text).map_err(|error| error.to_string())
        });
        assert!(outcome.n_refused > 1000, "{file}: {outcome:?}");
    }
}
