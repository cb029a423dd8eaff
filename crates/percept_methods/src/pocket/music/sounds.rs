//! Batches of tunes for training and scoring: sounds, spectrograms, captions.

use ndarray::{Array2, Array3, Axis, s};
use percept_core::Seed;
use percept_models::ModelError;
use percept_signal::Mel;
use percept_synth::tunes::Tune;
use rand::Rng;
use rayon::prelude::*;

use super::configs::{self, FRAMES, HOP, MELS, RATE_HZ};

/// Seconds of a tune in which a piece may begin.
const LATEST_SECS: f64 = 20.0;

/// A tune, and where a piece of it begins.
pub(super) struct Piece {
    pub tune: Tune,
    start_secs: f64,
    seed: Seed,
}

impl Piece {
    /// A random one.
    pub(super) fn random(seed: Seed) -> Self {
        let start_secs = LATEST_SECS * seed.named("start").stream().random::<f64>();
        Self { tune: Tune::random(seed.named("tune")), start_secs, seed }
    }

    /// `n` random ones.
    pub(super) fn several(seed: Seed, n: usize) -> Vec<Self> {
        (0..n).map(|piece| Self::random(seed.at(piece as u64))).collect()
    }

    /// So many seconds of it.
    pub(super) fn sound(&self, secs: f64) -> Vec<f32> {
        self.tune.excerpt(self.start_secs, secs)
    }

    /// [`FRAMES`] frames of sound.
    pub(super) fn whole(&self) -> Vec<f32> {
        self.sound((FRAMES * HOP) as f64 / f64::from(RATE_HZ))
    }

    /// One of its captions.
    pub(super) fn caption(&self) -> String {
        let [caption, ..] = self.tune.captions(self.seed.named("caption"));
        caption
    }
}

/// The quietest and the loudest noise that CLAP hears behind a tune, dB below it.
const NOISE_DB: [f32; 2] = [60.0, 15.0];
/// How many of its tunes come with noise.
const WITH_NOISE: f64 = 0.75;

/// A sound as a recording has it: with noise behind it, white to brown. Synthesised tunes are silent between their tones; whoever learns
/// from them alone takes that silence for a property of instruments, and hears none in what comes from a loudspeaker or a vocoder.
pub(super) fn recorded(mut sound: Vec<f32>, seed: Seed) -> Vec<f32> {
    let mut stream = seed.named("recorded").stream();
    if !stream.random_bool(WITH_NOISE) {
        return sound;
    }
    let below = NOISE_DB[0] + (NOISE_DB[1] - NOISE_DB[0]) * stream.random::<f32>();
    let memory = stream.random::<f32>() * 0.98;
    let level = |values: &[f32]| (values.iter().map(|v| v * v).sum::<f32>() / values.len().max(1) as f32).sqrt();
    let mut noise = seed.named("noise").normal(sound.len());
    let mut last = 0.0;
    for value in &mut noise {
        last = memory * last + *value;
        *value = last;
    }
    let gain = level(&sound) * 10f32.powf(-below / 20.0) / level(&noise).max(1e-9);
    sound.iter_mut().zip(&noise).for_each(|(to, from)| *to += gain * from);
    sound
}

/// The convention of the pack's spectrograms, prepared.
pub(super) fn mel() -> Result<Mel, ModelError> {
    Ok(Mel::new(configs::mel())?)
}

/// The spectrogram of a sound, without the frame that begins at its end.
pub(super) fn spectrogram(mel: &Mel, sound: &[f32]) -> Array2<f32> {
    let mut all = mel.spectrogram(sound).unwrap_or_default();
    let frames = (sound.len() / HOP).min(all.nrows());
    all.slice_collapse(s![..frames, ..]);
    all
}

