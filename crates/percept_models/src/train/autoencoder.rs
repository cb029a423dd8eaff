//! The autoencoder's task: reconstruct pictures, with luminance, colour and edges each in the loss.
//!
//! A plain squared error hides lost colour (a yellow ball turned orange costs little), so the loss works in YCbCr and
//! weighs chroma three times: |Y| + 3 (|Cb| + |Cr|) + 2 MSE + 0.4 |∇| + KL weight · KL.
//!
//! Afterwards the decoder can be sharpened alone, for latents as they are: then the mean over pictures of ln MSE (what PSNR
//! measures) is added, and latents are means without noise.

use candle_core::{Device, Tensor};
use ndarray::Array4;
use percept_core::Seed;

use super::{Gradients, Task, sharded_gradients};
use crate::{
    autoencoder::{AutoencoderConfig, AutoencoderKl, LatentGaussian},
    error::Result,
    nn::{host::to_vec, kernel, params::Params},
    preprocess::picture_tensor,
};

/// Pictures for one shard of one step: (n, H, W, 3) in 0..=1.
type Pictures<'a> = Box<dyn Fn(usize, Seed) -> Array4<f32> + Send + Sync + 'a>;

/// Trains an [`AutoencoderKl`].
pub struct AutoencoderTask<'a> {
    params: Params,
    model: AutoencoderKl,
    pictures: Pictures<'a>,
    n_shards: usize,
    kl_weight: f64,
    sharpens: bool,
}

/// Whether a parameter of the autoencoder belongs to the decoding side.
pub fn is_decoding(name: &str) -> bool {
    name.starts_with("decoder.") || name.starts_with("post_quant_conv.")
}

/// Added to squared errors before their logarithm: an error of one level in 256.
const ONE_LEVEL: f64 = 6e-5;

impl<'a> AutoencoderTask<'a> {
    /// A task on fresh or loaded trainable `params`; `pictures(step, seed)` draws one shard of a step's batch.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: AutoencoderConfig,
        n_shards: usize,
        kl_weight: f64,
        pictures: impl Fn(usize, Seed) -> Array4<f32> + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = AutoencoderKl::new(&params, config)?;
        Ok(Self { params, model, pictures: Box::new(pictures), n_shards, kl_weight, sharpens: false })
    }

    /// A task that sharpens the decoder of a trained autoencoder; of `params` only what [`is_decoding`] should train.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn sharpening(
        params: Params,
        config: AutoencoderConfig,
        n_shards: usize,
        pictures: impl Fn(usize, Seed) -> Array4<f32> + Send + Sync + 'a,
    ) -> Result<Self> {
        Ok(Self { sharpens: true, ..Self::new(params, config, n_shards, 0.0, pictures)? })
    }

    /// The model in its present state.
    pub fn model(&self) -> &AutoencoderKl {
        &self.model
    }

    fn loss(&self, x: &Tensor, seed: Seed) -> Result<Tensor> {
        let latent = self.model.encode(x)?;
        if self.sharpens {
            let difference = (self.model.decode(&latent.mean.detach())? - x)?;
            let square = (difference.sqr()?.flatten_from(1)?.mean(1)? + ONE_LEVEL)?;
            return Ok((picture_loss(&difference)? + (square.log()?.mean_all()? * 0.1)?)?);
        }
        let (z, kl) = drawn(&latent, seed)?;
        let difference = (self.model.decode(&z)? - x)?;
        Ok((picture_loss(&difference)? + (kl * self.kl_weight)?)?)
    }
}

/// A draw of the latent, and its mean divergence from a standard normal distribution.
pub(super) fn drawn(latent: &LatentGaussian, seed: Seed) -> Result<(Tensor, Tensor)> {
    let noise = Tensor::from_vec(seed.normal(latent.mean.elem_count()), latent.mean.shape(), latent.mean.device())?;
    let z = (&latent.mean + ((&latent.log_variance * 0.5)?.exp()? * noise)?)?;
    let kl = (((latent.mean.sqr()? + latent.log_variance.exp()?)? - &latent.log_variance)? - 1.0)?;
    Ok((z, (kl.mean_all()? * 0.5)?))
}

/// The mean absolute difference between neighbours in height and in width.
pub(super) fn edges(difference: &Tensor) -> Result<Tensor> {
    let (height, width) = (difference.dim(2)?, difference.dim(3)?);
    let vertical = (difference.narrow(2, 1, height - 1)? - difference.narrow(2, 0, height - 1)?)?;
    let horizontal = (difference.narrow(3, 1, width - 1)? - difference.narrow(3, 0, width - 1)?)?;
    Ok((vertical.abs()?.mean_all()? + horizontal.abs()?.mean_all()?)?)
}

