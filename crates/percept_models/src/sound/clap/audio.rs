//! HTSAT (Chen et al. 2022, arXiv 2202.00874): mel spectrograms folded to squares, read by a Swin Transformer, with CLAP's
//! fusion of a whole sound and three of its pieces (Wu et al. 2023, arXiv 2211.06687). Reference: transformers'
//! `ClapAudioModel` 5.24.0.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::swin::{Stage, SwinConfig};
use crate::{
    config::{self, LARGEST, PerLevel, Rest},
    error::{ModelError, Result},
    nn::{
        elementwise::Elementwise,
        layers::{Conv2d, LayerNorm, Linear},
        params::{Init, Params},
        transformer::to_tokens,
    },
    tap::Taps,
};

pub(super) const NAME: &str = "audio encoder";
/// Of batch norms.
const EPS: f64 = 1e-5;

/// The keys of a `ClapAudioConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ClapAudioConfig {
    #[serde(default = "eight")]
    window_size: usize,
    /// Triangles of the mel spectrogram.
    #[serde(default = "sixty_four")]
    pub num_mel_bins: usize,
    /// Side of the square that a spectrogram is folded to.
    #[serde(default = "two_fifty_six")]
    pub spec_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "four_sided")]
    patch_size: PerLevel,
    #[serde(default = "four_sided")]
    patch_stride: PerLevel,
    /// Width of the pooled state.
    #[serde(default = "seven_sixty_eight")]
    pub hidden_size: usize,
    #[serde(default = "depths")]
    depths: Vec<usize>,
    #[serde(default = "heads")]
    num_attention_heads: Vec<usize>,
    /// Whether a whole sound and three of its pieces are read, and not one piece.
    #[serde(default)]
    pub enable_fusion: bool,
    #[serde(default)]
    fusion_type: Option<String>,
    #[serde(default = "one")]
    patch_embed_input_channels: usize,
    #[serde(default = "yes")]
    flatten_patch_embeds: bool,
    #[serde(default = "ninety_six")]
    patch_embeds_hidden_size: usize,
    #[serde(default = "yes")]
    enable_patch_layer_norm: bool,
    #[serde(default = "yes")]
    qkv_bias: bool,
    #[serde(default = "four")]
    mlp_ratio: f64,
    #[serde(default = "four_sided_ratio")]
    aff_block_r: usize,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(flatten)]
    rest: Rest,
}

fn one() -> usize {
    1
}
fn eight() -> usize {
    8
}
fn sixty_four() -> usize {
    64
}
fn ninety_six() -> usize {
    96
}
fn two_fifty_six() -> usize {
    256
}
fn seven_sixty_eight() -> usize {
    768
}
fn gelu() -> String {
    "gelu".into()
}
fn four_sided() -> PerLevel {
    PerLevel::One(4)
}
fn four_sided_ratio() -> usize {
    4
}
fn four() -> f64 {
    4.0
}
fn yes() -> bool {
    true
}
fn eps() -> f64 {
    1e-5
}
fn depths() -> Vec<usize> {
    vec![2, 2, 6, 2]
}
fn heads() -> Vec<usize> {
    vec![4, 8, 16, 32]
}

