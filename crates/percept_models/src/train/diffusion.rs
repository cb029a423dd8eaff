//! The U-Net's task: predict what the schedule asks for (noise, velocity or clean sample) from noised latents, under a context or a
//! class vector.

use candle_core::Tensor;
use ndarray::Array2;
use percept_core::Seed;

use super::{Gradients, Task, sharded_gradients};
use crate::{
    error::Result,
    nn::params::Params,
    scheduler::NoiseSchedule,
    tap::Taps,
    unet::{Conditioning, UNet2DConditionModel, UnetConfig},
};

/// What a denoiser is told beside the noisy latents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Tokens of this number and width, for the cross-attention.
    Context([usize; 2]),
    /// One vector of this width, for the class embedding.
    Class(usize),
}

/// Scaled latents n × (C·h·w) and conditions n × (all of their numbers) for one shard of one step.
type Batch<'a> = Box<dyn Fn(usize, Seed) -> Result<(Array2<f32>, Array2<f32>)> + Send + Sync + 'a>;

/// Trains a [`UNet2DConditionModel`]. Dropping the context (for classifier-free guidance) is the data's part.
pub struct DiffusionTask<'a> {
    params: Params,
    model: UNet2DConditionModel,
    schedule: NoiseSchedule,
    latent_shape: [usize; 3],
    condition: Condition,
    n_shards: usize,
    batch: Batch<'a>,
    /// What the batches are, in words.
    data: String,
}

impl<'a> DiffusionTask<'a> {
    /// A task on fresh or loaded trainable `params`; `batch(step, seed)` makes one shard of a step's batch.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: UnetConfig,
        schedule: NoiseSchedule,
        (latent_shape, condition): ([usize; 3], Condition),
        n_shards: usize,
        batch: impl Fn(usize, Seed) -> Result<(Array2<f32>, Array2<f32>)> + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = UNet2DConditionModel::new(&params, config)?;
        Ok(Self {
            params,
            model,
            schedule,
            latent_shape,
            condition,
            n_shards,
            batch: Box::new(batch),
            data: String::new(),
        })
    }

    /// Says what the batches are made of; a checkpoint of a run on something else is refused.
    #[must_use]
    pub fn on(mut self, data: String) -> Self {
        self.data = data;
        self
    }
}

impl Task for DiffusionTask<'_> {
    fn name(&self) -> &'static str {
        "unet"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn describe(&self) -> String {
        self.data.clone()
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        use rand::Rng;
        let total = self.schedule.config().num_train_timesteps;
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let (latents, contexts) = (self.batch)(step, seed.named("batch"))?;
            let rows = latents.nrows();
            let length = latents.ncols();
            let noise = seed.named("noise").normal(latents.len());
            let mut stream = seed.named("steps").stream();
            // Stratified over the batch: each row draws from its own slice of the training steps.
            let slots = rows * self.n_shards;
            let steps: Vec<usize> = (0..rows)
                .map(|row| {
                    let slot = (row * self.n_shards + shard) as f64;
                    let at = (slot + stream.random::<f64>()) / slots as f64;
                    ((at * total as f64) as usize).min(total - 1)
                })
                .collect();
            let (mut noisy, mut target) = (Vec::with_capacity(noise.len()), Vec::with_capacity(noise.len()));
            for ((clean, noise), &step) in latents.rows().into_iter().zip(noise.chunks(length)).zip(&steps) {
                let (signal, amount) = self.schedule.mix(step);
                let (of_clean, of_noise) = self.schedule.target(step);
                for (&c, &n) in clean.iter().zip(noise) {
                    noisy.push((signal * f64::from(c) + amount * f64::from(n)) as f32);
                    target.push((of_clean * f64::from(c) + of_noise * f64::from(n)) as f32);
                }
            }
            let [c, h, w] = self.latent_shape;
            let device = self.model.device();
            let noisy = Tensor::from_vec(noisy, (rows, c, h, w), device)?;
            let target = Tensor::from_vec(target, (rows, c, h, w), device)?;
            let contexts = contexts.into_raw_vec_and_offset().0;
            let steps: Vec<f64> = steps.into_iter().map(|step| step as f64).collect();
            let output = match self.condition {
                Condition::Context([tokens, width]) => {
                    let context = Tensor::from_vec(contexts, (rows, tokens, width), device)?;
                    self.model.forward(&noisy, &steps, &context)?
                }
                Condition::Class(width) => {
                    let class = Tensor::from_vec(contexts, (rows, width), device)?;
                    let given = Conditioning { class: Some(&class), ..Conditioning::default() };
                    self.model.forward_with(&noisy, &steps, given, &mut Taps::none())?
                }
            };
            Ok((output - target)?.sqr()?.mean_all()?)
        })
    }
}
