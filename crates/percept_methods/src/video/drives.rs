//! What the voxels of a simulated spectator follow: how things look, what they mean, and how they move.
//!
//! - `appearance`: the latent of what is seen
//! - `meaning`: the pack's CLIP vector of the captions
//! - `motion`: in each cell of a grid how fast what is there moves into each of eight directions, from the optical flow of the films
//!
//! All change several times in a scan; which areas follow what, and what their blood makes of it, is
//! [`percept_synth::spectator`]'s.

use ndarray::{Array2, Array4, Axis};
use percept_core::Progress;
use percept_models::DiffusionPack;
use percept_pipeline::PipelineError;
use percept_synth::moving::Movie;
use percept_synth::planted::{Drive, Mixture};
use rayon::prelude::*;

use super::targets::clip_motion;

/// Rows for each scan.
pub(super) const STEPS: usize = 4;
/// Frames of each row: the flow from one to the next is its motion.
const FRAMES: usize = 2;
/// The features that are none while a picture stands still.
pub(super) const MOTION: &str = "motion";
/// Cells along each side in which motion is followed.
const CELLS: usize = 4;
/// Directions that voxels prefer.
const DIRECTIONS: usize = 8;

/// The features of all films, [`STEPS`] rows for each scan.
pub(super) fn made(
    pack: &DiffusionPack,
    movies: &[(bool, Movie)],
    tr_secs: f64,
    progress: &dyn Progress,
) -> Result<Vec<Drive>, PipelineError> {
    let names = ["appearance", "meaning", MOTION];
    let mut drives: Vec<Drive> =
        names.iter().map(|name| Drive { name: (*name).to_owned(), runs: Vec::with_capacity(movies.len()) }).collect();
    progress.begin("draw films for a simulated spectator", movies.len() as u64);
    for (_, movie) in movies {
        let n = (movie.n_secs() / tr_secs).round() as usize * STEPS;
        let step_secs = tr_secs / STEPS as f64;
        let frames = frames(movie, n, step_secs);
        let first: Vec<usize> = (0..n).map(|row| row * FRAMES).collect();
        let appearance = pack.encode(frames.select(Axis(0), &first).view())?;
        let mut meaning: Vec<f32> = Vec::new();
        let mut known: Option<(f64, Vec<f32>)> = None;
        for row in 0..n {
            let shot = movie.shot_at((row as f64 + 0.5) * step_secs);
            let own = match known.take() {
                Some((start, own)) if start == shot.start_secs => own,
                _ => pack.clip_text(&shot.captions())?.mean_axis(Axis(0)).into_iter().flatten().collect(),
            };
            meaning.extend_from_slice(&own);
            known = Some((shot.start_secs, own));
        }
        let motion: Vec<f32> = clip_motion(&frames, FRAMES, CELLS, FRAMES as f64 / step_secs)
            .into_iter()
            .flat_map(|cells| tuned(&cells))
            .collect();
        drives[0].runs.push(appearance);
        drives[1].runs.push(shaped(meaning, n)?);
        drives[2].runs.push(shaped(motion, n)?);
        progress.advance(1);
    }
    progress.end("");
    Ok(drives)
}

fn shaped(values: Vec<f32>, rows: usize) -> Result<Array2<f32>, PipelineError> {
    let columns = values.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|error| PipelineError::data(format!("features of films: {error}"), "please report this"))
}

/// All frames of a film that are looked at, in 0..=1.
fn frames(movie: &Movie, n_rows: usize, step_secs: f64) -> Array4<f32> {
    let drawn: Vec<_> = (0..n_rows * FRAMES)
        .into_par_iter()
        .map(|frame| movie.frame(frame as f64 * step_secs / FRAMES as f64))
        .collect();
    let (height, width, channels) = drawn.first().map_or((0, 0, 3), ndarray::ArrayBase::dim);
    let mut all = Array4::zeros((drawn.len(), height, width, channels));
    for (mut to, from) in all.outer_iter_mut().zip(&drawn) {
        to.zip_mut_with(from, |to, &from| *to = f32::from(from) / 255.0);
    }
    all
}

/// Speed into each direction in each cell: what moves the other way does not count.
fn tuned(cells: &[f32]) -> Vec<f32> {
    let (right, down) = cells.split_at(cells.len() / 2);
    let mut out = Vec::with_capacity(right.len() * DIRECTIONS);
    for (&right, &down) in right.iter().zip(down) {
        for direction in 0..DIRECTIONS {
            let angle = direction as f32 * std::f32::consts::TAU / DIRECTIONS as f32;
            out.push((right * angle.cos() + down * angle.sin()).max(0.0));
        }
    }
    out
}

/// What early areas, those of motion and the higher ones follow.
pub(super) fn mixtures() -> [Mixture; 3] {
    let mixture = |parts: &[(&str, f32)]| parts.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect();
    [
        mixture(&[("appearance", 0.85), (MOTION, 0.15)]),
        mixture(&[(MOTION, 0.9), ("appearance", 0.1)]),
        mixture(&[("meaning", 1.0)]),
    ]
}
