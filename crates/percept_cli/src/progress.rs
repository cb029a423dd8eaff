//! Progress for people: a bar with the time left on a terminal, plain lines now and then elsewhere. Always on stderr.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use percept::core::Progress;

use crate::output::{clock, say};

/// Without a terminal, a long stage says where it is this often.
const PLAIN_EVERY: Duration = Duration::from_secs(15);
/// And so often although nothing moved on: one step may take minutes.
const STILL_EVERY: Duration = Duration::from_mins(1);
/// How often the time is looked at.
const TICK: Duration = Duration::from_secs(1);

/// Draws one stage at a time.
pub(crate) struct Bars {
    terminal: bool,
    stage: Arc<Mutex<Option<Stage>>>,
}

struct Stage {
    name: String,
    total: u64,
    /// Steps done, of them by an earlier run.
    done: u64,
    before: u64,
    start: Instant,
    told: Instant,
    bar: Option<ProgressBar>,
}

impl Bars {
    /// Bars on a terminal, lines otherwise.
    pub(crate) fn new() -> Self {
        let (terminal, stage) = (std::io::stderr().is_terminal(), Arc::new(Mutex::new(None)));
        if !terminal {
            let watched = Arc::downgrade(&stage);
            // It ends with the bars; a machine without room for another thread does without.
            let _ = std::thread::Builder::new().spawn(move || watch(&watched));
        }
        Self { terminal, stage }
    }

    /// The present stage; a panic elsewhere does not take the progress with it.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Stage>> {
        self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn begin(&self, stage: &str, total: u64) {
        let bar = self.terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
            let template = "{prefix:<30.bold} {bar:28.cyan/dim} {pos}/{len}  {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar.set_prefix(stage.to_owned());
            bar
        });
        let now = Instant::now();
        *self.lock() = Some(Stage { name: stage.to_owned(), total, done: 0, before: 0, start: now, told: now, bar });
    }

    fn resume(&self, steps: u64) {
        let mut guard = self.lock();
        let Some(stage) = guard.as_mut() else { return };
        stage.done += steps;
        stage.before += steps;
        if let Some(bar) = &stage.bar {
            bar.set_position(stage.done.min(stage.total));
            bar.reset_eta();
        }
    }

    fn advance(&self, steps: u64) {
        let mut guard = self.lock();
        let Some(stage) = guard.as_mut() else { return };
        stage.done += steps;
        match &stage.bar {
            Some(bar) => bar.set_position(stage.done.min(stage.total)),
            None if stage.told.elapsed() >= PLAIN_EVERY && stage.done < stage.total => {
                stage.told = Instant::now();
                say(format!("{}: {} of {}, {} left", stage.name, stage.done, stage.total, left(stage)));
            }
            None => {}
        }
    }

    fn end(&self, note: &str) {
        let Some(stage) = self.lock().take() else { return };
        if let Some(bar) = &stage.bar {
            bar.finish_and_clear();
        }
        let note = if note.is_empty() { String::new() } else { format!(": {note}") };
        say(format!("{}{note} ({})", stage.name, clock(stage.start.elapsed().as_secs())));
    }

    fn warn(&self, message: &str) {
        let guard = self.lock();
        match guard.as_ref().and_then(|stage| stage.bar.as_ref()) {
            Some(bar) => bar.suspend(|| say(format!("warning: {message}"))),
            None => say(format!("warning: {message}")),
        }
    }
}

/// Says now and then that a step of a stage is still being worked on.
fn watch(stage: &Weak<Mutex<Option<Stage>>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(stage) = stage.upgrade() else { return };
        let mut guard = stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(stage) = guard.as_mut().filter(|stage| stage.told.elapsed() >= STILL_EVERY) {
            stage.told = Instant::now();
            let taken = clock(stage.start.elapsed().as_secs());
            say(format!("{}: {} of {}, still at work after {taken}", stage.name, stage.done, stage.total));
        }
    }
}

/// The time left if the stage goes on as it went.
fn left(stage: &Stage) -> String {
    let seconds = stage.start.elapsed().as_secs_f64();
    let here = stage.done.saturating_sub(stage.before).max(1);
    clock((seconds / here as f64 * stage.total.saturating_sub(stage.done) as f64).round() as u64)
}
