//! Motion modules (AnimateDiff: Guo et al. 2024, arXiv 2307.04725): Transformers along time behind every residual block of
//! a U-Net, which then predicts the frames of a video together. diffusers' `UNetMotionModel` and `MotionAdapter`.
//!
//! The picture layers see every frame by itself, as (B·F, C, H, W). A motion module normalises over all frames, and lets
//! each pixel attend to itself at other times: twice, each time after sinusoids of the frame's number were added. The
//! weights come in one file with those of the U-Net, or as an adapter beside a U-Net of pictures. Not handled: adapters
//! with an input convolution of their own (PIA), and those of Stable Diffusion XL.

use candle_core::{Device, Tensor};
use serde_json::{Map, Value};

use super::UnetConfig;
use crate::{
    config::{self, LARGEST, PerLevel, Rest},
    error::{ModelError, Result},
    nn::{
        layers::{GroupNorm, Linear},
        maps,
        params::Params,
        transformer::TransformerBlock,
    },
    tap::Taps,
};

const NAME: &str = "motion modules";
/// The deepest Transformer along time.
const MOST_LAYERS: usize = 64;

/// How the motion modules of a U-Net are built.
#[derive(Clone, Debug)]
pub struct MotionConfig {
    heads: PerLevel,
    layers: PerLevel,
    /// Layers on the way up, coarsest level first, where they are others than on the way down.
    up_layers: Option<PerLevel>,
    mid_layers: usize,
    in_mid: bool,
    longest: usize,
}

impl MotionConfig {
    /// Whether a `config.json` is that of a U-Net with motion modules.
    pub fn is_motion_unet(text: &str) -> bool {
        serde_json::from_str::<Value>(text).is_ok_and(|config| config["_class_name"] == "UNetMotionModel")
    }

    /// Reads the `config.json` of a `UNetMotionModel`: that of the U-Net of pictures in it, and that of its motion modules.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<(UnetConfig, Self)> {
        let mut keys = Keys(config::parse(NAME, text)?);
        let up_layers = match keys.take("reverse_temporal_transformer_layers_per_block") {
            None => None,
            Some(value) => Some(per_level("reverse_temporal_transformer_layers_per_block", value)?),
        };
        let motion = Self {
            heads: keys.per_level("motion_num_attention_heads", 8)?,
            layers: keys.per_level("temporal_transformer_layers_per_block", 1)?,
            up_layers,
            mid_layers: keys.per_level("temporal_transformer_layers_per_mid_block", 1)?.at(0),
            in_mid: keys.flag("use_motion_mid_block")?,
            longest: keys.per_level("motion_max_seq_length", 32)?.at(0),
        };
        // diffusers accepts the first key and does not use it.
        keys.take("reverse_motion_num_attention_heads");
        keys.expect_one("mid_block_layers")?;
        keys.uniform("layers_per_block")?;
        let mid = keys.take("transformer_layers_per_mid_block");
        for key in ["down_block_types", "up_block_types"] {
            for kind in keys.0.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(name) = kind.as_str() {
                    *kind = name.replace("BlockMotion", "Block2D").into();
                }
            }
        }
        let unet = UnetConfig::parse(&Value::Object(keys.0).to_string())?;
        let last = unet.spatial(unet.block_out_channels.len() - 1).layers;
        if let Some(other) = mid.filter(|layers| layers.as_u64() != Some(last as u64)) {
            return Err(refuse("transformer_layers_per_mid_block", &other, &format!("null, {last}")));
        }
        motion.check(&unet)?;
        Ok((unet, motion))
    }

    /// Reads the `config.json` of a `MotionAdapter` that is to move the pictures of `unet`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported, or made for another U-Net.
    pub fn parse_adapter(text: &str, unet: &UnetConfig) -> Result<Self> {
        let mut keys = Keys(config::parse(NAME, text)?);
        keys.uniform("motion_layers_per_block")?;
        for (key, default, of_unet) in [
            ("motion_layers_per_block", Value::from(2), Value::from(unet.layers_per_block)),
            ("block_out_channels", serde_json::json!([320, 640, 1280, 1280]), unet.block_out_channels.clone().into()),
        ] {
            let own = keys.take(key).unwrap_or(default);
            if own != of_unet {
                return Err(refuse(key, &own, &format!("{of_unet}, as in the U-Net")));
            }
        }
        keys.expect_one("motion_mid_block_layers_per_block")?;
        // The groups are the U-Net's, whatever this says.
        keys.take("motion_norm_num_groups");
        let motion = Self {
            heads: keys.per_level("motion_num_attention_heads", 8)?,
            layers: keys.per_level("motion_transformer_layers_per_block", 1)?,
            up_layers: None,
            mid_layers: keys.per_level("motion_transformer_layers_per_mid_block", 1)?.at(0),
            in_mid: keys.flag("use_motion_mid_block")?,
            longest: keys.per_level("motion_max_seq_length", 32)?.at(0),
        };
        config::check_rest(NAME, &keys.0.into_iter().collect::<Rest>(), &[])?;
        motion.check(unet)?;
        Ok(motion)
    }

    /// The most frames of a video.
    pub fn longest(&self) -> usize {
        self.longest
    }

    fn check(&self, unet: &UnetConfig) -> Result<()> {
        if unet.mid() != Some(true)
            || unet.class_embedding().is_some()
            || !unet.flip_sin_to_cos
            || unet.freq_shift != 0.0
        {
            let words = "a U-Net with attention in the middle, without class vectors, with plain embeddings of steps";
            return Err(refuse("unet", &"another".into(), words));
        }
        if self.longest == 0 || self.longest > LARGEST {
            return Err(refuse("motion_max_seq_length", &self.longest.into(), &format!("1 to {LARGEST}")));
        }
        let levels = unet.block_out_channels.len();
        let of_levels = (0..levels).flat_map(|level| [self.layers.at(level), self.layers_up(level, levels)]);
        if let Some(layers) = of_levels.chain([self.mid_layers]).find(|layers| !(1..=MOST_LAYERS).contains(layers)) {
            return Err(refuse("layers of a motion module", &layers.into(), &format!("1 to {MOST_LAYERS}")));
        }
        for (level, &width) in unet.block_out_channels.iter().enumerate() {
            config::check_heads(NAME, "motion_num_attention_heads", self.heads.at(level), width)?;
        }
        Ok(())
    }

    fn layers_up(&self, level: usize, levels: usize) -> usize {
        self.up_layers.as_ref().map_or_else(|| self.layers.at(level), |layers| layers.at(levels - 1 - level))
    }
}

