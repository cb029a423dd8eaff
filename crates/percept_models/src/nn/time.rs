//! Layers along time: convolutions and their transposes, depthwise convolution, long short-term memory, and attention with a
//! bias on its scores. Gradients, where something trains, are those of the tensor library's own operations.

use candle_core::{Result as TensorResult, Shape, Tensor, bail};

use super::{
    flops,
    host::with_all,
    kernel::{
        biased::{self, BiasedShape},
        conv1d::{self, Conv1dShape},
        lstm,
    },
    params::{Init, Params},
};
use crate::{
    device::has_kernels,
    error::{ModelError, Result},
};

/// Whether this crate's kernels may run: on the CPU, and where nothing needs a gradient.
fn runs_kernel(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| has_kernels(tensor.device()) && !tensor.track_op())
}

/// Makes a tensor from what a kernel computed of contiguous arguments.
fn computed<const N: usize>(
    arguments: [&Tensor; N],
    shape: impl Into<Shape>,
    kernel: impl FnOnce([&[f32]; N]) -> Vec<f32>,
) -> TensorResult<Tensor> {
    let values = with_all(arguments, kernel)?;
    Tensor::from_vec(values, shape, arguments[0].device())
}

/// A weight as checkpoints hold it: plain, or as direction and length (weight normalisation, Salimans & Kingma 2016, arXiv
/// 1602.07868) under either of PyTorch's names.
///
/// # Errors
/// As [`Params::get`].
fn weight(p: &Params, shape: &[usize; 3], fan_in: usize) -> Result<Tensor> {
    let new = p.at("parametrizations").at("weight");
    let (place, [length, direction]) = if p.in_files("weight_v") {
        (p.clone(), ["weight_g", "weight_v"])
    } else if new.in_files("original1") {
        (new, ["original0", "original1"])
    } else {
        return p.get("weight", shape, Init::Uniform { fan_in });
    };
    let length = place.get(length, &[shape[0], 1, 1], Init::Ones)?;
    let direction = place.get(direction, shape, Init::Uniform { fan_in })?;
    let norm = direction.sqr()?.sum_keepdim((1, 2))?.sqrt()?;
    Ok(direction.broadcast_mul(&length.div(&norm)?)?)
}

/// Convolution over (B, C, L).
pub(crate) struct Conv1d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    dilation: usize,
    pad: [usize; 2],
}

impl Conv1d {
    /// A kernel of `size` samples, without padding.
    pub(crate) fn new(p: &Params, [c_in, c_out]: [usize; 2], size: usize) -> Result<Self> {
        let fan_in = c_in * size;
        let weight = weight(p, &[c_out, c_in, size], fan_in)?;
        Ok(Self {
            weight,
            bias: p.get("bias", &[c_out], Init::Uniform { fan_in })?,
            stride: 1,
            dilation: 1,
            pad: [0; 2],
        })
    }

    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// With zeros before and behind.
    pub(crate) fn pad(self, pad: [usize; 2]) -> Self {
        Self { pad, ..self }
    }

    /// As many zeros on both sides as keep the length, for an odd kernel.
    pub(crate) fn same(self) -> TensorResult<Self> {
        let pad = (self.weight.dim(2)? - 1) * self.dilation / 2;
        Ok(self.pad([pad; 2]))
    }

    /// Samples that one output sample sees, with the gaps between them.
    pub(crate) fn reach(&self) -> TensorResult<usize> {
        Ok((self.weight.dim(2)? - 1) * self.dilation + 1)
    }

    /// (B, C, L) → (B, O, L').
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = conv1d(x, &self.weight, &self.bias, [self.stride, self.dilation], self.pad)?;
        flops::add(out.elem_count() * self.weight.elem_count() / self.weight.dim(0)?.max(1));
        Ok(out)
    }
}

