//! Mel spectrograms in the conventions of librosa, torchaudio and transformers, by name.
//!
//! A sound is cut into overlapping frames, each is windowed and transformed, the powers (or magnitudes) are summed under
//! triangles that are equally wide on a scale of pitch, and a logarithm may follow. Libraries differ in each of these steps;
//! [`MelConfig`] names all of them and has a constructor for every convention that a model or a package here asks for:
//!
//! | constructor | whose | scale, area | padding | logarithm |
//! |---|---|---|---|---|
//! | [`MelConfig::librosa`] | `librosa.feature.melspectrogram` | Slaney, Slaney | zeros | none |
//! | [`MelConfig::torchaudio`] | `torchaudio.transforms.MelSpectrogram` | HTK, none | mirrored | none |
//! | [`MelConfig::clap`], `false` | transformers' `ClapFeatureExtractor`, `rand_trunc` | Slaney, Slaney | mirrored | dB |
//! | [`MelConfig::clap`], `true` | the same, `fusion` | HTK, none | mirrored | dB |
//! | [`MelConfig::seamless`] | transformers' `SeamlessM4TFeatureExtractor` (w2v-BERT 2.0), Kaldi's filter bank | Kaldi, none, triangles in mel | none | natural |
//!
//! Sums are f64, results f32. Not here: constant-Q transforms, cepstral coefficients, dithering.
//!
//! # References
//! Stevens, Volkmann & Newman 1937 (doi:10.1121/1.1915893); Slaney 1998, Auditory Toolbox; Young et al., The HTK Book.

use std::f64::consts::PI;

use ndarray::Array2;
use rayon::prelude::*;

use crate::fourier::{Complex, Fourier};

/// A sound cannot be made into a spectrogram.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MelError {
    /// Settings that no spectrogram has.
    #[error("mel spectrogram: `{key}` is {got}, expected {expected} (see the convention that you mean)")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it is.
        got: String,
        /// What it must be.
        expected: String,
    },
    /// Too few samples for a frame, or to be mirrored.
    #[error("mel spectrogram: the sound has {got} samples, expected at least {expected} (repeat it or leave it out)")]
    TooShort {
        /// Samples there are.
        got: usize,
        /// Samples needed.
        expected: usize,
    },
}

/// From frequency to mel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MelScale {
    /// 2595 log10(1 + f / 700).
    Htk,
    /// Linear below 1 kHz, logarithmic above.
    Slaney,
    /// 1127 ln(1 + f / 700).
    Kaldi,
}

impl MelScale {
    fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Kaldi => 1127.0 * (1.0 + hz / 700.0).ln(),
            Self::Slaney if hz >= 1000.0 => 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
            Self::Slaney => 3.0 * hz / 200.0,
        }
    }

    fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Kaldi => 700.0 * ((mel / 1127.0).exp() - 1.0),
            Self::Slaney if mel >= 15.0 => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
            Self::Slaney => 200.0 * mel / 3.0,
        }
    }
}

/// The shape that every frame is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// ½ − ½ cos(2πn / N), periodic.
    Hann,
    /// (½ − ½ cos(2πn / (N − 1)))^0.85, Kaldi's.
    Povey,
}

/// What lies before the first and behind the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: frames lie within the sound.
    None,
    /// Half a frame of zeros on both sides: frames are centred.
    Zeros,
    /// Half a frame of the sound, mirrored at its ends.
    Mirrored,
}

/// The logarithm behind the filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// None.
    Linear,
    /// The natural logarithm.
    Ln,
    /// 10 log10, with nothing more than so many dB below the loudest where that is given.
    Decibel(Option<f64>),
}

