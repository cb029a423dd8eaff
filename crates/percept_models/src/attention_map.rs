//! Where a U-Net looks: the weights of cross-attention as maps over the latent, one per token of the context (the idea of
//! DAAM, Tang et al. 2023, arXiv 2210.04885, for contexts that are no words).

use candle_core::{DType, Tensor};
use ndarray::{Array2, Array4, ArrayView2};
use percept_core::Seed;

use crate::{
    DiffusionPack,
    error::{ModelError, Result},
    nn::host::to_vec,
    tap::Taps,
    unet::Conditioning,
};

/// The last part of the name of a place that holds weights of cross-attention.
const PLACE: &str = ".cross.weights";
/// Shares of the schedule at which the latents are looked at: late, middle and early in denoising.
const AT: [f64; 3] = [0.25, 0.5, 0.75];

impl DiffusionPack {
    /// How much every position of `latents` (n × latent) looks at every token of `contexts` (n × context): (n, tokens, h, w),
    /// the mean over all cross-attentions of the U-Net, their heads and three noise levels. At each position the tokens sum
    /// to 1. The noise of row `i` depends on `seed` and `i` alone.
    ///
    /// # Errors
    /// Rows that do not fit; a U-Net without cross-attention.
    pub fn attention_maps(
        &self,
        latents: ArrayView2<'_, f32>,
        contexts: ArrayView2<'_, f32>,
        seed: Seed,
    ) -> Result<Array4<f32>> {
        let unet = self.unet()?;
        let ([channels, height, width], [tokens, features]) = (self.latent_shape(), self.context_shape());
        let n = latents.nrows();
        let length = channels * height * width;
        if latents.ncols() != length || contexts.dim() != (n, tokens * features) {
            return Err(ModelError::Input {
                what: "rows of attention maps",
                expected: format!("n × {length} latents and n × {} contexts", tokens * features),
                got: format!("{:?} and {:?}", latents.dim(), contexts.dim()),
            });
        }
        let names = {
            let mut listing = Taps::listing();
            let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, unet.device());
            let context = zeros(&[1, tokens, features])?;
            let given = Conditioning { context: Some(&context), ..Conditioning::default() };
            unet.forward_with(&zeros(&[1, channels, height, width])?, &[0.0], given, &mut listing)?;
            listing.names().iter().filter(|name| name.ends_with(PLACE)).cloned().collect::<Vec<_>>()
        };
        if names.is_empty() {
            return Err(ModelError::Input {
                what: "attention maps",
                expected: "a U-Net with cross-attention".into(),
                got: "one without".into(),
            });
        }
        let share = 1.0 / (names.len() * AT.len()) as f32;
        let mut maps = Array4::<f32>::zeros((n, tokens, height, width));
        for row in 0..n {
            let context: Vec<f32> = contexts.row(row).to_vec();
            let context = Tensor::from_vec(context, (1, tokens, features), unet.device())?;
            let noise = seed.at(row as u64).normal(length);
            for at in AT {
                let step = (at * self.schedule().config().num_train_timesteps as f64) as usize;
                let (signal, amount) = self.schedule().mix(step);
                let noisy: Vec<f32> = latents
                    .row(row)
                    .iter()
                    .zip(&noise)
                    .map(|(&clean, &noise)| (signal * f64::from(clean) + amount * f64::from(noise)) as f32)
                    .collect();
                let noisy = Tensor::from_vec(noisy, (1, channels, height, width), unet.device())?;
                let mut taps = Taps::wanting(names.clone());
                let given = Conditioning { context: Some(&context), ..Conditioning::default() };
                unet.forward_with(&noisy, &[step as f64], given, &mut taps)?;
                for weights in taps.finish()?.into_values() {
                    let positions = weights.dim(1)?;
                    let values = Array2::from_shape_vec((positions, tokens), to_vec(&weights)?).map_err(|source| {
                        ModelError::Input {
                            what: "attention weights",
                            expected: "positions × tokens".into(),
                            got: source.to_string(),
                        }
                    })?;
                    add(&mut maps.index_axis_mut(ndarray::Axis(0), row), &values, share);
                }
            }
        }
        Ok(maps)
    }
}

/// Adds weights of a coarser or equal grid to maps (tokens, h, w), each cell over all positions that it covers.
fn add(maps: &mut ndarray::ArrayViewMut3<'_, f32>, weights: &Array2<f32>, share: f32) {
    let (_, height, width) = maps.dim();
    // All levels of a U-Net halve both sides, rounding up.
    let mut factor = 1;
    while height.div_ceil(factor) * width.div_ceil(factor) > weights.nrows() {
        factor *= 2;
    }
    let columns = width.div_ceil(factor);
    for ((token, y, x), value) in maps.indexed_iter_mut() {
        *value += share * weights[(y / factor * columns + x / factor, token)];
    }
}
