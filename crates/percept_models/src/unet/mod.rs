//! `UNet2DConditionModel`: the denoising U-Net of Stable Diffusion 1.x and 2.x (Rombach et al. 2022, arXiv 2112.10752),
//! of latent consistency models (arXiv 2310.04378) and of MusicLDM (arXiv 2308.01546), built from a diffusers
//! `unet/config.json`.
//!
//! Names mirror diffusers' checkpoints. In these configs `attention_head_dim` holds the *number* of heads (a misnomer
//! kept by diffusers), unless `num_attention_heads` is given.

mod config;
mod motion;
mod motion_model;
mod stage;

use std::sync::Arc;

use candle_core::{Device, Tensor};

use config::ClassEmbedding;
pub use config::UnetConfig;
pub use motion::MotionConfig;
use motion::{Motion, Side};
pub use motion_model::UNetMotionModel;
use stage::{Film, Given, Mid, Stage};

pub use crate::nn::CrossFrame;

use crate::{
    error::{ModelError, Result},
    nn::{
        Activation,
        layers::{Conv2d, GroupNorm, Linear},
        ops,
        params::Params,
        transformer::SpatialTransformer,
    },
    resnet::{Downsample, ResnetBlock, Upsample},
    tap::Taps,
};

/// Two layers that embed a diffusion step, or a vector.
#[derive(Clone)]
struct EmbeddingNet {
    first: Linear,
    second: Linear,
}

impl EmbeddingNet {
    fn new(p: &Params, inputs: usize, width: usize) -> Result<Self> {
        Ok(Self {
            first: Linear::new(&p.at("linear_1"), inputs, width)?,
            second: Linear::new(&p.at("linear_2"), width, width)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&ops::activate(&self.first.forward(x)?, Activation::Silu)?)
    }
}

#[derive(Clone)]
enum ClassNet {
    Linear(Linear),
    Network(EmbeddingNet),
}

/// What a prediction is conditioned on beside the diffusion step.
#[derive(Clone, Copy, Default)]
pub struct Conditioning<'a> {
    /// Context tokens (B, tokens, width); without them the cross-attention looks at the latents themselves, which needs
    /// a config whose context widths are those of its levels (MusicLDM).
    pub context: Option<&'a Tensor>,
    /// A vector for the whole picture (B, width), where the config has a class embedding.
    pub class: Option<&'a Tensor>,
    /// The embedded guidance (B, `time_cond_proj_dim`), for latent consistency models; see [`guidance_embedding`].
    pub guidance: Option<&'a Tensor>,
}

