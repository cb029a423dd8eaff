//! From statistics of pairs to scores with intervals and chance.

use percept_core::{Seed, seed};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Interval, quantile};
use crate::clusters;
use crate::error::{StatsError, at_least, same_shape};
use crate::significance::permutation_p;

use super::bleu::{Bleu, SentenceBleu};
use super::cider::{self, Cider};
use super::clip::{Clip, ClipEmbeddings};
use super::corpus::Captions;
use super::meteor::Meteor;
use super::metric::Metric;
use super::rouge::Rouge;

/// Up to this many items all pairs are scored once for the shuffles; beyond it the table would take more memory than it is worth.
const TABLE_ITEMS: usize = 400;

/// How scores get their intervals and chance.
#[derive(Clone, Copy, Debug)]
pub struct ScoreSettings<'a> {
    /// Seed of bootstrap draws and shuffles.
    pub seed: Seed,
    /// Bootstrap draws.
    pub n_draws: usize,
    /// Shuffles of the predictions over the items; 0 leaves chance out.
    pub n_shuffles: usize,
    /// Items of one label (several trials of one stimulus) are drawn together; all different unless given.
    pub labels: Option<&'a [usize]>,
}

impl ScoreSettings<'_> {
    /// 1000 draws and 1000 shuffles, items on their own.
    pub fn new(seed: Seed) -> Self {
        Self { seed, n_draws: 1000, n_shuffles: 1000, labels: None }
    }
}

/// What a metric gives when the same predictions are assigned to the items at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// The mean over shuffles.
    pub mean: f64,
    /// Their 97.5th percentile.
    pub p97_5: f64,
    /// Their 99.9th percentile.
    pub p99_9: f64,
    /// One-sided p of the observed value: (1 + shuffles that reach it) / (1 + shuffles).
    pub p: f64,
    /// How many shuffles there were.
    pub n_shuffles: usize,
}

/// One metric of a set of captions.
#[derive(Clone, Debug, PartialEq)]
pub struct TextScore {
    /// The metric: `bleu4`, `cider` ….
    pub metric: &'static str,
    /// Its value over all items.
    pub value: f64,
    /// Its value for each item alone. For a corpus metric (`bleu1`…`bleu4`, `meteor`) `value` is not their mean.
    pub items: Vec<f64>,
    /// 95 % percentile bootstrap interval of `value` over items.
    pub interval: Interval,
    /// What shuffled predictions score; `None` for a single item.
    pub chance: Option<Chance>,
}

/// All metrics of words, in the order `bleu1` … `bleu4`, `bleu4_sentence`, `rouge_l`, `meteor`, `cider`.
///
/// # Errors
/// No draws, labels that differ in number from the items.
///
/// # Numerics
/// The interval of a corpus metric draws the statistics of items and computes the metric of their sum; document frequencies of
/// CIDEr stay those of all items. Shuffle k is the permutation of the stream `seed.named("shuffles").at(k)`, the same for all
/// metrics.
pub fn score(captions: &Captions, settings: ScoreSettings<'_>) -> Result<Vec<TextScore>, StatsError> {
    let n = captions.n_items();
    let mut scores = scores_of(&Bleu::new(captions), n, settings)?;
    scores.extend(scores_of(&SentenceBleu(Bleu::new(captions)), n, settings)?);
    scores.extend(scores_of(&Rouge(captions), n, settings)?);
    scores.extend(scores_of(&Meteor::new(captions), n, settings)?);
    scores.extend(scores_of(&Cider::new(captions, cider::Dialect::Clipped), n, settings)?);
    Ok(scores)
}

/// `clipscore`, and `refclipscore` where references are embedded.
///
/// # Errors
/// As [`score`]; embeddings that do not fit together, are zero or not finite.
pub fn score_clip(embeddings: ClipEmbeddings<'_>, settings: ScoreSettings<'_>) -> Result<Vec<TextScore>, StatsError> {
    let clip = Clip::new(embeddings)?;
    let n = clip.n_items();
    if clip.has_references() { scores_of::<2>(&clip, n, settings) } else { scores_of::<1>(&clip, n, settings) }
}

fn scores_of<const N: usize>(
    metric: &impl Metric<N>,
    n: usize,
    settings: ScoreSettings<'_>,
) -> Result<Vec<TextScore>, StatsError> {
    at_least("items", 1, n)?;
    let own: Vec<usize> = (0..n).collect();
    let labels = settings.labels.unwrap_or(&own);
    same_shape(("items", &[n]), ("labels", &[labels.len()]))?;
    let rows: Vec<[f64; N]> = (0..n).into_par_iter().map(|item| metric.statistics(item, item)).collect();
    let total = sum(rows.iter());
    let shuffled = shuffled_sums(metric, n, settings);
    let names = metric.names();
    names
        .into_iter()
        .enumerate()
        .map(|(position, name)| {
            let value = metric.value(position, &total, n);
            let of_sum = |sum: &[f64; N], n: usize| metric.value(position, sum, n);
            let interval = clusters::sum_interval(&rows, labels, settings.seed.named(name), settings.n_draws, of_sum)?;
            let chance = chance(value, shuffled.iter().map(|sum| metric.value(position, sum, n)).collect())?;
            let items = rows.iter().map(|row| metric.value(position, row, 1)).collect();
            Ok(TextScore { metric: name, value, items, interval, chance })
        })
        .collect()
}

/// The sum of statistics for each shuffle of the predictions.
fn shuffled_sums<const N: usize>(metric: &impl Metric<N>, n: usize, settings: ScoreSettings<'_>) -> Vec<[f64; N]> {
    if n < 2 {
        return Vec::new();
    }
    let root = settings.seed.named("shuffles");
    let table: Option<Vec<[f64; N]>> = (n <= settings.n_shuffles.min(TABLE_ITEMS))
        .then(|| (0..n * n).into_par_iter().map(|pair| metric.statistics(pair / n, pair % n)).collect());
    let statistics = |predicted: usize, item: usize| match &table {
        Some(table) => table[predicted * n + item],
        None => metric.statistics(predicted, item),
    };
    (0..settings.n_shuffles as u64)
        .into_par_iter()
        .map(|shuffle| {
            let order = seed::permutation(root.at(shuffle), n);
            let rows: Vec<[f64; N]> = order.iter().enumerate().map(|(item, &from)| statistics(from, item)).collect();
            sum(rows.iter())
        })
        .collect()
}

fn sum<'a, const N: usize>(rows: impl Iterator<Item = &'a [f64; N]>) -> [f64; N] {
    rows.fold([0.0; N], |sum, row| std::array::from_fn(|i| sum[i] + row[i]))
}

fn chance(value: f64, mut shuffled: Vec<f64>) -> Result<Option<Chance>, StatsError> {
    if shuffled.is_empty() {
        return Ok(None);
    }
    shuffled.sort_by(f64::total_cmp);
    Ok(Some(Chance {
        mean: shuffled.iter().sum::<f64>() / shuffled.len() as f64,
        p97_5: quantile(&shuffled, 0.975),
        p99_9: quantile(&shuffled, 0.999),
        p: permutation_p(value, &shuffled)?,
        n_shuffles: shuffled.len(),
    }))
}
