//! Names of feature spaces: what each is made from, and where in a model it lies. The table is in [`crate::probe`].

use crate::{
    error::{ModelError, Result},
    language::LanguageModel,
};

/// What a space is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Pictures.
    Pictures,
    /// Texts.
    Texts,
    /// Sounds.
    Sounds,
}

impl Input {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Texts => "texts",
            Self::Sounds => "sounds",
        }
    }
}

/// How the tokens or pixels of a place become one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// All of them, one behind the other.
    Whole,
    /// Their mean.
    Mean,
    /// The first token (of CLIP's and BERT's encoders, the one that stands for all).
    First,
    /// The last token (of a model that reads forward, the only one that has read all).
    Last,
}

/// The part of a pack that a space lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Vae,
    Unet,
    ClipImage,
    ClipText,
    Language,
    Words,
    BlipVision,
    BlipText,
    ClapSound,
    ClapWords,
    Encodec,
    W2v,
    /// No model: what sounds are by themselves.
    Sound,
}

/// A named feature space.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub(super) name: String,
    pub(super) source: Source,
    /// The place within the part; empty for its own output.
    pub(super) place: String,
    pub(super) step: Option<usize>,
}

impl Space {
    /// Reads the name of a space.
    ///
    /// # Errors
    /// [`ModelError::Input`] when it is none.
    pub fn parse(name: &str) -> Result<Self> {
        let refuse = || ModelError::Input {
            what: "feature space",
            expected: "sd.z, sd.c, vae.mid, unet.PLACE@tSTEP, clip.image, clip.image.layer07, clip.text, \
                       clip.text.layer07, bert.layer07 (gpt2, opt, llama), words, blip.vision, blip.vision.layer07, \
                       blip.text.layer07, clap.audio, clap.audio.stage2, clap.text, encodec.latent, w2v.layer07, \
                       sound.mel, sound.envelope"
                .into(),
            got: format!("`{name}`"),
        };
        let (path, step) = match name.split_once("@t") {
            Some((path, step)) => (path, Some(step.parse().map_err(|_| refuse())?)),
            None => (name, None),
        };
        let below = |prefix: &str| path.strip_prefix(prefix).map(str::to_owned);
        let (source, place) = match path {
            "sd.z" => (Source::Vae, String::new()),
            "sd.c" => (Source::ClipText, "norm".to_owned()),
            "clip.image" => (Source::ClipImage, String::new()),
            "clip.text" => (Source::ClipText, String::new()),
            "words" => (Source::Words, String::new()),
            "blip.vision" => (Source::BlipVision, String::new()),
            _ if path.starts_with("blip.") => match (below("blip.vision."), below("blip.text.")) {
                (Some(place), _) => (Source::BlipVision, place),
                (_, Some(place)) => (Source::BlipText, place),
                _ => return Err(refuse()),
            },
            "clap.audio" => (Source::ClapSound, String::new()),
            _ if path.starts_with("clap.audio.") => (Source::ClapSound, path["clap.audio.".len()..].to_owned()),
            "sound.mel" | "sound.envelope" => (Source::Sound, path["sound.".len()..].to_owned()),
            "clap.text" => (Source::ClapWords, String::new()),
            "encodec.latent" => (Source::Encodec, "latent".to_owned()),
            _ if path.starts_with("w2v.layer") => (Source::W2v, path["w2v.".len()..].to_owned()),
            _ if LanguageModel::FAMILIES.iter().any(|family| path.starts_with(&format!("{family}."))) => {
                (Source::Language, path.split_once('.').map_or_else(String::new, |(_, place)| place.to_owned()))
            }
            _ => match (below("vae."), below("unet."), below("clip.image."), below("clip.text.")) {
                (Some(place), ..) => (Source::Vae, place),
                (_, Some(place), ..) => (Source::Unet, place),
                (_, _, Some(place), _) => (Source::ClipImage, place),
                (.., Some(place)) => (Source::ClipText, place),
                _ => return Err(refuse()),
            },
        };
        if (source == Source::Unet) != step.is_some() {
            return Err(refuse());
        }
        Ok(Self { name: name.to_owned(), source, place, step })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it lies in a language model.
    pub fn is_of_language(&self) -> bool {
        self.source == Source::Language
    }

    /// Whether it lies in a model of sound, or is of sounds themselves.
    pub fn is_of_sound(&self) -> bool {
        matches!(self.source, Source::ClapSound | Source::ClapWords | Source::Encodec | Source::W2v | Source::Sound)
    }

    /// What it is made from.
    pub fn input(&self) -> Input {
        match self.source {
            Source::Vae | Source::Unet | Source::ClipImage | Source::BlipVision | Source::BlipText => Input::Pictures,
            Source::ClipText | Source::Language | Source::Words | Source::ClapWords => Input::Texts,
            Source::ClapSound | Source::Encodec | Source::W2v | Source::Sound => Input::Sounds,
        }
    }
}