/// Luminance, colour, squares and edges of a difference of pictures.
fn picture_loss(difference: &Tensor) -> Result<Tensor> {
    let plane = |weights: [f64; 3]| -> Result<Tensor> {
        let part = |c: usize| -> Result<Tensor> { Ok((difference.narrow(1, c, 1)? * weights[c])?) };
        Ok(((part(0)? + part(1)?)? + part(2)?)?)
    };
    let luminance = plane([0.299, 0.587, 0.114])?;
    let mean_abs = |t: &Tensor| -> Result<Tensor> { Ok(t.abs()?.mean_all()?) };
    let chroma = (mean_abs(&plane([-0.1687, -0.3313, 0.5])?)? + mean_abs(&plane([0.5, -0.4187, -0.0813])?)?)?;
    let picture = ((mean_abs(&luminance)? + (chroma * 3.0)?)? + (difference.sqr()?.mean_all()? * 2.0)?)?;
    Ok((picture + (edges(difference)? * 0.4)?)?)
}

impl Task for AutoencoderTask<'_> {
    fn name(&self) -> &'static str {
        if self.sharpens { "decoder" } else { "autoencoder" }
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let pictures = (self.pictures)(step, seed.named("pictures"));
            let x = picture_tensor(&pictures.view(), [0.5; 3], [0.5; 3], self.model.device())?;
            self.loss(&x, seed.named("noise"))
        })
    }
}

/// Makes every latent channel of `weights` zero-mean and unit-variance over `pictures` by changing `quant_conv` and
/// `post_quant_conv` alone, so that what the autoencoder reconstructs stays the same and `scaling_factor` is 1.
///
/// # Errors
/// When the weights do not fit the config.
pub fn normalise_latents(
    weights: &mut std::collections::BTreeMap<String, Tensor>,
    config: &AutoencoderConfig,
    pictures: &Array4<f32>,
) -> Result<()> {
    normalise(weights, config, |device| picture_tensor(&pictures.view(), [0.5; 3], [0.5; 3], device))
}

/// As [`normalise_latents`], over what the model is shown.
pub(super) fn normalise(
    weights: &mut std::collections::BTreeMap<String, Tensor>,
    config: &AutoencoderConfig,
    shown: impl FnOnce(&Device) -> Result<Tensor>,
) -> Result<()> {
    let model = AutoencoderKl::new(&Params::from_tensors(weights.clone(), "trained weights"), config.clone())?;
    let x = shown(model.device())?;
    let mean = kernel::serial(|| model.encode(&x))?.mean;
    let (n, channels, height, width) = mean.dims4()?;
    let pixels = height * width;
    let values = to_vec(&mean)?;
    let count = (n * pixels) as f64;
    let over = |c: usize, f: &dyn Fn(f64) -> f64| -> f64 {
        (0..n).flat_map(|i| &values[(i * channels + c) * pixels..][..pixels]).map(|&v| f(f64::from(v))).sum::<f64>()
            / count
    };
    let shift: Vec<f64> = (0..channels).map(|c| over(c, &|v| v)).collect();
    let scale: Vec<f64> = (0..channels).map(|c| over(c, &|v| (v - shift[c]).powi(2)).sqrt().max(1e-6)).collect();

    let old = match weights.get("post_quant_conv.weight") {
        Some(tensor) => to_vec(tensor)?,
        None => return Ok(()),
    };
    let mut edit = |name: &str, f: &dyn Fn(&mut [f32])| -> Result<()> {
        if let Some(tensor) = weights.get_mut(name) {
            let mut values = to_vec(tensor)?;
            f(&mut values);
            *tensor = Tensor::from_vec(values, tensor.shape(), tensor.device())?;
        }
        Ok(())
    };
    // Mean rows: (m − shift) / scale; log-variance rows: lower by 2 ln scale.
    edit("quant_conv.weight", &|w| {
        for c in 0..channels {
            w[c * 2 * channels..(c + 1) * 2 * channels].iter_mut().for_each(|v| *v /= scale[c] as f32);
        }
    })?;
    edit("quant_conv.bias", &|b| {
        for c in 0..channels {
            b[c] = ((f64::from(b[c]) - shift[c]) / scale[c]) as f32;
            b[channels + c] -= (2.0 * scale[c].ln()) as f32;
        }
    })?;
    // The decoding side undoes it: W (scale · z + shift) + b.
    edit("post_quant_conv.weight", &|w| {
        for (i, v) in w.iter_mut().enumerate() {
            *v *= scale[i % channels] as f32;
        }
    })?;
    edit("post_quant_conv.bias", &|b| {
        for (o, v) in b.iter_mut().enumerate() {
            let moved: f64 = (0..channels).map(|c| f64::from(old[o * channels + c]) * shift[c]).sum();
            *v += moved as f32;
        }
    })
}
