//! BLIP for captions (Li et al. 2022, arXiv 2201.12086): a Vision Transformer, and a BERT decoder with cross-attention to its
//! tokens, as transformers' `BlipForConditionalGeneration`; the original naming as a key map.
//!
//! The networks alone: pictures behind plain arrays, words and searches are in [`crate::caption`].

mod config;
mod decoder;
mod original;
mod positions;
mod vision;

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use percept_core::provenance::content_hash;

pub use config::{BlipConfig, TextConfig, VisionConfig};
pub use decoder::{CaptionDecoder, Past, Pictures};
pub use original::{is_original, renamed};
pub use vision::BlipVision;

use crate::{
    error::Result,
    nn::{host::with_values, params::Params},
};

/// The two networks of a captioner.
pub struct Blip {
    /// Pictures to tokens.
    pub vision: BlipVision,
    /// Tokens to captions.
    pub decoder: CaptionDecoder,
    /// What they were built from.
    pub config: BlipConfig,
}

impl Blip {
    /// Builds both from their config and parameters (`vision_model`, `text_decoder`).
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: BlipConfig) -> Result<Self> {
        Ok(Self {
            vision: BlipVision::new(&p.at("vision_model"), &config.vision)?,
            decoder: CaptionDecoder::new(&p.at("text_decoder"), &config.text, config.vision.hidden_size, config.tied)?,
            config,
        })
    }
}

/// One hash over a config and tensors by name.
pub(crate) fn weights_hash(tensors: &BTreeMap<String, Tensor>, config: &BlipConfig) -> Result<String> {
    let mut lines = format!("{config:?}\n");
    for (name, tensor) in tensors {
        use std::fmt::Write;
        let tensor = tensor.to_dtype(DType::F32)?;
        let hash = with_values(&tensor, |values| {
            let mut bytes = Vec::with_capacity(4 * values.len());
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            content_hash(&bytes)
        })?;
        let _ = writeln!(lines, "{name} {:?} {hash}", tensor.dims());
    }
    Ok(content_hash(lines.as_bytes()))
}