/// Every choice of a convention.
#[derive(Clone, Debug, PartialEq)]
pub struct MelConfig {
    /// Samples in a second.
    pub rate_hz: u32,
    /// Samples in a frame.
    pub frame: usize,
    /// Samples that are transformed: the frame, and zeros behind it.
    pub n_fft: usize,
    /// Samples from frame to frame.
    pub hop: usize,
    /// Number of triangles.
    pub n_mels: usize,
    /// Where the lowest begins, in Hz.
    pub low_hz: f64,
    /// Where the highest ends, in Hz.
    pub high_hz: f64,
    /// The scale of pitch.
    pub scale: MelScale,
    /// Whether triangles have equal areas (Slaney) and not equal heights.
    pub equal_area: bool,
    /// Whether triangles are straight in mel (Kaldi) and not in Hz.
    pub straight_in_mel: bool,
    /// The window.
    pub window: Window,
    /// The ends.
    pub padding: Padding,
    /// Whether powers are summed and not magnitudes.
    pub power: bool,
    /// What samples are multiplied by first (Kaldi counts in 16-bit integers).
    pub gain: f64,
    /// Whether every frame's mean is subtracted.
    pub remove_mean: bool,
    /// How much of its predecessor is subtracted from every sample of a frame.
    pub preemphasis: f64,
    /// The least sum that is believed.
    pub floor: f64,
    /// The logarithm.
    pub log: Scale,
}

impl MelConfig {
    /// `librosa.feature.melspectrogram(y, sr)`; `librosa.power_to_db` is [`Scale::Decibel`] with 80.
    pub fn librosa(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            frame: 2048,
            n_fft: 2048,
            hop: 512,
            n_mels: 128,
            low_hz: 0.0,
            high_hz: f64::from(rate_hz) / 2.0,
            scale: MelScale::Slaney,
            equal_area: true,
            straight_in_mel: false,
            window: Window::Hann,
            padding: Padding::Zeros,
            power: true,
            gain: 1.0,
            remove_mean: false,
            preemphasis: 0.0,
            floor: 0.0,
            log: Scale::Linear,
        }
    }

    /// `torchaudio.transforms.MelSpectrogram(sample_rate)`.
    pub fn torchaudio(rate_hz: u32) -> Self {
        Self {
            frame: 400,
            n_fft: 400,
            hop: 200,
            high_hz: f64::from(rate_hz / 2),
            scale: MelScale::Htk,
            equal_area: false,
            padding: Padding::Mirrored,
            ..Self::librosa(rate_hz)
        }
    }

    /// transformers' `ClapFeatureExtractor` with its defaults; `fusion` is its mode of truncation, which chooses the filters.
    pub fn clap(fusion: bool) -> Self {
        Self {
            frame: 1024,
            n_fft: 1024,
            hop: 480,
            n_mels: 64,
            high_hz: 14_000.0,
            scale: if fusion { MelScale::Htk } else { MelScale::Slaney },
            equal_area: !fusion,
            padding: Padding::Mirrored,
            floor: 1e-10,
            log: Scale::Decibel(None),
            ..Self::librosa(48_000)
        }
    }

    /// transformers' `SeamlessM4TFeatureExtractor`, without its normalisation ([`standardise`]) and stacking of frames.
    pub fn seamless() -> Self {
        Self {
            frame: 400,
            n_fft: 512,
            hop: 160,
            n_mels: 80,
            low_hz: 20.0,
            high_hz: 8_000.0,
            scale: MelScale::Kaldi,
            equal_area: false,
            straight_in_mel: true,
            window: Window::Povey,
            padding: Padding::None,
            gain: 32_768.0,
            remove_mean: true,
            preemphasis: 0.97,
            floor: f64::from(f32::EPSILON),
            log: Scale::Ln,
            ..Self::librosa(16_000)
        }
    }

    fn check(&self) -> Result<(), MelError> {
        const LARGEST: usize = 1 << 20;
        let refuse = |key, got: String, expected: &str| Err(MelError::Setting { key, got, expected: expected.into() });
        for (key, value) in [("frame", self.frame), ("n_fft", self.n_fft), ("hop", self.hop), ("n_mels", self.n_mels)] {
            if value == 0 || value > LARGEST {
                return refuse(key, value.to_string(), "1 to 1048576");
            }
        }
        if self.frame > self.n_fft || self.n_fft < 2 {
            return refuse("frame", self.frame.to_string(), "at most `n_fft`");
        }
        let half = f64::from(self.rate_hz) / 2.0;
        if !(self.low_hz >= 0.0 && self.low_hz < self.high_hz && self.high_hz <= half) {
            let got = format!("{} Hz above {} Hz", self.high_hz, self.low_hz);
            return refuse("high_hz", got, "above `low_hz` and at most half of the sampling rate");
        }
        Ok(())
    }
}

