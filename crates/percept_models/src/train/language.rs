//! The task of a language model: the next token, by cross-entropy, with the head that shares the embeddings.

use candle_core::{D, Tensor};
use percept_core::Seed;

use super::{Gradients, Task, sharded_gradients};
use crate::{error::Result, language::LanguageModel, nn::params::Params, tap::Taps};

/// Rows of token ids of equal length.
type Rows<'a> = Box<dyn Fn(usize, Seed) -> Result<Vec<Vec<u32>>> + Send + Sync + 'a>;

/// Trains a causal language model whose linear layers are stored as they are used (Llama, OPT; GPT-2's are not).
pub struct LanguageTask<'a> {
    params: Params,
    model: LanguageModel,
    rows: Rows<'a>,
    n_shards: usize,
}

impl<'a> LanguageTask<'a> {
    /// A task on fresh or loaded trainable `params`, with the model of a config; `rows(step, seed)` gives one shard's texts.
    ///
    /// # Errors
    /// Parameters that do not fit the config.
    pub fn new(
        params: Params,
        config: &str,
        n_shards: usize,
        rows: impl Fn(usize, Seed) -> Result<Vec<Vec<u32>>> + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = LanguageModel::from_params(&params, config)?;
        Ok(Self { params, model, rows: Box::new(rows), n_shards })
    }
}

/// The mean cross-entropy of every token but the first of each row, in nats.
fn loss(model: &LanguageModel, ids: &[Vec<u32>]) -> Result<Tensor> {
    let states = model.forward(ids, &mut Taps::none())?.last_hidden;
    let (rows, length, width) = states.dims3()?;
    let n = rows * (length - 1);
    let before = states.narrow(1, 0, length - 1)?.contiguous()?.reshape((n, width))?;
    let scores = model.scores(&before)?;
    let next: Vec<u32> = ids.iter().flat_map(|row| row[1..].iter().copied()).collect();
    let next = Tensor::from_vec(next, (n, 1), model.device())?;
    let max = scores.max_keepdim(D::Minus1)?.detach();
    let log_sum = (scores.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()? + max)?;
    Ok((log_sum - scores.gather(&next, 1)?)?.mean_all()?)
}

/// How many bits a model needs for each token of `rows`, which it has not seen.
///
/// # Errors
/// Rows that the model cannot read.
pub fn bits_per_token(model: &LanguageModel, rows: &[Vec<u32>]) -> Result<f64> {
    let mut total = 0.0;
    for row in rows {
        total += f64::from(loss(model, std::slice::from_ref(row))?.to_scalar::<f32>()?);
    }
    Ok(total / rows.len().max(1) as f64 / std::f64::consts::LN_2)
}

impl Task for LanguageTask<'_> {
    fn name(&self) -> &'static str {
        "language"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            loss(&self.model, &(self.rows)(step, seed.at(shard as u64))?)
        })
    }
}