/// `x` (B, C, L), `w` (O, C, k), `bias` (O) → (B, O, L').
fn conv1d(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    [stride, dilation]: [usize; 2],
    pad: [usize; 2],
) -> TensorResult<Tensor> {
    let ((batch, channels, length), (outputs, inputs, kernel)) = (x.dims3()?, w.dims3()?);
    let shape = Conv1dShape { in_channels: inputs, out_channels: outputs, length, kernel, stride, dilation, pad };
    if channels != inputs || length + pad[0] + pad[1] < shape.reach() {
        bail!("a convolution over time of {inputs} channels and {} samples got {:?}", shape.reach(), x.dims());
    }
    if runs_kernel(&[x, w, bias]) {
        let dims = (batch, outputs, shape.out_length());
        return computed([x, w, bias], dims, |[x, w, bias]| conv1d::forward(&shape, x, w, bias));
    }
    let x = x.pad_with_zeros(2, pad[0], pad[1])?;
    x.contiguous()?.conv1d(&w.contiguous()?, 0, stride, dilation, 1)?.broadcast_add(&bias.reshape((1, outputs, 1))?)
}

/// Transposed convolution over (B, C, L), computed as one convolution for every phase of its stride.
pub(crate) struct ConvTranspose1d {
    /// (stride · O, C, taps of a phase).
    phases: Tensor,
    bias: Tensor,
    outputs: usize,
    stride: usize,
    kernel: usize,
}

impl ConvTranspose1d {
    /// A kernel of `size` samples, from (C, O, k) as PyTorch stores it.
    pub(crate) fn new(p: &Params, [c_in, c_out]: [usize; 2], size: usize, stride: usize) -> Result<Self> {
        let fan_in = c_out * size;
        let weight = weight(p, &[c_in, c_out, size], fan_in)?;
        let bias = p.get("bias", &[c_out], Init::Uniform { fan_in })?;
        // Output q·s + r is the sum over m of x[q − m] · w[m·s + r]: missing taps are zeros, and the newest sample comes last.
        let taps = size.div_ceil(stride);
        let whole = weight.pad_with_zeros(2, 0, taps * stride - size)?.reshape((c_in, c_out, taps, stride))?;
        let order: Vec<u32> = (0..taps as u32).rev().collect();
        let order = Tensor::from_vec(order, taps, weight.device())?;
        let phases = whole.index_select(&order, 2)?.permute((3, 1, 0, 2))?;
        let phases = phases.reshape((stride * c_out, c_in, taps))?.contiguous()?;
        Ok(Self { phases, bias, outputs: c_out, stride, kernel: size })
    }

    /// (B, C, L) → (B, O, (L − 1) · stride + k − cut), without `cut` samples at the begin and end.
    pub(crate) fn forward(&self, x: &Tensor, cut: [usize; 2]) -> Result<Tensor> {
        let (batch, _, length) = x.dims3()?;
        let taps = self.phases.dim(2)?;
        let bias = self.bias.repeat(self.stride)?;
        let out = conv1d(x, &self.phases, &bias, [1, 1], [taps - 1; 2])?;
        flops::add(x.elem_count() * self.outputs * self.kernel);
        let blocks = length + taps - 1;
        let out = out.reshape((batch, self.stride, self.outputs, blocks))?.permute((0, 2, 3, 1))?;
        let out = out.reshape((batch, self.outputs, blocks * self.stride))?;
        let whole = (length - 1) * self.stride + self.kernel;
        let kept = whole.checked_sub(cut[0] + cut[1]).filter(|&kept| kept > 0).ok_or_else(|| ModelError::Input {
            what: "transposed convolution",
            expected: format!("more than {} samples", cut[0] + cut[1]),
            got: whole.to_string(),
        })?;
        Ok(out.narrow(2, cut[0], kept)?.contiguous()?)
    }
}

/// Depthwise, causal convolution of tokens (B, L, C), without bias.
pub(crate) struct Depthwise {
    /// (k, C).
    weight: Tensor,
}

