//! `c`: the text encoder's last hidden state, averaged over all captions of the picture.
//!
//! One caption names a picture in one of many ways; the mean over all of them carries what they agree on.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::blocks::{self, Work};
use super::{Materials, Space};
use crate::data::FeatureTable;
use crate::error::PipelineError;
use crate::packs::PictureModel;

/// Captions embedded at a time.
const CAPTIONS_PER_BATCH: usize = 256;
/// Stimuli whose contexts are saved at a time. Captions that occur in several blocks are embedded in each.
const STIMULI_PER_BLOCK: usize = 1024;
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;

/// The space `c`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context;

impl Context {
    /// Its name.
    pub const NAME: &'static str = "c";
}

impl Space for Context {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn features(&self, from: &Materials<'_>) -> Result<FeatureTable, PipelineError> {
        let Materials { data, model, record, progress, .. } = *from;
        let captions = data.captions.as_ref().ok_or_else(|| {
            PipelineError::data(
                "the data have no captions, which `c` needs",
                "name them under `[data]`, or set `methods = [\"z\"]`",
            )
        })?;
        let record = record.only(&["captions", "pack"]).setting("feature", Self::NAME);
        let n = captions.len();
        progress.begin("features: c of captions", n as u64);
        let work = Work { space: Self::NAME, revision: REVISION, record, n, block: STIMULI_PER_BLOCK };
        let table = blocks::table(&work, from, |rows| mean_contexts(model, &captions[rows]))?;
        progress.end("");
        Ok(table)
    }
}

/// The mean context of each list of captions, each distinct caption embedded once.
fn mean_contexts(model: &dyn PictureModel, captions: &[Vec<String>]) -> Result<Array2<f32>, PipelineError> {
    let mut stimuli_of_caption: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (stimulus, list) in captions.iter().enumerate() {
        for caption in list {
            stimuli_of_caption.entry(caption).or_default().push(stimulus);
        }
    }
    let distinct: Vec<(&str, Vec<usize>)> = stimuli_of_caption.into_iter().collect();
    let mut contexts: Option<Array2<f32>> = None;
    for batch in distinct.chunks(CAPTIONS_PER_BATCH) {
        let texts: Vec<String> = batch.iter().map(|(caption, _)| (*caption).to_owned()).collect();
        let part = model.embed_text(&texts)?;
        let all = contexts.get_or_insert_with(|| Array2::zeros((captions.len(), part.ncols())));
        for (embedded, (_, stimuli)) in part.rows().into_iter().zip(batch) {
            for &stimulus in stimuli {
                let share = 1.0 / captions[stimulus].len() as f32;
                all.row_mut(stimulus).scaled_add(share, &embedded);
            }
        }
    }
    Ok(contexts.unwrap_or_default())
}
