//! How the pocket pack is made: configurations, data and schedules, from a seed to a directory in the diffusers layout.
//!
//! Parts are trained in this order, each resumable: the judge (a classifier that is no part of the pack), the
//! autoencoder, its decoder once more, CLIP (text and image encoder), and the U-Net, which needs the autoencoder's latents and the text
//! encoder's states. [`score`] then says what the pack can do on drawings that it never saw.

mod configs;
mod drawings;
mod score;
mod vocabulary;

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use percept_core::{Progress, Seed};
use percept_models::{
    DiffusionPack, ModelError,
    autoencoder::AutoencoderConfig,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    text::TextConfig,
    tokenizer::ClipTokenizer,
    train::{
        AdamW, AutoencoderTask, ClassifierTask, ClipTask, DiffusionTask, PictureClassifier, Schedule, is_decoding,
        normalise_latents, run,
    },
    unet::UnetConfig,
    vision::VisionConfig,
    weights::{PackFiles, read_tensors, write_tensors},
};

pub use score::{PocketScores, score};

use drawings::{Drawn, JUDGE_CLASSES};

/// Shards of every batch: fixed, so that results do not depend on the number of threads.
const SHARDS: usize = 4;

/// A part of the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The classifier that names what a drawing shows.
    Judge,
    /// Pictures to latents and back.
    Autoencoder,
    /// Latents to pictures, sharpened; latents stay as they are.
    Decoder,
    /// Text and image encoder.
    Clip,
    /// The denoising U-Net.
    Unet,
}

impl Part {
    /// All parts in the order of training.
    pub const ALL: [Self; 5] = [Self::Judge, Self::Autoencoder, Self::Decoder, Self::Clip, Self::Unet];

    /// The part's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Autoencoder => "autoencoder",
            Self::Decoder => "decoder",
            Self::Clip => "clip",
            Self::Unet => "unet",
        }
    }
}

/// How long each part trains, and from which seed.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The root of all randomness.
    pub seed: u64,
    /// Steps of the judge.
    pub judge_steps: usize,
    /// Steps of the autoencoder; the first 6/10 see 32×32 crops.
    pub autoencoder_steps: usize,
    /// Steps of its decoder alone, afterwards.
    pub decoder_steps: usize,
    /// Steps of CLIP.
    pub clip_steps: usize,
    /// Steps of the U-Net.
    pub unet_steps: usize,
    /// Drawings whose latents and contexts the U-Net learns from.
    pub unet_drawings: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            judge_steps: 1_500,
            autoencoder_steps: 6_000,
            decoder_steps: 8_000,
            clip_steps: 1_200,
            unet_steps: 7_500,
            unet_drawings: 24_000,
        }
    }
}

/// Where the training keeps what it needs to go on; not part of the pack.
fn work(out: &Path) -> PathBuf {
    out.join("training")
}

pub(crate) fn file_error(path: &Path, source: percept_io::Error) -> ModelError {
    ModelError::File { path: path.to_owned(), source: std::io::Error::other(source) }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    percept_io::fs::write_bytes(path, bytes).map_err(|source| file_error(path, source))
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    percept_io::fs::read_to_limit(path, 1 << 32).map_err(|source| file_error(path, source))
}

/// Trains `parts` into the pack at `out`, going on wherever an earlier call stopped.
///
/// # Errors
/// Files that cannot be written; a part whose predecessor is missing; a loss that is no number.
pub fn train(out: &Path, parts: &[Part], recipe: &Recipe, progress: &dyn Progress) -> Result<(), ModelError> {
    configs::write_all(out, &vocabulary::learn(&percept_synth::drawing::vocabulary()))?;
    let seed = Seed::new(recipe.seed);
    for part in Part::ALL {
        if parts.contains(&part) {
            match part {
                Part::Judge => train_judge(out, recipe, seed, progress)?,
                Part::Autoencoder => train_autoencoder(out, recipe, seed, progress)?,
                Part::Decoder => train_decoder(out, recipe, seed, progress)?,
                Part::Clip => train_clip(out, recipe, seed, progress)?,
                Part::Unet => train_unet(out, recipe, seed, progress)?,
            }
        }
    }
    Ok(())
}

