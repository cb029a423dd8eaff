//! Convolution, linear, normalisation and embedding layers.

use candle_core::{Device, Tensor};

use super::{
    flops, maps, ops,
    params::{Init, Params},
};
use crate::error::Result;

/// 2-D convolution with bias.
#[derive(Clone)]
pub(crate) struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    pad: [usize; 4],
}

impl Conv2d {
    /// A square kernel of `size`, padded by `pad` on every side.
    pub(crate) fn new(p: &Params, [c_in, c_out]: [usize; 2], size: usize, stride: usize, pad: usize) -> Result<Self> {
        Self::padded(p, [c_in, c_out], size, stride, [pad; 4])
    }

    /// A square kernel with its own padding at the top, left, bottom and right.
    pub(crate) fn padded(
        p: &Params,
        [c_in, c_out]: [usize; 2],
        size: usize,
        stride: usize,
        pad: [usize; 4],
    ) -> Result<Self> {
        let fan_in = c_in * size * size;
        Ok(Self {
            weight: p.get("weight", &[c_out, c_in, size, size], Init::Uniform { fan_in })?,
            bias: p.get("bias", &[c_out], Init::Uniform { fan_in })?,
            stride,
            pad,
        })
    }

    /// A square kernel of `size` without bias, padded by `pad` on every side.
    pub(crate) fn without_bias(
        p: &Params,
        [c_in, c_out]: [usize; 2],
        size: usize,
        stride: usize,
        pad: usize,
    ) -> Result<Self> {
        let weight = p.get("weight", &[c_out, c_in, size, size], Init::Uniform { fan_in: c_in * size * size })?;
        let bias = Tensor::zeros(c_out, weight.dtype(), weight.device())?;
        Ok(Self { weight, bias, stride, pad: [pad; 4] })
    }

    /// Where its weights live.
    pub(crate) fn device(&self) -> &Device {
        self.weight.device()
    }

    /// (B, C, H, W) → (B, O, H', W').
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = ops::conv2d(x, &self.weight, &self.bias, self.stride, self.pad)?;
        flops::add(out.elem_count() * self.weight.elem_count() / self.weight.dim(0)?);
        Ok(out)
    }
}

/// A linear layer over the last dimension.
#[derive(Clone)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn new(p: &Params, inputs: usize, outputs: usize) -> Result<Self> {
        let init = Init::Uniform { fan_in: inputs };
        let weight = p.get_matrix("weight", [outputs, inputs], init)?;
        Ok(Self { weight, bias: Some(p.get("bias", &[outputs], init)?) })
    }

    pub(crate) fn without_bias(p: &Params, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self { weight: p.get_matrix("weight", [outputs, inputs], Init::Uniform { fan_in: inputs })?, bias: None })
    }

    /// From a weight stored as (inputs, outputs) and its bias, of which columns `from` to `from + outputs` are taken
    /// (GPT-2's `Conv1D`, which packs queries, keys and values). The copy is made once: such a layer does not train.
    pub(crate) fn from_columns((weight, bias): &(Tensor, Tensor), from: usize, outputs: usize) -> Result<Self> {
        let weight = weight.narrow(1, from, outputs)?.contiguous()?.t()?;
        Ok(Self { weight, bias: Some(bias.narrow(0, from, outputs)?.contiguous()?) })
    }

    /// Of a layer whose weight packs several (queries, keys and values in one), the outputs from `from` on. A weight that
    /// trains is shared with the others and trains through all of them; of a frozen one a copy is made once.
    pub(crate) fn packed(p: &Params, [inputs, packed]: [usize; 2], [from, outputs]: [usize; 2]) -> Result<Self> {
        let init = Init::Uniform { fan_in: inputs };
        let weight = p.get("weight", &[packed, inputs], init)?.narrow(0, from, outputs)?;
        // What stands in for a missing weight is not contiguous, and takes no memory.
        let weight =
            if weight.track_op() || !weight.is_contiguous() { weight } else { weight.t()?.contiguous()?.t()? };
        Ok(Self { weight, bias: Some(p.get("bias", &[packed], init)?.narrow(0, from, outputs)?) })
    }

    /// From a 1×1 convolution.
    pub(crate) fn from_pointwise(p: &Params, inputs: usize, outputs: usize) -> Result<Self> {
        Self::from_patches(p, [inputs, outputs], &[1, 1])
    }

    /// From a convolution over time of one sample, without bias.
    pub(crate) fn from_pointwise1d(p: &Params, inputs: usize, outputs: usize) -> Result<Self> {
        let weight = p.get("weight", &[outputs, inputs, 1], Init::Uniform { fan_in: inputs })?.squeeze(2)?;
        Ok(Self { weight, bias: None })
    }

    /// From a convolution over any number of axes whose stride is its kernel, so that it sees every patch, flattened (channel,
    /// then the kernel's axes), once.
    pub(crate) fn from_patches(p: &Params, [c_in, c_out]: [usize; 2], kernel: &[usize]) -> Result<Self> {
        let init = Init::Uniform { fan_in: c_in * kernel.iter().product::<usize>() };
        let weight = p.get("weight", &[&[c_out, c_in], kernel].concat(), init)?.flatten_from(1)?;
        Ok(Self { weight, bias: Some(p.get("bias", &[c_out], init)?) })
    }

    /// The same layer with a bias that is stored somewhere else.
    pub(crate) fn with_bias(self, bias: Tensor) -> Self {
        Self { bias: Some(bias), ..self }
    }

    /// (…, I) → (…, O).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        flops::add(x.elem_count() * self.weight.dim(0)?);
        Ok(ops::linear(x, &self.weight, self.bias.as_ref())?)
    }
}

