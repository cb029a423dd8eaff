//! The two networks of EnCodec (SEANet, Tagliasacchi et al. 2020, arXiv 2009.02095): convolutions that mirror a sound at its
//! ends, residual blocks, long short-term memory.

use candle_core::Tensor;

use super::EncodecConfig;
use crate::{
    error::Result,
    nn::{
        params::Params,
        time::{Bend, Conv1d, ConvTranspose1d, Lstm, WholeNorm},
    },
};

/// Of group norms over time.
const EPS: f64 = 1e-5;

/// A convolution, behind a rectifier or not, with its padding and its norm.
pub(super) struct Layer {
    conv: Conv1d,
    norm: Option<WholeNorm>,
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

    /// Behind ELU.
    fn behind_elu(self) -> Self {
        Self { conv: self.conv.bend(Bend::Elu), ..self }
    }

    /// (B, L, C) → (B, L / stride, O).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_onto(x, None)
    }

    fn forward_onto(&self, x: &Tensor, onto: Option<&Tensor>) -> Result<Tensor> {
        let (length, reach) = (x.dim(1)?, self.conv.reach());
        let total = reach.saturating_sub(self.stride);
        // So many more that the last sample is seen.
        let extra = (length.max(1) - 1) / self.stride * self.stride + self.stride - length;
        let (before, behind) = if self.causal { (total, extra) } else { (total - total / 2, total / 2 + extra) };
        let convolved = |onto| {
            if self.mirrored {
                self.conv.forward_mirrored(x, [before, behind], onto)
            } else {
                self.conv.forward_padded(x, [before, behind], onto)
            }
        };
        match &self.norm {
            None => convolved(onto),
            Some(norm) => {
                let x = norm.forward(&convolved(None)?)?;
                onto.map_or(Ok(x.clone()), |onto| Ok(crate::nn::maps::add(onto, &x)?))
            }
        }
    }
}

fn norm(p: &Params, channels: usize, c: &EncodecConfig) -> Result<Option<WholeNorm>> {
    (c.norm_type == "time_group_norm").then(|| WholeNorm::new(&p.at("norm"), channels, EPS)).transpose()
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
            first: Layer::new(&block.at(1), [width, inner], [c.residual_kernel_size, 1, dilation], c)?.behind_elu(),
            second: Layer::new(&block.at(3), [inner, width], [1, 1, 1], c)?.behind_elu(),
            shortcut: c
                .use_conv_shortcut
                .then(|| Layer::new(&p.at("shortcut"), [width, width], [1, 1, 1], c))
                .transpose()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.first.forward(x)?;
        let x = self.shortcut.as_ref().map_or(Ok(x.clone()), |layer| layer.forward(x))?;
        self.second.forward_onto(&h, Some(&x))
    }
}

/// What a network is made of, in the order of its names.
pub(super) enum Part {
    Layer(Layer),
    Residual(Residual),
    Lstm(Lstm),
    /// Stands in the names alone: what follows goes through ELU first.
    Elu,
    Up {
        conv: ConvTranspose1d,
        norm: Option<WholeNorm>,
        cut: [usize; 2],
    },
}

impl Part {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(layer) => layer.forward(x),
            Self::Residual(block) => block.forward(x),
            Self::Elu => Ok(x.clone()),
            Self::Lstm(lstm) => {
                let x = x.transpose(0, 1)?.contiguous()?;
                Ok((lstm.forward(&x)? + &x)?.transpose(0, 1)?.contiguous()?)
            }
            Self::Up { conv, norm: None, cut } => conv.forward(x, *cut),
            Self::Up { conv, norm: Some(norm), cut } => {
                // The norm sees what is cut off behind it.
                let x = norm.forward(&conv.forward(x, [0, 0])?)?;
                let kept = x.dim(1)? - cut[0] - cut[1];
                Ok(x.narrow(1, cut[0], kept)?.contiguous()?)
            }
        }
    }
}

/// (B, C, L) → (B, O, L').
pub(super) fn run(parts: &[Part], x: &Tensor) -> Result<Tensor> {
    let x = x.transpose(1, 2)?.contiguous()?;
    let x = parts.iter().try_fold(x, |x, part| part.forward(&x))?;
    Ok(x.transpose(1, 2)?.contiguous()?)
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
        let down = Layer::new(&layers.at(parts.len()), [width, 2 * width], [2 * ratio, ratio, 1], c)?;
        parts.push(Part::Layer(down.behind_elu()));
        width *= 2;
    }
    parts.push(Part::Lstm(Lstm::new(&layers.at(parts.len()).at("lstm"), width, c.num_lstm_layers)?));
    parts.push(Part::Elu);
    let last = Layer::new(&layers.at(parts.len()), [width, c.hidden_size], [c.last_kernel_size, 1, 1], c)?;
    parts.push(Part::Layer(last.behind_elu()));
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
            conv: ConvTranspose1d::new(&place.at("conv"), [width, width / 2], 2 * ratio, ratio)?.bend(Bend::Elu),
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
    let last = Layer::new(&layers.at(parts.len()), [width, c.audio_channels], [c.last_kernel_size, 1, 1], c)?;
    parts.push(Part::Layer(last.behind_elu()));
    Ok(parts)
}
