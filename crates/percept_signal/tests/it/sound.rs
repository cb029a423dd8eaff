//! Mel spectrograms against librosa, torchaudio and transformers; resampling against torchaudio.

use std::path::Path;

use ndarray::{Array1, Array2};
use percept_io::npz::{self, Npz};
use percept_signal::mel::{Mel, MelConfig, Scale, standardise};
use percept_signal::sinc::{Kernel, resample};

/// Of the largest value: the references sum in f32, or round spectra to f32.
const SPECTROGRAM: f32 = 1e-4;
/// Of 1: the reference ran in f64.
const RESAMPLED: f32 = 1e-6;

fn golden() -> Npz {
    npz::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mel/mel.npz")).expect("the fixture")
}

fn sound(golden: &mut Npz, name: &str) -> Vec<f32> {
    let values: Array1<f32> =
        golden.array(name).expect(name).read().expect(name).into_dimensionality().expect("one axis");
    values.to_vec()
}

fn matrix(golden: &mut Npz, name: &str) -> Array2<f32> {
    golden.array(name).expect(name).read().expect(name).into_dimensionality().expect("two axes")
}

fn check(ours: &Array2<f32>, truth: &Array2<f32>, name: &str) {
    assert_eq!(ours.dim(), truth.dim(), "{name}");
    let largest = truth.iter().fold(0f32, |most, v| most.max(v.abs()));
    let worst = ours.iter().zip(truth).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest;
    assert!(worst <= SPECTROGRAM, "{name} is off by {worst:.1e}");
}

#[test]
fn spectrograms_are_those_of_the_packages() {
    let mut golden = golden();
    let librosa = MelConfig::librosa(16_000);
    let magnitude = MelConfig {
        frame: 1024,
        n_fft: 1024,
        hop: 160,
        n_mels: 64,
        high_hz: 8000.0,
        power: false,
        ..MelConfig::librosa(16_000)
    };
    for (name, from, config) in [
        ("librosa", "sound16", librosa.clone()),
        ("librosa_db", "sound16", MelConfig { log: Scale::Decibel(Some(80.0)), ..librosa }),
        ("librosa_magnitude", "sound16", magnitude),
        ("torchaudio", "sound16", MelConfig::torchaudio(16_000)),
        ("clap_fusion", "sound48", MelConfig::clap(true)),
        ("clap_rand_trunc", "sound48", MelConfig::clap(false)),
        ("seamless", "sound16", MelConfig::seamless()),
    ] {
        let mel = Mel::new(config).expect("a convention");
        let made = mel.spectrogram(&sound(&mut golden, from)).expect("long enough");
        check(&made, &matrix(&mut golden, name), name);
    }
}

#[test]
fn pairs_of_standardised_frames_are_what_w2v_bert_is_given() {
    let mut golden = golden();
    let mel = Mel::new(MelConfig::seamless()).expect("a convention");
    let mut made = mel.spectrogram(&sound(&mut golden, "sound16")).expect("long enough");
    standardise(&mut made);
    let n = made.nrows() / 2;
    let pairs = Array2::from_shape_fn((n, 160), |(i, j)| made[(2 * i + j / 80, j % 80)]);
    // The reference pads an odd frame to a pair, which it then masks.
    let truth = matrix(&mut golden, "seamless_stacked");
    check(&pairs, &truth.slice(ndarray::s![..n, ..]).to_owned(), "seamless_stacked");
}

#[test]
fn resampled_sounds_are_those_of_torchaudio() {
    let mut golden = golden();
    let short = sound(&mut golden, "sound_short");
    for (name, from, to) in [("up", 16_000, 22_050), ("down", 48_000, 16_000), ("odd", 44_100, 48_000)] {
        for (kind, kernel) in [("kaiser", Kernel::kaiser_best()), ("hann", Kernel::hann())] {
            let name = format!("{kind}_{name}");
            let (ours, truth) = (resample(&short, from, to, kernel), sound(&mut golden, &name));
            assert_eq!(ours.len(), truth.len(), "{name}");
            let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(worst <= RESAMPLED, "{name} is off by {worst:.1e}");
        }
    }
}
