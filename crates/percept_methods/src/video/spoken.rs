//! Contexts through captions: decoded tokens of a captioner's vision encoder are put into words, and these are read by the text encoder
//! (Takagi & Nishimoto 2023). Films that nobody described can be learnt from so.

use ndarray::{Array2, s};
use percept_core::Provenance;
use percept_io::table::csv_line;
use percept_models::caption::Search;
use percept_pipeline::PipelineError;
use percept_pipeline::data::hash_of_rows;
use percept_pipeline::generation::captions::{Captioning, captions};
use percept_pipeline::packs::PackCaptioner;

use super::bench::Bench;
use super::decode::Decoded;
use super::targets::{Target, VISION, captions_of};
use crate::captions::search_by_default;

/// Rows captioned at a time.
const BATCH: usize = 16;

/// Captions of test clips and the contexts that they are read as.
pub(super) struct Spoken {
    /// From decoded tokens, by clip.
    pub captions: Vec<String>,
    /// Test clips × context.
    pub decoded: Array2<f32>,
    /// The same from the true tokens.
    pub truth: Array2<f32>,
}

/// Puts vision tokens of test clips into words, decoded and true; none where contexts are decoded as they are.
pub(super) fn contexts(
    bench: &Bench<'_>,
    targets: &[Target],
    decoded: &[Decoded],
) -> Result<Option<Spoken>, PipelineError> {
    let Some(captioner) = &bench.pack.captioner else { return Ok(None) };
    let truth = targets.iter().find(|target| target.name == VISION).map(|target| &target.sides[1]);
    let found = decoded.iter().find(|space| space.name == VISION).map(|space| &space.test);
    let (Some(truth), Some(found)) = (truth, found) else { return Ok(None) };
    let search = search_by_default();
    let (captions, decoded) = said(bench, captioner, &search, ("decoded", found))?;
    let (_, truth) = said(bench, captioner, &search, ("true", truth))?;
    let spoken = Spoken { captions, decoded, truth };
    bench.run.write("captions.csv", spoken.table(bench).as_bytes())?;
    Ok(Some(spoken))
}

/// Captions of rows of tokens, and their contexts.
fn said(
    bench: &Bench<'_>,
    captioner: &PackCaptioner,
    search: &Search,
    (name, rows): (&str, &Array2<f32>),
) -> Result<(Vec<String>, Array2<f32>), PipelineError> {
    let record = Provenance::new(bench.experiment.seed).input("tokens", hash_of_rows(rows));
    let captioning = Captioning { name, captioner, search, batch: BATCH, record };
    let slice = |range: std::ops::Range<usize>| Ok(rows.slice(s![range, ..]).to_owned());
    let found = captions(bench.run, &captioning, rows.nrows(), slice, bench.progress)?.best();
    let contexts = bench.pack.pack.embed_text(&found)?;
    Ok((found, contexts))
}

impl Spoken {
    /// What was said of each clip, beside what the data say where they do.
    fn table(&self, bench: &Bench<'_>) -> String {
        let lines = bench.clips.sides[1].iter().zip(&self.captions).map(|(clip, caption)| {
            let start = bench.clips.start_secs(bench.data, *clip);
            let given = captions_of(bench.data, clip.segment, start + 0.5 * bench.clips.tr_secs);
            let given = given.first().map_or("", String::as_str);
            csv_line(&[&bench.data.segments[clip.segment].name, &start.to_string(), caption, given])
        });
        std::iter::once("film,start_secs,decoded,given\n".to_owned()).chain(lines).collect()
    }
}
