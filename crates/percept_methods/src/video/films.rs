//! Films made of conditions, and films as files.

use ndarray::{Array2, Array4, ArrayView4, Axis};
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

/// The scaled latents of a film from conditions: frames × latent.
///
/// First the picture of each clip is made sharp (a keyframe), by itself: what it shows is found there. Then keyframes are moved as was
/// decoded, and the whole is finished with little noise, which leaves the motion and mends what moving tore.
pub(super) fn latents(
    bench: &Bench<'_>,
    conditions: &Conditions,
    method: VideoMethod,
    seed: Seed,
) -> Result<Array2<f32>, PipelineError> {
    let pack = &bench.pack.pack;
    let link = match method {
        VideoMethod::Blurred => return guide::moving(bench, conditions, conditions.z.view()),
        VideoMethod::Frames => Link::Alone,
        VideoMethod::Cross => Link::FirstAndPrevious,
        VideoMethod::Film => Link::Motion,
    };
    let settings = &bench.experiment.film;
    let (n, n_clips) = (bench.clips.frames, conditions.z.nrows());
    let contexts = if let Some(c) = &conditions.c {
        guide::contexts(bench, c.view())
    } else {
        let empty = pack.embed_text(&[String::new()])?;
        let mut all = Array2::zeros((n_clips * n, empty.ncols()));
        all.outer_iter_mut().for_each(|mut row| row.assign(&empty.row(0)));
        all
    };
    let noise = guide::noise(bench, n_clips, seed.named("noise"))?;
    // Without captions there is nothing to be guided by.
    let guidance = if conditions.c.is_some() { settings.guidance } else { 1.0 };
    let request = FilmRequest {
        contexts: contexts.view(),
        init: None,
        strength: settings.strength,
        steps: settings.steps,
        guidance,
        noise: noise.view(),
        seed: seed.named("steps"),
        frames: link,
        window: settings.window,
        overlap: settings.overlap,
    };
    if !settings.keyframes {
        let init = guide::moving(bench, conditions, conditions.z.view())?;
        return Ok(pack.film_latents(&FilmRequest { init: Some(init.view()), ..request })?);
    }
    let middle: Vec<usize> = (0..n_clips).map(|clip| clip * n + n / 2).collect();
    let (of_keys, noise_of_keys) = (contexts.select(Axis(0), &middle), noise.select(Axis(0), &middle));
    let keys = pack.film_latents(&FilmRequest {
        contexts: of_keys.view(),
        init: Some(conditions.z.view()),
        noise: noise_of_keys.view(),
        seed: seed.named("keyframes"),
        frames: Link::Alone,
        ..request
    })?;
    let init = guide::moving(bench, conditions, keys.view())?;
    Ok(pack.film_latents(&FilmRequest { init: Some(init.view()), strength: settings.finish, ..request })?)
}

/// Frames of 0..=1 as bytes, one at a time.
pub(super) fn byte_frame(frames: ArrayView4<'_, f32>, number: usize) -> ndarray::Array3<u8> {
    frames.index_axis(Axis(0), number).mapv(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
}