/// The triangles over the frequencies of a transform, each from its first frequency on.
struct Triangles(Vec<(usize, Vec<f64>)>);

impl Triangles {
    fn new(c: &MelConfig) -> Self {
        let n_bins = c.n_fft / 2 + 1;
        let (low, high) = (c.scale.mel(c.low_hz), c.scale.mel(c.high_hz));
        let mels: Vec<f64> = (0..c.n_mels + 2).map(|i| low + (high - low) * i as f64 / (c.n_mels + 1) as f64).collect();
        let edges: Vec<f64> = mels.iter().map(|&mel| c.scale.hz(mel)).collect();
        let width = f64::from(c.rate_hz) / c.n_fft as f64;
        let place = |bin: usize| if c.straight_in_mel { c.scale.mel(width * bin as f64) } else { width * bin as f64 };
        let corners = if c.straight_in_mel { &mels } else { &edges };
        let triangle = |i: usize| {
            let [left, top, right] = [corners[i], corners[i + 1], corners[i + 2]];
            let area = if c.equal_area { 2.0 / (edges[i + 2] - edges[i]) } else { 1.0 };
            let weight = |bin: usize| {
                let at = place(bin);
                ((at - left) / (top - left)).min((right - at) / (right - top)).max(0.0) * area
            };
            let first = (0..n_bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            (first, (first..n_bins).map(weight).take_while(|&w| w > 0.0).collect())
        };
        Self((0..c.n_mels).map(triangle).collect())
    }
}

/// Prepared for many sounds: window, transform and triangles.
pub struct Mel {
    config: MelConfig,
    window: Vec<f64>,
    fourier: Fourier,
    triangles: Triangles,
}

impl Mel {
    /// Prepares a convention.
    ///
    /// # Errors
    /// [`MelError::Setting`].
    pub fn new(config: MelConfig) -> Result<Self, MelError> {
        config.check()?;
        let n = config.frame;
        let hann = |i: usize, period: f64| 0.5 - 0.5 * (2.0 * PI * i as f64 / period).cos();
        let window = match config.window {
            Window::Hann => (0..n).map(|i| hann(i, n as f64)).collect(),
            Window::Povey => (0..n).map(|i| hann(i, (n.max(2) - 1) as f64).powf(0.85)).collect(),
        };
        Ok(Self { triangles: Triangles::new(&config), window, fourier: Fourier::new(config.n_fft), config })
    }

    /// The convention.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// The weight of every frequency of the transform in every mel: n_mels × (n_fft / 2 + 1).
    pub fn triangles(&self) -> Array2<f32> {
        let mut all = Array2::zeros((self.config.n_mels, self.config.n_fft / 2 + 1));
        for (mut row, (first, weights)) in all.outer_iter_mut().zip(&self.triangles.0) {
            row.iter_mut().skip(*first).zip(weights).for_each(|(to, &weight)| *to = weight as f32);
        }
        all
    }

    /// Frames of a sound of `n_samples` samples.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        let c = &self.config;
        let margin = if c.padding == Padding::None { 0 } else { 2 * (c.frame / 2) };
        (n_samples + margin).checked_sub(c.frame).map_or(0, |rest| 1 + rest / c.hop)
    }

