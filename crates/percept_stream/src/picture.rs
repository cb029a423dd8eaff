//! Latents to pictures: the models, the prompts' contexts, and what is left out.
//!
//! A blend of prompts is the same blend of their contexts; what is missing to 1 is filled by the context of no prompt.

use std::collections::VecDeque;
use std::path::Path;

use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, Axis};
use percept_core::Seed;
use percept_models::{DiffusionPack, Flow, Row};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Result, StreamError};
use crate::settings::Settings;

/// Planes of a latent up to this many elements are drawn by one thread: sharing so small a picture out costs more than it saves
/// (the pocket pack's takes 20 ms alone and 25 ms with two), and now and then much more.
const SMALL_PLANE: usize = 256;

/// Where a tiny autoencoder may lie inside a pack.
const TINY: &str = "vae_tiny";

/// A latent to draw.
#[derive(Clone, Debug)]
pub struct Job<T> {
    /// What the caller wants back with the picture.
    pub tag: T,
    /// One number per element of a latent.
    pub latent: Vec<f32>,
    /// The weight of each prompt.
    pub weights: Vec<f32>,
}

/// A picture that was drawn.
pub struct Drawn<T> {
    /// What came with its latent.
    pub tag: T,
    /// Height × width × RGB.
    pub picture: Array3<u8>,
    /// Whether it is the picture of an earlier latent that hardly differs.
    pub kept: bool,
}

/// Draws.
pub struct Painter<T> {
    pack: DiffusionPack,
    flow: Flow,
    empty: Array1<f32>,
    prompts: Array2<f32>,
    pipelined: bool,
    skip_below: f64,
    rows: Vec<Row>,
    tags: VecDeque<T>,
    last: Option<(Vec<f32>, Vec<f32>, Array3<u8>)>,
    n_skipped: u64,
    /// One thread for small pictures; `None` uses all.
    alone: Option<ThreadPool>,
}

impl<T> Painter<T> {
    /// Opens the models.
    ///
    /// # Errors
    /// A pack that is not there or does not fit.
    pub fn open(settings: &Settings) -> Result<Self> {
        let wanted = &settings.picture;
        let mut pack = open_pack(&wanted.pack)?;
        let own = Path::new(&wanted.pack).join(TINY);
        if !wanted.decoder.is_empty() {
            pack = pack.with_autoencoder(Path::new(&wanted.decoder))?;
        } else if percept_io::fs::is_dir(&own) {
            pack = pack.with_autoencoder(&own)?;
        }
        Self::new(pack, settings)
    }

    /// Draws with an open pack.
    ///
    /// # Errors
    /// Steps that the pack's sampler cannot take.
    pub fn new(pack: DiffusionPack, settings: &Settings) -> Result<Self> {
        let wanted = &settings.picture;
        // With nothing to say on both sides guidance is idle, at twice the price.
        let guidance = if settings.prompt.is_empty() && !takes_guidance(&pack)? { 1.0 } else { wanted.guidance };
        let flow = Flow::new(&pack, wanted.steps, guidance, Seed::new(settings.seed))?;
        let empty = pack.embed_text(&[String::new()])?.row(0).to_owned();
        let texts: Vec<String> = settings.prompt.iter().map(|prompt| prompt.text.clone()).collect();
        let prompts = if texts.is_empty() { Array2::zeros((0, empty.len())) } else { pack.embed_text(&texts)? };
        let [_, height, width] = pack.latent_shape();
        let alone = (height * width <= SMALL_PLANE).then(|| ThreadPoolBuilder::new().num_threads(1).build());
        let what = "a thread for small pictures";
        let alone =
            alone.transpose().map_err(|error| StreamError::System { what, error: std::io::Error::other(error) })?;
        Ok(Self {
            alone,
            pack,
            flow,
            empty,
            prompts,
            pipelined: wanted.pipelined,
            skip_below: wanted.skip_below,
            rows: Vec::new(),
            tags: VecDeque::new(),
            last: None,
            n_skipped: 0,
        })
    }

    /// The open pack.
    pub fn pack(&self) -> &DiffusionPack {
        &self.pack
    }

    /// Numbers of a latent.
    pub fn n_latent(&self) -> usize {
        self.pack.latent_shape().iter().product()
    }

    /// Side of the pictures in pixels.
    pub fn side(&self) -> usize {
        self.pack.image_size()
    }

    /// Latents that were so near to the last that its picture was kept.
    pub fn n_skipped(&self) -> u64 {
        self.n_skipped
    }

    /// The context of a blend of prompts.
    fn context(&self, weights: &[f32]) -> Array1<f32> {
        let rest = (1.0 - weights.iter().sum::<f32>()).max(0.0);
        let mut context = &self.empty * rest;
        for (prompt, weight) in self.prompts.rows().into_iter().zip(weights) {
            context.scaled_add(*weight, &prompt);
        }
        context
    }

