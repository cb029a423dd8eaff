//! Every model against diffusers and transformers: outputs, and gradients of all parameters and inputs.

use std::collections::BTreeMap;

use percept_models::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    nn::params::Params,
    text::{ClipTextModel, TextConfig},
    unet::{UNet2DConditionModel, UnetConfig},
    vision::{ClipVisionModel, VisionConfig},
};

use crate::fixture::{Case, OUTPUT, relative_error, tensors, text, values};

const DIFFUSERS: &str = "diffusion_pytorch_model.safetensors";
const TRANSFORMERS: &str = "model.safetensors";

pub(crate) fn autoencoder(name: &'static str) {
    let case = Case::open(name, DIFFUSERS);
    let config = AutoencoderConfig::parse(&case.config()).expect("the config is supported");
    let model = AutoencoderKl::new(&case.params, config).expect("the weights fit the config");
    let (image, latent) = (case.input("image"), case.input("latent"));
    let gaussian = model.encode(&image).expect("encoding runs");
    let decoded = model.decode(&latent).expect("decoding runs");
    case.check(
        &[("mean", &gaussian.mean), ("logvar", &gaussian.log_variance), ("image", &decoded)],
        &[("image", &image), ("latent", &latent)],
    );
}

#[test]
fn autoencoder_of_stable_diffusion_1() {
    autoencoder("autoencoder_kl");
}

#[test]
fn autoencoder_without_attention_and_quant_convolutions() {
    autoencoder("autoencoder_kl_plain");
}

#[test]
fn autoencoder_reads_the_older_names_of_its_attention() {
    let old: BTreeMap<_, _> = tensors(&format!("autoencoder_kl/{DIFFUSERS}"))
        .into_iter()
        .map(|(name, tensor)| {
            let renamed = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
                .iter()
                .fold(name.clone(), |name, (new, old)| {
                    name.replace(&format!("attentions.0.{new}."), &format!("attentions.0.{old}."))
                });
            (renamed, tensor)
        })
        .collect();
    assert!(old.contains_key("encoder.mid_block.attentions.0.proj_attn.weight"));
    let params = Params::from_tensors(old, "old names");
    let config = AutoencoderConfig::parse(&text("autoencoder_kl/config.json")).expect("the config is supported");
    let model = AutoencoderKl::new(&params, config).expect("the older names are read");
    params.expect_all_used().expect("no older name is left over");
    let io = tensors("autoencoder_kl/io.safetensors");
    let decoded = model.decode(&io["input.latent"]).expect("decoding runs");
    assert!(relative_error(&values(&decoded), &values(&io["output.image"])) <= OUTPUT);
}

pub(crate) fn unet(name: &'static str) {
    let case = Case::open(name, DIFFUSERS);
    let config = UnetConfig::parse(&case.config()).expect("the config is supported");
    let model = UNet2DConditionModel::new(&case.params, config).expect("the weights fit the config");
    let (sample, context) = (case.input("sample"), case.input("encoder_hidden_states"));
    let steps = values(case.io("input.timestep"));
    let out = model.forward(&sample, &steps, &context).expect("the model runs");
    case.check(&[("sample", &out)], &[("sample", &sample), ("encoder_hidden_states", &context)]);
}

#[test]
fn unet_of_stable_diffusion_1() {
    unet("unet_2d_condition");
}

#[test]
fn unet_of_stable_diffusion_2() {
    unet("unet_2d_condition_linear");
}

#[test]
pub(crate) fn clip_text() {
    let case = Case::open("clip_text", TRANSFORMERS);
    let config = TextConfig::parse(&case.config()).expect("the config is supported");
    let model = ClipTextModel::new(&case.params, config).expect("the weights fit the config");
    let states = model.forward(&case.ids("input_ids")).expect("the model runs");
    case.check(&[("last_hidden_state", &states.last_hidden), ("pooled", &states.pooled)], &[]);
    let refusal = model.project(&states.pooled).expect_err("this checkpoint has no projection").to_string();
    assert!(refusal.contains("CLIPTextModelWithProjection"), "{refusal}");
}

#[test]
fn clip_text_without_the_prefix_of_its_names() {
    let bare = tensors(&format!("clip_text/{TRANSFORMERS}"))
        .into_iter()
        .map(|(name, tensor)| (name.replace("text_model.", ""), tensor))
        .collect();
    let params = Params::from_tensors(bare, "no prefix");
    let config = TextConfig::parse(&text("clip_text/config.json")).expect("the config is supported");
    ClipTextModel::new(&params, config).expect("names without prefix are read");
    params.expect_all_used().expect("nothing is left over");
}

#[test]
pub(crate) fn clip_text_with_projection() {
    let case = Case::open("clip_text_projection", TRANSFORMERS);
    let config = TextConfig::parse(&case.config()).expect("the config is supported");
    let model = ClipTextModel::new(&case.params, config).expect("the weights fit the config");
    let states = model.forward(&case.ids("input_ids")).expect("the model runs");
    let embedding = model.project(&states.pooled).expect("there is a projection");
    case.check(&[("last_hidden_state", &states.last_hidden), ("text_embeds", &embedding)], &[]);
}

#[test]
pub(crate) fn clip_vision() {
    let case = Case::open("clip_vision", TRANSFORMERS);
    let config = VisionConfig::parse(&case.config()).expect("the config is supported");
    let model = ClipVisionModel::new(&case.params, config).expect("the weights fit the config");
    let pixels = case.input("pixel_values");
    let states = model.forward(&pixels).expect("the model runs");
    case.check(
        &[("last_hidden_state", &states.last_hidden), ("image_embeds", &states.embedding)],
        &[("pixel_values", &pixels)],
    );
}
