//! One model of sound with its preparation, for feature spaces: a sound to one row in each.
//!
//! | space | model | row |
//! |---|---|---|
//! | `clap.audio` | CLAP | the embedding, of length 1 |
//! | `clap.audio.stageN` | CLAP | tokens behind a stage of the audio encoder |
//! | `encodec.latent` | EnCodec | latents before quantisation |
//! | `w2v.layerNN` | w2v-BERT 2.0 | tokens behind a layer; `layer00` are those that enter |
//! | `sound.mel`, `sound.envelope` | none | what early hearing is usually described by: mels in dB, and loudness |

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2};

use percept_signal::mel::{Mel, MelConfig, Scale};

use super::{
    clap::ClapModel,
    encodec::EncodecModel,
    hearing::{ClapHearing, SeamlessHearing},
    unit_rows,
    w2v_bert::W2vBertModel,
};
use crate::{
    device::chosen,
    error::{ModelError, Result},
    parts::Parts,
    tap::Taps,
    tokenizer::TextTokenizer,
    weights::PackFiles,
};

/// A model that hears.
pub(crate) enum Listener {
    Clap(Box<ClapModel>, Box<ClapHearing>),
    Encodec(Box<EncodecModel>),
    W2v(Box<W2vBertModel>, Box<SeamlessHearing>),
    /// No model; where rows go.
    Plain(Box<Mel>, Device),
}

/// Samples in a second of sounds that no model hears.
const PLAIN_HZ: u32 = 16_000;

/// The file of a pack that says how sounds are prepared.
fn preparation(files: &PackFiles) -> Result<String> {
    let (flat, nested) = ("preprocessor_config.json", "feature_extractor/preprocessor_config.json");
    files.read_text(if files.holds(nested) && !files.holds(flat) { nested } else { flat })
}

/// Where a CLAP lies in a pack: at its top, or as the text encoder of one that makes music.
fn clap_folder(files: &PackFiles) -> &'static str {
    if files.holds("text_encoder/config.json") { "text_encoder" } else { "" }
}

/// A CLAP, to read texts.
pub(crate) fn clap_words(files: &PackFiles, parts: &mut Parts<'_>) -> Result<(ClapModel, TextTokenizer)> {
    let model = parts.clap(clap_folder(files))?;
    let (flat, nested) = ("tokenizer.json", "tokenizer/tokenizer.json");
    let text = files.read_text(if files.holds(nested) { nested } else { flat })?;
    let tokenizer = TextTokenizer::new(&text, model.text().longest())?;
    Ok((model, tokenizer))
}

impl Listener {
    /// What is wanted of CLAP, EnCodec, w2v-BERT and no model, if one is.
    pub(crate) fn open(files: &PackFiles, parts: &mut Parts<'_>, wanted: [bool; 4]) -> Result<Option<Self>> {
        Ok(match wanted {
            [false, false, false, false] => None,
            [true, false, false, false] => {
                let hearing = ClapHearing::parse(&preparation(files)?)?;
                Some(Self::Clap(Box::new(parts.clap(clap_folder(files))?), Box::new(hearing)))
            }
            [false, true, false, false] => Some(Self::Encodec(Box::new(parts.encodec()?))),
            [false, false, false, true] => {
                let config = MelConfig { log: Scale::Decibel(Some(80.0)), ..MelConfig::librosa(PLAIN_HZ) };
                Some(Self::Plain(Box::new(Mel::new(config)?), chosen()))
            }
            [false, false, true, false] => {
                let hearing = SeamlessHearing::parse(&preparation(files)?)?;
                Some(Self::W2v(Box::new(parts.w2v_bert()?), Box::new(hearing)))
            }
            _ => {
                return Err(ModelError::Input {
                    what: "feature spaces",
                    expected: "those of one model of sound at a time".into(),
                    got: "several models'".into(),
                });
            }
        })
    }

    pub(crate) fn device(&self) -> Device {
        match self {
            Self::Clap(model, _) => model.device().clone(),
            Self::Encodec(model) => model.device(),
            Self::W2v(model, _) => model.device().clone(),
            Self::Plain(_, device) => device.clone(),
        }
    }

    /// Samples in a second of what it is given.
    pub(crate) fn rate_hz(&self) -> u32 {
        match self {
            Self::Clap(_, hearing) => hearing.rate_hz(),
            Self::Encodec(model) => model.config().sampling_rate,
            Self::W2v(_, hearing) => hearing.rate_hz(),
            Self::Plain(..) => PLAIN_HZ,
        }
    }

