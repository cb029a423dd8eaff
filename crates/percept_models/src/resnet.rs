//! The residual block and the resampling layers that the U-Net and the autoencoder share (diffusers' `ResnetBlock2D`).

use candle_core::Tensor;

use crate::{
    error::Result,
    nn::{
        Activation,
        layers::{Conv2d, GroupNorm, Linear},
        maps, ops,
        params::Params,
    },
};

/// Two normalised convolutions around a residual; the U-Net adds the embedded diffusion step in between.
#[derive(Clone)]
pub(crate) struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    step: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    /// From `c_in` to `c_out` channels; `step_width` is the width of the step embedding, if there is one.
    pub(crate) fn new(
        p: &Params,
        [c_in, c_out]: [usize; 2],
        groups: usize,
        eps: f64,
        step_width: Option<usize>,
    ) -> Result<Self> {
        Ok(Self {
            norm1: GroupNorm::new(&p.at("norm1"), c_in, groups, eps)?,
            conv1: Conv2d::new(&p.at("conv1"), [c_in, c_out], 3, 1, 1)?,
            step: step_width.map(|width| Linear::new(&p.at("time_emb_proj"), width, c_out)).transpose()?,
            norm2: GroupNorm::new(&p.at("norm2"), c_out, groups, eps)?,
            conv2: Conv2d::new(&p.at("conv2"), [c_out, c_out], 3, 1, 1)?,
            shortcut: (c_in != c_out)
                .then(|| Conv2d::new(&p.at("conv_shortcut"), [c_in, c_out], 1, 1, 0))
                .transpose()?,
        })
    }

    /// `x` (B, C, H, W); `step` (B, step_width) → (B, O, H, W).
    pub(crate) fn forward(&self, x: &Tensor, step: Option<&Tensor>) -> Result<Tensor> {
        let mut h = self.conv1.forward(&self.norm1.forward_silu(x)?)?;
        if let (Some(layer), Some(step)) = (&self.step, step) {
            let shift = layer.forward(&ops::activate(step, Activation::Silu)?)?;
            h = maps::add_channels(&h, &shift)?;
        }
        let h = self.conv2.forward(&self.norm2.forward_silu(&h)?)?;
        match &self.shortcut {
            Some(conv) => Ok(maps::add(&conv.forward(x)?, &h)?),
            None => Ok(maps::add(x, &h)?),
        }
    }
}

/// Halves height and width by a strided convolution.
#[derive(Clone)]
pub(crate) struct Downsample(Conv2d);

impl Downsample {
    /// Symmetric padding, as in the U-Net.
    pub(crate) fn symmetric(p: &Params, channels: usize) -> Result<Self> {
        Ok(Self(Conv2d::new(&p.at("conv"), [channels, channels], 3, 2, 1)?))
    }

    /// Padding at the bottom and right only, as in the autoencoder.
    pub(crate) fn trailing(p: &Params, channels: usize) -> Result<Self> {
        Ok(Self(Conv2d::padded(&p.at("conv"), [channels, channels], 3, 2, [0, 0, 1, 1])?))
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }
}

/// Doubles height and width by nearest neighbours and a convolution.
#[derive(Clone)]
pub(crate) struct Upsample(Conv2d);

impl Upsample {
    pub(crate) fn new(p: &Params, channels: usize) -> Result<Self> {
        Ok(Self(Conv2d::new(&p.at("conv"), [channels, channels], 3, 1, 1)?))
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(&ops::upsample2(x)?)
    }
}
