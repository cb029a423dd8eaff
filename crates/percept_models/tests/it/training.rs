//! Trainings that are interrupted end in the same bytes; other settings do not continue a checkpoint.

use std::path::Path;

use ndarray::Array4;
use percept_core::{Seed, Silent};
use percept_models::{
    ModelError,
    nn::params::Params,
    train::{AdamW, ClassifierTask, Gradients, Schedule, Task, run},
    weights::write_tensors,
};

/// A task that stops with an error when it comes to a step, as a killed process would between two checkpoints.
struct Interrupted<'a> {
    task: ClassifierTask<'a>,
    at: Option<usize>,
}

impl Task for Interrupted<'_> {
    fn name(&self) -> &'static str {
        self.task.name()
    }

    fn params(&self) -> &Params {
        self.task.params()
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients, ModelError> {
        if Some(step) == self.at {
            return Err(ModelError::NotFinite { what: "the test".into(), step });
        }
        self.task.gradients(step, seed)
    }
}

fn schedule(steps: usize) -> Schedule {
    Schedule {
        steps,
        warmup: 2,
        learning_rate: 1e-2,
        floor: 0.1,
        optimiser: AdamW { ema: 0.9, ..AdamW::default() },
        log_every: 2,
        save_every: 2,
    }
}

/// Trains to the end or to step `at`; the bytes of the weights.
fn train(dir: &Path, at: Option<usize>, steps: usize) -> Result<Vec<u8>, ModelError> {
    let task = ClassifierTask::new(Params::random(Seed::new(3)), &[3, 2], 2, |_, seed| {
        let pictures = Array4::from_shape_vec((2, 64, 64, 3), seed.normal(2 * 64 * 64 * 3)).expect("two pictures");
        (pictures, vec![vec![Some(1), Some(0)], vec![Some(2), None]])
    })?;
    let weights = run(&Interrupted { task, at }, &schedule(steps), Seed::new(4), dir, &Silent)?;
    write_tensors(&weights, false)
}

#[test]
fn an_interrupted_training_ends_in_the_same_bytes() {
    let (whole, parts) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let truth = train(whole.path(), None, 7).expect("an uninterrupted training");
    for at in [1, 3, 6] {
        assert!(train(parts.path(), Some(at), 7).is_err(), "step {at} was to stop the training");
    }
    assert!(train(parts.path(), None, 7).expect("a resumed training") == truth);
    for entry in std::fs::read_dir(whole.path()).expect("the folder of the training") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        let ours = std::fs::read(parts.path().join(name)).expect("the same file in the other folder");
        assert!(ours == std::fs::read(&path).expect("a readable file"), "{name:?} differs");
    }
}

#[test]
fn a_training_that_diverges_names_what_when_and_the_last_checkpoint() {
    let dir = tempfile::tempdir().expect("a folder");
    let early = train(dir.path(), Some(1), 7).expect_err("stops before any checkpoint").to_string();
    assert!(early.starts_with("the test is not finite at step 1; there is no checkpoint yet"), "{early}");
    let late = train(dir.path(), Some(5), 7).expect_err("stops behind the second checkpoint").to_string();
    assert!(late.contains("at step 5; the last good checkpoint, of step 4, is `"), "{late}");
    let path = late.split('`').nth(1).expect("a path in back-ticks");
    assert!(Path::new(path).is_file(), "{path}");
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    train(dir.path(), None, 2).expect("a short training");
    let error = train(dir.path(), None, 3).expect_err("another number of steps").to_string();
    assert!(error.contains("checkpoint") && error.contains("remove it"), "{error}");
}
