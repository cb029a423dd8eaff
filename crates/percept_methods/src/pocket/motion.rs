//! The pocket pack's motion adapter: AnimateDiff's modules with small numbers, trained on moving drawings.
//!
//! It moves the pictures of the pack that lies in the folder, or of the one in the program. Nothing but the modules trains, so pictures
//! stay what they were. The large matrices are stored in eight bits.

use std::path::Path;

use ndarray::{Array2, Array4, Axis, s};
use percept_core::{Progress, Seed};
use percept_io::lock;
use percept_models::{
    DiffusionPack, ModelError,
    nn::params::Params,
    scheduler::{NoiseSchedule, SchedulerConfig},
    train::{AdamW, MotionTask, Schedule, begun_motion, is_of_motion, run},
    unet::MotionConfig,
    weights::{PackFiles, Precision, write_tensors_in},
};
use percept_synth::drawing::SIDE;
use percept_synth::moving::{Movie, MovieParams};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::recipe::{SHARDS, opened, work};
use crate::disk::write;

/// Frames that the adapter sees together.
pub const FRAMES: usize = 16;
/// Frames per second of the films that it learns from.
pub const RATE: f64 = 4.0;
/// The folder of the adapter in a pack.
const FOLDER: &str = "motion_adapter";

/// How the adapter is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotionRecipe {
    /// The root of all randomness.
    pub seed: u64,
    /// Steps.
    pub steps: usize,
    /// Films that it learns from.
    pub films: usize,
    /// Share of films with a cut inside.
    pub cuts: f64,
    /// Films in each step; a multiple of 4.
    pub batch: usize,
}

impl Default for MotionRecipe {
    fn default() -> Self {
        Self { seed: 1, steps: 1_800, films: 4_000, cuts: 0.2, batch: 4 }
    }
}

impl MotionRecipe {
    /// The recipe in the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, or an unknown entry.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        opened(path)
    }
}

/// The `config.json` of the adapter beside the U-Net whose `config.json` is `unet`.
fn config(unet: &str) -> String {
    let unet: serde_json::Value = serde_json::from_str(unet).unwrap_or_default();
    let config = serde_json::json!({
        "_class_name": "MotionAdapter",
        "block_out_channels": unet["block_out_channels"],
        "conv_in_channels": null,
        "motion_layers_per_block": unet["layers_per_block"],
        "motion_max_seq_length": FRAMES,
        "motion_mid_block_layers_per_block": 1,
        "motion_norm_num_groups": unet["norm_num_groups"],
        "motion_num_attention_heads": 4,
        "use_motion_mid_block": false
    });
    format!("{config:#}\n")
}

/// A film to learn from, and its rate.
fn film(seed: Seed, cuts: f64) -> Movie {
    let secs = FRAMES as f64 / RATE;
    let has_cut = seed.named("cut").stream().random_bool(cuts);
    let params = MovieParams { shot_secs: [1.0, 3.0], grid_secs: 0.0, still: 0.12 };
    if has_cut { Movie::random(seed, secs, &params) } else { Movie::single(seed, secs, &params) }
}

/// The frames of a film at [`RATE`], (frames, [`SIDE`], [`SIDE`], 3) in 0..=1.
fn frames(movie: &Movie) -> Array4<f32> {
    let mut all = Array4::zeros((FRAMES, SIDE, SIDE, 3));
    for (number, mut to) in all.outer_iter_mut().enumerate() {
        let frame = movie.frame(number as f64 / RATE);
        to.zip_mut_with(&frame, |to, &from| *to = f32::from(from) / 255.0);
    }
    all
}

/// Latents and contexts of films, made once.
struct Films {
    /// (films · frames) × latent values.
    latents: Array2<f32>,
    /// Shots × context values: the mean over all captions.
    contexts: Array2<f32>,
    /// The shot of each frame, as a row of `contexts`.
    shot_of: Vec<usize>,
    /// The empty caption's context.
    empty: Array2<f32>,
}

impl Films {
    fn made(pack: &DiffusionPack, recipe: &MotionRecipe, progress: &dyn Progress) -> Result<Self, ModelError> {
        const AT_ONCE: usize = 16;
        let seed = Seed::new(recipe.seed).named("motion.films");
        progress.begin("encode films", recipe.films as u64);
        let (mut latents, mut contexts, mut shot_of) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_shots = 0;
        for first in (0..recipe.films).step_by(AT_ONCE) {
            let numbers = first..(first + AT_ONCE).min(recipe.films);
            let movies: Vec<Movie> = numbers.map(|number| film(seed.at(number as u64), recipe.cuts)).collect();
            let pictures: Vec<Array4<f32>> = movies.par_iter().map(frames).collect();
            let views: Vec<_> = pictures.iter().map(|frames| frames.view()).collect();
            let pictures = ndarray::concatenate(Axis(0), &views).map_err(|error| inside(&error.to_string()))?;
            latents.extend(pack.encode(pictures.view())?);
            for movie in &movies {
                for shot in movie.shots() {
                    let states = pack.embed_text(&shot.captions())?;
                    contexts.extend(states.mean_axis(Axis(0)).into_iter().flatten());
                }
                for number in 0..FRAMES {
                    let shot = movie.shot_at(number as f64 / RATE);
                    let place = movie.shots().iter().position(|other| other == shot).unwrap_or(0);
                    shot_of.push(n_shots + place);
                }
                n_shots += movie.shots().len();
            }
            progress.advance(movies.len() as u64);
        }
        progress.end("");
        let shaped = |values: Vec<f32>, rows: usize| {
            let columns = values.len() / rows.max(1);
            Array2::from_shape_vec((rows, columns), values).map_err(|error| inside(&error.to_string()))
        };
        Ok(Self {
            latents: shaped(latents, recipe.films * FRAMES)?,
            contexts: shaped(contexts, n_shots)?,
            shot_of,
            empty: pack.embed_text(&[String::new()])?,
        })
    }

