//! The Transformer block of encoders and language models, in all the forms they have: norms before or behind, layer or
//! RMS norm, plain or gated networks, grouped keys and values, rotary positions. A family only says which, and under
//! which names.

use candle_core::Tensor;

use super::{
    attention::attend,
    elementwise::Elementwise,
    layers::{LayerNorm, Linear},
    params::{Init, Params},
    rotary::rotate,
};
use crate::error::Result;

/// A normalisation over the last dimension.
pub(crate) enum Norm {
    /// Layer norm.
    Layer(LayerNorm),
    /// Division by the root of the mean square (Zhang & Sennrich 2019, arXiv 1910.07467).
    Rms {
        /// The gain of each feature.
        weight: Tensor,
        /// Added to the mean square.
        eps: f64,
    },
}

impl Norm {
    pub(crate) fn layer(p: &Params, width: usize, eps: f64) -> Result<Self> {
        Ok(Self::Layer(LayerNorm::new(p, width, eps)?))
    }

    pub(crate) fn rms(p: &Params, width: usize, eps: f64) -> Result<Self> {
        Ok(Self::Rms { weight: p.get("weight", &[width], Init::Ones)?, eps })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms { weight, eps } => {
                let last = x.rank() - 1;
                let scale = (x.sqr()?.mean_keepdim(last)? + *eps)?.sqrt()?.recip()?;
                Ok(x.broadcast_mul(&scale)?.broadcast_mul(weight)?)
            }
        }
    }
}

/// Self-attention whose keys and values may be shared by groups of heads.
pub(crate) struct SelfAttention {
    pub(crate) q: Linear,
    pub(crate) k: Linear,
    pub(crate) v: Linear,
    pub(crate) out: Linear,
    /// Heads of the queries.
    pub(crate) heads: usize,
    /// Heads of keys and values, a divisor of `heads`.
    pub(crate) kv_heads: usize,
}

impl SelfAttention {
    /// `x` (B, L, width) → (B, L, width); `angles` are those of rotary positions.
    fn forward(&self, x: &Tensor, causal: bool, angles: Option<&(Tensor, Tensor)>) -> Result<Tensor> {
        let (mut q, mut k, v) = (self.q.forward(x)?, self.k.forward(x)?, self.v.forward(x)?);
        if let Some(angles) = angles {
            (q, k) = (rotate(&q, angles)?, rotate(&k, angles)?);
        }
        let (k, v) = (self.spread(k)?, self.spread(v)?);
        self.out.forward(&attend(&q, &k, &v, self.heads, causal)?)
    }

    /// Each head of keys or values once for every query head of its group.
    fn spread(&self, x: Tensor) -> Result<Tensor> {
        let copies = self.heads / self.kv_heads;
        if copies == 1 {
            return Ok(x);
        }
        let (batch, length, width) = x.dims3()?;
        let dim = width / self.kv_heads;
        let x = x.reshape((batch, length, self.kv_heads, 1, dim))?;
        Ok(x.broadcast_as((batch, length, self.kv_heads, copies, dim))?.reshape((batch, length, copies * width))?)
    }
}

/// The network behind the attention.
pub(crate) enum FeedForward {
    /// Two layers around an activation.
    Plain {
        /// Into the inner width.
        first: Linear,
        /// Between the layers.
        activation: Elementwise,
        /// Back to the outer width.
        second: Linear,
    },
    /// activation(gate) · up, then down (Shazeer 2020, arXiv 2002.05202).
    Gated {
        /// What is activated.
        gate: Linear,
        /// What it multiplies.
        up: Linear,
        /// Of the gate.
        activation: Elementwise,
        /// Back to the outer width.
        down: Linear,
    },
}

impl FeedForward {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain { first, activation, second } => second.forward(&activation.apply(&first.forward(x)?)?),
            Self::Gated { gate, up, activation, down } => {
                down.forward(&(activation.apply(&gate.forward(x)?)? * up.forward(x)?)?)
            }
        }
    }
}

/// Attention and network, each with a norm and around a residual.
pub(crate) struct TokenBlock {
    pub(crate) attention_norm: Norm,
    pub(crate) attention: SelfAttention,
    pub(crate) network_norm: Norm,
    pub(crate) network: FeedForward,
    /// Whether the norms stand behind the residuals, as in the first Transformers, and not before the layers.
    pub(crate) norms_behind: bool,
}

impl TokenBlock {
    /// (B, L, width) → (B, L, width).
    pub(crate) fn forward(&self, x: &Tensor, causal: bool, angles: Option<&(Tensor, Tensor)>) -> Result<Tensor> {
        if self.norms_behind {
            let x = self.attention_norm.forward(&(x + self.attention.forward(x, causal, angles)?)?)?;
            return self.network_norm.forward(&(&x + self.network.forward(&x)?)?);
        }
        let x = (x + self.attention.forward(&self.attention_norm.forward(x)?, causal, angles)?)?;
        Ok((&x + self.network.forward(&self.network_norm.forward(&x)?)?)?)
    }

    /// (B, L, width) → (B, L, width), two-way and with norms before the layers; each branch passes through `branch` before
    /// it is added (dropout).
    pub(crate) fn forward_with(&self, x: &Tensor, mut branch: impl FnMut(Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let x = (x + branch(self.attention.forward(&self.attention_norm.forward(x)?, false, None)?)?)?;
        Ok((&x + branch(self.network.forward(&self.network_norm.forward(&x)?)?)?)?)
    }
}
