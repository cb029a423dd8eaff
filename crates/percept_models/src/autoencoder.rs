//! `AutoencoderKL`: the variational autoencoder of latent diffusion (Rombach et al. 2022, arXiv 2112.10752), built from
//! a diffusers `vae/config.json`.
//!
//! Names mirror diffusers' checkpoints; the older names of the attention layer (`query`, `key`, `value`, `proj_attn`)
//! are read too. It does not scale latents: [`AutoencoderKl::scaling_factor`] is applied by whoever runs diffusion.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, Rest},
    error::{ModelError, Result},
    nn::{
        attention::attend,
        layers::{Conv2d, GroupNorm, Linear},
        params::Params,
        transformer::{to_map, to_tokens},
    },
    resnet::{Downsample, ResnetBlock, Upsample},
    tap::Taps,
};

const EPS: f64 = 1e-6;
const NAME: &str = "vae";

/// The keys of an `AutoencoderKL` config.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AutoencoderConfig {
    /// Channels of a picture.
    #[serde(default = "three")]
    pub in_channels: usize,
    /// Channels of a decoded picture.
    #[serde(default = "three")]
    pub out_channels: usize,
    /// Channels of a latent.
    #[serde(default = "four")]
    pub latent_channels: usize,
    /// Channels at each resolution, finest first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks per resolution in the encoder; the decoder has one more.
    #[serde(default = "one")]
    pub layers_per_block: usize,
    /// Groups of every group norm.
    #[serde(default = "thirty_two")]
    pub norm_num_groups: usize,
    /// What latents are multiplied by before diffusion.
    #[serde(default = "sd_scale")]
    pub scaling_factor: f64,
    /// Side of the pictures it was trained on, in pixels.
    #[serde(default)]
    pub sample_size: Option<usize>,
    #[serde(default = "silu")]
    act_fn: String,
    #[serde(default)]
    down_block_types: Vec<String>,
    #[serde(default)]
    up_block_types: Vec<String>,
    #[serde(default = "yes")]
    use_quant_conv: bool,
    #[serde(default = "yes")]
    use_post_quant_conv: bool,
    #[serde(default = "yes")]
    mid_block_add_attention: bool,
    #[serde(flatten)]
    rest: Rest,
}

fn one() -> usize {
    1
}
fn three() -> usize {
    3
}
fn four() -> usize {
    4
}
fn thirty_two() -> usize {
    32
}
fn sd_scale() -> f64 {
    0.18215
}
fn silu() -> String {
    "silu".into()
}
fn yes() -> bool {
    true
}

impl AutoencoderConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        config::check_rest(NAME, &config.rest, &[("shift_factor", json!(0.0))])?;
        for (key, types, allowed) in [
            ("down_block_types", &config.down_block_types, "DownEncoderBlock2D"),
            ("up_block_types", &config.up_block_types, "UpDecoderBlock2D"),
        ] {
            if let Some(other) = types.iter().find(|kind| kind.as_str() != allowed) {
                return Err(ModelError::Config {
                    component: NAME,
                    key: key.into(),
                    value: other.clone(),
                    supported: allowed.into(),
                });
            }
        }
        if config.act_fn != "silu" {
            return Err(ModelError::Config {
                component: NAME,
                key: "act_fn".into(),
                value: config.act_fn,
                supported: "silu".into(),
            });
        }
        config::check_widths(NAME, &config.block_out_channels, config.norm_num_groups)?;
        config::check_factor(NAME, "scaling_factor", config.scaling_factor)?;
        Ok(config)
    }

    /// How many pixels of a picture's side become one of the latent's.
    pub fn downscale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

