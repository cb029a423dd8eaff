//! What a sound goes through before a model, as `preprocessor_config.json` asks: transformers' `ClapFeatureExtractor`,
//! `EncodecFeatureExtractor` and `SeamlessM4TFeatureExtractor`.
//!
//! Sounds are mono (EnCodec's may be stereo) and already at the model's rate. Spectrograms are [`percept_signal::mel`]'s.
//! Where the reference chooses pieces at random, the middle one is taken here: a feature must not change from run to run.

use candle_core::{Device, Tensor};
use ndarray::{Array2, s};
use percept_signal::mel::{Mel, MelConfig, MelError, standardise};
use serde::Deserialize;
use serde_json::json;

use super::check_sound;
use crate::{
    config::{self, Rest},
    error::{ModelError, Result},
};

const NAME: &str = "feature_extractor";
/// The longest window of a sound that a model is given, in seconds.
const LONGEST_SECS: f64 = 600.0;

impl From<MelError> for ModelError {
    fn from(error: MelError) -> Self {
        Self::Input {
            what: "sound",
            expected: "one that a mel spectrogram can be made of".into(),
            got: error.to_string(),
        }
    }
}

/// How a sound longer than the model's window is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// One piece of it (`rand_trunc`).
    Piece,
    /// Three pieces and the whole, squeezed (`fusion`).
    Fusion,
}

/// How a shorter one is filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filling {
    /// Repeated as often as it fits, then zeros (`repeatpad`).
    RepeatAndZeros,
    /// Repeated, then cut (`repeat`).
    Repeat,
    /// Zeros (`pad`).
    Zeros,
}

/// The keys of a `ClapFeatureExtractor` config.
#[derive(Deserialize)]
struct ClapKeys {
    #[serde(default = "sixty_four")]
    feature_size: usize,
    #[serde(default = "forty_eight")]
    sampling_rate: u32,
    #[serde(default = "four_eighty")]
    hop_length: usize,
    #[serde(default = "ten")]
    max_length_s: f64,
    #[serde(default = "ten_twenty_four")]
    fft_window_size: usize,
    #[serde(default)]
    frequency_min: f64,
    #[serde(default = "fourteen")]
    frequency_max: f64,
    #[serde(default = "fusion")]
    truncation: String,
    #[serde(default = "repeatpad")]
    padding: String,
    #[serde(flatten)]
    rest: Rest,
}

fn sixty_four() -> usize {
    64
}
fn forty_eight() -> u32 {
    48_000
}
fn four_eighty() -> usize {
    480
}
fn ten() -> f64 {
    10.0
}
fn ten_twenty_four() -> usize {
    1024
}
fn fourteen() -> f64 {
    14_000.0
}
fn fusion() -> String {
    "fusion".into()
}
fn repeatpad() -> String {
    "repeatpad".into()
}

/// What every extractor's file repeats without its meaning anything here.
const INERT: [&str; 11] = [
    "feature_extractor_type",
    "processor_class",
    "padding_value",
    "padding_side",
    "return_attention_mask",
    "n_fft",
    "nb_frequency_bins",
    "nb_max_frames",
    "nb_max_samples",
    "chunk_length_s",
    "top_db",
];

/// What CLAP hears of a sound.
pub struct Heard {
    /// (1, pieces, frames, mels).
    pub mels: Tensor,
    /// Whether the sound was longer than the window.
    pub is_longer: bool,
}

/// How a sound is prepared for CLAP.
pub struct ClapHearing {
    mel: Mel,
    samples: usize,
    truncation: Truncation,
    filling: Filling,
}

