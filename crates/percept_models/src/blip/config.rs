//! What a BLIP is made of: transformers' `config.json`, or, for the original checkpoints that have none, what the shapes of
//! their tensors tell.

use std::collections::BTreeMap;

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
    nn::elementwise::Elementwise,
};

pub(super) const NAME: &str = "captioner";

/// The head width that all released BLIPs share.
const HEAD: usize = 64;

/// The keys of a `BlipVisionConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of the self-attention.
    pub num_attention_heads: usize,
    /// Side in pixels of the pictures that the table of positions was made for.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    pub(super) hidden_act: String,
    pub(super) layer_norm_eps: f64,
    #[serde(flatten)]
    rest: Rest,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 384,
            patch_size: 16,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-5,
            rest: Rest::new(),
        }
    }
}

/// The keys of a `BlipTextConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the token states.
    pub hidden_size: usize,
    /// Width inside the two-layer networks.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of each attention.
    pub num_attention_heads: usize,
    /// The most tokens of a text.
    pub max_position_embeddings: usize,
    /// The token that a caption begins with.
    pub bos_token_id: u32,
    /// The token that it ends with.
    pub sep_token_id: u32,
    /// The token behind the end.
    pub pad_token_id: u32,
    pub(super) hidden_act: String,
    pub(super) layer_norm_eps: f64,
    is_decoder: bool,
    tie_word_embeddings: Option<bool>,
    #[serde(flatten)]
    rest: Rest,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30_524,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 512,
            bos_token_id: 30_522,
            sep_token_id: 102,
            pad_token_id: 0,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            is_decoder: true,
            tie_word_embeddings: None,
            rest: Rest::new(),
        }
    }
}

/// Both sides of a `BlipConfig`.
#[derive(Clone, Debug, Default)]
pub struct BlipConfig {
    /// The Vision Transformer.
    pub vision: VisionConfig,
    /// The decoder.
    pub text: TextConfig,
    /// Whether the decoder's output may share the table of words.
    pub(super) tied: bool,
}

