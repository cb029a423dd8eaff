//! The task of motion modules: predict what the schedule asks for from noised latents of films, the U-Net around them frozen.
//!
//! Frames share a part of their noise (Ge et al. 2023, arXiv 2305.10474): of a film, a random share of the noise's variance is the same
//! in all frames, from none (as AnimateDiff trains) to most of it, so that films can be made from one shared noise too. Modules begin
//! with an output of 0 (Guo et al. 2024, arXiv 2307.04725): at first, a film is its pictures.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use ndarray::Array2;
use percept_core::Seed;

use super::{Gradients, Task, sharded_gradients};
use crate::{
    error::Result,
    nn::params::Params,
    scheduler::NoiseSchedule,
    tap::Taps,
    unet::{Conditioning, MotionConfig, UNetMotionModel, UnetConfig},
};

/// The largest share of a film's noise that its frames have in common.
const MOST_SHARED: f64 = 0.9;

/// Whether a tensor of a U-Net with motion modules belongs to those.
pub fn is_of_motion(name: &str) -> bool {
    name.contains(".motion_modules.")
}

/// The tensors of a U-Net (`unet`) with fresh motion modules drawn from `seed`.
///
/// # Errors
/// Tensors that do not fit the configs.
pub fn begun_motion(
    unet: BTreeMap<String, Tensor>,
    (config, motion): (&UnetConfig, &MotionConfig),
    seed: Seed,
) -> Result<BTreeMap<String, Tensor>> {
    let fresh = Params::random(seed);
    UNetMotionModel::new(&fresh, config.clone(), motion.clone())?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in fresh.tensors().into_iter().filter(|(name, _)| is_of_motion(name)) {
        let is_last = name.contains(".proj_out.");
        tensors.insert(name, if is_last { tensor.zeros_like()? } else { tensor });
    }
    for (name, tensor) in unet {
        tensors.insert(name, tensor.to_dtype(DType::F32)?);
    }
    Ok(tensors)
}

/// Scaled latents (films · frames) × (C·h·w) and contexts (films · frames) × (tokens · width) for one shard of one step.
type Batch<'a> = Box<dyn Fn(usize, Seed) -> Result<(Array2<f32>, Array2<f32>)> + Send + Sync + 'a>;

/// Trains the motion modules of a [`UNetMotionModel`]. Dropping contexts (for classifier-free guidance) is the data's part.
pub struct MotionTask<'a> {
    params: Params,
    model: UNetMotionModel,
    schedule: NoiseSchedule,
    latent_shape: [usize; 3],
    context_shape: [usize; 2],
    frames: usize,
    n_shards: usize,
    batch: Batch<'a>,
    /// What the batches are, in words.
    data: String,
}

impl<'a> MotionTask<'a> {
    /// A task on `params`, of which those of motion modules train; `batch(step, seed)` makes one shard of a step's batch, films of
    /// `frames` frames.
    ///
    /// # Errors
    /// Parameters that do not fit the configs.
    pub fn new(
        params: Params,
        (config, motion): (UnetConfig, MotionConfig),
        schedule: NoiseSchedule,
        (latent_shape, context_shape, frames): ([usize; 3], [usize; 2], usize),
        n_shards: usize,
        batch: impl Fn(usize, Seed) -> Result<(Array2<f32>, Array2<f32>)> + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = UNetMotionModel::new(&params, config, motion)?;
        let (batch, data): (Batch<'a>, _) = (Box::new(batch), String::new());
        Ok(Self { params, model, schedule, latent_shape, context_shape, frames, n_shards, batch, data })
    }

    /// Says what the batches are made of; a checkpoint of a run on something else is refused.
    #[must_use]
    pub fn on(mut self, data: String) -> Self {
        self.data = data;
        self
    }

    /// Unit noise for `films` films: their frames share a random part of it.
    fn noise(&self, films: usize, length: usize, seed: Seed) -> Vec<f32> {
        use rand::Rng;
        let mut stream = seed.named("shared").stream();
        let mut all = Vec::with_capacity(films * self.frames * length);
        for film in 0..films as u64 {
            let share = MOST_SHARED * stream.random::<f64>() * f64::from(u8::from(stream.random_bool(0.7)));
            let (of_shared, of_own) = (share.sqrt() as f32, (1.0 - share).sqrt() as f32);
            let shared = seed.named("film").at(film).normal(length);
            for frame in 0..self.frames as u64 {
                let own = seed.named("frame").at(film).at(frame).normal(length);
                all.extend(shared.iter().zip(own).map(|(&shared, own)| of_shared * shared + of_own * own));
            }
        }
        all
    }
}

impl Task for MotionTask<'_> {
    fn name(&self) -> &'static str {
        "motion"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn describe(&self) -> String {
        format!("{} frames of {}", self.frames, self.data)
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        use rand::Rng;
        let total = self.schedule.config().num_train_timesteps;
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let (latents, contexts) = (self.batch)(step, seed.named("batch"))?;
            let (rows, length) = latents.dim();
            let films = rows / self.frames;
            let noise = self.noise(films, length, seed.named("noise"));
            let mut stream = seed.named("steps").stream();
            // Stratified over the batch, one step for each film.
            let slots = (films * self.n_shards) as f64;
            let steps: Vec<usize> = (0..films)
                .map(|film| {
                    let at = ((film * self.n_shards + shard) as f64 + stream.random::<f64>()) / slots;
                    ((at * total as f64) as usize).min(total - 1)
                })
                .collect();
            let (mut noisy, mut target) = (Vec::with_capacity(noise.len()), Vec::with_capacity(noise.len()));
            for (row, (clean, noise)) in latents.rows().into_iter().zip(noise.chunks(length)).enumerate() {
                let step = steps[row / self.frames];
                let (signal, amount) = self.schedule.mix(step);
                let (of_clean, of_noise) = self.schedule.target(step);
                for (&c, &n) in clean.iter().zip(noise) {
                    noisy.push((signal * f64::from(c) + amount * f64::from(n)) as f32);
                    target.push((of_clean * f64::from(c) + of_noise * f64::from(n)) as f32);
                }
            }
            let ([c, h, w], [tokens, width]) = (self.latent_shape, self.context_shape);
            let device = self.model.device();
            // (B·F, C, h, w) → (B, C, F, h, w)
            let films_of = |values: Vec<f32>| -> Result<Tensor> {
                let frames = Tensor::from_vec(values, (films, self.frames, c, h, w), device)?;
                Ok(frames.transpose(1, 2)?.contiguous()?)
            };
            let (noisy, target) = (films_of(noisy)?, films_of(target)?);
            let context = Tensor::from_vec(contexts.into_raw_vec_and_offset().0, (rows, tokens, width), device)?;
            let steps: Vec<f64> = steps.into_iter().map(|step| step as f64).collect();
            let given = Conditioning { context: Some(&context), ..Conditioning::default() };
            let output = self.model.forward_with(&noisy, &steps, given, &mut Taps::none())?;
            Ok((output - target)?.sqr()?.mean_all()?)
        })
    }
}
