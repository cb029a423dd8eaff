//! What a viewer may change while a stream runs.

use std::sync::atomic::{AtomicBool, Ordering};

/// Switches that the page turns and the engine reads.
#[derive(Debug, Default)]
pub struct Controls {
    paused: AtomicBool,
    blank: AtomicBool,
    recording: AtomicBool,
    stopped: AtomicBool,
}

impl Controls {
    /// Whether pictures stand still; samples go on.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Whether pictures are black.
    pub fn is_blank(&self) -> bool {
        self.blank.load(Ordering::Relaxed)
    }

    /// Whether a film is written.
    pub fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// Whether the stream ends.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Stops pictures, or lets them go on.
    pub fn pause(&self, on: bool) {
        self.paused.store(on, Ordering::Relaxed);
    }

    /// Makes pictures black, or shows them again.
    pub fn blank(&self, on: bool) {
        self.blank.store(on, Ordering::Relaxed);
    }

    /// Begins a film, or ends it.
    pub fn record(&self, on: bool) {
        self.recording.store(on, Ordering::Relaxed);
    }

    /// Ends the stream after the picture that is being drawn.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
