//! GPT-2 (Radford et al. 2019): `GPT2Model`. Its linear layers are stored transposed, queries, keys and values in one.

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::json;

use super::model::{LanguageModel, NAME, check_sizes, root};
use crate::{
    config::{self, Rest},
    error::Result,
    nn::{
        block::{FeedForward, Norm, SelfAttention, TokenBlock},
        elementwise::Elementwise,
        layers::{Embedding, Linear},
        params::{Init, Params},
    },
};

#[derive(Deserialize)]
struct Gpt2Config {
    vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_positions: usize,
    #[serde(default)]
    n_inner: Option<usize>,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default = "eps")]
    layer_norm_epsilon: f64,
    #[serde(flatten)]
    rest: Rest,
}

fn gelu_new() -> String {
    "gelu_new".into()
}
fn eps() -> f64 {
    1e-5
}

/// Weight (inputs, outputs) and bias of a stored layer.
fn stored(p: &Params, inputs: usize, outputs: usize) -> Result<(Tensor, Tensor)> {
    Ok((p.get("weight", &[inputs, outputs], Init::Normal { std: 0.02 })?, p.get("bias", &[outputs], Init::Zeros)?))
}

pub(super) fn build(p: &Params, text: &str) -> Result<LanguageModel> {
    let c: Gpt2Config = config::parse(NAME, text)?;
    let mut rest = c.rest.clone();
    rest.retain(|key, _| {
        // Of generation, of heads, and of training.
        !key.starts_with("summary_") && !key.ends_with("_pdrop")
    });
    for key in ["eos_token_id", "n_ctx", "task_specific_params", "tie_word_embeddings", "use_cache"] {
        rest.remove(key);
    }
    config::check_rest(NAME, &rest, &[("scale_attn_weights", json!(true))])?;
    config::check_heads(NAME, "n_head", c.n_head, c.n_embd)?;
    let (width, heads) = (c.n_embd, c.n_head);
    let inner = c.n_inner.unwrap_or(4 * width);
    check_sizes(&[("vocab_size", c.vocab_size), ("n_inner", inner), ("n_positions", c.n_positions)])?;
    let activation = Elementwise::named(NAME, "activation_function", &c.activation_function)?;
    let root = root(p, "transformer");
    let block = |i: usize| -> Result<TokenBlock> {
        let p = root.at("h").at(i);
        let packed = stored(&p.at("attn").at("c_attn"), width, 3 * width)?;
        let cut = |part: usize| Linear::from_columns(&packed, part * width, width);
        let linear =
            |p: &Params, inputs: usize, outputs: usize| Linear::from_columns(&stored(p, inputs, outputs)?, 0, outputs);
        Ok(TokenBlock {
            attention_norm: Norm::layer(&p.at("ln_1"), width, c.layer_norm_epsilon)?,
            attention: SelfAttention {
                q: cut(0)?,
                k: cut(1)?,
                v: cut(2)?,
                out: linear(&p.at("attn").at("c_proj"), width, width)?,
                heads,
                kv_heads: heads,
            },
            network_norm: Norm::layer(&p.at("ln_2"), width, c.layer_norm_epsilon)?,
            network: FeedForward::Plain {
                first: linear(&p.at("mlp").at("c_fc"), width, inner)?,
                activation,
                second: linear(&p.at("mlp").at("c_proj"), inner, width)?,
            },
            norms_behind: false,
        })
    };
    Ok(LanguageModel {
        family: "gpt2",
        vocabulary: c.vocab_size,
        width,
        longest: c.n_positions,
        tokens: Embedding::new(&root.at("wte"), c.vocab_size, width)?,
        positions: Some((Embedding::new(&root.at("wpe"), c.n_positions, width)?, 0)),
        segment: None,
        norm_in: None,
        project_in: None,
        rotary: None,
        blocks: (0..c.n_layer).map(block).collect::<Result<_>>()?,
        norm_out: Some(Norm::layer(&root.at("ln_f"), width, c.layer_norm_epsilon)?),
        project_out: None,
        pooler: None,
        causal: true,
    })
}
