//! Scores of anybody's captions, from files: predictions and references as tables, images as a folder.
//!
//! Both tables have the columns `id` and `caption` (or `text`), as CSV or TSV; several references of an item are several rows of
//! one `id`. A table of several methods (with a column `method` or `arm`) is read for one of them. Which code each metric equals
//! says [`percept_stats::text`]; here words meet files, and captions meet images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, Array4, Axis};
use percept_core::Seed;
use percept_core::progress::Progress;
use percept_io::{fs, picture, table};
use percept_models::DiffusionPack;
use percept_stats::text::{self, Captions, ClipEmbeddings, ScoreSettings, TextScore};
use serde::Serialize;

use crate::error::PipelineError;
use crate::experiment::Pack;
use crate::packs::PackModel;

/// Pictures that are embedded at once.
const BATCH: usize = 32;
/// How many ids an error names.
const NAMED: usize = 5;

/// What is to be scored.
#[derive(Clone, Debug)]
pub struct CaptionFiles {
    /// The table of predictions, one row an item.
    pub predicted: PathBuf,
    /// The table of references.
    pub reference: PathBuf,
    /// Which method of a table of several.
    pub method: Option<String>,
    /// Whether items that only one table has are left out instead of refused.
    pub common: bool,
    /// Images for CLIPScore.
    pub images: Option<CaptionImages>,
    /// Bootstrap draws.
    pub n_draws: usize,
    /// Shuffles of the predictions.
    pub n_shuffles: usize,
    /// Seed of draws and shuffles.
    pub seed: u64,
}

/// The images that captions describe, and the model that compares them.
#[derive(Clone, Debug)]
pub struct CaptionImages {
    /// A folder with `ID.png`, `ID.jpg` or `ID.jpeg`.
    pub folder: PathBuf,
    /// A pack with CLIP.
    pub pack: Pack,
    /// What stands before each caption when it is embedded.
    pub prefix: String,
}

/// The scores of a set of captions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaptionScores {
    /// One row a metric.
    pub rows: Vec<CaptionRow>,
    /// Predictions without a reference, which were left out.
    pub without_reference: Vec<String>,
    /// References without a prediction, which were left out.
    pub without_prediction: Vec<String>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaptionRow {
    /// Its name.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval over items.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The mean over shuffles of the predictions; none for a single item.
    pub chance: Option<f64>,
    /// The 99.9th percentile of the shuffles.
    pub chance_99_9: Option<f64>,
    /// One-sided p against the shuffles.
    pub p: Option<f64>,
    /// Items.
    pub n: usize,
}

/// Items that have a prediction and references, in the order of the predictions.
struct Paired {
    ids: Vec<String>,
    predicted: Vec<String>,
    references: Vec<Vec<String>>,
    without_reference: Vec<String>,
    without_prediction: Vec<String>,
}

/// Scores the captions of two tables.
///
/// # Errors
/// Tables without the columns, an item predicted twice, items that only one side has, images that are missing, a pack without
/// CLIP.
pub fn score_caption_files(files: &CaptionFiles, progress: &dyn Progress) -> Result<CaptionScores, PipelineError> {
    let paired = pair(files)?;
    let captions = Captions::new(&paired.predicted, &paired.references)?;
    let settings = ScoreSettings {
        n_draws: files.n_draws,
        n_shuffles: files.n_shuffles,
        ..ScoreSettings::new(Seed::new(files.seed).named("captions"))
    };
    progress.begin("scores", 1);
    let mut scores = text::score(&captions, settings)?;
    progress.advance(1);
    progress.end("");
    if let Some(images) = &files.images {
        scores.extend(clip_scores(images, &paired, settings, progress)?);
    }
    let n = paired.ids.len();
    Ok(CaptionScores {
        rows: scores.iter().map(|score| row(score, n)).collect(),
        without_reference: paired.without_reference,
        without_prediction: paired.without_prediction,
    })
}

fn row(score: &TextScore, n: usize) -> CaptionRow {
    CaptionRow {
        metric: score.metric.to_owned(),
        value: score.value,
        low: score.interval.low,
        high: score.interval.high,
        chance: score.chance.map(|chance| chance.mean),
        chance_99_9: score.chance.map(|chance| chance.p99_9),
        p: score.chance.map(|chance| chance.p),
        n,
    }
}

fn pair(files: &CaptionFiles) -> Result<Paired, PipelineError> {
    let mut references: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for (id, caption) in read(&files.reference, None)? {
        let captions = references.entry(id.clone()).or_default();
        if captions.is_empty() {
            order.push(id);
        }
        captions.push(caption);
    }
    let mut paired = Paired {
        ids: Vec::new(),
        predicted: Vec::new(),
        references: Vec::new(),
        without_reference: Vec::new(),
        without_prediction: Vec::new(),
    };
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (id, caption) in read(&files.predicted, files.method.as_deref())? {
        if !seen.insert(id.clone()) {
            let what = format!("`{}` predicts item `{id}` twice", files.predicted.display());
            return Err(refuse(what, "keep one caption for each item"));
        }
        match references.get(&id) {
            Some(captions) => {
                paired.references.push(captions.clone());
                paired.predicted.push(caption);
                paired.ids.push(id);
            }
            None => paired.without_reference.push(id),
        }
    }
    paired.without_prediction = order.into_iter().filter(|id| !seen.contains(id)).collect();
    if !files.common {
        complete("predicted captions without a reference", &paired.without_reference)?;
        complete("references without a predicted caption", &paired.without_prediction)?;
    }
    if paired.ids.is_empty() {
        return Err(refuse("the two tables have no item in common".into(), "check the column `id` of both"));
    }
    Ok(paired)
}

