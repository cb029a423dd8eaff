//! `blip.vision`: all tokens of a captioner's vision encoder, in a row.
//!
//! The row is wide (577 × 768 numbers at BLIP's own picture size), so the table stays on disk.

use super::Materials;
use super::blocks::{self, Work};
use crate::data::{StoredTable, pictures};
use crate::error::PipelineError;
use crate::packs::CaptionModel;

/// Pictures read, encoded and saved at a time.
const PICTURES_PER_BLOCK: usize = 64;
/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// The name of the space.
pub const NAME: &str = "blip.vision";

/// The vision tokens of all stimuli by `captioner`, made or found in the run's folder.
///
/// # Errors
/// When a picture cannot be read, or the model refuses it.
pub fn vision_tokens<'a>(captioner: &dyn CaptionModel, from: &Materials<'a>) -> Result<StoredTable<'a>, PipelineError> {
    let Materials { data, record, progress, .. } = *from;
    let n = data.stimuli.len();
    let record = record.only(&["stimuli"]).input("captioner", captioner.content()).setting("feature", NAME);
    progress.begin("features: vision tokens of pictures", n as u64);
    let work = Work { space: NAME, revision: REVISION, record, n, block: PICTURES_PER_BLOCK };
    let table = blocks::stored(&work, from, |rows| {
        let shown = pictures::to_values(data.stimuli.pictures(&rows.collect::<Vec<usize>>())?.view());
        Ok(captioner.features(shown.view())?)
    })?;
    progress.end("");
    Ok(table)
}