impl ClapAudioConfig {
    /// Reads and checks the `audio_config` of a CLAP.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        let mut rest = config.rest.clone();
        for key in super::OF_BOTH.iter().chain(&["num_classes", "drop_path_rate", "num_hidden_layers"]) {
            rest.remove(*key);
        }
        config::check_rest(NAME, &rest, &[])?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |key: &str, value: String, supported: String| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported })
        };
        let (patch, levels) = (self.patch(), self.depths.len());
        if patch == 0 || (0..2).any(|i| self.patch_size.at(i) != patch || self.patch_stride.at(i) != patch) {
            let value = format!("{:?} by {:?}", self.patch_size, self.patch_stride);
            return refuse("patch_stride", value, "squares, and a stride equal to `patch_size`".into());
        }
        if levels == 0 || levels > 8 || self.num_attention_heads.len() != levels || self.depths.iter().any(|&d| d > 256)
        {
            return refuse(
                "depths",
                format!("{:?}", self.depths),
                "1 to 8 numbers, as many as `num_attention_heads`".into(),
            );
        }
        let mels = self.num_mel_bins;
        if mels == 0 || self.spec_size > 4096 || !self.spec_size.is_multiple_of(mels) {
            return refuse("num_mel_bins", mels.to_string(), format!("a divisor of `spec_size` = {}", self.spec_size));
        }
        let smallest = patch << (levels - 1);
        if self.window_size == 0
            || !self.spec_size.is_multiple_of(smallest)
            || self.sides().iter().any(|&side| side == 0 || side % self.window_size != 0)
        {
            return refuse(
                "spec_size",
                self.spec_size.to_string(),
                format!("patches of {patch} at {levels} resolutions, tiled by windows of {}", self.window_size),
            );
        }
        for (level, &heads) in self.num_attention_heads.iter().enumerate() {
            config::check_heads(NAME, "num_attention_heads", heads, self.patch_embeds_hidden_size << level)?;
        }
        if self.hidden_size != self.patch_embeds_hidden_size << (levels - 1) {
            return refuse(
                "hidden_size",
                self.hidden_size.to_string(),
                "`patch_embeds_hidden_size`, doubled at every stage".into(),
            );
        }
        if self.patch_embed_input_channels != 1 || !self.flatten_patch_embeds {
            return refuse(
                "patch_embed_input_channels",
                self.patch_embed_input_channels.to_string(),
                "1, flattened".into(),
            );
        }
        if self.enable_fusion && self.fusion_type.as_deref() == Some("channel_map") {
            return refuse("fusion_type", "\"channel_map\"".into(), "\"aff_2d\"".into());
        }
        if self.aff_block_r == 0 || self.aff_block_r > self.patch_embeds_hidden_size {
            return refuse("aff_block_r", self.aff_block_r.to_string(), "1 to `patch_embeds_hidden_size`".into());
        }
        if !(self.mlp_ratio > 0.0 && self.mlp_ratio * self.hidden_size as f64 <= LARGEST as f64) {
            return refuse("mlp_ratio", self.mlp_ratio.to_string(), "a small number above 0".into());
        }
        Ok(())
    }

    fn patch(&self) -> usize {
        self.patch_size.at(0)
    }

    /// Patches along a side at each stage.
    fn sides(&self) -> Vec<usize> {
        (0..self.depths.len()).map(|level| (self.spec_size / self.patch()) >> level).collect()
    }

    /// Frames that fill the square.
    pub fn most_frames(&self) -> usize {
        self.spec_size * (self.spec_size / self.num_mel_bins)
    }
}

/// A batch norm whose statistics do not train.
struct Affine {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    deviation: Tensor,
}

impl Affine {
    fn new(p: &Params, channels: usize) -> Result<Self> {
        p.ignore("num_batches_tracked");
        let variance = p.statistic("running_var", &[channels], Init::Ones)?;
        Ok(Self {
            weight: p.get("weight", &[channels], Init::Ones)?,
            bias: p.get("bias", &[channels], Init::Zeros)?,
            mean: p.statistic("running_mean", &[channels], Init::Zeros)?,
            deviation: (variance + EPS)?.sqrt()?,
        })
    }

    /// Over channels last.
    fn last(&self, x: &Tensor) -> Result<Tensor> {
        let scale = self.weight.div(&self.deviation)?;
        let shift = (&self.bias - self.mean.mul(&scale)?)?;
        Ok(x.broadcast_mul(&scale)?.broadcast_add(&shift)?)
    }
}

/// Two linear layers over the channels of each place, with batch norms.
struct Gate {
    first: Linear,
    norm_first: Affine,
    second: Linear,
    norm_second: Affine,
}