/// The U-Net: predicts noise (or velocity, as it was trained) from noisy latents, the diffusion step and the context.
///
/// Cheap to clone: the weights are shared.
#[derive(Clone)]
pub struct UNet2DConditionModel {
    config: UnetConfig,
    step: EmbeddingNet,
    guidance: Option<Linear>,
    class: Option<ClassNet>,
    conv_in: Conv2d,
    down: Vec<(Vec<Arc<Stage>>, Option<Downsample>)>,
    mid: Option<Mid>,
    up: Vec<(Vec<Arc<Stage>>, Option<Upsample>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    checkpoints: bool,
}

impl UNet2DConditionModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: UnetConfig) -> Result<Self> {
        let widths = config.block_out_channels.clone();
        let (groups, eps) = (config.norm_num_groups, config.norm_eps);
        let step_width = config.embedding_width();
        let stage = |place: &Params, i: usize, channels: [usize; 2], level: usize, cross: bool| -> Result<Arc<Stage>> {
            let resnets = place.at("resnets").at(i);
            let attention = place.at("attentions").at(i);
            Ok(Arc::new(Stage {
                resnet: ResnetBlock::new(&resnets, channels, groups, eps, Some(step_width))?,
                attention: cross
                    .then(|| {
                        SpatialTransformer::new(&attention, channels[1], config.heads(level), config.spatial(level))
                    })
                    .transpose()?,
                motion: None,
            }))
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
        let mid = config
            .mid()
            .map(|attends| -> Result<Mid> {
                let first = resnet(0)?;
                let rest = attends
                    .then(|| -> Result<_> {
                        let heads = config.heads(last);
                        let attention = SpatialTransformer::new(&attention, channels, heads, config.spatial(last))?;
                        Ok((attention, None, resnet(1)?))
                    })
                    .transpose()?;
                Ok(Mid { first, rest })
            })
            .transpose()?;

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
        let width = 4 * widths[0];
        let class = p.at("class_embedding");
        Ok(Self {
            step: EmbeddingNet::new(&embedding, widths[0], width)?,
            guidance: config
                .time_cond_proj_dim
                .map(|inputs| Linear::without_bias(&embedding.at("cond_proj"), inputs, widths[0]))
                .transpose()?,
            class: config
                .class_embedding()
                .map(|(kind, inputs)| -> Result<_> {
                    Ok(match kind {
                        ClassEmbedding::Linear => ClassNet::Linear(Linear::new(&class, inputs, width)?),
                        ClassEmbedding::Network => ClassNet::Network(EmbeddingNet::new(&class, inputs, width)?),
                    })
                })
                .transpose()?,
            conv_in: Conv2d::new(&p.at("conv_in"), [config.in_channels, widths[0]], 3, 1, 1)?,
            down,
            mid,
            up,
            norm_out: GroupNorm::new(&p.at("conv_norm_out"), channels, groups, eps)?,
            conv_out: Conv2d::new(&p.at("conv_out"), [channels, config.out_channels], 3, 1, 1)?,
            config,
            checkpoints: false,
        })
    }

    /// Takes motion modules behind its stages, in place of any that were there. Names are those of the U-Net's blocks.
    fn attach(&mut self, p: &Params, motion: &MotionConfig) -> Result<()> {
        let place = Motion { config: motion, unet: &self.config };
        let levels = self.down.len();
        let put = |stage: &mut Arc<Stage>, p: &Params, i: usize, level: usize, side: Side| -> Result<()> {
            Arc::make_mut(stage).motion = place.module(p, i, level, side)?.map(Arc::new);
            Ok(())
        };
        for (level, (stages, _)) in self.down.iter_mut().enumerate() {
            for (i, stage) in stages.iter_mut().enumerate() {
                put(stage, &p.at("down_blocks").at(level), i, level, Side::Down)?;
            }
        }
        if let Some(Mid { rest: Some((_, module, _)), .. }) = &mut self.mid {
            *module = place.module(&p.at("mid_block"), 0, levels - 1, Side::Mid)?.map(Arc::new);
        }
        for (i, (stages, _)) in self.up.iter_mut().enumerate() {
            for (j, stage) in stages.iter_mut().enumerate() {
                put(stage, &p.at("up_blocks").at(i), j, levels - 1 - i, Side::Up)?;
            }
        }
        Ok(())
    }

