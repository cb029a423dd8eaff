//! Attention layers and Transformer blocks: diffusers' spatial Transformer of the U-Net, and CLIP's encoder layer.

use candle_core::{D, Tensor};

use super::{
    Activation,
    across::CrossFrame,
    attention::attend,
    block::{FeedForward, Norm, SelfAttention, TokenBlock},
    elementwise::Elementwise,
    layers::{Conv2d, GroupNorm, LayerNorm, Linear, Projection},
    maps, ops,
    params::Params,
};
use crate::{error::Result, tap::Taps};

/// Attention as diffusers names it: `to_q`, `to_k`, `to_v` without bias, `to_out.0` with.
#[derive(Clone)]
pub(crate) struct CrossAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

impl CrossAttention {
    /// Queries of `width`; keys and values from `context` features (`width` again for self-attention).
    pub(crate) fn new(p: &Params, width: usize, context: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            q: Linear::without_bias(&p.at("to_q"), width, width)?,
            k: Linear::without_bias(&p.at("to_k"), context, width)?,
            v: Linear::without_bias(&p.at("to_v"), context, width)?,
            out: Linear::new(&p.at("to_out").at(0), width, width)?,
            heads,
        })
    }

    /// `x` (B, L, width), `context` (B, S, context) → (B, L, width).
    pub(crate) fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (q, k, v) = (self.q.forward(x)?, self.k.forward(context)?, self.v.forward(context)?);
        self.out.forward(&attend(&q, &k, &v, self.heads, false)?)
    }

    /// Self-attention in which frames look at other frames: `x` (B·F, L, width) → (B·F, L, width).
    fn forward_across(&self, x: &Tensor, across: &CrossFrame) -> Result<Tensor> {
        let (q, k, v) = (self.q.forward(x)?, self.k.forward(x)?, self.v.forward(x)?);
        self.out.forward(&attend(&q, &across.spread(&k)?, &across.spread(&v)?, self.heads, false)?)
    }

    /// How much each token of `x` (B, L, width) looks at each of `context` (B, S, context), mean over heads: (B, L, S).
    fn weights(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (q, k) = (self.q.forward(x)?, self.k.forward(context)?);
        let (batch, queries, width) = q.dims3()?;
        let (keys, dim) = (k.dim(1)?, width / self.heads);
        let split =
            |x: &Tensor, length: usize| x.reshape((batch, length, self.heads, dim))?.transpose(1, 2)?.contiguous();
        let scores = (split(&q, queries)?.matmul(&split(&k, keys)?.t()?.contiguous()?)? * (1.0 / (dim as f64).sqrt()))?;
        let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        Ok(scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?.mean(1)?)
    }
}

/// Self-attention, cross-attention and a GEGLU network, each behind a layer norm and around a residual.
#[derive(Clone)]
pub(crate) struct TransformerBlock {
    norm1: LayerNorm,
    attn1: CrossAttention,
    norm2: LayerNorm,
    attn2: CrossAttention,
    norm3: LayerNorm,
    ff_in: Linear,
    ff_out: Linear,
    /// Added to what either attention sees, (1, longest, width).
    positions: Option<Tensor>,
}

impl TransformerBlock {
    pub(crate) fn new(p: &Params, width: usize, context: usize, heads: usize) -> Result<Self> {
        let ff = p.at("ff").at("net");
        Ok(Self {
            norm1: LayerNorm::new(&p.at("norm1"), width, 1e-5)?,
            attn1: CrossAttention::new(&p.at("attn1"), width, width, heads)?,
            norm2: LayerNorm::new(&p.at("norm2"), width, 1e-5)?,
            attn2: CrossAttention::new(&p.at("attn2"), width, context, heads)?,
            norm3: LayerNorm::new(&p.at("norm3"), width, 1e-5)?,
            ff_in: Linear::new(&ff.at(0).at("proj"), width, 8 * width)?,
            ff_out: Linear::new(&ff.at(2), 4 * width, width)?,
            positions: None,
        })
    }

    /// The same block for tokens whose order counts.
    pub(crate) fn with_positions(self, positions: Tensor) -> Self {
        Self { positions: Some(positions), ..self }
    }

    fn placed(&self, tokens: Tensor) -> Result<Tensor> {
        match &self.positions {
            Some(table) => Ok(tokens.broadcast_add(&table.narrow(1, 0, tokens.dim(1)?)?)?),
            None => Ok(tokens),
        }
    }

