//! `UNet2DConditionModel`: the denoising U-Net of Stable Diffusion 1.x and 2.x (Rombach et al. 2022, arXiv 2112.10752),
//! built from a diffusers `unet/config.json`.
//!
//! Names mirror diffusers' checkpoints. In these configs `attention_head_dim` holds the *number* of heads (a misnomer
//! kept by diffusers), unless `num_attention_heads` is given.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, PerLevel, Rest},
    error::{ModelError, Result},
    nn::{
        Activation,
        layers::{Conv2d, GroupNorm, Linear},
        ops,
        params::Params,
        transformer::{SpatialConfig, SpatialTransformer},
    },
    resnet::{Downsample, ResnetBlock, Upsample},
};

const NAME: &str = "unet";

/// The keys of a `UNet2DConditionModel` config.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UnetConfig {
    /// Channels of a latent.
    #[serde(default = "four")]
    pub in_channels: usize,
    /// Channels of the prediction.
    #[serde(default = "four")]
    pub out_channels: usize,
    /// Channels at each resolution, finest first.
    pub block_out_channels: Vec<usize>,
    /// Width of the context tokens.
    pub cross_attention_dim: usize,
    /// Side of the latents it was trained on.
    #[serde(default)]
    pub sample_size: Option<usize>,
    #[serde(default = "two")]
    layers_per_block: usize,
    #[serde(default = "eight")]
    attention_head_dim: PerLevel,
    #[serde(default)]
    num_attention_heads: Option<PerLevel>,
    #[serde(default = "down_types")]
    down_block_types: Vec<String>,
    #[serde(default = "up_types")]
    up_block_types: Vec<String>,
    #[serde(default = "mid_type")]
    mid_block_type: String,
    #[serde(default = "thirty_two")]
    norm_num_groups: usize,
    #[serde(default = "small")]
    norm_eps: f64,
    #[serde(default = "silu")]
    act_fn: String,
    #[serde(default = "yes")]
    flip_sin_to_cos: bool,
    #[serde(default)]
    freq_shift: f64,
    #[serde(default)]
    use_linear_projection: bool,
    #[serde(default = "one_level")]
    transformer_layers_per_block: PerLevel,
    #[serde(flatten)]
    rest: Rest,
}

fn two() -> usize {
    2
}
fn four() -> usize {
    4
}
fn thirty_two() -> usize {
    32
}
fn eight() -> PerLevel {
    PerLevel::One(8)
}
fn one_level() -> PerLevel {
    PerLevel::One(1)
}
fn small() -> f64 {
    1e-5
}
fn silu() -> String {
    "silu".into()
}
fn yes() -> bool {
    true
}
fn mid_type() -> String {
    "UNetMidBlock2DCrossAttn".into()
}
fn down_types() -> Vec<String> {
    let cross = "CrossAttnDownBlock2D".to_owned();
    vec![cross.clone(), cross.clone(), cross, "DownBlock2D".into()]
}
fn up_types() -> Vec<String> {
    let cross = "CrossAttnUpBlock2D".to_owned();
    vec!["UpBlock2D".into(), cross.clone(), cross.clone(), cross]
}

