//! Captions of vision tokens that somebody else made: rows of an array in a file, through any captioner, resumable.

use std::path::Path;

use percept_core::{Progress, Provenance};
use percept_io::array::Reference;
use percept_io::fs;
use percept_io::matrix::Matrix;
use percept_pipeline::experiment::{Experiment, ExperimentError};
use percept_pipeline::generation::captions::{Captioning, captions};
use percept_pipeline::{PipelineError, RunFolder};
use serde::Serialize;

use super::{decoded, tables};
use crate::experiment;
use crate::reconstruct::say_that_it_waits;

/// The caption of one row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GivenCaption {
    /// The row.
    pub id: usize,
    /// The best caption.
    pub caption: String,
    /// What the search ranked it by.
    pub score: f32,
}

/// An experiment of nothing but `[captions]`, with `overrides` such as `captions.beams=5`.
///
/// # Errors
/// Any [`ExperimentError`]; each names the key and the remedy.
pub fn of_given(overrides: &[String]) -> Result<Experiment, ExperimentError> {
    experiment::parse("methods = [\"caption\"]\n[data]\nkind = \"phantom\"\n", Path::new("captions"), overrides)
}

/// Captions every row of the array `features` (n × (tokens · width) or n × tokens × width, as `FILE` or `FILE:NAME`) as
/// `[captions]` of `experiment` says, and writes `captions.csv` and, with all beams, `captions/given/` to `out`.
///
/// # Errors
/// When the array does not fit the captioner, or the disk refuses.
pub fn caption_given(
    features: &str,
    experiment: &Experiment,
    out: &Path,
    progress: &dyn Progress,
) -> Result<Vec<GivenCaption>, PipelineError> {
    let run = RunFolder::open_when_free(out, None, || say_that_it_waits(out, progress))?;
    run.claim("captions of given features", features)?;
    let settings = decoded::settings(experiment);
    let captioner = decoded::open(&settings)?;
    let reference: Reference = features.parse()?;
    let rows = Matrix::<f32>::open(&reference)?;
    let [tokens, width] = captioner.shape();
    let (n, n_columns) = rows.dim();
    if n_columns != tokens * width {
        return Err(PipelineError::data(
            format!(
                "`{reference}` has rows of {n_columns} numbers, but the captioner reads {tokens} tokens of {width}"
            ),
            "give rows of tokens · width numbers, or tokens × width, of this captioner's vision encoder; \
             `captions.picture_size` (240 for 226 tokens of BLIP) changes the number of tokens",
        ));
    }
    let record =
        Provenance::new(0).input("features", fs::content_hash(&reference.path)?).setting("array", &reference.name);
    let search = settings.search();
    let captioning =
        Captioning { name: "given", captioner: &*captioner, search: &search, batch: settings.batch, record };
    let found = captions(&run, &captioning, n, |range| Ok(rows.rows(range)?), progress)?;
    let mut text = String::from("id,caption,score\n");
    let mut all = Vec::with_capacity(found.beams.len());
    for (id, beams) in found.beams.iter().enumerate() {
        let Some(best) = beams.first() else { continue };
        tables::line(&mut text, &[&id.to_string(), &best.text, &best.score.to_string()]);
        all.push(GivenCaption { id, caption: best.text.clone(), score: best.score });
    }
    run.write(tables::CAPTIONS, text.as_bytes())?;
    Ok(all)
}
