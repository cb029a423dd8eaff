//! What the voxels of a simulated spectator follow: how things look, what they mean, and how they move.
//!
//! - `appearance`: the latent of what is seen, averaged over each scan
//! - `meaning`: the pack's CLIP vector of the captions
//! - `motion`: in each cell of a grid how fast what is there moves into each of eight directions, from the optical flow of the films
//!
//! Early areas follow appearance and a little motion, the ventral and lateral streams meaning, and the area in front of V3A and V3B,
//! `midparietal`, motion: it stands for the human middle temporal complex.

use ndarray::{Array2, Array4, Axis};
use percept_core::Progress;
use percept_models::DiffusionPack;
use percept_pipeline::PipelineError;
use percept_synth::moving::Movie;
use percept_synth::phantom::Area;
use percept_synth::planted::{Drive, PlantedRegion};
use rayon::prelude::*;

use super::targets::clip_motion;

/// Frames of a scan that are looked at.
const FRAMES: usize = 8;
/// Cells along each side in which motion is followed.
const CELLS: usize = 4;
/// Directions that voxels prefer.
const DIRECTIONS: usize = 8;

/// The features of all films, a row for each scan.
pub(super) fn made(
    pack: &DiffusionPack,
    movies: &[(String, bool, Movie)],
    tr_secs: f64,
    progress: &dyn Progress,
) -> Result<Vec<Drive>, PipelineError> {
    let names = ["appearance", "meaning", "motion"];
    let mut drives: Vec<Drive> =
        names.iter().map(|name| Drive { name: (*name).to_owned(), runs: Vec::with_capacity(movies.len()) }).collect();
    progress.begin("draw films for a simulated spectator", movies.len() as u64);
    for (_, _, movie) in movies {
        let n = (movie.n_secs() / tr_secs).round() as usize;
        let frames = frames(movie, n, tr_secs);
        let latents = pack.encode(frames.view())?;
        let mut appearance = Array2::zeros((n, latents.ncols()));
        for (scan, mut row) in appearance.outer_iter_mut().enumerate() {
            for frame in 0..FRAMES {
                row += &latents.row(scan * FRAMES + frame);
            }
            row /= FRAMES as f32;
        }
        let mut meaning: Vec<f32> = Vec::new();
        for scan in 0..n {
            let captions = movie.shot_at((scan as f64 + 0.5) * tr_secs).captions();
            meaning.extend(pack.clip_text(&captions)?.mean_axis(Axis(0)).into_iter().flatten());
        }
        let motion: Vec<f32> = clip_motion(&frames, FRAMES, CELLS, FRAMES as f64 / tr_secs)
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
fn frames(movie: &Movie, n_scans: usize, tr_secs: f64) -> Array4<f32> {
    let drawn: Vec<_> = (0..n_scans * FRAMES)
        .into_par_iter()
        .map(|frame| movie.frame(frame as f64 * tr_secs / FRAMES as f64))
        .collect();
    let (height, width, channels) = drawn.first().map_or((0, 0, 3), |frame| frame.dim());
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

/// What the areas follow.
pub(super) fn regions() -> Vec<PlantedRegion> {
    let region = |name: &str, areas: &[Area], mixture: &[(&str, f32)]| PlantedRegion {
        name: name.to_owned(),
        areas: areas.to_vec(),
        mixtures: vec![mixture.iter().map(|(drive, share)| ((*drive).to_owned(), *share)).collect()],
    };
    vec![
        region("V1", &[Area::V1Ventral, Area::V1Dorsal], &[("appearance", 0.9), ("motion", 0.1)]),
        region("V2", &[Area::V2Ventral, Area::V2Dorsal], &[("appearance", 0.9), ("motion", 0.1)]),
        region("V3", &[Area::V3Ventral, Area::V3Dorsal], &[("appearance", 0.8), ("motion", 0.2)]),
        region("hV4", &[Area::V4, Area::Midventral], &[("appearance", 0.5), ("meaning", 0.5)]),
        region("ventral", &[Area::Ventral], &[("meaning", 1.0)]),
        region("lateral", &[Area::Lateral, Area::Midlateral], &[("meaning", 0.8), ("motion", 0.2)]),
        region("MT", &[Area::Midparietal, Area::Parietal], &[("motion", 1.0)]),
    ]
}