/// A projection between feature maps and tokens, which checkpoints store as a 1×1 convolution or as a linear layer.
#[derive(Clone)]
pub(crate) enum Projection {
    Conv(Conv2d),
    Linear(Linear),
}

impl Projection {
    /// Weight (O, C) and bias (O).
    fn matrix(&self) -> Result<(Tensor, Tensor)> {
        Ok(match self {
            Self::Conv(conv) => (conv.weight.flatten_from(1)?, conv.bias.clone()),
            Self::Linear(linear) => {
                let bias = linear.bias.clone();
                let none = || Tensor::zeros(linear.weight.dim(0)?, linear.weight.dtype(), linear.weight.device());
                (linear.weight.clone(), bias.map_or_else(none, Ok)?)
            }
        })
    }

    /// (B, C, H, W) → (B, H·W, O).
    pub(crate) fn to_tokens(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = self.matrix()?;
        flops::add(x.elem_count() * weight.dim(0)?);
        Ok(maps::map_to_tokens(x, &weight, &bias)?)
    }

    /// (B, H·W, C) → (B, O, H, W), as high and wide as `like`.
    pub(crate) fn to_map(&self, tokens: &Tensor, like: &Tensor) -> Result<Tensor> {
        let (weight, bias) = self.matrix()?;
        flops::add(tokens.elem_count() * weight.dim(0)?);
        Ok(maps::tokens_to_map(tokens, &weight, &bias, [like.dim(2)?, like.dim(3)?])?)
    }
}

/// Group normalisation over (B, C, …).
#[derive(Clone)]
pub(crate) struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    pub(crate) fn new(p: &Params, channels: usize, groups: usize, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: p.get("weight", &[channels], Init::Ones)?,
            bias: p.get("bias", &[channels], Init::Zeros)?,
            groups,
            eps,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::group_norm(x, &self.weight, &self.bias, self.groups, self.eps, false)?)
    }

    /// Normalisation followed by SiLU, in one pass.
    pub(crate) fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::group_norm(x, &self.weight, &self.bias, self.groups, self.eps, true)?)
    }
}

/// Layer normalisation over the last dimension.
#[derive(Clone)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub(crate) fn new(p: &Params, width: usize, eps: f64) -> Result<Self> {
        Ok(Self { weight: p.get("weight", &[width], Init::Ones)?, bias: p.get("bias", &[width], Init::Zeros)?, eps })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm(x, &self.weight, &self.bias, self.eps)?)
    }
}

/// A table of vectors.
pub(crate) struct Embedding {
    table: Tensor,
}

impl Embedding {
    pub(crate) fn new(p: &Params, entries: usize, width: usize) -> Result<Self> {
        Ok(Self { table: p.get("weight", &[entries, width], Init::Normal { std: 0.02 })? })
    }

    /// Where the table lives.
    pub(crate) fn device(&self) -> &Device {
        self.table.device()
    }

    /// Rows of the table at `ids` (u32, any shape) → (…, width).
    pub(crate) fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut shape = ids.dims().to_vec();
        shape.push(self.table.dim(1)?);
        Ok(self.table.index_select(&ids.flatten_all()?, 0)?.reshape(shape)?)
    }

    /// The product of states (…, width) with every row of the table → (…, entries): a head that shares the table.
    pub(crate) fn scores(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::linear(x, &self.table, None)?)
    }

    /// The first `n` rows.
    pub(crate) fn first(&self, n: usize) -> Result<Tensor> {
        Ok(self.table.narrow(0, 0, n)?)
    }
}
