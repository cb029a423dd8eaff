//! The keys of a `UNet2DConditionModel` config, and what is refused of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    config::{self, LARGEST, PerLevel, Rest},
    error::{ModelError, Result},
    nn::transformer::SpatialConfig,
};

const NAME: &str = "unet";
const CROSS_MID: &str = "UNetMidBlock2DCrossAttn";
const PLAIN_MID: &str = "UNetMidBlock2D";

/// How a vector that conditions the whole picture is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClassEmbedding {
    /// One linear layer.
    Linear,
    /// Two, as for the diffusion step.
    Network,
}

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
    #[serde(default = "wide")]
    cross_attention_dim: PerLevel,
    /// Side of the latents it was trained on.
    #[serde(default)]
    pub sample_size: Option<usize>,
    #[serde(default = "two")]
    pub(super) layers_per_block: usize,
    #[serde(default = "eight")]
    attention_head_dim: PerLevel,
    #[serde(default)]
    num_attention_heads: Option<PerLevel>,
    #[serde(default = "down_types")]
    pub(super) down_block_types: Vec<String>,
    #[serde(default = "up_types")]
    pub(super) up_block_types: Vec<String>,
    #[serde(default = "mid_type")]
    mid_block_type: Option<String>,
    /// Width of the guidance embedding, where the model was distilled with guidance as an input (latent consistency).
    #[serde(default)]
    pub time_cond_proj_dim: Option<usize>,
    #[serde(default)]
    class_embed_type: Option<String>,
    #[serde(default)]
    projection_class_embeddings_input_dim: Option<usize>,
    #[serde(default)]
    pub(super) class_embeddings_concat: bool,
    #[serde(default = "thirty_two")]
    pub(super) norm_num_groups: usize,
    #[serde(default = "small")]
    pub(super) norm_eps: f64,
    #[serde(default = "silu")]
    act_fn: String,
    #[serde(default = "yes")]
    pub(super) flip_sin_to_cos: bool,
    #[serde(default)]
    pub(super) freq_shift: f64,
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
fn wide() -> PerLevel {
    PerLevel::One(1280)
}
/// Absent is not the same as null, which means no middle block.
#[allow(clippy::unnecessary_wraps)]
fn mid_type() -> Option<String> {
    Some(CROSS_MID.into())
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
        if let Some(kind) = config.mid_block_type.as_deref().filter(|kind| ![CROSS_MID, PLAIN_MID].contains(kind)) {
            return refuse("mid_block_type", kind.to_owned(), "UNetMidBlock2DCrossAttn, UNetMidBlock2D, null");
        }
        for (key, width) in [
            ("time_cond_proj_dim", config.time_cond_proj_dim),
            ("projection_class_embeddings_input_dim", config.projection_class_embeddings_input_dim),
        ] {
            if width.is_some_and(|width| !(4..=LARGEST).contains(&width)) {
                return refuse(key, format!("{width:?}"), "null, 4 to 65536");
            }
        }
        match config.class_embed_type.as_deref() {
            None if !config.class_embeddings_concat => {}
            Some("simple_projection" | "projection") if config.projection_class_embeddings_input_dim.is_some() => {}
            other => {
                let value = format!("{other:?}");
                return refuse(
                    "class_embed_type",
                    value,
                    "null, simple_projection, projection, with their input width",
                );
            }
        }
        if config.act_fn != "silu" {
            return refuse("act_fn", config.act_fn, "silu");
        }
        let key = if config.num_attention_heads.is_some() { "num_attention_heads" } else { "attention_head_dim" };
        for (level, &width) in config.block_out_channels.iter().enumerate() {
            let up = &config.up_block_types[levels - 1 - level];
            if level + 1 == levels && config.mid_block_type.as_deref() == Some(CROSS_MID)
                || [&config.down_block_types[level], up].iter().any(|kind| kind.starts_with("Cross"))
            {
                config::check_heads(NAME, key, config.heads(level), width)?;
            }
        }
        Ok(config)
    }

    /// Width of the context tokens at the coarsest level.
    pub fn context_width(&self) -> usize {
        self.context_at(self.block_out_channels.len() - 1)
    }

    pub(super) fn context_at(&self, level: usize) -> usize {
        self.cross_attention_dim.at(level)
    }

    /// Width of the vector that conditions a whole picture, where there is one.
    pub fn class_width(&self) -> Option<usize> {
        self.class_embedding().map(|(_, width)| width)
    }

    /// The kind of conditioning by a vector, with that vector's width.
    pub(super) fn class_embedding(&self) -> Option<(ClassEmbedding, usize)> {
        let width = self.projection_class_embeddings_input_dim?;
        match self.class_embed_type.as_deref() {
            Some("simple_projection") => Some((ClassEmbedding::Linear, width)),
            Some("projection") => Some((ClassEmbedding::Network, width)),
            _ => None,
        }
    }

    /// Width of what the residual blocks are given beside the latents.
    pub(super) fn embedding_width(&self) -> usize {
        let step = 4 * self.block_out_channels[0];
        if self.class_embeddings_concat { 2 * step } else { step }
    }

    /// Whether there is a middle block, and whether it attends.
    pub(super) fn mid(&self) -> Option<bool> {
        self.mid_block_type.as_deref().map(|kind| kind == CROSS_MID)
    }

    pub(super) fn heads(&self, level: usize) -> usize {
        self.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim).at(level)
    }

    pub(super) fn spatial(&self, level: usize) -> SpatialConfig {
        SpatialConfig {
            context: self.context_at(level),
            groups: self.norm_num_groups,
            layers: self.transformer_layers_per_block.at(level),
            linear_projection: self.use_linear_projection,
        }
    }
}