    /// Without a context the second attention looks at the tokens themselves; with `across` the first looks at other frames.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        across: Option<&CrossFrame>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        let h = self.placed(self.norm1.forward(x)?)?;
        let h = match across {
            Some(across) => self.attn1.forward_across(&h, across)?,
            None => self.attn1.forward(&h, &h)?,
        };
        taps.see(format_args!("self"), &h);
        let x = maps::add(x, &h)?;
        let h = self.placed(self.norm2.forward(&x)?)?;
        taps.see_made(format_args!("cross.weights"), || self.attn2.weights(&h, context.unwrap_or(&h)))?;
        let h = self.attn2.forward(&h, context.unwrap_or(&h))?;
        taps.see(format_args!("cross"), &h);
        let x = maps::add(&x, &h)?;
        let h = self.ff_out.forward(&ops::geglu(&self.ff_in.forward(&self.norm3.forward(&x)?)?)?)?;
        taps.see(format_args!("ff"), &h);
        Ok(maps::add(&x, &h)?)
    }
}

/// diffusers' `Transformer2DModel`: the pixels of a feature map as tokens that attend to each other and to the context.
#[derive(Clone)]
pub(crate) struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Projection,
    blocks: Vec<TransformerBlock>,
    proj_out: Projection,
}

/// The settings of a [`SpatialTransformer`] that all of a U-Net share.
#[derive(Clone, Copy)]
pub(crate) struct SpatialConfig {
    pub(crate) context: usize,
    pub(crate) groups: usize,
    pub(crate) layers: usize,
    pub(crate) linear_projection: bool,
}

impl SpatialTransformer {
    pub(crate) fn new(p: &Params, width: usize, heads: usize, config: SpatialConfig) -> Result<Self> {
        let projection = |p: &Params| -> Result<Projection> {
            Ok(if config.linear_projection {
                Projection::Linear(Linear::new(p, width, width)?)
            } else {
                Projection::Conv(Conv2d::new(p, [width, width], 1, 1, 0)?)
            })
        };
        let blocks = p.at("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::new(&p.at("norm"), width, config.groups, 1e-6)?,
            proj_in: projection(&p.at("proj_in"))?,
            blocks: (0..config.layers)
                .map(|i| TransformerBlock::new(&blocks.at(i), width, config.context, heads))
                .collect::<Result<_>>()?,
            proj_out: projection(&p.at("proj_out"))?,
        })
    }

    /// `x` (B, C, H, W), `context` (B, S, context) → (B, C, H, W); with `across` pictures are frames that look at others.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        across: Option<&CrossFrame>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        let mut tokens = self.proj_in.to_tokens(&self.norm.forward(x)?)?;
        for (i, block) in self.blocks.iter().enumerate() {
            tokens = match i {
                0 => block.forward(&tokens, context, across, taps)?,
                _ => taps.within(format_args!("layer{i}"), |taps| block.forward(&tokens, context, across, taps))?,
            };
        }
        Ok(maps::add(&self.proj_out.to_map(&tokens, x)?, x)?)
    }
}

/// (B, C, H, W) → (B, H·W, C).
pub(crate) fn to_tokens(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(2)?.transpose(1, 2)?.contiguous()?)
}

/// (B, H·W, C) → the shape of `like` (B, C, H, W).
pub(crate) fn to_map(tokens: &Tensor, like: &Tensor) -> Result<Tensor> {
    Ok(tokens.transpose(1, 2)?.contiguous()?.reshape(like.shape())?)
}

/// The settings that all layers of a CLIP encoder share.
#[derive(Clone, Copy)]
pub(crate) struct ClipLayerConfig {
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) heads: usize,
    pub(crate) eps: f64,
    pub(crate) activation: Activation,
}

/// CLIP's encoder layer: norms before self-attention and a two-layer network.
pub(crate) fn clip_layer(p: &Params, c: ClipLayerConfig) -> Result<TokenBlock> {
    let attention = p.at("self_attn");
    let square = |name: &str| Linear::new(&attention.at(name), c.width, c.width);
    let mlp = p.at("mlp");
    Ok(TokenBlock {
        attention_norm: Norm::layer(&p.at("layer_norm1"), c.width, c.eps)?,
        attention: SelfAttention {
            q: square("q_proj")?,
            k: square("k_proj")?,
            v: square("v_proj")?,
            out: square("out_proj")?,
            heads: c.heads,
            kv_heads: c.heads,
        },
        network_norm: Norm::layer(&p.at("layer_norm2"), c.width, c.eps)?,
        network: FeedForward::Plain {
            first: Linear::new(&mlp.at("fc1"), c.width, c.inner)?,
            activation: Elementwise::Kernel(c.activation),
            second: Linear::new(&mlp.at("fc2"), c.inner, c.width)?,
        },
        norms_behind: false,
    })
}