impl ClapHearing {
    /// Reads and checks a `preprocessor_config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let c: ClapKeys = config::parse(NAME, text)?;
        let mut rest = c.rest.clone();
        for key in INERT {
            if key != "top_db" {
                rest.remove(key);
            }
        }
        config::check_rest(NAME, &rest, &[])?;
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        let truncation = match c.truncation.as_str() {
            "rand_trunc" => Truncation::Piece,
            "fusion" => Truncation::Fusion,
            _ => return refuse("truncation", c.truncation, "\"rand_trunc\", \"fusion\""),
        };
        let filling = match c.padding.as_str() {
            "repeatpad" => Filling::RepeatAndZeros,
            "repeat" => Filling::Repeat,
            "pad" => Filling::Zeros,
            _ => return refuse("padding", c.padding, "\"repeatpad\", \"repeat\", \"pad\""),
        };
        if !(c.max_length_s > 0.0 && c.max_length_s <= LONGEST_SECS) {
            return refuse("max_length_s", c.max_length_s.to_string(), "more than 0, at most 600");
        }
        let samples = (c.max_length_s * f64::from(c.sampling_rate)) as usize;
        let config = MelConfig {
            rate_hz: c.sampling_rate,
            frame: c.fft_window_size,
            n_fft: c.fft_window_size,
            hop: c.hop_length,
            n_mels: c.feature_size,
            low_hz: c.frequency_min,
            high_hz: c.frequency_max,
            ..MelConfig::clap(truncation == Truncation::Fusion)
        };
        Ok(Self { mel: Mel::new(config)?, samples, truncation, filling })
    }

    /// Samples in a second of what it is given.
    pub fn rate_hz(&self) -> u32 {
        self.mel.config().rate_hz
    }

    /// How long sounds are cut.
    pub fn truncation(&self) -> Truncation {
        self.truncation
    }

    /// Samples of the model's window.
    pub fn window(&self) -> usize {
        self.samples
    }

    /// The spectrograms of a sound.
    ///
    /// # Errors
    /// A sound that is empty, or not of numbers.
    pub fn hear(&self, sound: &[f32], device: &Device) -> Result<Heard> {
        check_sound(sound)?;
        let is_longer = sound.len() > self.samples;
        let pieces = match (is_longer, self.truncation) {
            (false, Truncation::Piece) => vec![self.mel.spectrogram(&self.filled(sound))?],
            (false, Truncation::Fusion) => vec![self.mel.spectrogram(&self.filled(sound))?; 4],
            (true, Truncation::Piece) => {
                let from = (sound.len() - self.samples) / 2;
                vec![self.mel.spectrogram(&sound[from..from + self.samples])?]
            }
            (true, Truncation::Fusion) => {
                let all = self.mel.spectrogram(sound)?;
                let frames = self.mel.n_frames(self.samples);
                if all.nrows() == frames {
                    // Longer by less than a frame: nothing is left out.
                    let pieces: [Array2<f32>; 4] = std::array::from_fn(|_| all.clone());
                    return heard(&pieces, false, device);
                }
                let mut pieces = vec![squeezed(&all, frames)];
                pieces.extend(
                    middles(all.nrows() - frames).map(|from| all.slice(s![from..from + frames, ..]).to_owned()),
                );
                pieces
            }
        };
        heard(&pieces, is_longer, device)
    }

    /// A sound of at most the window's length, filled up to it.
    fn filled(&self, sound: &[f32]) -> Vec<f32> {
        let copies = match self.filling {
            Filling::RepeatAndZeros => self.samples / sound.len(),
            Filling::Repeat => self.samples / sound.len() + 1,
            Filling::Zeros => 1,
        };
        let mut out = sound.repeat(copies.max(1));
        out.resize(self.samples, 0.0);
        out
    }
}

/// The middle of each third of the places where a piece can begin, 0 to `last`, as NumPy's `array_split` cuts them.
fn middles(last: usize) -> [usize; 3] {
    let n = last + 1;
    let mut from = 0;
    [0, 1, 2].map(|i| {
        let length = n / 3 + usize::from(i < n % 3);
        let middle = if length == 0 { 0 } else { from + (length - 1) / 2 };
        from += length;
        middle
    })
}

/// As many frames as asked for, by linear interpolation over time between the centres of frames.
fn squeezed(all: &Array2<f32>, frames: usize) -> Array2<f32> {
    let scale = all.nrows() as f64 / frames as f64;
    Array2::from_shape_fn((frames, all.ncols()), |(i, j)| {
        let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(all.nrows() - 1);
        let share = (at - first as f64) as f32;
        let next = (first + 1).min(all.nrows() - 1);
        all[(first, j)] * (1.0 - share) + all[(next, j)] * share
    })
}

