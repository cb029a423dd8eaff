//! Diffusion models, autoencoders and CLIP built from their configs, opened up for taps and training.
//!
//! The only crate that sees the tensor library (candle). Models are built from Hugging Face / diffusers configs and
//! carry the names of their checkpoints; layers are written once, in `nn`, on kernels whose gradients are tested
//! against PyTorch. It knows nothing of brains.
//!
//! - [`pack`]: a whole model pack behind plain arrays: encode, decode, embed, generate
//! - [`unet`], [`autoencoder`], [`autoencoder_tiny`], [`text`], [`vision`], [`tokenizer`], [`preprocess`], [`scheduler`]: the parts
//! - [`film`]: noise for the frames of films, and films by [`DiffusionPack::film_latents`]
//! - [`caption`]: captions of pictures, or of features that stand for them, by [`blip`]
//! - [`classifiers`]: classes of pictures and of films, by [`vit`] and [`video_mae`]
//! - [`sound`]: models of sound, and music from a vector
//! - [`context_encoder`]: groups of numbers to the context of a U-Net
//! - [`train`]: losses, optimiser, checkpoints, and the recipes of the pocket pack
//! - [`weights`]: files to tensors; [`device`]: the CPU, or a GPU

mod attention_map;
pub mod autoencoder;
pub mod autoencoder_tiny;
pub mod blip;
pub mod caption;
pub mod classifiers;
pub mod compvis;
mod config;
pub mod context_encoder;
pub mod device;
pub mod error;
pub mod film;
pub mod language;
pub mod latent;
pub mod nn;
pub mod pack;
pub mod parts;
pub mod preprocess;
pub mod probe;
mod pth;
mod resnet;
pub mod run;
pub mod scheduler;
pub mod sound;
pub mod tap;
pub mod text;
pub mod threads;
pub mod tokenizer;
pub mod train;
pub mod unet;
pub mod video_mae;
pub mod vision;
pub mod vit;
pub mod weights;
pub mod words;

pub use classifiers::{PictureClassifier, VideoClassifier};
pub use error::ModelError;
pub use nn::exact_convolution;
pub use pack::{DiffusionPack, FilmRequest, FilmState, Flow, Frames, Generation, Row};
