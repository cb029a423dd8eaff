//! How the pocket pack of music is made: MusicLDM's classes with small numbers, trained on percept's own tunes, from a seed to a
//! directory in the diffusers layout.
//!
//! Parts are trained in this order, each resumable: CLAP, the autoencoder of mel spectrograms, the vocoder, and the U-Net, which needs
//! CLAP's vectors and the autoencoder's latents. [`score`] then says what they can do with tunes that they never heard.

mod configs;
mod recipe;
mod score;
mod sounds;
mod train;

pub use recipe::MusicRecipe;
pub use score::{MusicScores, score};
pub use train::{MusicPart, train};
