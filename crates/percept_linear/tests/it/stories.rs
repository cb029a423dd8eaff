//! Real recordings of a listener: the fit of files against refitting without each story.

use ndarray::{Array1, Array2, Axis, concatenate};
use percept_core::Silent;
use percept_io::npy;
use percept_linear::fit::fit;
use percept_linear::{FitJob, HoldOut};
use percept_regress::{Pooling, Ridge, RidgeParams};
use percept_testing::shared_data;

use crate::files::vector;

/// Scores of a single-precision fit against a double-precision refit.
const AGREES: f64 = 1e-4;

fn read(path: &std::path::Path) -> Array2<f32> {
    npy::open(path).expect("opens").read().expect("reads").into_dimensionality().expect("a matrix")
}

#[test]
fn leaving_one_story_out_scores_as_refitting_without_it_does() {
    let Some(folder) = shared_data("fmri_stories_uts03") else { return };
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("lists")
        .filter_map(|entry| {
            entry.expect("an entry").file_name().to_str()?.strip_prefix("trainlab__").map(str::to_owned)
        })
        .collect();
    names.sort();
    let labels: Vec<Array2<f32>> = names.iter().map(|name| read(&folder.join(format!("trainlab__{name}")))).collect();
    let brains: Vec<Array2<f32>> = names.iter().map(|name| read(&folder.join(format!("train__{name}")))).collect();
    let story: Vec<i64> =
        labels.iter().enumerate().flat_map(|(story, rows)| vec![story as i64; rows.nrows()]).collect();
    let stack = |parts: &[Array2<f32>]| {
        concatenate(Axis(0), &parts.iter().map(|part| part.view()).collect::<Vec<_>>()).expect("same columns")
    };
    let (x, y) = (stack(&labels), stack(&brains).slice(ndarray::s![.., ..12]).to_owned());
    let out = tempfile::tempdir().expect("a folder");
    let reference = |name: &str| out.path().join(name).display().to_string().parse().expect("a reference");
    npy::write(out.path().join("x.npy"), x.view().into_dyn()).expect("writes");
    npy::write(out.path().join("y.npy"), y.view().into_dyn()).expect("writes");
    npy::write(out.path().join("story.npy"), Array1::from(story.clone()).view().into_dyn()).expect("writes");
    let params = RidgeParams {
        alphas: vec![10.0, 1000.0, 1e5],
        standardize: false,
        pooling: Pooling::Folds,
        ..RidgeParams::default()
    };
    let model = out.path().join("model");
    let hold_out = HoldOut::Groups(reference("story.npy"));
    fit(
        &FitJob::new(reference("x.npy"), reference("y.npy"), hold_out, params.clone(), model.clone()),
        &mut |_| {},
        &Silent,
    )
    .expect("fits");
    let (x, y) = (x.mapv(f64::from), y.mapv(f64::from));
    let mut best = vec![f64::NEG_INFINITY; 12];
    for &alpha in &params.alphas {
        let mut scores = [0.0; 12];
        for held_out in 0..names.len() {
            let (test, train): (Vec<usize>, Vec<usize>) =
                (0..x.nrows()).partition(|&row| story[row] == held_out as i64);
            let ridge = Ridge::fit(x.select(Axis(0), &train).view(), y.select(Axis(0), &train).view(), alpha, &params);
            let p = ridge.expect("fits").predict(x.select(Axis(0), &test).view()).expect("predicts");
            let truth = y.select(Axis(0), &test);
            let mean = truth.mean_axis(Axis(0)).expect("rows");
            for target in 0..12 {
                let e: f64 = truth.column(target).iter().zip(p.column(target)).map(|(y, p)| (y - p).powi(2)).sum();
                let v: f64 = truth.column(target).iter().map(|y| (y - mean[target]).powi(2)).sum();
                scores[target] += (1.0 - e / v) / names.len() as f64;
            }
        }
        best.iter_mut().zip(scores).for_each(|(best, score)| *best = best.max(score));
    }
    for (found, expected) in vector(&model, "cv_score").iter().zip(&best) {
        assert!((found - expected).abs() < AGREES, "{found} {expected}");
    }
}
