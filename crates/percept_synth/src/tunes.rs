//! Percept's own tunes: music that nobody wrote, synthesised from a seed, each with tags and captions.
//!
//! A [`Tune`] has a genre (metre, drums, bass, chords and the rhythm of its melody), an instrument that plays the melody, a tempo and a
//! mood (its scale); what is played follows from its seed. The four are drawn independently of each other, so that none can be told
//! from another, and each can be heard alone: instruments differ in spectrum and envelope, tempi by half as much again, genres in
//! their drums. Genres are percept's own and resemble those of the world in their rhythm only; nobody sings.
//!
//! - [`Tune::play`]: samples at [`RATE_HZ`], one channel
//! - [`Tune::captions`]: what it is in words, from a vocabulary small enough to be learnt
//! - [`Tune::tags`]: the four words

mod captions;
mod drums;
mod notes;
mod score;
#[cfg(test)]
mod tests;
mod voices;
mod words;

pub use captions::{N_TUNE_CAPTIONS, tune_vocabulary};
pub use words::{Genre, Instrument, Mood, Tempo};

use percept_core::Seed;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Samples in a second of every tune.
pub const RATE_HZ: u32 = 16_000;
/// The loudest sample of a tune that is played whole.
const PEAK: f32 = 0.8;
/// The root mean square of a tune, unless its peak would be higher than [`PEAK`].
const LOUDNESS: f32 = 0.12;

/// The loudest sample of what is heard of the room while nothing is played.
const ROOM: f32 = 1e-3;

/// A piece of music.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tune {
    /// Metre, drums and accompaniment.
    pub genre: Genre,
    /// What plays the melody.
    pub instrument: Instrument,
    /// How fast the beats follow one another.
    pub tempo: Tempo,
    /// The scale.
    pub mood: Mood,
    /// Of its notes.
    seed: Seed,
}

impl Tune {
    /// A tune of any kind.
    pub fn random(seed: Seed) -> Self {
        let mut stream = seed.named("kind").stream();
        let genre = Genre::random(&mut stream);
        Self { genre, ..Self::of_genre(genre, seed) }
    }

    /// A tune of `genre`.
    pub fn of_genre(genre: Genre, seed: Seed) -> Self {
        let mut stream = seed.named("rest").stream();
        Self {
            genre,
            instrument: Instrument::random(&mut stream),
            tempo: Tempo::random(&mut stream),
            mood: Mood::random(&mut stream),
            seed: seed.named("notes"),
        }
    }

    /// Beats in a minute.
    pub fn beats_per_minute(&self) -> f64 {
        let (low, high) = self.tempo.beats_per_minute();
        low + (high - low) * self.seed.named("tempo").stream().random::<f64>()
    }

    /// The piece from its beginning, `secs` long, fading out at the end.
    ///
    /// # Shapes
    /// Samples, [`RATE_HZ`] in a second, in −1 … 1.
    pub fn play(&self, secs: f64) -> Vec<f32> {
        self.excerpt(0.0, secs)
    }

    /// The part of the piece from `start_secs` on, `secs` long, as loud as any.
    ///
    /// # Shapes
    /// As [`Tune::play`].
    pub fn excerpt(&self, start_secs: f64, secs: f64) -> Vec<f32> {
        let n = (secs * f64::from(RATE_HZ)).round() as usize;
        let mut sound = score::Score::of(self, start_secs + secs).play(start_secs, n);
        let square: f64 = sound.iter().map(|&value| f64::from(value).powi(2)).sum();
        let peak = sound.iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
        let mean = (square / n.max(1) as f64).sqrt() as f32;
        // Pieces are equally loud, as those of ds003720 are; nothing is cut off.
        let gain = (LOUDNESS / mean.max(1e-9)).min(PEAK / peak.max(1e-9));
        let fade = RATE_HZ as usize / 50;
        let mut room = self.seed.named("room").stream();
        for (sample, value) in sound.iter_mut().enumerate() {
            *value = gain * *value * ((n - sample) as f32 / fade as f32).min(1.0);
            *value += ROOM * (room.random::<f32>() * 2.0 - 1.0);
        }
        sound
    }

    /// Genre, instrument, tempo and mood in words.
    pub fn tags(&self) -> [&'static str; 4] {
        [self.genre.name(), self.instrument.name(), self.tempo.name(), self.mood.name()]
    }

    /// [`N_TUNE_CAPTIONS`] captions in different words.
    pub fn captions(&self, seed: Seed) -> [String; N_TUNE_CAPTIONS] {
        captions::captions(self, seed)
    }
}
