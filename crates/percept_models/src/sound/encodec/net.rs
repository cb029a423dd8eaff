//! The two networks of EnCodec (SEANet, Tagliasacchi et al. 2020, arXiv 2009.02095): convolutions that mirror a sound at its
//! ends, residual blocks, long short-term memory.

use candle_core::Tensor;

use super::EncodecConfig;
use crate::{
    error::Result,
    nn::{
        elementwise::elu,
        layers::GroupNorm,
        params::Params,
        time::{Conv1d, ConvTranspose1d, Lstm},
    },
};

/// Of group norms over time.
const EPS: f64 = 1e-5;

/// A convolution with its padding and its norm.
pub(super) struct Layer {
    conv: Conv1d,
    norm: Option<GroupNorm>,
    stride: usize,
    causal: bool,
    mirrored: bool,
}

impl Layer {
    fn new(p: &Params, channels: [usize; 2], [size, stride, dilation]: [usize; 3], c: &EncodecConfig) -> Result<Self> {
        Ok(Self {
            conv: Conv1d::new(&p.at("conv"), channels, size)?.stride(stride).dilation(dilation),
            norm: norm(p, channels[1], c)?,
            stride,
            causal: c.use_causal_conv,
            mirrored: c.pad_mode == "reflect",
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (length, reach) = (x.dim(2)?, self.conv.reach()?);
        let total = reach.saturating_sub(self.stride);
        // So many more that the last sample is seen.
        let extra = (length.max(1) - 1) / self.stride * self.stride + self.stride - length;
        let (before, behind) = if self.causal { (total, extra) } else { (total - total / 2, total / 2 + extra) };
        let x = padded(x, before, behind, self.mirrored)?;
        let x = self.conv.forward(&x)?;
        self.norm.as_ref().map_or(Ok(x.clone()), |norm| norm.forward(&x))
    }
}

fn norm(p: &Params, channels: usize, c: &EncodecConfig) -> Result<Option<GroupNorm>> {
    (c.norm_type == "time_group_norm").then(|| GroupNorm::new(&p.at("norm"), channels, 1, EPS)).transpose()
}

/// (B, C, L) with samples before and behind: zeros, or the sound mirrored at its ends (with zeros behind it first, where it
/// is too short for that).
fn padded(x: &Tensor, before: usize, behind: usize, mirrored: bool) -> Result<Tensor> {
    if before + behind == 0 {
        return Ok(x.clone());
    }
    if !mirrored {
        return Ok(x.pad_with_zeros(2, before, behind)?);
    }
    let length = x.dim(2)?;
    let missing = (before.max(behind) + 1).saturating_sub(length);
    let x = x.pad_with_zeros(2, 0, missing)?;
    let last = length + missing - 1;
    let turned = |indices: Vec<u32>| -> Result<Option<Tensor>> {
        let n = indices.len();
        let indices = (n > 0).then(|| Tensor::from_vec(indices, n, x.device())).transpose()?;
        Ok(indices.map(|indices| x.index_select(&indices, 2)).transpose()?)
    };
    let front = turned((1..=before as u32).rev().collect())?;
    let back = turned((0..behind as u32).map(|i| last as u32 - 1 - i).collect())?;
    let all: Vec<&Tensor> = front.iter().chain([&x]).chain(&back).collect();
    let all = Tensor::cat(&all, 2)?;
    Ok(all.narrow(2, 0, before + length + behind)?.contiguous()?)
}

/// A residual block.
pub(super) struct Residual {
    first: Layer,
    second: Layer,
    shortcut: Option<Layer>,
}

impl Residual {
    fn new(p: &Params, width: usize, dilation: usize, c: &EncodecConfig) -> Result<Self> {
        let (inner, block) = (width / c.compress, p.at("block"));
        Ok(Self {
            first: Layer::new(&block.at(1), [width, inner], [c.residual_kernel_size, 1, dilation], c)?,
            second: Layer::new(&block.at(3), [inner, width], [1, 1, 1], c)?,
            shortcut: c
                .use_conv_shortcut
                .then(|| Layer::new(&p.at("shortcut"), [width, width], [1, 1, 1], c))
                .transpose()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.second.forward(&elu(&self.first.forward(&elu(x)?)?)?)?;
        let x = self.shortcut.as_ref().map_or(Ok(x.clone()), |layer| layer.forward(x))?;
        Ok(crate::nn::maps::add(&x, &h)?)
    }
}

/// What a network is made of, in the order of its names.
pub(super) enum Part {
    Layer(Layer),
    Residual(Residual),
    Lstm(Lstm),
    Elu,
    Up { conv: ConvTranspose1d, norm: Option<GroupNorm>, cut: [usize; 2] },
}

impl Part {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(layer) => layer.forward(x),
            Self::Residual(block) => block.forward(x),
            Self::Elu => elu(x),
            Self::Lstm(lstm) => {
                let x = x.permute((2, 0, 1))?.contiguous()?;
                Ok((lstm.forward(&x)? + &x)?.permute((1, 2, 0))?.contiguous()?)
            }
            Self::Up { conv, norm: None, cut } => conv.forward(x, *cut),
            Self::Up { conv, norm: Some(norm), cut } => {
                // The norm sees what is cut off behind it.
                let x = norm.forward(&conv.forward(x, [0, 0])?)?;
                let kept = x.dim(2)? - cut[0] - cut[1];
                Ok(x.narrow(2, cut[0], kept)?.contiguous()?)
            }
        }
    }
}

pub(super) fn run(parts: &[Part], x: &Tensor) -> Result<Tensor> {
    parts.iter().try_fold(x.clone(), |x, part| part.forward(&x))
}

pub(super) fn encode_net(p: &Params, c: &EncodecConfig) -> Result<Vec<Part>> {
    let layers = p.at("encoder").at("layers");
    let mut width = c.num_filters;
    let mut parts = vec![Part::Layer(Layer::new(&layers.at(0), [c.audio_channels, width], [c.kernel_size, 1, 1], c)?)];
    for &ratio in c.upsampling_ratios.iter().rev() {
        for j in 0..c.num_residual_layers {
            let dilation = c.dilation_growth_rate.pow(j as u32);
            parts.push(Part::Residual(Residual::new(&layers.at(parts.len()), width, dilation, c)?));
        }
        parts.push(Part::Elu);
        parts.push(Part::Layer(Layer::new(&layers.at(parts.len()), [width, 2 * width], [2 * ratio, ratio, 1], c)?));
        width *= 2;
    }
    parts.push(Part::Lstm(Lstm::new(&layers.at(parts.len()).at("lstm"), width, c.num_lstm_layers)?));
    parts.push(Part::Elu);
    parts.push(Part::Layer(Layer::new(
        &layers.at(parts.len()),
        [width, c.hidden_size],
        [c.last_kernel_size, 1, 1],
        c,
    )?));
    Ok(parts)
}

pub(super) fn decode_net(p: &Params, c: &EncodecConfig) -> Result<Vec<Part>> {
    let layers = p.at("decoder").at("layers");
    let mut width = c.num_filters << c.upsampling_ratios.len();
    let mut parts = vec![Part::Layer(Layer::new(&layers.at(0), [c.hidden_size, width], [c.kernel_size, 1, 1], c)?)];
    parts.push(Part::Lstm(Lstm::new(&layers.at(1).at("lstm"), width, c.num_lstm_layers)?));
    for &ratio in &c.upsampling_ratios {
        parts.push(Part::Elu);
        let place = layers.at(parts.len());
        // The kernel is two strides long, so one stride is cut off again.
        let behind = if c.use_causal_conv { (ratio as f64 * c.trim_right_ratio).ceil() as usize } else { ratio / 2 };
        parts.push(Part::Up {
            conv: ConvTranspose1d::new(&place.at("conv"), [width, width / 2], 2 * ratio, ratio)?,
            norm: norm(&place, width / 2, c)?,
            cut: [ratio - behind, behind],
        });
        width /= 2;
        for j in 0..c.num_residual_layers {
            let dilation = c.dilation_growth_rate.pow(j as u32);
            parts.push(Part::Residual(Residual::new(&layers.at(parts.len()), width, dilation, c)?));
        }
    }
    parts.push(Part::Elu);
    parts.push(Part::Layer(Layer::new(
        &layers.at(parts.len()),
        [width, c.audio_channels],
        [c.last_kernel_size, 1, 1],
        c,
    )?));
    Ok(parts)
}
