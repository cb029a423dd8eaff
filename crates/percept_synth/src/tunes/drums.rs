//! Drums: sines that fall, and filtered noise that fades.

use percept_core::Seed;
use rand::Rng;

use super::RATE_HZ;

/// What is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drum {
    /// A bass drum.
    Kick,
    /// A snare drum.
    Snare,
    /// A cymbal, short.
    Hat,
    /// Seeds in a gourd.
    Shaker,
    /// A low drum that rings.
    Kettle,
}

/// A drum that is hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hit {
    /// Which.
    pub drum: Drum,
    /// When, seconds.
    pub at_secs: f64,
    /// How loud.
    pub loudness: f32,
}

/// How a drum sounds: a sine from one frequency down to another, and noise between two poles.
struct Sound {
    from_hz: f64,
    to_hz: f64,
    sine: f32,
    sine_secs: f64,
    noise: f32,
    noise_secs: f64,
    /// How much of the sample before is taken off: near 1 only the highest frequencies stay.
    bright: f32,
}

impl Drum {
    fn sound(self) -> Sound {
        let [from_hz, to_hz, sine, sine_secs, noise, noise_secs, bright] = match self {
            Self::Kick => [140.0, 45.0, 1.0, 0.09, 0.05, 0.01, 0.0],
            Self::Snare => [210.0, 170.0, 0.35, 0.05, 0.55, 0.07, 0.5],
            Self::Hat => [0.0, 0.0, 0.0, 0.1, 0.4, 0.035, 0.97],
            Self::Shaker => [0.0, 0.0, 0.0, 0.1, 0.3, 0.02, 0.9],
            Self::Kettle => [98.0, 82.0, 0.9, 0.3, 0.05, 0.02, 0.0],
        };
        Sound { from_hz, to_hz, sine: sine as f32, sine_secs, noise: noise as f32, noise_secs, bright: bright as f32 }
    }
}

/// Adds a hit to `out`, which begins at sample `first`.
pub(super) fn hit(out: &mut [f32], first: usize, hit: &Hit, seed: Seed) {
    let rate = f64::from(RATE_HZ);
    let sound = hit.drum.sound();
    let start = (hit.at_secs * rate) as usize - first;
    let length = (6.0 * sound.sine_secs.max(sound.noise_secs) * rate) as usize;
    let Some(out) = out.get_mut(start..) else { return };
    let mut stream = seed.stream();
    let (sine_decay, noise_decay) =
        ((-1.0 / (sound.sine_secs * rate)).exp() as f32, (-1.0 / (sound.noise_secs * rate)).exp() as f32);
    let (mut sine_level, mut noise_level) = (sound.sine * hit.loudness, sound.noise * hit.loudness);
    let fall = (-1.0 / (0.04 * rate)).exp();
    let (mut hz, mut phase, mut before) = (sound.from_hz, 0.0f64, 0.0f32);
    for value in out.iter_mut().take(length) {
        phase += hz / rate;
        hz = sound.to_hz + (hz - sound.to_hz) * fall;
        let noise = if noise_level > 1e-4 { stream.random::<f32>() * 2.0 - 1.0 } else { 0.0 };
        let sine = if sine_level > 1e-4 { (std::f64::consts::TAU * phase).sin() as f32 } else { 0.0 };
        *value += sine_level * sine + noise_level * (noise - sound.bright * before);
        before = noise;
        sine_level *= sine_decay;
        noise_level *= noise_decay;
    }
}
