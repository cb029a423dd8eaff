//! CLAP (Wu et al. 2023, arXiv 2211.06687): sounds and texts in one space, from transformers' `ClapModel` layout: HTSAT reads
//! sounds ([`audio`]), RoBERTa texts, and two layers project each. Reference: transformers 5.24.0.

pub mod audio;
mod swin;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use ndarray::Array2;
use serde::Deserialize;

pub use audio::{ClapAudioConfig, ClapAudioModel};

use super::hearing::{ClapHearing, Heard};
use super::unit_rows;
use crate::{
    config::{self, Rest},
    device::side_by_side,
    error::{ModelError, Result},
    language::LanguageModel,
    nn::{elementwise::Elementwise, host::to_rows, layers::Linear, params::Params},
    tap::Taps,
    tokenizer::TextTokenizer,
};

const NAME: &str = "clap";

/// Keys that describe training or are repeated from the config of both sides.
const OF_BOTH: [&str; 9] = [
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "fusion_hidden_size",
    "fusion_num_hidden_layers",
    "hidden_dropout_prob",
    "layer_norm_eps",
    "projection_dim",
    "projection_hidden_act",
    "use_cache",
];

/// The keys of a `ClapConfig`.
#[derive(Deserialize)]
struct ClapConfig {
    audio_config: serde_json::Value,
    text_config: serde_json::Value,
    #[serde(default = "width")]
    projection_dim: usize,
    #[serde(default = "relu")]
    projection_hidden_act: String,
    #[serde(flatten)]
    rest: Rest,
}

fn width() -> usize {
    512
}
fn relu() -> String {
    "relu".into()
}

/// Two layers into the shared space.
struct Projection {
    first: Linear,
    activation: Elementwise,
    second: Linear,
}

impl Projection {
    fn new(p: &Params, inputs: usize, outputs: usize, activation: Elementwise) -> Result<Self> {
        Ok(Self {
            first: Linear::new(&p.at("linear1"), inputs, outputs)?,
            activation,
            second: Linear::new(&p.at("linear2"), outputs, outputs)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&self.activation.apply(&self.first.forward(x)?)?)
    }
}

/// Both sides.
pub struct ClapModel {
    audio: ClapAudioModel,
    audio_projection: Projection,
    text: LanguageModel,
    text_projection: Projection,
    width: usize,
}

impl ClapModel {
    /// Builds the model from the text of its `config.json` and the tensors of its files.
    ///
    /// # Errors
    /// [`ModelError::Config`] for what is not supported; missing, extra and misshapen tensors by name.
    pub fn new(tensors: BTreeMap<String, Tensor>, config: &str, origin: &str) -> Result<Self> {
        let p = Self::params(tensors, origin);
        let model = Self::from_params(&p, config)?;
        p.expect_all_used()?;
        Ok(model)
    }

    /// The parameters of a released file, without the buffers of positions that old ones hold.
    pub fn params(tensors: BTreeMap<String, Tensor>, origin: &str) -> Params {
        const BUFFERS: [&str; 3] = ["position_ids", "token_type_ids", "num_batches_tracked"];
        // Of the loss.
        const SCALES: [&str; 2] = ["logit_scale_a", "logit_scale_t"];
        let is_known = |name: &str| !BUFFERS.iter().any(|buffer| name.ends_with(buffer)) && !SCALES.contains(&name);
        Params::from_tensors(tensors.into_iter().filter(|(name, _)| is_known(name)).collect(), origin)
    }

