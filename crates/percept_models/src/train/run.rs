//! The training loop: resume, step, log, save, until the schedule's last step.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use percept_core::{Progress, Seed};

use super::{
    AdamW, Gradients, Optimiser,
    checkpoint::{self, write_atomically},
};
use crate::{error::Result, nn::params::Params};

/// Something that can be trained.
pub trait Task: Sync {
    /// A short name; also the name of its checkpoint.
    fn name(&self) -> &'static str;
    /// The parameters, all taken by the model already.
    fn params(&self) -> &Params;
    /// Loss and gradients of the batch that belongs to `step`; randomness comes from `seed` alone.
    ///
    /// # Errors
    /// What the model or its data report.
    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients>;
}

/// How long and how fast to train.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Steps in all.
    pub steps: usize,
    /// Steps over which the learning rate rises linearly.
    pub warmup: usize,
    /// The highest learning rate; it then falls by a cosine to `floor` of it.
    pub learning_rate: f64,
    /// The share of the learning rate that is left at the end.
    pub floor: f64,
    /// Optimiser settings.
    pub optimiser: AdamW,
    /// Steps from one line of the curve to the next.
    pub log_every: usize,
    /// Steps from one checkpoint to the next.
    pub save_every: usize,
}

impl Schedule {
    fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.learning_rate * (step + 1) as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64 / (self.steps - self.warmup).max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.learning_rate * (self.floor + (1.0 - self.floor) * cosine)
    }

    fn fingerprint(&self, task: &dyn Task, seed: Seed) -> String {
        use std::fmt::Write;
        let mut text = format!("{} {self:?} {seed:?}", task.name());
        for (name, tensor) in task.params().tensors() {
            let _ = write!(text, " {name} {:?}", tensor.dims());
        }
        percept_core::provenance::content_hash(text.as_bytes())
    }
}

/// Trains `task` to the end of `schedule`, going on from the checkpoint in `dir` if there is one, and returns the
/// weights to keep. The curve (step, loss, learning rate) is in `dir/{name}.curve.csv`.
///
/// # Errors
/// What the task reports; files that cannot be written; a checkpoint of another run.
pub fn run(
    task: &dyn Task,
    schedule: &Schedule,
    seed: Seed,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, Tensor>> {
    let fingerprint = schedule.fingerprint(task, seed);
    let path = dir.join(format!("{}.checkpoint.safetensors", task.name()));
    let mut optimiser = Optimiser::new(task.params(), schedule.optimiser)?;
    checkpoint::resume(&mut optimiser, &fingerprint, &path)?;
    let curve_path = dir.join(format!("{}.curve.csv", task.name()));
    let mut curve = Curve::open(curve_path, optimiser.step());
    progress.begin(&format!("train {}", task.name()), schedule.steps as u64);
    progress.resume(optimiser.step() as u64);
    while optimiser.step() < schedule.steps {
        let step = optimiser.step();
        let gradients = task.gradients(step, seed.named(task.name()).at(step as u64))?;
        let rate = schedule.rate(step);
        optimiser.update(&gradients, rate)?;
        curve.add(step, gradients.loss, rate, schedule.log_every);
        progress.advance(1);
        let done = optimiser.step();
        if done % schedule.save_every == 0 || done == schedule.steps {
            checkpoint::save(&optimiser, &fingerprint, &path)?;
            curve.write()?;
        }
    }
    progress.end(&curve.last());
    optimiser.weights()
}

/// The loss over steps, averaged over each logging interval.
struct Curve {
    path: PathBuf,
    lines: Vec<String>,
    sum: f64,
    count: usize,
}

impl Curve {
    /// Goes on from the file at `path`, dropping what lies behind `step` (written after the last checkpoint).
    fn open(path: PathBuf, step: usize) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = text.lines().skip(1).filter(|line| {
            line.split(',').next().and_then(|first| first.parse::<usize>().ok()).is_some_and(|s| s <= step)
        });
        Self { lines: kept.map(str::to_owned).collect(), path, sum: 0.0, count: 0 }
    }

    fn add(&mut self, step: usize, loss: f64, rate: f64, every: usize) {
        self.sum += loss;
        self.count += 1;
        if (step + 1).is_multiple_of(every) {
            self.lines.push(format!("{},{:.6},{rate:.3e}", step + 1, self.sum / self.count as f64));
            (self.sum, self.count) = (0.0, 0);
        }
    }

    fn last(&self) -> String {
        self.lines.last().map_or(String::new(), |line| {
            let mut fields = line.split(',').skip(1);
            format!("loss {}", fields.next().unwrap_or(""))
        })
    }

    fn write(&self) -> Result<()> {
        let mut text = String::from("step,loss,learning_rate\n");
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        write_atomically(&self.path, text.as_bytes())
    }
}