    /// The spectrogram of a sound.
    ///
    /// # Shapes
    /// `sound` samples of one channel → (frames, mels).
    ///
    /// # Numerics
    /// Within 1e-4 of the named package, relative to the largest value.
    ///
    /// # Errors
    /// [`MelError::TooShort`].
    pub fn spectrogram(&self, sound: &[f32]) -> Result<Array2<f32>, MelError> {
        let c = &self.config;
        let least = match c.padding {
            Padding::None => c.frame,
            Padding::Zeros => 1,
            Padding::Mirrored => c.frame / 2 + 1,
        };
        if sound.len() < least {
            return Err(MelError::TooShort { got: sound.len(), expected: least });
        }
        let n_frames = self.n_frames(sound.len());
        let mut sums = vec![0f64; n_frames * c.n_mels];
        // Two frames are the real and the imaginary part of one transform.
        sums.par_chunks_mut(2 * c.n_mels)
            .enumerate()
            .for_each_init(|| Work::new(self), |work, (pair, out)| self.pair(sound, 2 * pair, work, out));
        let floor = if let Scale::Decibel(Some(range)) = c.log {
            let loudest = sums.iter().fold(1e-10f64, |most, &sum| most.max(sum));
            10.0 * loudest.log10() - range
        } else {
            f64::NEG_INFINITY
        };
        let values = sums.into_iter().map(|sum| {
            let value = match c.log {
                Scale::Linear => sum,
                Scale::Ln => sum.ln(),
                Scale::Decibel(_) => (10.0 * sum.max(1e-10).log10()).max(floor),
            };
            value as f32
        });
        // The length is that of the shape by construction.
        Ok(Array2::from_shape_vec((n_frames, c.n_mels), values.collect()).unwrap_or_default())
    }

    /// The sums of frame `first` and, where `out` has room, of the next.
    fn pair(&self, sound: &[f32], first: usize, work: &mut Work, out: &mut [f64]) {
        let c = &self.config;
        work.spectrum.fill(Complex::default());
        for (half, _) in out.chunks(c.n_mels).enumerate() {
            self.cut(sound, first + half, &mut work.frame);
            for (value, &sample) in work.spectrum.iter_mut().zip(&work.frame) {
                if half == 0 { value.re = sample } else { value.im = sample }
            }
        }
        self.fourier.forward(&mut work.spectrum);
        let n = c.n_fft;
        for (half, sums) in out.chunks_mut(c.n_mels).enumerate() {
            for (bin, power) in work.powers.iter_mut().enumerate() {
                let (a, b) = (work.spectrum[bin], work.spectrum[(n - bin) % n].conj());
                let value = if half == 0 { a + b } else { a - b };
                let squared = value.square() * 0.25;
                *power = if c.power { squared } else { squared.sqrt() };
            }
            for (sum, (from, weights)) in sums.iter_mut().zip(&self.triangles.0) {
                let under: f64 = weights.iter().zip(&work.powers[*from..]).map(|(w, p)| w * p).sum();
                *sum = under.max(c.floor);
            }
        }
    }

    /// Frame `index`, windowed.
    fn cut(&self, sound: &[f32], index: usize, frame: &mut [f64]) {
        let c = &self.config;
        let margin = if c.padding == Padding::None { 0 } else { c.frame / 2 };
        let last = sound.len() as i64 - 1;
        for (i, value) in frame.iter_mut().enumerate() {
            let at = (index * c.hop + i) as i64 - margin as i64;
            let at = match c.padding {
                Padding::Mirrored if at < 0 => -at,
                Padding::Mirrored if at > last => 2 * last - at,
                _ => at,
            };
            let sample = usize::try_from(at).ok().and_then(|at| sound.get(at)).copied().unwrap_or(0.0);
            *value = f64::from(sample) * c.gain;
        }
        if c.remove_mean {
            let mean = frame.iter().sum::<f64>() / frame.len() as f64;
            for value in frame.iter_mut() {
                *value -= mean;
            }
        }
        if c.preemphasis != 0.0 {
            for i in (1..frame.len()).rev() {
                frame[i] -= c.preemphasis * frame[i - 1];
            }
            frame[0] *= 1.0 - c.preemphasis;
        }
        frame.iter_mut().zip(&self.window).for_each(|(value, weight)| *value *= weight);
    }
}

