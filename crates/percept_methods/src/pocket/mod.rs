//! How the pocket pack is made: configurations, data and schedules, from a seed to a directory in the diffusers layout.
//!
//! Parts are trained in this order, each resumable: the judge (a classifier that is no part of the pack), the
//! autoencoder, its decoder once more, CLIP (text and image encoder), the U-Net, which needs the autoencoder's latents and the text
//! encoder's states, and the captioner, which begins with CLIP's image encoder and is a pack of its own; apart from them, a language model, a pack
//! of its own too. The adapter that moves the pictures is trained beside a finished pack ([`motion`]). [`score`] and
//! [`score_captions`] then say what they can do on drawings that they never saw.

mod captioner;
mod configs;
mod drawings;
mod files;
mod judge;
mod language;
pub mod motion;
pub mod music;
mod recipe;
mod score;
mod train;
mod unet_data;
mod vocabulary;

pub use captioner::score_captions;
pub use recipe::Recipe;
pub use score::{Attributes, PocketScores, score};
pub use train::{Part, train};
