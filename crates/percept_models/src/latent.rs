//! The autoencoder of a pack, of either family: `vae/config.json` says which.

use candle_core::{Device, Tensor};
use serde::Deserialize;

use crate::{
    autoencoder::{AutoencoderConfig, AutoencoderKl},
    autoencoder_tiny::{AutoencoderTiny, TinyConfig},
    config,
    error::{ModelError, Result},
    nn::params::Params,
    tap::Taps,
};

/// Pictures to latents and back.
pub enum Autoencoder {
    /// The large one of latent diffusion.
    Kl(AutoencoderKl),
    /// The small distilled one.
    Tiny(AutoencoderTiny),
}

impl Autoencoder {
    /// Builds the family that the config's `_class_name` names; `AutoencoderKL` when it names none.
    ///
    /// # Errors
    /// [`ModelError::Config`] for another family, and what the family refuses.
    pub fn new(p: &Params, text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Class {
            #[serde(rename = "_class_name")]
            name: Option<String>,
        }
        let class: Class = config::parse("vae", text)?;
        match class.name.as_deref() {
            None | Some("AutoencoderKL") => Ok(Self::Kl(AutoencoderKl::new(p, AutoencoderConfig::parse(text)?)?)),
            Some("AutoencoderTiny") => Ok(Self::Tiny(AutoencoderTiny::new(p, TinyConfig::parse(text)?)?)),
            Some(other) => Err(ModelError::Config {
                component: "vae",
                key: "_class_name".into(),
                value: format!("\"{other}\""),
                supported: "AutoencoderKL, AutoencoderTiny".into(),
            }),
        }
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        match self {
            Self::Kl(model) => model.device(),
            Self::Tiny(model) => model.device(),
        }
    }

    /// How many pixels of a picture's side become one of the latent's.
    pub fn downscale(&self) -> usize {
        match self {
            Self::Kl(model) => model.config().downscale(),
            Self::Tiny(model) => model.config().downscale(),
        }
    }

    /// Side of the pictures it was made for, in pixels.
    pub fn sample_size(&self) -> usize {
        const USUAL: usize = 512;
        match self {
            Self::Kl(model) => model.config().sample_size.unwrap_or(USUAL),
            Self::Tiny(_) => USUAL,
        }
    }

    /// Channels of a latent.
    pub fn latent_channels(&self) -> usize {
        match self {
            Self::Kl(model) => model.config().latent_channels,
            Self::Tiny(model) => model.config().latent_channels,
        }
    }

    /// What latents are multiplied by before diffusion.
    pub fn scaling_factor(&self) -> f64 {
        match self {
            Self::Kl(model) => model.scaling_factor(),
            Self::Tiny(model) => model.config().scaling_factor,
        }
    }

    /// Pictures (B, 3, H, W) in −1..=1 to the mean of their latents, not scaled.
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn encode(&self, pictures: &Tensor) -> Result<Tensor> {
        self.encode_with(pictures, &mut Taps::none())
    }

    /// As [`Self::encode`], with places that are read in passing; the tiny family names none.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_with(&self, pictures: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        match self {
            Self::Kl(model) => Ok(model.encode_with(pictures, taps)?.mean),
            Self::Tiny(model) => model.encode(pictures),
        }
    }

    /// Latents, not scaled, to pictures in about −1..=1.
    ///
    /// # Errors
    /// Shapes that do not fit the config.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        self.decode_with(latents, &mut Taps::none())
    }

    /// As [`Self::decode`], with places that are read in passing; the tiny family names none.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_with(&self, latents: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        match self {
            Self::Kl(model) => model.decode_with(latents, taps),
            Self::Tiny(model) => model.decode(latents),
        }
    }
}