fn complete(what: &str, ids: &[String]) -> Result<(), PipelineError> {
    if ids.is_empty() {
        return Ok(());
    }
    let named = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let more = if ids.len() > NAMED { " …" } else { "" };
    Err(refuse(
        format!("there are {} {what}: {named}{more}", ids.len()),
        "correct the tables, or score only the items that both have with `--common`",
    ))
}

/// Ids and captions of a table, of one method where it has several.
fn read(path: &Path, method: Option<&str>) -> Result<Vec<(String, String)>, PipelineError> {
    let table = table::open(path)?;
    let any = |names: [&'static str; 2]| names.into_iter().find(|name| table.has_column(name));
    let ids = table.texts("id")?;
    let captions = table.texts(any(["caption", "text"]).unwrap_or("caption"))?;
    let rows = ids.into_iter().zip(captions).map(|(id, caption)| (id.to_owned(), caption.to_owned()));
    let Some(method) = method else { return Ok(rows.collect()) };
    let methods = table.texts(any(["method", "arm"]).unwrap_or("method"))?;
    let kept: Vec<_> = rows.zip(&methods).filter(|(_, found)| **found == method).map(|(row, _)| row).collect();
    if kept.is_empty() {
        let mut known: Vec<String> = methods.iter().map(|name| format!("`{name}`")).collect();
        known.sort();
        known.dedup();
        let what = format!("`{}` has no captions of a method `{method}`", path.display());
        return Err(refuse(what, &format!("there are {}", known.join(", "))));
    }
    Ok(kept)
}

fn clip_scores(
    images: &CaptionImages,
    paired: &Paired,
    settings: ScoreSettings<'_>,
    progress: &dyn Progress,
) -> Result<Vec<TextScore>, PipelineError> {
    let files = paired.ids.iter().map(|id| image_file(&images.folder, id)).collect::<Result<Vec<_>, _>>()?;
    let model = PackModel::open(&images.pack)?;
    let pack = model.pack();
    if !pack.has_clip() {
        return Err(refuse(
            "the pack has no image encoder, so captions and images cannot be compared".into(),
            "name a pack with CLIP by `--model`",
        ));
    }
    let embed = |captions: &[String]| -> Result<Array2<f32>, PipelineError> {
        let captions: Vec<String> = captions.iter().map(|caption| format!("{}{caption}", images.prefix)).collect();
        Ok(pack.clip_text(&captions)?)
    };
    let predicted = embed(&paired.predicted)?;
    let references = paired.references.iter().map(|captions| embed(captions)).collect::<Result<Vec<_>, _>>()?;
    let shown = embed_images(pack, &files, progress)?;
    let embeddings =
        ClipEmbeddings { predicted: predicted.view(), images: shown.view(), references: Some(&references) };
    Ok(text::score_clip(embeddings, settings)?)
}

fn image_file(folder: &Path, id: &str) -> Result<PathBuf, PipelineError> {
    let is_plain = !id.contains(['/', '\\']) && id != "..";
    let names = ["png", "jpg", "jpeg"].map(|end| folder.join(format!("{id}.{end}")));
    names.into_iter().find(|path| is_plain && fs::is_file(path)).ok_or_else(|| {
        let what = format!("there is no image of item `{id}` in `{}`", folder.display());
        refuse(what, "name the files `ID.png`, `ID.jpg` or `ID.jpeg`")
    })
}

fn embed_images(
    pack: &DiffusionPack,
    files: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Array2<f32>, PipelineError> {
    progress.begin("images", files.len() as u64);
    let mut rows = Vec::new();
    for batch in files.chunks(BATCH) {
        let pictures = batch.iter().map(picture::read).collect::<percept_io::Result<Vec<Array3<u8>>>>()?;
        for same in pictures.chunk_by(|a, b| a.dim() == b.dim()) {
            let views: Vec<_> = same.iter().map(|picture| picture.view()).collect();
            let stacked: Array4<u8> =
                ndarray::stack(Axis(0), &views).map_err(|error| refuse(error.to_string(), "report this"))?;
            rows.push(pack.clip_image(stacked.mapv(|value| f32::from(value) / 255.0).view())?);
        }
        progress.advance(batch.len() as u64);
    }
    progress.end("");
    let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
    ndarray::concatenate(Axis(0), &views).map_err(|error| refuse(error.to_string(), "report this"))
}

fn refuse(what: String, remedy: &str) -> PipelineError {
    PipelineError::Data { what, remedy: remedy.into() }
}