impl Depthwise {
    /// From (C, 1, k) as PyTorch stores it.
    pub(crate) fn new(p: &Params, channels: usize, size: usize) -> Result<Self> {
        let weight = p.get("weight", &[channels, 1, size], Init::Uniform { fan_in: size })?;
        Ok(Self { weight: weight.squeeze(1)?.t()?.contiguous()? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, length, channels) = x.dims3()?;
        let kernel = self.weight.dim(0)?;
        flops::add(x.elem_count() * kernel);
        if runs_kernel(&[x, &self.weight]) {
            let dims = x.shape().clone();
            return Ok(computed([x, &self.weight], dims, |[x, w]| conv1d::depthwise(x, w, [length, channels]))?);
        }
        let padded = x.pad_with_zeros(1, kernel - 1, 0)?;
        let mut sum: Option<Tensor> = None;
        for tap in 0..kernel {
            let part = padded.narrow(1, tap, length)?.broadcast_mul(&self.weight.narrow(0, tap, 1)?)?;
            sum = Some(sum.map_or(Ok(part.clone()), |sum| sum + part)?);
        }
        Ok(sum.unwrap_or_else(|| x.clone()))
    }
}

/// Layers of long short-term memory, as PyTorch's `LSTM` names them. Inference only.
pub(crate) struct Lstm {
    layers: Vec<[Tensor; 3]>,
}

impl Lstm {
    pub(crate) fn new(p: &Params, width: usize, layers: usize) -> Result<Self> {
        let layer = |i: usize| -> Result<[Tensor; 3]> {
            let init = Init::Uniform { fan_in: width };
            let input = p.get(&format!("weight_ih_l{i}"), &[4 * width, width], init)?;
            let state = p.get(&format!("weight_hh_l{i}"), &[4 * width, width], init)?;
            let bias = |kind: &str| p.get(&format!("bias_{kind}_l{i}"), &[4 * width], init);
            Ok([input, state, (bias("ih")? + bias("hh")?)?])
        };
        Ok(Self { layers: (0..layers).map(layer).collect::<Result<_>>()? })
    }

    /// (L, B, D) → (L, B, D).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, batch, width) = x.dims3()?;
        let mut x = x.contiguous()?;
        for [input, state, bias] in &self.layers {
            let gates = super::ops::linear(&x, input, Some(bias))?;
            flops::add(2 * gates.elem_count() * width);
            x = computed([&gates.detach(), &state.detach()], x.shape().clone(), |[gates, w]| {
                lstm::forward(gates, w, [batch, width])
            })?;
        }
        Ok(x)
    }
}

/// Attention whose scores are added to `bias`: one table for every so many samples, or one for all.
///
/// # Shapes
/// `q`, `k`, `v` (B, L, heads · dim), `bias` (tables, heads, L, L), B a multiple of tables → (B, L, heads · dim).
pub(crate) fn attend_biased(q: &Tensor, k: &Tensor, v: &Tensor, bias: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, tokens, width) = q.dims3()?;
    let (tables, dim) = (bias.dim(0)?, width / heads);
    if k.dims() != q.dims()
        || v.dims() != q.dims()
        || bias.dims() != [tables, heads, tokens, tokens]
        || batch % tables != 0
    {
        return Err(ModelError::Input {
            what: "attention with a bias",
            expected: format!("a bias for {heads} heads of {tokens} tokens"),
            got: format!("{:?} for {:?}", bias.dims(), q.dims()),
        });
    }
    flops::add(2 * q.elem_count() * tokens);
    if runs_kernel(&[q, k, v, bias]) {
        let shape = BiasedShape { heads, dim, tokens, tables };
        let (q, k, v, bias) = (q.contiguous()?, k.contiguous()?, v.contiguous()?, bias.contiguous()?);
        return Ok(computed([&q, &k, &v, &bias], q.shape().clone(), |[q, k, v, bias]| {
            biased::forward(&shape, q, k, v, bias)
        })?);
    }
    let split = |x: &Tensor| x.reshape((batch, tokens, heads, dim))?.transpose(1, 2)?.contiguous();
    let scores = (split(q)?.matmul(&split(k)?.t()?.contiguous()?)? * (1.0 / (dim as f64).sqrt()))?;
    let scores = scores.reshape((batch / tables, tables, heads, tokens, tokens))?.broadcast_add(&bias.unsqueeze(0)?)?;
    let scores = scores.reshape((batch, heads, tokens, tokens))?;
    let scores = scores.broadcast_sub(&scores.max_keepdim(3)?)?.exp()?;
    let shares = scores.broadcast_div(&scores.sum_keepdim(3)?)?;
    Ok(shares.matmul(&split(v)?)?.transpose(1, 2)?.reshape((batch, tokens, width))?)
}
