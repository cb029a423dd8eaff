//! How far single precision is from double, quantity by quantity, down to the smallest penalties in use (1e-6, as Takagi and
//! Nishimoto take). The measured numbers are in docs/benchmarks.md. They hardly depend on the condition number: the decomposition is
//! double, directions that are short beside the samples are made in double, and products in its basis round every direction by itself.

use ndarray::Array2;
use percept_regress::{Design, Folds, Path, RidgeParams, Setup};

use crate::data::{normal, targets};

/// A few times what was measured, relative to the largest weight or prediction.
const PRODUCTS: f64 = 1e-5;
/// The same of scores, which are sums in double precision.
const SCORES: f64 = 1e-6;

/// Largest difference from double precision, relative to the largest value.
struct Distance {
    weights: f64,
    predictions: f64,
    scores: f64,
    condition: f64,
}

fn relative(found: &Array2<f32>, expected: &Array2<f64>) -> f64 {
    let scale = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    found.iter().zip(expected).fold(0.0, |largest: f64, (a, b)| largest.max((f64::from(*a) - b).abs())) / scale
}

/// Features with a spectrum that falls over `decades` in standard deviation.
fn measure(n: usize, p: usize, decades: f64, alpha: f64, path: Path) -> Distance {
    let mut x = normal("x", n, p);
    for (feature, mut column) in x.columns_mut().into_iter().enumerate() {
        column *= 10f64.powf(-decades * feature as f64 / p as f64);
    }
    // Mixed, so that no feature stands for one direction.
    let x = x.dot(&normal("mix", p, p)) / (p as f64).sqrt();
    let y = targets("y", &x, 30);
    let new = normal("new", 20, p);
    // What single precision is given is taken for the truth, so that rounding of the input does not count.
    let (x32, y32, new32) = (x.mapv(|v| v as f32), y.mapv(|v| v as f32), new.mapv(|v| v as f32));
    let (x, y, new) = (x32.mapv(f64::from), y32.mapv(f64::from), new32.mapv(f64::from));
    let labels: Vec<usize> = (0..n).map(|sample| sample / 3).collect();
    let params = RidgeParams { alphas: vec![alpha], path, standardize: false, ..RidgeParams::default() };
    let setup = || Setup { folds: Some(Folds::by_label(&labels).expect("groups")), ..Setup::default() };
    let double = Design::prepare(&x.view(), &params, setup()).expect("prepares").fit(y.view()).expect("fits");
    let single = Design::prepare(&x32.view(), &params, setup()).expect("prepares").fit(y32.view()).expect("fits");
    let predicted = double.predict(new.view()).expect("predicts");
    let scores = single.cv_score.iter().zip(&double.cv_score);
    Distance {
        weights: relative(&single.weights, &double.weights),
        predictions: relative(&single.predict(new32.view()).expect("predicts"), &predicted),
        scores: scores.fold(0.0, |largest: f64, (a, b)| largest.max((a - b).abs() / b.abs().max(1.0))),
        condition: double.report.condition,
    }
}

#[test]
fn single_precision_is_near_double_at_every_penalty_in_use() {
    let mut lines = Vec::new();
    let mut far = 0;
    for (n, p, path) in [(240, 60, Path::Covariance), (90, 200, Path::Kernel)] {
        for decades in [0.0, 2.0] {
            for alpha in [1e-6, 1e-3, 1.0, 1e3] {
                let found = measure(n, p, decades, alpha, path);
                let Distance { weights, predictions, scores, condition } = found;
                far += usize::from(weights.max(predictions) > PRODUCTS || scores > SCORES);
                lines.push(format!(
                    "{n}×{p} decades {decades} alpha {alpha:e}: condition {condition:.1e} weights {weights:.1e} \
                     predictions {predictions:.1e} scores {scores:.1e}"
                ));
            }
        }
    }
    // Shown by `cargo test … -- --nocapture`.
    eprintln!("{}", lines.join("\n"));
    assert_eq!(far, 0, "\n{}", lines.join("\n"));
}
