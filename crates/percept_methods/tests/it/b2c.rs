//! Encoders trained through the pocket pack's U-Net: killed and resumed, compared, and what is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use percept_core::Outcome;
use percept_core::{Progress, Silent};
use percept_methods::b2c::{self, TrainedRun};
use percept_methods::{Experiment, PipelineError, experiment};
use percept_methods::{RunOptions, run};

const TEXT: &str = r#"
name = "small"
methods = ["c", "b2c"]
[data]
kind = "phantom"
shape = [16, 18, 12]
voxels = 800
sessions = 3
trials_per_session = 90
test_images = 12
seed = 4
[generate]
steps = 2
[evaluate]
draws = 100
[b2c]
steps = 4
batch = 4
shards = 2
blocks = 1
validate_every = 2
[[b2c.variants]]
patched = false
losses = { clip_mse = 0, clip_cosine = 0 }
[[b2c.variants]]
train_images = 40
name = "few"
[[b2c.variants]]
rank = 8
mixup = 0.3
losses = { contrastive = 0.1 }
"#;

fn experiment(overrides: &[String]) -> Experiment {
    experiment::parse(TEXT, Path::new("/anywhere/e.toml"), overrides).expect("valid")
}

fn train(out: &Path, overrides: &[&str], progress: &dyn Progress) -> Result<Outcome, PipelineError> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    b2c::train(&experiment(&overrides), out, RunOptions::default(), progress)
}

/// Dies at a step of training, as a killed process would between two checkpoints.
struct Dying {
    steps: AtomicUsize,
    at: usize,
    training: std::sync::Mutex<bool>,
}

impl Progress for Dying {
    fn begin(&self, stage: &str, _total: u64) {
        *self.training.lock().expect("nobody died here") = stage.starts_with("train b2c");
    }
    fn resume(&self, _steps: u64) {}
    fn advance(&self, _steps: u64) {
        if *self.training.lock().expect("nobody died here") {
            assert!(self.steps.fetch_add(1, Ordering::Relaxed) + 1 != self.at, "killed");
        }
    }
    fn end(&self, _note: &str) {}
    fn warn(&self, _message: &str) {}
}

fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(bytes(&path));
        } else {
            found.push((
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                std::fs::read(&path).expect("a file"),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn a_killed_training_ends_in_the_same_bytes_and_its_encoders_are_compared() {
    let (whole, parts) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let truth = train(whole.path(), &[], &Silent).expect("an uninterrupted training");
    for at in [3, 5] {
        let dying = Dying { steps: AtomicUsize::new(0), at, training: std::sync::Mutex::new(false) };
        let killed = catch_unwind(AssertUnwindSafe(|| train(parts.path(), &[], &dying)));
        assert!(killed.is_err(), "step {at} was to kill the training");
    }
    let resumed = train(parts.path(), &[], &Silent).expect("a resumed training");
    assert_eq!(resumed, truth);
    for variant in ["b2c+patch+clip", "b2c", "few"] {
        assert!(bytes(&parts.path().join(variant)) == bytes(&whole.path().join(variant)), "{variant} differs");
    }

    let text = std::fs::read_to_string(whole.path().join("b2c.json")).expect("the facts");
    let run: TrainedRun = serde_json::from_str(&text).expect("as written");
    let facts = &run.variants;
    assert_eq!(facts.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["b2c", "few", "b2c+patch+clip"]);
    assert_eq!((facts[1].n_train_images, facts[1].n_validation_images), (36, 4));
    assert_eq!((facts[0].tokens.len(), facts[2].tokens.len()), (1, 4));
    assert!(facts.iter().all(|f| f.n_changed > 0 && f.tokens.iter().sum::<usize>() == 77));
    let terms = |i: usize| facts[i].best.terms.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(terms(0), ["epsilon", "velocity", "x0_mse", "x0_cosine", "x0_ssim"]);
    assert!(terms(2).contains(&"clip_cosine") && terms(2).contains(&"contrastive"));
    let methods = |metric: &str| -> Vec<&str> {
        truth.scores.iter().filter(|row| row.metric == metric).map(|row| row.method.as_str()).collect()
    };
    assert_eq!(methods("context_cosine"), ["b2c", "few", "b2c+patch+clip", "ridge@40", "ridge", "mean_context"]);
    assert_eq!(methods("black"), ["b2c", "few", "b2c+patch+clip"]);
    let references: Vec<&str> = truth.differences.iter().step_by(2).map(|row| row.reference.as_str()).collect();
    assert_eq!(references, ["ridge", "ridge@40", "ridge"]);
    assert_eq!(truth.sections.len(), 2);

    compared(whole.path());
    refused(whole.path());
}

/// The encoders beside ridge: arms, their scores, and what was looked at inside.
fn compared(decoder: &Path) {
    let out = tempfile::tempdir().expect("a folder");
    let chosen = experiment(&[format!("decoder=\"{}\"", decoder.display())]);
    let outcome = run(&chosen, out.path(), RunOptions::default(), &Silent).expect("a comparison");
    let arms: Vec<&str> = outcome.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["c", "b2c", "few", "b2c+patch+clip", "shuffled", "mean", "true", "true_c"]);
    let score = |method: &str, metric: &str| {
        outcome.scores.iter().find(|row| row.method == method && row.metric == metric).map(|row| row.value)
    };
    assert!((score("true_c", "context_cosine").expect("scored") - 1.0).abs() < 1e-6);
    for metric in ["mse", "pixcorr", "ssim", "latent_mse", "latent_pcc", "context_cosine", "context_pairwise"] {
        assert!(score("b2c+patch+clip", metric).is_some_and(f64::is_finite), "{metric}");
    }
    let parts = outcome.sections.iter().find(|section| section.title == "Which part of the brain says what");
    assert_eq!(parts.map(|section| section.figures.len()), Some(3), "silenced groups, tokens, attention");
    assert!(out.path().join("images/attention/b2c+patch+clip").is_dir());
}

/// What does not belong together.
fn refused(decoder: &Path) {
    let refusal = |overrides: &[&str]| {
        let out = tempfile::tempdir().expect("a folder");
        let mut all: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        if !overrides.iter().any(|text| text.starts_with("decoder")) {
            all.push(format!("decoder=\"{}\"", decoder.display()));
        }
        let error = run(&experiment(&all), out.path(), RunOptions::default(), &Silent);
        error.expect_err("must be refused").to_string()
    };
    let message = refusal(&["decoder=/nowhere"]);
    assert!(message.contains("percept train b2c"), "{message}");
    let message = refusal(&["data.seed=5"]);
    assert!(message.contains("other trials or units") || message.contains("trained the encoders"), "{message}");
    let message = refusal(&["data.groups.V1=prf-visualrois.V1"]);
    assert!(message.contains("groups"), "{message}");
}

#[test]
fn what_cannot_be_trained_is_refused_before_it_starts() {
    let out = tempfile::tempdir().expect("a folder");
    let message = train(out.path(), &["b2c.memory_gb=0.1"], &Silent).expect_err("too large").to_string();
    assert!(message.contains("b2c.rank") && message.contains("GB"), "{message}");
    let message = train(out.path(), &["b2c.tokens=[70, 7]"], &Silent).expect_err("four groups").to_string();
    assert!(message.contains("4 groups") && message.contains("77 tokens"), "{message}");
    let message = experiment::parse(TEXT, Path::new("e.toml"), &["b2c.lossses.epsilon=1".to_owned()]);
    assert!(message.expect_err("misspelt").to_string().contains("losses"));
}
