//! Steps of Brain-to-Context at full size: how long they take and how much memory, printed as JSON.
//!
//!     cargo run --release -p percept_models --example b2c_step -- UNET_CONFIG.json [STEPS] [checkpoints|whole] [DEVICE]
//!
//! The U-Net has random weights of the given config (Stable Diffusion 1.4's `unet/config.json` for the real size); the
//! encoder reads four groups of 3,931 numbers, as many as NSD's subject 1 has voxels in `nsdgeneral`, and has the paper's six
//! blocks; all losses are on, the batch is one sample.

use std::{io::Write, time::Instant};

use candle_core::Tensor;
use ndarray::Array2;
use percept_core::Seed;
use percept_models::{
    context_encoder::{ContextEncoderConfig, GroupConfig, tokens_in_proportion},
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    train::{AdamW, ContextBatch, ContextLosses, ContextTask, Denoiser, Optimiser, Task, context_parameters},
    unet::{UNet2DConditionModel, UnetConfig},
};

const TOKENS: usize = 77;
const GROUPS: [(&str, usize); 4] = [("V1", 3931), ("V2-4", 3931), ("higher visual", 3931), ("other", 3931)];
const SCHEDULE: &str = r#"{"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "prediction_type": "epsilon", "clip_sample": false}"#;

/// The most memory this process has held, in bytes (Linux; 0 elsewhere).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kb| kb * 1024)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    percept_models::threads::claim();
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which U-Net? (name its config.json)")?;
    let steps: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let checkpoints = arguments.next().is_some_and(|word| word == "checkpoints");
    if let Some(device) = arguments.next() {
        percept_models::device::choose(device.parse()?)?;
    }
    let config = UnetConfig::parse(&std::fs::read_to_string(path)?)?;
    let (width, side, channels) = (config.context_width(), config.sample_size.unwrap_or(64), config.in_channels);
    let shares = tokens_in_proportion(&GROUPS.map(|(_, inputs)| inputs), TOKENS)?;
    let group = |((name, inputs), tokens): ((&str, usize), usize)| GroupConfig { name: name.into(), inputs, tokens };
    let encoder = ContextEncoderConfig {
        groups: GROUPS.into_iter().zip(shares).map(group).collect(),
        hidden_size: width,
        context_size: width,
        num_hidden_layers: 6,
        num_attention_heads: (width / 64).max(1),
        intermediate_size: 4 * width,
        rank: None,
        dropout: 0.1,
        rest: std::collections::BTreeMap::new(),
    };
    let seed = Seed::new(1);
    let unet = {
        let params = Params::random_training(seed.named("unet"), |_| false);
        UNet2DConditionModel::new(&params, config.clone())?;
        params.tensors()
    };
    let n_unet: usize = unet.values().map(Tensor::elem_count).sum();
    let n_encoder = encoder.n_parameters();
    let params = context_parameters(seed, &encoder, unet, "random weights", true)?;
    let denoiser = Denoiser {
        config,
        schedule: NoiseSchedule::new(SchedulerConfig::parse(SCHEDULE)?),
        latent_shape: [channels, side, side],
        empty_context: seed.named("empty").normal(TOKENS * width),
    };
    let losses = ContextLosses {
        epsilon: 1.0,
        velocity: 1.0,
        x0_mse: 0.5,
        x0_cosine: 0.1,
        x0_ssim: 0.1,
        latent_range: 8.0,
        clip_mse: 1.0,
        clip_cosine: 1.0,
        contrastive: 0.0,
        temperature: 0.05,
        min_snr: 5.0,
    };
    let rows = |n: usize, of: Seed| Array2::from_shape_vec((1, n), of.normal(n)).expect("one row");
    let batch = move |_: usize, seed: Seed| {
        Ok(ContextBatch {
            inputs: rows(GROUPS.iter().map(|(_, inputs)| inputs).sum(), seed.named("inputs")),
            latents: rows(channels * side * side, seed.named("latents")),
            contexts: rows(TOKENS * width, seed.named("contexts")),
            unconditional: vec![false],
        })
    };
    let task = ContextTask::new(params, encoder, denoiser, losses, (1, 0.3), batch)?.with_checkpoints(checkpoints);
    let n_changed: usize =
        task.params().vars().values().map(|var| var.as_tensor().elem_count()).sum::<usize>() - n_encoder;
    let mut optimiser = Optimiser::with_rates(task.params(), AdamW::default(), |name| task.rate_of(name))?;
    for step in 0..steps {
        let start = Instant::now();
        let gradients = task.gradients(step, seed.named("steps").at(step as u64))?;
        let forward_and_backward = start.elapsed().as_secs_f64();
        optimiser.update(&gradients, 1e-5)?;
        writeln!(
            std::io::stdout(),
            "{{\"step\": {step}, \"checkpoints\": {checkpoints}, \"loss\": {:.4}, \"seconds_gradients\": {forward_and_backward:.2}, \"seconds\": {:.2}, \
             \"peak_gb\": {:.2}, \"encoder_weights\": {n_encoder}, \"unet_weights\": {n_unet}, \"unet_trained\": {n_changed}}}",
            gradients.loss,
            start.elapsed().as_secs_f64(),
            peak() as f64 / 1e9
        )?;
    }
    Ok(())
}
