//! Processor seconds per training step of a pack's U-Net and autoencoder, with Winograd's convolution and with the plain
//! one. Processor time, summed over threads, so that other work on the machine matters little (Linux only).
//!
//! `cargo run --release -p percept_models --example training_step -- PACK [ROUNDS]`

use std::{error::Error, io::Write};

use ndarray::{Array2, Array4};
use percept_core::Seed;
use percept_models::{
    autoencoder::AutoencoderConfig,
    exact_convolution,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    train::{AutoencoderTask, Condition, DiffusionTask, Task},
    unet::UnetConfig,
};

/// Seconds that this process has spent on processors.
fn seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("/proc/self/stat is not as expected")?.1;
    let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    percept_models::threads::claim();
    let pack = std::env::args().nth(1).ok_or("usage: training_step PACK [ROUNDS]")?;
    let rounds: usize = std::env::args().nth(2).map_or(Ok(3), |n| n.parse())?;
    let read = |name: &str| std::fs::read_to_string(format!("{pack}/{name}"));
    let unet = UnetConfig::parse(&read("unet/config.json")?)?;
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(&read("scheduler/scheduler_config.json")?)?);
    let vae = AutoencoderConfig::parse(&read("vae/config.json")?)?;
    let normal = |rows: usize, columns: usize, seed: Seed| {
        Array2::from_shape_vec((rows, columns), seed.normal(rows * columns)).expect("as many numbers as cells")
    };
    let (rows, latent, context) = (12, [16, 8, 8], [77, 128]);
    let diffusion = DiffusionTask::new(
        Params::random(Seed::new(1)),
        unet,
        schedule,
        (latent, Condition::Context(context)),
        4,
        |_, seed| Ok((normal(rows, 1024, seed.named("latents")), normal(rows, 77 * 128, seed.named("contexts")))),
    )?;
    let crops = AutoencoderTask::new(Params::random(Seed::new(1)), vae.clone(), 4, 1e-4, |_, seed| {
        Array4::from_shape_vec((16, 32, 32, 3), seed.normal(16 * 32 * 32 * 3)).expect("as many numbers as pixels")
    })?;
    let whole = AutoencoderTask::new(Params::random(Seed::new(1)), vae, 4, 1e-4, |_, seed| {
        Array4::from_shape_vec((6, 64, 64, 3), seed.normal(6 * 64 * 64 * 3)).expect("as many numbers as pixels")
    })?;
    let tasks: [(&str, &dyn Task); 3] =
        [("U-Net, 48 latents", &diffusion), ("autoencoder, 64 crops", &crops), ("autoencoder, 24 pictures", &whole)];
    for (name, task) in tasks {
        let mut best = [f64::INFINITY; 2];
        for _ in 0..rounds {
            for (exact, best) in [false, true].into_iter().zip(&mut best) {
                exact_convolution(exact);
                let start = seconds()?;
                task.gradients(0, Seed::new(7))?;
                *best = best.min(seconds()? - start);
            }
        }
        writeln!(std::io::stdout(), "{name:<26} {:.3} s, plain convolution {:.3} s", best[0], best[1])?;
    }
    Ok(())
}
