//! Training: sharded gradients, AdamW, exact checkpoints, and the tasks of a model pack.
//!
//! A [`Task`] knows its parameters, its data (given to it) and its loss; [`run`](fn@run) does the rest. Everything that happens
//! at a step depends only on the seed and the step's number, so a run that is killed and resumed ends in the same bytes,
//! and a batch is cut into a fixed number of shards, so it does so on any number of threads.

mod autoencoder;
mod caption;
mod checkpoint;
mod clap;
mod classifier;
mod clip;
mod context;
mod diffusion;
mod language;
mod mel;
mod motion;
mod optimiser;
mod run;
mod similarity;
mod vocoder;

pub use autoencoder::{AutoencoderTask, is_decoding, normalise_latents};
pub use caption::{CaptionTask, begun_by_clip};
pub use clap::{ClapTask, begun_clap, is_of_clap, is_statistic};
pub use classifier::{ClassifierTask, PictureClassifier};
pub use clip::ClipTask;
pub use context::{
    ContextBatch, ContextLosses, ContextTask, Denoiser, ENCODER, Noised, UNET, context_parameters, draw_noise,
    is_cross_key_or_value,
};
pub use diffusion::{Condition, DiffusionTask};
pub use language::{LanguageTask, bits_per_token};
pub use mel::{MelTask, begun_at, mel_latents, normalise_mel_latents};
pub use motion::{MotionTask, begun_motion, is_of_motion};
pub use optimiser::{AdamW, Gradients, Group, Loss, Optimiser, sharded_gradients, two_phase_gradients};
pub use run::{Schedule, Task, Watch, run, run_watched};
pub use vocoder::{VocoderTask, begun_vocoder};
