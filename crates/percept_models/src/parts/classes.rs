//! The parts that know classes of pictures and films, each alone in its folder in the layout of transformers.

use super::Parts;
use crate::{
    error::Result,
    preprocess::Preprocess,
    video_mae::{VideoMaeConfig, VideoMaeModel},
    vit::{VitConfig, VitModel},
};

impl Parts<'_> {
    /// The Vision Transformer.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn vit(&mut self) -> Result<VitModel> {
        let p = self.mode(VitModel::params(self.files.tensors("")?, &self.files.origin()));
        let model = VitModel::new(&p, VitConfig::parse(&self.files.read_text("config.json")?)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// The VideoMAE.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn video_mae(&mut self) -> Result<VideoMaeModel> {
        let p = self.mode(VideoMaeModel::params(self.files.tensors("")?, &self.files.origin()));
        let model = VideoMaeModel::new(&p, VideoMaeConfig::parse(&self.files.read_text("config.json")?)?)?;
        self.finish(&p)?;
        Ok(model)
    }

    /// How pictures and frames are prepared for either, of `side` × `side` pixels.
    ///
    /// # Errors
    /// As [`Self::vae`].
    pub fn classifier_preprocess(&self, side: usize) -> Result<Preprocess> {
        Preprocess::parse_classifier(&self.files.read_text("preprocessor_config.json")?, side)
    }
}
