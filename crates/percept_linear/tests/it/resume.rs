//! A stopped fit goes on to the same bytes; shards make the bytes of one process.

use percept_core::Silent;
use percept_linear::fit::fit;
use percept_linear::shard::merge;
use percept_linear::{LinearError, Shard};
use percept_regress::AlphaChoice;

use crate::files::{Problem, bytes};

const FILES: [&str; 3] = ["model.safetensors", "model.json", "targets.parquet"];

#[test]
fn a_stopped_fit_goes_on_with_other_tiles_and_ends_with_the_same_bytes() {
    let problem = Problem::new();
    for choice in [AlphaChoice::PerTarget, AlphaChoice::Shared] {
        let mut whole = problem.job(&format!("whole {choice:?}"));
        whole.params.choice = choice;
        fit(&whole, &mut |_| {}, &Silent).expect("fits");
        let mut job = whole.clone();
        job.out = problem.path(&format!("stopped {choice:?}"));
        (job.targets_per_tile, job.stop_after) = (Some(19), Some(2));
        let error = fit(&job, &mut |_| {}, &Silent).expect_err("stops");
        assert!(matches!(error, LinearError::Stopped { tiles: 2 }), "{error}");
        for file in FILES {
            assert!(!job.out.join(file).exists(), "{file} of an unfinished fit");
        }
        (job.targets_per_tile, job.stop_after) = (Some(57), Some(1));
        assert!(matches!(fit(&job, &mut |_| {}, &Silent), Err(LinearError::Stopped { tiles: 1 })));
        job.stop_after = None;
        let outcome = fit(&job, &mut |_| {}, &Silent).expect("goes on");
        assert_eq!((outcome.n_tiles_resumed, outcome.already_there), (3, false));
        for file in FILES {
            assert_eq!(bytes(&whole.out, file), bytes(&job.out, file), "{choice:?} {file}");
        }
        assert_eq!(std::fs::read_dir(&job.out).expect("lists").count(), FILES.len(), "nothing is left over");
        let again = fit(&job, &mut |_| {}, &Silent).expect("finds it");
        assert!(again.already_there && again.mean_cv_score == outcome.mean_cv_score);
    }
}

#[test]
fn other_data_or_settings_begin_anew() {
    let problem = Problem::new();
    let mut job = problem.job("model");
    (job.targets_per_tile, job.stop_after) = (Some(19), Some(1));
    assert!(fit(&job, &mut |_| {}, &Silent).is_err());
    problem.write("y.npy", &(&problem.y * 2.0));
    job.stop_after = None;
    let outcome = fit(&job, &mut |_| {}, &Silent).expect("fits");
    assert_eq!(outcome.n_tiles_resumed, 0);
    let mut fresh = job.clone();
    fresh.out = problem.path("fresh");
    fit(&fresh, &mut |_| {}, &Silent).expect("fits");
    assert_eq!(bytes(&fresh.out, "model.safetensors"), bytes(&job.out, "model.safetensors"));
}

#[test]
fn merged_shards_are_the_model_of_one_process() {
    let problem = Problem::new();
    let whole = problem.job("whole");
    fit(&whole, &mut |_| {}, &Silent).expect("fits");
    let mut job = problem.job("shards");
    job.targets_per_tile = Some(19);
    for number in [2, 3, 1] {
        let error = merge(&job.out, &Silent).expect_err("not all shards are there");
        assert!(matches!(error, LinearError::Shards { .. } | LinearError::File(_)), "{error}");
        job.shard = Some(Shard { number, of: 3 });
        fit(&job, &mut |_| {}, &Silent).expect("fits");
        assert!(!job.out.join("model.json").exists());
    }
    merge(&job.out, &Silent).expect("merges");
    for file in FILES {
        assert_eq!(bytes(&whole.out, file), bytes(&job.out, file), "{file}");
    }
    assert_eq!(std::fs::read_dir(&job.out).expect("lists").count(), FILES.len(), "shards are gone");
}

#[test]
fn shards_of_different_fits_do_not_merge() {
    let problem = Problem::new();
    let mut job = problem.job("shards");
    for number in [1, 2] {
        job.shard = Some(Shard { number, of: 2 });
        job.params.alphas.push(10f64.powi(3 + number as i32));
        fit(&job, &mut |_| {}, &Silent).expect("fits");
    }
    let error = merge(&job.out, &Silent).expect_err("other grids");
    assert!(error.to_string().contains("of different fits"), "{error}");
}