    /// Trains in less memory and more time: between the two passes only the inputs of every residual block with its
    /// Transformer are kept, and the block is computed again for its gradient. Losses must then go through
    /// [`backward`](crate::nn::backward), as those of [`train`](crate::train) do; a pass without gradients is unchanged.
    pub fn with_checkpoints(mut self, checkpoints: bool) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// The config it was built from.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.conv_in.device()
    }

    /// The model's output for noisy latents at the given diffusion steps.
    ///
    /// # Shapes
    /// `latents` (B, C, h, w), `steps` B numbers, `context` (B, tokens, width) → (B, C, h, w).
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn forward(&self, latents: &Tensor, steps: &[f64], context: &Tensor) -> Result<Tensor> {
        let conditioning = Conditioning { context: Some(context), ..Conditioning::default() };
        self.forward_with(latents, steps, conditioning, &mut Taps::none())
    }

    /// As [`Self::forward`], with any conditioning, and with places that are read in passing: `step`, `conv_in`,
    /// `down.{level}.…`, `mid.…`, `up.{level}.…` (levels count from the finest in `down` and from the coarsest in `up`, as
    /// in the checkpoint) with `resnet.{i}`, `attn.{i}`, `attn.{i}.self`, `attn.{i}.cross`, `attn.{i}.cross.weights` (positions × tokens of the context, mean over heads), `attn.{i}.ff` and `sample`
    /// below them, `down.{level}`, `mid` and `up.{level}` themselves, and `out`.
    ///
    /// # Errors
    /// Shapes that do not fit the config, conditioning that it does not have or that is absent.
    pub fn forward_with(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        self.pass(latents, steps, conditioning, Film::PICTURES, taps)
    }

    /// As [`Self::forward_with`] for the frames of films, which look at the frames before them: cross-frame attention.
    ///
    /// # Shapes
    /// `latents` (B·F, C, h, w), the frames of a film behind each other, F as [`CrossFrame::piece`] says.
    ///
    /// # Errors
    /// As [`Self::forward_with`]; a number of pictures that is no number of films.
    pub fn forward_across(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        across: &CrossFrame,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        self.pass(latents, steps, conditioning, Film { across: Some(across), ..Film::PICTURES }, taps)
    }

    /// A pass over pictures that may belong together.
    fn pass(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        film: Film<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        self.check(latents, steps, conditioning)?;
        if let Some(across) = film.across {
            across.begin(latents.dim(0)?)?;
        }
        let given = Given { context: conditioning.context, film };
        let step = self.embed(steps, conditioning)?;
        taps.see(format_args!("step"), &step);

        let mut x = self.conv_in.forward(latents)?;
        taps.see(format_args!("conv_in"), &x);
        let mut skips = vec![x.clone()];
        for (level, (stages, sampler)) in self.down.iter().enumerate() {
            x = taps.within(format_args!("down.{level}"), |taps| {
                for (i, stage) in stages.iter().enumerate() {
                    x = self.stage(stage, i, &x, &step, given, taps)?;
                    skips.push(x.clone());
                }
                if let Some(sampler) = sampler {
                    x = sampler.forward(&x)?;
                    taps.see(format_args!("sample"), &x);
                    skips.push(x.clone());
                }
                Ok(x)
            })?;
            taps.see(format_args!("down.{level}"), &x);
        }
        if let Some(mid) = &self.mid {
            x = taps.within(format_args!("mid"), |taps| {
                x = mid.first.forward(&x, Some(&step))?;
                taps.see(format_args!("resnet.0"), &x);
                if let Some((attention, motion, second)) = &mid.rest {
                    x = taps.within(format_args!("attn.0"), |taps| {
                        attention.forward(&x, given.context, film.across, taps)
                    })?;
                    taps.see(format_args!("attn.0"), &x);
                    if let Some(motion) = motion {
                        x = taps.within(format_args!("motion.0"), |taps| motion.forward(&x, film.frames, taps))?;
                        taps.see(format_args!("motion.0"), &x);
                    }
                    x = second.forward(&x, Some(&step))?;
                    taps.see(format_args!("resnet.1"), &x);
                }
                Ok(x)
            })?;
            taps.see(format_args!("mid"), &x);
        }
        for (level, (stages, sampler)) in self.up.iter().enumerate() {
            x = taps.within(format_args!("up.{level}"), |taps| {
                for (i, stage) in stages.iter().enumerate() {
                    if let Some(skip) = skips.pop() {
                        x = Tensor::cat(&[&x, &skip], 1)?;
                    }
                    x = self.stage(stage, i, &x, &step, given, taps)?;
                }
                if let Some(sampler) = sampler {
                    x = sampler.forward(&x)?;
                    taps.see(format_args!("sample"), &x);
                }
                Ok(x)
            })?;
            taps.see(format_args!("up.{level}"), &x);
        }
        let out = self.conv_out.forward(&self.norm_out.forward_silu(&x)?)?;
        taps.see(format_args!("out"), &out);
        Ok(out)
    }

    fn stage(
        &self,
        stage: &Arc<Stage>,
        i: usize,
        x: &Tensor,
        step: &Tensor,
        given: Given<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        // What frames keep for later pieces is no input of a stage.
        if self.checkpoints && given.film.across.is_none() {
            stage.forward_checkpointed(i, x, step, given, taps)
        } else {
            stage.forward(i, x, step, given, taps)
        }
    }

    fn check(&self, latents: &Tensor, steps: &[f64], conditioning: Conditioning<'_>) -> Result<()> {
        let (batch, channels, _, _) = latents.dims4()?;
        let refuse = |what, expected: String, got: String| Err(ModelError::Input { what, expected, got });
        if channels != self.config.in_channels {
            return refuse(
                "U-Net input",
                format!("latents of {} channels", self.config.in_channels),
                format!("latents {:?}", latents.dims()),
            );
        }
        if batch != steps.len() {
            return refuse("U-Net batch", format!("{batch} steps, one per latent"), format!("{} steps", steps.len()));
        }
        if let Some(context) = conditioning.context {
            let (rows, _, width) = context.dims3()?;
            let expected = self.config.context_width();
            if rows != batch || width != expected {
                return refuse(
                    "U-Net context",
                    format!("{batch} contexts of width {expected}, one per latent"),
                    format!("{:?}", context.dims()),
                );
            }
        }
        let class = self.config.class_embedding().map(|(_, width)| width);
        for (what, given, width) in [
            ("U-Net class vector", conditioning.class, class),
            ("U-Net guidance embedding", conditioning.guidance, self.config.time_cond_proj_dim),
        ] {
            let optional = what.contains("guidance") && given.is_none();
            let fits = match (given, width) {
                (Some(given), Some(width)) => given.dims() == [batch, width],
                (None, None) => true,
                _ => optional,
            };
            if !fits {
                let expected = width.map_or("none".to_owned(), |width| format!("({batch}, {width})"));
                return refuse(what, expected, given.map_or("none".to_owned(), |given| format!("{:?}", given.dims())));
            }
        }
        Ok(())
    }

    /// The embedded diffusion steps, with guidance and class vector where the config has them.
    fn embed(&self, steps: &[f64], conditioning: Conditioning<'_>) -> Result<Tensor> {
        let config = &self.config;
        let (width, device) = (config.block_out_channels[0], self.device());
        let mut waves = step_embedding(steps, width, config.flip_sin_to_cos, config.freq_shift, device)?;
        if let (Some(layer), Some(guidance)) = (&self.guidance, conditioning.guidance) {
            waves = (waves + layer.forward(guidance)?)?;
        }
        let step = self.step.forward(&waves)?;
        let class = match (&self.class, conditioning.class) {
            (Some(ClassNet::Linear(layer)), Some(class)) => layer.forward(class)?,
            (Some(ClassNet::Network(net)), Some(class)) => net.forward(class)?,
            _ => return Ok(step),
        };
        if config.class_embeddings_concat { Ok(Tensor::cat(&[&step, &class], 1)?) } else { Ok((step + class)?) }
    }
}

/// Guidance scales as latent consistency models are given them: sinusoids of (scale − 1) · 1000, (B, width).
///
/// # Errors
/// Only when memory runs out.
pub fn guidance_embedding(scales: &[f64], width: usize, device: &Device) -> Result<Tensor> {
    let scaled: Vec<f64> = scales.iter().map(|scale| (scale - 1.0) * 1000.0).collect();
    step_embedding(&scaled, width, false, 1.0, device)
}

/// The sinusoidal embedding of diffusion steps (diffusers' `get_timestep_embedding`), (B, width).
fn step_embedding(steps: &[f64], width: usize, flip_sin_to_cos: bool, shift: f64, device: &Device) -> Result<Tensor> {
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
    Ok(Tensor::from_vec(values, (steps.len(), width), device)?)
}