/// How a sound is prepared for w2v-BERT 2.0: standardised log-mels, two frames to a token.
pub struct SeamlessHearing {
    mel: Mel,
    stride: usize,
}

impl SeamlessHearing {
    /// Reads and checks a `preprocessor_config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(default = "sixteen")]
            sampling_rate: u32,
            #[serde(default = "eighty")]
            num_mel_bins: usize,
            #[serde(default = "two")]
            stride: usize,
            #[serde(flatten)]
            rest: Rest,
        }
        fn sixteen() -> u32 {
            16_000
        }
        fn eighty() -> usize {
            80
        }
        fn two() -> usize {
            2
        }
        let c: Keys = config::parse(NAME, text)?;
        let mut rest = c.rest.clone();
        for key in INERT.iter().chain(&["feature_size"]) {
            rest.remove(*key);
        }
        config::check_rest(NAME, &rest, &[("do_normalize_per_mel_bins", json!(true))])?;
        if c.stride == 0 || c.stride > 16 {
            let supported = "1 to 16".to_owned();
            return Err(ModelError::Config {
                component: NAME,
                key: "stride".into(),
                value: c.stride.to_string(),
                supported,
            });
        }
        let config = MelConfig {
            rate_hz: c.sampling_rate,
            n_mels: c.num_mel_bins,
            high_hz: f64::from(c.sampling_rate / 2),
            ..MelConfig::seamless()
        };
        Ok(Self { mel: Mel::new(config)?, stride: c.stride })
    }

    /// Samples in a second of what it is given.
    pub fn rate_hz(&self) -> u32 {
        self.mel.config().rate_hz
    }

    /// The tokens of a sound, (1, tokens, mels · stride). Frames that fill no token are dropped, as the reference masks them.
    ///
    /// # Errors
    /// A sound that is too short for a token, or not of numbers.
    pub fn hear(&self, sound: &[f32], device: &Device) -> Result<Tensor> {
        check_sound(sound)?;
        let mut mels = self.mel.spectrogram(sound)?;
        standardise(&mut mels);
        let (tokens, width) = (mels.nrows() / self.stride, mels.ncols() * self.stride);
        if tokens == 0 {
            return Err(MelError::TooShort {
                got: sound.len(),
                expected: self.mel.config().frame + (self.stride - 1) * self.mel.config().hop,
            }
            .into());
        }
        let values: Vec<f32> = mels.iter().take(tokens * width).copied().collect();
        Ok(Tensor::from_vec(values, (1, tokens, width), device)?)
    }
}

/// Pieces as one sound of a batch.
fn heard(pieces: &[Array2<f32>], is_longer: bool, device: &Device) -> Result<Heard> {
    let (frames, mels) = pieces[0].dim();
    let values: Vec<f32> = pieces.iter().flatten().copied().collect();
    Ok(Heard { mels: Tensor::from_vec(values, (1, pieces.len(), frames, mels), device)?, is_longer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_begin_in_the_middle_of_each_third() {
        assert_eq!(middles(8), [1, 4, 7]);
        assert_eq!(middles(1), [0, 1, 0]);
        assert_eq!(middles(0), [0, 0, 0]);
    }

    #[test]
    fn settings_that_change_what_is_heard_are_refused() {
        for (text, key) in [
            ("{\"truncation\": \"none\"}", "truncation"),
            ("{\"padding\": \"reflect\"}", "padding"),
            ("{\"max_length_s\": 0}", "max_length_s"),
            ("{\"top_db\": 80}", "top_db"),
        ] {
            let words = ClapHearing::parse(text).err().expect(key).to_string();
            assert!(words.contains(&format!("`{key}`")), "{words}");
        }
        let hearing = ClapHearing::parse("{}").expect("the defaults");
        assert_eq!((hearing.rate_hz(), hearing.window(), hearing.truncation()), (48_000, 480_000, Truncation::Fusion));
        let words = SeamlessHearing::parse("{\"stride\": 0}").err().expect("no stride").to_string();
        assert!(words.contains("`stride`"), "{words}");
    }
}
