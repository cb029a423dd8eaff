//! CLIP's text encoder (Radford et al. 2021, arXiv 2103.00020): `CLIPTextModel`, with the projection of
//! `CLIPTextModelWithProjection` where the checkpoint has one.

use candle_core::{Device, IndexOp, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, Rest},
    error::{ModelError, Result},
    nn::{
        block::TokenBlock,
        layers::{Embedding, LayerNorm, Linear},
        params::Params,
        transformer::{ClipLayerConfig, clip_layer},
    },
    tap::Taps,
};

const NAME: &str = "text_encoder";

/// The keys of a `CLIPTextConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct TextConfig {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of the self-attention.
    pub num_attention_heads: usize,
    /// Tokens in every input.
    #[serde(default = "seventy_seven")]
    pub max_position_embeddings: usize,
    /// Width of the embedding shared with images.
    #[serde(default = "five_twelve")]
    pub projection_dim: usize,
    #[serde(default = "quick_gelu")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    eos_token_id: Option<u32>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(flatten)]
    rest: Rest,
}

fn seventy_seven() -> usize {
    77
}
fn five_twelve() -> usize {
    512
}
fn quick_gelu() -> String {
    "quick_gelu".into()
}
pub(crate) fn eps() -> f64 {
    1e-5
}

impl TextConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        config::check_rest(NAME, &config.rest, &[("use_attention_mask", json!(false))])?;
        config::activation(NAME, "hidden_act", &config.hidden_act)?;
        config::check_heads(NAME, "num_attention_heads", config.num_attention_heads, config.hidden_size)?;
        Ok(config)
    }

    fn layer(&self) -> Result<ClipLayerConfig> {
        Ok(ClipLayerConfig {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            eps: self.layer_norm_eps,
            activation: config::activation(NAME, "hidden_act", &self.hidden_act)?,
        })
    }
}

/// The text encoder.
pub struct ClipTextModel {
    config: TextConfig,
    tokens: Embedding,
    positions: Embedding,
    layers: Vec<TokenBlock>,
    norm: LayerNorm,
    projection: Option<Linear>,
}

/// What the text encoder makes of a batch of token sequences.
pub struct TextStates {
    /// The last hidden states behind the final layer norm, (B, tokens, width): Stable Diffusion's context `c`.
    pub last_hidden: Tensor,
    /// The state at the end-of-text token, (B, width).
    pub pooled: Tensor,
}

impl ClipTextModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: TextConfig) -> Result<Self> {
        let layer = config.layer()?;
        let root = if p.at("text_model").holds_any() { p.at("text_model") } else { p.clone() };
        let embeddings = root.at("embeddings");
        embeddings.ignore("position_ids");
        let layers = root.at("encoder").at("layers");
        let with_projection = p.at("text_projection").holds("weight");
        Ok(Self {
            tokens: Embedding::new(&embeddings.at("token_embedding"), config.vocab_size, config.hidden_size)?,
            positions: Embedding::new(
                &embeddings.at("position_embedding"),
                config.max_position_embeddings,
                config.hidden_size,
            )?,
            layers: (0..config.num_hidden_layers).map(|i| clip_layer(&layers.at(i), layer)).collect::<Result<_>>()?,
            norm: LayerNorm::new(&root.at("final_layer_norm"), config.hidden_size, config.layer_norm_eps)?,
            projection: with_projection
                .then(|| Linear::without_bias(&p.at("text_projection"), config.hidden_size, config.projection_dim))
                .transpose()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.tokens.device()
    }

    /// Token ids to hidden states. All rows have the same length, at most `max_position_embeddings`.
    ///
    /// # Errors
    /// Rows of unequal length, too long, or with ids outside the vocabulary.
    pub fn forward(&self, ids: &[Vec<u32>]) -> Result<TextStates> {
        self.forward_with(ids, &mut Taps::none())
    }

    /// As [`Self::forward`], with places that are read in passing: `layer00` (the embeddings), `layer01`, … (behind each
    /// layer) and `norm`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_with(&self, ids: &[Vec<u32>], taps: &mut Taps) -> Result<TextStates> {
        let length = ids.first().map_or(0, Vec::len);
        let refuse = |expected: String, got: String| Err(ModelError::Input { what: "token ids", expected, got });
        if length == 0 || length > self.config.max_position_embeddings || ids.iter().any(|row| row.len() != length) {
            return refuse(
                format!("rows of equal length, 1 to {}", self.config.max_position_embeddings),
                format!("lengths {:?}", ids.iter().map(Vec::len).collect::<Vec<_>>()),
            );
        }
        let flat: Vec<u32> = ids.iter().flatten().copied().collect();
        if let Some(id) = flat.iter().find(|&&id| id as usize >= self.config.vocab_size) {
            return refuse(format!("ids below {}", self.config.vocab_size), id.to_string());
        }
        let ends: Vec<usize> = ids.iter().map(|row| self.end_of(row)).collect();
        let ids = Tensor::from_vec(flat, (ends.len(), length), self.device())?;
        let mut x = self.tokens.forward(&ids)?.broadcast_add(&self.positions.first(length)?)?;
        taps.see(format_args!("layer00"), &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, true, None)?;
            taps.see(format_args!("layer{:02}", i + 1), &x);
        }
        let last_hidden = self.norm.forward(&x)?;
        taps.see(format_args!("norm"), &last_hidden);
        let pooled = ends
            .iter()
            .enumerate()
            .map(|(row, &end)| last_hidden.i((row, end)))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(TextStates { pooled: Tensor::stack(&pooled, 0)?, last_hidden })
    }

    /// Whether the checkpoint has a text projection.
    pub fn has_projection(&self) -> bool {
        self.projection.is_some()
    }

    /// The embedding shared with images, (B, projection), not normalised.
    ///
    /// # Errors
    /// [`ModelError::Config`] when the checkpoint has no text projection (a plain `CLIPTextModel`).
    pub fn project(&self, pooled: &Tensor) -> Result<Tensor> {
        match &self.projection {
            Some(projection) => projection.forward(pooled),
            None => Err(ModelError::Config {
                component: NAME,
                key: "architectures".into(),
                value: format!("{:?}", self.config.architectures),
                supported: "CLIPTextModelWithProjection (for text–image similarity)".into(),
            }),
        }
    }

    /// Where the end-of-text token stands: its first occurrence, or, for configs with the legacy id 2, the largest id.
    fn end_of(&self, row: &[u32]) -> usize {
        let end = match self.config.eos_token_id {
            Some(2) | None => row.iter().copied().max().unwrap_or(0),
            Some(id) => id,
        };
        row.iter().position(|&id| id == end).unwrap_or(0)
    }
}