/// Memory of one thread.
struct Work {
    frame: Vec<f64>,
    spectrum: Vec<Complex>,
    powers: Vec<f64>,
}

impl Work {
    fn new(mel: &Mel) -> Self {
        let n = mel.config.n_fft;
        Self { frame: vec![0.0; mel.config.frame], spectrum: vec![Complex::default(); n], powers: vec![0.0; n / 2 + 1] }
    }
}

/// Each column minus its mean, over its standard deviation (of n − 1, with 1e-7 added to the variance), in place: what
/// `SeamlessM4TFeatureExtractor` does to every mel.
pub fn standardise(spectrogram: &mut Array2<f32>) {
    let n = spectrogram.nrows() as f64;
    for mut column in spectrogram.columns_mut() {
        let mean = column.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let squares = column.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
        let deviation = (squares / (n - 1.0).max(1.0) + 1e-7).sqrt();
        column.iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) / deviation) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_inverted() {
        for scale in [MelScale::Htk, MelScale::Slaney, MelScale::Kaldi] {
            for hz in [0.0, 20.0, 440.0, 999.0, 1000.0, 7999.0] {
                assert!((scale.hz(scale.mel(hz)) - hz).abs() < 1e-9, "{scale:?} {hz}");
            }
        }
    }

    #[test]
    fn a_tone_is_loudest_in_its_triangle() {
        let mel = Mel::new(MelConfig::librosa(16_000)).expect("a convention");
        let tone: Vec<f32> = (0..16_000).map(|i| (2.0 * PI * 1000.0 * f64::from(i) / 16_000.0).sin() as f32).collect();
        let made = mel.spectrogram(&tone).expect("long enough");
        assert_eq!(made.dim(), (32, 128));
        let row: Vec<f32> = made.row(16).to_vec();
        let loudest = (0..128).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("many");
        let edge = |i: usize| MelScale::Slaney.hz(MelScale::Slaney.mel(8000.0) * i as f64 / 129.0);
        assert!(edge(loudest) < 1000.0 && 1000.0 < edge(loudest + 2), "{loudest}");
    }

    #[test]
    fn what_is_too_short_or_impossible_is_named() {
        let mel = Mel::new(MelConfig::seamless()).expect("a convention");
        assert_eq!(mel.spectrogram(&[0.0; 399]), Err(MelError::TooShort { got: 399, expected: 400 }));
        assert_eq!(mel.spectrogram(&[0.0; 400]).map(|made| made.dim()), Ok((1, 80)));
        let mel = Mel::new(MelConfig::clap(true)).expect("a convention");
        assert!(mel.spectrogram(&[0.0; 512]).is_err() && mel.spectrogram(&[0.0; 513]).is_ok());
        for broken in [
            MelConfig { hop: 0, ..MelConfig::librosa(8000) },
            MelConfig { frame: 4096, ..MelConfig::librosa(8000) },
            MelConfig { high_hz: 4001.0, ..MelConfig::librosa(8000) },
            MelConfig { low_hz: f64::NAN, ..MelConfig::librosa(8000) },
        ] {
            assert!(matches!(Mel::new(broken), Err(MelError::Setting { .. })));
        }
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let noise: Vec<f32> =
            (0..30_000u32).map(|i| ((i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8e6) - 1.0).collect();
        let mel = Mel::new(MelConfig::clap(false)).expect("a convention");
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| mel.spectrogram(&noise)).expect("long enough")
        };
        assert_eq!(on(1), on(3));
    }
}
