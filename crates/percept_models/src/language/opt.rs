//! OPT (Zhang et al. 2022, arXiv 2205.01068): `OPTModel`, with the narrower embeddings and the norms behind the layers
//! that its 350-million-parameter size has.

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
        params::Params,
    },
};

/// PyTorch's default, which OPT's norms have.
const EPS: f64 = 1e-5;
/// Rows of the table of positions before the first position.
const OFFSET: usize = 2;

#[derive(Deserialize)]
struct OptConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    ffn_dim: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    word_embed_proj_dim: Option<usize>,
    #[serde(default = "yes")]
    do_layer_norm_before: bool,
    #[serde(default, rename = "_remove_final_layer_norm")]
    remove_final_norm: bool,
    #[serde(default = "relu")]
    activation_function: String,
    #[serde(flatten)]
    rest: Rest,
}

fn yes() -> bool {
    true
}
fn relu() -> String {
    "relu".into()
}

pub(super) fn build(p: &Params, text: &str) -> Result<LanguageModel> {
    let c: OptConfig = config::parse(NAME, text)?;
    let mut rest = c.rest.clone();
    // Of generation and of training.
    for key in
        ["activation_dropout", "eos_token_id", "init_std", "layerdrop", "prefix", "tie_word_embeddings", "use_cache"]
    {
        rest.remove(key);
    }
    let harmless = [("enable_bias", json!(true)), ("layer_norm_elementwise_affine", json!(true))];
    config::check_rest(NAME, &rest, &harmless)?;
    config::check_heads(NAME, "num_attention_heads", c.num_attention_heads, c.hidden_size)?;
    let (width, heads) = (c.hidden_size, c.num_attention_heads);
    let narrow = c.word_embed_proj_dim.unwrap_or(width);
    check_sizes(&[
        ("vocab_size", c.vocab_size),
        ("ffn_dim", c.ffn_dim),
        ("max_position_embeddings", c.max_position_embeddings),
        ("word_embed_proj_dim", narrow),
    ])?;
    let activation = Elementwise::named(NAME, "activation_function", &c.activation_function)?;
    let root = root(&root(p, "model"), "decoder");
    let block = |i: usize| -> Result<TokenBlock> {
        let p = root.at("layers").at(i);
        let square = |name: &str| Linear::new(&p.at("self_attn").at(name), width, width);
        Ok(TokenBlock {
            attention_norm: Norm::layer(&p.at("self_attn_layer_norm"), width, EPS)?,
            attention: SelfAttention {
                q: square("q_proj")?,
                k: square("k_proj")?,
                v: square("v_proj")?,
                out: square("out_proj")?,
                heads,
                kv_heads: heads,
            },
            network_norm: Norm::layer(&p.at("final_layer_norm"), width, EPS)?,
            network: FeedForward::Plain {
                first: Linear::new(&p.at("fc1"), width, c.ffn_dim)?,
                activation,
                second: Linear::new(&p.at("fc2"), c.ffn_dim, width)?,
            },
            norms_behind: !c.do_layer_norm_before,
        })
    };
    let project = |name: &str, inputs: usize, outputs: usize| -> Result<Option<Linear>> {
        (narrow != width).then(|| Linear::without_bias(&root.at(name), inputs, outputs)).transpose()
    };
    let rows = c.max_position_embeddings + OFFSET;
    Ok(LanguageModel {
        family: "opt",
        vocabulary: c.vocab_size,
        width: narrow,
        longest: c.max_position_embeddings,
        tokens: Embedding::new(&root.at("embed_tokens"), c.vocab_size, narrow)?,
        positions: Some((Embedding::new(&root.at("embed_positions"), rows, width)?, OFFSET)),
        segment: None,
        norm_in: None,
        project_in: project("project_in", narrow, width)?,
        rotary: None,
        blocks: (0..c.num_hidden_layers).map(block).collect::<Result<_>>()?,
        norm_out: (c.do_layer_norm_before && !c.remove_final_norm)
            .then(|| Norm::layer(&root.at("final_layer_norm"), width, EPS))
            .transpose()?,
        project_out: project("project_out", width, narrow)?,
        pooler: None,
        causal: true,
    })
}
