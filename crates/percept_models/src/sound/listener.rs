//! One model of sound with its preparation, for feature spaces: a sound to one row in each.
//!
//! | space | model | row |
//! |---|---|---|
//! | `clap.audio` | CLAP | the embedding, of length 1 |
//! | `encodec.latent` | EnCodec | latents before quantisation |
//! | `w2v.layerNN` | w2v-BERT 2.0 | tokens behind a layer; `layer00` are those that enter |

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2};

use super::{
    clap::ClapModel,
    encodec::EncodecModel,
    hearing::{ClapHearing, SeamlessHearing},
    unit_rows,
    w2v_bert::W2vBertModel,
};
use crate::{
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
}

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
    /// The model that is wanted of CLAP, EnCodec and w2v-BERT, if one is.
    pub(crate) fn open(files: &PackFiles, parts: &mut Parts<'_>, wanted: [bool; 3]) -> Result<Option<Self>> {
        Ok(match wanted {
            [false, false, false] => None,
            [true, false, false] => {
                let hearing = ClapHearing::parse(&preparation(files)?)?;
                Some(Self::Clap(Box::new(parts.clap(clap_folder(files))?), Box::new(hearing)))
            }
            [false, true, false] => Some(Self::Encodec(Box::new(parts.encodec()?))),
            [false, false, true] => {
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
        }
    }

    /// Samples in a second of what it is given.
    pub(crate) fn rate_hz(&self) -> u32 {
        match self {
            Self::Clap(_, hearing) => hearing.rate_hz(),
            Self::Encodec(model) => model.config().sampling_rate,
            Self::W2v(_, hearing) => hearing.rate_hz(),
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
                let embedding = model.embed_mels(&heard.mels, &[heard.is_longer], &mut Taps::none())?;
                Ok(BTreeMap::from([(String::new(), unit_rows(&embedding)?)]))
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
        }
    }
}
