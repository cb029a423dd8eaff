//! Models of sound: CLAP, EnCodec, w2v-BERT 2.0, the HiFi-GAN vocoder, and MusicLDM made of them.
//!
//! - [`clap`]: sounds and texts in one space
//! - [`encodec`]: sounds to latents and codes, and back
//! - [`w2v_bert`]: sounds to the states of every layer
//! - [`hifigan`]: mel spectrograms to sound
//! - [`music`]: music from a CLAP vector
//! - [`hearing`]: what a sound goes through before a model, as its `preprocessor_config.json` asks

pub mod clap;
pub mod encodec;
pub mod hearing;
pub mod hifigan;
pub(crate) mod listener;
pub mod music;
pub mod w2v_bert;

use candle_core::Tensor;

use crate::error::{ModelError, Result};

/// Rows scaled to length 1; a row of zeros stays.
pub(crate) fn unit_rows(x: &Tensor) -> Result<Tensor> {
    let length = x.sqr()?.sum_keepdim(1)?.sqrt()?;
    Ok(x.broadcast_div(&length.maximum(1e-12)?)?)
}

/// Refuses sounds that are empty or not of finite numbers.
pub(crate) fn check_sound(sound: &[f32]) -> Result<()> {
    let refuse =
        |got: String| Err(ModelError::Input { what: "sound", expected: "samples that are finite numbers".into(), got });
    match sound.iter().position(|value| !value.is_finite()) {
        _ if sound.is_empty() => refuse("none".into()),
        Some(index) => refuse(format!("sample {index}, which is not")),
        None => Ok(()),
    }
}
