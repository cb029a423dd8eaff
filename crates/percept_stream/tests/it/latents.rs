//! Latents: those of the published formula, and the same bits however samples come.

use ndarray::{Array2, s};
use percept_core::Seed;
use percept_stream::settings::{Fit, Preset, PromptSettings, ReferenceSetting, Settings};
use percept_stream::signal::{Signal, latents};
use percept_stream::{Block, StreamError};
use rand::Rng;

use crate::script::{facts, samples};

/// Latents are f32 below 4; the formula is evaluated in f64 on both sides.
const CLOSE: f64 = 1e-6;
/// Numbers of a latent of Stable Diffusion.
const N_LATENT: usize = 16_384;

fn golden() -> Array2<f64> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/latents/golden.npy");
    let loaded = percept_io::array::read::<f64>(path).expect("a golden file");
    loaded.data.into_dimensionality().expect("a matrix")
}

fn assert_close(found: ndarray::ArrayView1<'_, f32>, expected: ndarray::ArrayView1<'_, f64>) {
    let worst = found.iter().step_by(8).zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(worst < CLOSE, "{worst}");
}

#[test]
fn latents_are_those_of_the_published_formula() {
    let x = samples(600, 32);
    let mut settings = Settings::default();
    settings.latent.preset = Preset::Repo;
    let (raw, ends) = latents(&settings, &facts(32, 250.0), x.view(), N_LATENT).expect("fits");
    assert_close(raw.row(0), golden().row(0));
    assert_eq!(ends[..3], [511, 519, 527]);
    settings.latent.preset = Preset::Paper;
    let (second, ends) = latents(&settings, &facts(32, 250.0), x.view(), N_LATENT).expect("fits");
    assert_close(second.row(0), golden().row(1));
    assert_close(second.row(1), golden().row(2));
    assert_eq!((ends.len(), ends[1]), (43, 257));
}

fn everything() -> Settings {
    let mut settings = Settings { fps: 24.0, ..Settings::default() };
    settings.latent.channels = ["4", "0", "1", "3"].map(str::to_owned).to_vec();
    settings.latent.reference = ReferenceSetting::Average;
    settings.latent.line_noise_hz = 50.0;
    settings.latent.band_hz = [1.0, 90.0];
    settings.latent.running_zscore_secs = 3.0;
    settings.latent.channel_zscore = true;
    settings.latent.whiten = true;
    settings.latent.ranks = true;
    settings.latent.fit = Fit::Project;
    let prompt =
        |text: &str, value: &str| PromptSettings { text: text.into(), value: value.into(), from: 0.0, to: 2.0 };
    settings.prompt = vec![prompt("a", "theta/delta"), prompt("b", "rms:2"), prompt("c", "/mood")];
    settings
}

#[test]
fn samples_pushed_in_any_blocks_give_the_bits_of_the_whole() {
    for (rate_hz, settings) in [(250.0, Settings::default()), (250.0, everything()), (8192.0, everything())] {
        let x = samples((rate_hz * 2.6) as usize, 5);
        let facts = facts(5, rate_hz);
        let (whole, ends) = latents(&settings, &facts, x.view(), 1024).expect("fits");
        let mut states = Vec::new();
        for seed in 0..3 {
            let mut random = Seed::new(seed).stream();
            let mut signal = Signal::new(&settings, &facts, 1024, 0).expect("fits");
            signal.hear("/mood", 0.7);
            let (mut at, mut n, mut found) = (0, 0, Vec::new());
            while at < x.nrows() {
                let to = (at + random.random_range(1..(rate_hz / 8.0) as usize)).min(x.nrows());
                let part = x.slice(s![at..to, ..]).to_owned();
                signal.push(&Block { first_sample: at as u64, samples: part, measured: None });
                while let Some(frame) = signal.frame() {
                    assert_eq!(ndarray::aview1(&signal.latent(&frame).expect("kept")), whole.row(n), "{rate_hz} {n}");
                    assert_eq!(frame.sample_idx, ends[n]);
                    found.push(frame.state);
                    n += 1;
                }
                at = to;
            }
            assert_eq!(n, whole.nrows());
            states.push(found);
        }
        assert!(states.iter().all(|found| *found == states[0]), "states depend on the blocks");
    }
}

#[test]
fn any_number_of_channels_and_any_rate_give_a_normal_latent() {
    for (n_channels, rate_hz, fit) in
        [(1, 1000.0, Fit::Rows), (3, 31.25, Fit::Tile), (385, 2500.0, Fit::Rows), (700, 300.0, Fit::Project)]
    {
        let mut settings = Settings::default();
        settings.latent.fit = fit;
        let x = samples((rate_hz * 1.2) as usize + 2, n_channels);
        let (made, _) = latents(&settings, &facts(n_channels, rate_hz), x.view(), 1024).expect("fits");
        let row = made.row(0);
        let mean = row.sum() / 1024.0;
        let square = row.dot(&row) / 1024.0;
        assert!(made.nrows() >= 6 && mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3, "{n_channels} {mean} {square}");
    }
}

#[test]
fn gaps_shift_sample_numbers_and_numbers_that_are_none_hold_the_last_value() {
    let settings = Settings::default();
    let mut signal = Signal::new(&settings, &facts(2, 100.0), 1024, 7).expect("fits");
    let mut x = samples(300, 2);
    x[(120, 0)] = f64::NAN;
    let push = |signal: &mut Signal, first, part: ndarray::ArrayView2<'_, f64>| {
        signal.push(&Block { first_sample: first, samples: part.to_owned(), measured: None });
    };
    push(&mut signal, 0, x.slice(s![..150, ..]));
    push(&mut signal, 1150, x.slice(s![150.., ..]));
    let frames: Vec<_> = std::iter::from_fn(|| signal.frame()).collect();
    assert_eq!((frames[0].frame_idx, frames[0].sample_idx), (7, 99));
    assert_eq!(frames.last().map(|frame| frame.sample_idx), Some(1299));
    assert_eq!(signal.n_bad(), 1);
    assert!(signal.latent(frames.last().expect("frames")).expect("kept").iter().all(|value| value.is_finite()));
}

#[test]
fn settings_that_do_not_fit_the_source_are_named() {
    let fails = |change: fn(&mut Settings), n_channels: usize| {
        let mut settings = Settings::default();
        change(&mut settings);
        match Signal::new(&settings, &facts(n_channels, 250.0), 1024, 0) {
            Err(error @ (StreamError::Setting { .. } | StreamError::Signal(_))) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it fits"),
        }
    };
    assert!(fails(|s| s.latent.channels = vec!["x".into()], 2).contains("no channel `x`"));
    assert!(fails(|_| {}, 2000).contains("project"));
    assert!(fails(|s| s.latent.band_hz = [1.0, 200.0], 2).contains("200"));
    assert!(fails(|s| s.latent.reference = ReferenceSetting::Channel("9".into()), 2).contains("`9`"));
    let prompt = PromptSettings { text: "t".into(), value: "alpha/delta".into(), from: 0.0, to: 1.0 };
    let with = |s: &mut Settings, prompt: &PromptSettings| s.prompt = vec![prompt.clone()];
    let mut settings = Settings::default();
    with(&mut settings, &prompt);
    assert!(Signal::new(&settings, &facts(2, 250.0), 1024, 0).is_err());
}