    /// Draws a latent. A pipeline gives the picture of an earlier one, or none while it fills.
    ///
    /// # Errors
    /// When the models fail.
    pub fn draw(&mut self, job: Job<T>) -> Result<Option<Drawn<T>>> {
        if let Some((latent, weights, picture)) = &self.last
            && self.skip_below > 0.0
            && *weights == job.weights
            && distance(latent, &job.latent) < self.skip_below
        {
            self.n_skipped += 1;
            return Ok(Some(Drawn { tag: job.tag, picture: picture.clone(), kept: true }));
        }
        let context = self.context(&job.weights);
        let row = self.flow.begin(ndarray::aview1(&job.latent), context.view())?;
        if self.pipelined {
            self.rows.push(row);
            self.tags.push_back(job.tag);
            return self.advance();
        }
        let (flow, pack) = (&self.flow, &self.pack);
        let whole = || {
            let mut rows = [row];
            for _ in flow.steps() {
                flow.advance(&mut rows)?;
            }
            finish(flow, pack, &rows[0])
        };
        let picture = match &self.alone {
            Some(pool) => pool.install(whole)?,
            None => whole()?,
        };
        if self.skip_below > 0.0 {
            self.last = Some((job.latent, job.weights, picture.clone()));
        }
        Ok(Some(Drawn { tag: job.tag, picture, kept: false }))
    }

    /// Pictures of latents without prompts, `batch` of them in one pass, passes side by side.
    ///
    /// # Shapes
    /// n × latent → (n, height, width, 3) in 0..=1.
    ///
    /// # Errors
    /// When the models fail.
    pub fn draw_all(&self, latents: ArrayView2<'_, f32>, batch: usize) -> Result<Array4<f32>> {
        let parts: Vec<_> = latents.axis_chunks_iter(Axis(0), batch.max(1)).collect();
        let (flow, empty) = (&self.flow, &self.empty);
        let drawn = parts
            .into_par_iter()
            .map(|part| {
                let contexts = Array2::from_shape_fn((part.nrows(), empty.len()), |(_, j)| empty[j]);
                Ok(flow.pictures(part, contexts.view())?)
            })
            .collect::<Result<Vec<Array4<f32>>>>()?;
        let views: Vec<_> = drawn.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(0), &views)
            .map_err(|error| StreamError::setting("latents", error.to_string(), "there must be at least one"))
    }

    /// The pictures that are still in the pipeline, one by one.
    ///
    /// # Errors
    /// When the models fail.
    pub fn flush(&mut self) -> Result<Option<Drawn<T>>> {
        while !self.rows.is_empty() {
            if let Some(drawn) = self.advance()? {
                return Ok(Some(drawn));
            }
        }
        Ok(None)
    }

    fn advance(&mut self) -> Result<Option<Drawn<T>>> {
        self.flow.advance(&mut self.rows)?;
        if !self.rows.first().is_some_and(|row| self.flow.is_done(row)) {
            return Ok(None);
        }
        let row = self.rows.remove(0);
        let Some(tag) = self.tags.pop_front() else { return Ok(None) };
        Ok(Some(Drawn { tag, picture: finish(&self.flow, &self.pack, &row)?, kept: false }))
    }
}

fn finish(flow: &Flow, pack: &DiffusionPack, row: &Row) -> Result<Array3<u8>> {
    let picture = pack.decode(flow.latent(row)?.view())?;
    let rounded = |value: &f32| (value * 255.0).round_ties_even() as u8;
    Ok(picture.index_axis(Axis(0), 0).map(rounded))
}

/// The root mean square of the difference.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len().max(1) as f64).sqrt()
}

/// Whether the U-Net is told the guidance instead of running twice.
fn takes_guidance(pack: &DiffusionPack) -> Result<bool> {
    Ok(pack.unet()?.config().time_cond_proj_dim.is_some())
}

/// Opens `pocket`, a folder, or a pack of the hub's cache.
///
/// # Errors
/// When it is not there or does not fit.
pub fn open_pack(word: &str) -> Result<DiffusionPack> {
    if word == "pocket" {
        return Ok(percept_pocket::load()?);
    }
    let folder = match percept_io::hub::pack(word) {
        Some(found) => found?,
        None => Path::new(word).to_owned(),
    };
    if !percept_io::fs::is_dir(&folder) {
        let problem = format!("there is no `{word}`");
        return Err(StreamError::setting("picture.pack", problem, "name `pocket`, a folder, or `hf:ORG/NAME`"));
    }
    Ok(DiffusionPack::open(&folder)?)
}
