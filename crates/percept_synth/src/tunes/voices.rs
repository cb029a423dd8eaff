//! How notes sound: sums of partials with envelopes, frequency modulation (Chowning 1973, JAES 21:526), and plucked strings (Karplus &
//! Strong 1983, doi:10.2307/3680062).

use std::f64::consts::TAU;

use percept_core::Seed;
use rand::Rng;

use super::notes::{Note, Voice};
use super::{Instrument, RATE_HZ};

/// Bits of a phase that choose an entry of the table of sines.
const TABLE_BITS: u32 = 12;
/// Samples between two settings of vibrato.
const BLOCK: usize = 32;

/// One partial of a voice.
struct Partial {
    /// Frequency over the note's.
    ratio: f64,
    /// Amplitude at the beginning.
    level: f32,
    /// Seconds in which it fades by e; infinite for one that stays.
    fades_secs: f64,
}

/// The course of a note's loudness, and what it has beside its partials.
struct Manner {
    attack_secs: f64,
    release_secs: f64,
    /// Vibrato, as a share of the frequency.
    vibrato: f64,
    /// Noise of breath.
    breath: f32,
}

/// Makes notes.
pub(super) struct Voices {
    sines: Vec<f32>,
}

impl Voices {
    pub(super) fn new() -> Self {
        let n = 1usize << TABLE_BITS;
        Self { sines: (0..=n).map(|i| (TAU * i as f64 / n as f64).sin() as f32).collect() }
    }

    /// The sine of `phase`, where 2³² is a turn.
    fn sine(&self, phase: u32) -> f32 {
        let entry = (phase >> (32 - TABLE_BITS)) as usize;
        let within = (phase << TABLE_BITS) as f32 / 4_294_967_296.0;
        self.sines[entry] + within * (self.sines[entry + 1] - self.sines[entry])
    }

    /// Adds `note` to `out`, which begins at sample `first`.
    pub(super) fn play(&self, out: &mut [f32], first: usize, note: &Note, seed: Seed) {
        let start = (note.at_secs * f64::from(RATE_HZ)) as usize - first;
        let Some(out) = out.get_mut(start..) else { return };
        match note.voice {
            Voice::Melody(Instrument::Guitar) => plucked(out, note, seed),
            Voice::Melody(Instrument::Trumpet) => self.modulated(out, note),
            voice => {
                let (partials, manner) = spectrum(voice, note.hz());
                self.partials(out, note, &partials, &manner, seed);
            }
        }
    }

    fn partials(&self, out: &mut [f32], note: &Note, partials: &[Partial], manner: &Manner, seed: Seed) {
        let envelope = Envelope::of(note, manner.attack_secs, manner.release_secs);
        let mut sum = vec![0.0f32; envelope.n_samples.min(out.len())];
        let rate = f64::from(RATE_HZ);
        let mut stream = seed.stream();
        for partial in partials {
            let hz = note.hz() * partial.ratio;
            if hz >= 0.47 * rate {
                continue;
            }
            let fade = if partial.fades_secs.is_finite() { (-1.0 / (partial.fades_secs * rate)).exp() } else { 1.0 };
            let (mut phase, mut level) = (stream.random::<u32>(), f64::from(partial.level));
            for (block, chunk) in sum.chunks_mut(BLOCK).enumerate() {
                let secs = (block * BLOCK) as f64 / rate;
                let bend = 1.0 + manner.vibrato * (secs / 0.3).min(1.0) * (TAU * 5.3 * secs).sin();
                let step = (hz * bend / rate * 4_294_967_296.0) as u32;
                for value in chunk {
                    *value += level as f32 * self.sine(phase);
                    phase = phase.wrapping_add(step);
                    level *= fade;
                }
            }
        }
        let mut low = 0.0;
        for (sample, (out, mut value)) in out.iter_mut().zip(sum).enumerate() {
            if manner.breath > 0.0 {
                low += 0.4 * (stream.random::<f32>() * 2.0 - 1.0 - low);
                value += manner.breath * low;
            }
            *out += note.loudness * envelope.at(sample) * value;
        }
    }

    /// Carrier and modulator at one frequency; the index follows the envelope, so that the tone grows brighter as it swells.
    fn modulated(&self, out: &mut [f32], note: &Note) {
        let envelope = Envelope::of(note, 0.05, 0.06);
        let step = (note.hz() / f64::from(RATE_HZ) * 4_294_967_296.0) as u32;
        let (mut phase, turn) = (0u32, 4_294_967_296.0 / TAU);
        for (sample, out) in out.iter_mut().take(envelope.n_samples).enumerate() {
            let level = envelope.at(sample);
            let bend = f64::from(3.2 * level * self.sine(phase)) * turn;
            *out += 0.55 * note.loudness * level * self.sine(phase.wrapping_add(bend as i64 as u32));
            phase = phase.wrapping_add(step);
        }
    }
}

/// Rising, staying, falling after the end of a note.
struct Envelope {
    attack: f32,
    held: usize,
    release: f32,
    n_samples: usize,
}

impl Envelope {
    fn of(note: &Note, attack_secs: f64, release_secs: f64) -> Self {
        let samples = |secs: f64| (secs * f64::from(RATE_HZ)) as usize;
        let (held, release) = (samples(note.secs), samples(release_secs).max(1));
        Self { attack: samples(attack_secs).max(1) as f32, held, release: release as f32, n_samples: held + release }
    }

