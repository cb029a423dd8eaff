//! Generation: from features to pictures on disk. A generator is one file behind [`crate::Generator`].
//!
//! - [`autoencoder`]: a latent, decoded
//! - [`diffusion`]: denoising from pure noise or from a noised latent, under a context or under the empty caption
//! - [`mod@captions`]: vision tokens, put into words
//! - [`pixels`]: predicted pixels, enlarged
//! - [`pictures`]: every arm, draw by draw, batch by batch, as files

pub mod autoencoder;
pub mod captions;
pub mod diffusion;
pub mod pictures;
pub mod pixels;

pub use autoencoder::DecodeLatent;
pub use diffusion::{Diffusion, Guide, Start};
pub use pictures::pictures_of_arm;
pub use pixels::EnlargePixels;

use ndarray::Array4;

use crate::arms::Medium;

/// One medium per picture of a batch (n, height, width, 3).
fn media(pictures: &Array4<f32>) -> Vec<Medium> {
    pictures.outer_iter().map(|picture| Medium::Picture(picture.to_owned())).collect()
}
