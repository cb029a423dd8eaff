//! The training of the pocket pack, part by part, each resumable.

use std::path::Path;

use percept_core::{Progress, Seed};
use percept_io::lock;
use percept_models::{
    DiffusionPack, ModelError,
    autoencoder::AutoencoderConfig,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    text::TextConfig,
    tokenizer::ClipTokenizer,
    train::{
        AdamW, AutoencoderTask, ClipTask, Condition, DiffusionTask, Schedule, is_decoding, normalise_latents, run,
    },
    unet::UnetConfig,
    vision::VisionConfig,
    weights::{PackFiles, read_tensors, write_tensors},
};

use super::drawings::{self, Drawn};
use super::recipe::{Recipe, SHARDS, work};
use super::unet_data::UnetData;
use super::{captioner, configs, files, judge, language, vocabulary};
use crate::disk::{read, write};

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
    /// Captions of pictures.
    Captioner,
    /// The language model.
    Language,
}

impl Part {
    /// All parts in the order of training.
    pub const ALL: [Self; 7] =
        [Self::Judge, Self::Autoencoder, Self::Decoder, Self::Clip, Self::Unet, Self::Captioner, Self::Language];

    /// The part's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Autoencoder => "autoencoder",
            Self::Decoder => "decoder",
            Self::Clip => "clip",
            Self::Unet => "unet",
            Self::Captioner => "captioner",
            Self::Language => "language",
        }
    }
}

/// Trains `parts` into the pack at `out`, going on wherever an earlier call stopped.
///
/// # Errors
/// Files that cannot be written; a part whose predecessor is missing; a loss that is no number.
pub fn train(out: &Path, parts: &[Part], recipe: &Recipe, progress: &dyn Progress) -> Result<(), ModelError> {
    recipe.check()?;
    let refused = |error: percept_io::Error| ModelError::File {
        path: out.into(),
        source: std::io::Error::other(error.to_string()),
    };
    let _lock =
        lock::lock(out, lock::NAME, || crate::reconstruct::say_that_it_waits(out, progress)).map_err(refused)?;
    files::write_all(out, recipe, &vocabulary::learn(&percept_synth::drawing::vocabulary()))?;
    if parts.contains(&Part::Captioner) {
        captioner::write_settings(out)?;
    }
    let seed = Seed::new(recipe.seed);
    for part in Part::ALL {
        if parts.contains(&part) {
            match part {
                Part::Judge => judge::train(out, recipe, seed, progress)?,
                Part::Autoencoder => train_autoencoder(out, recipe, seed, progress)?,
                Part::Decoder => train_decoder(out, recipe, seed, progress)?,
                Part::Clip => train_clip(out, recipe, seed, progress)?,
                Part::Unet => train_unet(out, recipe, seed, progress)?,
                Part::Captioner => captioner::train(out, recipe, seed, progress)?,
                Part::Language => language::train(out, recipe, seed, progress)?,
            }
        }
    }
    Ok(())
}

fn train_autoencoder(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let config = AutoencoderConfig::parse(&recipe.vae_config())?;
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
    let config = AutoencoderConfig::parse(&recipe.vae_config())?;
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

fn train_unet(out: &Path, recipe: &Recipe, seed: Seed, progress: &dyn Progress) -> Result<(), ModelError> {
    let pack = DiffusionPack::open_without_unet(out)?;
    let data = UnetData::encode(&pack, recipe, seed.named("unet.drawings"), progress)?;
    let config = UnetConfig::parse(&recipe.unet_config())?;
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(configs::SCHEDULER)?);
    let shapes = (pack.latent_shape(), Condition::Context(pack.context_shape()));
    let params = Params::random(seed.named("unet.init"));
    let task = DiffusionTask::new(params, config, schedule, shapes, SHARDS, |step, seed| data.shard(step, seed))?
        .on(recipe.of_unet());
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
