//! Tunes can be told apart, and each is the same every time.

use percept_core::Seed;
use percept_signal::{Mel, MelConfig};

use super::*;

/// The share of power in each of 32 mels.
fn mels(sound: &[f32]) -> Vec<f64> {
    let config = MelConfig { n_mels: 32, equal_area: false, ..MelConfig::librosa(RATE_HZ) };
    let all = Mel::new(config).and_then(|mel| mel.spectrogram(sound)).expect("a second of sound");
    let powers: Vec<f64> = all.columns().into_iter().map(|mel| f64::from(mel.sum())).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[test]
fn a_tune_is_the_same_every_time_and_another_with_another_seed() {
    let tune = Tune::random(Seed::new(3));
    assert_eq!(tune.play(2.0), tune.play(2.0));
    assert_eq!(tune, Tune::random(Seed::new(3)));
    let other = Tune { seed: Seed::new(9), ..tune };
    assert_ne!(tune.play(2.0), other.play(2.0));
    // What is played does not depend on how much of it is asked for, but for its loudness and its end.
    let (long, part) = (tune.play(4.0), tune.excerpt(1.5, 2.0));
    let of = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let (long, part) = (&long[24_000..54_000], &part[..30_000]);
    let r = of(long, part) / (of(long, long) * of(part, part)).sqrt();
    // The room's noise is another.
    assert!(r > 0.999, "{r}");
}

#[test]
fn every_kind_of_tune_sounds_without_clipping_and_equally_loud() {
    for (number, &genre) in Genre::ALL.iter().enumerate() {
        for &instrument in Instrument::ALL {
            let tune = Tune { instrument, ..Tune::of_genre(genre, Seed::new(number as u64)) };
            let sound = tune.play(3.0);
            assert_eq!(sound.len(), 48_000);
            let peak = sound.iter().fold(0.0f32, |peak, value| peak.max(value.abs()));
            let mean = (sound.iter().map(|value| value * value).sum::<f32>() / 48_000.0).sqrt();
            assert!(sound.iter().all(|value| value.is_finite()) && peak <= 0.81, "{genre:?} {instrument:?} {peak}");
            assert!(mean > 0.05 && mean < 0.13, "{genre:?} {instrument:?}: {mean}");
        }
    }
}

#[test]
fn instruments_differ_in_their_spectrum() {
    let of = |instrument| {
        let tune = Tune { instrument, tempo: Tempo::Slow, ..Tune::of_genre(Genre::Lullaby, Seed::new(5)) };
        mels(&tune.play(4.0))
    };
    // Above 2 kHz a trumpet has much more than a flute.
    let upper = |of: &[f64]| of[16..].iter().sum::<f64>();
    let all: Vec<Vec<f64>> = Instrument::ALL.iter().map(|&instrument| of(instrument)).collect();
    let [flute, trumpet] = [Instrument::Flute, Instrument::Trumpet].map(|instrument| upper(&of(instrument)));
    assert!(trumpet > 3.0 * flute, "{trumpet} {flute}");
    for a in 0..all.len() {
        for b in 0..a {
            let distance: f64 = all[a].iter().zip(&all[b]).map(|(a, b)| (a - b).abs()).sum();
            assert!(distance > 0.05, "{:?} and {:?}: {distance}", Instrument::ALL[a], Instrument::ALL[b]);
        }
    }
}

#[test]
fn captions_use_the_vocabulary_and_name_what_is_heard() {
    let vocabulary = tune_vocabulary();
    for number in 0..50 {
        let tune = Tune::random(Seed::new(number));
        for caption in tune.captions(Seed::new(number)) {
            assert!(!caption.contains('{'), "{caption}");
            for word in caption.split_whitespace() {
                assert!(vocabulary.iter().any(|known| known == word), "{word}");
            }
        }
    }
    assert!(vocabulary.len() < 80, "{}", vocabulary.len());
}

#[test]
fn kinds_are_drawn_independently() {
    let tunes: Vec<Tune> = (0..2000).map(|number| Tune::random(Seed::new(7).at(number))).collect();
    for &genre in Genre::ALL {
        let of: Vec<_> = tunes.iter().filter(|tune| tune.genre == genre).collect();
        let slow = of.iter().filter(|tune| tune.tempo == Tempo::Slow).count();
        assert!(of.len() > 140 && of.len() < 260, "{genre:?}: {}", of.len());
        assert!((slow as f64 / of.len() as f64 - 1.0 / 3.0).abs() < 0.13, "{genre:?}: {slow} of {}", of.len());
    }
}
