//! `z`: the autoencoder's mean latent of the picture.

use super::blocks::{self, Work};
use super::{Materials, Space};
use crate::data::{FeatureTable, pictures};
use crate::error::PipelineError;

/// Pictures read, encoded and saved at a time.
const PICTURES_PER_BLOCK: usize = 64;
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;

/// The space `z`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latent;

impl Latent {
    /// Its name.
    pub const NAME: &'static str = "z";
}

impl Space for Latent {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn features(&self, from: &Materials<'_>) -> Result<FeatureTable, PipelineError> {
        let Materials { data, model, record, progress, .. } = *from;
        let n = data.stimuli.len();
        let record = record.only(&["stimuli", "pack"]).setting("feature", Self::NAME);
        let size = model.image_size();
        progress.begin("features: z of pictures", n as u64);
        let work = Work { space: Self::NAME, revision: REVISION, record, n, block: PICTURES_PER_BLOCK };
        let table = blocks::table(&work, from, |rows| {
            let shown = pictures::to_values(data.stimuli.pictures(&rows.collect::<Vec<usize>>())?.view());
            Ok(model.encode(pictures::resize(shown.view(), size, size).view())?)
        })?;
        progress.end("");
        Ok(table)
    }
}
