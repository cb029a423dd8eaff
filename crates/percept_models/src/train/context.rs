//! The task of Brain-to-Context (Ishizaki & Kobayashi 2026): an encoder of recordings and the keys and values of a frozen
//! U-Net's cross-attention learn together, from what the U-Net makes of noised latents and from the captions' contexts.
//!
//! The terms, each with a weight: squared errors of noise, velocity and clean latent; cosine and structural similarity of
//! the clean latent; and the "CLIP loss": squared error, cosine (token by token) and contrast of the context against that
//! of the captions. The U-Net's output is turned into all three forms whatever it was trained to predict. Squared errors of
//! noise and velocity are weighted by min-SNR-γ where that is asked for; terms on the clean latent are weighted by ᾱ, since
//! an estimate of the latent from noise alone has an error that grows as 1/ᾱ.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::Array2;
use percept_core::Seed;

use super::{Gradients, Task, optimiser::Loss, sharded_gradients, similarity};
use crate::{
    context_encoder::{ContextEncoder, ContextEncoderConfig},
    error::{ModelError, Result},
    nn::params::Params,
    pack::row_tensor,
    scheduler::{NoiseSchedule, Prediction},
    unet::{UNet2DConditionModel, UnetConfig},
};

/// Weights of the terms; a term of weight 0 is not computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContextLosses {
    /// Squared error of the noise.
    pub epsilon: f64,
    /// Squared error of the velocity.
    pub velocity: f64,
    /// Squared error of the clean latent.
    pub x0_mse: f64,
    /// 1 − cosine of the clean latent.
    pub x0_cosine: f64,
    /// 1 − structural similarity of the clean latent.
    pub x0_ssim: f64,
    /// The span of latent values, for structural similarity.
    pub latent_range: f64,
    /// Squared error of the context.
    pub clip_mse: f64,
    /// 1 − cosine of the context, token by token.
    pub clip_cosine: f64,
    /// Contrast of contexts within a shard.
    pub contrastive: f64,
    /// Its temperature.
    pub temperature: f64,
    /// γ of min-SNR weighting; 0 weighs all steps alike.
    pub min_snr: f64,
}

impl ContextLosses {
    fn uses_unet(&self) -> bool {
        self.epsilon + self.velocity + self.x0_mse + self.x0_cosine + self.x0_ssim > 0.0
    }

    fn uses_text(&self) -> bool {
        self.clip_mse + self.clip_cosine + self.contrastive > 0.0
    }
}

/// One shard of one step's batch; n rows each.
pub struct ContextBatch {
    /// n × inputs of the encoder.
    pub inputs: Array2<f32>,
    /// Scaled latents, n × (channels · h · w).
    pub latents: Array2<f32>,
    /// Contexts of the captions, n × (tokens · width).
    pub contexts: Array2<f32>,
    /// Rows that the U-Net sees under the empty caption's context.
    pub unconditional: Vec<bool>,
}

/// Makes one shard's batch from the step and a seed.
type Batch<'a> = Box<dyn Fn(usize, Seed) -> Result<ContextBatch> + Send + Sync + 'a>;

/// The frozen side of the task: what the U-Net is and how noise is mixed in.
#[derive(Clone)]
pub struct Denoiser {
    /// The U-Net's config.
    pub config: UnetConfig,
    /// The noise schedule.
    pub schedule: NoiseSchedule,
    /// (channels, height, width) of a latent.
    pub latent_shape: [usize; 3],
    /// The empty caption's context, (tokens · width).
    pub empty_context: Vec<f32>,
}

/// Whether `name` is a key or value projection of cross-attention in a U-Net of the diffusers layout.
pub fn is_cross_key_or_value(name: &str) -> bool {
    name.ends_with(".attn2.to_k.weight") || name.ends_with(".attn2.to_v.weight")
}

/// The place of the encoder among the parameters.
pub const ENCODER: &str = "encoder";
/// The place of the U-Net among the parameters.
pub const UNET: &str = "unet";

