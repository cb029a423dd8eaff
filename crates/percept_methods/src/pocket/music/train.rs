//! The training of the pocket pack of music, part by part, each resumable.

use std::path::Path;

use ndarray::{Array2, ArrayView1, s};
use percept_core::{Progress, Seed};
use percept_io::lock;
use percept_models::{
    ModelError,
    autoencoder::AutoencoderConfig,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    sound::{clap::ClapModel, hearing::ClapHearing, hifigan::HifiGanConfig},
    tokenizer::TextTokenizer,
    train::{
        AdamW, ClapTask, Condition, DiffusionTask, MelTask, Schedule, VocoderTask, begun_at, begun_clap, begun_vocoder,
        is_of_clap, is_statistic, mel_latents, normalise_mel_latents, run,
    },
    unet::UnetConfig,
    weights::{Tensors as Weights, read_tensors, write_tensors},
};
use percept_synth::tunes::tune_vocabulary;
use rand::Rng;
use rayon::prelude::*;

use super::configs::{self, CLAP_SECS, FRAMES, LATENT, WIDTH};
use super::recipe::MusicRecipe;
use super::sounds::{self, Piece};
use crate::disk::{read, write};
use crate::pocket::recipe::{SHARDS, work};

/// A part of the pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MusicPart {
    /// Sounds and texts in one space.
    Clap,
    /// Mel spectrograms to latents and back.
    Autoencoder,
    /// Mel spectrograms to sound.
    Vocoder,
    /// The denoising U-Net.
    Unet,
}

impl MusicPart {
    /// All parts in the order of training.
    pub const ALL: [Self; 4] = [Self::Clap, Self::Autoencoder, Self::Vocoder, Self::Unet];
}

/// Where each part's weights lie.
pub(super) const CLAP: &str = "text_encoder/model.safetensors";
pub(super) const VAE: &str = "vae/diffusion_pytorch_model.safetensors";
const VOCODER: &str = "vocoder/model.safetensors";
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Pieces with captions in each step of CLAP.
const CLAP_BATCH: usize = 48;
/// Pieces in each step of the U-Net.
const BATCH: usize = 32;
/// Of the pieces that the U-Net learns from, how many it is shown without their vector, so that guidance has something to lead away from.
const WITHOUT_VECTOR: f32 = 0.1;
/// Of the other pieces, how many are shown under the vector of their caption.
const BY_CAPTION: f32 = 0.2;

/// Trains `parts` into the pack at `out`, going on wherever an earlier call stopped.
///
/// # Errors
/// Files that cannot be written; a part whose predecessor is missing; a loss that is no number.
pub fn train(out: &Path, parts: &[MusicPart], recipe: &MusicRecipe, progress: &dyn Progress) -> Result<(), ModelError> {
    let refused = |error: percept_io::Error| ModelError::File {
        path: out.into(),
        source: std::io::Error::other(error.to_string()),
    };
    let _lock =
        lock::lock(out, lock::NAME, || crate::reconstruct::say_that_it_waits(out, progress)).map_err(refused)?;
    write_settings(out)?;
    let seed = Seed::new(recipe.seed).named("music");
    for part in MusicPart::ALL {
        if parts.contains(&part) {
            match part {
                MusicPart::Clap => train_clap(out, recipe, seed, progress)?,
                MusicPart::Autoencoder => train_autoencoder(out, recipe, seed, progress)?,
                MusicPart::Vocoder => train_vocoder(out, recipe, seed, progress)?,
                MusicPart::Unet => train_unet(out, recipe, seed, progress)?,
            }
        }
    }
    Ok(())
}