/// The keys of a config that nobody has taken yet; null is absent.
struct Keys(Map<String, Value>);

impl Keys {
    fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    fn per_level(&mut self, key: &str, default: usize) -> Result<PerLevel> {
        self.take(key).map_or(Ok(PerLevel::One(default)), |value| per_level(key, value))
    }

    fn flag(&mut self, key: &str) -> Result<bool> {
        match self.take(key) {
            None => Ok(true),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(refuse(key, &other, "true, false")),
        }
    }

    fn expect_one(&mut self, key: &str) -> Result<()> {
        match self.take(key) {
            Some(other) if other != 1 => Err(refuse(key, &other, "1")),
            _ => Ok(()),
        }
    }

    /// Makes one number of a list that repeats it.
    fn uniform(&mut self, key: &str) -> Result<()> {
        let Some(Value::Array(values)) = self.0.get(key) else { return Ok(()) };
        let Some(first) = values.first().filter(|first| values.iter().all(|value| value == *first)).cloned() else {
            return Err(refuse(key, &Value::Array(values.clone()), "one number for all levels"));
        };
        self.0.insert(key.to_owned(), first);
        Ok(())
    }
}

fn per_level(key: &str, value: Value) -> Result<PerLevel> {
    serde_json::from_value(value.clone()).map_err(|_| refuse(key, &value, "a number, or one for each level"))
}

fn refuse(key: &str, value: &Value, supported: &str) -> ModelError {
    ModelError::Config { component: NAME, key: key.into(), value: value.to_string(), supported: supported.into() }
}

/// Where motion modules stand in a U-Net that is being built.
#[derive(Clone, Copy)]
pub(super) struct Motion<'a> {
    pub(super) config: &'a MotionConfig,
    pub(super) unet: &'a UnetConfig,
}

/// On which side of the U-Net a module stands.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Down,
    Mid,
    Up,
}

impl Motion<'_> {
    /// The module `i` of the block at `place`, if there is one.
    pub(super) fn module(
        self,
        place: &Params,
        i: usize,
        level: usize,
        side: Side,
    ) -> Result<Option<TemporalTransformer>> {
        let Self { config, unet } = self;
        let layers = match side {
            Side::Mid if !config.in_mid => return Ok(None),
            Side::Mid => config.mid_layers,
            Side::Down => config.layers.at(level),
            Side::Up => config.layers_up(level, unet.block_out_channels.len()),
        };
        let place = place.at("motion_modules").at(i);
        let (width, heads) = (unet.block_out_channels[level], config.heads.at(level));
        TemporalTransformer::new(&place, width, heads, unet.norm_num_groups, layers, config.longest).map(Some)
    }
}

/// diffusers' `AnimateDiffTransformer3D`: the frames of each pixel as tokens that attend to each other.
pub(super) struct TemporalTransformer {
    norm: GroupNorm,
    proj_in: Linear,
    blocks: Vec<TransformerBlock>,
    proj_out: Linear,
}

impl TemporalTransformer {
    fn new(p: &Params, width: usize, heads: usize, groups: usize, layers: usize, longest: usize) -> Result<Self> {
        let block = |i: usize| -> Result<TransformerBlock> {
            let place = p.at("transformer_blocks").at(i);
            let positions = match place.at("pos_embed").buffer("pe", &[1, longest, width])? {
                Some(table) => table,
                None => sinusoids(longest, width, &p.device())?,
            };
            Ok(TransformerBlock::new(&place, width, width, heads)?.with_positions(positions))
        };
        Ok(Self {
            norm: GroupNorm::new(&p.at("norm"), width, groups, 1e-6)?,
            proj_in: Linear::new(&p.at("proj_in"), width, width)?,
            blocks: (0..layers).map(block).collect::<Result<_>>()?,
            proj_out: Linear::new(&p.at("proj_out"), width, width)?,
        })
    }

