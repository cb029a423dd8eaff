//! What the U-Net learns from: latents and contexts of drawings, and which of them each step shows it.

use ndarray::{Array2, Axis, s};
use percept_core::{Progress, Seed, seed::Stream};
use percept_models::{DiffusionPack, ModelError};
use percept_synth::drawing::{Drawing, SCENE_SHARE, Size};
use rand::Rng;

use super::drawings::Drawn;
use super::recipe::{Recipe, SHARDS};

/// Made once from the trained autoencoder and text encoder.
pub(super) struct UnetData<'a> {
    pack: &'a DiffusionPack,
    recipe: &'a Recipe,
    /// Of the series of drawings.
    seed: Seed,
    /// n × latent values.
    latents: Array2<f32>,
    /// n × context values: the mean over all captions, as decoding from brain activity uses it.
    contexts: Array2<f32>,
    /// The empty caption's context.
    empty: Vec<f32>,
    /// Rows with a figure.
    figures: Vec<usize>,
    /// Rows with a scene, the large objects first.
    scenes: Vec<usize>,
    n_large: usize,
}

impl<'a> UnetData<'a> {
    /// Encodes the drawings of `recipe`.
    pub(super) fn encode(
        pack: &'a DiffusionPack,
        recipe: &'a Recipe,
        seed: Seed,
        progress: &dyn Progress,
    ) -> Result<Self, ModelError> {
        let n = recipe.unet_drawings;
        progress.begin("encode drawings", n as u64);
        let (mut latents, mut contexts) = (Vec::new(), Vec::new());
        let (mut figures, mut large, mut small) = (Vec::new(), Vec::new(), Vec::new());
        for start in (0..n).step_by(256) {
            let drawn = Drawn::draw_range(seed, start, (start + 256).min(n));
            for (row, drawing) in (start..).zip(drawn.drawings()) {
                match drawing {
                    Drawing::Figure(_) => figures.push(row),
                    Drawing::Scene(scene) if scene.size == Size::Large => large.push(row),
                    Drawing::Scene(_) => small.push(row),
                }
            }
            latents.extend(pack.encode(drawn.pictures().view())?);
            contexts.extend(mean_contexts(pack, &drawn)?);
            progress.advance(drawn.len() as u64);
        }
        progress.end("");
        if figures.is_empty() || large.is_empty() || small.is_empty() {
            return Err(ModelError::Input {
                what: "`unet_drawings`",
                expected: "enough drawings for figures, small and large objects".into(),
                got: n.to_string(),
            });
        }
        let shape = |values: Vec<f32>| {
            let columns = values.len() / n;
            Array2::from_shape_vec((n, columns), values).map_err(|source| ModelError::Input {
                what: "encoded drawings",
                expected: format!("{n} rows"),
                got: source.to_string(),
            })
        };
        let empty = pack.embed_text(&[String::new()])?.into_raw_vec_and_offset().0;
        let n_large = large.len();
        let scenes = [large, small].concat();
        let (latents, contexts) = (shape(latents)?, shape(contexts)?);
        Ok(Self { pack, recipe, seed, latents, contexts, empty, figures, scenes, n_large })
    }

    /// Latents and contexts of one shard of `step`. One row in ten loses its text (for guidance), five keep one caption,
    /// four the mean of all.
    pub(super) fn shard(&self, step: usize, seed: Seed) -> Result<(Array2<f32>, Array2<f32>), ModelError> {
        let mut stream = seed.stream();
        let rows = self.recipe.unet_batch / SHARDS;
        let chosen: Vec<usize> = (0..rows).map(|_| self.choose(step, &mut stream)).collect();
        let latents = self.latents.select(Axis(0), &chosen);
        let mut contexts = self.contexts.select(Axis(0), &chosen);
        let kinds: Vec<u32> = (0..rows).map(|_| stream.random_range(0..10u32)).collect();
        let single: Vec<usize> = (0..rows).filter(|&i| (1..6).contains(&kinds[i])).collect();
        let captions: Vec<String> = single
            .iter()
            .map(|&i| Drawn::one_caption(self.seed, chosen[i], stream.random_range(0..5u32) as usize))
            .collect();
        if !captions.is_empty() {
            let states = self.pack.embed_text(&captions)?;
            for (state, &i) in states.rows().into_iter().zip(&single) {
                contexts.row_mut(i).assign(&state);
            }
        }
        for i in (0..rows).filter(|&i| kinds[i] == 0) {
            contexts.row_mut(i).assign(&ndarray::aview1(&self.empty));
        }
        Ok((latents, contexts))
    }

    /// A row to show.
    fn choose(&self, step: usize, stream: &mut Stream) -> usize {
        let recipe = self.recipe;
        let large = (step as f64) < recipe.unet_large_first * recipe.unet_steps as f64;
        // Drawings as they come need no choice of kind.
        if !large && (recipe.unet_figures - (1.0 - SCENE_SHARE)).abs() < 1e-12 {
            return stream.random_range(0..self.latents.nrows() as u64) as usize;
        }
        let from = match stream.random_bool(recipe.unet_figures) {
            true => &self.figures[..],
            false if large => &self.scenes[..self.n_large],
            false => &self.scenes[..],
        };
        from[stream.random_range(0..from.len() as u64) as usize]
    }
}

/// Contexts averaged over all captions of each drawing, row after row.
fn mean_contexts(pack: &DiffusionPack, drawn: &Drawn) -> Result<Vec<f32>, ModelError> {
    let captions = drawn.all_captions();
    let per = captions.len() / drawn.len();
    let all = pack.embed_text(&captions)?;
    let mut mean = Vec::with_capacity(drawn.len() * all.ncols());
    for i in 0..drawn.len() {
        let rows = all.slice(s![i * per..(i + 1) * per, ..]);
        mean.extend(rows.mean_axis(Axis(0)).into_iter().flatten());
    }
    Ok(mean)
}
