//! The parts of a model pack, each loaded when it is asked for: what [`crate::DiffusionPack`], [`crate::probe`] and
//! `percept model run` are made of.
//!
//! A pack is a folder in the diffusers layout, or one in the layout of transformers with its `config.json` at the top:
//! a language model, or a CLIP of both sides.

mod classes;

use std::{collections::BTreeMap, sync::Arc};

use candle_core::Tensor;
use serde_json::Value;

use crate::{
    blip::{self, Blip, BlipConfig},
    compvis::{self, SingleFile},
    config,
    error::{ModelError, Result},
    language::LanguageModel,
    latent::Autoencoder,
    nn::params::Params,
    preprocess::Preprocess,
    scheduler::{NoiseSchedule, SchedulerConfig},
    sound::{
        clap::ClapModel,
        encodec::{EncodecConfig, EncodecModel},
        hifigan::{HifiGan, HifiGanConfig},
        w2v_bert::{W2vBertConfig, W2vBertModel},
    },
    text::{ClipTextModel, TextConfig},
    tokenizer::{ClipTokenizer, TextTokenizer},
    unet::{MotionConfig, UNet2DConditionModel, UNetMotionModel, UnetConfig},
    video_mae::VideoMaeConfig,
    vision::{ClipVisionModel, VisionConfig},
    vit::VitConfig,
    weights::{PackFiles, open_tensors},
};

/// A part of a pack that runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The denoising U-Net.
    Unet,
    /// The autoencoder, pictures to latents.
    VaeEncode,
    /// The autoencoder, latents to pictures.
    VaeDecode,
    /// CLIP's text encoder.
    Text,
    /// CLIP's image encoder.
    Vision,
    /// A language model.
    Language,
    /// A captioner of pictures.
    Caption,
    /// A Vision Transformer, with or without classes of pictures.
    Vit,
    /// A VideoMAE, with or without classes of films.
    VideoMae,
}

impl Part {
    /// All parts with the names that users give them.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Unet, "unet"),
        (Self::VaeEncode, "vae.encode"),
        (Self::VaeDecode, "vae.decode"),
        (Self::Text, "text"),
        (Self::Vision, "vision"),
        (Self::Language, "language"),
        (Self::Caption, "caption"),
        (Self::Vit, "vit"),
        (Self::VideoMae, "videomae"),
    ];

    /// The part of this name.
    ///
    /// # Errors
    /// [`ModelError::Input`] listing the names.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(part, _)| *part).ok_or_else(|| ModelError::Input {
            what: "part of a pack",
            expected: Self::ALL.map(|(_, name)| name).join(", "),
            got: format!("`{name}`"),
        })
    }
}

/// Loads the parts of one pack.
pub struct Parts<'a> {
    files: &'a PackFiles,
    /// A checkpoint in the original naming, until its parts are taken.
    single: Option<SingleFile>,
    /// Whether everything that does not fit is noted and not only the first.
    collecting: bool,
    problems: Vec<ModelError>,
}

impl<'a> Parts<'a> {
    /// Looks at what kind of pack it is.
    ///
    /// # Errors
    /// When a single-file checkpoint is corrupt, or has no config beside it.
    pub fn new(files: &'a PackFiles) -> Result<Self> {
        let single = if files.holds("unet/config.json")
            && let Some(tensors) = files.single_file()?
        {
            let text = TextConfig::parse(&files.read_text("text_encoder/config.json")?)?;
            Some(compvis::split(tensors, text.num_hidden_layers)?)
        } else {
            None
        };
        Ok(Self { files, single, collecting: false, problems: vec![] })
    }