    /// As [`Self::new`], from parameters.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_params(p: &Params, text: &str) -> Result<Self> {
        let c: ClapConfig = config::parse(NAME, text)?;
        let mut rest = c.rest.clone();
        // Sizes that transformers repeats, and the start of the loss's scale.
        for key in ["hidden_size", "num_hidden_layers"] {
            rest.remove(key);
        }
        config::check_rest(NAME, &rest, &[])?;
        let audio = ClapAudioConfig::parse(&config::of_part(&c.audio_config))?;
        let activation = Elementwise::named(NAME, "projection_hidden_act", &c.projection_hidden_act)?;
        let text_model = LanguageModel::of_clap(&p.at("text_model"), &config::of_part(&c.text_config))?;
        let width = c.projection_dim;
        if width == 0 || width > config::LARGEST {
            let supported = format!("1 to {}", config::LARGEST);
            let value = width.to_string();
            return Err(ModelError::Config { component: NAME, key: "projection_dim".into(), value, supported });
        }
        Ok(Self {
            audio_projection: Projection::new(&p.at("audio_projection"), audio.hidden_size, width, activation)?,
            text_projection: Projection::new(&p.at("text_projection"), text_model.width(), width, activation)?,
            audio: ClapAudioModel::new(&p.at("audio_model"), audio)?,
            text: text_model,
            width,
        })
    }

    /// The audio encoder.
    pub fn audio(&self) -> &ClapAudioModel {
        &self.audio
    }

    /// The text encoder.
    pub fn text(&self) -> &LanguageModel {
        &self.text
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.audio.device()
    }

    /// Width of the shared space.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Spectrograms (see [`ClapAudioModel::forward`]) to the shared space, (B, width), not normalised.
    ///
    /// # Errors
    /// As [`ClapAudioModel::forward`].
    pub fn embed_mels(&self, mels: &Tensor, is_longer: &[bool], taps: &mut Taps) -> Result<Tensor> {
        let embedding = self.audio_projection.forward(&self.audio.forward(mels, is_longer, taps)?)?;
        taps.see(format_args!("embedding"), &embedding);
        Ok(embedding)
    }

    /// Token ids (rows of equal length, without padding) to the shared space, (B, width), not normalised.
    ///
    /// # Errors
    /// As [`LanguageModel::forward`].
    pub fn embed_ids(&self, ids: &[Vec<u32>], taps: &mut Taps) -> Result<Tensor> {
        let states = self.text.forward(ids, taps)?;
        let pooled = states.pooled.ok_or_else(|| ModelError::MissingTensor {
            name: "text_model.pooler.dense.weight".into(),
            shape: vec![self.text.width(); 2],
            origin: "the text encoder".into(),
        })?;
        self.text_projection.forward(&pooled)
    }

    /// Sounds of one channel at the rate of `hearing` to the shared space, n × width, each of length 1, as transformers'
    /// `get_audio_features`.
    ///
    /// # Errors
    /// Sounds that are empty or not of numbers.
    pub fn embed_sounds(&self, hearing: &ClapHearing, sounds: &[Vec<f32>]) -> Result<Array2<f32>> {
        let rows = side_by_side(self.device(), sounds.len(), |i| {
            let Heard { mels, is_longer } = hearing.hear(&sounds[i], self.device())?;
            to_rows(&unit_rows(&self.embed_mels(&mels, &[is_longer], &mut Taps::none())?)?)
        })?;
        stacked(&rows, self.width)
    }

    /// Texts to the shared space, n × width, each of length 1, as transformers' `get_text_features`.
    ///
    /// # Errors
    /// Texts that cannot be tokenised.
    pub fn embed_texts(&self, tokenizer: &TextTokenizer, texts: &[String]) -> Result<Array2<f32>> {
        let rows = side_by_side(self.device(), texts.len(), |i| {
            let ids = tokenizer.encode(&texts[i])?;
            to_rows(&unit_rows(&self.embed_ids(&[ids], &mut Taps::none())?)?)
        })?;
        stacked(&rows, self.width)
    }
}

/// One matrix of many rows.
pub(super) fn stacked(rows: &[Array2<f32>], width: usize) -> Result<Array2<f32>> {
    let values: Vec<f32> = rows.iter().flatten().copied().collect();
    Array2::from_shape_vec((values.len() / width.max(1), width), values).map_err(|source| ModelError::Input {
        what: "rows",
        expected: format!("{width} columns each"),
        got: source.to_string(),
    })
}
