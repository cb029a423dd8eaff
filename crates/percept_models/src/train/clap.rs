//! CLAP's task: sounds and captions of the same piece close, all others apart (Wu et al. 2023, arXiv 2211.06687).
//!
//! Rows of a batch that carry the same caption are not negatives of each other.

use std::collections::BTreeMap;

use candle_core::Tensor;
use percept_core::Seed;

use super::clip::{contrast, same_captions};
use super::{Gradients, Task, two_phase_gradients};
use crate::{
    error::Result,
    nn::params::{Init, Params},
    sound::{
        clap::ClapModel,
        hearing::{ClapHearing, Heard},
    },
    tap::Taps,
    tokenizer::TextTokenizer,
};

/// Sounds of one channel, at the rate of the hearing, and one caption for each.
type Pairs<'a> = Box<dyn Fn(usize, Seed) -> (Vec<Vec<f32>>, Vec<String>) + Send + Sync + 'a>;

/// The name of the logarithm of the scale of cosines.
const SCALE: &str = "logit_scale_a";

/// Trains both sides of a CLAP together. Parameters are named as in transformers.
pub struct ClapTask<'a> {
    params: Params,
    model: ClapModel,
    logit_scale: Tensor,
    hearing: &'a ClapHearing,
    tokenizer: &'a TextTokenizer,
    pairs: Pairs<'a>,
    n_shards: usize,
}

impl<'a> ClapTask<'a> {
    /// A task on fresh or loaded trainable `params`; `pairs(step, seed)` makes one shard of a step's batch.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: &str,
        hearing: &'a ClapHearing,
        tokenizer: &'a TextTokenizer,
        n_shards: usize,
        pairs: impl Fn(usize, Seed) -> (Vec<Vec<f32>>, Vec<String>) + Send + Sync + 'a,
    ) -> Result<Self> {
        let logit_scale = params.get(SCALE, &[1], Init::Ones)?;
        let model = ClapModel::from_params(&params, config)?;
        Ok(Self { model, params, logit_scale, hearing, tokenizer, pairs: Box::new(pairs), n_shards })
    }

    /// Sounds side by side, (B, 1, frames, mels).
    fn heard(&self, sounds: &[Vec<f32>]) -> Result<(Tensor, Vec<bool>)> {
        let all: Vec<Heard> =
            sounds.iter().map(|sound| self.hearing.hear(sound, self.model.device())).collect::<Result<_>>()?;
        let mels: Vec<&Tensor> = all.iter().map(|heard| &heard.mels).collect();
        Ok((Tensor::cat(&mels, 0)?, all.iter().map(|heard| heard.is_longer).collect()))
    }

    /// Captions in their order, (B, width): texts of one length are read together, since there is no padding.
    fn read(&self, captions: &[String]) -> Result<Tensor> {
        let ids = captions.iter().map(|caption| self.tokenizer.encode(caption)).collect::<Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&row| (ids[row].len(), row));
        let mut parts = Vec::new();
        for rows in order.chunk_by(|&a, &b| ids[a].len() == ids[b].len()) {
            let of: Vec<Vec<u32>> = rows.iter().map(|&row| ids[row].clone()).collect();
            parts.push(self.model.embed_ids(&of, &mut Taps::none())?);
        }
        let mut place = vec![0u32; order.len()];
        for (sorted, &row) in order.iter().enumerate() {
            place[row] = sorted as u32;
        }
        let place = Tensor::from_vec(place, order.len(), self.model.device())?;
        Ok(Tensor::cat(&parts, 0)?.index_select(&place, 0)?)
    }
}

impl Task for ClapTask<'_> {
    fn name(&self) -> &'static str {
        "clap"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        use rayon::prelude::*;
        let batches: Vec<(Vec<Vec<f32>>, Vec<String>)> =
            (0..self.n_shards).into_par_iter().map(|shard| (self.pairs)(step, seed.at(shard as u64))).collect();
        let captions: Vec<&String> = batches.iter().flat_map(|(_, captions)| captions).collect();
        let same = same_captions(&captions, self.model.device())?;
        two_phase_gradients(
            &self.params,
            self.n_shards,
            |shard| {
                let (sounds, captions) = &batches[shard];
                let (mels, is_longer) = self.heard(sounds)?;
                let audio = self.model.embed_mels(&mels, &is_longer, &mut Taps::none())?;
                // The scale passes through the shards, each carrying it once, so that it receives its gradient there.
                Ok(vec![self.read(captions)?, audio, self.logit_scale.reshape((1, 1))?])
            },
            |outputs| contrast(&outputs[0], &outputs[1], &outputs[2].mean_all()?, &same),
        )
    }
}

/// Whether a trained parameter belongs to the model, and not to the loss alone.
pub fn is_of_clap(name: &str) -> bool {
    name != SCALE
}

/// A CLAP's beginning: everything drawn from `seed`, but the norm before the first layer, which knows mean and variance of every mel of
/// `sounds`. Of these tensors all but [`is_statistic`] are to be trained.
///
/// # Errors
/// A config that is none; sounds that cannot be heard.
pub fn begun_clap(
    config: &str,
    hearing: &ClapHearing,
    sounds: &[Vec<f32>],
    seed: Seed,
) -> Result<BTreeMap<String, Tensor>> {
    let fresh = Params::random(seed);
    fresh.get(SCALE, &[1], Init::Ones)?;
    let model = ClapModel::from_params(&fresh, config)?;
    let mels = sounds.iter().map(|sound| Ok(hearing.hear(sound, model.device())?.mels)).collect::<Result<Vec<_>>>()?;
    let bins = mels.first().map_or(Ok(0), |mels| mels.dim(3))?;
    let all = Tensor::cat(&mels, 0)?.reshape(((), bins))?;
    let mean = all.mean(0)?;
    let variance = (all.broadcast_sub(&mean)?.sqr()?.mean(0)? + 1e-3)?;
    let mut tensors = fresh.tensors();
    tensors.insert("audio_model.audio_encoder.batch_norm.running_mean".to_owned(), mean);
    tensors.insert("audio_model.audio_encoder.batch_norm.running_var".to_owned(), variance);
    Ok(tensors)
}

/// Whether a tensor of a CLAP or a vocoder is a statistic of its data, and not trained.
pub fn is_statistic(name: &str) -> bool {
    name.contains("running_") || name == "mean" || name == "scale"
}
