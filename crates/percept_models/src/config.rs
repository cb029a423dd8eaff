//! Reading `config.json` files: known keys become settings, unknown keys are an error unless they cannot matter.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    error::{ModelError, Result},
    nn::Activation,
};

/// Keys of a config that its model does not know, kept by `#[serde(flatten)]` and judged by [`check_rest`].
pub(crate) type Rest = BTreeMap<String, Value>;

/// Keys that describe a file or its training and never change what a model computes.
const INERT: &[&str] = &[
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dropout",
    "dtype",
    "force_upcast",
    "initializer_factor",
    "initializer_range",
    "logit_scale_init_value",
    "model_type",
    "pad_token_id",
    "sample_size",
    "torch_dtype",
    "transformers_version",
];

/// Keys with which old versions of transformers padded the configs of encoders.
const GENERATION: &[&str] = &[
    "bad_words_ids",
    "begin_suppress_tokens",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "prefix",
    "problem_type",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torchscript",
    "typical_p",
    "use_bfloat16",
];

/// Takes the settings of generation out of a config.
pub(crate) fn without_generation(keys: &mut serde_json::Map<String, Value>) {
    keys.retain(|key, _| !GENERATION.contains(&key.as_str()));
}

/// Parses `text`, the config of `component`.
pub(crate) fn parse<T: DeserializeOwned>(component: &'static str, text: &str) -> Result<T> {
    let refused = |source: serde_json::Error| ModelError::Config {
        component,
        key: "config.json".into(),
        value: source.to_string(),
        supported: "the keys and types that diffusers or transformers write".into(),
    };
    let value: Value = serde_json::from_str(text).map_err(refused)?;
    check_numbers(component, "", &value)?;
    serde_json::from_value(value).map_err(refused)
}

/// The most of anything that a config repeats: layers, blocks, heads.
const MOST_REPEATED: u64 = 1024;
/// The largest whole number of any config: sizes of vocabularies and lengths of texts are far below.
const MOST_WHOLE: u64 = 1 << 24;
/// The largest number of any config.
const MOST_REAL: f64 = 1e15;
/// The longest list of any config: a number for each step of a schedule.
const MOST_LISTED: usize = 1 << 16;
/// Keys of what is repeated.
const REPEATED: &[&str] = &[
    "attention_head_dim",
    "depths",
    "layers_per_block",
    "motion_num_attention_heads",
    "n_head",
    "n_layer",
    "num_attention_heads",
    "num_decoder_blocks",
    "num_encoder_blocks",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_layers",
    "num_lstm_layers",
    "num_residual_layers",
    "reverse_transformer_layers_per_block",
    "transformer_layers_per_block",
];

/// Refuses numbers that no model has, before anything is made as large as they claim.
fn check_numbers(component: &'static str, key: &str, value: &Value) -> Result<()> {
    let refuse = |supported: String| {
        Err(ModelError::Config { component, key: key.to_owned(), value: value.to_string(), supported })
    };
    match value {
        Value::Number(number) => {
            let most = if REPEATED.contains(&key) { MOST_REPEATED } else { MOST_WHOLE };
            match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) if whole.unsigned_abs() > most => refuse(format!("numbers up to {most}")),
                (Some(_), _) => Ok(()),
                (None, Some(real)) if real.abs() <= MOST_REAL => Ok(()),
                _ => refuse(format!("numbers up to {MOST_REAL:e}")),
            }
        }
        Value::Array(items) if items.len() > MOST_LISTED => Err(ModelError::Config {
            component,
            key: key.to_owned(),
            value: format!("a list of {}", items.len()),
            supported: format!("at most {MOST_LISTED} entries"),
        }),
        Value::Array(items) => items.iter().try_for_each(|item| check_numbers(component, key, item)),
        Value::Object(entries) => entries.iter().try_for_each(|(key, item)| check_numbers(component, key, item)),
        _ => Ok(()),
    }
}

