//! Language models with every hidden state: BERT, RoBERTa, GPT-2, OPT, Llama, from transformers' `config.json` and weights.
//!
//! One model serves all families; each family's file says which of its pieces it has and what they are called. Heads
//! that predict words are not built: these models are read, not sampled. All rows of a pass have the same length, so
//! that no padding can reach a state; whoever has texts of many lengths sorts them first.

mod bert;
mod gpt2;
mod llama;
mod model;
mod opt;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde::Deserialize;

pub use model::{LanguageModel, LanguageStates};

use crate::{
    config,
    error::{ModelError, Result},
    nn::params::Params,
    tap::Taps,
};
use model::NAME;

impl LanguageModel {
    /// The families that can be read, as configs name them.
    pub const FAMILIES: [&str; 5] = ["bert", "roberta", "gpt2", "opt", "llama"];

    /// Builds the family that the config's `model_type` names.
    ///
    /// # Errors
    /// [`ModelError::Config`] for another family or settings, missing, extra and misshapen tensors by name.
    pub fn new(tensors: BTreeMap<String, Tensor>, text: &str, origin: &str) -> Result<Self> {
        let p = Self::params(tensors, origin);
        let model = Self::from_params(&p, text)?;
        p.expect_all_used()?;
        Ok(model)
    }

    /// The parameters of a released file: without heads and buffers, under their present names.
    pub fn params(tensors: BTreeMap<String, Tensor>, origin: &str) -> Params {
        Params::from_tensors(tensors.into_iter().filter_map(known).collect(), origin)
    }

    /// As [`Self::new`], from parameters; heads and buffers that the file may hold are the caller's to leave out.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_params(p: &Params, text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: String,
        }
        let kind: Kind = config::parse(NAME, text)?;
        match kind.model_type.as_str() {
            "bert" => bert::build(p, text),
            "roberta" => bert::build_roberta(p, text),
            "gpt2" => gpt2::build(p, text),
            "opt" => opt::build(p, text),
            "llama" => llama::build(p, text),
            other => Err(ModelError::Config {
                component: NAME,
                key: "model_type".into(),
                value: format!("\"{other}\""),
                supported: Self::FAMILIES.join(", "),
            }),
        }
    }

    /// The text side of CLAP, which is a RoBERTa.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of_clap(p: &Params, text: &str) -> Result<Self> {
        bert::build_roberta(p, text)
    }

    /// `bert`, `roberta`, `gpt2`, `opt` or `llama`.
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.tokens.device()
    }

    /// Width of the hidden states.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The most tokens of a text.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Hidden states besides the embeddings.
    pub fn n_layers(&self) -> usize {
        self.blocks.len()
    }

    /// Token ids to hidden states, with places that are read in passing: `layer00` (the embeddings), `layer01`, … as
    /// transformers' `hidden_states`, of which the last stands behind the final norm.
    ///
    /// # Errors
    /// Rows of unequal length, too long, or with ids outside the vocabulary.
    pub fn forward(&self, ids: &[Vec<u32>], taps: &mut Taps) -> Result<LanguageStates> {
        let length = ids.first().map_or(0, Vec::len);
        let refuse = |expected: String, got: String| Err(ModelError::Input { what: "token ids", expected, got });
        if length == 0 || length > self.longest || ids.iter().any(|row| row.len() != length) {
            return refuse(
                format!("rows of equal length, 1 to {}", self.longest),
                format!("lengths {:?}", ids.iter().map(Vec::len).collect::<Vec<_>>()),
            );
        }
        let flat: Vec<u32> = ids.iter().flatten().copied().collect();
        if let Some(id) = flat.iter().find(|&&id| id as usize >= self.vocabulary) {
            return refuse(format!("ids below {}", self.vocabulary), id.to_string());
        }
        let ids = Tensor::from_vec(flat, (ids.len(), length), self.device())?;
        let mut x = self.tokens.forward(&ids)?;
        if let Some(layer) = &self.project_in {
            x = layer.forward(&x)?;
        }
        if let Some(segment) = &self.segment {
            x = x.broadcast_add(segment)?;
        }
        if let Some((table, offset)) = &self.positions {
            x = x.broadcast_add(&table.first(offset + length)?.narrow(0, *offset, length)?)?;
        }
        if let Some(norm) = &self.norm_in {
            x = norm.forward(&x)?;
        }
        taps.see(format_args!("layer00"), &x);
        let angles = self.rotary.as_ref().map(|rotary| rotary.angles(length, self.device())).transpose()?;
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, self.causal, angles.as_ref())?;
            if i + 1 < self.blocks.len() {
                taps.see(format_args!("layer{:02}", i + 1), &x);
            }
        }
        if let Some(norm) = &self.norm_out {
            x = norm.forward(&x)?;
        }
        if let Some(layer) = &self.project_out {
            x = layer.forward(&x)?;
        }
        taps.see(format_args!("layer{:02}", self.blocks.len()), &x);
        let pooled = match &self.pooler {
            Some(layer) => Some(layer.forward(&x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)?.tanh()?),
            None => None,
        };
        Ok(LanguageStates { last_hidden: x, pooled })
    }
}

/// Leaves out what holds no part of the model that is read (heads, stored masks and positions) and gives the layer norms
/// of the first checkpoints their present names.
fn known((name, tensor): (String, Tensor)) -> Option<(String, Tensor)> {
    const HEADS: [&str; 3] = ["cls.", "lm_head.", "score."];
    const BUFFERS: [&str; 4] = [".attn.bias", ".attn.masked_bias", "position_ids", "rotary_emb.inv_freq"];
    if HEADS.iter().any(|head| name.starts_with(head)) || BUFFERS.iter().any(|buffer| name.ends_with(buffer)) {
        return None;
    }
    let name = match name.rsplit_once('.') {
        Some((place, "gamma")) => format!("{place}.weight"),
        Some((place, "beta")) => format!("{place}.bias"),
        _ => name,
    };
    Some((name, tensor))
}
