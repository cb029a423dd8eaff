//! The HiFi-GAN vocoder (Kong et al. 2020, arXiv 2010.05646): log-mel spectrograms to sound, from transformers'
//! `SpeechT5HifiGan` layout, as AudioLDM and MusicLDM use it. Reference: transformers 5.24.0.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::{
        maps,
        params::{Init, Params},
        time::{Bend, Conv1d, ConvTranspose1d},
    },
};

const NAME: &str = "vocoder";
/// The slope below zero before the last convolution, which the config does not name.
const LAST_SLOPE: f32 = 0.01;

/// The keys of a `SpeechT5HifiGanConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HifiGanConfig {
    /// Mels of a frame.
    #[serde(default = "eighty")]
    pub model_in_dim: usize,
    /// Samples in a second.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    #[serde(default = "five_twelve")]
    upsample_initial_channel: usize,
    #[serde(default = "rates")]
    upsample_rates: Vec<usize>,
    #[serde(default = "kernels")]
    upsample_kernel_sizes: Vec<usize>,
    #[serde(default = "resblock_kernels")]
    resblock_kernel_sizes: Vec<usize>,
    #[serde(default = "dilations")]
    resblock_dilation_sizes: Vec<Vec<usize>>,
    #[serde(default = "slope")]
    leaky_relu_slope: f32,
    #[serde(default = "yes")]
    normalize_before: bool,
    #[serde(flatten)]
    rest: Rest,
}

fn eighty() -> usize {
    80
}
fn rate() -> u32 {
    16_000
}
fn five_twelve() -> usize {
    512
}
fn rates() -> Vec<usize> {
    vec![4; 4]
}
fn kernels() -> Vec<usize> {
    vec![8; 4]
}
fn resblock_kernels() -> Vec<usize> {
    vec![3, 7, 11]
}
fn dilations() -> Vec<Vec<usize>> {
    vec![vec![1, 3, 5]; 3]
}
fn slope() -> f32 {
    0.1
}
fn yes() -> bool {
    true
}

impl HifiGanConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let c: Self = config::parse(NAME, text)?;
        config::check_rest(NAME, &c.rest, &[])?;
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        let n = c.upsample_rates.len();
        if n == 0 || n > 10 || c.upsample_kernel_sizes.len() != n {
            return refuse(
                "upsample_rates",
                format!("{:?}", c.upsample_rates),
                "1 to 10, as many as `upsample_kernel_sizes`",
            );
        }
        for (rate, kernel) in c.upsample_rates.iter().zip(&c.upsample_kernel_sizes) {
            if *rate == 0 || kernel < rate || *kernel > 256 {
                return refuse("upsample_kernel_sizes", kernel.to_string(), "a rate or more, at most 256");
            }
        }
        let sizes = (&c.resblock_kernel_sizes, &c.resblock_dilation_sizes);
        if sizes.0.is_empty() || sizes.0.len() != sizes.1.len() || sizes.0.len() > 16 {
            return refuse(
                "resblock_kernel_sizes",
                format!("{:?}", sizes.0),
                "as many as `resblock_dilation_sizes`, at most 16",
            );
        }
        let is_odd = |kernel: &usize| kernel % 2 == 1 && *kernel < 256;
        if !sizes.0.iter().all(is_odd)
            || sizes.1.iter().any(|d| d.is_empty() || d.len() > 16 || d.iter().any(|d| !(1..=256).contains(d)))
        {
            return refuse(
                "resblock_kernel_sizes",
                format!("{:?} by {:?}", sizes.0, sizes.1),
                "odd kernels, dilations of 1 to 256",
            );
        }
        let channels = c.upsample_initial_channel;
        if channels == 0 || channels > LARGEST || !channels.is_multiple_of(1 << n) {
            return refuse("upsample_initial_channel", channels.to_string(), "halved at every upsampling");
        }
        if c.model_in_dim == 0 || c.model_in_dim > LARGEST || c.sampling_rate == 0 || !c.leaky_relu_slope.is_finite() {
            return refuse(
                "model_in_dim",
                c.model_in_dim.to_string(),
                "the number of mels, with a positive `sampling_rate`",
            );
        }
        Ok(c)
    }

    /// Samples that one frame becomes; a kernel an odd number longer than its rate adds a few at the end of a sound.
    pub fn hop(&self) -> usize {
        self.upsample_rates.iter().product()
    }
}

