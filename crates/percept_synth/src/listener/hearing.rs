//! What a brain can hear in a tune, volume by volume: loudness by frequency, how fast it pulses, and what it is.

use ndarray::Array2;
use percept_signal::{Mel, MelConfig};

use super::params::ListenerParams;
use super::schedule::Excerpt;
use crate::phantom::Error;
use crate::tunes::{Genre, Instrument, Mood, RATE_HZ, Tempo, Tune};

/// What voxels may follow, by name.
pub(super) const DRIVES: [&str; 6] = ["bands", "rates", "genre", "instrument", "tempo", "mood"];
/// Bands of frequency, equally wide in mel.
pub(super) const N_BANDS: usize = 16;
/// Rates at which loudness may rise and fall, in Hz.
pub(super) const RATES_HZ: [f64; 8] = [0.7, 1.1, 1.7, 2.6, 3.5, 5.2, 7.0, 10.0];
/// Seconds around the middle of a volume in which rates are looked for.
const RATE_SECS: f64 = 4.0;
/// Below this power a band is silent.
const FLOOR: f32 = 1e-4;

/// What one excerpt holds.
pub(super) struct Heard {
    /// By the order of [`DRIVES`], volumes × columns.
    pub drives: Vec<Array2<f32>>,
}

pub(super) fn heard(tune: &Tune, excerpt: &Excerpt, params: &ListenerParams) -> Result<Heard, Error> {
    let wrong = |error: percept_signal::mel::MelError| Error::Planted {
        what: format!("a tune cannot be heard: {error}"),
        remedy: "lengthen `clip_secs`",
    };
    let config = MelConfig { n_mels: 4 * N_BANDS, ..MelConfig::librosa(RATE_HZ) };
    let frames_per_sec = f64::from(RATE_HZ) / config.hop as f64;
    let track = tune.play(params.track_secs);
    let first = (excerpt.start_secs * f64::from(RATE_HZ)) as usize;
    let length = (params.clip_secs * f64::from(RATE_HZ)) as usize;
    let clip = &track[first..(first + length).min(track.len())];
    let mels = Mel::new(config).and_then(|mel| mel.spectrogram(clip)).map_err(wrong)?;
    let n = params.volumes_per_clip();
    let mut bands = Array2::zeros((n, N_BANDS));
    let mut rates = Array2::zeros((n, RATES_HZ.len()));
    let loudness: Vec<f64> =
        mels.rows().into_iter().map(|frame| frame.iter().map(|v| f64::from(*v).powf(0.3)).sum()).collect();
    let mean = loudness.iter().sum::<f64>() / loudness.len() as f64;
    for volume in 0..n {
        let frame_at = |secs: f64| ((secs * frames_per_sec).max(0.0) as usize).min(mels.nrows());
        let middle = (volume as f64 + 0.5) * params.tr_secs;
        let (from, to) = (frame_at(middle - params.tr_secs / 2.0), frame_at(middle + params.tr_secs / 2.0));
        for band in 0..N_BANDS {
            let part = mels.slice(ndarray::s![from..to, 4 * band..4 * (band + 1)]);
            bands[(volume, band)] = (part.mean().unwrap_or(0.0) + FLOOR).log10();
        }
        let (from, to) = (frame_at(middle - RATE_SECS / 2.0), frame_at(middle + RATE_SECS / 2.0));
        for (place, hz) in RATES_HZ.into_iter().enumerate() {
            rates[(volume, place)] = pulse(&loudness[from..to], mean, hz / frames_per_sec) as f32;
        }
    }
    let one = |place: usize, of: usize| {
        let mut values = Array2::zeros((n, of));
        values.column_mut(place).fill(1.0);
        values
    };
    let place = |all: usize, is: &dyn Fn(usize) -> bool| one((0..all).find(|&place| is(place)).unwrap_or(0), all);
    Ok(Heard {
        drives: vec![
            bands,
            rates,
            place(Genre::ALL.len(), &|place| Genre::ALL[place] == tune.genre),
            place(Instrument::ALL.len(), &|place| Instrument::ALL[place] == tune.instrument),
            place(Tempo::ALL.len(), &|place| Tempo::ALL[place] == tune.tempo),
            place(Mood::ALL.len(), &|place| Mood::ALL[place] == tune.mood),
        ],
    })
}

/// The amplitude of a rate (in cycles per frame) in loudness over its mean, under a window that rises and falls.
fn pulse(loudness: &[f64], mean: f64, cycles: f64) -> f64 {
    let n = loudness.len().max(1) as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (frame, value) in loudness.iter().enumerate() {
        let window = (std::f64::consts::PI * (frame as f64 + 0.5) / n).sin().powi(2);
        let angle = std::f64::consts::TAU * cycles * frame as f64;
        re += window * (value / mean - 1.0) * angle.cos();
        im += window * (value / mean - 1.0) * angle.sin();
    }
    (re * re + im * im).sqrt() / n
}
