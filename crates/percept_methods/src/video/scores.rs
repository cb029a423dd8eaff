//! Scores of films: per arm a mean over clips with an interval, and what an arm has more than those that stand beside it.

use ndarray::{ArrayView1, ArrayView2};
use percept_core::score::DifferenceRow;
use percept_core::{ScoreRow, Seed};
use percept_pipeline::PipelineError;
use percept_stats::classification::n_way_top;
use percept_stats::clusters::paired_scores;
use percept_stats::identification::two_way;

use super::bench::Bench;
use super::measure::Measured;
use crate::scorer::Scorer;

/// The side that is scored.
pub(super) const SPLIT: &str = "test";
/// Clips that are drawn together, seconds: neighbours show the same shot.
const BLOCK_SECS: f64 = 10.0;
/// Draws of differences.
const DRAWS: usize = 2_000;
/// Which share of the motion of a clip must go one way for it to have a direction.
const DIRECTED: f32 = 0.6;
/// How fast it must be, relative to the fastest tenth of clips.
const FAST: f32 = 0.25;
/// Directions that are told apart.
const N_DIRECTIONS: f64 = 4.0;

/// What was measured of every clip of an arm, by the metric's name.
pub(super) type PerClip = Vec<(String, Vec<Option<f64>>, Option<f64>)>;

/// The block of each test clip.
pub(super) fn blocks(bench: &Bench<'_>) -> Vec<usize> {
    let per_block = (BLOCK_SECS / bench.clips.tr_secs).round().max(1.0) as usize;
    let mut blocks = Vec::new();
    let clips =
        bench.clips.sides[1].chunk_by(|a, b| (a.segment, a.scan / per_block) == (b.segment, b.scan / per_block));
    for (number, block) in clips.enumerate() {
        blocks.extend(vec![number; block.len()]);
    }
    blocks
}

/// Rows of one arm.
pub(super) fn rows(
    name: &str,
    per_clip: &PerClip,
    blocks: &[usize],
    seed: Seed,
) -> Result<Vec<ScoreRow>, PipelineError> {
    let scorer = Scorer { method: name, split: SPLIT, seed: seed.named(name), blocks: Some(blocks) };
    let mut rows = Vec::new();
    for (metric, values, chance) in per_clip {
        rows.extend(scorer.mean(metric, values, *chance)?);
    }
    Ok(rows)
}

/// Everything that an arm's clips score.
pub(super) fn per_clip(bench: &Bench<'_>, own: &Measured, truth: &Measured) -> Result<PerClip, PipelineError> {
    let mut all: PerClip = Vec::new();
    for (name, chance) in [("ssim", None), ("psnr", None), ("pixcorr", Some(0.0))] {
        all.push((name.to_owned(), own.column(name), chance));
    }
    if let (Some(own), Some(truth)) = (&own.clip, &truth.clip) {
        all.push(("twoway_clip".to_owned(), identified(own.view(), truth.view())?, Some(0.5)));
    }
    for (kind, own, truth) in [("frame", &own.frames, &truth.frames), ("video", &own.films, &truth.films)] {
        let (Some(own), Some(truth)) = (own, truth) else { continue };
        for &ways in &bench.experiment.evaluate.ways {
            for (top, word) in [(1, "strict"), (3, "top3")] {
                let pairs = own.outer_iter().zip(truth.outer_iter());
                let values = pairs.map(|(own, truth)| n_way_top(own, truth, ways, top)).collect();
                let ways_of = ways.min(truth.ncols().saturating_sub(top) + 1);
                let chance = top as f64 / (ways_of + top - 1) as f64;
                all.push((format!("{kind}_{ways}way_{word}"), values, Some(chance)));
            }
        }
    }
    all.push(("clip_consistency".to_owned(), own.column("consistency"), None));
    all.push(("flow_agreement".to_owned(), own.column("flow_agreement"), Some(0.0)));
    all.push(("flow_error".to_owned(), own.column("flow_error"), None));
    all.extend(of_motion(own.motion.view(), truth.motion.view())?);
    Ok(all)
}

