//! Llama (Touvron et al. 2023, arXiv 2307.09288; Llama 3, arXiv 2407.21783): `LlamaModel`, with grouped keys and values,
//! rotary positions and their scaling.

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
        rotary::{Rotary, Scaling},
    },
};

#[derive(Deserialize)]
struct LlamaConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    #[serde(default)]
    num_key_value_heads: Option<usize>,
    #[serde(default)]
    head_dim: Option<usize>,
    #[serde(default = "two_thousand")]
    max_position_embeddings: usize,
    #[serde(default = "eps")]
    rms_norm_eps: f64,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default)]
    rope_scaling: Option<RopeScaling>,
    /// How newer versions of transformers write the two keys above.
    #[serde(default)]
    rope_parameters: Option<RopeScaling>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "silu")]
    hidden_act: String,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct RopeScaling {
    #[serde(default)]
    rope_type: Option<String>,
    /// The older name of `rope_type`; some files have both.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default)]
    factor: Option<f64>,
    #[serde(default)]
    low_freq_factor: Option<f64>,
    #[serde(default)]
    high_freq_factor: Option<f64>,
    #[serde(default)]
    original_max_position_embeddings: Option<f64>,
}

fn two_thousand() -> usize {
    2048
}
fn eps() -> f64 {
    1e-6
}
fn silu() -> String {
    "silu".into()
}

impl LlamaConfig {
    fn rotary(&self, dim: usize) -> Result<Rotary> {
        const THETA: f64 = 10_000.0;
        let settings = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = settings.and_then(|s| s.rope_theta).or(self.rope_theta).unwrap_or(THETA);
        let refuse = |value: String| {
            let supported = "default, linear with `factor`, llama3 with its four numbers".to_owned();
            Err(ModelError::Config { component: NAME, key: "rope_scaling".into(), value, supported })
        };
        let scaling = match settings.map(|s| (s.rope_type.as_deref().or(s.kind.as_deref()), s)) {
            None | Some((None | Some("default"), _)) => Scaling::None,
            Some((Some("linear"), RopeScaling { factor: Some(factor), .. })) => Scaling::Linear(*factor),
            Some((
                Some("llama3"),
                RopeScaling {
                    factor: Some(factor),
                    low_freq_factor: Some(low),
                    high_freq_factor: Some(high),
                    original_max_position_embeddings: Some(original),
                    ..
                },
            )) if high > low => Scaling::Llama3 { factor: *factor, low: *low, high: *high, original: *original },
            Some((kind, _)) => return refuse(format!("{kind:?}")),
        };
        let positive = match scaling {
            Scaling::None => true,
            Scaling::Linear(factor) | Scaling::Llama3 { factor, .. } => factor > 0.0,
        };
        if !positive || theta.is_nan() || theta <= 1.0 {
            return refuse(format!("base {theta}, {scaling:?}"));
        }
        Ok(Rotary::new(dim, theta, scaling))
    }
}

pub(super) fn build(p: &Params, text: &str) -> Result<LanguageModel> {
    let c: LlamaConfig = config::parse(NAME, text)?;
    let mut rest = c.rest.clone();
    // Of generation, of training, and of how the work is spread over devices.
    for key in ["eos_token_id", "pretraining_tp", "tie_word_embeddings", "use_cache"] {
        rest.remove(key);
    }
    config::check_rest(NAME, &rest, &[("quantization_config", json!(null))])?;
    let (width, heads) = (c.hidden_size, c.num_attention_heads);
    let kv_heads = c.num_key_value_heads.unwrap_or(heads);
    let dim = c.head_dim.unwrap_or(width / heads.max(1));
    check_sizes(&[
        ("vocab_size", c.vocab_size),
        ("hidden_size", width),
        ("intermediate_size", c.intermediate_size),
        ("max_position_embeddings", c.max_position_embeddings),
        ("num_attention_heads", heads),
        ("head_dim", dim),
    ])?;
    config::check_heads(NAME, "num_key_value_heads", kv_heads, heads)?;
    if !dim.is_multiple_of(2) {
        return Err(ModelError::Config {
            component: NAME,
            key: "head_dim".into(),
            value: dim.to_string(),
            supported: "even numbers".into(),
        });
    }
    let activation = Elementwise::named(NAME, "hidden_act", &c.hidden_act)?;
    let root = root(p, "model");
    let linear = |p: &Params, inputs: usize, outputs: usize, bias: bool| {
        if bias { Linear::new(p, inputs, outputs) } else { Linear::without_bias(p, inputs, outputs) }
    };
    let block = |i: usize| -> Result<TokenBlock> {
        let p = root.at("layers").at(i);
        let (attention, mlp) = (p.at("self_attn"), p.at("mlp"));
        let into = |name: &str, heads: usize| linear(&attention.at(name), width, heads * dim, c.attention_bias);
        let inner = c.intermediate_size;
        Ok(TokenBlock {
            attention_norm: Norm::rms(&p.at("input_layernorm"), width, c.rms_norm_eps)?,
            attention: SelfAttention {
                q: into("q_proj", heads)?,
                k: into("k_proj", kv_heads)?,
                v: into("v_proj", kv_heads)?,
                out: linear(&attention.at("o_proj"), heads * dim, width, c.attention_bias)?,
                heads,
                kv_heads,
            },
            network_norm: Norm::rms(&p.at("post_attention_layernorm"), width, c.rms_norm_eps)?,
            network: FeedForward::Gated {
                gate: linear(&mlp.at("gate_proj"), width, inner, c.mlp_bias)?,
                up: linear(&mlp.at("up_proj"), width, inner, c.mlp_bias)?,
                activation,
                down: linear(&mlp.at("down_proj"), inner, width, c.mlp_bias)?,
            },
            norms_behind: false,
        })
    };
    Ok(LanguageModel {
        family: "llama",
        vocabulary: c.vocab_size,
        width,
        longest: c.max_position_embeddings,
        tokens: Embedding::new(&root.at("embed_tokens"), c.vocab_size, width)?,
        positions: None,
        segment: None,
        norm_in: None,
        project_in: None,
        rotary: Some(c.rotary(dim)?),
        blocks: (0..c.num_hidden_layers).map(block).collect::<Result<_>>()?,
        norm_out: Some(Norm::rms(&root.at("norm"), width, c.rms_norm_eps)?),
        project_out: None,
        pooler: None,
        causal: true,
    })
}