impl Gate {
    /// From 1×1 convolutions at `from` and behind.
    fn new(p: &Params, from: usize, width: usize, inner: usize) -> Result<Self> {
        Ok(Self {
            first: Linear::from_pointwise(&p.at(from), width, inner)?,
            norm_first: Affine::new(&p.at(from + 1), inner)?,
            second: Linear::from_pointwise(&p.at(from + 3), inner, width)?,
            norm_second: Affine::new(&p.at(from + 4), width)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.norm_first.last(&self.first.forward(x)?)?.relu()?;
        self.norm_second.last(&self.second.forward(&h)?)
    }
}

/// Attentional feature fusion (Dai et al. 2021, arXiv 2009.14082) of the patches of a whole sound and of its pieces.
struct Fusion {
    local: Gate,
    global: Gate,
    /// (width, patch · 3 · patch): patches of the pieces are three times as long.
    pieces: Linear,
    patch: usize,
}

impl Fusion {
    fn new(p: &Params, c: &ClapAudioConfig) -> Result<Self> {
        let (width, inner) = (c.patch_embeds_hidden_size, c.patch_embeds_hidden_size / c.aff_block_r);
        let model = p.at("fusion_model");
        Ok(Self {
            local: Gate::new(&model.at("local_att"), 0, width, inner)?,
            global: Gate::new(&model.at("global_att"), 1, width, inner)?,
            pieces: Linear::from_patches(&p.at("mel_conv2d"), [1, width], &[c.patch(), 3 * c.patch()])?,
            patch: c.patch(),
        })
    }

    /// `whole` (B, rows · columns, width) and the pieces as squares (B, 3, S, S) → (B, rows · columns, width).
    fn forward(&self, whole: &Tensor, pieces: &Tensor) -> Result<Tensor> {
        let (batch, n_pieces, side, _) = pieces.dims4()?;
        let (rows, columns) = (side / self.patch, side / (3 * self.patch));
        let patches = pieces.narrow(3, 0, columns * 3 * self.patch)?;
        let patches = patches.reshape((batch, n_pieces, rows, self.patch, columns, 3 * self.patch))?;
        // Pieces follow each other along time: B, rows, pieces, columns.
        let patches = patches.permute((0, 2, 1, 4, 3, 5))?;
        let patches = patches.reshape((batch, rows, n_pieces * columns, 3 * self.patch * self.patch))?.contiguous()?;
        let patches = self.pieces.forward(&patches)?;
        let wide = whole.dim(1)? / rows;
        let local = patches.pad_with_zeros(2, 0, wide - n_pieces * columns)?.reshape(whole.shape())?;
        let both = (whole + &local)?;
        let gate = self.local.forward(&both)?.broadcast_add(&self.global.forward(&both.mean_keepdim(1)?)?)?;
        let gate = (((gate * 0.5)?.tanh()? * 0.5)? + 0.5)?; // σ
        Ok((((whole - &local)?.mul(&gate)? + &local)? * 2.0)?)
    }
}

/// The audio encoder.
pub struct ClapAudioModel {
    config: ClapAudioConfig,
    norm_mels: Affine,
    patches: Conv2d,
    norm_patches: Option<LayerNorm>,
    fusion: Option<Fusion>,
    stages: Vec<Stage>,
    norm: LayerNorm,
}

impl ClapAudioModel {
    /// Builds the model from its config and parameters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: ClapAudioConfig) -> Result<Self> {
        let c = &config;
        let root = p.at("audio_encoder");
        let embed = root.at("patch_embed");
        let swin = SwinConfig {
            window: c.window_size,
            mlp_ratio: c.mlp_ratio,
            qkv_bias: c.qkv_bias,
            eps: c.layer_norm_eps,
            activation: Elementwise::named(NAME, "hidden_act", &c.hidden_act)?,
        };
        let width = c.patch_embeds_hidden_size;
        let sides = c.sides();
        let stage = |level: usize| {
            let sizes = [width << level, c.num_attention_heads[level], c.depths[level]];
            Stage::new(&root.at("layers").at(level), sizes, sides[level], level + 1 < sides.len(), swin)
        };
        Ok(Self {
            norm_mels: Affine::new(&root.at("batch_norm"), c.num_mel_bins)?,
            patches: Conv2d::new(&embed.at("proj"), [1, width], c.patch(), c.patch(), 0)?,
            norm_patches: c
                .enable_patch_layer_norm
                .then(|| LayerNorm::new(&embed.at("norm"), width, 1e-5))
                .transpose()?,
            fusion: c.enable_fusion.then(|| Fusion::new(&embed, c)).transpose()?,
            stages: (0..sides.len()).map(stage).collect::<Result<_>>()?,
            norm: LayerNorm::new(&root.at("norm"), c.hidden_size, 1e-5)?,
            config,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &ClapAudioConfig {
        &self.config
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.patches.device()
    }

    /// Spectrograms to the mean of the last states, with places that are read in passing: `stage0` (the patches), `stage1`, …
    /// (behind each stage and its merging), as transformers' `hidden_states`, as tokens (B, places, width).
    ///
    /// # Shapes
    /// `mels` (B, pieces, frames, mels), 1 piece, or with fusion 4; `is_longer` B → (B, hidden).
    ///
    /// # Errors
    /// Spectrograms of another shape, or too long.
    pub fn forward(&self, mels: &Tensor, is_longer: &[bool], taps: &mut Taps) -> Result<Tensor> {
        let (batch, pieces, frames, bins) = mels.dims4()?;
        let c = &self.config;
        let expected = if self.fusion.is_some() { 4 } else { 1 };
        if pieces != expected
            || bins != c.num_mel_bins
            || frames == 0
            || frames > c.most_frames()
            || is_longer.len() != batch
        {
            return Err(ModelError::Input {
                what: "mel spectrograms",
                expected: format!("({}, {expected}, at most {}, {})", is_longer.len(), c.most_frames(), c.num_mel_bins),
                got: format!("{:?}", mels.dims()),
            });
        }
        let squares = self.fold(&stretch(&self.norm_mels.last(mels)?, c.most_frames())?)?;
        let mut x = to_tokens(&self.patches.forward(&squares.narrow(1, 0, 1)?.contiguous()?)?)?;
        if let Some(fusion) = &self.fusion {
            let mut rows = Vec::with_capacity(batch);
            for (i, &longer) in is_longer.iter().enumerate() {
                let whole = x.narrow(0, i, 1)?;
                let pieces = squares.narrow(0, i, 1)?.narrow(1, 1, 3)?;
                rows.push(if longer { fusion.forward(&whole, &pieces)? } else { whole });
            }
            x = Tensor::cat(&rows, 0)?;
        }
        if let Some(norm) = &self.norm_patches {
            x = norm.forward(&x)?;
        }
        taps.see(format_args!("stage0"), &x);
        for (i, stage) in self.stages.iter().enumerate() {
            x = stage.forward(&x)?;
            taps.see(format_args!("stage{}", i + 1), &x);
        }
        // The reference arranges the states by frequency first; their mean is the same.
        let pooled = self.norm.forward(&x)?.mean(1)?;
        taps.see(format_args!("pooled"), &pooled);
        Ok(pooled)
    }

    /// (B, pieces, S · r, S / r) → (B, pieces, S, S): r stretches of time below each other, frequency within each.
    fn fold(&self, mels: &Tensor) -> Result<Tensor> {
        let (batch, pieces, frames, bins) = mels.dims4()?;
        let ratio = self.config.spec_size / bins;
        let cut = mels.reshape((batch, pieces, ratio, frames / ratio, bins))?.permute((0, 1, 2, 4, 3))?;
        Ok(cut.reshape((batch, pieces, ratio * bins, frames / ratio))?.contiguous()?)
    }
}

/// (B, pieces, frames, mels) → as many frames as asked for, by cubic interpolation whose ends meet those of the input
/// (PyTorch's `bicubic` with `align_corners`, a = −¾).
fn stretch(mels: &Tensor, to: usize) -> Result<Tensor> {
    let (_, _, frames, _) = mels.dims4()?;
    if frames == to {
        return Ok(mels.clone());
    }
    let step = (frames - 1) as f64 / (to.max(2) - 1) as f64;
    let mut weights = vec![0f32; to * frames];
    for (i, row) in weights.chunks_exact_mut(frames).enumerate() {
        let at = i as f64 * step;
        let first = at.floor();
        for tap in -1..=2i64 {
            let source = (first as i64 + tap).clamp(0, frames as i64 - 1) as usize;
            row[source] += cubic(at - first - tap as f64) as f32;
        }
    }
    let weights = Tensor::from_vec(weights, (to, frames), mels.device())?;
    Ok(weights.broadcast_matmul(&mels.contiguous()?)?)
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}
