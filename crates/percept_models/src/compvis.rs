//! Single-file checkpoints in the naming of the original Stable Diffusion code (CompVis and Stability AI), as a key map
//! to the names of the diffusers layout.
//!
//! What a file holds besides weights (averages of training, tables of the noise schedule) is passed over; any other
//! name that the map does not know stays as it is, so that the model that should have used it reports it. Configs and
//! tokenizer are not in such files: they come from the folder in which the file lies.

use std::collections::BTreeMap;

use candle_core::{IndexOp, Tensor};

use crate::error::Result;

/// The parts of a single-file checkpoint, in diffusers' naming.
#[derive(Default)]
pub struct SingleFile {
    /// The U-Net.
    pub unet: BTreeMap<String, Tensor>,
    /// The autoencoder.
    pub vae: BTreeMap<String, Tensor>,
    /// The text encoder.
    pub text_encoder: BTreeMap<String, Tensor>,
}

/// Levels and residual blocks per level of the encoder side, read off the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    levels: usize,
    layers: usize,
}

/// Takes a checkpoint apart. `text_layers` is how many layers of the text encoder the config has: Stable Diffusion 2
/// leaves out the last.
///
/// # Errors
/// Only when tensors cannot be cut or reshaped.
pub fn split(tensors: BTreeMap<String, Tensor>, text_layers: usize) -> Result<SingleFile> {
    let unet_shape = unet_shape(tensors.keys());
    let vae_levels = count(tensors.keys(), "first_stage_model.decoder.up.");
    let mut parts = SingleFile::default();
    for (name, tensor) in tensors {
        if let Some(name) = name.strip_prefix("model.diffusion_model.") {
            parts.unet.insert(unet_name(name, unet_shape), tensor);
        } else if let Some(name) = name.strip_prefix("first_stage_model.") {
            let name = vae_name(name, vae_levels);
            // The attention's 1×1 convolutions are linear layers now.
            let is_square = name.contains("attentions.") && tensor.rank() == 4;
            let tensor = if is_square { tensor.squeeze(3)?.squeeze(2)? } else { tensor };
            parts.vae.insert(name, tensor);
        } else if let Some(name) = name.strip_prefix("cond_stage_model.transformer.") {
            parts.text_encoder.insert(name.to_owned(), tensor);
        } else if let Some(name) = name.strip_prefix("cond_stage_model.model.") {
            open_clip(name, tensor, text_layers, &mut parts.text_encoder)?;
        }
    }
    Ok(parts)
}

/// How many numbers follow `prefix` in `names`.
fn count<'a>(names: impl Iterator<Item = &'a String>, prefix: &str) -> usize {
    let number = |name: &String| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
    names.filter_map(number).max().map_or(0, |last| last + 1)
}

fn unet_shape<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Shape {
    const INPUT: &str = "model.diffusion_model.input_blocks.";
    let downs = names.clone().filter(|name| name.starts_with(INPUT) && name.ends_with(".op.weight")).count();
    let blocks = count(names, INPUT);
    // One input convolution, then per level its layers and, but for the last, a downsampler.
    let levels = downs + 1;
    Shape { levels, layers: blocks.saturating_sub(1 + downs) / levels }
}

/// Replaces the first matching beginning of `name`.
fn rename(name: &str, table: &[(&str, &str)]) -> String {
    for (old, new) in table {
        if let Some(rest) = name.strip_prefix(old) {
            return format!("{new}{rest}");
        }
    }
    name.to_owned()
}