    /// Channels of what it is given.
    pub(crate) fn channels(&self) -> usize {
        match self {
            Self::Encodec(model) => model.config().audio_channels,
            _ => 1,
        }
    }

    /// The values at `places` of one sound (channels, samples), each (1, tokens, width) or (1, width).
    pub(crate) fn hear(&self, sound: ArrayView2<'_, f32>, places: &[&str]) -> Result<BTreeMap<String, Tensor>> {
        let mono = |sound: ArrayView2<'_, f32>| -> Vec<f32> {
            let n = sound.nrows().max(1) as f32;
            sound.columns().into_iter().map(|frame| frame.sum() / n).collect()
        };
        match self {
            Self::Clap(model, hearing) => {
                let heard = hearing.hear(&mono(sound), &model.device().clone())?;
                let mut taps = Taps::wanting(places.iter().copied().filter(|place| !place.is_empty()));
                let embedding = model.embed_mels(&heard.mels, &[heard.is_longer], &mut taps)?;
                let mut found = taps.finish()?;
                found.insert(String::new(), unit_rows(&embedding)?);
                Ok(found)
            }
            Self::Encodec(model) => {
                if places != ["latent"] {
                    return Err(ModelError::Input {
                        what: "feature space",
                        expected: "`encodec.latent`".into(),
                        got: format!("{places:?}"),
                    });
                }
                let pieces = model.encode_sound(sound)?;
                let rows: Vec<Array2<f32>> = pieces.into_iter().map(|piece| piece.latents).collect();
                let width = model.config().hidden_size;
                let values: Vec<f32> = rows.iter().flatten().copied().collect();
                let n = values.len() / width;
                let all = Tensor::from_vec(values, (1, n, width), &model.device())?;
                Ok(BTreeMap::from([("latent".to_owned(), all)]))
            }
            Self::W2v(model, hearing) => {
                let mut taps = Taps::wanting(places.iter().copied());
                model.forward(&hearing.hear(&mono(sound), model.device())?, &mut taps)?;
                taps.finish()
            }
            Self::Plain(mel, device) => {
                let sound = mono(sound);
                let mels = mel.spectrogram(&sound)?;
                let levels = levels(&sound, mel.config().frame, mel.config().hop);
                let (n_frames, n_mels) = mels.dim();
                let mels = Tensor::from_vec(mels.iter().copied().collect::<Vec<f32>>(), (1, n_frames, n_mels), device)?;
                let n_levels = levels.len();
                let levels = Tensor::from_vec(levels, (1, n_levels, 1), device)?;
                Ok(BTreeMap::from([("mel".to_owned(), mels), ("envelope".to_owned(), levels)]))
            }
        }
    }
}

/// The root mean square of centred frames, silence beyond the ends: `librosa.feature.rms`.
fn levels(sound: &[f32], frame: usize, hop: usize) -> Vec<f32> {
    let square = |at: usize| sound.get(at).map_or(0.0, |&value| f64::from(value).powi(2));
    (0..=sound.len() / hop)
        .map(|number| {
            let (centre, half) = (number * hop, frame / 2);
            let sum: f64 = (centre.saturating_sub(half)..centre + frame - half).map(square).sum();
            (sum / frame as f64).sqrt() as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_is_that_of_centred_frames() {
        let tone: Vec<f32> = (0..16_000).map(|i| 0.5 * (f32::from(i as u16) * 0.3).sin()).collect();
        let found = levels(&tone, 2048, 512);
        assert_eq!(found.len(), 32);
        assert!(found[3..28].iter().all(|level| (level - 0.5 / 2f32.sqrt()).abs() < 2e-3), "{found:?}");
        // Half of the first frame is silence before the sound.
        assert!((found[0] - 0.25).abs() < 2e-3, "{}", found[0]);
    }

    #[test]
    fn what_no_model_hears_has_a_row_for_every_frame() {
        let config = MelConfig { log: Scale::Decibel(Some(80.0)), ..MelConfig::librosa(PLAIN_HZ) };
        let plain = Listener::Plain(Box::new(Mel::new(config).expect("a convention")), chosen());
        let sound = Array2::from_shape_fn((1, 8_000), |(_, i)| (i as f32 * 0.1).sin());
        let found = plain.hear(sound.view(), &["mel", "envelope"]).expect("heard");
        assert_eq!((found["mel"].dims(), found["envelope"].dims()), (&[1, 16, 128][..], &[1, 16, 1][..]));
        assert_eq!((plain.rate_hz(), plain.channels()), (16_000, 1));
    }
}
