//! What sounds when: notes of voices.

use super::Instrument;

/// What plays a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// The instrument of the tune.
    Melody(Instrument),
    /// Soft chords, the same in every tune.
    Chord,
    /// Low notes, the same in every tune.
    Bass,
}

/// A pitch that sounds for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Note {
    /// What plays it.
    pub voice: Voice,
    /// When it begins, seconds.
    pub at_secs: f64,
    /// How long it is held.
    pub secs: f64,
    /// Half steps, 69 for 440 Hz.
    pub pitch: i32,
    /// Loudness, 1 for a usual note of the melody.
    pub loudness: f32,
}

impl Note {
    /// Frequency of its first partial.
    pub(super) fn hz(&self) -> f64 {
        440.0 * 2f64.powf((f64::from(self.pitch) - 69.0) / 12.0)
    }
}