fn train_judge(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let task = ClassifierTask::new(Params::random(seed.named("judge.init")), &JUDGE_CLASSES, SHARDS, |_, seed| {
        let drawn = Drawn::draw(seed, 16);
        (drawings::blurred(drawn.pictures(), seed), drawn.labels())
    })?;
    let schedule = Schedule {
        steps: recipe.judge_steps,
        warmup: 100,
        learning_rate: 2e-3,
        floor: 0.01,
        optimiser: AdamW { ema: 0.995, ..AdamW::default() },
        log_every: 50,
        save_every: 250,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&work(out).join("judge.safetensors"), &write_tensors(&weights, true)?)
}

/// The trained judge.
///
/// # Errors
/// When it is not there yet.
pub fn load_judge(out: &Path) -> Result<PictureClassifier, ModelError> {
    let path = work(out).join("judge.safetensors");
    let params = Params::from_tensors(read_tensors(&read(&path)?, &path)?, format!("`{}`", path.display()));
    PictureClassifier::new(&params, &JUDGE_CLASSES)
}

fn train_autoencoder(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let config = AutoencoderConfig::parse(configs::VAE)?;
    let crops_until = recipe.autoencoder_steps * 6 / 10;
    let params = Params::random(seed.named("autoencoder.init"));
    let task = AutoencoderTask::new(params, config.clone(), SHARDS, 1e-4, |step, seed| {
        if step < crops_until {
            drawings::crops(Drawn::draw(seed, 16).pictures(), 32, seed)
        } else {
            Drawn::draw(seed, 6).pictures()
        }
    })?;
    let schedule = Schedule {
        steps: recipe.autoencoder_steps,
        warmup: 200,
        learning_rate: 2e-3,
        floor: 0.02,
        optimiser: AdamW { ema: 0.998, weight_decay: 0.0, ..AdamW::default() },
        log_every: 100,
        save_every: 250,
    };
    let mut weights = run(&task, &schedule, seed, &work(out), progress)?;
    let sample = Drawn::draw(seed.named("autoencoder.normalise"), 512).pictures();
    normalise_latents(&mut weights, &config, &sample)?;
    write(&out.join("vae/diffusion_pytorch_model.safetensors"), &write_tensors(&weights, true)?)
}

fn train_decoder(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let path = out.join("vae/diffusion_pytorch_model.safetensors");
    let mut weights = read_tensors(&read(&path)?, &path)?;
    let params = Params::from_tensors_training(weights.clone(), format!("`{}`", path.display()), is_decoding);
    let config = AutoencoderConfig::parse(configs::VAE)?;
    let task = AutoencoderTask::sharpening(params, config, SHARDS, |_, seed| Drawn::draw(seed, 6).pictures())?;
    let schedule = Schedule {
        steps: recipe.decoder_steps,
        warmup: 100,
        learning_rate: 1e-3,
        floor: 0.02,
        optimiser: AdamW { ema: 0.998, weight_decay: 0.0, ..AdamW::default() },
        log_every: 100,
        save_every: 250,
    };
    // The encoding side stays bit for bit what it was, so latents made before stay true.
    weights.extend(run(&task, &schedule, seed, &work(out), progress)?);
    write(&path, &write_tensors(&weights, true)?)
}

fn tokenizer(out: &Path) -> Result<ClipTokenizer, ModelError> {
    let files = PackFiles::Directory(out.to_owned());
    let (vocab, merges) = (files.read_text("tokenizer/vocab.json")?, files.read_text("tokenizer/merges.txt")?);
    ClipTokenizer::new(&vocab, &merges, configs::TOKENS, "<|endoftext|>")
}

fn train_clip(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let files = PackFiles::Directory(out.to_owned());
    let text = TextConfig::parse(&files.read_text("text_encoder/config.json")?)?;
    let vision = VisionConfig::parse(configs::VISION)?;
    let tokenizer = tokenizer(out)?;
    let full_length_from = recipe.clip_steps * 9 / 10;
    let params = Params::random(seed.named("clip.init"));
    let task = ClipTask::new(params, (text, vision), &tokenizer, SHARDS, (28, full_length_from), |_, seed| {
        let drawn = Drawn::contrasts(seed, 48);
        (drawn.pictures(), drawn.captions(seed))
    })?;
    let schedule = Schedule {
        steps: recipe.clip_steps,
        warmup: 100,
        learning_rate: 1.5e-3,
        floor: 0.01,
        optimiser: AdamW { beta2: 0.98, weight_decay: 0.05, ema: 0.99, ..AdamW::default() },
        log_every: 50,
        save_every: 100,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    for (prefix, folder) in [("text.", "text_encoder"), ("vision.", "image_encoder")] {
        let part = weights
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())))
            .collect();
        write(&out.join(folder).join("model.safetensors"), &write_tensors(&part, true)?)?;
    }
    Ok(())
}