impl UnetConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        config::check_rest(
            NAME,
            &config.rest,
            &[
                ("downsample_padding", json!(1)),
                ("mid_block_scale_factor", json!(1)),
                ("mid_block_scale_factor", json!(1.0)),
                ("resnet_time_scale_shift", json!("default")),
                ("resnet_out_scale_factor", json!(1.0)),
                ("time_embedding_type", json!("positional")),
                ("conv_in_kernel", json!(3)),
                ("conv_out_kernel", json!(3)),
                ("attention_type", json!("default")),
                ("upcast_attention", json!(true)),
                ("addition_embed_type_num_heads", json!(64)),
            ],
        )?;
        let levels = config.block_out_channels.len();
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        config::check_widths(NAME, &config.block_out_channels, config.norm_num_groups)?;
        for (key, types, allowed) in [
            ("down_block_types", &config.down_block_types, ["CrossAttnDownBlock2D", "DownBlock2D"]),
            ("up_block_types", &config.up_block_types, ["CrossAttnUpBlock2D", "UpBlock2D"]),
        ] {
            if types.len() != levels {
                return refuse(key, format!("{types:?}"), "one type per entry of `block_out_channels`");
            }
            if let Some(other) = types.iter().find(|kind| !allowed.contains(&kind.as_str())) {
                return refuse(key, other.clone(), &allowed.join(", "));
            }
        }
        if config.mid_block_type != "UNetMidBlock2DCrossAttn" {
            return refuse("mid_block_type", config.mid_block_type, "UNetMidBlock2DCrossAttn");
        }
        if config.act_fn != "silu" {
            return refuse("act_fn", config.act_fn, "silu");
        }
        let key = if config.num_attention_heads.is_some() { "num_attention_heads" } else { "attention_head_dim" };
        for (level, &width) in config.block_out_channels.iter().enumerate() {
            let up = &config.up_block_types[levels - 1 - level];
            if level + 1 == levels || [&config.down_block_types[level], up].iter().any(|kind| kind.starts_with("Cross"))
            {
                config::check_heads(NAME, key, config.heads(level), width)?;
            }
        }
        Ok(config)
    }

    fn heads(&self, level: usize) -> usize {
        self.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim).at(level)
    }

    fn spatial(&self, level: usize) -> SpatialConfig {
        SpatialConfig {
            context: self.cross_attention_dim,
            groups: self.norm_num_groups,
            layers: self.transformer_layers_per_block.at(level),
            linear_projection: self.use_linear_projection,
        }
    }
}

/// One residual block with the Transformer behind it, where the level has one.
struct Stage {
    resnet: ResnetBlock,
    attention: Option<SpatialTransformer>,
}

impl Stage {
    fn forward(&self, x: &Tensor, step: &Tensor, context: &Tensor) -> Result<Tensor> {
        let x = self.resnet.forward(x, Some(step))?;
        match &self.attention {
            Some(attention) => attention.forward(&x, context),
            None => Ok(x),
        }
    }
}