/// Pairs of a dilated and a plain convolution, each behind a rectifier, each pair around a residual.
struct Residual {
    pairs: Vec<[Conv1d; 2]>,
}

impl Residual {
    fn new(p: &Params, width: usize, kernel: usize, dilations: &[usize], bend: Bend) -> Result<Self> {
        let conv = |kind: &str, i: usize, dilation: usize| -> Result<Conv1d> {
            Ok(Conv1d::new(&p.at(kind).at(i), [width, width], kernel)?.dilation(dilation).same().bend(bend))
        };
        let pair = |(i, &dilation): (usize, &usize)| Ok([conv("convs1", i, dilation)?, conv("convs2", i, 1)?]);
        Ok(Self { pairs: dilations.iter().enumerate().map(pair).collect::<Result<_>>()? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.pairs.iter().try_fold(x.clone(), |x, [first, second]| second.forward_onto(&first.forward(&x)?, &x))
    }
}

/// The vocoder.
pub struct HifiGan {
    config: HifiGanConfig,
    /// Mean and deviation of each mel.
    normal: Option<[Tensor; 2]>,
    conv_pre: Conv1d,
    /// The transposed convolution of each upsampling, what it is cut by, and the residual blocks behind it.
    levels: Vec<(ConvTranspose1d, usize, Vec<Residual>)>,
    conv_post: Conv1d,
    device: Device,
}

impl HifiGan {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: HifiGanConfig) -> Result<Self> {
        let c = &config;
        let statistic = |name: &str, init| p.statistic(name, &[c.model_in_dim], init);
        let normal = [statistic("mean", Init::Zeros)?, statistic("scale", Init::Ones)?];
        let bend = Bend::Leaky(c.leaky_relu_slope);
        let mut width = c.upsample_initial_channel;
        let n = c.resblock_kernel_sizes.len();
        let mut levels = Vec::new();
        for (i, (&rate, &kernel)) in c.upsample_rates.iter().zip(&c.upsample_kernel_sizes).enumerate() {
            let up = ConvTranspose1d::new(&p.at("upsampler").at(i), [width, width / 2], kernel, rate)?.bend(bend);
            width /= 2;
            let sizes = c.resblock_kernel_sizes.iter().zip(&c.resblock_dilation_sizes).enumerate();
            let blocks = sizes.map(|(j, (&kernel, dilations))| {
                Residual::new(&p.at("resblocks").at(i * n + j), width, kernel, dilations, bend)
            });
            levels.push((up, (kernel - rate) / 2, blocks.collect::<Result<_>>()?));
        }
        Ok(Self {
            conv_pre: Conv1d::new(&p.at("conv_pre"), [c.model_in_dim, c.upsample_initial_channel], 7)?.same(),
            levels,
            conv_post: Conv1d::new(&p.at("conv_post"), [width, 1], 7)?.same().bend(Bend::Leaky(LAST_SLOPE)),
            normal: c.normalize_before.then_some(normal),
            device: p.device(),
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &HifiGanConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Log-mel spectrograms (B, frames, mels) to sounds (B, about frames · hop), −1 … 1.
    ///
    /// # Errors
    /// Another number of mels.
    pub fn forward(&self, mels: &Tensor) -> Result<Tensor> {
        let (_, frames, bins) = mels.dims3()?;
        if bins != self.config.model_in_dim || frames == 0 {
            return Err(ModelError::Input {
                what: "mel spectrograms",
                expected: format!("(batch, frames, {})", self.config.model_in_dim),
                got: format!("{:?}", mels.dims()),
            });
        }
        let mels = match &self.normal {
            Some([mean, scale]) => mels.broadcast_sub(mean)?.broadcast_div(scale)?,
            None => mels.clone(),
        };
        let mut x = self.conv_pre.forward(&mels)?;
        for (up, cut, blocks) in &self.levels {
            x = up.forward(&x, [*cut; 2])?;
            let mut sum: Option<Tensor> = None;
            for block in blocks {
                let out = block.forward(&x)?;
                sum = Some(sum.map_or(Ok(out.clone()), |sum| maps::add(&sum, &out))?);
            }
            x = (sum.unwrap_or(x) / blocks.len() as f64)?;
        }
        Ok(self.conv_post.forward(&x)?.tanh()?.squeeze(2)?)
    }
}