/// Writes every config and the tokenizer.
fn write_settings(out: &Path) -> Result<(), ModelError> {
    let words = tune_vocabulary();
    for (name, content) in [
        ("model_index.json", configs::MODEL_INDEX.to_owned()),
        ("vae/config.json", configs::VAE.to_owned()),
        ("unet/config.json", configs::UNET.to_owned()),
        ("vocoder/config.json", configs::VOCODER.to_owned()),
        ("scheduler/scheduler_config.json", configs::SCHEDULER.to_owned()),
        ("feature_extractor/preprocessor_config.json", configs::HEARING.to_owned()),
        ("text_encoder/config.json", configs::clap(configs::n_tokens(&words))),
        ("tokenizer/tokenizer.json", configs::tokenizer(&words)),
    ] {
        write(&out.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// Settings that all parts share.
fn schedule(steps: usize, learning_rate: f64, optimiser: AdamW) -> Schedule {
    Schedule { steps, warmup: 100.min(steps / 5), learning_rate, floor: 0.02, optimiser, log_every: 25, save_every: 50 }
}

/// CLAP's config, what it hears, and its tokenizer.
pub(super) fn clap_settings() -> Result<(String, ClapHearing, TextTokenizer), ModelError> {
    let words = tune_vocabulary();
    let config = configs::clap(configs::n_tokens(&words));
    Ok((config, ClapHearing::parse(configs::HEARING)?, TextTokenizer::new(&configs::tokenizer(&words), 32)?))
}

fn train_clap(out: &Path, recipe: &MusicRecipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let (config, hearing, tokenizer) = clap_settings()?;
    let sample: Vec<Vec<f32>> =
        Piece::several(seed.named("clap.sample"), 64).iter().map(|piece| piece.sound(CLAP_SECS)).collect();
    let begin = begun_clap(&config, &hearing, &sample, seed.named("clap.init"))?;
    let params = training(begin.clone(), "the beginning of CLAP");
    let task = ClapTask::new(params, &config, &hearing, &tokenizer, SHARDS, |_, seed| {
        let pieces = Piece::several(seed, CLAP_BATCH / SHARDS);
        let heard = |(row, piece): (usize, &Piece)| sounds::recorded(piece.sound(CLAP_SECS), seed.at(row as u64));
        let sounds = pieces.par_iter().enumerate().map(heard).collect();
        (sounds, pieces.iter().map(Piece::caption).collect())
    })?;
    let optimiser = AdamW { beta2: 0.98, weight_decay: 0.05, ema: 0.98, ..AdamW::default() };
    let trained = run(&task, &schedule(recipe.clap_steps, 1.5e-3, optimiser), seed, &work(out), progress)?;
    let mut weights = with_statistics(begin, trained);
    weights.retain(|name, _| is_of_clap(name));
    write(&out.join(CLAP), &write_tensors(&weights, true)?)
}

/// Parameters of which all but statistics train.
fn training(begin: Weights, origin: &str) -> Params {
    Params::from_tensors_training(begin, origin, |name| !is_statistic(name))
}

/// What was trained, with the statistics that it began with.
fn with_statistics(begin: Weights, trained: Weights) -> Weights {
    let mut weights: Weights = begin.into_iter().filter(|(name, _)| is_statistic(name)).collect();
    weights.extend(trained);
    weights
}

fn train_autoencoder(out: &Path, recipe: &MusicRecipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let config = AutoencoderConfig::parse(configs::VAE)?;
    let mel = sounds::mel()?;
    let (_, [mean, deviation]) = sounds::statistics(&mel, seed.named("autoencoder.sample"));
    let begin = begun_at(&config, mean, deviation, seed.named("autoencoder.init"))?;
    let params = Params::from_tensors_training(begin, "the beginning of the autoencoder", |_| true);
    let crops_until = recipe.autoencoder_steps * 8 / 10;
    let task = MelTask::new(params, config.clone(), SHARDS, 1e-4, |step, seed| {
        // Whole pieces at the end: norms are over all that is shown.
        if step < crops_until { sounds::crops(&mel, 8, 64, seed) } else { sounds::crops(&mel, 2, FRAMES, seed) }
    })?;
    let optimiser = AdamW { ema: 0.998, weight_decay: 0.0, ..AdamW::default() };
    let mut weights = run(&task, &schedule(recipe.autoencoder_steps, 2e-3, optimiser), seed, &work(out), progress)?;
    let sample = sounds::crops(&mel, 128, FRAMES, seed.named("autoencoder.normalise"));
    normalise_mel_latents(&mut weights, &config, sample.view())?;
    write(&out.join(VAE), &write_tensors(&weights, true)?)
}

fn train_vocoder(out: &Path, recipe: &MusicRecipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let config = HifiGanConfig::parse(configs::VOCODER)?;
    let mel = sounds::mel()?;
    let (of_mels, _) = sounds::statistics(&mel, seed.named("vocoder.sample"));
    let begin = begun_vocoder(&config, &of_mels, seed.named("vocoder.init"))?;
    let params = training(begin.clone(), "the beginning of the vocoder");
    let task = VocoderTask::new(params, config, &configs::mel(), SHARDS, |_, seed| sounds::sounds(&mel, 4, 32, seed))?;
    let optimiser = AdamW { beta2: 0.98, ema: 0.99, weight_decay: 0.0, ..AdamW::default() };
    let trained = run(&task, &schedule(recipe.vocoder_steps, 2e-3, optimiser), seed, &work(out), progress)?;
    write(&out.join(VOCODER), &write_tensors(&with_statistics(begin, trained), true)?)
}

fn train_unet(out: &Path, recipe: &MusicRecipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let data = Encoded::make(out, recipe.unet_pieces, seed.named("unet.pieces"), progress)?;
    let config = UnetConfig::parse(configs::UNET)?;
    let noise = NoiseSchedule::new(SchedulerConfig::parse(configs::SCHEDULER)?);
    let params = Params::random(seed.named("unet.init"));
    let shapes = (LATENT, Condition::Class(WIDTH));
    let task = DiffusionTask::new(params, config, noise, shapes, SHARDS, |_, seed| Ok(data.shard(seed)))?
        .on(format!("{} pieces of music", recipe.unet_pieces));
    let optimiser = AdamW { ema: 0.998, ..AdamW::default() };
    let weights = run(&task, &schedule(recipe.unet_steps, 1e-3, optimiser), seed, &work(out), progress)?;
    write(&out.join(UNET), &write_tensors(&weights, true)?)
}

/// What the U-Net learns from.
struct Encoded {
    /// Pieces × all of a latent.
    latents: Array2<f32>,
    /// Pieces × width: the vectors of their sounds.
    heard: Array2<f32>,
    /// Pieces × width: those of a caption.
    read: Array2<f32>,
    /// The vector of the empty text.
    nothing: Array2<f32>,
}

/// Pieces encoded at once: what bounds the memory.
const AT_ONCE: usize = 256;

impl Encoded {
    fn make(out: &Path, n: usize, seed: Seed, progress: &dyn Progress) -> Result<Self, ModelError> {
        let (config, hearing, tokenizer) = clap_settings()?;
        let tensors = |name: &str| read_tensors(&read(&out.join(name))?, &out.join(name));
        let clap = ClapModel::new(tensors(CLAP)?, &config, CLAP)?;
        let (vae, autoencoder) = (tensors(VAE)?, AutoencoderConfig::parse(configs::VAE)?);
        let mel = sounds::mel()?;
        let (mut latents, mut heard, mut read) = (Vec::new(), Vec::new(), Vec::new());
        progress.begin("encode pieces", n as u64);
        for from in (0..n).step_by(AT_ONCE) {
            let pieces: Vec<Piece> =
                (from..n.min(from + AT_ONCE)).map(|piece| Piece::random(seed.at(piece as u64))).collect();
            let waves: Vec<Vec<f32>> = pieces.par_iter().map(Piece::whole).collect();
            let mels: Vec<Array2<f32>> = waves.par_iter().map(|wave| sounds::spectrogram(&mel, wave)).collect();
            let mels = sounds::stacked(&mels, FRAMES);
            latents.push(mel_latents(&vae, &autoencoder, mels.view())?);
            heard.push(clap.embed_sounds(&hearing, &waves)?);
            let captions: Vec<String> = pieces.iter().map(Piece::caption).collect();
            read.push(clap.embed_texts(&tokenizer, &captions)?);
            progress.advance(pieces.len() as u64);
        }
        progress.end("");
        let one = |parts: &[Array2<f32>]| {
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            ndarray::concatenate(ndarray::Axis(0), &views).unwrap_or_default()
        };
        let nothing = clap.embed_texts(&tokenizer, &[String::new()])?;
        Ok(Self { latents: one(&latents), heard: one(&heard), read: one(&read), nothing })
    }

    /// Latents and vectors of one shard of a step's batch.
    fn shard(&self, seed: Seed) -> (Array2<f32>, Array2<f32>) {
        let mut stream = seed.stream();
        let mut latents = Array2::zeros((BATCH / SHARDS, self.latents.ncols()));
        let mut vectors = Array2::zeros((BATCH / SHARDS, WIDTH));
        for row in 0..BATCH / SHARDS {
            let piece = stream.random_range(0..self.latents.nrows() as u64) as usize;
            let (without, by_caption) = (stream.random::<f32>(), stream.random::<f32>());
            let vector: ArrayView1<'_, f32> = if without < WITHOUT_VECTOR {
                self.nothing.row(0)
            } else if by_caption < BY_CAPTION {
                self.read.row(piece)
            } else {
                self.heard.row(piece)
            };
            latents.slice_mut(s![row, ..]).assign(&self.latents.row(piece));
            vectors.slice_mut(s![row, ..]).assign(&vector);
        }
        (latents, vectors)
    }
}
