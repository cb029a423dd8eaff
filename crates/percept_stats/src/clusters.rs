//! Items that belong together: several trials of one stimulus, several images of one category.
//!
//! Trials of one stimulus share their truth, so they are no opponents in an identification, and they are not independent, so
//! an interval over single trials would be too narrow. Both are mended by the label of each item.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};
use percept_core::Seed;
use rand::Rng;
use rayon::prelude::*;

use crate::bootstrap::{self, Interval, LEVEL, PairedDifference, quantile};
use crate::error::{StatsError, at_least, finite, same_shape};
use crate::identification::{TwoWay, cross_correlation, cross_cosine, varying_rows};

/// Two-way identification of every item among the truths that carry another label: prediction j against the truths i whose
/// label differs, the share with r(pred j, truth i) < r(pred j, truth j). With all labels different it is
/// [`crate::identification::two_way`].
///
/// # Shapes
/// Both n_items × n_features, one label per item.
///
/// # Errors
/// Shapes that differ, an item without opponents, values that are not finite.
pub fn two_way(
    pred: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    label_of_item: &[usize],
) -> Result<TwoWay, StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    same_shape(("pred", &[pred.nrows()]), ("labels", &[label_of_item.len()]))?;
    let r = cross_correlation(pred, truth)?;
    won(&r, [&varying_rows(pred), &varying_rows(truth)], label_of_item)
}

/// The same by cosine, which sees what all rows have in common: the share of truths i of another label with
/// cos(pred j, truth i) < cos(pred j, truth j). Rows of zeros have no cosine: they have no score and are
/// no opponents.
///
/// # Shapes
/// Both n_items × n_features, one label per item.
///
/// # Errors
/// As [`two_way`].
pub fn two_way_cosine(
    pred: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    label_of_item: &[usize],
) -> Result<TwoWay, StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    same_shape(("pred", &[pred.nrows()]), ("labels", &[label_of_item.len()]))?;
    let cosines = cross_cosine(pred, truth)?;
    let points = |view: ArrayView2<'_, f32>| -> Vec<bool> {
        view.rows().into_iter().map(|row| row.iter().any(|&value| value != 0.0)).collect()
    };
    won(&cosines, [&points(pred), &points(truth)], label_of_item)
}

/// Comparisons that each prediction (row) wins for its own truth (the column of the same number) by `similarity`.
fn won(similarity: &Array2<f64>, is_defined: [&[bool]; 2], label_of_item: &[usize]) -> Result<TwoWay, StatsError> {
    let others = |item: usize| label_of_item.iter().filter(|label| **label != label_of_item[item]).count();
    (0..similarity.nrows()).try_for_each(|item| at_least("items with another label", 1, others(item)))?;
    Ok(TwoWay::new(similarity, is_defined, |item, other| label_of_item[item] != label_of_item[other]))
}

/// 95 % percentile bootstrap interval of the mean over items, where items of one label are drawn together: as many labels as
/// there are, with replacement. With all labels different it draws items.
///
/// # Errors
/// No values, lists that differ in length, values that are not finite, no draws.
///
/// # References
/// Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x (the randomised cluster bootstrap).
pub fn mean_interval(
    values: &[f64],
    label_of_item: &[usize],
    seed: Seed,
    n_draws: usize,
) -> Result<Interval, StatsError> {
    finite("values", values)?;
    let rows: Vec<[f64; 1]> = values.iter().map(|value| [*value]).collect();
    sum_interval(&rows, label_of_item, seed, n_draws, |sum, n| sum[0] / n as f64)
}