/// Parameters of a task: a fresh encoder drawn from `seed`, beside the U-Net's `tensors` (named in errors by `origin`). The
/// encoder trains, and with `trains_unet` the keys and values of cross-attention do.
///
/// # Errors
/// A config that is not supported.
pub fn context_parameters(
    seed: Seed,
    encoder: &ContextEncoderConfig,
    tensors: BTreeMap<String, Tensor>,
    origin: &str,
    trains_unet: bool,
) -> Result<Params> {
    let fresh = Params::random(seed);
    ContextEncoder::new(&fresh.at(ENCODER), encoder.clone())?;
    let mut all = fresh.tensors();
    all.extend(tensors.into_iter().map(|(name, tensor)| (format!("{UNET}.{name}"), tensor)));
    let is_encoder = format!("{ENCODER}.");
    Ok(Params::from_tensors_training(all, origin, move |name| {
        name.starts_with(&is_encoder) || (trains_unet && is_cross_key_or_value(name))
    }))
}

/// Trains a [`ContextEncoder`] through a U-Net.
pub struct ContextTask<'a> {
    params: Params,
    encoder: ContextEncoder,
    unet: UNet2DConditionModel,
    denoiser: Denoiser,
    losses: ContextLosses,
    n_shards: usize,
    kv_rate: f64,
    batch: Batch<'a>,
}

impl<'a> ContextTask<'a> {
    /// A task on `params`, which hold the encoder at [`ENCODER`] and the U-Net at [`UNET`] and say what of them trains.
    /// `kv_rate` is the learning rate of the U-Net's part as a share of the encoder's; `batch(step, seed)` makes one shard.
    ///
    /// # Errors
    /// Parameters that do not fit the configs; trainable keys and values without a loss that goes through them.
    pub fn new(
        params: Params,
        encoder: ContextEncoderConfig,
        denoiser: Denoiser,
        losses: ContextLosses,
        (n_shards, kv_rate): (usize, f64),
        batch: impl Fn(usize, Seed) -> Result<ContextBatch> + Send + Sync + 'a,
    ) -> Result<Self> {
        let encoder = ContextEncoder::new(&params.at(ENCODER), encoder)?;
        let unet = UNet2DConditionModel::new(&params.at(UNET), denoiser.config.clone())?;
        Ok(Self { params, encoder, unet, denoiser, losses, n_shards, kv_rate, batch: Box::new(batch) })
    }

    /// The same with activations of the U-Net made again in the backward pass instead of held: less memory, more time.
    #[must_use]
    pub fn with_checkpoints(self, checkpoints: bool) -> Self {
        Self { unet: self.unet.with_checkpoints(checkpoints), ..self }
    }

    /// The encoder in its present state.
    pub fn encoder(&self) -> &ContextEncoder {
        &self.encoder
    }

