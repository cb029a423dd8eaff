//! How long work reports where it is. Libraries report to a [`Progress`]; only apps draw bars.

/// A receiver of progress. Calls may come from any thread.
pub trait Progress: Send + Sync {
    /// A stage begins that consists of `total` steps of equal size.
    fn begin(&self, stage: &str, total: u64);
    /// An earlier run already did `steps` steps of the stage that just began: they say nothing about its speed.
    fn resume(&self, steps: u64) {
        self.advance(steps);
    }
    /// `steps` more steps of the current stage are done.
    fn advance(&self, steps: u64);
    /// The current stage is complete; `note` says in a few words what came out (may be empty).
    fn end(&self, note: &str);
    /// Something the user should see although the work goes on.
    fn warn(&self, message: &str);
}

/// A receiver that discards everything.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, _steps: u64) {}
    fn end(&self, _note: &str) {}
    fn warn(&self, _message: &str) {}
}