impl BlipConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let mut both: Map<String, Value> = config::parse(NAME, text)?;
        if both.get("model_type") != Some(&json!("blip")) {
            return refuse("model_type", both.get("model_type"), "\"blip\"");
        }
        let named = both.get("architectures").and_then(Value::as_array).into_iter().flatten();
        if let Some(other) = named.into_iter().find(|name| **name != json!("BlipForConditionalGeneration")) {
            return refuse("architectures", Some(other), "\"BlipForConditionalGeneration\"");
        }
        let mut side = |key: &str, own: &[&str]| -> Value {
            let mut side = both.remove(key).unwrap_or_default();
            match &mut side {
                // Old files spell out every setting of generation; what is left out has a default, nulls too.
                Value::Object(keys) => {
                    keys.retain(|_, value| !value.is_null());
                    let own: Vec<_> = own.iter().filter_map(|key| keys.remove_entry(*key)).collect();
                    config::without_generation(keys);
                    keys.extend(own);
                }
                Value::Null => side = json!({}),
                _ => {}
            }
            side
        };
        let vision = side("vision_config", &[]).to_string();
        let words = side("text_config", &["is_decoder", "sep_token_id", "tie_word_embeddings"]).to_string();
        let text: TextConfig = config::parse(NAME, &words)?;
        let vision: VisionConfig = config::parse(NAME, &vision)?;
        let top = both.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(true);
        let tied = text.tie_word_embeddings.unwrap_or(true) && top;
        let config = Self { vision, text, tied };
        config.check()?;
        let mut rest: Rest = both.into_iter().collect();
        // Of the other uses of a BLIP, and of training.
        for key in ["image_text_hidden_size", "label_smoothing", "logit_scale_init_value", "projection_dim"] {
            rest.remove(key);
        }
        rest.remove("tie_word_embeddings");
        rest.retain(|key, _| !["is_encoder_decoder", "generation_config"].contains(&key.as_str()));
        config::check_rest(NAME, &rest, &[])?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let (v, t) = (&self.vision, &self.text);
        let inert = ["projection_dim", "attention_dropout", "initializer_range", "dropout"];
        let of_text = [
            "attention_probs_dropout_prob",
            "encoder_hidden_size",
            "eos_token_id",
            "hidden_dropout_prob",
            "label_smoothing",
            "use_cache",
        ];
        let left = |rest: &Rest| -> Rest {
            let known = |key: &String| inert.contains(&key.as_str()) || of_text.contains(&key.as_str());
            rest.iter().filter(|(key, _)| !known(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        config::check_rest(NAME, &left(&v.rest), &[("num_channels", json!(3))])?;
        config::check_rest(NAME, &left(&t.rest), &[])?;
        if !t.is_decoder {
            return refuse("is_decoder", Some(&json!(false)), "true");
        }
        config::check_heads(NAME, "num_attention_heads", v.num_attention_heads, v.hidden_size)?;
        config::check_heads(NAME, "num_attention_heads", t.num_attention_heads, t.hidden_size)?;
        Elementwise::named(NAME, "hidden_act", &v.hidden_act)?;
        Elementwise::named(NAME, "hidden_act", &t.hidden_act)?;
        if v.patch_size == 0 || v.image_size > LARGEST || v.image_size < v.patch_size {
            return refuse("patch_size", Some(&json!(v.patch_size)), "1 to `image_size`");
        }
        for (key, size) in [
            ("intermediate_size", v.intermediate_size),
            ("intermediate_size", t.intermediate_size),
            ("max_position_embeddings", t.max_position_embeddings),
        ] {
            if size == 0 || size > LARGEST {
                return refuse(key, Some(&json!(size)), &format!("1 to {LARGEST}"));
            }
        }
        for (key, id) in [("bos_token_id", t.bos_token_id), ("sep_token_id", t.sep_token_id)] {
            if id as usize >= t.vocab_size {
                return refuse(key, Some(&json!(id)), &format!("ids below `vocab_size` = {}", t.vocab_size));
            }
        }
        Ok(())
    }

    /// What the shapes of an original checkpoint tell, under the names of [`super::original::renamed`]; the rest is what the
    /// original code says: heads of 64, 12 of the decoder, GELU, ε = 1e-6 in the Vision Transformer.
    ///
    /// # Errors
    /// Tensors that are missing, by name; shapes of no BLIP.
    pub fn of_tensors(tensors: &BTreeMap<String, Tensor>, origin: &str) -> Result<Self> {
        let dims = |name: &str, rank: usize| -> Result<Vec<usize>> {
            let found = tensors.get(name).map(|tensor| tensor.dims().to_vec());
            found.filter(|dims| dims.len() == rank).ok_or_else(|| ModelError::MissingTensor {
                name: name.to_owned(),
                shape: vec![0; rank],
                origin: origin.to_owned(),
            })
        };
        let layers = |prefix: &str| {
            let number = |name: &String| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
            tensors.keys().filter_map(number).max().map_or(0, |last| last + 1)
        };
        let patch = dims("vision_model.embeddings.patch_embedding.weight", 4)?;
        let positions = dims("vision_model.embeddings.position_embedding", 3)?[1];
        let words = dims("text_decoder.bert.embeddings.word_embeddings.weight", 2)?;
        let vision = VisionConfig {
            hidden_size: patch[0],
            intermediate_size: dims("vision_model.encoder.layers.0.mlp.fc1.weight", 2)?[0],
            num_hidden_layers: layers("vision_model.encoder.layers."),
            num_attention_heads: (patch[0] / HEAD).max(1),
            image_size: positions.saturating_sub(1).isqrt() * patch[3],
            patch_size: patch[3],
            layer_norm_eps: 1e-6,
            ..VisionConfig::default()
        };
        let text = TextConfig {
            vocab_size: words[0],
            hidden_size: words[1],
            intermediate_size: dims("text_decoder.bert.encoder.layer.0.intermediate.dense.weight", 2)?[0],
            num_hidden_layers: layers("text_decoder.bert.encoder.layer."),
            num_attention_heads: (words[1] / HEAD).max(1),
            max_position_embeddings: dims("text_decoder.bert.embeddings.position_embeddings.weight", 2)?[0],
            ..TextConfig::default()
        };
        let config = Self { vision, text, tied: true };
        config.check()?;
        Ok(config)
    }
}

fn refuse<T>(key: &str, value: Option<&Value>, supported: &str) -> Result<T> {
    let value = value.map_or_else(|| "absent".to_owned(), ToString::to_string);
    Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
}