/// What the U-Net learns from, made once from the trained autoencoder and text encoder.
struct UnetData {
    /// n × latent values.
    latents: Array2<f32>,
    /// n × context values: the mean over all captions, as decoding from brain activity uses it.
    contexts: Array2<f32>,
    /// The empty caption's context.
    empty: Vec<f32>,
}

fn unet_data(
    pack: &DiffusionPack,
    recipe: &Recipe,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<UnetData, ModelError> {
    let n = recipe.unet_drawings;
    progress.begin("encode drawings", n as u64);
    let (mut latents, mut contexts) = (Vec::new(), Vec::new());
    let seed = seed.named("unet.drawings");
    for start in (0..n).step_by(256) {
        let drawn = Drawn::draw_range(seed, start, (start + 256).min(n));
        latents.extend(pack.encode(drawn.pictures().view())?);
        contexts.extend(mean_contexts(pack, &drawn)?);
        progress.advance(drawn.len() as u64);
    }
    progress.end("");
    let shape = |values: Vec<f32>| {
        let columns = values.len() / n;
        Array2::from_shape_vec((n, columns), values).map_err(|source| ModelError::Input {
            what: "encoded drawings",
            expected: format!("{n} rows"),
            got: source.to_string(),
        })
    };
    let empty = pack.embed_text(&[String::new()])?.into_raw_vec_and_offset().0;
    Ok(UnetData { latents: shape(latents)?, contexts: shape(contexts)?, empty })
}

/// Contexts averaged over all captions of each drawing, row after row.
fn mean_contexts(pack: &DiffusionPack, drawn: &Drawn) -> Result<Vec<f32>, ModelError> {
    let captions = drawn.all_captions();
    let per = captions.len() / drawn.len();
    let all = pack.embed_text(&captions)?;
    let mut mean = Vec::with_capacity(drawn.len() * all.ncols());
    for i in 0..drawn.len() {
        let rows = all.slice(s![i * per..(i + 1) * per, ..]);
        mean.extend(rows.mean_axis(ndarray::Axis(0)).into_iter().flatten());
    }
    Ok(mean)
}

fn train_unet(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let pack = DiffusionPack::open_without_unet(out)?;
    let data = unet_data(&pack, recipe, seed, progress)?;
    let config = UnetConfig::parse(configs::UNET)?;
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(configs::SCHEDULER)?);
    let (latent, context) = (pack.latent_shape(), pack.context_shape());
    let params = Params::random(seed.named("unet.init"));
    let drawings_seed = seed.named("unet.drawings");
    let task = DiffusionTask::new(params, config, schedule, (latent, context), SHARDS, |_, seed| {
        use rand::Rng;
        let mut stream = seed.stream();
        let rows = 12;
        let chosen: Vec<usize> =
            (0..rows).map(|_| stream.random_range(0..data.latents.nrows() as u64) as usize).collect();
        let latents = data.latents.select(ndarray::Axis(0), &chosen);
        let mut contexts = data.contexts.select(ndarray::Axis(0), &chosen);
        // One in ten rows loses its text (for guidance), five keep one caption, four the mean of all.
        let kinds: Vec<u32> = (0..rows).map(|_| stream.random_range(0..10u32)).collect();
        let single: Vec<usize> = (0..rows).filter(|&i| (1..6).contains(&kinds[i])).collect();
        let captions: Vec<String> = single
            .iter()
            .map(|&i| Drawn::one_caption(drawings_seed, chosen[i], stream.random_range(0..5u32) as usize))
            .collect();
        if !captions.is_empty() {
            let states = pack.embed_text(&captions)?;
            for (state, &i) in states.rows().into_iter().zip(&single) {
                contexts.row_mut(i).assign(&state);
            }
        }
        for i in (0..rows).filter(|&i| kinds[i] == 0) {
            contexts.row_mut(i).assign(&ndarray::aview1(&data.empty));
        }
        Ok((latents, contexts))
    })?;
    let schedule = Schedule {
        steps: recipe.unet_steps,
        warmup: 200,
        learning_rate: 1e-3,
        floor: 0.02,
        optimiser: AdamW { ema: 0.999, ..AdamW::default() },
        log_every: 100,
        save_every: 250,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&out.join("unet/diffusion_pytorch_model.safetensors"), &write_tensors(&weights, true)?)
}
