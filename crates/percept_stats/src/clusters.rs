//! Items that belong together: several trials of one stimulus, several images of one category.
//!
//! Trials of one stimulus share their truth, so they are no opponents in an identification, and they are not independent, so
//! an interval over single trials would be too narrow. Both are mended by the label of each item.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use percept_core::Seed;
use rand::Rng;
use rayon::prelude::*;

use crate::bootstrap::{Interval, LEVEL, quantile};
use crate::error::{StatsError, at_least, finite, same_shape};
use crate::identification::{TwoWay, constant_rows, cross_correlation};

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
    let (pred_constant, truth_constant) = (constant_rows(pred), constant_rows(truth));
    let n = r.nrows();
    let undefined: Vec<usize> = (0..n).filter(|&item| pred_constant[item] || truth_constant[item]).collect();
    let mut scores = TwoWay { values: Vec::with_capacity(n), ties: Vec::with_capacity(n), undefined };
    for (item, row) in r.rows().into_iter().enumerate() {
        let own = row[item];
        let opponents = || {
            row.iter().zip(label_of_item).filter(|(_, label)| **label != label_of_item[item]).map(|(value, _)| *value)
        };
        let n_opponents = opponents().count();
        at_least("items with another label", 1, n_opponents)?;
        let defined = scores.undefined.binary_search(&item).is_err();
        let won = if defined { opponents().filter(|&value| value < own).count() } else { 0 };
        scores.values.push(won as f64 / n_opponents as f64);
        scores.ties.push(opponents().filter(|&value| value == own).count());
    }
    Ok(scores)
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
    same_shape(("values", &[values.len()]), ("labels", &[label_of_item.len()]))?;
    at_least("values", 1, values.len())?;
    at_least("draws", 1, n_draws)?;
    finite("values", values)?;
    let mut clusters: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for (value, &label) in values.iter().zip(label_of_item) {
        let cluster = clusters.entry(label).or_default();
        cluster.0 += value;
        cluster.1 += 1;
    }
    let clusters: Vec<(f64, usize)> = clusters.into_values().collect();
    let mut means: Vec<f64> = (0..n_draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut stream = seed.at(draw).stream();
            let (mut sum, mut n) = (0.0, 0usize);
            for _ in 0..clusters.len() {
                let cluster = clusters[stream.random_range(0..clusters.len() as u64) as usize];
                sum += cluster.0;
                n += cluster.1;
            }
            sum / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Ok(Interval { low: quantile(&means, tail), high: quantile(&means, 1.0 - tail) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bootstrap, identification};
    use ndarray::{Array2, array};

    fn rows(n: usize, seed: u64) -> Array2<f32> {
        Array2::from_shape_vec((n, 7), Seed::new(seed).normal(n * 7)).expect("fits")
    }

    #[test]
    fn items_of_one_label_are_no_opponents() {
        // The second item is a second trial of the first's stimulus.
        let truth = array![[1.0f32, 2.0, 4.0], [1.0, 2.0, 4.0], [3.0, 1.0, 0.0]];
        let scores = two_way(truth.view(), truth.view(), &[0, 0, 1]).expect("two labels");
        assert_eq!((scores.values, scores.ties), (vec![1.0; 3], vec![0; 3]));
        two_way(truth.view(), truth.view(), &[5, 5, 5]).expect_err("no opponents");
    }

    #[test]
    fn with_distinct_labels_both_are_the_plain_forms() {
        let (pred, truth) = (rows(9, 1), rows(9, 2));
        let labels: Vec<usize> = (0..9).collect();
        let scores = two_way(pred.view(), truth.view(), &labels).expect("valid");
        assert_eq!(scores, identification::two_way(pred.view(), truth.view()).expect("valid"));
        let plain = bootstrap::mean_interval(&scores.values, Seed::new(3), 500).expect("valid");
        assert_eq!(mean_interval(&scores.values, &labels, Seed::new(3), 500).expect("valid"), plain);
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