/// What motion in cells scores, of a film or as it was decoded.
pub(super) fn of_motion(own: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<PerClip, PipelineError> {
    // Without motion it is a guess.
    let stands = |row: ArrayView1<'_, f32>| row.iter().all(|value| *value == 0.0);
    let told = identified(own, truth)?;
    let told = told.into_iter().zip(own.outer_iter()).map(|(value, row)| if stands(row) { Some(0.5) } else { value });
    Ok(vec![
        ("motion_twoway".to_owned(), told.collect(), Some(0.5)),
        ("direction".to_owned(), directions(own, truth), Some(1.0 / N_DIRECTIONS)),
    ])
}

/// The share of other clips that each is told from; what does not vary is told from half of them.
fn identified(own: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<Vec<Option<f64>>, PipelineError> {
    let found = two_way(own, truth)?;
    let n = truth.nrows().saturating_sub(1).max(1) as f64;
    let of_row = |(value, ties): (&Option<f64>, &usize)| value.map(|value| value + 0.5 * *ties as f64 / n);
    Ok(found.scores.values.iter().zip(&found.ties).map(of_row).collect())
}

/// The net motion of a clip: mean to the right and downwards, and the mean speed of its cells.
fn net(motion: ArrayView1<'_, f32>) -> ([f32; 2], f32) {
    let cells = motion.len() / 2;
    let (right, down) = motion.split_at(ndarray::Axis(0), cells);
    let mean = |values: ArrayView1<'_, f32>| values.sum() / cells.max(1) as f32;
    let speed = right.iter().zip(&down).map(|(x, y)| x.hypot(*y)).sum::<f32>() / cells.max(1) as f32;
    ([mean(right), mean(down)], speed)
}

/// 0 right, 1 left, 2 down, 3 up.
fn quadrant([right, down]: [f32; 2]) -> usize {
    match (right.abs() >= down.abs(), right >= 0.0, down >= 0.0) {
        (true, true, _) => 0,
        (true, false, _) => 1,
        (false, _, true) => 2,
        (false, _, false) => 3,
    }
}

/// Whether the direction of each clip that moves one way is told, of four; `None` for the others. Without motion it is told by chance.
fn directions(own: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Vec<Option<f64>> {
    let moving: Vec<([f32; 2], f32)> = truth.outer_iter().map(net).collect();
    let mut speeds: Vec<f32> = moving.iter().map(|(_, speed)| *speed).collect();
    speeds.sort_unstable_by(f32::total_cmp);
    let fastest = speeds.get(speeds.len() * 9 / 10).copied().unwrap_or(0.0);
    own.outer_iter()
        .zip(moving)
        .map(|(own, (way, speed))| {
            let is_directed = speed > 0.0 && speed >= FAST * fastest && way[0].hypot(way[1]) >= DIRECTED * speed;
            is_directed.then(|| {
                let (found, found_speed) = net(own);
                if found_speed <= 1e-6 {
                    return 1.0 / N_DIRECTIONS;
                }
                f64::from(u8::from(quadrant(found) == quadrant(way)))
            })
        })
        .collect()
}

/// What `first` scores more than `second` by one metric.
pub(super) fn difference(
    metric: &str,
    (first_name, first): (&str, &PerClip),
    (second_name, second): (&str, &PerClip),
    blocks: &[usize],
    seed: Seed,
) -> Result<Option<DifferenceRow>, PipelineError> {
    let values = |of: &PerClip| of.iter().find(|(name, ..)| name == metric).map(|(_, values, _)| values.clone());
    let (Some(a), Some(b)) = (values(first), values(second)) else { return Ok(None) };
    let seed = seed.named(first_name).named(second_name).named(metric);
    let Some((found, n)) = paired_scores(&a, &b, blocks, seed, DRAWS)? else { return Ok(None) };
    Ok(Some(DifferenceRow {
        method: first_name.to_owned(),
        reference: second_name.to_owned(),
        split: SPLIT.to_owned(),
        metric: metric.to_owned(),
        value: found.mean,
        low: found.interval.low,
        high: found.interval.high,
        p: found.p,
        n,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn directions_are_told_where_there_is_one() {
        // Two cells: right, right, down, down.
        let truth =
            array![[1.0f32, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -1.0], [1.0, -1.0, 0.0, 0.0], [0.01, 0.01, 0.0, 0.0]];
        let own = array![[0.5f32, 0.3, 0.1, 0.0], [0.3, 0.2, 0.1, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
        assert_eq!(directions(own.view(), truth.view()), vec![Some(1.0), Some(0.0), None, None]);
        let still = ndarray::Array2::zeros((4, 4));
        assert_eq!(directions(still.view(), truth.view())[0], Some(0.25));
        // Backwards, every direction is wrong.
        assert_eq!(directions((&truth * -1.0).view(), truth.view())[..2], [Some(0.0), Some(0.0)]);
    }
}