/// The config of an encoder that is a part of another config, as text. Old files spell out every setting of generation, none
/// of which concerns an encoder.
pub(crate) fn of_part(config: &Value) -> String {
    let mut config = config.clone();
    if let Value::Object(keys) = &mut config {
        without_generation(keys);
        keys.insert("architectures".into(), Value::Array(Vec::new()));
    }
    config.to_string()
}

/// Refuses a factor by which nothing can be multiplied and divided again.
pub(crate) fn check_factor(component: &'static str, key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    let supported = "a number above 0".to_owned();
    Err(ModelError::Config { component, key: key.into(), value: value.to_string(), supported })
}

/// Refuses keys in `rest` that might change the computation: everything but inert keys, private keys, empty values and
/// the values listed in `harmless`.
pub(crate) fn check_rest(component: &'static str, rest: &Rest, harmless: &[(&str, Value)]) -> Result<()> {
    for (key, value) in rest {
        let empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            _ => false,
        };
        let known = key.starts_with('_')
            || INERT.contains(&key.as_str())
            || harmless.iter().any(|(name, allowed)| name == key && allowed == value);
        if !empty && !known {
            let supported = harmless
                .iter()
                .filter(|(name, _)| name == key)
                .map(|(_, allowed)| allowed.to_string())
                .chain(["absent".to_owned(), "null".to_owned()])
                .collect::<Vec<_>>()
                .join(", ");
            return Err(ModelError::Config { component, key: key.clone(), value: value.to_string(), supported });
        }
    }
    Ok(())
}

/// The largest width, side or number of anything that a config may ask for; sizes are multiplied with each other.
pub(crate) const LARGEST: usize = 1 << 16;
/// The most resolutions of an autoencoder or U-Net.
const MOST_LEVELS: usize = 16;

/// Refuses channel numbers that no network can have, or that the groups of the group norm do not divide.
pub(crate) fn check_widths(component: &'static str, widths: &[usize], groups: usize) -> Result<()> {
    if widths.is_empty() || widths.len() > MOST_LEVELS || widths.iter().any(|&w| w == 0 || w > LARGEST) {
        return Err(ModelError::Config {
            component,
            key: "block_out_channels".into(),
            value: format!("{widths:?}"),
            supported: format!("1 to {MOST_LEVELS} numbers of at most {LARGEST}"),
        });
    }
    if groups == 0 || widths.iter().any(|width| !width.is_multiple_of(groups)) {
        return Err(ModelError::Config {
            component,
            key: "norm_num_groups".into(),
            value: groups.to_string(),
            supported: format!("a divisor of every entry of `block_out_channels`, {widths:?}"),
        });
    }
    Ok(())
}

/// Refuses numbers of heads that do not divide the width they share.
pub(crate) fn check_heads(component: &'static str, key: &str, heads: usize, width: usize) -> Result<()> {
    if heads == 0 || width == 0 || width > LARGEST || !width.is_multiple_of(heads) {
        return Err(ModelError::Config {
            component,
            key: key.into(),
            value: heads.to_string(),
            supported: format!("a divisor of the width, {width}"),
        });
    }
    Ok(())
}

/// The activation named in a config.
pub(crate) fn activation(component: &'static str, key: &str, name: &str) -> Result<Activation> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        "quick_gelu" => Ok(Activation::QuickGelu),
        _ => Err(ModelError::Config {
            component,
            key: key.into(),
            value: format!("\"{name}\""),
            supported: "\"silu\", \"gelu\", \"quick_gelu\"".into(),
        }),
    }
}

/// A setting that diffusers writes either once for all levels or as a list.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum PerLevel {
    One(usize),
    Many(Vec<usize>),
}

impl PerLevel {
    /// The value at `level`; a list that is too short repeats its last value.
    pub(crate) fn at(&self, level: usize) -> usize {
        match self {
            Self::One(value) => *value,
            Self::Many(values) => values.get(level).or(values.last()).copied().unwrap_or(1),
        }
    }
}