    /// The U-Net's tensors by their names in the diffusers layout, whatever the files are.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn unet_tensors(&mut self) -> Result<BTreeMap<String, Tensor>> {
        self.tensors("unet")
    }

    fn params(&mut self, folder: &str) -> Result<Params> {
        let place = if folder.is_empty() { String::new() } else { format!("{folder} of ") };
        let origin = format!("{place}{}", self.files.origin());
        let params = Params::from_tensors(self.tensors(folder)?, origin);
        Ok(self.mode(params))
    }

    fn tensors(&mut self, folder: &str) -> Result<BTreeMap<String, Tensor>> {
        let taken = self.single.as_mut().map(|single| match folder {
            "unet" => std::mem::take(&mut single.unet),
            "vae" => std::mem::take(&mut single.vae),
            "text_encoder" => std::mem::take(&mut single.text_encoder),
            _ => BTreeMap::new(),
        });
        match taken {
            Some(tensors) if !tensors.is_empty() => Ok(tensors),
            _ => self.files.tensors(folder),
        }
    }

    fn config(&self, folder: &str) -> Result<String> {
        self.files.read_text(&format!("{folder}/config.json"))
    }

    /// The autoencoder.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit; so do all others.
    pub fn vae(&mut self) -> Result<Autoencoder> {
        self.autoencoder_in("vae")
    }

    /// The autoencoder in `folder`; empty for a folder that holds nothing else.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn autoencoder_in(&mut self, folder: &str) -> Result<Autoencoder> {
        let p = self.params(folder)?;
        let place = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let model = Autoencoder::new(&p, &self.files.read_text(&format!("{place}config.json"))?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The U-Net's config; of one with motion modules, that of its pictures.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn unet_config(&self) -> Result<UnetConfig> {
        let text = self.config("unet")?;
        if MotionConfig::is_motion_unet(&text) { Ok(MotionConfig::parse(&text)?.0) } else { UnetConfig::parse(&text) }
    }

    /// The U-Net for pictures. Motion modules that are part of it see videos of one frame; those of an adapter are left.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn unet(&mut self) -> Result<UNet2DConditionModel> {
        if MotionConfig::is_motion_unet(&self.config("unet")?) {
            return Ok(self.motion_unet()?.into_pictures());
        }
        let p = self.params("unet")?;
        let model = UNet2DConditionModel::new(&p, self.unet_config()?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The U-Net for pictures, and the same with its motion modules where there are some; they share their weights.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn unets(&mut self) -> Result<(Option<Arc<UNet2DConditionModel>>, Option<Arc<UNetMotionModel>>)> {
        if MotionConfig::is_motion_unet(&self.config("unet")?) {
            let motion = self.motion_unet()?;
            return Ok((Some(Arc::new(motion.pictures().clone())), Some(Arc::new(motion))));
        }
        let unet = self.unet()?;
        let motion = self.has_motion().then(|| self.motion_adapter("motion_adapter", &unet)).transpose()?;
        Ok((Some(Arc::new(unet)), motion.map(Arc::new)))
    }

    /// A U-Net with the motion modules of the adapter in `folder`; empty for a folder that holds nothing else.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn motion_adapter(&mut self, folder: &str, unet: &UNet2DConditionModel) -> Result<UNetMotionModel> {
        let config = self.files.read_text(&in_folder(folder, "config.json"))?;
        let config = MotionConfig::parse_adapter(&config, unet.config())?;
        let p = self.params(folder)?.on(unet.device());
        let model = UNetMotionModel::over(unet, &p, config)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// Whether the U-Net has motion modules, its own or those of a `motion_adapter/` beside it.
    pub fn has_motion(&self) -> bool {
        self.files.holds(ADAPTER) || self.config("unet").is_ok_and(|text| MotionConfig::is_motion_unet(&text))
    }

    /// The most frames of a video, where there are motion modules.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn most_frames(&self) -> Result<Option<usize>> {
        if !self.has_motion() {
            return Ok(None);
        }
        Ok(Some(self.motion_config()?.1.longest()))
    }

    fn motion_config(&self) -> Result<(UnetConfig, MotionConfig)> {
        let text = self.config("unet")?;
        if MotionConfig::is_motion_unet(&text) {
            return MotionConfig::parse(&text);
        }
        let unet = UnetConfig::parse(&text)?;
        let motion = MotionConfig::parse_adapter(&self.files.read_text(ADAPTER)?, &unet)?;
        Ok((unet, motion))
    }

    /// The U-Net for videos.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn motion_unet(&mut self) -> Result<UNetMotionModel> {
        let (unet, motion) = self.motion_config()?;
        let mut tensors = self.tensors("unet")?;
        let mut origin = format!("unet of {}", self.files.origin());
        if !MotionConfig::is_motion_unet(&self.config("unet")?) {
            tensors.extend(self.files.tensors("motion_adapter")?);
            origin = format!("unet and motion_adapter of {}", self.files.origin());
        }
        let p = self.mode(Params::from_tensors(tensors, origin));
        let model = UNetMotionModel::new(&p, unet, motion)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The noise schedule and sampler.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn schedule(&self) -> Result<NoiseSchedule> {
        let text = self.files.read_text("scheduler/scheduler_config.json")?;
        Ok(NoiseSchedule::new(SchedulerConfig::parse(&text)?))
    }

    /// One side of a CLIP whose config has both, as a config of its own; `None` for other packs.
    fn clip_side(&self, key: &str) -> Result<Option<String>> {
        if !self.files.holds("config.json") {
            return Ok(None);
        }
        let both = parse(&self.files.read_text("config.json")?)?;
        if both["model_type"] == BLIP {
            return Ok(None);
        }
        let Some(mut side) = both.get(key).filter(|side| side.is_object()).cloned() else { return Ok(None) };
        if let Some(width) = both.get("projection_dim") {
            side["projection_dim"] = width.clone();
        }
        Ok(Some(config::of_part(&side)))
    }

    /// The parameters of one side of a CLIP with both.
    fn clip_params(&self, own: &[&str]) -> Result<Params> {
        let tensors = self.files.tensors("")?;
        let tensors = tensors.into_iter().filter(|(name, _)| own.iter().any(|place| name.starts_with(place)));
        Ok(self.mode(Params::from_tensors(tensors.collect(), self.files.origin())))
    }

    /// CLIP's text encoder.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn text(&mut self) -> Result<ClipTextModel> {
        let (p, config) = match self.clip_side("text_config")? {
            Some(config) => (self.clip_params(&["text_model.", "text_projection."])?, config),
            None => (self.params("text_encoder")?, self.config("text_encoder")?),
        };
        let model = ClipTextModel::new(&p, TextConfig::parse(&config)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The tokenizer of CLIP's text encoder, for texts of `length` tokens. Padding is what `tokenizer_config.json` says,
    /// `<|endoftext|>` without one.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn clip_tokenizer(&self, length: usize) -> Result<ClipTokenizer> {
        let is_flat = self.files.holds("vocab.json") && !self.files.holds("tokenizer/vocab.json");
        let place = if is_flat { "" } else { "tokenizer/" };
        let read = |name: &str| self.files.read_text(&format!("{place}{name}"));
        let settings = format!("{place}tokenizer_config.json");
        let pad = if self.files.holds(&settings) {
            let value = parse(&self.files.read_text(&settings)?)?;
            let pad = &value["pad_token"];
            pad.as_str().or_else(|| pad["content"].as_str()).unwrap_or("<|endoftext|>").to_owned()
        } else {
            "<|endoftext|>".to_owned()
        };
        ClipTokenizer::new(&read("vocab.json")?, &read("merges.txt")?, length, &pad)
    }

    /// Whether there is an image encoder.
    pub fn has_vision(&self) -> bool {
        self.files.holds("image_encoder/config.json") || matches!(self.clip_side("vision_config"), Ok(Some(_)))
    }

    /// CLIP's image encoder.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn vision(&mut self) -> Result<ClipVisionModel> {
        let (p, config) = match self.clip_side("vision_config")? {
            Some(config) => (self.clip_params(&["vision_model.", "visual_projection."])?, config),
            None => (self.params("image_encoder")?, self.config("image_encoder")?),
        };
        let model = ClipVisionModel::new(&p, VisionConfig::parse(&config)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// How pictures are prepared for an image encoder of `side` × `side` pixels.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn preprocess(&self, side: usize) -> Result<Preprocess> {
        let nested = "feature_extractor/preprocessor_config.json";
        let flat = "preprocessor_config.json";
        let name = if self.files.holds(flat) && !self.files.holds(nested) { flat } else { nested };
        Preprocess::parse(&self.files.read_text(name)?, side)
    }

    /// The language model.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn language(&mut self) -> Result<LanguageModel> {
        let p = self.mode(LanguageModel::params(self.files.tensors("")?, &self.files.origin()));
        let model = LanguageModel::from_params(&p, &self.files.read_text("config.json")?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The captioner, and a hash of its config and weights. Its files are those of transformers' layout, or one checkpoint in
    /// the original naming; without a `config.json` the tensors' shapes tell the rest.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn blip(&mut self) -> Result<(Blip, String)> {
        let (mut tensors, mut origin) = (self.files.tensors(""), self.files.origin());
        if let (Err(ModelError::File { .. }), Some(file)) = (&tensors, self.files.lone_file(&ORIGINAL)?) {
            (tensors, origin) = (open_tensors(&file), format!("`{}`", file.display()));
        }
        let tensors = blip::renamed(tensors?);
        let config = if self.files.holds("config.json") {
            BlipConfig::parse(&self.files.read_text("config.json")?)?
        } else {
            BlipConfig::of_tensors(&tensors, &origin)?
        };
        let content = blip::weights_hash(&tensors, &config)?;
        let p = self.mode(Params::from_tensors(tensors, origin));
        let model = Blip::new(&p, config)?;
        self.finish(&p)?;
        Ok((model, content))
    }

    /// The CLAP in a folder of the pack, or at its top (`""`).
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn clap(&mut self, folder: &str) -> Result<ClapModel> {
        let (tensors, config) = (self.files.tensors(folder)?, self.files.read_text(&in_folder(folder, "config.json"))?);
        let p = self.mode(ClapModel::params(tensors, &self.files.origin()));
        let model = ClapModel::from_params(&p, &config)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The vocoder of a pack that makes sound.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn vocoder(&mut self) -> Result<HifiGan> {
        let p = self.params("vocoder")?;
        let model = HifiGan::new(&p, HifiGanConfig::parse(&self.config("vocoder")?)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// EnCodec, at the top of its pack.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn encodec(&mut self) -> Result<EncodecModel> {
        let p = self.params("")?;
        let model = EncodecModel::new(&p, EncodecConfig::parse(&self.files.read_text("config.json")?)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// w2v-BERT 2.0, at the top of its pack.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn w2v_bert(&mut self) -> Result<W2vBertModel> {
        let p = self.params("")?;
        let model = W2vBertModel::new(&p, W2vBertConfig::parse(&self.files.read_text("config.json")?)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The tokenizer of the language model, for texts of at most `longest` tokens.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn text_tokenizer(&self, longest: usize) -> Result<TextTokenizer> {
        TextTokenizer::new(&self.files.read_text("tokenizer.json")?, longest)
    }

    /// Everything that is wrong with a part's files, found by building it.
    pub fn problems(&mut self, part: Part) -> Vec<ModelError> {
        self.collecting = true;
        let built = match part {
            Part::Unet if self.has_motion() => self.motion_unet().map(drop),
            Part::Unet => self.unet().map(drop),
            Part::VaeEncode | Part::VaeDecode => self.vae().map(drop),
            Part::Text => self.text().map(drop),
            Part::Vision => self.vision().map(drop),
            Part::Language => self.language().map(drop),
            Part::Caption => self.blip().map(drop),
            Part::Vit => self.vit().map(drop),
            Part::VideoMae => self.video_mae().map(drop),
        };
        self.collecting = false;
        let mut problems = std::mem::take(&mut self.problems);
        problems.extend(built.err());
        problems
    }

    /// What the pack lacks of the components that its `model_index.json` lists, or, without one, of those that every pack that makes
    /// pictures has: files by name, in the order of the components.
    ///
    /// # Errors
    /// When `model_index.json` is no JSON.
    pub fn missing(&self) -> Result<Vec<String>> {
        let listed: Vec<String> = if self.files.holds(INDEX) {
            let index = parse(&self.files.read_text(INDEX)?)?;
            // A component that is switched off is `[null, null]`.
            let is_on = |value: &Value| value.get(0).is_some_and(Value::is_string);
            let entries = index.as_object().into_iter().flatten();
            entries.filter(|(_, value)| is_on(value)).map(|(name, _)| name.clone()).collect()
        } else if PICTURE_PARTS.iter().any(|part| self.files.holds(part.1[0])) {
            PICTURE_PARTS.iter().map(|(name, _)| (*name).to_owned()).collect()
        } else {
            Vec::new()
        };
        let is_there = |files: &[&str]| files.iter().any(|file| self.files.holds(file));
        let of = |name: &String| PICTURE_PARTS.iter().find(|(known, _)| known == name);
        Ok(listed
            .iter()
            .filter_map(of)
            .filter(|(_, files)| !is_there(files))
            .map(|(_, files)| files.join(" or "))
            .collect())
    }

    /// Everything that is wrong with the tokenizer and the scheduler, where they are there.
    pub fn settings_problems(&self) -> Vec<(&'static str, ModelError)> {
        let has = |name: &str| self.files.holds(name);
        let mut problems = Vec::new();
        if has("scheduler/scheduler_config.json") {
            problems.extend(self.schedule().err().map(|error| ("scheduler", error)));
        }
        if has("tokenizer/vocab.json") && has("text_encoder/config.json") {
            let length = self.config("text_encoder").and_then(|text| TextConfig::parse(&text));
            let tokenizer = length.and_then(|config| self.clip_tokenizer(config.max_position_embeddings));
            problems.extend(tokenizer.err().map(|error| ("tokenizer", error)));
        }
        problems
    }

    /// Reports what a part did not take, or adds all that does not fit to the list that is being made.
    fn finish(&mut self, p: &Params) -> Result<()> {
        if !self.collecting {
            return p.expect_all_used();
        }
        self.problems.extend(p.problems());
        Ok(())
    }

    fn mode(&self, p: Params) -> Params {
        if self.collecting { p.collecting_problems() } else { p }
    }

    /// The parts that the configs of a pack speak of.
    pub fn present_in(files: &PackFiles) -> Vec<Part> {
        Parts { files, single: None, collecting: false, problems: vec![] }.present()
    }

    /// Whether there is nothing but a checkpoint of the original BLIP and its vocabulary.
    fn is_original_blip(&self) -> bool {
        let is_pack = ["config.json", INDEX, "unet/config.json", "vae/config.json"].iter().any(|f| self.files.holds(f));
        !is_pack && self.files.holds("vocab.txt") && matches!(self.files.lone_file(&ORIGINAL), Ok(Some(_)))
    }

    /// The parts that the pack's configs speak of.
    pub fn present(&self) -> Vec<Part> {
        let config = self.files.read_text("config.json").ok().and_then(|text| parse(&text).ok());
        let kind = config.and_then(|config| config["model_type"].as_str().map(str::to_owned));
        let of_clip = |key: &str| matches!(self.clip_side(key), Ok(Some(_)));
        let has = |part: Part| match part {
            Part::Unet => self.files.holds("unet/config.json"),
            Part::VaeEncode | Part::VaeDecode => self.files.holds("vae/config.json"),
            Part::Text => self.files.holds("text_encoder/config.json") || of_clip("text_config"),
            Part::Vision => self.has_vision(),
            Part::Language => kind.as_ref().is_some_and(|kind| LanguageModel::FAMILIES.contains(&kind.as_str())),
            Part::Caption => kind.as_ref().is_some_and(|kind| kind == BLIP) || self.is_original_blip(),
            Part::Vit => kind.as_ref().is_some_and(|kind| kind == VitConfig::KIND),
            Part::VideoMae => kind.as_ref().is_some_and(|kind| kind == VideoMaeConfig::KIND),
        };
        Part::ALL.into_iter().map(|(part, _)| part).filter(|part| has(*part)).collect()
    }
}

/// How transformers' configs name a captioner.
const BLIP: &str = "blip";
/// Endings of checkpoints in the original naming.
const ORIGINAL: [&str; 3] = ["pth", "ckpt", "safetensors"];

fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What a pack in the diffusers layout consists of.
const INDEX: &str = "model_index.json";

/// Components of a pack that makes pictures, each with the files of which it has one.
const PICTURE_PARTS: [(&str, &[&str]); 5] = [
    ("unet", &["unet/config.json"]),
    ("vae", &["vae/config.json"]),
    ("text_encoder", &["text_encoder/config.json"]),
    ("tokenizer", &["tokenizer/vocab.json", "tokenizer/tokenizer.json"]),
    ("scheduler", &["scheduler/scheduler_config.json"]),
];

/// The config of motion modules that come beside a U-Net.
const ADAPTER: &str = "motion_adapter/config.json";

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|source| ModelError::Corrupt {
        path: "config.json".into(),
        format: "JSON",
        detail: source.to_string(),
    })
}
