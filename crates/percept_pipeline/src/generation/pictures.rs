//! Every arm's pictures on disk, draw by draw, batch by batch. Each batch is a stage of its own: a run that is killed loses at
//! most one.

use ndarray::Axis;
use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance};

use crate::arms::{Arm, Medium};
use crate::data::pictures;
use crate::error::PipelineError;
use crate::plan::Item;
use crate::run::{RunFolder, StageName};

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// Makes all pictures of one arm, `batch` at a time, and returns a hash of them.
///
/// # Errors
/// When the generator or the disk refuses.
pub fn pictures_of_arm(
    run: &RunFolder,
    arm: &Arm,
    items: &[Item],
    batch: usize,
    progress: &dyn Progress,
) -> Result<String, PipelineError> {
    progress.begin(&format!("pictures: {}", arm.name), (items.len() * arm.n_draws) as u64);
    let mut content = String::new();
    for draw in 0..arm.n_draws {
        for (batch_idx, start) in (0..items.len()).step_by(batch).enumerate() {
            let rows = start..(start + batch).min(items.len());
            let inputs = arm.inputs.slice(&rows);
            let batch = &items[rows];
            let name = format!("pictures.{}.draw{draw}.batch{batch_idx:04}", arm.name);
            let ids: Vec<&str> = batch.iter().map(|item| item.id.as_str()).collect();
            let record = inputs.record(Provenance::new(0)).setting("items", &ids);
            let record = arm.generator.record(batch, draw, record);
            let stage = run.stage(StageName { name: &name, revision: REVISION }, record, || {
                let mut files = Vec::with_capacity(batch.len());
                for (item, medium) in batch.iter().zip(arm.generator.make(&inputs, batch, draw)?) {
                    let path = arm.picture(item, draw);
                    write(run, &path, &medium)?;
                    files.push(path);
                }
                Ok(files)
            })?;
            content.push_str(&stage.content());
            progress.advance(batch.len() as u64);
        }
    }
    arm.generator.release();
    progress.end("");
    Ok(content_hash(content.as_bytes()))
}

fn write(run: &RunFolder, path: &str, medium: &Medium) -> Result<(), PipelineError> {
    let Medium::Picture(picture) = medium;
    let levels = pictures::to_levels(picture.view().insert_axis(Axis(0)));
    run.write(path, &percept_io::picture::encode_png(levels.index_axis(Axis(0), 0))?)
}
