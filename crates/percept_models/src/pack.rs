//! A whole model pack behind plain arrays: pictures to latents and back, captions to context, context to pictures.
//!
//! Pictures are (n, height, width, 3), RGB in 0..=1. Latents are flattened (channels, h, w) and *scaled* (multiplied by
//! the autoencoder's `scaling_factor`, as diffusion sees them); contexts are flattened (tokens, width). Work is cut into
//! batches that run side by side, as many as memory allows; the result of a row depends neither on its batch nor on threads.

mod film;
mod flow;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use candle_core::{Device, Tensor};
use ndarray::{Array2, Array4, ArrayView2, ArrayView4, s};
use percept_core::Seed;

use crate::{
    device::side_by_side,
    error::{ModelError, Result},
    latent::Autoencoder,
    nn::{host::to_rows, params::Params},
    parts::Parts,
    preprocess::{Preprocess, picture_tensor},
    scheduler::{NoiseSchedule, Sampler},
    tap::Taps,
    text::ClipTextModel,
    tokenizer::ClipTokenizer,
    unet::{Conditioning, UNet2DConditionModel, UNetMotionModel, guidance_embedding},
    vision::ClipVisionModel,
    weights::PackFiles,
};

pub use film::{FilmRequest, FilmState, Frames, window_spans};
pub use flow::{Flow, Row};

/// Samples per batch where pictures are involved.
const BATCH: usize = 8;

/// A Stable-Diffusion-shaped model pack: autoencoder, text encoder, U-Net, schedule and, for scores, CLIP's image side.
///
/// Cheap to clone: parts are shared.
#[derive(Clone)]
pub struct DiffusionPack {
    autoencoder: Arc<Autoencoder>,
    unet: Option<Arc<UNet2DConditionModel>>,
    /// The same U-Net with motion modules, where there are some; it shares its weights.
    motion: Option<Arc<UNetMotionModel>>,
    text: Arc<ClipTextModel>,
    tokenizer: Arc<ClipTokenizer>,
    vision: Option<Arc<(ClipVisionModel, Preprocess)>>,
    schedule: NoiseSchedule,
    image_size: usize,
    /// Rows that are worked on at once.
    rows_at_once: usize,
}

/// A request for pictures. All rows share steps, guidance and seed; the noise of row `i` depends only on `seed`,
/// `image_ids[i]` and `sample`, so methods that are compared see the same noise.
pub struct Generation<'a> {
    /// Conditioning contexts, n × (tokens · width).
    pub context: ArrayView2<'a, f32>,
    /// Scaled latents to start from (image to image), n × (channels · h · w); `None` starts from pure noise.
    pub init: Option<ArrayView2<'a, f32>>,
    /// How far to noise `init` before denoising, 0 to 1.
    pub strength: f64,
    /// Steps of the full schedule.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 means none and costs one U-Net pass per step.
    pub guidance: f64,
    /// The root of the noise.
    pub seed: Seed,
    /// Identity of each row's picture.
    pub image_ids: &'a [u64],
    /// Which of several samples of the same pictures.
    pub sample: u64,
}

