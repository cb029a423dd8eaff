//! Features made block by block: each block of stimuli is a stage of its own, so a run that is killed loses at most one. When all
//! are there they become one file, and the blocks go.

use std::ops::Range;

use ndarray::{Array2, s};
use percept_core::Provenance;

use super::Materials;
use crate::data::FeatureTable;
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
    let (run, progress) = (from.run, from.progress);
    let path = format!("features/{space}.safetensors");
    let prefix = format!("features.{space}.block");
    let whole = StageName { name: &format!("features.{space}"), revision };
    let stage = run.stage(whole, work.record.clone(), || {
        let ranges: Vec<Range<usize>> =
            (0..n).step_by(work.block).map(|start| start..(start + work.block).min(n)).collect();
        let file = |start: usize| format!("features/{space}.block{start:08}.safetensors");
        for rows in &ranges {
            let name = format!("{prefix}{:08}", rows.start);
            let record = work.record.clone().setting("rows", rows);
            let mut is_made = false;
            run.stage(StageName { name: &name, revision }, record, || {
                is_made = true;
                artefact::save(run, &file(rows.start), &[(space, make(rows.clone())?.into_dyn())])?;
                Ok(vec![file(rows.start)])
            })?;
            let n_rows = rows.len() as u64;
            if is_made { progress.advance(n_rows) } else { progress.resume(n_rows) }
        }
        let mut all: Option<Array2<f32>> = None;
        for rows in ranges {
            let part = artefact::load(run, &file(rows.start))?.matrix(space, rows.len(), None)?;
            let all = all.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
            if all.ncols() != part.ncols() {
                let expected = format!("rows of {} features", all.ncols());
                return Err(PipelineError::Artefact { path: file(rows.start), expected });
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
