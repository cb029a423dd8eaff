//! How the pocket pack is made: configurations, data and schedules, from a seed to a directory in the diffusers layout.
//!
//! Parts are trained in this order, each resumable: the judge (a classifier that is no part of the pack), the
//! autoencoder, its decoder once more, CLIP (text and image encoder), and the U-Net, which needs the autoencoder's latents and the text
//! encoder's states; last and apart from them, a language model. [`score`] then says what the pack can do on drawings that it never saw.

mod configs;
mod drawings;
mod files;
mod judge;
mod language;
mod recipe;
mod score;
mod train;
mod unet_data;
mod vocabulary;

pub use recipe::Recipe;
pub use score::{PocketScores, score};
pub use train::{Part, train};