/// `n` spectrograms of `frames` frames from anywhere within random pieces: (n, frames, mels).
pub(super) fn crops(mel: &Mel, n: usize, frames: usize, seed: Seed) -> Array3<f32> {
    // Two crops of every tune: drawing them is cheaper than playing.
    let per_tune = if frames < FRAMES { 2 } else { 1 };
    let all: Vec<Array2<f32>> = Piece::several(seed, n.div_ceil(per_tune))
        .par_iter()
        .flat_map_iter(|piece| {
            let whole = spectrogram(mel, &piece.whole());
            let mut stream = piece.seed.named("crops").stream();
            (0..per_tune).map(move |_| {
                let from = stream.random_range(0..=(FRAMES - frames) as u32) as usize;
                whole.slice(s![from..from + frames, ..]).to_owned()
            })
        })
        .collect();
    stacked(&all[..n], frames)
}

/// Spectrograms of one length, one behind the other.
pub(super) fn stacked(all: &[Array2<f32>], frames: usize) -> Array3<f32> {
    let mut out = Array3::zeros((all.len(), frames, MELS));
    for (mut to, from) in out.outer_iter_mut().zip(all) {
        to.assign(from);
    }
    out
}

/// `n` spectrograms of `frames` frames and the sounds that they are of: (n, frames, mels) and (n, frames · hop).
pub(super) fn sounds(mel: &Mel, n: usize, frames: usize, seed: Seed) -> (Array3<f32>, Array2<f32>) {
    let mut waves = Array2::zeros((n, frames * HOP));
    let mut all = Vec::with_capacity(n);
    for (row, piece) in Piece::several(seed, n.div_ceil(4)).iter().enumerate() {
        let sound = piece.sound(1.2);
        let whole = spectrogram(mel, &sound);
        let mut stream = piece.seed.named("crops").stream();
        for place in (4 * row..n).take(4) {
            let from = stream.random_range(0..=(whole.nrows() - frames) as u32) as usize;
            all.push(whole.slice(s![from..from + frames, ..]).to_owned());
            let part = &sound[from * HOP..(from + frames) * HOP];
            waves.index_axis_mut(Axis(0), place).iter_mut().zip(part).for_each(|(to, &from)| *to = from);
        }
    }
    (stacked(&all, frames), waves)
}

/// Mean and deviation of every mel, and of all, over random pieces.
pub(super) fn statistics(mel: &Mel, seed: Seed) -> (Vec<[f32; 2]>, [f64; 2]) {
    let sample = crops(mel, 256, 64, seed);
    let moments = |values: &mut dyn Iterator<Item = f32>| -> [f64; 2] {
        let (mut n, mut sum, mut square) = (0.0f64, 0.0f64, 0.0f64);
        for value in values.map(f64::from) {
            n += 1.0;
            sum += value;
            square += value * value;
        }
        let mean = sum / n.max(1.0);
        [mean, (square / n.max(1.0) - mean * mean).max(1e-6).sqrt()]
    };
    let of_mel = |band: usize| moments(&mut sample.slice(s![.., .., band]).iter().copied()).map(|value| value as f32);
    ((0..MELS).map(of_mel).collect(), moments(&mut sample.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_lies_as_far_below_a_tune_as_it_should_and_some_tunes_have_none() {
        let tune: Vec<f32> = (0..16_000).map(|i| (f32::from(i as u16) * 0.17).sin()).collect();
        let power = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        let mut n_clean = 0;
        for number in 0..200 {
            let heard = recorded(tune.clone(), Seed::new(3).at(number));
            let noise: Vec<f32> = heard.iter().zip(&tune).map(|(a, b)| a - b).collect();
            if power(&noise) == 0.0 {
                n_clean += 1;
                continue;
            }
            let below = 10.0 * (power(&tune) / power(&noise)).log10();
            assert!((14.9..60.1).contains(&below), "{below} dB");
        }
        assert!((30..70).contains(&n_clean), "a quarter: {n_clean} of 200");
        assert!(recorded(Vec::new(), Seed::new(1)).is_empty());
    }
}
