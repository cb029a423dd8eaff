//! `z`: the autoencoder's mean latent of the picture.

use ndarray::{Array2, s};

use super::{Materials, Space};
use crate::data::{FeatureTable, pictures};
use crate::error::PipelineError;
use crate::run::{StageName, artefact};

/// Pictures read and encoded at a time.
const PICTURES_PER_BATCH: usize = 64;
const PATH: &str = "features/z.safetensors";
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

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
        let Materials { run, data, model, record, progress } = *from;
        let n = data.stimuli.len();
        let record = record.only(&["stimuli", "pack"]).setting("feature", Self::NAME);
        progress.begin("features: z of pictures", n as u64);
        let stage = run.stage(StageName { name: "features.z", revision: REVISION }, record, || {
            let mut latents: Option<Array2<f32>> = None;
            let size = model.image_size();
            for start in (0..n).step_by(PICTURES_PER_BATCH) {
                let end = (start + PICTURES_PER_BATCH).min(n);
                let batch: Vec<usize> = (start..end).collect();
                let shown = pictures::to_values(data.stimuli.pictures(&batch)?.view());
                let part = model.encode(pictures::resize(shown.view(), size, size).view())?;
                let all = latents.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
                all.slice_mut(s![start..end, ..]).assign(&part);
                progress.advance((end - start) as u64);
            }
            artefact::save(run, PATH, &[(Self::NAME, latents.unwrap_or_default().into_dyn())])?;
            Ok(vec![PATH.to_owned()])
        })?;
        progress.end("");
        let values = artefact::load(run, PATH)?.matrix(Self::NAME, n, None)?;
        Ok(FeatureTable { values, content: stage.content() })
    }
}