    fn at(&self, sample: usize) -> f32 {
        let rise = (sample as f32 / self.attack).min(1.0);
        let fall = if sample < self.held { 1.0 } else { 1.0 - (sample - self.held) as f32 / self.release };
        rise * fall
    }
}

/// Partials and manner of the voices that are sums of sines.
fn spectrum(voice: Voice, hz: f64) -> (Vec<Partial>, Manner) {
    let stays = f64::INFINITY;
    let partial = |ratio: f64, level: f64, fades_secs: f64| Partial { ratio, level: level as f32, fades_secs };
    let of = |n: usize, make: &dyn Fn(f64) -> Partial| (1..=n).map(|k| make(k as f64)).collect::<Vec<_>>();
    let manner = |attack_secs: f64, release_secs: f64| Manner { attack_secs, release_secs, vibrato: 0.0, breath: 0.0 };
    match voice {
        Voice::Chord => (of(3, &|k| partial(k, 0.35 / (k * k), 1.2)), manner(0.015, 0.08)),
        Voice::Bass => (of(3, &|k| partial(k, 0.6 / k.powf(1.5), 0.9)), manner(0.008, 0.05)),
        Voice::Melody(Instrument::Piano) => {
            // Stiff strings: partials lie a little too high and the high ones fade first.
            let make = |k: f64| partial(k * (1.0 + 4e-4 * k * k).sqrt(), 0.7 / k.powf(1.1), 0.7 / (0.6 + 0.4 * k));
            (of(9, &make), manner(0.003, 0.12))
        }
        Voice::Melody(Instrument::Organ) => {
            let stops = [(0.5, 0.22), (1.0, 0.36), (2.0, 0.3), (3.0, 0.16), (4.0, 0.2), (6.0, 0.1), (8.0, 0.12)];
            (stops.map(|(ratio, level)| partial(ratio, level, stays)).into(), manner(0.02, 0.04))
        }
        Voice::Melody(Instrument::Flute) => {
            let partials = [(1.0, 0.7), (2.0, 0.08), (3.0, 0.04)].map(|(ratio, level)| partial(ratio, level, stays));
            (partials.into(), Manner { vibrato: 0.006, breath: 0.12, ..manner(0.07, 0.09) })
        }
        Voice::Melody(Instrument::Strings) => {
            // Three players who do not quite agree.
            let players = [0.996, 1.0, 1.004];
            let make = |player: f64| (1..=10).map(move |k| partial(f64::from(k) * player, 0.2 / f64::from(k), stays));
            (players.into_iter().flat_map(make).collect(), Manner { vibrato: 0.004, ..manner(0.14, 0.18) })
        }
        Voice::Melody(Instrument::Bells) => {
            // A bar that swings freely at both ends (Fletcher & Rossing, The Physics of Musical Instruments, §2.15).
            let bars = [(1.0, 0.55, 1.6), (2.756, 0.3, 0.8), (5.404, 0.2, 0.35), (8.933, 0.1, 0.15)];
            (bars.map(|(ratio, level, fades)| partial(ratio, level, fades)).into(), manner(0.001, 0.9))
        }
        Voice::Melody(_) => {
            // Odd partials under a filter that closes within the note.
            let highest = (0.4 * f64::from(RATE_HZ) / hz / 2.0).clamp(2.0, 9.0) as usize;
            let make = |k: f64| partial(2.0 * k - 1.0, 0.6 / (2.0 * k - 1.0), if k > 2.0 { 0.5 / k } else { stays });
            (of(highest, &make), manner(0.004, 0.03))
        }
    }
}

/// Noise that runs around a loop as long as a period and is smoothed in every round.
fn plucked(out: &mut [f32], note: &Note, seed: Seed) {
    let rate = f64::from(RATE_HZ);
    let envelope = Envelope::of(note, 0.0005, 0.1);
    // The smoothing delays by half a sample; the rest of the period is between two samples.
    let period = rate / note.hz() - 0.5;
    let whole = (period.floor() as usize).max(2);
    let within = (period - whole as f64) as f32;
    let mut stream = seed.stream();
    let mut string: Vec<f32> = (0..=whole).map(|_| stream.random::<f32>() * 2.0 - 1.0).collect();
    let mean = string.iter().sum::<f32>() / string.len() as f32;
    // Plucked by a finger and not by a nail: the highest partials are weak from the beginning.
    let mut before = 0.0;
    for value in &mut string {
        let now = *value - mean;
        *value = 0.5 * (now + before);
        before = now;
    }
    let keep = (-6.9 / (2.2 * note.hz())).exp() as f32;
    let (n, mut at, mut before) = (string.len(), 0, 0.0);
    for (sample, out) in out.iter_mut().take(envelope.n_samples).enumerate() {
        let next = string[(at + 1) % n];
        // Read `whole + within` samples after it was written, then smooth.
        let delayed = next + within * (string[at] - next);
        let value = keep * 0.5 * (delayed + before);
        before = delayed;
        string[at] = value;
        at = (at + 1) % n;
        *out += 2.2 * note.loudness * envelope.at(sample) * value;
    }
}