impl DiffusionPack {
    /// Opens a directory in the diffusers layout. Its weights may also be one file in the original naming (`*.ckpt` or
    /// `*.safetensors`) beside the folders with the configs.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::load(&PackFiles::Directory(dir.to_owned()))
    }

    /// Loads every part from `files`.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn load(files: &PackFiles) -> Result<Self> {
        Self::load_parts(files, true)
    }

    /// As [`Self::open`] for a pack whose U-Net is not trained yet: everything works but generation.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_without_unet(dir: &Path) -> Result<Self> {
        Self::load_parts(&PackFiles::Directory(dir.to_owned()), false)
    }

    fn load_parts(files: &PackFiles, with_unet: bool) -> Result<Self> {
        let mut parts = Parts::new(files)?;
        let autoencoder = Arc::new(parts.vae()?);
        let latent_side = parts.unet_config()?.sample_size.unwrap_or(64);
        let (unet, motion) = if with_unet { parts.unets()? } else { (None, None) };
        let text = Arc::new(parts.text()?);
        let vision = if parts.has_vision() {
            let model = parts.vision()?;
            let preprocess = parts.preprocess(model.config().image_size)?;
            Some(Arc::new((model, preprocess)))
        } else {
            None
        };
        let tokenizer = Arc::new(parts.clip_tokenizer(text.config().max_position_embeddings)?);
        let schedule = parts.schedule()?;
        let image_size = latent_side * autoencoder.downscale();
        let rows_at_once = usize::MAX;
        Ok(Self { autoencoder, unet, motion, text, tokenizer, vision, schedule, image_size, rows_at_once })
    }

    /// The memory that work on one picture takes, in bytes, weights aside: a pass holds about twelve times its largest map, 128
    /// channels at full size, and about as much again for every further thread.
    pub fn bytes_per_picture(&self) -> u64 {
        const COPIES: u64 = 12;
        const CHANNELS: u64 = 128;
        COPIES * CHANNELS * 4 * (self.image_size as u64).pow(2)
    }

    /// The same pack, working on as many pictures at once as `bytes` of memory allow, weights aside. Results do not depend on it.
    ///
    /// # Errors
    /// [`ModelError::Input`] when they do not allow one.
    pub fn within(&self, bytes: u64) -> Result<Self> {
        let one = self.bytes_per_picture();
        if bytes < one {
            return Err(ModelError::Input {
                what: "memory for passes of the models",
                expected: format!("at least {:.1} GB for one picture of {} pixels", one as f64 / 1e9, self.image_size),
                got: format!("{:.1} GB", bytes as f64 / 1e9),
            });
        }
        Ok(Self { rows_at_once: usize::try_from(bytes / one).unwrap_or(usize::MAX), ..self.clone() })
    }

    /// The same pack with a U-Net of the same config whose weights are `tensors`; everything else is shared, but there are no
    /// motion modules.
    ///
    /// # Errors
    /// [`ModelError::File`] for a pack without a U-Net; tensors that do not fit its config, by name.
    pub fn with_unet(&self, tensors: BTreeMap<String, Tensor>, origin: &str) -> Result<Self> {
        let config = self.unet()?.config().clone();
        let params = Params::from_tensors(tensors, origin).on(self.device());
        let unet = UNet2DConditionModel::new(&params, config)?;
        params.expect_all_used()?;
        Ok(Self { unet: Some(Arc::new(unet)), motion: None, ..self.clone() })
    }

    /// The U-Net.
    ///
    /// # Errors
    /// [`ModelError::File`] for a pack that was opened without it.
    pub fn unet(&self) -> Result<&UNet2DConditionModel> {
        self.unet.as_deref().ok_or_else(|| ModelError::File {
            path: "unet/diffusion_pytorch_model.safetensors".into(),
            source: crate::error::no_such_file(),
        })
    }

    /// Where the pack's models live and run.
    pub fn device(&self) -> &Device {
        self.autoencoder.device()
    }

    /// Side of the pack's pictures in pixels.
    pub fn image_size(&self) -> usize {
        self.image_size
    }

    /// (channels, height, width) of a latent.
    pub fn latent_shape(&self) -> [usize; 3] {
        let side = self.image_size / self.autoencoder.downscale();
        [self.autoencoder.latent_channels(), side, side]
    }

    /// (tokens, width) of a context.
    pub fn context_shape(&self) -> [usize; 2] {
        [self.tokenizer.length(), self.text.config().hidden_size]
    }

    /// The noise schedule the U-Net was trained on.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// What a user of the pack's pictures must know.
    pub fn notes(&self) -> Vec<String> {
        let note = |named| {
            format!(
                "the pack names the sampler {named}, which is not built in: DDIM on the same noise schedule stands in for it"
            )
        };
        self.schedule.stands_in_for().map(note).into_iter().collect()
    }

    /// Whether the pack can embed pictures and texts in one space.
    pub fn has_clip(&self) -> bool {
        self.vision.is_some()
    }

    /// Pictures to scaled mean latents, n × (channels · h · w).
    ///
    /// # Errors
    /// Pictures of another size than [`Self::image_size`].
    pub fn encode(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.expect_size(&pictures)?;
        let scale = self.autoencoder.scaling_factor();
        self.batched(pictures.dim().0, |range| {
            let part = pictures.slice(s![range, .., .., ..]);
            let x = picture_tensor(&part, [0.5; 3], [0.5; 3], self.device())?;
            to_rows(&(self.autoencoder.encode(&x)? * scale)?)
        })
    }

    /// Scaled latents, n × (channels · h · w), to pictures.
    ///
    /// # Errors
    /// Rows of another length than a latent has.
    pub fn decode(&self, latents: ArrayView2<'_, f32>) -> Result<Array4<f32>> {
        let latent = self.latent_shape();
        expect_columns("latents", &latents, latent.iter().product())?;
        let rows = self.batched(latents.nrows(), |range| {
            let z = row_tensor(&latents.slice(s![range, ..]), &latent, self.device())?;
            picture_rows(&self.autoencoder.decode(&(z / self.autoencoder.scaling_factor())?)?)
        })?;
        self.to_pictures(rows)
    }

    /// Captions to contexts, n × (tokens · width): the last hidden state of the text encoder.
    ///
    /// # Errors
    /// When a caption cannot be tokenized.
    pub fn embed_text(&self, captions: &[String]) -> Result<Array2<f32>> {
        self.batched(captions.len(), |range| to_rows(&self.text_states(&captions[range])?.last_hidden))
    }

    /// Captions to the space shared with pictures, n × projection, not normalised.
    ///
    /// # Errors
    /// When the pack's text encoder has no projection.
    pub fn clip_text(&self, captions: &[String]) -> Result<Array2<f32>> {
        self.batched(captions.len(), |range| to_rows(&self.text.project(&self.text_states(&captions[range])?.pooled)?))
    }

    /// Pictures to the space shared with captions, n × projection, not normalised. Pictures of another size than the
    /// encoder's are resized and cropped as CLIP does it.
    ///
    /// # Errors
    /// When the pack has no image encoder.
    pub fn clip_image(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        let Some((model, preprocess)) = self.vision.as_deref() else {
            return Err(ModelError::File {
                path: "image_encoder/config.json".into(),
                source: crate::error::no_such_file(),
            });
        };
        self.batched(pictures.dim().0, |range| {
            let part = pictures.slice(s![range, .., .., ..]);
            let x = preprocess.apply(&part, model.config().image_size, model.device())?;
            to_rows(&model.forward(&x)?.embedding)
        })
    }

    /// Pictures from contexts, by the pack's sampler with classifier-free guidance; from pure noise, or from noised latents.
    ///
    /// # Errors
    /// Rows that do not fit the pack or each other, a strength outside 0..=1.
    pub fn generate(&self, request: &Generation<'_>) -> Result<Array4<f32>> {
        let latents = self.generate_latents(request)?;
        self.decode(latents.view())
    }

    /// As [`Self::generate`], but without the last decoding: scaled latents, n × (channels · h · w).
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_latents(&self, request: &Generation<'_>) -> Result<Array2<f32>> {
        let n = self.expect_rows(request)?;
        let unet = self.unet()?;
        let sampler = Sampler::new(self.schedule.clone(), request.steps)?;
        let first = first_step(&sampler, request);
        // A model that takes the guidance as an input needs no second pass.
        let embedded = unet.config().time_cond_proj_dim;
        let is_guided = embedded.is_none() && (request.guidance - 1.0).abs() > 1e-9;
        let empty = if is_guided { Some(self.text_states(&[String::new()])?.last_hidden.detach()) } else { None };
        self.batched(n, |range| {
            let rows = range.len();
            let ids = &request.image_ids[range.clone()];
            let x = self.start(&sampler, request, range.clone())?;
            let context = row_tensor(&request.context.slice(s![range, ..]), &self.context_shape(), self.device())?;
            let both = match &empty {
                Some(empty) => Some(Tensor::cat(&[&empty.broadcast_as(context.shape())?.contiguous()?, &context], 0)?),
                None => None,
            };
            let output = |input: &Tensor, step: f64| -> Result<Tensor> {
                if let Some(both) = &both {
                    let doubled = Tensor::cat(&[input, input], 0)?;
                    return guided(&unet.forward(&doubled, &vec![step; 2 * rows], both)?, request.guidance);
                }
                let scales = vec![request.guidance; rows];
                let guidance = embedded.map(|width| guidance_embedding(&scales, width, self.device())).transpose()?;
                let given = Conditioning { context: Some(&context), guidance: guidance.as_ref(), class: None };
                unet.forward_with(input, &vec![step; rows], given, &mut Taps::none())
            };
            let noise = |i: usize| self.noise(request.seed.named("step noise").at(i as u64), request.sample, ids);
            let x = sampler.run(first, x, output, noise)?;
            to_rows(&x)
        })
    }

    /// What [`Self::generate`] starts from: noised latents, n × (channels · h · w), as the first step of the sampler sees them.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn start_latents(&self, request: &Generation<'_>) -> Result<Array2<f32>> {
        let n = self.expect_rows(request)?;
        let sampler = Sampler::new(self.schedule.clone(), request.steps)?;
        self.batched(n, |range| to_rows(&self.start(&sampler, request, range)?))
    }

    /// Noised latents of some rows.
    fn start(&self, sampler: &Sampler, request: &Generation<'_>, range: std::ops::Range<usize>) -> Result<Tensor> {
        let noise = self.noise(request.seed.named("noise"), request.sample, &request.image_ids[range.clone()])?;
        let Some(init) = &request.init else { return Ok((noise * sampler.first_noise())?) };
        let init = row_tensor(&init.slice(s![range, ..]), &self.latent_shape(), self.device())?;
        let first = first_step(sampler, request);
        if first >= sampler.steps().len() {
            return Ok(init);
        }
        let (signal, amount) = sampler.mix(first);
        Ok(((init * signal)? + (noise * amount)?)?)
    }

    /// Noise for each picture, which depends on the seed, the picture and the sample only.
    fn noise(&self, seed: Seed, sample: u64, ids: &[u64]) -> Result<Tensor> {
        let latent = self.latent_shape();
        let n = latent.iter().product();
        let noise: Vec<f32> = ids.iter().flat_map(|&id| seed.at(id).at(sample).normal(n)).collect();
        Ok(Tensor::from_vec(noise, &[ids.len(), latent[0], latent[1], latent[2]][..], self.device())?)
    }

    /// The number of rows of a request that fits the pack and itself.
    fn expect_rows(&self, request: &Generation<'_>) -> Result<usize> {
        let n = request.context.nrows();
        expect_columns("context", &request.context, self.context_shape().iter().product())?;
        if let Some(init) = &request.init {
            expect_columns("initial latents", init, self.latent_shape().iter().product())?;
        }
        let init_rows = request.init.map_or(n, |init| init.nrows());
        if init_rows != n || request.image_ids.len() != n {
            return Err(ModelError::Input {
                what: "rows of a generation",
                expected: format!("{n} initial latents and picture ids, one per context"),
                got: format!("{init_rows} and {}", request.image_ids.len()),
            });
        }
        if !(0.0..=1.0).contains(&request.strength) {
            return Err(ModelError::Input {
                what: "strength",
                expected: "0 to 1".into(),
                got: request.strength.to_string(),
            });
        }
        Ok(n)
    }

    fn text_states(&self, captions: &[String]) -> Result<crate::text::TextStates> {
        let ids = captions.iter().map(|caption| self.tokenizer.encode(caption)).collect::<Result<Vec<_>>>()?;
        self.text.forward(&ids)
    }

    /// Runs `work` over `0..n` in batches, side by side on the CPU where memory allows, and stacks the rows in order.
    fn batched(
        &self,
        n: usize,
        work: impl Fn(std::ops::Range<usize>) -> Result<Array2<f32>> + Sync,
    ) -> Result<Array2<f32>> {
        let batch = BATCH.min(self.rows_at_once);
        let range = |i: usize| i * batch..((i + 1) * batch).min(n);
        let n_batches = n.div_ceil(batch);
        let together = (self.rows_at_once / batch).max(1);
        let mut parts = Vec::with_capacity(n_batches);
        for first in (0..n_batches).step_by(together) {
            let some = together.min(n_batches - first);
            parts.extend(side_by_side(self.device(), some, |i| work(range(first + i)))?);
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(ndarray::Axis(0), &views).map_err(|source| ModelError::Input {
            what: "batch",
            expected: "at least one row".into(),
            got: source.to_string(),
        })
    }

    fn to_pictures(&self, rows: Array2<f32>) -> Result<Array4<f32>> {
        let (n, side) = (rows.nrows(), self.image_size);
        rows.into_shape_with_order((n, side, side, 3)).map_err(|source| ModelError::Input {
            what: "decoded picture",
            expected: format!("{side}×{side}×3 values"),
            got: source.to_string(),
        })
    }

    fn expect_size(&self, pictures: &ArrayView4<'_, f32>) -> Result<()> {
        let (_, height, width, channels) = pictures.dim();
        if (height, width, channels) == (self.image_size, self.image_size, 3) {
            return Ok(());
        }
        Err(ModelError::Input {
            what: "pictures",
            expected: format!("(n, {0}, {0}, 3)", self.image_size),
            got: format!("{:?}", pictures.dim()),
        })
    }
}

/// Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): of a pass over rows without their condition and the same
/// rows with it, the first plus `scale` times the difference.
pub(crate) fn guided(both: &Tensor, scale: f64) -> Result<Tensor> {
    let rows = both.dim(0)? / 2;
    let (free, bound) = (both.narrow(0, 0, rows)?, both.narrow(0, rows, rows)?);
    Ok((&free + ((bound - &free)? * scale)?)?)
}

/// The step at which a request begins.
fn first_step(sampler: &Sampler, request: &Generation<'_>) -> usize {
    if request.init.is_some() { sampler.start(request.strength) } else { 0 }
}

fn expect_columns(what: &'static str, rows: &ArrayView2<'_, f32>, columns: usize) -> Result<()> {
    if rows.ncols() == columns {
        return Ok(());
    }
    Err(ModelError::Input { what, expected: format!("{columns} columns"), got: rows.ncols().to_string() })
}

/// Rows n × product(shape) → tensor (n, shape…).
pub(crate) fn row_tensor(rows: &ArrayView2<'_, f32>, shape: &[usize], device: &Device) -> Result<Tensor> {
    let mut full = vec![rows.nrows()];
    full.extend_from_slice(shape);
    Ok(Tensor::from_vec(rows.iter().copied().collect::<Vec<_>>(), full, device)?)
}

/// A tensor (n, 3, H, W) in −1..=1 → rows n × (H·W·3) in 0..=1, clamped.
pub(crate) fn picture_rows(tensor: &Tensor) -> Result<Array2<f32>> {
    to_rows(&((tensor.permute((0, 2, 3, 1))? * 0.5)? + 0.5)?.clamp(0.0, 1.0)?.contiguous()?)
}
