//! Times one case of `benches/peers/diffusion.py`: a model of a real configuration with random weights.
//!
//! `speed CONFIG.json unet|unet-kv|unet-context|unet-motion|vae-decode|clip-text|vit|video-mae ROUNDS`; prints seconds per round, peak bytes and the
//! rate of a plain matrix product between the rounds as JSON.
//! `unet-motion` is a film of 16 frames; its CONFIG.json holds `unet` and `adapter`.
//! `unet-context` is `unet-kv` with the gradient of the context too, and with activation checkpoints.

use std::{error::Error, io::Write, time::Instant};

use candle_core::{Device, Tensor, Var};
use percept_core::Seed;
use percept_models::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    nn::params::Params,
    run::{peak_bytes, sgemm_rate},
    tap::Taps,
    text::{ClipTextModel, TextConfig},
    train::sharded_gradients,
    unet::{MotionConfig, UNet2DConditionModel, UNetMotionModel, UnetConfig},
    video_mae::{VideoMaeConfig, VideoMaeModel},
    vit::{VitConfig, VitModel},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn normal(name: &str, shape: &[usize]) -> Result<Tensor> {
    let values = Seed::new(1).named(name).normal(shape.iter().product());
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// A case, ready to run.
fn case(name: &str, config: &str) -> Result<Box<dyn Fn() -> Result<()>>> {
    let seed = Seed::new(2);
    let unet = |params: &Params| -> Result<_> {
        let model = UNet2DConditionModel::new(params, UnetConfig::parse(config)?)?;
        Ok((model, normal("latents", &[1, 4, 64, 64])?, normal("context", &[1, 77, 768])?))
    };
    Ok(match name {
        "unet" => {
            let (model, latents, context) = unet(&Params::random_training(seed, |_| false))?;
            Box::new(move || {
                model.forward(&latents, &[500.0], &context)?;
                Ok(())
            })
        }
        "unet-kv" | "unet-context" => {
            let keys_and_values = |name: &str| name.contains("attn2.to_k") || name.contains("attn2.to_v");
            let params = Params::random_training(seed, keys_and_values);
            let (model, latents, context) = unet(&params)?;
            let checkpoints = name == "unet-context";
            let model = model.with_checkpoints(checkpoints);
            let context = if checkpoints { Var::from_tensor(&context)?.into_inner() } else { context };
            Box::new(move || {
                sharded_gradients(&params, 1, |_| {
                    Ok(model.forward(&latents, &[500.0], &context)?.sqr()?.mean_all()?)
                })?;
                Ok(())
            })
        }
        "unet-motion" => {
            let both: serde_json::Value = serde_json::from_str(config)?;
            let unet = UnetConfig::parse(&both["unet"].to_string())?;
            let motion = MotionConfig::parse_adapter(&both["adapter"].to_string(), &unet)?;
            let model = UNetMotionModel::new(&Params::random_training(seed, |_| false), unet, motion)?;
            let (latents, context) = (normal("latents", &[1, 4, 16, 64, 64])?, normal("context", &[1, 77, 768])?);
            Box::new(move || {
                model.forward(&latents, &[500.0], &context)?;
                Ok(())
            })
        }
        "vit" => {
            let params = Params::random_training(seed, |_| false);
            let model = VitModel::new(&params, VitConfig::parse(config)?)?;
            let pixels = normal("pixels", &[2, 3, 224, 224])?;
            Box::new(move || {
                model.forward(&pixels, &mut Taps::none())?;
                Ok(())
            })
        }
        "video-mae" => {
            let params = Params::random_training(seed, |_| false);
            let model = VideoMaeModel::new(&params, VideoMaeConfig::parse(config)?)?;
            let pixels = normal("pixels", &[1, 16, 3, 224, 224])?;
            Box::new(move || {
                model.forward(&pixels, &mut Taps::none())?;
                Ok(())
            })
        }
        "vae-decode" => {
            let params = Params::random_training(seed, |_| false);
            let model = AutoencoderKl::new(&params, AutoencoderConfig::parse(config)?)?;
            let latents = normal("latents", &[1, 4, 64, 64])?;
            Box::new(move || {
                model.decode(&latents)?;
                Ok(())
            })
        }
        "clip-text" => {
            let params = Params::random_training(seed, |_| false);
            let model = ClipTextModel::new(&params, TextConfig::parse(config)?)?;
            let ids = vec![(0..77).map(|i| 1 + i * 640).collect()];
            Box::new(move || {
                model.forward(&ids)?;
                Ok(())
            })
        }
        _ => {
            let cases = "unet, unet-kv, unet-context, unet-motion, vae-decode, clip-text, vit, video-mae";
            return Err(format!("no case `{name}` (there are {cases})").into());
        }
    })
}

fn main() -> Result<()> {
    percept_models::threads::claim();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, name, rounds] = arguments.as_slice() else {
        return Err("usage: speed CONFIG.json CASE ROUNDS".into());
    };
    let run = case(name, &std::fs::read_to_string(config)?)?;
    run()?;
    let (mut seconds, mut rate) = (Vec::new(), 0f64);
    for _ in 0..rounds.parse::<usize>()? {
        let start = Instant::now();
        run()?;
        seconds.push(start.elapsed().as_secs_f64());
        rate = rate.max(sgemm_rate());
    }
    let peak = peak_bytes().ok_or("this system does not tell how much memory a process took")?;
    writeln!(
        std::io::stdout(),
        "{{\"seconds\": {seconds:?}, \"peak_bytes\": {peak}, \"flops_per_second\": {rate:?}}}"
    )?;
    Ok(())
}