fn unet_name(name: &str, shape: Shape) -> String {
    const ENDS: [(&str, &str); 5] = [
        ("time_embed.0.", "time_embedding.linear_1."),
        ("time_embed.2.", "time_embedding.linear_2."),
        ("input_blocks.0.0.", "conv_in."),
        ("out.0.", "conv_norm_out."),
        ("out.2.", "conv_out."),
    ];
    const RESNET: [(&str, &str); 6] = [
        ("in_layers.0.", "norm1."),
        ("in_layers.2.", "conv1."),
        ("emb_layers.1.", "time_emb_proj."),
        ("out_layers.0.", "norm2."),
        ("out_layers.3.", "conv2."),
        ("skip_connection.", "conv_shortcut."),
    ];
    let renamed = rename(name, &ENDS);
    if renamed != name {
        return renamed;
    }
    let mut parts = name.splitn(4, '.');
    let (Some(side), Some(block), Some(module), Some(rest)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return name.to_owned();
    };
    let is_resnet = RESNET.iter().any(|(old, _)| rest.starts_with(old));
    let inner = rename(rest, &RESNET);
    let per_level = shape.layers + 1;
    match (side, block.parse::<usize>()) {
        // `middle_block.1.transformer…`: the number is the module's.
        ("middle_block", Ok(module_idx)) => {
            let rest = format!("{module}.{rest}");
            match module_idx {
                1 => format!("mid_block.attentions.0.{rest}"),
                _ => format!("mid_block.resnets.{}.{}", module_idx / 2, rename(&rest, &RESNET)),
            }
        }
        ("input_blocks", Ok(i)) if i > 0 => {
            let (level, layer) = ((i - 1) / per_level, (i - 1) % per_level);
            match rest.strip_prefix("op.") {
                Some(rest) => format!("down_blocks.{level}.downsamplers.0.conv.{rest}"),
                None if is_resnet => format!("down_blocks.{level}.resnets.{layer}.{inner}"),
                None => format!("down_blocks.{level}.attentions.{layer}.{rest}"),
            }
        }
        ("output_blocks", Ok(i)) if shape.levels > 0 => {
            let (level, layer) = (i / per_level, i % per_level);
            match rest.strip_prefix("conv.") {
                Some(rest) => format!("up_blocks.{level}.upsamplers.0.conv.{rest}"),
                None if is_resnet => format!("up_blocks.{level}.resnets.{layer}.{inner}"),
                None => format!("up_blocks.{level}.attentions.{layer}.{rest}"),
            }
        }
        _ => name.to_owned(),
    }
}

fn vae_name(name: &str, levels: usize) -> String {
    const PLACES: [(&str, &str); 4] = [
        ("mid.block_1.", "mid_block.resnets.0."),
        ("mid.block_2.", "mid_block.resnets.1."),
        ("norm_out.", "conv_norm_out."),
        ("nin_shortcut.", "conv_shortcut."),
    ];
    const ATTENTION: [(&str, &str); 5] =
        [("norm.", "group_norm."), ("q.", "to_q."), ("k.", "to_k."), ("v.", "to_v."), ("proj_out.", "to_out.0.")];
    let Some((side @ ("encoder" | "decoder"), rest)) = name.split_once('.') else { return name.to_owned() };
    if let Some(rest) = rest.strip_prefix("mid.attn_1.") {
        return format!("{side}.mid_block.attentions.0.{}", rename(rest, &ATTENTION));
    }
    let mut parts = rest.splitn(4, '.');
    if let (Some(way @ ("down" | "up")), Some(level), Some(module), Some(inner)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        // The original counts the decoder's levels from the finest.
        let Ok(level) = level.parse::<usize>() else { return name.to_owned() };
        let level = if way == "up" { levels.saturating_sub(level + 1) } else { level };
        return match module {
            "block" => match inner.split_once('.') {
                Some((i, inner)) => format!("{side}.{way}_blocks.{level}.resnets.{i}.{}", rename(inner, &PLACES)),
                None => name.to_owned(),
            },
            "downsample" | "upsample" => format!("{side}.{way}_blocks.{level}.{module}rs.0.{inner}"),
            _ => name.to_owned(),
        };
    }
    format!("{side}.{}", rename(rest, &PLACES))
}

/// OpenCLIP's text encoder: packed projections are cut in three, the layers behind the last are left out.
fn open_clip(name: &str, tensor: Tensor, layers: usize, to: &mut BTreeMap<String, Tensor>) -> Result<()> {
    const LAYER: [(&str, &str); 5] = [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
        ("attn.out_proj.", "self_attn.out_proj."),
    ];
    if let Some((i, rest)) = name.strip_prefix("transformer.resblocks.").and_then(|rest| rest.split_once('.')) {
        if i.parse::<usize>().is_ok_and(|i| i >= layers) {
            return Ok(());
        }
        let place = format!("text_model.encoder.layers.{i}");
        if let Some(kind) = rest.strip_prefix("attn.in_proj_") {
            let width = tensor.dim(0)? / 3;
            for (part, projection) in ["q_proj", "k_proj", "v_proj"].into_iter().enumerate() {
                let own = tensor.i(part * width..(part + 1) * width)?.contiguous()?;
                to.insert(format!("{place}.self_attn.{projection}.{kind}"), own);
            }
            return Ok(());
        }
        to.insert(format!("{place}.{}", rename(rest, &LAYER)), tensor);
        return Ok(());
    }
    let name = match name {
        // The shared space is not part of diffusion.
        "text_projection" | "logit_scale" | "attn_mask" => return Ok(()),
        "positional_embedding" => "text_model.embeddings.position_embedding.weight".to_owned(),
        "token_embedding.weight" => "text_model.embeddings.token_embedding.weight".to_owned(),
        other => rename(other, &[("ln_final.", "text_model.final_layer_norm.")]),
    };
    to.insert(name, tensor);
    Ok(())
}