/// Single-head self-attention over the pixels of a feature map.
struct PixelAttention {
    norm: GroupNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl PixelAttention {
    fn new(p: &Params, channels: usize, groups: usize) -> Result<Self> {
        let named = |new: &str, old: &str| {
            let place = if p.at(new).holds("weight") { p.at(new) } else { p.at(old) };
            Linear::new(&place, channels, channels)
        };
        Ok(Self {
            norm: GroupNorm::new(&p.at("group_norm"), channels, groups, EPS)?,
            q: named("to_q", "query")?,
            k: named("to_k", "key")?,
            v: named("to_v", "value")?,
            out: named("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = to_tokens(&self.norm.forward(x)?)?;
        let h = attend(&self.q.forward(&h)?, &self.k.forward(&h)?, &self.v.forward(&h)?, 1, false)?;
        Ok((to_map(&self.out.forward(&h)?, x)? + x)?)
    }
}

struct MidBlock {
    first: ResnetBlock,
    attention: Option<PixelAttention>,
    second: ResnetBlock,
}

impl MidBlock {
    fn new(p: &Params, channels: usize, config: &AutoencoderConfig) -> Result<Self> {
        let groups = config.norm_num_groups;
        let resnet = |i: usize| ResnetBlock::new(&p.at("resnets").at(i), [channels; 2], groups, EPS, None);
        Ok(Self {
            first: resnet(0)?,
            attention: config
                .mid_block_add_attention
                .then(|| PixelAttention::new(&p.at("attentions").at(0), channels, groups))
                .transpose()?,
            second: resnet(1)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(&x)?;
        }
        self.second.forward(&x, None)
    }
}

struct EncodeNet {
    conv_in: Conv2d,
    blocks: Vec<(Vec<ResnetBlock>, Option<Downsample>)>,
    mid: MidBlock,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl EncodeNet {
    fn new(p: &Params, config: &AutoencoderConfig) -> Result<Self> {
        let widths = &config.block_out_channels;
        let groups = config.norm_num_groups;
        let mut blocks = Vec::new();
        let mut channels = widths[0];
        for (level, &width) in widths.iter().enumerate() {
            let place = p.at("down_blocks").at(level);
            let mut resnets = Vec::new();
            for i in 0..config.layers_per_block {
                resnets.push(ResnetBlock::new(&place.at("resnets").at(i), [channels, width], groups, EPS, None)?);
                channels = width;
            }
            let down = (level + 1 < widths.len())
                .then(|| Downsample::trailing(&place.at("downsamplers").at(0), width))
                .transpose()?;
            blocks.push((resnets, down));
        }
        Ok(Self {
            conv_in: Conv2d::new(&p.at("conv_in"), [config.in_channels, widths[0]], 3, 1, 1)?,
            blocks,
            mid: MidBlock::new(&p.at("mid_block"), channels, config)?,
            norm_out: GroupNorm::new(&p.at("conv_norm_out"), channels, groups, EPS)?,
            conv_out: Conv2d::new(&p.at("conv_out"), [channels, 2 * config.latent_channels], 3, 1, 1)?,
        })
    }

    fn forward(&self, x: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        let mut x = self.conv_in.forward(x)?;
        for (level, (resnets, down)) in self.blocks.iter().enumerate() {
            for resnet in resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(down) = down {
                x = down.forward(&x)?;
            }
            taps.see(format_args!("down.{level}"), &x);
        }
        let x = self.mid.forward(&x)?;
        taps.see(format_args!("mid"), &x);
        self.conv_out.forward(&self.norm_out.forward_silu(&x)?)
    }
}

struct DecodeNet {
    conv_in: Conv2d,
    mid: MidBlock,
    blocks: Vec<(Vec<ResnetBlock>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl DecodeNet {
    fn new(p: &Params, config: &AutoencoderConfig) -> Result<Self> {
        let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let groups = config.norm_num_groups;
        let mut blocks = Vec::new();
        let mut channels = widths[0];
        for (level, &width) in widths.iter().enumerate() {
            let place = p.at("up_blocks").at(level);
            let mut resnets = Vec::new();
            for i in 0..=config.layers_per_block {
                resnets.push(ResnetBlock::new(&place.at("resnets").at(i), [channels, width], groups, EPS, None)?);
                channels = width;
            }
            let up =
                (level + 1 < widths.len()).then(|| Upsample::new(&place.at("upsamplers").at(0), width)).transpose()?;
            blocks.push((resnets, up));
        }
        Ok(Self {
            conv_in: Conv2d::new(&p.at("conv_in"), [config.latent_channels, widths[0]], 3, 1, 1)?,
            mid: MidBlock::new(&p.at("mid_block"), widths[0], config)?,
            blocks,
            norm_out: GroupNorm::new(&p.at("conv_norm_out"), channels, groups, EPS)?,
            conv_out: Conv2d::new(&p.at("conv_out"), [channels, config.out_channels], 3, 1, 1)?,
        })
    }

    fn forward(&self, z: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        let mut x = self.mid.forward(&self.conv_in.forward(z)?)?;
        taps.see(format_args!("mid"), &x);
        for (level, (resnets, up)) in self.blocks.iter().enumerate() {
            for resnet in resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(up) = up {
                x = up.forward(&x)?;
            }
            taps.see(format_args!("up.{level}"), &x);
        }
        self.conv_out.forward(&self.norm_out.forward_silu(&x)?)
    }
}

/// The autoencoder: pictures in −1..=1 to latents and back.
pub struct AutoencoderKl {
    config: AutoencoderConfig,
    encode_net: EncodeNet,
    decode_net: DecodeNet,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
}

/// What the autoencoder makes of a picture: a diagonal Gaussian over latents.
pub struct LatentGaussian {
    /// (B, latent channels, h, w).
    pub mean: Tensor,
    /// Logarithm of the variance, clamped to −30..=20; as `mean`.
    pub log_variance: Tensor,
}

impl AutoencoderKl {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: AutoencoderConfig) -> Result<Self> {
        let latent = config.latent_channels;
        Ok(Self {
            encode_net: EncodeNet::new(&p.at("encoder"), &config)?,
            decode_net: DecodeNet::new(&p.at("decoder"), &config)?,
            quant: config
                .use_quant_conv
                .then(|| Conv2d::new(&p.at("quant_conv"), [2 * latent; 2], 1, 1, 0))
                .transpose()?,
            post_quant: config
                .use_post_quant_conv
                .then(|| Conv2d::new(&p.at("post_quant_conv"), [latent; 2], 1, 1, 0))
                .transpose()?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.encode_net.conv_in.device()
    }

    /// What latents are multiplied by before diffusion.
    pub fn scaling_factor(&self) -> f64 {
        self.config.scaling_factor
    }

    /// Pictures to distributions over latents.
    ///
    /// # Shapes
    /// (B, 3, H, W) in −1..=1, H and W divisible by the downscale → (B, latent channels, h, w).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn encode(&self, pictures: &Tensor) -> Result<LatentGaussian> {
        self.encode_with(pictures, &mut Taps::none())
    }

    /// As [`Self::encode`], with places that are read in passing: `down.{level}` and `mid`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_with(&self, pictures: &Tensor, taps: &mut Taps) -> Result<LatentGaussian> {
        let mut moments = self.encode_net.forward(pictures, taps)?;
        if let Some(quant) = &self.quant {
            moments = quant.forward(&moments)?;
        }
        let latent = self.config.latent_channels;
        Ok(LatentGaussian {
            mean: moments.narrow(1, 0, latent)?,
            log_variance: moments.narrow(1, latent, latent)?.clamp(-30.0, 20.0)?,
        })
    }

    /// Latents (not scaled) to pictures in about −1..=1.
    ///
    /// # Shapes
    /// (B, latent channels, h, w) → (B, 3, H, W).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_with(latents, &mut Taps::none())
    }

    /// As [`Self::decode`], with places that are read in passing: `mid` and `up.{level}`.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_with(&self, latents: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        match &self.post_quant {
            Some(conv) => self.decode_net.forward(&conv.forward(latents)?, taps),
            None => self.decode_net.forward(latents, taps),
        }
    }
}
