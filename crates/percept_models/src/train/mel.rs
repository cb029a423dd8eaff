//! The task of an autoencoder of log-mel spectrograms: |Δ| + ½ Δ² + 0.4 |∇Δ| + KL weight · KL.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::{Array2, Array3, ArrayView3};
use percept_core::Seed;

use super::autoencoder::{drawn, edges, normalise};
use super::{Gradients, Task, sharded_gradients};
use crate::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    device::side_by_side,
    error::Result,
    nn::{host::to_vec, params::Params},
};

/// Spectrograms for one shard of one step: (n, frames, mels).
type Spectrograms<'a> = Box<dyn Fn(usize, Seed) -> Array3<f32> + Send + Sync + 'a>;

/// Trains an [`AutoencoderKl`] of one channel.
pub struct MelTask<'a> {
    params: Params,
    model: AutoencoderKl,
    spectrograms: Spectrograms<'a>,
    n_shards: usize,
    kl_weight: f64,
}

impl<'a> MelTask<'a> {
    /// A task on fresh or loaded trainable `params`; `spectrograms(step, seed)` makes one shard of a step's batch.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: AutoencoderConfig,
        n_shards: usize,
        kl_weight: f64,
        spectrograms: impl Fn(usize, Seed) -> Array3<f32> + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = AutoencoderKl::new(&params, config)?;
        Ok(Self { params, model, spectrograms: Box::new(spectrograms), n_shards, kl_weight })
    }
}

/// (n, 1, frames, mels).
fn shown(mels: ArrayView3<'_, f32>, device: &Device) -> Result<Tensor> {
    let (n, frames, bins) = mels.dim();
    Ok(Tensor::from_vec(mels.iter().copied().collect::<Vec<f32>>(), (n, 1, frames, bins), device)?)
}

impl Task for MelTask<'_> {
    fn name(&self) -> &'static str {
        "mel_autoencoder"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let mels = (self.spectrograms)(step, seed.named("sounds"));
            let x = shown(mels.view(), self.model.device())?;
            let (z, kl) = drawn(&self.model.encode(&x)?, seed.named("noise"))?;
            let difference = (self.model.decode(&z)? - x)?;
            let near = (difference.abs()?.mean_all()? + (difference.sqr()?.mean_all()? * 0.5)?)?;
            Ok(((near + (edges(&difference)? * 0.4)?)? + (kl * self.kl_weight)?)?)
        })
    }
}

/// Fresh parameters drawn from `seed` that begin where spectrograms lie: the first convolution sees their deviation as 1 and the last
/// one starts at their mean.
///
/// # Errors
/// A config that is none of an autoencoder.
pub fn begun_at(config: &AutoencoderConfig, mean: f64, deviation: f64, seed: Seed) -> Result<BTreeMap<String, Tensor>> {
    let fresh = Params::random(seed);
    AutoencoderKl::new(&fresh, config.clone())?;
    let mut tensors = fresh.tensors();
    for (name, by, plus) in [
        ("encoder.conv_in.weight", 1.0 / deviation, 0.0),
        ("decoder.conv_out.weight", deviation, 0.0),
        ("decoder.conv_out.bias", 0.0, mean),
    ] {
        if let Some(tensor) = tensors.get_mut(name) {
            *tensor = tensor.affine(by, plus)?;
        }
    }
    Ok(tensors)
}

/// As [`super::normalise_latents`] over spectrograms (n, frames, mels).
///
/// # Errors
/// When the weights do not fit the config.
pub fn normalise_mel_latents(
    weights: &mut BTreeMap<String, Tensor>,
    config: &AutoencoderConfig,
    mels: ArrayView3<'_, f32>,
) -> Result<()> {
    normalise(weights, config, |device| shown(mels, device))
}

/// The mean latents of spectrograms (n, frames, mels) by an autoencoder with these weights, scaled: n × (channels · frames · mels of the
/// latent).
///
/// # Errors
/// When the weights do not fit the config.
pub fn mel_latents(
    weights: &BTreeMap<String, Tensor>,
    config: &AutoencoderConfig,
    mels: ArrayView3<'_, f32>,
) -> Result<Array2<f32>> {
    let params = Params::from_tensors(weights.clone(), "the mel autoencoder");
    let model = AutoencoderKl::new(&params, config.clone())?;
    let rows = side_by_side(model.device(), mels.dim().0, |row| {
        let one = mels.slice(ndarray::s![row..=row, .., ..]);
        let mean = (model.encode(&shown(one, model.device())?)?.mean * config.scaling_factor)?;
        Ok(to_vec(&mean)?)
    })?;
    let width = rows.first().map_or(0, Vec::len);
    let values: Vec<f32> = rows.into_iter().flatten().collect();
    Ok(Array2::from_shape_vec((values.len() / width.max(1), width), values).unwrap_or_default())
}
