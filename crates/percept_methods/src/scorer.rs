//! Scores of decoded vectors of clips and of what was made of them, each with an interval over clips.

use ndarray::{Array2, ArrayView2, Axis};
use percept_core::{ScoreRow, Seed};
use percept_pipeline::PipelineError;
use percept_stats::bootstrap::statistic_interval;
use percept_stats::clusters::mean_interval;
use percept_stats::identification::{TWO_WAY_CHANCE, n_way, two_way};
use percept_stats::{StatsError, correlation};

/// Draws of every interval.
const DRAWS: usize = 2_000;
/// Of how many the right one is to be told, beside two.
pub(crate) const MANY: usize = 10;

/// Makes the rows of one method on one split.
pub(crate) struct Scorer<'a> {
    pub method: &'a str,
    pub split: &'a str,
    pub seed: Seed,
    /// The block of each clip: clips of one are drawn together, since neighbours resemble each other. Without blocks each by itself.
    pub blocks: Option<&'a [usize]>,
}

impl Scorer<'_> {
    fn row(&self, metric: &str, value: f64, [low, high]: [f64; 2], chance: Option<f64>, n: [usize; 2]) -> ScoreRow {
        ScoreRow {
            method: self.method.to_owned(),
            split: self.split.to_owned(),
            metric: metric.to_owned(),
            value,
            low,
            high,
            chance,
            n: n[0],
            n_undefined: n[1],
        }
    }

    /// The mean of what each clip scores; nothing where no clip has a score.
    pub(crate) fn mean(
        &self,
        metric: &str,
        values: &[Option<f64>],
        chance: Option<f64>,
    ) -> Result<Option<ScoreRow>, PipelineError> {
        let block = |clip: usize| self.blocks.map_or(clip, |blocks| blocks[clip]);
        let (defined, labels): (Vec<f64>, Vec<usize>) =
            values.iter().enumerate().filter_map(|(clip, value)| Some(((*value)?, block(clip)))).unzip();
        if defined.is_empty() {
            return Ok(None);
        }
        let interval = mean_interval(&defined, &labels, self.seed.named(metric), DRAWS)?;
        let value = defined.iter().sum::<f64>() / defined.len() as f64;
        let n = [defined.len(), values.len() - defined.len()];
        Ok(Some(self.row(metric, value, [interval.low, interval.high], chance, n)))
    }

    /// Identification of vectors among the true ones, of two and of many.
    pub(crate) fn identification(
        &self,
        predicted: ArrayView2<'_, f32>,
        truth: ArrayView2<'_, f32>,
    ) -> Result<Vec<ScoreRow>, PipelineError> {
        let shares = two_way(predicted, truth)?.scores.values;
        let n = truth.nrows();
        let many: Vec<Option<f64>> = shares.iter().map(|share| share.map(|share| n_way(share, n, MANY))).collect();
        let rows = [
            self.mean("identification", &shares, Some(TWO_WAY_CHANCE))?,
            self.mean("ten_way", &many, Some(1.0 / MANY.min(n) as f64))?,
        ];
        Ok(rows.into_iter().flatten().collect())
    }

    /// The mean over dimensions of the correlation over windows; the interval draws clips, with all of their windows.
    pub(crate) fn correlation(
        &self,
        predicted: ArrayView2<'_, f32>,
        truth: ArrayView2<'_, f32>,
        clip: &[usize],
    ) -> Result<Option<ScoreRow>, PipelineError> {
        let mean = |predicted: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>| -> Result<Option<f64>, StatsError> {
            let defined: Vec<f64> = correlation::columns(predicted, truth)?.values.into_iter().flatten().collect();
            Ok((!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64))
        };
        let Some(value) = mean(predicted, truth)? else { return Ok(None) };
        let mut clips = clip.to_vec();
        clips.dedup();
        let rows_of: Vec<Vec<usize>> =
            clips.iter().map(|own| (0..clip.len()).filter(|&row| clip[row] == *own).collect()).collect();
        let drawn = |places: &[usize]| -> Option<f64> {
            let rows: Vec<usize> = places.iter().flat_map(|&place| rows_of[place].clone()).collect();
            let take = |of: ArrayView2<'_, f32>| -> Array2<f32> { of.select(Axis(0), &rows) };
            mean(take(predicted).view(), take(truth).view()).ok().flatten()
        };
        let interval = statistic_interval(clips.len(), drawn, self.seed.named("correlation"), CORRELATION_DRAWS)?;
        Ok(Some(self.row("correlation", value, [interval.low, interval.high], Some(0.0), [clips.len(), 0])))
    }
}

/// Draws of the interval of a correlation, each of which is over all dimensions.
const CORRELATION_DRAWS: usize = 300;
