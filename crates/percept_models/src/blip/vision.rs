//! BLIP's Vision Transformer (Dosovitskiy et al. 2020, arXiv 2010.11929): transformers' `BlipVisionModel`.

use candle_core::{Device, Tensor};

use super::{
    config::{NAME, VisionConfig},
    positions::interpolated,
};
use crate::{
    error::{ModelError, Result},
    nn::{
        block::{FeedForward, Norm, SelfAttention, TokenBlock},
        elementwise::Elementwise,
        layers::{LayerNorm, Linear},
        ops,
        params::{Init, Params},
    },
    tap::Taps,
};

/// Pictures to token states.
pub struct BlipVision {
    patch: Tensor,
    patch_bias: Tensor,
    patch_size: usize,
    class: Tensor,
    /// As the checkpoint has it.
    positions: Tensor,
    /// For the pictures' size.
    placed: Tensor,
    image_size: usize,
    layers: Vec<TokenBlock>,
    norm: LayerNorm,
}

fn layer(p: &Params, c: &VisionConfig) -> Result<TokenBlock> {
    let attention = p.at("self_attn");
    let (width, packed) = (c.hidden_size, attention.at("qkv"));
    let part = |i: usize| Linear::packed(&packed, [width, 3 * width], [i * width, width]);
    let mlp = p.at("mlp");
    Ok(TokenBlock {
        attention_norm: Norm::layer(&p.at("layer_norm1"), width, c.layer_norm_eps)?,
        attention: SelfAttention {
            q: part(0)?,
            k: part(1)?,
            v: part(2)?,
            out: Linear::new(&attention.at("projection"), width, width)?,
            heads: c.num_attention_heads,
            kv_heads: c.num_attention_heads,
        },
        network_norm: Norm::layer(&p.at("layer_norm2"), width, c.layer_norm_eps)?,
        network: FeedForward::Plain {
            first: Linear::new(&mlp.at("fc1"), width, c.intermediate_size)?,
            activation: Elementwise::named(NAME, "hidden_act", &c.hidden_act)?,
            second: Linear::new(&mlp.at("fc2"), c.intermediate_size, width)?,
        },
        norms_behind: false,
    })
}

impl BlipVision {
    /// Builds the model from its config and parameters (`vision_model` of a checkpoint).
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, c: &VisionConfig) -> Result<Self> {
        let embeddings = p.at("embeddings");
        let (width, patch) = (c.hidden_size, embeddings.at("patch_embedding"));
        let fan_in = 3 * c.patch_size * c.patch_size;
        let n_tokens = 1 + (c.image_size / c.patch_size).pow(2);
        let positions = embeddings.get("position_embedding", &[1, n_tokens, width], Init::Normal { std: 0.02 })?;
        let layers = p.at("encoder").at("layers");
        Ok(Self {
            patch: patch.get("weight", &[width, 3, c.patch_size, c.patch_size], Init::Uniform { fan_in })?,
            patch_bias: patch.get("bias", &[width], Init::Uniform { fan_in })?,
            patch_size: c.patch_size,
            class: embeddings.get("class_embedding", &[1, 1, width], Init::Normal { std: 0.02 })?,
            placed: positions.clone(),
            positions,
            image_size: c.image_size,
            layers: (0..c.num_hidden_layers).map(|i| layer(&layers.at(i), c)).collect::<Result<_>>()?,
            norm: LayerNorm::new(&p.at("post_layernorm"), width, c.layer_norm_eps)?,
        })
    }

    /// Has it see pictures of `side` × `side` pixels: the table of positions is interpolated.
    ///
    /// # Errors
    /// A side that is smaller than a patch or larger than any picture.
    pub fn resize(&mut self, side: usize) -> Result<()> {
        const LARGEST: usize = 1 << 13;
        if side < self.patch_size || side > LARGEST {
            return Err(ModelError::Input {
                what: "picture size of the captioner",
                expected: format!("{} to {LARGEST} pixels", self.patch_size),
                got: side.to_string(),
            });
        }
        self.placed = interpolated(&self.positions, side / self.patch_size)?;
        self.image_size = side;
        Ok(())
    }

    /// Side of the pictures in pixels.
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// Tokens of a picture: the class token and the patches.
    pub fn n_tokens(&self) -> usize {
        1 + (self.image_size / self.patch_size).pow(2)
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// Prepared pictures (B, 3, side, side) to token states (B, tokens, width), with places that are read in passing:
    /// `layer00` (the embeddings), `layer01`, … (behind each layer) and `norm`, which is what is returned.
    ///
    /// # Errors
    /// Pictures of another size.
    pub fn forward(&self, pictures: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        let (batch, _, height, width) = pictures.dims4()?;
        if [height, width] != [self.image_size; 2] {
            return Err(ModelError::Input {
                what: "picture size",
                expected: format!("{0}×{0}", self.image_size),
                got: format!("{height}×{width}"),
            });
        }
        let patches = ops::conv2d(pictures, &self.patch, &self.patch_bias, self.patch_size, [0; 4])?;
        let patches = patches.flatten_from(2)?.transpose(1, 2)?; // B, patches, hidden
        let class = self.class.broadcast_as((batch, 1, self.class.dim(2)?))?;
        let mut x = Tensor::cat(&[&class, &patches], 1)?.broadcast_add(&self.placed)?;
        taps.see(format_args!("layer00"), &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, false, None)?;
            taps.see(format_args!("layer{:02}", i + 1), &x);
        }
        let x = self.norm.forward(&x)?;
        taps.see(format_args!("norm"), &x);
        Ok(x)
    }
}
