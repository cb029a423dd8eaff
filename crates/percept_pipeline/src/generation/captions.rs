//! Captions from vision tokens, block by block. Each block is a stage of its own: work that is killed loses at most one.
//!
//! All beams that the search kept stay, with their scores and the log-probability of each token, as JSON; the best caption of
//! each row goes on to whatever reads captions.

use std::ops::Range;

use ndarray::Array2;
use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance};
use percept_models::caption::Search;
use serde::{Deserialize, Serialize};

use crate::error::PipelineError;
use crate::packs::CaptionModel;
use crate::run::{RunFolder, StageName};

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;

/// One caption that a search ended in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The words, without the prompt's special tokens.
    pub text: String,
    /// What the search ranked it by: the sum of log-probabilities over the length, raised to the length penalty.
    pub score: f32,
    /// Token ids, the prompt included.
    pub tokens: Vec<u32>,
    /// Log-probability of each token after the prompt.
    pub log_probs: Vec<f32>,
}

impl Said {
    /// A caption that no search made.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), score: 0.0, tokens: Vec::new(), log_probs: Vec::new() }
    }
}

/// Which rows are captioned, and how.
pub struct Captioning<'a> {
    /// Names the stages and files: `decoded`, `true`.
    pub name: &'a str,
    /// The model.
    pub captioner: &'a dyn CaptionModel,
    /// How words are chosen.
    pub search: &'a Search,
    /// Rows captioned at a time.
    pub batch: usize,
    /// What the rows depend on.
    pub record: Provenance,
}

/// Captions of all rows.
pub struct Captions {
    /// For each row its beams, the best first.
    pub beams: Vec<Vec<Said>>,
    /// Hash of the files.
    pub content: String,
}

impl Captions {
    /// The best caption of each row.
    pub fn best(&self) -> Vec<String> {
        best(&self.beams)
    }
}

/// The best caption of each row of `beams`; empty where a row has none.
pub fn best(beams: &[Vec<Said>]) -> Vec<String> {
    beams.iter().map(|beams| beams.first().map_or_else(String::new, |said| said.text.clone())).collect()
}

/// Captions of `n` rows of vision tokens, of which `rows` gives a range.
///
/// # Errors
/// When the captioner refuses the rows, or the disk an artefact.
pub fn captions(
    run: &RunFolder,
    captioning: &Captioning<'_>,
    n: usize,
    rows: impl Fn(Range<usize>) -> Result<Array2<f32>, PipelineError>,
    progress: &dyn Progress,
) -> Result<Captions, PipelineError> {
    let Captioning { name, captioner, search, batch, record } = captioning;
    progress.begin(&format!("captions: {name}"), n as u64);
    let (mut beams, mut contents) = (Vec::with_capacity(n), String::new());
    for start in (0..n).step_by((*batch).max(1)) {
        let range = start..(start + batch).min(n);
        let path = format!("captions/{name}/{start:06}.json");
        let record =
            record.clone().input("captioner", captioner.content()).setting("search", search).setting("rows", &range);
        let mut is_made = false;
        let stage = StageName { name: &format!("captions.{name}.{start:06}"), revision: REVISION };
        let stage = run.stage(stage, record, || {
            is_made = true;
            let found = captioner.caption(rows(range.clone())?.view(), search)?;
            let said: Vec<Vec<Said>> = found.into_iter().map(|row| row.into_iter().map(Said::from).collect()).collect();
            run.write_json(&path, &said)?;
            Ok(vec![path.clone()])
        })?;
        let found: Vec<Vec<Said>> = run.read_json(&path, "captions with their beams")?;
        if found.len() != range.len() {
            let expected = format!("captions of {} rows", range.len());
            return Err(PipelineError::Artefact { path, expected });
        }
        beams.extend(found);
        contents.push_str(&stage.content());
        let n_rows = range.len() as u64;
        if is_made { progress.advance(n_rows) } else { progress.resume(n_rows) }
    }
    progress.end("");
    Ok(Captions { beams, content: content_hash(contents.as_bytes()) })
}

impl From<percept_models::caption::Beam> for Said {
    fn from(beam: percept_models::caption::Beam) -> Self {
        Self { text: beam.text, score: beam.score, tokens: beam.tokens, log_probs: beam.log_probs }
    }
}
