//! The metrics that percept knows, each in a file of its own, in the order of the tables.

mod context_cosine;
mod context_pairwise;
mod latent_mse;
mod latent_pcc;
mod mse;
mod pixcorr;
mod ssim;
mod two_way_clip;
mod two_way_pixel;

use ndarray::Array2;

use super::metric::{Look, Metric};

pub use context_cosine::ContextCosine;
pub use context_pairwise::ContextPairwise;
pub use latent_mse::LatentMse;
pub use latent_pcc::LatentPcc;
pub use mse::Mse;
pub use pixcorr::PixCorr;
pub use ssim::Ssim;
pub use two_way_clip::TwoWayClip;
pub use two_way_pixel::TwoWayPixel;

/// All of them, in the order of the tables.
pub fn all() -> Vec<Box<dyn Metric>> {
    vec![
        Box::new(Mse),
        Box::new(PixCorr),
        Box::new(Ssim),
        Box::new(LatentMse),
        Box::new(LatentPcc),
        Box::new(ContextCosine),
        Box::new(ContextPairwise),
        Box::new(TwoWayPixel),
        Box::new(TwoWayClip),
    ]
}

/// The contexts of both sides, where both have them.
fn contexts<'a>(made: &'a Look<'_>, truth: &'a Look<'_>) -> Option<(&'a Array2<f32>, &'a Array2<f32>)> {
    made.inputs().get("c").zip(truth.inputs().get("c"))
}