    /// `x` (B·F, C, H, W), the frames of a video behind each other → the same shape.
    pub(super) fn forward(&self, x: &Tensor, frames: usize, taps: &mut Taps) -> Result<Tensor> {
        let (images, channels, height, width) = x.dims4()?;
        let (batch, pixels) = (images / frames, height * width);
        // (B·F, C, H, W) → (B, C, F, H·W): statistics are taken over all frames.
        let volume = x.reshape((batch, frames, channels, pixels))?.transpose(1, 2)?.contiguous()?;
        // → (B·H·W, F, C)
        let tokens = self.norm.forward(&volume)?.permute((0, 3, 2, 1))?.contiguous()?;
        let mut tokens = self.proj_in.forward(&tokens.reshape((batch * pixels, frames, channels))?)?;
        for (i, block) in self.blocks.iter().enumerate() {
            tokens = match i {
                0 => block.forward(&tokens, None, None, taps)?,
                _ => taps.within(format_args!("layer{i}"), |taps| block.forward(&tokens, None, None, taps))?,
            };
        }
        // (B·H·W, F, C) → (B, F, C, H·W)
        let out = self.proj_out.forward(&tokens)?.reshape((batch, pixels, frames, channels))?;
        let out = out.permute((0, 2, 3, 1))?.contiguous()?.reshape((images, channels, height, width))?;
        Ok(maps::add(&out, x)?)
    }
}

/// The sinusoids of positions 0 to `longest` (Vaswani et al. 2017, arXiv 1706.03762), sines and cosines in turn:
/// (1, longest, width).
fn sinusoids(longest: usize, width: usize, device: &Device) -> Result<Tensor> {
    let rate = |i: usize| (-(10_000f64.ln()) as f32 / width as f32 * (i - i % 2) as f32).exp();
    let rates: Vec<f32> = (0..width).map(rate).collect();
    let wave = |position: usize, i: usize| {
        let angle = position as f32 * rates[i];
        if i.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    let values: Vec<f32> = (0..longest * width).map(|at| wave(at / width, at % width)).collect();
    Ok(Tensor::from_vec(values, (1, longest, width), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNET: &str = r#"{"_class_name": "UNetMotionModel", "block_out_channels": [8, 8], "norm_num_groups": 2,
        "down_block_types": ["CrossAttnDownBlockMotion", "DownBlockMotion"],
        "up_block_types": ["UpBlockMotion", "CrossAttnUpBlockMotion"], "layers_per_block": [1, 1]"#;

    #[test]
    fn keys_are_read_and_what_is_not_supported_is_named() {
        let (unet, motion) = MotionConfig::parse(&format!("{UNET}}}")).expect("the defaults are supported");
        assert_eq!((unet.down_block_types[0].as_str(), unet.layers_per_block), ("CrossAttnDownBlock2D", 1));
        assert_eq!((motion.longest(), motion.heads.at(1), motion.in_mid), (32, 8, true));
        for (key, value) in [
            ("motion_num_attention_heads", "3"),
            ("temporal_transformer_layers_per_block", "[[1], [2]]"),
            ("temporal_transformer_layers_per_block", "65"),
            ("mid_block_layers", "2"),
            ("motion_max_seq_length", "0"),
            ("use_motion_mid_block", "\"yes\""),
            ("transformer_layers_per_mid_block", "3"),
            ("addition_embed_type", "\"text_time\""),
        ] {
            let words = MotionConfig::parse(&format!("{UNET}, \"{key}\": {value}}}")).expect_err(key).to_string();
            assert!(words.contains("is not supported"), "{words}");
        }
        assert!(MotionConfig::is_motion_unet(&format!("{UNET}}}")) && !MotionConfig::is_motion_unet("{}"));
    }

    #[test]
    fn an_adapter_of_another_unet_is_refused() {
        let (unet, _) = MotionConfig::parse(&format!("{UNET}}}")).expect("it is supported");
        let adapter = |text: &str| MotionConfig::parse_adapter(text, &unet);
        let fits = r#""_class_name": "MotionAdapter", "block_out_channels": [8, 8], "motion_layers_per_block": 1"#;
        assert_eq!(adapter(&format!("{{{fits}}}")).expect("it fits").longest(), 32);
        let words = adapter("{}").expect_err("the defaults are those of Stable Diffusion").to_string();
        assert!(words.contains("as in the U-Net"), "{words}");
        let words = adapter(&format!("{{{fits}, \"conv_in_channels\": 9}}")).expect_err("PIA").to_string();
        assert!(words.contains("conv_in_channels"), "{words}");
    }
}
