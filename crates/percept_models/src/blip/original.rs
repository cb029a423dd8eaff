//! The original BLIP naming (Salesforce) as a key map to transformers' names.
//!
//! The decoder has the same names in both; of the Vision Transformer every layer is called something else. What a checkpoint
//! of the pretraining holds besides (encoder of texts, contrastive heads and queues, averages) is passed over.

use std::collections::BTreeMap;

use candle_core::Tensor;

const VISION: &str = "visual_encoder.";

/// Parts of names within the Vision Transformer.
const PARTS: [(&str, &str); 10] = [
    ("cls_token", "embeddings.class_embedding"),
    ("pos_embed", "embeddings.position_embedding"),
    ("patch_embed.proj.", "embeddings.patch_embedding."),
    ("blocks.", "encoder.layers."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".attn.qkv.", ".self_attn.qkv."),
    (".attn.proj.", ".self_attn.projection."),
    (".mlp.", ".mlp."),
    ("norm.", "post_layernorm."),
];

/// Whether these are names of the original.
pub fn is_original(tensors: &BTreeMap<String, Tensor>) -> bool {
    tensors.keys().any(|name| name.starts_with(VISION))
}

/// The tensors of a captioner under transformers' names; those that already have them stay as they are.
pub fn renamed(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    if !is_original(&tensors) {
        return tensors;
    }
    let own = |(name, tensor): (String, Tensor)| {
        if let Some(name) = name.strip_prefix(VISION) {
            return Some((format!("vision_model.{}", vision_name(name)), tensor));
        }
        name.starts_with("text_decoder.").then_some((name, tensor))
    };
    tensors.into_iter().filter_map(own).collect()
}

fn vision_name(name: &str) -> String {
    let mut name = name.to_owned();
    for (from, to) in PARTS {
        if let Some(rest) = name.strip_prefix(from) {
            name = format!("{to}{rest}");
        } else if from.starts_with('.') {
            name = name.replacen(from, to, 1);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::vision_name;

    #[test]
    fn names_of_the_vision_transformer_are_known() {
        for (original, ours) in [
            ("cls_token", "embeddings.class_embedding"),
            ("pos_embed", "embeddings.position_embedding"),
            ("patch_embed.proj.bias", "embeddings.patch_embedding.bias"),
            ("blocks.3.norm1.weight", "encoder.layers.3.layer_norm1.weight"),
            ("blocks.11.attn.qkv.bias", "encoder.layers.11.self_attn.qkv.bias"),
            ("blocks.0.attn.proj.weight", "encoder.layers.0.self_attn.projection.weight"),
            ("blocks.0.norm2.bias", "encoder.layers.0.layer_norm2.bias"),
            ("blocks.0.mlp.fc2.weight", "encoder.layers.0.mlp.fc2.weight"),
            ("norm.weight", "post_layernorm.weight"),
        ] {
            assert_eq!(vision_name(original), ours);
        }
    }
}
