//! CLIP's vision encoder (Radford et al. 2021, arXiv 2103.00020): `CLIPVisionModelWithProjection`, and the preparation
//! of pictures that its `preprocessor_config.json` asks for.

use candle_core::{Device, IndexOp, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::{
        block::TokenBlock,
        layers::{Embedding, LayerNorm, Linear},
        ops,
        params::{Init, Params},
        transformer::{ClipLayerConfig, clip_layer},
    },
    tap::Taps,
    text::eps,
};

const NAME: &str = "image_encoder";

/// The keys of a `CLIPVisionConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VisionConfig {
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of the self-attention.
    pub num_attention_heads: usize,
    /// Side of the input picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Width of the embedding shared with text.
    #[serde(default = "five_twelve")]
    pub projection_dim: usize,
    #[serde(default = "three")]
    num_channels: usize,
    #[serde(default = "quick_gelu")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(flatten)]
    rest: Rest,
}

fn five_twelve() -> usize {
    512
}
fn three() -> usize {
    3
}
fn quick_gelu() -> String {
    "quick_gelu".into()
}

impl VisionConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        config::check_rest(NAME, &config.rest, &[("use_mean_pooling", json!(false))])?;
        config::activation(NAME, "hidden_act", &config.hidden_act)?;
        config::check_heads(NAME, "num_attention_heads", config.num_attention_heads, config.hidden_size)?;
        if config.patch_size == 0 || config.image_size > LARGEST || !config.image_size.is_multiple_of(config.patch_size)
        {
            return Err(ModelError::Config {
                component: NAME,
                key: "patch_size".into(),
                value: config.patch_size.to_string(),
                supported: format!("a divisor of `image_size` = {}", config.image_size),
            });
        }
        Ok(config)
    }
}

/// The vision encoder.
pub struct ClipVisionModel {
    config: VisionConfig,
    patch: Tensor,
    class: Tensor,
    positions: Embedding,
    norm_in: LayerNorm,
    layers: Vec<TokenBlock>,
    norm_out: LayerNorm,
    projection: Linear,
}

/// What the vision encoder makes of a batch of pictures.
pub struct VisionStates {
    /// Token states behind the last layer, class token first, (B, 1 + patches, width).
    pub last_hidden: Tensor,
    /// The embedding shared with text, (B, projection), not normalised.
    pub embedding: Tensor,
}

impl ClipVisionModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: VisionConfig) -> Result<Self> {
        let c = &config;
        let layer = ClipLayerConfig {
            width: c.hidden_size,
            inner: c.intermediate_size,
            heads: c.num_attention_heads,
            eps: c.layer_norm_eps,
            activation: config::activation(NAME, "hidden_act", &c.hidden_act)?,
        };
        let root = if p.at("vision_model").holds_any() { p.at("vision_model") } else { p.clone() };
        let embeddings = root.at("embeddings");
        embeddings.ignore("position_ids");
        let n_tokens = 1 + (c.image_size / c.patch_size).pow(2);
        let fan_in = c.num_channels * c.patch_size * c.patch_size;
        let shape = [c.hidden_size, c.num_channels, c.patch_size, c.patch_size];
        let layers = root.at("encoder").at("layers");
        Ok(Self {
            patch: embeddings.at("patch_embedding").get("weight", &shape, Init::Uniform { fan_in })?,
            class: embeddings.get("class_embedding", &[c.hidden_size], Init::Normal { std: 0.02 })?,
            positions: Embedding::new(&embeddings.at("position_embedding"), n_tokens, c.hidden_size)?,
            norm_in: LayerNorm::new(&root.at("pre_layrnorm"), c.hidden_size, c.layer_norm_eps)?,
            layers: (0..c.num_hidden_layers).map(|i| clip_layer(&layers.at(i), layer)).collect::<Result<_>>()?,
            norm_out: LayerNorm::new(&root.at("post_layernorm"), c.hidden_size, c.layer_norm_eps)?,
            projection: Linear::without_bias(&p.at("visual_projection"), c.hidden_size, c.projection_dim)?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// Normalised pictures to token states and embedding.
    ///
    /// # Shapes
    /// `pictures` (B, 3, image_size, image_size).
    ///
    /// # Errors
    /// Pictures of another size.
    pub fn forward(&self, pictures: &Tensor) -> Result<VisionStates> {
        self.forward_with(pictures, &mut Taps::none())
    }

    /// As [`Self::forward`], with places that are read in passing: `layer00` (the embeddings behind their norm),
    /// `layer01`, … (behind each layer) and `embedding`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_with(&self, pictures: &Tensor, taps: &mut Taps) -> Result<VisionStates> {
        let (batch, _, height, width) = pictures.dims4()?;
        let side = self.config.image_size;
        if height != side || width != side {
            return Err(ModelError::Input {
                what: "picture size",
                expected: format!("{side}×{side}"),
                got: format!("{height}×{width}"),
            });
        }
        let hidden = self.config.hidden_size;
        let no_bias = self.class.zeros_like()?.detach();
        let patches = ops::conv2d(pictures, &self.patch, &no_bias, self.config.patch_size, [0; 4])?;
        let patches = patches.flatten_from(2)?.transpose(1, 2)?; // B, patches, hidden
        let class = self.class.reshape((1, 1, hidden))?.broadcast_as((batch, 1, hidden))?;
        let n_tokens = 1 + patches.dim(1)?;
        let x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.positions.first(n_tokens)?)?;
        let mut x = self.norm_in.forward(&x)?;
        taps.see(format_args!("layer00"), &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, false, None)?;
            taps.see(format_args!("layer{:02}", i + 1), &x);
        }
        let pooled = self.norm_out.forward(&x.i((.., 0))?.contiguous()?)?;
        let embedding = self.projection.forward(&pooled)?;
        taps.see(format_args!("embedding"), &embedding);
        Ok(VisionStates { embedding, last_hidden: x })
    }
}
