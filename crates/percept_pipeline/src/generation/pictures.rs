//! Every arm's pictures on disk, draw by draw, batch by batch. Each batch is a stage of its own: a run that is killed loses at
//! most one.

use ndarray::Axis;
use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance};

use crate::arms::{Arm, Inputs, Medium};
use crate::data::pictures;
use crate::error::PipelineError;
use crate::experiment::GenerateSettings;
use crate::plan::Item;
use crate::run::{RunFolder, StageName, artefact};

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// Makes all pictures of one arm, batch by batch, and returns a hash of them.
///
/// # Errors
/// When the generator or the disk refuses.
pub fn pictures_of_arm(
    run: &RunFolder,
    arm: &Arm,
    items: &[Item],
    settings: &GenerateSettings,
    progress: &dyn Progress,
) -> Result<String, PipelineError> {
    let batch = settings.batch;
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
                    let Medium::Picture(picture) = &medium;
                    if picture.iter().any(|value| !value.is_finite()) {
                        return Err(PipelineError::data(
                            format!("the picture of `{}` by `{}` holds values that are not finite", item.id, arm.name),
                            "the model or what was decoded is broken: run `percept model verify`, and look for huge responses",
                        ));
                    }
                    write(run, &path, &medium)?;
                    files.push(path);
                }
                Ok(files)
            })?;
            content.push_str(&stage.content());
            if settings.keep_starts {
                keep_starts(run, arm, (batch_idx, batch), draw, &inputs)?;
            }
            progress.advance(batch.len() as u64);
        }
    }
    arm.generator.release();
    progress.end("");
    Ok(content_hash(content.as_bytes()))
}

/// Writes what denoising of one batch starts from, unless it is there.
fn keep_starts(
    run: &RunFolder,
    arm: &Arm,
    (batch_idx, batch): (usize, &[Item]),
    draw: usize,
    inputs: &Inputs,
) -> Result<(), PipelineError> {
    let path = format!("starts/{}-draw{draw}-batch{batch_idx:04}.safetensors", arm.name);
    let name = format!("starts.{}.draw{draw}.batch{batch_idx:04}", arm.name);
    let ids: Vec<&str> = batch.iter().map(|item| item.id.as_str()).collect();
    let record = arm.generator.record(batch, draw, inputs.record(Provenance::new(0)).setting("items", &ids));
    run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let starts = arm.generator.starts(inputs, batch, draw)?;
        let arrays: Vec<_> = starts.into_iter().map(|(name, rows)| (name, rows.into_dyn())).collect();
        if arrays.is_empty() {
            return Ok(Vec::new());
        }
        artefact::save(run, &path, &arrays)?;
        Ok(vec![path.clone()])
    })?;
    Ok(())
}

fn write(run: &RunFolder, path: &str, medium: &Medium) -> Result<(), PipelineError> {
    let Medium::Picture(picture) = medium;
    let levels = pictures::to_levels(picture.view().insert_axis(Axis(0)));
    run.write(path, &percept_io::picture::encode_png(levels.index_axis(Axis(0), 0))?)
}
