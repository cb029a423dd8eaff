//! CLIP's task: pictures and captions of the same drawing close, all others apart (Radford et al. 2021).
//!
//! Rows of a batch that carry the same caption are not negatives of each other.

use candle_core::{D, Device, Tensor};
use ndarray::Array4;
use percept_core::Seed;

use super::{Gradients, Task, two_phase_gradients};
use crate::{
    error::Result,
    nn::params::{Init, Params},
    preprocess::picture_tensor,
    text::{ClipTextModel, TextConfig},
    tokenizer::ClipTokenizer,
    vision::{ClipVisionModel, VisionConfig},
};

/// Pictures (n, H, W, 3) and one caption for each.
type Pairs<'a> = Box<dyn Fn(usize, Seed) -> (Array4<f32>, Vec<String>) + Send + Sync + 'a>;

/// Trains text and vision encoder together. Parameters are named `text.…` and `vision.…`, and `logit_scale`.
pub struct ClipTask<'a> {
    params: Params,
    text: ClipTextModel,
    vision: ClipVisionModel,
    logit_scale: Tensor,
    tokenizer: &'a ClipTokenizer,
    pairs: Pairs<'a>,
    n_shards: usize,
    /// Tokens computed while training; the attention is causal, so padding behind the text changes nothing before it.
    crop: usize,
    full_length_from: usize,
}

impl<'a> ClipTask<'a> {
    /// A task on fresh or loaded trainable `params`. Texts are cropped to `crop` tokens before step `full_length_from`.
    ///
    /// # Errors
    /// Parameters that do not fit the configs.
    pub fn new(
        params: Params,
        (text, vision): (TextConfig, VisionConfig),
        tokenizer: &'a ClipTokenizer,
        n_shards: usize,
        (crop, full_length_from): (usize, usize),
        pairs: impl Fn(usize, Seed) -> (Array4<f32>, Vec<String>) + Send + Sync + 'a,
    ) -> Result<Self> {
        let logit_scale = params.get("logit_scale", &[1], Init::Ones)?;
        Ok(Self {
            text: ClipTextModel::new(&params.at("text"), text)?,
            vision: ClipVisionModel::new(&params.at("vision"), vision)?,
            params,
            logit_scale,
            tokenizer,
            pairs: Box::new(pairs),
            n_shards,
            crop,
            full_length_from,
        })
    }
}

/// n × n: a large negative number where two different rows carry the same caption, 0 elsewhere.
pub(super) fn same_captions(captions: &[&String], device: &Device) -> Result<Tensor> {
    let n = captions.len();
    let mut same = vec![0.0f32; n * n];
    for (i, a) in captions.iter().enumerate() {
        for (j, b) in captions.iter().enumerate() {
            if i != j && a == b {
                same[i * n + j] = -1e4;
            }
        }
    }
    Ok(Tensor::from_vec(same, (n, n), device)?)
}

/// The symmetric contrastive loss over a batch of embeddings.
pub(super) fn contrast(text: &Tensor, picture: &Tensor, scale: &Tensor, same: &Tensor) -> Result<Tensor> {
    let unit =
        |x: &Tensor| -> Result<Tensor> { Ok(x.broadcast_div(&(x.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?)?) };
    // `scale` starts at 1 and its logarithm is learnt through exp(2.66 s), so that s = 1 means CLIP's 1/0.07.
    let logits = unit(text)?.matmul(&unit(picture)?.t()?)?.broadcast_mul(&(scale * 2.659_26)?.exp()?)?;
    let logits = (logits + same)?;
    let n = logits.dim(0)?;
    let eye = Tensor::eye(n, logits.dtype(), logits.device())?;
    let hit = (&logits * &eye)?.sum_all()?;
    let log_sum = |x: &Tensor| -> Result<Tensor> {
        let max = x.max_keepdim(D::Minus1)?.detach();
        Ok((x.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()? + max)?.sum_all()?)
    };
    let total = (log_sum(&logits)? + log_sum(&logits.t()?.contiguous()?)?)?;
    Ok(((total - (hit * 2.0)?)? / (2 * n) as f64)?)
}

impl Task for ClipTask<'_> {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        let batches: Vec<(Array4<f32>, Vec<String>)> = {
            use rayon::prelude::*;
            (0..self.n_shards).into_par_iter().map(|shard| (self.pairs)(step, seed.at(shard as u64))).collect()
        };
        let captions: Vec<&String> = batches.iter().flat_map(|(_, captions)| captions).collect();
        let same = same_captions(&captions, self.vision.device())?;
        let scale = self.logit_scale.clone();
        let crop = if step < self.full_length_from { self.crop } else { self.tokenizer.length() };
        two_phase_gradients(
            &self.params,
            self.n_shards,
            |shard| {
                let (pictures, captions) = &batches[shard];
                let ids = captions
                    .iter()
                    .map(|caption| {
                        let mut ids = self.tokenizer.encode(caption)?;
                        ids.truncate(crop);
                        Ok(ids)
                    })
                    .collect::<Result<Vec<_>>>()?;
                let states = self.text.forward(&ids)?;
                let text = self.text.project(&states.pooled)?;
                let x = picture_tensor(&pictures.view(), [0.5; 3], [0.5; 3], self.vision.device())?;
                // The scale passes through the shards, each carrying it once, so that it receives its gradient there.
                let scale = scale.reshape((1, 1))?;
                Ok(vec![text, self.vision.forward(&x)?.embedding, scale])
            },
            |outputs| {
                let scale = outputs[2].mean_all()?;
                contrast(&outputs[0], &outputs[1], &scale, &same)
            },
        )
    }
}
