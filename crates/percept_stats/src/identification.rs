//! Two-way identification: is a reconstruction more like its own stimulus than like another one?
//!
//! The correlations of all pairs come from one matrix product in f64. Comparison is strict, so a tie is a failure; ties are
//! counted. A constant picture has no correlation: as a reconstruction or as its own stimulus it leaves the item without a
//! score, and as another stimulus it is no opponent.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::ItemScores;
use crate::error::{StatsError, at_least, finite, same_shape};

/// Which comparisons an item enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Prediction j against all truths: the share of i ≠ j with r(pred j, truth i) < r(pred j, truth j).
    /// Brain-Diffuser, MindEye 1 and 2.
    AmongTruths,
    /// Truth j against all predictions: the share of i ≠ j with r(pred i, truth j) < r(pred j, truth j).
    /// Takagi and Nishimoto 2023.
    AmongPredictions,
}

/// Two-way identification of every item.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoWay {
    /// Per item the share of comparisons won, in 0..=1; chance is [`TWO_WAY_CHANCE`]. `None` where the item's own similarity is
    /// not defined, or that of every opponent.
    pub scores: ItemScores,
    /// Per item the number of comparisons that were ties, which count as lost.
    pub ties: Vec<usize>,
}

impl TwoWay {
    /// Compares each item's own similarity (the diagonal) with that of its opponents in the same row. `rows` and `columns` say
    /// whether those of `similarity` are defined.
    pub(crate) fn new(
        similarity: &Array2<f64>,
        [rows, columns]: [&[bool]; 2],
        is_opponent: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let n = similarity.nrows();
        let (mut values, mut ties) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (item, row) in similarity.rows().into_iter().enumerate() {
            let own = row[item];
            let is_defined = rows[item] && columns[item];
            let opponents = || (0..n).filter(|&other| is_defined && columns[other] && is_opponent(item, other));
            let (n_opponents, won) = (opponents().count(), opponents().filter(|&other| row[other] < own).count());
            values.push((n_opponents > 0).then(|| won as f64 / n_opponents as f64));
            ties.push(opponents().filter(|&other| row[other] == own).count());
        }
        Self { scores: ItemScores { values }, ties }
    }
}

/// The expected share of comparisons won by guessing.
pub const TWO_WAY_CHANCE: f64 = 0.5;

/// The chance that an item which wins the share `share` of its `n_items` − 1 comparisons wins against `ways` − 1 opponents that are drawn
/// without replacement: identification among `ways`. With fewer items than `ways`, among all of them.
pub fn n_way(share: f64, n_items: usize, ways: usize) -> f64 {
    let opponents = n_items.saturating_sub(1);
    let beaten = (share * opponents as f64).round();
    // C(beaten, k) / C(opponents, k), factor by factor.
    (0..ways.min(n_items).saturating_sub(1))
        .map(|drawn| ((beaten - drawn as f64) / (opponents - drawn) as f64).max(0.0))
        .product()
}

/// Features converted to f64 at a time.
const CHUNK: usize = 4096;
/// Rows of the correlation matrix per task.
const PANEL: usize = 64;

/// Two-way identification in the dialect [`Dialect::AmongTruths`], one value per item.
///
/// # Shapes
/// Both n_items × n_features (pixels, or the features of any model).
///
/// # Errors
/// Shapes that differ, fewer than 2 items or features, values that are not finite.
///
/// # Example
/// ```
/// use ndarray::array;
/// let truth = array![[1.0f32, 2.0, 4.0], [3.0, 1.0, 0.0], [0.0, 5.0, 1.0]];
/// let found = percept_stats::identification::two_way(truth.view(), truth.view())?;
/// assert_eq!(found.scores.values, vec![Some(1.0); 3]);
/// # Ok::<(), percept_stats::StatsError>(())
/// ```
pub fn two_way(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<TwoWay, StatsError> {
    two_way_in(Dialect::AmongTruths, pred, truth)
}

/// Two-way identification in a named dialect.
///
/// # Errors
/// As [`two_way`].
pub fn two_way_in(
    dialect: Dialect,
    pred: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
) -> Result<TwoWay, StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    at_least("items", 2, pred.nrows())?;
    let r = match dialect {
        Dialect::AmongTruths => cross_correlation(pred, truth)?,
        Dialect::AmongPredictions => cross_correlation(truth, pred)?,
    };
    let (pred, truth) = (varying_rows(pred), varying_rows(truth));
    let varies = match dialect {
        Dialect::AmongTruths => [&pred[..], &truth],
        Dialect::AmongPredictions => [&truth[..], &pred],
    };
    Ok(TwoWay::new(&r, varies, |item, other| item != other))
}

