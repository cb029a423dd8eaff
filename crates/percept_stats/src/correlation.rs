//! Pearson correlation, cosine, mean squared error and R², one value per row or per column, accumulated in f64.

use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::ItemScores;
use crate::error::{StatsError, at_least, finite, same_shape};

/// Pearson correlation of two vectors, `None` when one is constant.
///
/// # Numerics
/// Two passes in f64; agrees with `numpy.corrcoef` in f64 to 1e-13.
pub fn pearson<T: Copy + Into<f64>>(a: ArrayView1<'_, T>, b: ArrayView1<'_, T>) -> Option<f64> {
    let n = a.len() as f64;
    let mean = |v: ArrayView1<'_, T>| v.iter().map(|&value| value.into()).sum::<f64>() / n;
    let constant =
        |v: ArrayView1<'_, T>| v.iter().next().is_none_or(|&first| v.iter().all(|&value| value.into() == first.into()));
    if constant(a) || constant(b) {
        return None;
    }
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (a.into() - mean_a, b.into() - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    (aa > 0.0 && bb > 0.0).then(|| (ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0))
}

/// Correlation of each row of `pred` with the same row of `truth`: one value per item.
///
/// # Shapes
/// Both n_items × n_features.
///
/// # Errors
/// Shapes that differ, fewer than 2 features, values that are not finite.
pub fn rows(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<ItemScores, StatsError> {
    along(pred, truth, Axis(0), "features", pearson)
}

/// Cosine of each row of `pred` with the same row of `truth`: Σ pred·truth / (|pred|·|truth|). A row of zeros has none.
///
/// # Shapes
/// Both n_items × n_features.
///
/// # Errors
/// Shapes that differ, fewer than 2 features, values that are not finite.
///
/// # Numerics
/// f64; agrees with `sklearn.metrics.pairwise.cosine_similarity` in f64 to 1e-12.
pub fn cosine_rows(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<ItemScores, StatsError> {
    along(pred, truth, Axis(0), "features", |pred, truth| {
        let dot = |a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>| {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>()
        };
        let norms = (dot(pred, pred) * dot(truth, truth)).sqrt();
        (norms > 0.0).then(|| (dot(pred, truth) / norms).clamp(-1.0, 1.0))
    })
}

/// Mean squared difference of each row of `pred` and the same row of `truth`.
///
/// # Shapes
/// Both n_items × n_features.
///
/// # Errors
/// Shapes that differ, no features, values that are not finite.
///
/// # Numerics
/// f64; agrees with `sklearn.metrics.mean_squared_error` in f64 to 1e-12.
pub fn mse_rows(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<Vec<f64>, StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    at_least("features", 1, pred.ncols())?;
    finite("pred", pred)?;
    finite("truth", truth)?;
    let error = |row: usize| {
        let squares =
            pred.row(row).into_iter().zip(truth.row(row)).map(|(&p, &t)| (f64::from(p) - f64::from(t)).powi(2));
        squares.sum::<f64>() / pred.ncols() as f64
    };
    Ok((0..pred.nrows()).into_par_iter().map(error).collect())
}

/// Correlation of each column of `pred` with the same column of `truth`: one value per unit or target.
///
/// # Shapes
/// Both n_items × n_targets.
///
/// # Errors
/// Shapes that differ, fewer than 2 items, values that are not finite.
pub fn columns(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<ItemScores, StatsError> {
    along(pred, truth, Axis(1), "items", pearson)
}

/// Coefficient of determination of each column: 1 − Σ(truth − pred)² / Σ(truth − mean)². A constant truth has none.
///
/// # Shapes
/// Both n_items × n_targets.
///
/// # Errors
/// Shapes that differ, fewer than 2 items, values that are not finite.
///
/// # Numerics
/// Agrees with `sklearn.metrics.r2_score(multioutput="raw_values")` to 1e-12.
pub fn r2_columns(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<ItemScores, StatsError> {
    along(pred, truth, Axis(1), "items", |pred, truth| {
        let n = truth.len() as f64;
        let mean = truth.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
        let total: f64 = truth.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
        let rest: f64 = truth.iter().zip(pred).map(|(&t, &p)| (f64::from(t) - f64::from(p)).powi(2)).sum();
        let varies = truth.iter().any(|value| *value != truth[0]);
        varies.then(|| 1.0 - rest / total)
    })
}

fn along(
    pred: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    axis: Axis,
    counted: &'static str,
    score: impl Fn(ArrayView1<'_, f32>, ArrayView1<'_, f32>) -> Option<f64> + Sync,
) -> Result<ItemScores, StatsError> {
    same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
    at_least(counted, 2, pred.len_of(Axis(1 - axis.0)))?;
    finite("pred", pred)?;
    finite("truth", truth)?;
    let values: Vec<Option<f64>> = (0..pred.len_of(axis))
        .into_par_iter()
        .map(|item| score(pred.index_axis(axis, item), truth.index_axis(axis, item)))
        .collect();
    Ok(ItemScores { values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_constant_row_has_no_score_and_is_left_out_of_the_mean() {
        let (a, b) = (array![[1.0f32, 2.0, 3.0], [0.1, 0.1, 0.1]], array![[2.0f32, 4.0, 6.0], [1.0, 2.0, 3.0]]);
        let scores = rows(a.view(), b.view()).expect("same shape");
        assert_eq!((scores.undefined(), scores.values[1]), (vec![1], None));
        assert!((scores.mean().expect("one row varies") - 1.0).abs() < 1e-15);
        let none = rows(a.slice(ndarray::s![1.., ..]), b.slice(ndarray::s![1.., ..])).expect("same shape");
        assert_eq!(none.mean(), None);
    }

    #[test]
    fn bad_inputs_are_named() {
        let (a, b) = (array![[1.0f32, 2.0]], array![[1.0f32, f32::NAN]]);
        assert_eq!(rows(a.view(), b.view()), Err(StatsError::NonFinite { what: "truth", position: 1 }));
        assert_eq!(columns(a.view(), a.view()), Err(StatsError::TooFew { what: "items", needed: 2, got: 1 }));
        let error = rows(a.view(), a.t()).expect_err("other shape");
        assert!(error.to_string().contains("[1, 2]") && error.to_string().contains("[2, 1]"), "{error}");
    }
}
