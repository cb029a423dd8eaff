//! Values inside models against hooks in the reference.

use percept_models::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    nn::params::Params,
    tap::Taps,
    text::{ClipTextModel, TextConfig},
    unet::{Conditioning, UNet2DConditionModel, UnetConfig},
    vision::{ClipVisionModel, VisionConfig},
};

use crate::fixture::{OUTPUT, relative_error, tensors, text, values};

fn params(file: &str) -> Params {
    Params::from_tensors(tensors(file), "test")
}

/// Compares everything that the reference saw below `prefix`.
fn compare(prefix: &str, run: impl FnOnce(&mut Taps)) {
    let io = tensors("taps/io.safetensors");
    let places: Vec<&str> = io.keys().filter_map(|name| name.strip_prefix(prefix)).collect();
    assert!(places.len() >= 2, "{prefix}: {places:?}");
    let mut taps = Taps::wanting(places.iter().copied());
    run(&mut taps);
    let found = taps.finish().expect("all places exist");
    assert_eq!(found.len(), places.len());
    for (place, ours) in &found {
        let truth = &io[&format!("{prefix}{place}")];
        // The reference's network behind an attention works on tokens as ours does; maps have the same axes.
        let error = relative_error(&values(ours), &values(truth));
        assert!(error <= OUTPUT, "{prefix}{place} is off by {error:.1e}");
    }
}

#[test]
fn places_of_the_unet() {
    let io = tensors("taps/io.safetensors");
    let config = UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("supported");
    let params = params("unet_2d_condition/diffusion_pytorch_model.safetensors");
    let model = UNet2DConditionModel::new(&params, config).expect("the weights fit");
    let given = Conditioning { context: Some(&io["input.context"]), ..Conditioning::default() };
    compare("unet.", |taps| {
        model.forward_with(&io["input.sample"], &[600.0], given, taps).expect("the model runs");
    });
    let mut listing = Taps::listing();
    model.forward_with(&io["input.sample"], &[600.0], given, &mut listing).expect("the model runs");
    assert!(listing.names().iter().any(|name| name == "up.1.attn.2.cross"), "{:?}", listing.names());
    assert!(listing.finish().expect("nothing is wanted").is_empty());
}

#[test]
fn places_of_the_autoencoder() {
    let io = tensors("taps/io.safetensors");
    let config = AutoencoderConfig::parse(&text("autoencoder_kl/config.json")).expect("supported");
    let params = params("autoencoder_kl/diffusion_pytorch_model.safetensors");
    let model = AutoencoderKl::new(&params, config).expect("the weights fit");
    let mut latent = None;
    compare("vae.encode.", |taps| {
        latent = Some(model.encode_with(&io["input.image"], taps).expect("encoding runs").mean);
    });
    let latent = latent.expect("a latent");
    compare("vae.decode.", |taps| {
        model.decode_with(&latent, taps).expect("decoding runs");
    });
}

#[test]
fn layers_of_clip() {
    let io = tensors("taps/io.safetensors");
    let config = TextConfig::parse(&text("clip_text/config.json")).expect("supported");
    let model = ClipTextModel::new(&params("clip_text/model.safetensors"), config).expect("the weights fit");
    let ids = values(&io["input.ids"]).into_iter().map(|id| id as u32).collect();
    compare("clip.text.", |taps| {
        model.forward_with(&[ids], taps).expect("the model runs");
    });
    let config = VisionConfig::parse(&text("clip_vision/config.json")).expect("supported");
    let model = ClipVisionModel::new(&params("clip_vision/model.safetensors"), config).expect("the weights fit");
    compare("clip.image.", |taps| {
        model.forward_with(&io["input.pixels"], taps).expect("the model runs");
    });
}

#[test]
fn an_absent_place_is_named() {
    let config = TextConfig::parse(&text("clip_text/config.json")).expect("supported");
    let model = ClipTextModel::new(&params("clip_text/model.safetensors"), config).expect("the weights fit");
    let mut taps = Taps::wanting(["layer01", "layer99"]);
    model.forward_with(&[vec![1, 2]], &mut taps).expect("the model runs");
    let words = taps.finish().expect_err("there are two layers").to_string();
    assert!(words.contains("`layer99`"), "{words}");
}