/// Whether each row holds different numbers.
pub(crate) fn varying_rows(view: ArrayView2<'_, f32>) -> Vec<bool> {
    view.rows().into_iter().map(|row| !is_constant(row)).collect()
}

/// Pearson correlation of every row of `a` with every row of `b`: n_a × n_b; 0 where a row is constant.
///
/// # Shapes
/// `a` n_a × n_features, `b` n_b × n_features.
///
/// # Errors
/// Numbers of features that differ or are below 2, values that are not finite.
///
/// # Numerics
/// f64 throughout, features in chunks, so that no f64 copy of the inputs is held. Rows that are equal give equal bits.
pub fn cross_correlation(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Result<Array2<f64>, StatsError> {
    cross(a, b, row_moments)
}

/// Cosine of every row of `a` with every row of `b`: n_a × n_b; 0 where a row is zero.
///
/// # Errors
/// As [`cross_correlation`].
pub fn cross_cosine(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Result<Array2<f64>, StatsError> {
    cross(a, b, row_norms)
}

/// Mean and norm of each row.
type RowMoments = fn(ArrayView2<'_, f32>) -> (Vec<f64>, Vec<f64>);

/// Products of the rows of `a` with those of `b`, after `moments` (mean and norm of each row) are taken off and divided out.
fn cross(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, moments: RowMoments) -> Result<Array2<f64>, StatsError> {
    same_shape(("features of the first", &[a.ncols()]), ("features of the second", &[b.ncols()]))?;
    at_least("features", 2, a.ncols())?;
    finite("first", a)?;
    finite("second", b)?;
    let ((mean_a, norm_a), (mean_b, norm_b)) = (moments(a), moments(b));
    let mut r = Array2::<f64>::zeros((a.nrows(), b.nrows()));
    for start in (0..a.ncols()).step_by(CHUNK) {
        let columns = start..(start + CHUNK).min(a.ncols());
        let centred = |view: ArrayView2<'_, f32>, means: &[f64]| {
            let mut part = view.slice(s![.., columns.clone()]).mapv(f64::from);
            part.axis_iter_mut(Axis(0)).into_par_iter().zip(means).for_each(|(mut row, mean)| row -= *mean);
            part
        };
        let (a, b) = (centred(a, &mean_a), centred(b, &mean_b));
        r.axis_chunks_iter_mut(Axis(0), PANEL).into_par_iter().zip(a.axis_chunks_iter(Axis(0), PANEL)).for_each(
            |(mut r, a)| {
                ndarray::linalg::general_mat_mul(1.0, &a, &b.t(), 1.0, &mut r);
            },
        );
    }
    for (mut row, &a) in r.rows_mut().into_iter().zip(&norm_a) {
        for (value, &b) in row.iter_mut().zip(&norm_b) {
            *value = if a > 0.0 && b > 0.0 { *value / (a * b) } else { 0.0 };
        }
    }
    Ok(r)
}

/// Mean and norm about it of each row; the norm of a constant row is exactly 0.
fn row_moments(view: ArrayView2<'_, f32>) -> (Vec<f64>, Vec<f64>) {
    view.axis_iter(Axis(0))
        .into_par_iter()
        .map(|row| {
            let mean = row.iter().map(|&value| f64::from(value)).sum::<f64>() / row.len() as f64;
            let square: f64 = row.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
            (mean, if is_constant(row) { 0.0 } else { square.sqrt() })
        })
        .unzip()
}

/// Zero for the mean and the norm of each row.
fn row_norms(view: ArrayView2<'_, f32>) -> (Vec<f64>, Vec<f64>) {
    let norm = |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    view.axis_iter(Axis(0)).into_par_iter().map(|row| (0.0, norm(row))).unzip()
}

fn is_constant(row: ndarray::ArrayView1<'_, f32>) -> bool {
    row.iter().all(|value| *value == row[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn identification_among_many_follows_from_comparisons_of_two() {
        assert_eq!(n_way(1.0, 60, 10), 1.0);
        assert_eq!(n_way(0.0, 60, 2), 0.0);
        assert!((n_way(0.75, 61, 2) - 0.75).abs() < 1e-12);
        // 3 of 4 opponents beaten, two of them drawn: 3/4 · 2/3.
        assert!((n_way(0.75, 5, 3) - 0.5).abs() < 1e-12);
        // Over all places that guessing may take, the right one of ten is told in a tenth of the cases.
        let mean = (0..60).map(|beaten| n_way(f64::from(beaten) / 59.0, 60, 10)).sum::<f64>() / 60.0;
        assert!((mean - 0.1).abs() < 1e-12, "{mean}");
    }

    #[test]
    fn a_constant_picture_has_no_score_and_is_no_opponent() {
        let truth = array![[1.0f32, 2.0, 4.0], [3.0, 1.0, 0.0], [0.0, 5.0, 1.0]];
        let mut pred = truth.clone();
        pred.row_mut(1).fill(0.3);
        let found = two_way(pred.view(), truth.view()).expect("same shape");
        assert_eq!(found.scores.values, vec![Some(1.0), None, Some(1.0)]);
        assert_eq!(found.ties, vec![0, 0, 0]);
        // Three of six stimuli are grey: perfect reconstructions of the others are identified among each other.
        let mut grey = Array2::from_shape_fn((6, 4), |(row, column)| {
            ((row * 7 + column * 5) * (row + column * 3 + 1) % 11) as f32
        });
        for row in [0, 2, 4] {
            grey.row_mut(row).fill(0.5);
        }
        let found = two_way(grey.view(), grey.view()).expect("same shape");
        assert_eq!(found.scores.values, vec![None, Some(1.0), None, Some(1.0), None, Some(1.0)]);
    }

    #[test]
    fn equal_stimuli_tie_and_a_tie_is_lost() {
        let truth = array![[1.0f32, 2.0, 4.0], [1.0, 2.0, 4.0], [0.0, 5.0, 1.0]];
        let found = two_way(truth.view(), truth.view()).expect("same shape");
        assert_eq!(found.scores.values, vec![Some(0.5), Some(0.5), Some(1.0)]);
        assert_eq!(found.ties, vec![1, 1, 0]);
    }

    #[test]
    fn the_dialects_are_each_other_with_roles_exchanged() {
        let pred = array![[1.0f32, 2.0, 3.0, 0.0], [0.0, 1.0, 5.0, 2.0], [3.0, 3.5, 0.0, 1.0], [2.0, 0.0, 0.0, 1.5]];
        let truth = array![[2.0f32, 1.0, 3.0, 1.0], [0.0, 4.0, 2.0, 2.0], [1.0, 3.0, 0.5, 1.0], [0.0, 1.0, 0.0, 1.0]];
        let among_predictions = two_way_in(Dialect::AmongPredictions, pred.view(), truth.view()).expect("scores");
        assert_eq!(among_predictions, two_way(truth.view(), pred.view()).expect("scores"));
        assert_ne!(among_predictions, two_way(pred.view(), truth.view()).expect("scores"));
    }
}