    /// Latents and contexts of one shard. One film in ten loses its text (for guidance); half of the films run backwards.
    fn shard(&self, films: usize, seed: Seed) -> (Array2<f32>, Array2<f32>) {
        let mut stream = seed.stream();
        let mut rows = Vec::with_capacity(films * FRAMES);
        let mut without = Vec::new();
        for film in 0..films {
            let start = stream.random_range(0..(self.shot_of.len() / FRAMES) as u64) as usize * FRAMES;
            if stream.random_bool(0.5) {
                rows.extend((start..start + FRAMES).rev());
            } else {
                rows.extend(start..start + FRAMES);
            }
            if stream.random_bool(0.1) {
                without.push(film);
            }
        }
        let shots: Vec<usize> = rows.iter().map(|&row| self.shot_of[row]).collect();
        let mut contexts = self.contexts.select(Axis(0), &shots);
        for film in without {
            let mut own = contexts.slice_mut(s![film * FRAMES..(film + 1) * FRAMES, ..]);
            own.assign(&self.empty.row(0));
        }
        (self.latents.select(Axis(0), &rows), contexts)
    }
}

/// What cannot be refused by anything that a user gave.
fn inside(got: &str) -> ModelError {
    ModelError::Input { what: "encoded films", expected: "rows of one length".into(), got: got.to_owned() }
}

/// Large matrices in eight bits, everything else in sixteen.
fn precision(name: &str, shape: &[usize]) -> Precision {
    let is_large = shape.len() == 2 && shape.iter().product::<usize>() >= 4_096 && name.ends_with(".weight");
    if is_large { Precision::Quarter } else { Precision::Half }
}

/// Trains the adapter into `out/motion_adapter`, going on where an earlier call stopped.
///
/// # Errors
/// Files that cannot be written; a loss that is no number; a batch that is no multiple of 4.
pub fn train(out: &Path, recipe: &MotionRecipe, progress: &dyn Progress) -> Result<(), ModelError> {
    if recipe.batch == 0 || !recipe.batch.is_multiple_of(SHARDS) || recipe.films == 0 {
        return Err(ModelError::Input {
            what: "`batch` and `films`",
            expected: format!("a multiple of {SHARDS}, and at least one"),
            got: format!("{} and {}", recipe.batch, recipe.films),
        });
    }
    let refused = |error: percept_io::Error| ModelError::File {
        path: out.into(),
        source: std::io::Error::other(error.to_string()),
    };
    let _lock =
        lock::lock(out, lock::NAME, || crate::reconstruct::say_that_it_waits(out, progress)).map_err(refused)?;
    let own = PackFiles::Directory(out.to_owned());
    let files = if own.holds("unet/config.json") { own } else { PackFiles::Embedded(percept_pocket::FILES) };
    let pack = DiffusionPack::load(&files)?;
    let unet = pack.unet()?.config().clone();
    let text = config(&files.read_text("unet/config.json")?);
    let motion = MotionConfig::parse_adapter(&text, &unet)?;
    let films = Films::made(&pack, recipe, progress)?;
    let seed = Seed::new(recipe.seed);
    let tensors = begun_motion(files.tensors("unet")?, (&unet, &motion), seed.named("motion.init"))?;
    let params = Params::from_tensors_training(tensors, "the U-Net of the pack", is_of_motion);
    let schedule = NoiseSchedule::new(SchedulerConfig::parse(&files.read_text("scheduler/scheduler_config.json")?)?);
    let shapes = (pack.latent_shape(), pack.context_shape(), FRAMES);
    let per_shard = recipe.batch / SHARDS;
    let task =
        MotionTask::new(params, (unet, motion), schedule, shapes, SHARDS, |_, seed| Ok(films.shard(per_shard, seed)))?
            .on(format!("{} films, cuts {}, batch {}", recipe.films, recipe.cuts, recipe.batch));
    let schedule = Schedule {
        steps: recipe.steps,
        warmup: 200,
        learning_rate: 1e-3,
        floor: 0.02,
        optimiser: AdamW { ema: 0.999, ..AdamW::default() },
        log_every: 100,
        save_every: 200,
    };
    let weights = run(&task, &schedule, seed, &work(out), progress)?;
    write(&out.join(FOLDER).join("config.json"), text.as_bytes())?;
    let bytes = write_tensors_in(&weights, precision)?;
    write(&out.join(FOLDER).join("diffusion_pytorch_model.safetensors"), &bytes)
}