    /// What a loss is worth, with its terms, without any gradient.
    ///
    /// # Errors
    /// As [`Self::loss`].
    pub fn loss_value(&self, batch: &ContextBatch, draws: &[Noised]) -> Result<(f64, Vec<(&'static str, f64)>)> {
        let loss = self.loss(batch, draws, None, 0)?;
        Ok((f64::from(loss.total.to_scalar::<f32>()?), loss.terms))
    }

    /// The loss of one batch and its terms; with `dropout` the encoder drops values by that seed.
    ///
    /// # Errors
    /// Rows that do not fit; [`ModelError::NotFinite`] naming the term that is no number.
    pub fn loss(&self, batch: &ContextBatch, draws: &[Noised], dropout: Option<Seed>, step: usize) -> Result<Loss> {
        let inputs = tensor(&batch.inputs, &[batch.inputs.ncols()], self.encoder.device())?;
        let context = self.encoder.forward(&inputs, dropout)?;
        let shape = [context.dim(1)?, context.dim(2)?];
        let mut sum = Sum { total: None, terms: Vec::new(), step };
        let l = &self.losses;
        if l.uses_text() {
            let target = tensor(&batch.contexts, &shape, context.device())?;
            if l.clip_mse > 0.0 {
                sum.add("clip_mse", l.clip_mse, (&context - &target)?.sqr()?.mean_all()?)?;
            }
            if l.clip_cosine > 0.0 {
                let cosine = similarity::cosine(&context, &target)?.mean_all()?;
                sum.add("clip_cosine", l.clip_cosine, (1.0 - cosine)?)?;
            }
            if l.contrastive > 0.0 {
                let (a, b) = (context.flatten_from(1)?, target.flatten_from(1)?);
                sum.add("contrastive", l.contrastive, similarity::contrastive(&a, &b, l.temperature)?)?;
            }
        }
        if l.uses_unet() {
            let seen = self.with_empty(&context, &batch.unconditional)?;
            self.denoise(&batch.latents, draws, &seen, &mut sum)?;
        }
        match sum.total {
            Some(total) => Ok(Loss { total, terms: sum.terms }),
            None => Err(ModelError::Input {
                what: "losses of the context",
                expected: "at least one weight above 0".into(),
                got: "none".into(),
            }),
        }
    }

    /// The context with the rows marked replaced by the empty caption's.
    fn with_empty(&self, context: &Tensor, replaced: &[bool]) -> Result<Tensor> {
        if !replaced.contains(&true) {
            return Ok(context.clone());
        }
        let (rows, tokens, width) = context.dims3()?;
        let keep: Vec<f32> = replaced.iter().map(|&replaced| if replaced { 0.0 } else { 1.0 }).collect();
        let keep = Tensor::from_vec(keep, (rows, 1, 1), context.device())?;
        let empty = Tensor::from_slice(&self.denoiser.empty_context, (1, tokens, width), context.device())?;
        let fill = empty.broadcast_mul(&(1.0 - &keep)?)?;
        Ok((context.broadcast_mul(&keep)? + fill)?)
    }

    /// The terms that go through the U-Net.
    fn denoise(&self, latents: &Array2<f32>, draws: &[Noised], context: &Tensor, sum: &mut Sum) -> Result<()> {
        let (l, schedule) = (&self.losses, &self.denoiser.schedule);
        let device = self.unet.device();
        let clean = tensor(latents, &self.denoiser.latent_shape, device)?;
        let noise: Vec<f32> = draws.iter().flat_map(|draw| draw.noise.iter().copied()).collect();
        let noise = Tensor::from_vec(noise, clean.shape(), device)?;
        let column = |of: &dyn Fn(usize) -> f64| -> Result<Tensor> {
            let values: Vec<f32> = draws.iter().map(|draw| of(draw.step) as f32).collect();
            Ok(Tensor::from_vec(values, (draws.len(), 1, 1, 1), device)?)
        };
        let signal = column(&|step| schedule.mix(step).0)?;
        let amount = column(&|step| schedule.mix(step).1)?;
        let mixed =
            |a: &Tensor, b: &Tensor| -> Result<Tensor> { Ok((a.broadcast_mul(&signal)? + b.broadcast_mul(&amount)?)?) };
        let less =
            |a: &Tensor, b: &Tensor| -> Result<Tensor> { Ok((a.broadcast_mul(&signal)? - b.broadcast_mul(&amount)?)?) };
        let noisy = mixed(&clean, &noise)?;
        let steps: Vec<f64> = draws.iter().map(|draw| draw.step as f64).collect();
        let output = self.unet.forward(&noisy, &steps, context)?;
        // √ᾱ may be nearly 0 at the noisiest steps of a model of noise; ᾱ weighs those terms down by its square.
        let invert = column(&|step| 1.0 / schedule.mix(step).0.max(1e-4))?;
        let divide = column(&|step| 1.0 / schedule.mix(step).1.max(1e-4))?;
        let x0 = || -> Result<Tensor> {
            match schedule.config().prediction_type {
                Prediction::Sample => Ok(output.clone()),
                Prediction::Epsilon => Ok((&noisy - output.broadcast_mul(&amount)?)?.broadcast_mul(&invert)?),
                Prediction::VPrediction => less(&noisy, &output),
            }
        };
        let epsilon = || -> Result<Tensor> {
            match schedule.config().prediction_type {
                Prediction::Epsilon => Ok(output.clone()),
                Prediction::Sample => Ok((&noisy - output.broadcast_mul(&signal)?)?.broadcast_mul(&divide)?),
                Prediction::VPrediction => Ok((output.broadcast_mul(&signal)? + noisy.broadcast_mul(&amount)?)?),
            }
        };
        let squared = |a: &Tensor, b: &Tensor, weight: &dyn Fn(usize) -> f64| -> Result<Tensor> {
            let weight = column(weight)?.flatten_all()?;
            Ok(((a - b)?.sqr()?.flatten_from(1)?.mean(1)? * weight)?.mean_all()?)
        };
        let snr = |of: Prediction| {
            move |step: usize| if l.min_snr > 0.0 { schedule.min_snr_weight(step, l.min_snr, of) } else { 1.0 }
        };
        if l.epsilon > 0.0 {
            sum.add("epsilon", l.epsilon, squared(&epsilon()?, &noise, &snr(Prediction::Epsilon))?)?;
        }
        if l.velocity > 0.0 {
            let truth = less(&noise, &clean)?;
            let made = less(&epsilon()?, &x0()?)?;
            sum.add("velocity", l.velocity, squared(&made, &truth, &snr(Prediction::VPrediction))?)?;
        }
        if l.x0_mse + l.x0_cosine + l.x0_ssim > 0.0 {
            let made = x0()?;
            let share = |step: usize| schedule.alpha_cumprod(step);
            let weights = column(&share)?.flatten_all()?;
            let weighted = |dissimilar: Tensor| -> Result<Tensor> { Ok((dissimilar * &weights)?.mean_all()?) };
            if l.x0_mse > 0.0 {
                sum.add("x0_mse", l.x0_mse, squared(&made, &clean, &share)?)?;
            }
            if l.x0_cosine > 0.0 {
                let cosine = similarity::cosine(&made.flatten_from(1)?, &clean.flatten_from(1)?)?;
                sum.add("x0_cosine", l.x0_cosine, weighted((1.0 - cosine)?)?)?;
            }
            if l.x0_ssim > 0.0 {
                let similar = similarity::ssim(&made, &clean, l.latent_range)?;
                sum.add("x0_ssim", l.x0_ssim, weighted((1.0 - similar)?)?)?;
            }
        }
        Ok(())
    }
}

/// Terms as they come in.
struct Sum {
    total: Option<Tensor>,
    terms: Vec<(&'static str, f64)>,
    step: usize,
}

impl Sum {
    fn add(&mut self, name: &'static str, weight: f64, term: Tensor) -> Result<()> {
        let value = f64::from(term.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(ModelError::NotFinite { what: format!("the loss term `{name}`"), step: self.step });
        }
        self.terms.push((name, value));
        let weighted = (term * weight)?;
        self.total = Some(match self.total.take() {
            None => weighted,
            Some(sum) => (sum + weighted)?,
        });
        Ok(())
    }
}

/// The noise of one row, and the training step at which it is mixed in.
pub struct Noised {
    /// Standard normal, one value per latent value.
    pub noise: Vec<f32>,
    /// The training step.
    pub step: usize,
}

/// Noise and steps for `rows` rows of shard `shard` of `n_shards`: the steps are stratified over the whole batch.
pub fn draw_noise(
    seed: Seed,
    rows: usize,
    length: usize,
    (shard, n_shards): (usize, usize),
    total: usize,
) -> Vec<Noised> {
    use rand::Rng;
    let mut stream = seed.named("steps").stream();
    let slots = (rows * n_shards) as f64;
    (0..rows)
        .map(|row| {
            let at = ((row * n_shards + shard) as f64 + stream.random::<f64>()) / slots;
            let noise = seed.named("noise").at(row as u64).normal(length);
            Noised { noise, step: ((at * total as f64) as usize).min(total - 1) }
        })
        .collect()
}

impl Task for ContextTask<'_> {
    fn name(&self) -> &'static str {
        "b2c"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn describe(&self) -> String {
        format!("{:?} {:?} {} {}", self.losses, self.encoder.config(), self.n_shards, self.kv_rate)
    }

    fn rate_of(&self, name: &str) -> f64 {
        if name.starts_with(UNET) { self.kv_rate } else { 1.0 }
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        let total = self.denoiser.schedule.config().num_train_timesteps;
        let length = self.denoiser.latent_shape.iter().product();
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let batch = (self.batch)(step, seed.named("batch"))?;
            let draws = if self.losses.uses_unet() {
                draw_noise(seed, batch.inputs.nrows(), length, (shard, self.n_shards), total)
            } else {
                Vec::new()
            };
            self.loss(&batch, &draws, Some(seed.named("dropout")), step)
        })
    }
}

fn tensor(rows: &Array2<f32>, shape: &[usize], device: &Device) -> Result<Tensor> {
    let expected: usize = shape.iter().product();
    if expected != rows.ncols() {
        return Err(ModelError::Input {
            what: "rows of a context batch",
            expected: format!("{expected} columns"),
            got: rows.ncols().to_string(),
        });
    }
    row_tensor(&rows.view(), shape, device)
}
