//! Every score, every way of folding and every precision against models that are fitted again without each fold, in f64. The
//! targets are noise, so that large penalties win: there predictions hardly differ, and differences of sums would be rounding.

use ndarray::{Array2, ArrayView2, Axis};
use percept_regress::{Folds, Path, Pooling, Real, RidgeCv, RidgeParams, Score};

use crate::data::{normal, slow_ridge};

const N: usize = 120;
const N_TARGETS: usize = 12;

/// Single precision: features, targets and products are rounded to 6e-8, scores are sums over 120 samples.
const SINGLE: f64 = 2e-5;
const DOUBLE: f64 = 1e-7;

/// Each fold: the samples that train and those that are scored.
type Splits = Vec<(Vec<usize>, Vec<usize>)>;

fn foldings() -> Vec<(&'static str, Folds, Splits)> {
    let of_labels = |labels: &[usize]| -> Splits {
        let most = labels.iter().max().copied().unwrap_or(0);
        (0..=most)
            .map(|fold| (0..N).partition(|&sample| labels[sample] != fold))
            .filter(|(_, held): &(Vec<usize>, Vec<usize>)| !held.is_empty())
            .collect()
    };
    let tenths: Vec<usize> = (0..N).map(|sample| sample * 10 / N).collect();
    let triples: Vec<usize> = (0..N).map(|sample| sample % 40).collect();
    let gaps: Splits = [0..30usize, 20..60, 90..120]
        .into_iter()
        .map(|held| ((0..N).filter(|sample| !held.contains(sample)).collect(), held.collect()))
        .collect();
    vec![
        ("ten folds", Folds::by_label(&tenths).expect("folds"), of_labels(&tenths)),
        ("groups of three", Folds::by_label(&triples).expect("groups"), of_labels(&triples)),
        ("overlapping splits", Folds::splits(&gaps, N).expect("splits"), gaps),
    ]
}

/// Weighted score of some predictions.
fn score_of(y: &[f64], p: &[f64], w: &[f64], score: Score) -> f64 {
    let total: f64 = w.iter().sum();
    let mean = |v: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>() / total;
    let about = |a: &[f64], b: &[f64]| {
        let (mean_a, mean_b) = (mean(a), mean(b));
        a.iter().zip(b).zip(w).map(|((a, b), w)| w * (a - mean_a) * (b - mean_b)).sum::<f64>()
    };
    let squares: f64 = y.iter().zip(p).zip(w).map(|((y, p), w)| w * (y - p).powi(2)).sum();
    match score {
        Score::NegMse => -squares / total,
        Score::R2 => 1.0 - squares / about(y, y),
        Score::Pearson => about(y, p) / (about(y, y) * about(p, p)).sqrt(),
    }
}

/// Scores of every penalty (rows) and target by fitting again.
fn slow_scores(x: &Array2<f64>, y: &Array2<f64>, splits: &Splits, params: &RidgeParams) -> Array2<f64> {
    let mut out = Array2::zeros((params.alphas.len(), y.ncols()));
    for (row, &alpha) in params.alphas.iter().enumerate() {
        let predictions: Vec<(Vec<usize>, Array2<f64>)> = splits
            .iter()
            .map(|(train, held)| {
                let (b, offset) =
                    slow_ridge(&x.select(Axis(0), train), &y.select(Axis(0), train), alpha, params.intercept);
                (held.clone(), x.select(Axis(0), held).dot(&b) + offset)
            })
            .collect();
        for target in 0..y.ncols() {
            let of = |(held, p): &(Vec<usize>, Array2<f64>)| {
                (held.iter().map(|&sample| y[(sample, target)]).collect::<Vec<_>>(), p.column(target).to_vec())
            };
            let parts: Vec<(Vec<f64>, Vec<f64>)> = predictions.iter().map(of).collect();
            let one = |y: &[f64], p: &[f64]| score_of(y, p, &vec![1.0; y.len()], params.score);
            out[(row, target)] = match params.pooling {
                Pooling::Folds => parts.iter().map(|(y, p)| one(y, p)).sum::<f64>() / parts.len() as f64,
                Pooling::Samples => {
                    let (y, p): (Vec<Vec<f64>>, Vec<Vec<f64>>) = parts.into_iter().unzip();
                    one(&y.concat(), &p.concat())
                }
            };
        }
    }
    out
}

