//! Films made of conditions, and films as files.

use std::path::Path;

use ndarray::{Array2, Array4, ArrayView4};
use percept_core::Seed;
use percept_io::film::{At, Film, FilmOptions, FilmRequest as Frames};
use percept_models::film::{FilmRequest, Frames as Link};
use percept_pipeline::PipelineError;
use percept_pipeline::experiment::video::FrameLink;

use super::bench::Bench;
use super::guide::{self, Conditions};

/// What a folder of pictures is taken for, where nothing says its rate.
const FOLDER_RATE: f64 = 30.0;

/// The frames of a film at these seconds: (n, side, side, 3) in 0..=1. Moments behind its last frame show that.
pub(super) fn frames_at(path: &Path, secs: &[f64], side: usize) -> Result<Array4<f32>, PipelineError> {
    let options =
        FilmOptions { frames_per_sec: percept_io::fs::is_dir(path).then_some(FOLDER_RATE), ..FilmOptions::default() };
    let film = Film::open_with(path, &options)?;
    let last = film.starts().last().copied().unwrap_or(0.0);
    let at: Vec<f64> = secs.iter().map(|secs| secs.min(last)).collect();
    let mut all = Array4::zeros((at.len(), side, side, 3));
    for (mut to, frame) in all.outer_iter_mut().zip(film.frames(&Frames { side: Some(side), at: At::Secs(&at) })?) {
        to.zip_mut_with(&frame?, |to, &from| *to = f32::from(from) / 255.0);
    }
    Ok(all)
}

/// The scaled latents of a film from conditions: frames × latent.
pub(super) fn latents(
    bench: &Bench<'_>,
    conditions: &Conditions,
    link: Option<FrameLink>,
    seed: Seed,
) -> Result<Array2<f32>, PipelineError> {
    let pack = &bench.pack.pack;
    let blurred = guide::blurred(bench, conditions)?;
    let init = pack.encode(blurred.view())?;
    let Some(link) = link else { return Ok(init) };
    let settings = &bench.experiment.film;
    let frames = match link {
        FrameLink::Alone => Link::Alone,
        FrameLink::Cross => Link::FirstAndPrevious,
        FrameLink::Motion => Link::Motion,
        FrameLink::Both => Link::MotionAndFirst,
    };
    let contexts = if let Some(c) = &conditions.c {
        guide::contexts(bench, c.view())
    } else {
        let empty = pack.embed_text(&[String::new()])?;
        let mut all = Array2::zeros((init.nrows(), empty.ncols()));
        all.outer_iter_mut().for_each(|mut row| row.assign(&empty.row(0)));
        all
    };
    let noise = guide::noise(bench, conditions.z.nrows(), seed.named("noise"))?;
    // Without captions there is nothing to be guided by.
    let guidance = if conditions.c.is_some() { settings.guidance } else { 1.0 };
    let window = pack.most_frames().filter(|_| link != FrameLink::Alone).unwrap_or(settings.window);
    Ok(pack.film_latents(&FilmRequest {
        contexts: contexts.view(),
        init: Some(init.view()),
        strength: settings.strength,
        steps: settings.steps,
        guidance,
        noise: noise.view(),
        seed: seed.named("steps"),
        frames,
        window: settings.window.min(window),
        overlap: settings.overlap.min(settings.window.min(window).saturating_sub(1)),
    })?)
}

/// Frames of 0..=1 as bytes, one at a time.
pub(super) fn byte_frame(frames: ArrayView4<'_, f32>, number: usize) -> ndarray::Array3<u8> {
    frames.index_axis(ndarray::Axis(0), number).mapv(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
}