/// The same for a statistic of sums over items: `value` of the sum of the rows that a draw takes, and of their number.
///
/// # Errors
/// No rows, lists that differ in length, no draws.
pub(crate) fn sum_interval<const N: usize>(
    rows: &[[f64; N]],
    label_of_item: &[usize],
    seed: Seed,
    n_draws: usize,
    value: impl Fn(&[f64; N], usize) -> f64 + Sync,
) -> Result<Interval, StatsError> {
    same_shape(("values", &[rows.len()]), ("labels", &[label_of_item.len()]))?;
    at_least("values", 1, rows.len())?;
    at_least("draws", 1, n_draws)?;
    let mut clusters: BTreeMap<usize, ([f64; N], usize)> = BTreeMap::new();
    for (row, &label) in rows.iter().zip(label_of_item) {
        let cluster = clusters.entry(label).or_insert(([0.0; N], 0));
        cluster.0.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        cluster.1 += 1;
    }
    let clusters: Vec<([f64; N], usize)> = clusters.into_values().collect();
    let mut drawn: Vec<f64> = (0..n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.at(draw).stream();
            let (mut sum, mut n) = ([0.0; N], 0usize);
            for _ in 0..clusters.len() {
                let cluster = &clusters[stream.random_range(0..clusters.len() as u64) as usize];
                sum.iter_mut().zip(&cluster.0).for_each(|(sum, value)| *sum += value);
                n += cluster.1;
            }
            value(&sum, n)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Ok(Interval { low: quantile(&drawn, tail), high: quantile(&drawn, 1.0 - tail) })
}

/// Compares two methods item by item where items of one label belong together: the mean difference, the interval of
/// [`mean_interval`] over the differences (each draw takes the same items for both methods), and the p of a permutation test
/// that exchanges the methods for all items of a label at once.
///
/// # Errors
/// As [`mean_interval`], for lists that differ in length.
pub fn paired_difference(
    first: &[f64],
    second: &[f64],
    label_of_item: &[usize],
    seed: Seed,
    n_draws: usize,
) -> Result<PairedDifference, StatsError> {
    same_shape(("first", &[first.len()]), ("second", &[second.len()]))?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let interval = mean_interval(&differences, label_of_item, seed, n_draws)?;
    let mut sum_of_label: BTreeMap<usize, f64> = BTreeMap::new();
    for (difference, &label) in differences.iter().zip(label_of_item) {
        *sum_of_label.entry(label).or_default() += difference;
    }
    let sums: Vec<f64> = sum_of_label.into_values().collect();
    let total: f64 = sums.iter().sum();
    let p = bootstrap::sign_flip_p(&sums, seed.named("flips"), n_draws);
    Ok(PairedDifference { mean: total / differences.len() as f64, interval, p })
}

/// The same over the items for which both methods have a score, and how many these are; `None` when there are none.
///
/// # Errors
/// As [`paired_difference`].
pub fn paired_scores(
    first: &[Option<f64>],
    second: &[Option<f64>],
    label_of_item: &[usize],
    seed: Seed,
    n_draws: usize,
) -> Result<Option<(PairedDifference, usize)>, StatsError> {
    same_shape(("first", &[first.len()]), ("second", &[second.len()]))?;
    same_shape(("first", &[first.len()]), ("labels", &[label_of_item.len()]))?;
    let both = first.iter().zip(second).zip(label_of_item);
    let both = both.filter_map(|((first, second), label)| Some(((*first)?, (*second)?, *label)));
    let (mut a, mut b, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (first, second, label) in both {
        a.push(first);
        b.push(second);
        labels.push(label);
    }
    if a.is_empty() {
        return Ok(None);
    }
    Ok(Some((paired_difference(&a, &b, &labels, seed, n_draws)?, a.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identification;
    use ndarray::{Array2, array};

    fn rows(n: usize, seed: u64) -> Array2<f32> {
        Array2::from_shape_vec((n, 7), Seed::new(seed).normal(n * 7)).expect("fits")
    }

    #[test]
    fn items_of_one_label_are_no_opponents() {
        // The second item is a second trial of the first's stimulus.
        let truth = array![[1.0f32, 2.0, 4.0], [1.0, 2.0, 4.0], [3.0, 1.0, 0.0]];
        let found = two_way(truth.view(), truth.view(), &[0, 0, 1]).expect("two labels");
        assert_eq!((found.scores.values, found.ties), (vec![Some(1.0); 3], vec![0; 3]));
        two_way(truth.view(), truth.view(), &[5, 5, 5]).expect_err("no opponents");
    }

    #[test]
    fn a_common_part_hides_from_correlation_but_not_from_cosine() {
        // A prediction of the common part alone points at whichever truth has most of it.
        let truth = array![[5.0f32, 1.0, 0.0], [5.0, 0.0, 1.0], [5.0, -1.0, -1.0]];
        let pred = array![[5.0f32, 0.5, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
        let found = two_way_cosine(pred.view(), truth.view(), &[0, 1, 2]).expect("three labels");
        // cos(pred 0, ·) falls with the angle; cos(pred 1, truth) = 5/|truth| ties for truths 0 and 1.
        assert_eq!((found.scores.values, found.ties), (vec![Some(1.0), Some(0.5), None], vec![0, 1, 0]));
    }

    #[test]
    fn a_constant_difference_has_an_interval_of_no_width() {
        let first: Vec<f64> = (0..12).map(f64::from).collect();
        let second: Vec<f64> = first.iter().map(|value| value - 0.25).collect();
        let labels: Vec<usize> = (0..12).map(|item| item / 2).collect();
        let found = paired_difference(&first, &second, &labels, Seed::new(1), 999).expect("valid");
        assert_eq!((found.mean, found.interval), (0.25, Interval { low: 0.25, high: 0.25 }));
        // Of the 2⁶ ways to exchange six labels two are as extreme.
        assert!((found.p - 2.0 / 64.0).abs() < 0.02, "{}", found.p);
        let none = paired_difference(&first, &first, &labels, Seed::new(1), 99).expect("valid");
        assert_eq!((none.mean, none.p), (0.0, 1.0));
    }

    #[test]
    fn each_draw_takes_the_same_items_for_both_methods() {
        // With the same seed the draws of a difference are the differences of the draws, so their quantiles for a scaled copy
        // are scaled copies.
        let (a, b) = (rows(1, 6).row(0).mapv(f64::from).to_vec(), rows(1, 7).row(0).mapv(f64::from).to_vec());
        let labels = [0, 0, 1, 2, 2, 3, 4];
        let once = paired_difference(&a, &b, &labels, Seed::new(2), 300).expect("valid");
        let doubled: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b + 2.0 * (a - b)).collect();
        let twice = paired_difference(&doubled, &b, &labels, Seed::new(2), 300).expect("valid");
        assert!((twice.interval.low - 2.0 * once.interval.low).abs() < 1e-12);
        assert!((twice.interval.high - 2.0 * once.interval.high).abs() < 1e-12);
        assert_eq!(once.p, twice.p);
    }

    #[test]
    fn with_distinct_labels_both_are_the_plain_forms() {
        let (pred, truth) = (rows(9, 1), rows(9, 2));
        let labels: Vec<usize> = (0..9).collect();
        let found = two_way(pred.view(), truth.view(), &labels).expect("valid");
        assert_eq!(found, identification::two_way(pred.view(), truth.view()).expect("valid"));
        let values: Vec<f64> = found.scores.defined().collect();
        let plain = bootstrap::mean_interval(&values, Seed::new(3), 500).expect("valid");
        assert_eq!(mean_interval(&values, &labels, Seed::new(3), 500).expect("valid"), plain);
        let other: Vec<f64> = values.iter().rev().copied().collect();
        let paired = paired_difference(&values, &other, &labels, Seed::new(3), 500).expect("valid");
        let differences: Vec<f64> = values.iter().zip(&other).map(|(a, b)| a - b).collect();
        assert_eq!(paired.interval, bootstrap::mean_interval(&differences, Seed::new(3), 500).expect("valid"));
    }

    #[test]
    fn copies_of_an_item_do_not_narrow_the_interval() {
        let values: Vec<f64> = Seed::new(4).normal(12).into_iter().map(f64::from).collect();
        let labels: Vec<usize> = (0..12).collect();
        let once = mean_interval(&values, &labels, Seed::new(5), 500).expect("valid");
        let copied: Vec<f64> = values.iter().flat_map(|&value| [value; 6]).collect();
        let labels: Vec<usize> = labels.iter().flat_map(|&label| [label; 6]).collect();
        let clustered = mean_interval(&copied, &labels, Seed::new(5), 500).expect("valid");
        assert!((clustered.low - once.low).abs() < 1e-12 && (clustered.high - once.high).abs() < 1e-12);
        let naive = bootstrap::mean_interval(&copied, Seed::new(5), 500).expect("valid");
        assert!(naive.high - naive.low < 0.6 * (once.high - once.low));
    }
}
