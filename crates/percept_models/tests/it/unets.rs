//! U-Nets with other conditioning, and checkpoints in the original naming, against diffusers.

use std::collections::BTreeMap;

use candle_core::Tensor;
use percept_models::{
    compvis,
    tap::Taps,
    unet::{Conditioning, UNet2DConditionModel, UnetConfig, guidance_embedding},
};

use crate::fixture::{Case, relative_error, tensors, text, values};

const FILE: &str = "diffusion_pytorch_model.safetensors";

fn unet(case: &Case) -> UNet2DConditionModel {
    let config = UnetConfig::parse(&case.config()).expect("the config is supported");
    UNet2DConditionModel::new(&case.params, config).expect("the weights fit the config")
}

#[test]
pub(crate) fn guidance_as_an_input_of_a_consistency_model() {
    let case = Case::open("unet_consistency", FILE);
    let model = unet(&case);
    let (sample, context) = (case.input("sample"), case.input("encoder_hidden_states"));
    let guidance = case.input("timestep_cond");
    let given = Conditioning { context: Some(&context), guidance: Some(&guidance), class: None };
    let steps = values(case.io("input.timestep"));
    let out = model.forward_with(&sample, &steps, given, &mut Taps::none()).expect("the model runs");
    let inputs = [("sample", &sample), ("encoder_hidden_states", &context), ("timestep_cond", &guidance)];
    case.check(&[("sample", &out)], &inputs);
}

#[test]
pub(crate) fn a_vector_and_no_context_for_music() {
    let case = Case::open("unet_music", FILE);
    let model = unet(&case);
    let (sample, class) = (case.input("sample"), case.input("class_labels"));
    let given = Conditioning { class: Some(&class), ..Conditioning::default() };
    let steps = values(case.io("input.timestep"));
    let out = model.forward_with(&sample, &steps, given, &mut Taps::none()).expect("the model runs");
    case.check(&[("sample", &out)], &[("sample", &sample), ("class_labels", &class)]);
    let error = model.forward_with(&sample, &steps, Conditioning::default(), &mut Taps::none());
    let words = error.expect_err("the vector is absent").to_string();
    assert!(words.contains("class vector") && words.contains("(2, 7)"), "{words}");
}

#[test]
pub(crate) fn deep_transformers_a_projected_vector_and_a_middle_without_attention() {
    let case = Case::open("unet_deep_class", FILE);
    let model = unet(&case);
    let (sample, context) = (case.input("sample"), case.input("encoder_hidden_states"));
    let class = case.input("class_labels");
    let given = Conditioning { context: Some(&context), class: Some(&class), guidance: None };
    let steps = values(case.io("input.timestep"));
    let mut taps = Taps::wanting(["down.0.attn.0.layer1.cross", "mid.resnet.0"]);
    let out = model.forward_with(&sample, &steps, given, &mut taps).expect("the model runs");
    assert_eq!(taps.finish().expect("both places exist").len(), 2);
    let inputs = [("sample", &sample), ("encoder_hidden_states", &context), ("class_labels", &class)];
    case.check(&[("sample", &out)], &inputs);
}

#[test]
fn guidance_is_embedded_as_sinusoids() {
    let ours = values(&guidance_embedding(&[7.5, 1.0], 6, &candle_core::Device::Cpu).expect("an embedding"));
    let truth: Vec<f64> = [6500.0, 0.0]
        .iter()
        .flat_map(|w: &f64| {
            let angle = move |i: usize| w * (-(10_000f64.ln()) * i as f64 / 2.0).exp();
            (0..3).map(move |i| angle(i).sin()).chain((0..3).map(move |i| angle(i).cos()))
        })
        .collect();
    assert!(relative_error(&ours, &truth) < 1e-3, "{ours:?} {truth:?}");
}

#[test]
fn names_of_the_original_code_become_those_of_diffusers() {
    let names: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(&text("compvis/names.json")).expect("a table of names");
    let mut file = BTreeMap::new();
    for (part, folder) in [("unet", "unet_2d_condition"), ("vae", "autoencoder_kl")] {
        let weights = tensors(&format!("{folder}/{FILE}"));
        assert_eq!(names[part].len(), weights.len());
        for (old, new) in &names[part] {
            let tensor = weights[new].clone();
            // The original's attention in the autoencoder is made of 1×1 convolutions.
            let is_square = old.contains("attn_1") && tensor.rank() == 2;
            let tensor =
                if is_square { tensor.unsqueeze(2).and_then(|t| t.unsqueeze(3)).expect("axes") } else { tensor };
            file.insert(old.clone(), tensor);
        }
    }
    file.insert("model_ema.decay".into(), file.values().next().expect("a tensor").clone());
    let parts = compvis::split(file, 2).expect("the file is taken apart");
    for (part, ours, folder) in [("unet", &parts.unet, "unet_2d_condition"), ("vae", &parts.vae, "autoencoder_kl")] {
        let weights = tensors(&format!("{folder}/{FILE}"));
        assert!(ours.keys().eq(weights.keys()), "{part}");
        for (name, tensor) in &weights {
            assert_eq!(ours[name].dims(), tensor.dims(), "{name}");
            assert_eq!(values(&ours[name]), values(tensor), "{name}");
        }
    }
}

#[test]
fn the_text_encoder_of_stable_diffusion_2_is_unpacked() {
    let weights = tensors("clip_text/model.safetensors");
    let mut file = BTreeMap::new();
    let place = "cond_stage_model.model";
    let get = |name: &str| weights[&format!("text_model.{name}")].clone();
    for i in 0..2 {
        let layer = |name: &str| get(&format!("encoder.layers.{i}.{name}"));
        for kind in ["weight", "bias"] {
            let [q, k, v] = ["q", "k", "v"].map(|p| layer(&format!("self_attn.{p}_proj.{kind}")));
            let packed = Tensor::cat(&[&q, &k, &v], 0).expect("equal widths");
            file.insert(format!("{place}.transformer.resblocks.{i}.attn.in_proj_{kind}"), packed);
            for (old, new) in [
                ("attn.out_proj", "self_attn.out_proj"),
                ("ln_1", "layer_norm1"),
                ("ln_2", "layer_norm2"),
                ("mlp.c_fc", "mlp.fc1"),
                ("mlp.c_proj", "mlp.fc2"),
            ] {
                let name = format!("{place}.transformer.resblocks.{i}.{old}.{kind}");
                file.insert(name, layer(&format!("{new}.{kind}")));
            }
        }
    }
    for kind in ["weight", "bias"] {
        file.insert(format!("{place}.ln_final.{kind}"), get(&format!("final_layer_norm.{kind}")));
    }
    file.insert(format!("{place}.token_embedding.weight"), get("embeddings.token_embedding.weight"));
    file.insert(format!("{place}.positional_embedding"), get("embeddings.position_embedding.weight"));
    // The layer that Stable Diffusion 2 leaves out, and the shared space.
    file.insert(format!("{place}.transformer.resblocks.2.ln_1.weight"), get("final_layer_norm.weight"));
    file.insert(format!("{place}.text_projection"), get("final_layer_norm.weight"));
    let ours = compvis::split(file, 2).expect("the file is taken apart").text_encoder;
    let expected: BTreeMap<_, _> = weights.into_iter().filter(|(name, _)| !name.ends_with("position_ids")).collect();
    assert!(ours.keys().eq(expected.keys()), "{:?}", ours.keys());
    for (name, tensor) in &expected {
        assert_eq!(values(&ours[name]), values(tensor), "{name}");
    }
}
