//! Tunes can be told apart, and each is the same every time.

use percept_core::Seed;

use super::*;

/// Mean power of `sound` in octaves from 62 to 8000 Hz, by a transform of the whole.
fn octaves(sound: &[f32]) -> [f64; 7] {
    let mut signal: Vec<f64> = sound[..8192].iter().map(|&value| f64::from(value)).collect();
    for (sample, value) in signal.iter_mut().enumerate() {
        *value *= (std::f64::consts::PI * sample as f64 / 8192.0).sin().powi(2);
    }
    let mut found = [0.0; 7];
    for (octave, power) in found.iter_mut().enumerate() {
        let low = 32 << octave;
        // Every eighth line is enough for a comparison.
        for line in (low..2 * low).step_by((low / 32).max(1)) {
            let (mut re, mut im) = (0.0, 0.0);
            for (sample, value) in signal.iter().enumerate() {
                let angle = std::f64::consts::TAU * ((line * sample) % 8192) as f64 / 8192.0;
                re += value * angle.cos();
                im += value * angle.sin();
            }
            *power += re * re + im * im;
        }
    }
    found
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
        let tune = Tune { instrument, tempo: Tempo::Slow, ..Tune::of_genre(Genre::Fanfare, Seed::new(5)) };
        let found = octaves(&tune.play(1.0));
        let sum: f64 = found.iter().sum();
        found.map(|power| power / sum)
    };
    // Upper octaves: a flute has hardly any, a trumpet many.
    let upper = |of: [f64; 7]| of[5..].iter().sum::<f64>();
    assert!(upper(of(Instrument::Trumpet)) > 3.0 * upper(of(Instrument::Flute)));
    let all: Vec<[f64; 7]> = Instrument::ALL.iter().map(|&instrument| of(instrument)).collect();
    for a in 0..all.len() {
        for b in 0..a {
            let distance: f64 = all[a].iter().zip(&all[b]).map(|(a, b)| (a - b).abs()).sum();
            assert!(distance > 0.02, "{:?} and {:?}: {distance}", Instrument::ALL[a], Instrument::ALL[b]);
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
