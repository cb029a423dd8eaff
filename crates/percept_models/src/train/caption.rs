//! A captioner's task: the next word of a caption, given the picture (BLIP's language-modelling loss; Li et al. 2022, arXiv
//! 2201.12086).
//!
//! The decoder is to read tokens that a brain predicts, and those are shrunken towards the mean picture, mixed up and noisy. So
//! half of the pictures of a batch reach it that way: drawn towards the batch's mean, under errors that look like pictures (a random
//! mixture of the batch), and noise on top.

use std::collections::BTreeMap;

use candle_core::{D, DType, Tensor};
use ndarray::{Array4, ArrayView4};
use percept_core::Seed;
use rand::Rng;

use super::{Gradients, Task, sharded_gradients};
use crate::{
    blip::{Blip, BlipConfig},
    caption::{CaptionWords, Preparation},
    error::{ModelError, Result},
    nn::{host::to_vec, ops, params::Params},
    tap::Taps,
};

/// Pictures (n, H, W, 3) and one caption for each.
type Pairs<'a> = Box<dyn Fn(usize, Seed) -> (Array4<f32>, Vec<String>) + Send + Sync + 'a>;

/// The least that is left of a picture's own difference from the mean.
const SHRUNKEN: f32 = 0.3;
/// The most of a random mixture of pictures, in standard deviations of what is left.
const MIXED: f32 = 0.7;
/// The most noise, in standard deviations of the tokens.
const NOISE: f32 = 0.6;

/// Trains both networks of a captioner together.
pub struct CaptionTask<'a> {
    params: Params,
    blip: Blip,
    words: &'a CaptionWords,
    preparation: Preparation,
    pairs: Pairs<'a>,
    n_shards: usize,
}

impl<'a> CaptionTask<'a> {
    /// A task on fresh or loaded trainable `params`.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: BlipConfig,
        words: &'a CaptionWords,
        preparation: Preparation,
        n_shards: usize,
        pairs: impl Fn(usize, Seed) -> (Array4<f32>, Vec<String>) + Send + Sync + 'a,
    ) -> Result<Self> {
        let blip = Blip::new(&params, config)?;
        Ok(Self { params, blip, words, preparation, pairs: Box::new(pairs), n_shards })
    }

    /// Beginning, words and end of each caption, filled up to the longest, and how many of its tokens are to be predicted.
    fn tokens(&self, captions: &[String]) -> Result<(Vec<Vec<u32>>, Vec<usize>)> {
        let c = &self.blip.config.text;
        let mut rows = Vec::with_capacity(captions.len());
        for caption in captions {
            let mut row = vec![c.bos_token_id];
            row.extend(self.words.encode(caption)?);
            row.truncate(c.max_position_embeddings - 1);
            row.push(c.sep_token_id);
            rows.push(row);
        }
        let lengths: Vec<usize> = rows.iter().map(|row| row.len() - 1).collect();
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        for row in &mut rows {
            row.resize(longest, c.pad_token_id);
        }
        Ok((rows, lengths))
    }

    /// The mean negative logarithm of the probability of every token behind the first.
    fn loss(&self, features: &Tensor, captions: &[String]) -> Result<Tensor> {
        let (rows, lengths) = self.tokens(captions)?;
        let inputs: Vec<Vec<u32>> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
        let states = self.blip.decoder.states(&inputs, features, &mut Taps::none())?;
        let logits = self.blip.decoder.logits(&states)?; // B, L, vocabulary
        let (batch, length, vocabulary) = logits.dims3()?;
        let (mut chosen, mut counts) = (vec![0.0f32; batch * length * vocabulary], vec![0.0f32; batch * length]);
        for (i, (row, &n)) in rows.iter().zip(&lengths).enumerate() {
            for (j, &token) in row[1..=n].iter().enumerate() {
                chosen[(i * length + j) * vocabulary + token as usize] = 1.0;
                counts[i * length + j] = 1.0;
            }
        }
        let n = counts.iter().sum::<f32>().max(1.0);
        let chosen = Tensor::from_vec(chosen, (batch, length, vocabulary), logits.device())?;
        let counts = Tensor::from_vec(counts, (batch, length), logits.device())?;
        let max = logits.max_keepdim(D::Minus1)?.detach();
        let log_sum = (logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()? + max)?.squeeze(D::Minus1)?;
        let total = ((log_sum * counts)?.sum_all()? - (logits * chosen)?.sum_all()?)?;
        Ok((total / f64::from(n))?)
    }
}

