//! Several processes, played by threads, make the model of one.

use percept_core::Silent;
use percept_linear::fit::{Outcome, fit};
use percept_linear::together::fit_together;
use percept_linear::{FitJob, LinearError, Method};
use percept_regress::{AlphaChoice, RegressError, Together};
use percept_testing::Meeting;

use crate::files::{Problem, vector, weights};

struct Rank<'a> {
    rank: usize,
    meeting: &'a Meeting,
}

impl Together for Rank<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.size()
    }

    fn sum(&self, values: &mut [f64]) -> Result<(), RegressError> {
        self.meeting.sum(self.rank, values);
        Ok(())
    }
}

/// The fit of each of `size` processes; `change` makes their jobs differ.
fn company(size: usize, job: &FitJob, change: impl Fn(usize, &mut FitJob) + Sync) -> Vec<Result<Outcome, LinearError>> {
    let meeting = Meeting::of(size);
    std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..size)
            .map(|rank| {
                let (meeting, change) = (&meeting, &change);
                scope.spawn(move || {
                    let mut job = job.clone();
                    change(rank, &mut job);
                    fit_together(&job, &Rank { rank, meeting }, &mut |_| {}, &Silent)
                })
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
    })
}

fn same(one: &FitJob, several: &FitJob) {
    for name in ["alpha", "edge"] {
        assert_eq!(vector(&one.out, name), vector(&several.out, name), "{name}");
    }
    let (a, b) = (weights(&one.out), weights(&several.out));
    let scale = a.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!((&a - &b).iter().all(|difference| difference.abs() <= 1e-6 * scale));
    let files = std::fs::read_dir(&several.out).expect("lists").count();
    assert_eq!(files, 3, "the model, its description and its table, no shard");
}

#[test]
fn two_and_three_processes_make_the_model_of_one() {
    let problem = Problem::new();
    for choice in [AlphaChoice::PerTarget, AlphaChoice::Shared] {
        let mut one = problem.job(&format!("one {choice:?}"));
        one.params.choice = choice;
        let expected = fit(&one, &mut |_| {}, &Silent).expect("fits");
        for size in [2, 3] {
            let mut job = one.clone();
            job.out = problem.path(&format!("{size} {choice:?}"));
            job.targets_per_tile = Some(19);
            for outcome in company(size, &job, |_, _| {}) {
                let outcome = outcome.expect("fits");
                assert_eq!((outcome.counts, outcome.already_there), (expected.counts, false));
                let score = outcome.mean_cv_score.expect("scores") - expected.mean_cv_score.expect("scores");
                assert!(score.abs() < 1e-9);
            }
            same(&one, &job);
            assert!(company(size, &job, |_, _| {}).into_iter().all(|found| found.expect("finds it").already_there));
        }
    }
}

#[test]
fn targets_that_repeat_within_groups_are_shared_too() {
    let problem = Problem::repeated();
    let one = problem.job("one");
    let mut noticed = false;
    fit(&one, &mut |plan| noticed = plan.repeated_targets, &Silent).expect("fits");
    assert!(noticed);
    let several = problem.job("several");
    assert!(company(3, &several, |_, _| {}).iter().all(Result::is_ok));
    same(&one, &several);
}

#[test]
fn processes_that_were_ended_go_on_where_each_of_them_was() {
    let problem = Problem::new();
    let one = problem.job("one");
    fit(&one, &mut |_| {}, &Silent).expect("fits");
    let mut job = problem.job("ended");
    job.targets_per_tile = Some(19);
    // As a killed job leaves it: one process made all of its share, one a tile of it, one nothing.
    for (number, stop_after) in [(1, None), (2, Some(1))] {
        let mut shard = job.clone();
        (shard.shard, shard.stop_after) = (Some(percept_linear::Shard { number, of: 3 }), stop_after);
        let stopped = fit(&shard, &mut |_| {}, &Silent);
        assert_eq!(stopped.is_err(), stop_after.is_some());
    }
    assert!(!job.out.join("model.json").exists());
    let outcomes = company(3, &job, |_, _| {});
    let resumed: Vec<usize> = outcomes.into_iter().map(|found| found.expect("goes on").n_tiles_resumed).collect();
    assert_eq!(resumed, [0, 1, 0]);
    same(&one, &job);
}

#[test]
fn what_cannot_be_shared_is_refused_by_all() {
    let problem = Problem::new();
    let mut job = problem.job("banded");
    job.bands = vec![problem.reference("x.npy")];
    job.method = Method::Banded { n_draws: 1, seed: 1 };
    for outcome in company(2, &job, |_, _| {}) {
        let error = outcome.expect_err("one process only").to_string();
        assert!(error.contains("2 processes are to share a banded regression"), "{error}");
    }
}
