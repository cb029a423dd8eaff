//! BERT (Devlin et al. 2018, arXiv 1810.04805): `BertModel`, one segment per text; and RoBERTa (Liu et al. 2019, arXiv
//! 1907.11692), which counts its positions from the padding token on, also as the text side of CLAP.

use serde::Deserialize;
use serde_json::json;

use super::model::{LanguageModel, NAME, check_sizes, root};
use crate::{
    config::{self, Rest},
    error::{ModelError, Result},
    nn::{
        block::{FeedForward, Norm, SelfAttention, TokenBlock},
        elementwise::Elementwise,
        layers::{Embedding, Linear},
        params::Params,
    },
};

#[derive(Deserialize)]
struct BertConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(flatten)]
    rest: Rest,
}

fn two() -> usize {
    2
}
fn gelu() -> String {
    "gelu".into()
}
fn eps() -> f64 {
    1e-12
}

/// BERT.
pub(super) fn build(p: &Params, text: &str) -> Result<LanguageModel> {
    build_at(&root(p, "bert"), text, "bert", 0)
}

/// RoBERTa.
pub(super) fn build_roberta(p: &Params, text: &str) -> Result<LanguageModel> {
    #[derive(Deserialize)]
    struct Padding {
        #[serde(default = "one")]
        pad_token_id: Option<usize>,
    }
    #[allow(clippy::unnecessary_wraps)]
    fn one() -> Option<usize> {
        Some(1)
    }
    let padding: Padding = config::parse(NAME, text)?;
    // What lies before the first position is of padding.
    build_at(&root(p, "roberta"), text, "roberta", padding.pad_token_id.map_or(0, |id| id + 1))
}

fn build_at(root: &Params, text: &str, family: &'static str, offset: usize) -> Result<LanguageModel> {
    let c: BertConfig = config::parse(NAME, text)?;
    let mut rest = c.rest.clone();
    // Of classifiers and generation, and of training.
    for key in [
        "attention_probs_dropout_prob",
        "classifier_dropout",
        "eos_token_id",
        "fusion_hidden_size",
        "fusion_num_hidden_layers",
        "gradient_checkpointing",
        "hidden_dropout_prob",
        "projection_dim",
        "projection_hidden_act",
        "tie_word_embeddings",
        "use_cache",
    ] {
        rest.remove(key);
    }
    config::check_rest(NAME, &rest, &[("position_embedding_type", json!("absolute"))])?;
    config::check_heads(NAME, "num_attention_heads", c.num_attention_heads, c.hidden_size)?;
    check_sizes(&[
        ("vocab_size", c.vocab_size),
        ("intermediate_size", c.intermediate_size),
        ("max_position_embeddings", c.max_position_embeddings),
        ("type_vocab_size", c.type_vocab_size),
    ])?;
    let longest = c.max_position_embeddings.saturating_sub(offset);
    if longest == 0 {
        let supported = format!("more than the {offset} places of padding");
        let value = c.max_position_embeddings.to_string();
        return Err(ModelError::Config { component: NAME, key: "max_position_embeddings".into(), value, supported });
    }
    let activation = Elementwise::named(NAME, "hidden_act", &c.hidden_act)?;
    let embeddings = root.at("embeddings");
    let (width, heads) = (c.hidden_size, c.num_attention_heads);
    let layers = root.at("encoder").at("layer");
    let block = |i: usize| -> Result<TokenBlock> {
        let p = layers.at(i);
        let attention = p.at("attention");
        let square = |name: &str| Linear::new(&attention.at("self").at(name), width, width);
        Ok(TokenBlock {
            attention: SelfAttention {
                q: square("query")?,
                k: square("key")?,
                v: square("value")?,
                out: Linear::new(&attention.at("output").at("dense"), width, width)?,
                heads,
                kv_heads: heads,
            },
            attention_norm: Norm::layer(&attention.at("output").at("LayerNorm"), width, c.layer_norm_eps)?,
            network: FeedForward::Plain {
                first: Linear::new(&p.at("intermediate").at("dense"), width, c.intermediate_size)?,
                activation,
                second: Linear::new(&p.at("output").at("dense"), c.intermediate_size, width)?,
            },
            network_norm: Norm::layer(&p.at("output").at("LayerNorm"), width, c.layer_norm_eps)?,
            norms_behind: true,
        })
    };
    let pooler = root.at("pooler").at("dense");
    Ok(LanguageModel {
        family,
        vocabulary: c.vocab_size,
        width,
        longest,
        tokens: Embedding::new(&embeddings.at("word_embeddings"), c.vocab_size, width)?,
        positions: Some((
            Embedding::new(&embeddings.at("position_embeddings"), c.max_position_embeddings, width)?,
            offset,
        )),
        segment: Some(Embedding::new(&embeddings.at("token_type_embeddings"), c.type_vocab_size, width)?.first(1)?),
        norm_in: Some(Norm::layer(&embeddings.at("LayerNorm"), width, c.layer_norm_eps)?),
        project_in: None,
        rotary: None,
        blocks: (0..c.num_hidden_layers).map(block).collect::<Result<_>>()?,
        norm_out: None,
        project_out: None,
        pooler: pooler.holds("weight").then(|| Linear::new(&pooler, width, width)).transpose()?,
        causal: false,
    })
}
