//! Layers along time, over samples or tokens that lie behind each other as rows of channels (B, L, C): convolutions and their
//! transposes, depthwise convolution, long short-term memory, and attention with a bias on its scores.
//!
//! Weights are brought into the order of the kernels once where they are frozen, and in every pass where they train.

use std::sync::OnceLock;

use candle_core::{Result as TensorResult, Shape, Tensor, bail};

pub(crate) use super::kernel::pointwise::Bend;
use super::{
    composed, flops,
    host::{with_all, with_values},
    kernel::{
        biased::{self, BiasedShape},
        conv1d::{self, Conv1dShape, Extras},
        lstm, norm,
        pointwise::sum_rows,
    },
    opaque::opaque,
    ops,
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
enum Stored {
    Plain(Tensor),
    Normed { length: Tensor, direction: Tensor },
}

impl Stored {
    fn new(p: &Params, shape: &[usize; 3], fan_in: usize) -> Result<Self> {
        let new = p.at("parametrizations").at("weight");
        let (place, [length, direction]) = if p.in_files("weight_v") {
            (p.clone(), ["weight_g", "weight_v"])
        } else if new.in_files("original1") {
            (new, ["original0", "original1"])
        } else {
            return Ok(Self::Plain(p.get("weight", shape, Init::Uniform { fan_in })?));
        };
        let length = place.get(length, &[shape[0], 1, 1], Init::Ones)?;
        Ok(Self::Normed { length, direction: place.get(direction, shape, Init::Uniform { fan_in })? })
    }

    fn value(&self) -> TensorResult<Tensor> {
        match self {
            Self::Plain(weight) => Ok(weight.clone()),
            Self::Normed { length, direction } => {
                let norm = direction.sqr()?.sum_keepdim((1, 2))?.sqrt()?;
                direction.broadcast_mul(&length.div(&norm)?)
            }
        }
    }

    fn trains(&self) -> bool {
        match self {
            Self::Plain(weight) => weight.track_op(),
            Self::Normed { length, direction } => length.track_op() || direction.track_op(),
        }
    }
}

/// A stored weight in the order of the kernel, (k, C, O).
struct Taps {
    stored: Stored,
    order: fn(&Tensor, usize) -> TensorResult<Tensor>,
    /// What `order` needs to know.
    stride: usize,
    /// Made once, where the weight is frozen.
    ready: Option<Tensor>,
    /// What the kernel wants of a frozen weight besides, made when it first runs.
    prepared: OnceLock<Option<Vec<f32>>>,
}

impl Taps {
    fn new(stored: Stored, order: fn(&Tensor, usize) -> TensorResult<Tensor>, stride: usize) -> TensorResult<Self> {
        let ready = (!stored.trains()).then(|| order(&stored.value()?, stride)).transpose()?;
        // What the kernels do not need is not kept either.
        let stored = match &ready {
            Some(ready) => Stored::Plain(ready.clone()),
            None => stored,
        };
        Ok(Self { stored, order, stride, ready, prepared: OnceLock::new() })
    }

    fn prepared(&self, s: &Conv1dShape) -> TensorResult<Option<&[f32]>> {
        let Some(ready) = self.ready.as_ref().filter(|ready| has_kernels(ready.device())) else { return Ok(None) };
        if self.prepared.get().is_none() {
            let made = with_values(ready, |w| conv1d::prepared(s, w))?;
            // Another thread may have been faster, with the same values.
            let _ = self.prepared.set(made);
        }
        Ok(self.prepared.get().and_then(Option::as_deref))
    }

    fn get(&self) -> TensorResult<Tensor> {
        self.ready.clone().map_or_else(|| (self.order)(&self.stored.value()?, self.stride), Ok)
    }
}

/// (O, C, k) → (k, C, O).
fn by_taps(weight: &Tensor, _stride: usize) -> TensorResult<Tensor> {
    weight.permute((2, 1, 0))?.contiguous()
}

/// (C, O, k) of a transposed convolution → (taps, C, stride · O): output q · stride + r is the sum over m of
/// x[q − m] · w[m · stride + r]; missing taps are zeros, and the newest sample comes last.
fn by_phases(weight: &Tensor, stride: usize) -> TensorResult<Tensor> {
    let (c_in, c_out, size) = weight.dims3()?;
    let taps = size.div_ceil(stride);
    let whole = weight.pad_with_zeros(2, 0, taps * stride - size)?.reshape((c_in, c_out, taps, stride))?;
    let order = Tensor::from_vec((0..taps as u32).rev().collect::<Vec<_>>(), taps, weight.device())?;
    whole.contiguous()?.index_select(&order, 2)?.permute((2, 0, 3, 1))?.reshape((taps, c_in, stride * c_out))
}

/// A convolution over time.
pub(crate) struct Conv1d {
    taps: Taps,
    bias: Tensor,
    size: usize,
    stride: usize,
    dilation: usize,
    pad: [isize; 2],
    bend: Option<Bend>,
}

impl Conv1d {
    /// A kernel of `size` samples from (O, C, k) as PyTorch stores it, without padding.
    pub(crate) fn new(p: &Params, [c_in, c_out]: [usize; 2], size: usize) -> Result<Self> {
        let fan_in = c_in * size;
        Ok(Self {
            taps: Taps::new(Stored::new(p, &[c_out, c_in, size], fan_in)?, by_taps, 1)?,
            bias: p.get("bias", &[c_out], Init::Uniform { fan_in })?,
            size,
            stride: 1,
            dilation: 1,
            pad: [0; 2],
            bend: None,
        })
    }

    /// Every so many samples; not together with a dilation.
    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// Of samples that went through a rectifier first.
    pub(crate) fn bend(self, bend: Bend) -> Self {
        Self { bend: Some(bend), ..self }
    }

    /// As many zeros on both sides as keep the length, for an odd kernel.
    pub(crate) fn same(self) -> Self {
        let pad = (self.size - 1) * self.dilation / 2;
        Self { pad: [pad as isize; 2], ..self }
    }

    /// Samples that one output sample sees, with the gaps between them.
    pub(crate) fn reach(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// (B, L, C) → (B, L', O).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None, self.pad, false)
    }

    /// As [`Self::forward`], added to `onto` (B, L', O).
    pub(crate) fn forward_onto(&self, x: &Tensor, onto: &Tensor) -> Result<Tensor> {
        self.run(x, Some(onto), self.pad, false)
    }

    /// As [`Self::forward`] of a sound that is mirrored at its ends, so many samples before and behind (with zeros behind it
    /// first, where it is too short for that); added to `onto` where that is given.
    pub(crate) fn forward_mirrored(&self, x: &Tensor, pad: [usize; 2], onto: Option<&Tensor>) -> Result<Tensor> {
        if runs_kernel(&[x, &self.bias]) && self.taps.ready.is_some() && pad.iter().all(|&pad| pad < x.dims()[1]) {
            return self.run(x, onto, pad.map(|pad| pad as isize), true);
        }
        self.run(&mirrored(x, pad)?, onto, [0, 0], false)
    }

    /// As [`Self::forward`] with other zeros before and behind; added to `onto` where that is given.
    pub(crate) fn forward_padded(&self, x: &Tensor, pad: [usize; 2], onto: Option<&Tensor>) -> Result<Tensor> {
        self.run(x, onto, pad.map(|pad| pad as isize), false)
    }

    fn run(&self, x: &Tensor, onto: Option<&Tensor>, pad: [isize; 2], mirrored: bool) -> Result<Tensor> {
        let taps = self.taps.get()?;
        let (_, length, inputs) = x.dims3()?;
        let shape = Conv1dShape {
            inputs,
            outputs: taps.dim(2)?,
            length,
            kernel: self.size,
            stride: self.stride,
            dilation: self.dilation,
            pad,
            mirrored,
            bend: self.bend,
        };
        Ok(conv1d(shape, x, &taps, &self.bias, onto, self.taps.prepared(&shape)?)?)
    }
}

/// (B, L, C) with the sound mirrored at its ends, or with zeros behind it first, where it is too short for that.
fn mirrored(x: &Tensor, [before, behind]: [usize; 2]) -> Result<Tensor> {
    if before + behind == 0 {
        return Ok(x.clone());
    }
    let length = x.dim(1)?;
    let missing = (before.max(behind) + 1).saturating_sub(length);
    let x = if missing > 0 { x.pad_with_zeros(1, 0, missing)? } else { x.clone() };
    let last = (length + missing - 1) as u32;
    let order = (1..=before as u32).rev().chain(0..=last).chain((0..behind as u32).map(|i| last - 1 - i));
    let order: Vec<u32> = order.take(before + length + behind).collect();
    let n = order.len();
    Ok(x.index_select(&Tensor::from_vec(order, n, x.device())?, 1)?)
}

/// `x` (B, L, C), `w` (k, C, O), `bias` (O) → (B, L', O), added to `onto` where that is given; `prepared` are the weights as
/// the kernel wants them.
fn conv1d(
    s: Conv1dShape,
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    onto: Option<&Tensor>,
    prepared: Option<&[f32]>,
) -> TensorResult<Tensor> {
    let batch = x.dim(0)?;
    if w.dims() != [s.kernel, s.inputs, s.outputs] || s.out_length() == 0 || (s.stride > 1 && s.dilation > 1) {
        bail!("a convolution over time with weights {:?} and {} samples got {:?}", w.dims(), s.reach(), x.dims());
    }
    let dims = (batch, s.out_length(), s.outputs);
    if onto.is_some_and(|onto| onto.dims() != [batch, s.out_length(), s.outputs]) {
        bail!("a convolution over time to {dims:?} cannot be added to {:?}", onto.map(Tensor::dims));
    }
    flops::add(batch * s.out_length() * s.outputs * s.kernel * s.inputs);
    if !has_kernels(x.device()) {
        let out = composed::conv1d(&s, x, w, bias)?;
        return onto.map_or(Ok(out.clone()), |onto| onto + &out);
    }
    if let Some(onto) = onto {
        if runs_kernel(&[x, w, bias, onto]) {
            return computed([x, w, bias, onto], dims, |[x, w, bias, onto]| {
                conv1d::forward(&s, x, w, bias, Extras { onto: Some(onto), prepared })
            });
        }
        return super::maps::add(onto, &conv1d(s, x, w, bias, None, prepared)?);
    }
    let out =
        computed([x, w, bias], dims, |[x, w, bias]| conv1d::forward(&s, x, w, bias, Extras { onto: None, prepared }))?;
    opaque(out, &[x, w, bias], move |inputs, needs, grad| {
        let [x, w, bias] = [&inputs[0], &inputs[1], &inputs[2]];
        let made = |needed: bool, like: &Tensor, kernel: &dyn Fn([&[f32]; 3]) -> Vec<f32>| {
            needed.then(|| computed([x, w, grad], like.shape().clone(), kernel)).transpose()
        };
        Ok(vec![
            made(needs[0], x, &|[x, w, grad]| conv1d::backward_input(&s, x, w, grad))?,
            made(needs[1], w, &|[x, _, grad]| conv1d::backward_weight(&s, x, grad))?,
            made(needs[2], bias, &|[_, _, grad]| sum_rows(grad, s.outputs))?,
        ])
    })
}

/// Transposed convolution over (B, L, C), computed as one convolution whose outputs are all phases of its stride.
pub(crate) struct ConvTranspose1d {
    taps: Taps,
    bias: Tensor,
    stride: usize,
    size: usize,
    bend: Option<Bend>,
}

impl ConvTranspose1d {
    /// A kernel of `size` samples, from (C, O, k) as PyTorch stores it.
    pub(crate) fn new(p: &Params, [c_in, c_out]: [usize; 2], size: usize, stride: usize) -> Result<Self> {
        let fan_in = c_out * size;
        let taps = Taps::new(Stored::new(p, &[c_in, c_out, size], fan_in)?, by_phases, stride)?;
        Ok(Self { taps, bias: p.get("bias", &[c_out], Init::Uniform { fan_in })?, stride, size, bend: None })
    }

    /// Of samples that went through a rectifier first.
    pub(crate) fn bend(self, bend: Bend) -> Self {
        Self { bend: Some(bend), ..self }
    }

    /// (B, L, C) → (B, (L − 1) · stride + k − cut, O), without `cut` samples at the begin and end.
    pub(crate) fn forward(&self, x: &Tensor, cut: [usize; 2]) -> Result<Tensor> {
        let (batch, length, inputs) = x.dims3()?;
        let phases = self.taps.get()?;
        let (taps, _, outputs) = phases.dims3()?;
        let shape = Conv1dShape {
            inputs,
            outputs,
            length,
            kernel: taps,
            stride: 1,
            dilation: 1,
            pad: [taps as isize - 1; 2],
            mirrored: false,
            bend: self.bend,
        };
        let out = conv1d(shape, x, &phases, &self.bias.repeat(self.stride)?, None, self.taps.prepared(&shape)?)?;
        let out = out.reshape((batch, shape.out_length() * self.stride, outputs / self.stride))?;
        let whole = (length - 1) * self.stride + self.size;
        let kept = whole.checked_sub(cut[0] + cut[1]).filter(|&kept| kept > 0).ok_or_else(|| ModelError::Input {
            what: "transposed convolution",
            expected: format!("more than {} samples", cut[0] + cut[1]),
            got: whole.to_string(),
        })?;
        Ok(out.narrow(1, cut[0], kept)?.contiguous()?)
    }
}

/// A norm of all samples and channels of a sound together, with a scale and a shift for each channel.
pub(crate) struct WholeNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl WholeNorm {
    pub(crate) fn new(p: &Params, channels: usize, eps: f64) -> Result<Self> {
        let get = |name: &str, init| p.get(name, &[channels], init);
        Ok(Self { weight: get("weight", Init::Ones)?, bias: get("bias", Init::Zeros)?, eps })
    }

    /// (B, L, C) → the same.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if runs_kernel(&[x, &self.weight, &self.bias]) {
            let dims = x.shape().clone();
            let n = x.dim(1)? * x.dim(2)?;
            return Ok(computed([x, &self.weight, &self.bias], dims, |[x, weight, bias]| {
                norm::whole(x, weight, bias, n, self.eps as f32)
            })?);
        }
        let flat = x.flatten_from(1)?;
        let centred = flat.broadcast_sub(&flat.mean_keepdim(1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(1)? + self.eps)?.sqrt()?;
        let unit = centred.broadcast_div(&deviation)?.reshape(x.shape())?;
        Ok(unit.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?)
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

/// Layers of long short-term memory, as PyTorch's `LSTM` names them.
pub(crate) struct Lstm {
    /// Weights of the input and of the state, and the biases of both.
    layers: Vec<[Tensor; 4]>,
}

impl Lstm {
    pub(crate) fn new(p: &Params, width: usize, layers: usize) -> Result<Self> {
        let layer = |i: usize| -> Result<[Tensor; 4]> {
            let init = Init::Uniform { fan_in: width };
            let weight = |kind: &str| p.get(&format!("weight_{kind}_l{i}"), &[4 * width, width], init);
            let bias = |kind: &str| p.get(&format!("bias_{kind}_l{i}"), &[4 * width], init);
            Ok([weight("ih")?, weight("hh")?, bias("ih")?, bias("hh")?])
        };
        Ok(Self { layers: (0..layers).map(layer).collect::<Result<_>>()? })
    }

    /// (L, B, D) → (L, B, D).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, batch, width) = x.dims3()?;
        let mut x = x.contiguous()?;
        for [input, state, bias, more] in &self.layers {
            let gates = ops::linear(&x, input, Some(&(bias + more)?))?;
            flops::add(gates.elem_count() * width);
            x = if runs_kernel(&[&gates, state]) {
                computed([&gates, state], x.shape().clone(), |[gates, w]| lstm::forward(gates, w, [batch, width]))?
            } else {
                composed::lstm(&gates, state)?
            };
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
    let shape = BiasedShape { heads, dim, tokens, tables, stride: width };
    if runs_kernel(&[q, k, v, bias]) {
        let dims = q.shape().clone();
        return Ok(computed([q, k, v, bias], dims, |[q, k, v, bias]| biased::forward(&shape, q, k, v, bias))?);
    }
    if !has_kernels(q.device()) {
        return Ok(composed::attend_biased(q, k, v, bias, &shape)?);
    }
    let packed = Tensor::cat(&[q, k, v], 2)?;
    let shape = BiasedShape { stride: 3 * width, ..shape };
    let out = computed([&packed, bias], q.shape().clone(), |[packed, bias]| {
        biased::forward(&shape, packed, &packed[width..], &packed[2 * width..], bias)
    })?;
    Ok(opaque(out, &[&packed, bias], move |inputs, needs, grad| {
        let [packed, bias] = [&inputs[0], &inputs[1]];
        let both = with_all([packed, bias, grad], |[packed, bias, grad]| biased::backward(&shape, packed, bias, grad))?;
        let mut own = Vec::with_capacity(2);
        for ((values, like), needed) in both.into_iter().zip([packed, bias]).zip(needs) {
            own.push(needed.then(|| Tensor::from_vec(values, like.shape(), like.device())).transpose()?);
        }
        Ok(own)
    })?)
}
