//! Films made of conditions, and films as files.

use ndarray::{Array2, Array4, ArrayView2, ArrayView4, Axis};
use percept_core::Seed;
use percept_io::film::{At, Film, FilmOptions, FilmRequest as Asked, Frames};
use percept_models::film::{FilmRequest, Frames as Link};
use percept_pipeline::PipelineError;
use percept_pipeline::experiment::video::VideoMethod;

use super::bench::Bench;
use super::guide::{self, Conditions};

/// Frames of a film that is shown once from the beginning to the end.
pub(super) struct Projector {
    frames: Frames,
    side: usize,
}

impl Projector {
    /// Gets ready to show a segment at these seconds, ascending; what would come behind its last frame is that.
    pub(super) fn new(bench: &Bench<'_>, segment: usize, secs: &[f64], side: usize) -> Result<Self, PipelineError> {
        let path = &bench.data.segments[segment].film;
        let rate = bench.experiment.data.frames_per_sec().filter(|_| percept_io::fs::is_dir(path));
        let film = Film::open_with(path, &FilmOptions { frames_per_sec: rate, ..FilmOptions::default() })?;
        let last = film.starts().last().copied().unwrap_or(0.0);
        let at: Vec<f64> = secs.iter().map(|secs| secs.min(last)).collect();
        let frames = film.frames(&Asked { side: Some(side), at: At::Secs(&at) })?;
        Ok(Self { frames, side })
    }

    /// The next `n` frames: (n, side, side, 3) in 0..=1.
    pub(super) fn next(&mut self, n: usize) -> Result<Array4<f32>, PipelineError> {
        let mut all = Array4::zeros((n, self.side, self.side, 3));
        for mut to in all.outer_iter_mut() {
            let frame = self.frames.next().ok_or_else(|| {
                PipelineError::data("a film ended before its last frame", "look at it with `percept doctor cc2017`")
            })??;
            to.zip_mut_with(&frame, |to, &from| *to = f32::from(from) / 255.0);
        }
        Ok(all)
    }
}

/// What diffusion is given for a film, but where it starts.
struct Given {
    /// Frames × context.
    contexts: Array2<f32>,
    /// Frames × latent.
    noise: Array2<f32>,
    guidance: f64,
}

impl Given {
    fn new(bench: &Bench<'_>, conditions: &Conditions, seed: Seed) -> Result<Self, PipelineError> {
        let n_clips = conditions.z.nrows();
        let noise = guide::noise(bench, n_clips, seed.named("noise"))?;
        if let Some(c) = &conditions.c {
            let contexts = guide::contexts(bench, c.view());
            return Ok(Self { contexts, noise, guidance: bench.experiment.film.guidance });
        }
        // Without captions there is nothing to be guided by.
        let empty = bench.pack.pack.embed_text(&[String::new()])?;
        let contexts = empty.select(Axis(0), &vec![0; n_clips * bench.clips.frames]);
        Ok(Self { contexts, noise, guidance: 1.0 })
    }

    fn denoised(
        &self,
        bench: &Bench<'_>,
        init: ArrayView2<'_, f32>,
        strength: f64,
        frames: Link,
        seed: Seed,
    ) -> Result<Array2<f32>, PipelineError> {
        let settings = &bench.experiment.film;
        Ok(bench.pack.pack.film_latents(&FilmRequest {
            contexts: self.contexts.view(),
            init: Some(init),
            strength,
            steps: settings.steps,
            guidance: self.guidance,
            noise: self.noise.view(),
            seed,
            frames,
            window: settings.window,
            overlap: settings.overlap,
        })?)
    }
}

/// The decoded picture of each clip made sharp by itself, as scaled latents: clips × latent.
pub(super) fn keyframes(bench: &Bench<'_>, conditions: &Conditions, seed: Seed) -> Result<Array2<f32>, PipelineError> {
    let n = bench.clips.frames;
    let all = Given::new(bench, conditions, seed)?;
    let middle: Vec<usize> = (0..conditions.z.nrows()).map(|clip| clip * n + n / 2).collect();
    let own = Given {
        contexts: all.contexts.select(Axis(0), &middle),
        noise: all.noise.select(Axis(0), &middle),
        guidance: all.guidance,
    };
    own.denoised(bench, conditions.z.view(), bench.experiment.film.strength, Link::Alone, seed.named("keyframes"))
}

/// The scaled latents of a film from conditions and, where pictures were made sharp first, its [`keyframes`]: frames × latent.
///
/// Keyframes are moved as was decoded, and the whole is finished with little noise, which leaves the motion and mends what moving tore.
pub(super) fn latents(
    bench: &Bench<'_>,
    conditions: &Conditions,
    keys: Option<ArrayView2<'_, f32>>,
    method: VideoMethod,
    seed: Seed,
) -> Result<Array2<f32>, PipelineError> {
    let settings = &bench.experiment.film;
    let moved = guide::moving(bench, conditions, keys.unwrap_or(conditions.z.view()))?;
    let link = match method {
        VideoMethod::Blurred => return Ok(moved),
        VideoMethod::Frames => Link::Alone,
        VideoMethod::Cross => Link::FirstAndPrevious,
        VideoMethod::Film => Link::Motion,
    };
    let strength = if keys.is_some() { settings.finish } else { settings.strength };
    Given::new(bench, conditions, seed)?.denoised(bench, moved.view(), strength, link, seed.named("steps"))
}

/// Frames of 0..=1 as bytes, one at a time.
pub(super) fn byte_frame(frames: ArrayView4<'_, f32>, number: usize) -> ndarray::Array3<u8> {
    frames.index_axis(Axis(0), number).mapv(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
}
