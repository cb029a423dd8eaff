//! Features made block by block: each block of stimuli is a stage of its own, so a run that is killed loses at most one. A
//! [`table`] becomes one file when all are there, and the blocks go; a space that is too wide for memory stays in its blocks
//! ([`stored`]).

use std::ops::Range;

use ndarray::{Array2, s};
use percept_core::Provenance;
use percept_core::provenance::content_hash;

use super::Materials;
use crate::data::{FeatureTable, StoredTable};
use crate::error::PipelineError;
use crate::run::{StageName, artefact};

/// How a table of features is made.
pub(super) struct Work<'a> {
    /// The space.
    pub(super) space: &'a str,
    /// Of the computation; see [`crate::run`].
    pub(super) revision: u32,
    /// What the features depend on.
    pub(super) record: Provenance,
    /// Number of stimuli.
    pub(super) n: usize,
    /// Stimuli in a block.
    pub(super) block: usize,
}

/// The table of `work`, of which `make` makes the rows of some stimuli.
pub(super) fn table(
    work: &Work<'_>,
    from: &Materials<'_>,
    make: impl Fn(Range<usize>) -> Result<Array2<f32>, PipelineError>,
) -> Result<FeatureTable, PipelineError> {
    let Work { space, revision, n, .. } = *work;
    let run = from.run;
    let path = format!("features/{space}.safetensors");
    let prefix = format!("features.{space}.block");
    let whole = StageName { name: &format!("features.{space}"), revision };
    let stage = run.stage(whole, work.record.clone(), || {
        let made = made(work, from, &prefix, &make)?;
        let mut all: Option<Array2<f32>> = None;
        for (rows, file, _) in made {
            let part = artefact::load(run, &file)?.matrix(space, rows.len(), None)?;
            let all = all.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
            if all.ncols() != part.ncols() {
                let expected = format!("rows of {} features", all.ncols());
                return Err(PipelineError::Artefact { path: file, expected });
            }
            all.slice_mut(s![rows, ..]).assign(&part);
        }
        artefact::save(run, &path, &[(space, all.unwrap_or_default().into_dyn())])?;
        Ok(vec![path.clone()])
    })?;
    run.remove(&prefix)?;
    let values = artefact::load(run, &path)?.matrix(space, n, None)?;
    Ok(FeatureTable { values, content: stage.content() })
}

/// The same, left in its blocks on disk.
pub(super) fn stored<'a>(
    work: &Work<'_>,
    from: &Materials<'a>,
    make: impl Fn(Range<usize>) -> Result<Array2<f32>, PipelineError>,
) -> Result<StoredTable<'a>, PipelineError> {
    let prefix = format!("features.{}.block", work.space);
    let made = made(work, from, &prefix, &make)?;
    let n_columns = match made.first() {
        Some((_, path, _)) => artefact::load(from.run, path)?.n_columns(work.space)?,
        None => 0,
    };
    let contents: String = made.iter().map(|(.., content)| content.as_str()).collect();
    let blocks = made.into_iter().map(|(rows, path, _)| (rows, path)).collect();
    let content = content_hash(contents.as_bytes());
    Ok(StoredTable { run: from.run, space: work.space.to_owned(), blocks, n_columns, content })
}

/// Makes all blocks, or finds them: their stimuli, their files and what these hold.
fn made(
    work: &Work<'_>,
    from: &Materials<'_>,
    prefix: &str,
    make: impl Fn(Range<usize>) -> Result<Array2<f32>, PipelineError>,
) -> Result<Vec<(Range<usize>, String, String)>, PipelineError> {
    let Work { space, revision, n, .. } = *work;
    let (run, progress) = (from.run, from.progress);
    let mut all = Vec::with_capacity(n.div_ceil(work.block));
    for start in (0..n).step_by(work.block) {
        let rows = start..(start + work.block).min(n);
        let file = format!("features/{space}.block{start:08}.safetensors");
        let name = format!("{prefix}{start:08}");
        let record = work.record.clone().setting("rows", &rows);
        let mut is_made = false;
        let stage = run.stage(StageName { name: &name, revision }, record, || {
            is_made = true;
            artefact::save(run, &file, &[(space, make(rows.clone())?.into_dyn())])?;
            Ok(vec![file.clone()])
        })?;
        let n_rows = rows.len() as u64;
        if is_made {
            progress.advance(n_rows);
        } else {
            progress.resume(n_rows);
        }
        all.push((rows, file, stage.content()));
    }
    Ok(all)
}