/// The U-Net: predicts noise (or velocity, as it was trained) from noisy latents, the diffusion step and the context.
pub struct UNet2DConditionModel {
    config: UnetConfig,
    step_in: Linear,
    step_out: Linear,
    conv_in: Conv2d,
    down: Vec<(Vec<Stage>, Option<Downsample>)>,
    mid: (ResnetBlock, SpatialTransformer, ResnetBlock),
    up: Vec<(Vec<Stage>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl UNet2DConditionModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: UnetConfig) -> Result<Self> {
        let widths = config.block_out_channels.clone();
        let (groups, eps) = (config.norm_num_groups, config.norm_eps);
        let step_width = 4 * widths[0];
        let stage = |place: &Params, i: usize, channels: [usize; 2], level: usize, cross: bool| -> Result<Stage> {
            let resnets = place.at("resnets").at(i);
            let attention = place.at("attentions").at(i);
            Ok(Stage {
                resnet: ResnetBlock::new(&resnets, channels, groups, eps, Some(step_width))?,
                attention: cross
                    .then(|| {
                        SpatialTransformer::new(&attention, channels[1], config.heads(level), config.spatial(level))
                    })
                    .transpose()?,
            })
        };

        let mut down = Vec::new();
        let mut channels = widths[0];
        let mut skips = vec![channels];
        for (level, &width) in widths.iter().enumerate() {
            let place = p.at("down_blocks").at(level);
            let cross = config.down_block_types[level] == "CrossAttnDownBlock2D";
            let mut stages = Vec::new();
            for i in 0..config.layers_per_block {
                stages.push(stage(&place, i, [channels, width], level, cross)?);
                channels = width;
                skips.push(width);
            }
            let sampler = if level + 1 < widths.len() {
                skips.push(width);
                Some(Downsample::symmetric(&place.at("downsamplers").at(0), width)?)
            } else {
                None
            };
            down.push((stages, sampler));
        }

        let place = p.at("mid_block");
        let last = widths.len() - 1;
        let resnet =
            |i: usize| ResnetBlock::new(&place.at("resnets").at(i), [channels; 2], groups, eps, Some(step_width));
        let attention = place.at("attentions").at(0);
        let mid = (
            resnet(0)?,
            SpatialTransformer::new(&attention, channels, config.heads(last), config.spatial(last))?,
            resnet(1)?,
        );

        let mut up = Vec::new();
        for (i, level) in (0..widths.len()).rev().enumerate() {
            let width = widths[level];
            let place = p.at("up_blocks").at(i);
            let cross = config.up_block_types[i] == "CrossAttnUpBlock2D";
            let mut stages = Vec::new();
            for j in 0..=config.layers_per_block {
                let skip = skips.pop().unwrap_or(0);
                stages.push(stage(&place, j, [channels + skip, width], level, cross)?);
                channels = width;
            }
            let sampler = (level > 0).then(|| Upsample::new(&place.at("upsamplers").at(0), width)).transpose()?;
            up.push((stages, sampler));
        }

        let embedding = p.at("time_embedding");
        Ok(Self {
            step_in: Linear::new(&embedding.at("linear_1"), widths[0], step_width)?,
            step_out: Linear::new(&embedding.at("linear_2"), step_width, step_width)?,
            conv_in: Conv2d::new(&p.at("conv_in"), [config.in_channels, widths[0]], 3, 1, 1)?,
            down,
            mid,
            up,
            norm_out: GroupNorm::new(&p.at("conv_norm_out"), channels, groups, eps)?,
            conv_out: Conv2d::new(&p.at("conv_out"), [channels, config.out_channels], 3, 1, 1)?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// The model's output for noisy latents at the given diffusion steps.
    ///
    /// # Shapes
    /// `latents` (B, C, h, w), `steps` B numbers, `context` (B, tokens, width) → (B, C, h, w).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn forward(&self, latents: &Tensor, steps: &[f64], context: &Tensor) -> Result<Tensor> {
        let (batch, channels, _, _) = latents.dims4()?;
        let (context_batch, _, width) = context.dims3()?;
        if channels != self.config.in_channels || width != self.config.cross_attention_dim {
            return Err(ModelError::Input {
                what: "U-Net input",
                expected: format!(
                    "latents of {} channels and context of width {}",
                    self.config.in_channels, self.config.cross_attention_dim
                ),
                got: format!("latents {:?} and context {:?}", latents.dims(), context.dims()),
            });
        }
        if batch != context_batch || batch != steps.len() {
            return Err(ModelError::Input {
                what: "U-Net batch",
                expected: format!("{batch} contexts and steps, one per latent"),
                got: format!("{context_batch} contexts and {} steps", steps.len()),
            });
        }
        let embedded = step_embedding(
            steps,
            self.config.block_out_channels[0],
            self.config.flip_sin_to_cos,
            self.config.freq_shift,
        )?;
        let step = self.step_out.forward(&ops::activate(&self.step_in.forward(&embedded)?, Activation::Silu)?)?;

        let mut x = self.conv_in.forward(latents)?;
        let mut skips = vec![x.clone()];
        for (stages, sampler) in &self.down {
            for stage in stages {
                x = stage.forward(&x, &step, context)?;
                skips.push(x.clone());
            }
            if let Some(sampler) = sampler {
                x = sampler.forward(&x)?;
                skips.push(x.clone());
            }
        }
        x = self.mid.0.forward(&x, Some(&step))?;
        x = self.mid.1.forward(&x, context)?;
        x = self.mid.2.forward(&x, Some(&step))?;
        for (stages, sampler) in &self.up {
            for stage in stages {
                if let Some(skip) = skips.pop() {
                    x = Tensor::cat(&[&x, &skip], 1)?;
                }
                x = stage.forward(&x, &step, context)?;
            }
            if let Some(sampler) = sampler {
                x = sampler.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.norm_out.forward_silu(&x)?)
    }
}

/// The sinusoidal embedding of diffusion steps (diffusers' `get_timestep_embedding`), (B, width).
fn step_embedding(steps: &[f64], width: usize, flip_sin_to_cos: bool, shift: f64) -> Result<Tensor> {
    let half = width / 2;
    let mut values = Vec::with_capacity(steps.len() * width);
    for &step in steps {
        // The frequencies are rounded to f32, as the reference computes them.
        let angles: Vec<f32> = (0..half)
            .map(|i| {
                let exponent = (-(10_000f64.ln()) as f32 * i as f32) / (half as f64 - shift) as f32;
                step as f32 * exponent.exp()
            })
            .collect();
        let (sin, cos) = (angles.iter().map(|a| a.sin()), angles.iter().map(|a| a.cos()));
        if flip_sin_to_cos {
            values.extend(cos.chain(sin));
        } else {
            values.extend(sin.chain(cos));
        }
        values.extend(std::iter::repeat_n(0.0, width % 2));
    }
    Ok(Tensor::from_vec(values, (steps.len(), width), &Device::Cpu)?.to_dtype(DType::F32)?)
}