/// Half of the pictures as a brain might predict them.
fn disturbed(features: &Tensor, seed: Seed) -> Result<Tensor> {
    let (batch, tokens, width) = features.dims3()?;
    let device = features.device();
    let mut stream = seed.named("disturbed").stream();
    let (mut own, mut other, mut noise) = (vec![1.0f32; batch], vec![0.0f32; batch], vec![0.0f32; batch]);
    for i in 0..batch {
        let [coin, shrunken, mixed, noisy] = std::array::from_fn(|_| stream.random::<f32>());
        if coin < 0.5 {
            let scale = SHRUNKEN + (1.0 - SHRUNKEN) * shrunken;
            (own[i], other[i], noise[i]) = (scale, scale * MIXED * mixed, NOISE * noisy);
        }
    }
    let mean = features.mean_keepdim(0)?.detach();
    let centred = features.broadcast_sub(&mean)?;
    let sd = centred.detach().sqr()?.mean_all()?.sqrt()?.to_scalar::<f32>()?;
    let column = |values: Vec<f32>| Tensor::from_vec(values, (batch, 1, 1), device);
    // Weights of unit variance over the batch: what is mixed in varies as much as a picture does.
    let weights = seed.named("mixture").normal(batch * batch).into_iter().map(|w| w / (batch as f32).sqrt()).collect();
    let weights = Tensor::from_vec::<_, f32>(weights, (batch, batch), device)?;
    let mixture = weights.matmul(&centred.detach().flatten_from(1)?)?.reshape((batch, tokens, width))?;
    let draws = seed.named("noise").normal(batch * tokens * width);
    let draws = Tensor::from_vec(draws, (batch, tokens, width), device)?;
    let noise = noise.into_iter().map(|share| share * sd).collect();
    let x = (centred.broadcast_mul(&column(own)?)? + mixture.broadcast_mul(&column(other)?)?)?;
    Ok((x + draws.broadcast_mul(&column(noise)?)?)?.broadcast_add(&mean)?)
}

impl Task for CaptionTask<'_> {
    fn name(&self) -> &'static str {
        "captioner"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn describe(&self) -> String {
        format!("disturbed {SHRUNKEN} {MIXED} {NOISE}")
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let seed = seed.at(shard as u64);
            let (pictures, captions) = (self.pairs)(step, seed);
            let x = self.preparation.apply(&pictures.view(), self.blip.vision.device())?;
            let features = self.blip.vision.forward(&x, &mut Taps::none())?;
            self.loss(&disturbed(&features, seed)?, &captions)
        })
    }
}

/// A captioner's parameters whose Vision Transformer begins as CLIP's image encoder of the same sizes. CLIP's norm before the
/// first layer has no place in a BLIP: its gain goes into the embeddings, with the mean spread over `pictures` in place of each
/// token's own. Everything else is drawn from `seed`.
///
/// # Errors
/// An image encoder of other sizes.
pub fn begun_by_clip(
    config: &BlipConfig,
    clip: &BTreeMap<String, Tensor>,
    pictures: ArrayView4<'_, f32>,
    preparation: Preparation,
    seed: Seed,
) -> Result<BTreeMap<String, Tensor>> {
    let fresh = Params::random(seed);
    Blip::new(&fresh, config.clone())?;
    let mut tensors = fresh.tensors();
    let get = |name: &str| -> Result<Tensor> {
        let found = clip.get(name).or_else(|| clip.get(&format!("vision_model.{name}")));
        let tensor = found.ok_or_else(|| ModelError::MissingTensor {
            name: name.to_owned(),
            shape: vec![],
            origin: "the image encoder of the pack".into(),
        })?;
        Ok(tensor.to_dtype(DType::F32)?)
    };
    let patch = get("embeddings.patch_embedding.weight")?;
    let (width, _, size, _) = patch.dims4()?;
    let positions = get("embeddings.position_embedding.weight")?;
    let x = preparation.apply(&pictures, patch.device())?;
    let bias = Tensor::zeros(width, DType::F32, patch.device())?;
    let cells = ops::conv2d(&x, &patch, &bias, size, [0; 4])?.flatten_from(2)?.transpose(1, 2)?;
    let cells = cells.broadcast_add(&positions.narrow(0, 1, positions.dim(0)? - 1)?)?;
    let centred = cells.broadcast_sub(&cells.mean_keepdim(D::Minus1)?)?;
    let spread = to_vec(&centred.sqr()?.mean(D::Minus1)?.sqrt()?)?;
    let spread = spread.iter().map(|&v| f64::from(v)).sum::<f64>() / spread.len().max(1) as f64;
    let gain = (get("pre_layrnorm.weight")? / spread)?;
    let mut put = |name: String, tensor: Tensor| tensors.insert(format!("vision_model.{name}"), tensor);
    put("embeddings.patch_embedding.weight".into(), patch.broadcast_mul(&gain.reshape((width, 1, 1, 1))?)?);
    put("embeddings.patch_embedding.bias".into(), get("pre_layrnorm.bias")?);
    put(
        "embeddings.class_embedding".into(),
        ((get("embeddings.class_embedding")? * &gain)? + get("pre_layrnorm.bias")?)?.reshape((1, 1, width))?,
    );
    put("embeddings.position_embedding".into(), positions.broadcast_mul(&gain)?.unsqueeze(0)?);
    for i in 0..config.vision.num_hidden_layers {
        let layer = format!("encoder.layers.{i}");
        for kind in ["weight", "bias"] {
            let parts = ["q_proj", "k_proj", "v_proj"]
                .iter()
                .map(|part| get(&format!("{layer}.self_attn.{part}.{kind}")))
                .collect::<Result<Vec<_>>>()?;
            put(format!("{layer}.self_attn.qkv.{kind}"), Tensor::cat(&parts, 0)?);
            put(format!("{layer}.self_attn.projection.{kind}"), get(&format!("{layer}.self_attn.out_proj.{kind}"))?);
            for same in ["layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"] {
                put(format!("{layer}.{same}.{kind}"), get(&format!("{layer}.{same}.{kind}"))?);
            }
        }
    }
    Ok(tensors)
}