/// The best penalty of each target with its score, by the public estimator in the precision `T`.
fn found<T: Real>(x: &Array2<f64>, y: &Array2<f64>, folds: &Folds, params: &RidgeParams) -> (Vec<f64>, Vec<f64>) {
    let cast = |values: &Array2<f64>| values.mapv(T::from_f64);
    let fit = |x: ArrayView2<'_, T>, y: ArrayView2<'_, T>| {
        RidgeCv::new(params.clone()).fit_with(x, y, folds.clone(), None).expect("fits")
    };
    let ridge = fit(cast(x).view(), cast(y).view());
    (ridge.alpha, ridge.cv_score)
}

#[test]
fn every_score_of_every_folding_in_every_precision_is_that_of_fitting_again() {
    // What single precision can hold is taken for the truth.
    let round = |values: Array2<f64>| values.mapv(|value| f64::from(value as f32));
    let (x, y) = (round(normal("x", N, 14) + 0.7), round(normal("noise", N, N_TARGETS) + 1.3));
    let mut checked = 0;
    for (words, folds, splits) in foldings() {
        for score in [Score::R2, Score::NegMse, Score::Pearson] {
            for pooling in [Pooling::Samples, Pooling::Folds] {
                for (path, intercept) in
                    [(Path::Covariance, true), (Path::Covariance, false), (Path::Kernel, true), (Path::Kernel, false)]
                {
                    let params = RidgeParams {
                        alphas: vec![1.0, 1e3, 1e6, 1e9],
                        score,
                        pooling,
                        path,
                        intercept,
                        standardize: false,
                        ..RidgeParams::default()
                    };
                    let expected = slow_scores(&x, &y, &splits, &params);
                    let check = |(alphas, scores): (Vec<f64>, Vec<f64>), tolerance: f64| {
                        for (target, (alpha, score)) in alphas.iter().zip(&scores).enumerate() {
                            let column = expected.column(target);
                            let best = column.iter().fold(f64::NEG_INFINITY, |best, &value| best.max(value));
                            let row = params.alphas.iter().position(|known| known == alpha).expect("of the grid");
                            let words = format!("{words}, {params:?}, target {target}: {score} at {alpha}, {column}");
                            // The score is that of its penalty, and no other penalty is better by more than rounding, which grows with
                            // scores: without a level R² goes down to −150.
                            let tolerance = tolerance * column[row].abs().max(1.0);
                            assert!((score - column[row]).abs() < tolerance, "{words}");
                            assert!(best - column[row] < tolerance, "{words}");
                        }
                    };
                    check(found::<f32>(&x, &y, &folds, &params), SINGLE);
                    check(found::<f64>(&x, &y, &folds, &params), DOUBLE);
                    checked += 2;
                }
            }
        }
    }
    assert_eq!(checked, 3 * 3 * 2 * 4 * 2);
}

#[test]
fn noise_is_not_predicted_whatever_the_precision() {
    let (x, y) = (normal("x", 300, 30), normal("noise", 300, 50));
    let folds = Folds::k(10, None, 300).expect("folds");
    let params = RidgeParams {
        alphas: (0..9).map(|exponent| 10f64.powi(exponent)).collect(),
        score: Score::Pearson,
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    let (single, double) = (found::<f32>(&x, &y, &folds, &params), found::<f64>(&x, &y, &folds, &params));
    let differ = single.0.iter().zip(&double.0).filter(|(a, b)| a != b).count();
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(
        differ <= 1 && (mean(&single.1) - mean(&double.1)).abs() < 1e-4,
        "{differ} {} {}",
        mean(&single.1),
        mean(&double.1)
    );
}
