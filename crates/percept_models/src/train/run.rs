//! The training loop: resume, step, log, save, until the schedule's last step.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use percept_core::{Progress, Seed};

use super::{
    AdamW, Gradients, Optimiser,
    checkpoint::{self, write_atomically},
};
use crate::{
    error::{ModelError, Result},
    nn::params::Params,
};

/// Something that can be trained.
pub trait Task: Sync {
    /// A short name; also the name of its checkpoint.
    fn name(&self) -> &'static str;
    /// The parameters, all taken by the model already.
    fn params(&self) -> &Params;
    /// Settings beyond steps and shapes that make this training what it is; a checkpoint of others is refused.
    fn describe(&self) -> String {
        String::new()
    }
    /// The share of the learning rate by which the variable `name` moves.
    fn rate_of(&self, _name: &str) -> f64 {
        1.0
    }
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
        let own = task.describe();
        if !own.is_empty() {
            let _ = write!(text, " {own}");
        }
        for (name, tensor) in task.params().tensors() {
            let _ = write!(text, " {name} {:?}", tensor.dims());
        }
        percept_core::provenance::content_hash(text.as_bytes())
    }
}

/// Trains `task` to the end of `schedule`, going on from the checkpoint in `dir` if there is one, and returns the
/// weights to keep. The curve (step, loss, learning rate, terms) is in `dir/{name}.curve.csv`.
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
    run_watched(task, schedule, seed, dir, progress, &mut |_, _| Ok(ControlFlow::Continue(())))
}

/// What looks at the weights to keep after every checkpoint, and may end the training there.
pub type Watch<'a> = dyn FnMut(usize, &BTreeMap<String, Tensor>) -> Result<ControlFlow<()>> + 'a;

/// As [`run`]; after every checkpoint, and first of all after resuming from one, `watch` is shown the step and the weights
/// to keep. It must depend on those alone (and on what it wrote at earlier checkpoints), so that a run that was killed
/// between checkpoint and watching ends in the same bytes.
///
/// # Errors
/// As [`run`], and what `watch` returns. A loss that is no number is reported with the last checkpoint.
pub fn run_watched(
    task: &dyn Task,
    schedule: &Schedule,
    seed: Seed,
    dir: &Path,
    progress: &dyn Progress,
    watch: &mut Watch<'_>,
) -> Result<BTreeMap<String, Tensor>> {
    let fingerprint = schedule.fingerprint(task, seed);
    let path = dir.join(format!("{}.checkpoint.safetensors", task.name()));
    let mut optimiser = Optimiser::with_rates(task.params(), schedule.optimiser.clone(), |name| task.rate_of(name))?;
    let resumed = checkpoint::resume(&mut optimiser, &fingerprint, &path)?;
    let curve_path = dir.join(format!("{}.curve.csv", task.name()));
    let mut curve = Curve::open(curve_path, optimiser.step());
    progress.begin(&format!("train {}", task.name()), schedule.steps as u64);
    progress.resume(optimiser.step() as u64);
    let mut saved = resumed.then(|| optimiser.step());
    let mut ended = resumed && watch(optimiser.step(), &optimiser.weights()?)?.is_break();
    while optimiser.step() < schedule.steps && !ended {
        let step = optimiser.step();
        let rate = schedule.rate(step);
        let gradients = task
            .gradients(step, seed.named(task.name()).at(step as u64))
            .and_then(|gradients| optimiser.update(&gradients, rate).map(|()| gradients))
            .map_err(|error| with_checkpoint(error, saved, &path))?;
        curve.add(step, &gradients, rate, schedule.log_every);
        progress.advance(1);
        let done = optimiser.step();
        if done % schedule.save_every == 0 || done == schedule.steps {
            checkpoint::save(&optimiser, &fingerprint, &path)?;
            saved = Some(done);
            curve.write()?;
            ended = watch(done, &optimiser.weights()?)?.is_break();
        }
    }
    progress.end(&curve.last());
    optimiser.weights()
}

/// Says where training can go on from.
fn with_checkpoint(error: ModelError, saved: Option<usize>, path: &Path) -> ModelError {
    match error {
        ModelError::NotFinite { what, step } => ModelError::Diverged {
            what,
            step,
            checkpoint: saved.map_or("there is no checkpoint yet".to_owned(), |step| {
                format!("the last good checkpoint, of step {step}, is `{}`", path.display())
            }),
        },
        other => other,
    }
}

/// The loss over steps, averaged over each logging interval.
struct Curve {
    path: PathBuf,
    lines: Vec<String>,
    /// The loss and its terms, summed since the last line.
    sums: Vec<f64>,
    names: Vec<&'static str>,
    /// The first line of the file, where it was read.
    head: Option<String>,
    count: usize,
}

impl Curve {
    /// Goes on from the file at `path`, dropping what lies behind `step` (written after the last checkpoint).
    fn open(path: PathBuf, step: usize) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let kept = text.lines().skip(1).filter(|line| {
            line.split(',').next().and_then(|first| first.parse::<usize>().ok()).is_some_and(|s| s <= step)
        });
        let head = text.lines().next().map(str::to_owned);
        Self { lines: kept.map(str::to_owned).collect(), path, sums: Vec::new(), names: Vec::new(), head, count: 0 }
    }

    fn add(&mut self, step: usize, gradients: &Gradients, rate: f64, every: usize) {
        use std::fmt::Write;
        self.sums.resize(1 + gradients.terms.len(), 0.0);
        self.names = gradients.terms.iter().map(|(name, _)| *name).collect();
        self.sums[0] += gradients.loss;
        for (sum, (_, value)) in self.sums[1..].iter_mut().zip(&gradients.terms) {
            *sum += value;
        }
        self.count += 1;
        if (step + 1).is_multiple_of(every) {
            let mean = |sum: f64| sum / self.count as f64;
            let mut line = format!("{},{:.6},{rate:.3e}", step + 1, mean(self.sums[0]));
            for &sum in &self.sums[1..] {
                let _ = write!(line, ",{:.6}", mean(sum));
            }
            self.lines.push(line);
            self.sums.fill(0.0);
            self.count = 0;
        }
    }

    fn last(&self) -> String {
        self.lines.last().map_or(String::new(), |line| {
            let mut fields = line.split(',').skip(1);
            format!("loss {}", fields.next().unwrap_or(""))
        })
    }

    fn write(&self) -> Result<()> {
        let mut text = match &self.head {
            Some(head) => head.clone(),
            None => std::iter::once("step,loss,learning_rate")
                .chain(self.names.iter().copied())
                .collect::<Vec<_>>()
                .join(","),
        };
        text.push('\n');
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        write_atomically(&self.path, text.as_bytes())
    }
}
