//! From what was decoded of each clip to what a film starts from: moved pictures, contexts and noise at every moment.
//!
//! Between the middles of two clips everything is mixed from both: contexts on a straight line, noise along great circles, and pictures of
//! the latents, each moved by its own clip's motion for the time between, so that the two meet. Most of a mix lies near the middle
//! between two clips: a cut, which a brain does not show sharply, costs half a clip and not a whole one.

use ndarray::{Array2, Array3, ArrayView2, Axis};
use percept_core::Seed;
use percept_models::film::noise_between;
use percept_pipeline::PipelineError;
use percept_signal::flow::{from_cells, moved};
use rayon::prelude::*;

use super::bench::Bench;
use super::clips::AT_ONCE;

/// The share of the way from clip to clip on which they are mixed.
const MIXED: f64 = 0.5;

/// What was decoded of the clips of one film, or the truth.
pub(super) struct Conditions {
    /// Clips × latent.
    pub z: Array2<f32>,
    /// Clips × context; none without captions.
    pub c: Option<Array2<f32>>,
    /// Clips × 2 · cells²: sides per second.
    pub motion: Array2<f32>,
}

/// Where a frame stands among the middles of clips.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Between {
    clips: [usize; 2],
    /// Of the second one.
    weight: f64,
    /// Seconds since the middle of each.
    since: [f64; 2],
}

/// The place of frame `frame` of a film of `n_clips` clips with `n` frames and `tr_secs` seconds each.
fn place(frame: usize, n_clips: usize, n: usize, tr_secs: f64) -> Between {
    let at = (frame as f64 / n as f64 - 0.5).max(0.0);
    let before = (at.floor() as usize).min(n_clips - 1);
    let after = (before + 1).min(n_clips - 1);
    let way = at - before as f64;
    let share = ((way - 0.5) / MIXED + 0.5).clamp(0.0, 1.0);
    // Even at both ends.
    let weight = if after == before { 0.0 } else { share * share * (3.0 - 2.0 * share) };
    let secs = frame as f64 * tr_secs / n as f64;
    let since = [before, after].map(|clip| secs - (clip as f64 + 0.5) * tr_secs);
    Between { clips: [before, after], weight, since }
}

/// Pictures of clips (`latents`, one row each) moved as `conditions` say, from one to the next, as latents again: frames × latent.
pub(super) fn moving(
    bench: &Bench<'_>,
    conditions: &Conditions,
    latents: ArrayView2<'_, f32>,
) -> Result<Array2<f32>, PipelineError> {
    let (n_clips, n) = (latents.nrows(), bench.clips.frames);
    let pictures = bench.pack.pack.decode(latents)?;
    let side = pictures.dim().1;
    let cells = bench.experiment.decode.motion_cells;
    let is_guided = bench.experiment.film.guide;
    let fields: Vec<Array3<f32>> = conditions
        .motion
        .outer_iter()
        .map(|row| {
            let own: Vec<f32> = row.iter().map(|&v| if is_guided { v * side as f32 } else { 0.0 }).collect();
            from_cells(&own, cells, (side, side))
        })
        .collect();
    let frame_at = |frame: usize| {
        let between = place(frame, n_clips, n, bench.clips.tr_secs);
        let at = |which: usize| {
            let clip = between.clips[which];
            let by = &fields[clip] * between.since[which] as f32;
            moved(pictures.index_axis(Axis(0), clip), by.view())
        };
        let weight = between.weight as f32;
        match weight {
            0.0 => at(0),
            1.0 => at(1),
            weight => at(0) * (1.0 - weight) + at(1) * weight,
        }
    };
    let mut all = Vec::with_capacity(n_clips * n * latents.ncols());
    for first in (0..n_clips * n).step_by(AT_ONCE * n) {
        let end = (n_clips * n).min(first + AT_ONCE * n);
        let frames: Vec<Array3<f32>> = (first..end).into_par_iter().map(frame_at).collect();
        let views: Vec<_> = frames.iter().map(|frame| frame.view()).collect();
        let frames = ndarray::stack(Axis(0), &views)
            .map_err(|error| PipelineError::data(format!("frames of films: {error}"), "please report this"))?;
        all.extend(bench.pack.pack.encode(frames.view())?);
    }
    Array2::from_shape_vec((n_clips * n, latents.ncols()), all)
        .map_err(|error| PipelineError::data(format!("latents of films: {error}"), "please report this"))
}

/// A row for every frame, mixed from those of clips on a straight line.
pub(super) fn contexts(bench: &Bench<'_>, of_clips: ArrayView2<'_, f32>) -> Array2<f32> {
    let (n_clips, n) = (of_clips.nrows(), bench.clips.frames);
    let mut all = Array2::zeros((n_clips * n, of_clips.ncols()));
    for (frame, mut row) in all.outer_iter_mut().enumerate() {
        let between = place(frame, n_clips, n, bench.clips.tr_secs);
        let weight = between.weight as f32;
        let [a, b] = between.clips.map(|clip| of_clips.row(clip));
        row.assign(&(&a * (1.0 - weight) + &b * weight));
    }
    all
}

/// The noise of every frame: one part that all share, one that turns from clip to clip.
pub(super) fn noise(bench: &Bench<'_>, n_clips: usize, seed: Seed) -> Result<Array2<f32>, PipelineError> {
    let length: usize = bench.pack.pack.latent_shape().iter().product();
    let share = bench.experiment.film.shared_noise;
    let common = ndarray::Array1::from_vec(seed.named("common").normal(length));
    let mut keys = Array2::zeros((n_clips, length));
    for (clip, mut row) in keys.outer_iter_mut().enumerate() {
        row.assign(&ndarray::Array1::from_vec(seed.named("clip").at(clip as u64).normal(length)));
    }
    let n = bench.clips.frames;
    let mut all = Array2::zeros((n_clips * n, length));
    let (of_common, of_keys) = (share.sqrt() as f32, (1.0 - share).sqrt() as f32);
    for (frame, mut row) in all.outer_iter_mut().enumerate() {
        let own = noise_between(keys.view(), frame as f64 / n as f64 - 0.5)?;
        row.assign(&(&common * of_common + own * of_keys));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lie_between_the_middles_of_clips() {
        // Four clips of eight frames and two seconds.
        let first = place(0, 4, 8, 2.0);
        assert_eq!((first.clips, first.weight, first.since[0]), ([0, 1], 0.0, -1.0));
        let middle = place(4, 4, 8, 2.0);
        assert_eq!((middle.clips, middle.weight, middle.since[0]), ([0, 1], 0.0, 0.0));
        let half = place(8, 4, 8, 2.0);
        assert_eq!((half.clips, half.weight, half.since), ([0, 1], 0.5, [1.0, -1.0]));
        let last = place(31, 4, 8, 2.0);
        assert_eq!((last.clips, last.weight), ([3, 3], 0.0));
        // Only near the middle between clips is anything mixed.
        assert_eq!(place(6, 4, 8, 2.0).weight, 0.0);
        assert_eq!(place(10, 4, 8, 2.0).weight, 1.0);
    }
}
