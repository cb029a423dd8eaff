//! Texts in titles: for every title a matrix of responses (texts × units) and a list of texts, and perhaps answers about each.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate, s};
use percept_core::Responses;
use percept_io::{fs, npy};

use super::super::units::drop_non_finite;
use super::series::{Annotations, Labels, Recording, Timing};
use super::timeline::Timeline;
use crate::data::Places;
use crate::error::PipelineError;
use crate::experiment::encoding::TitlesData;

/// No list of texts is longer.
const MAX_LIST_BYTES: u64 = 1 << 30;

/// One title.
struct Title {
    name: String,
    responses: Array2<f32>,
    texts: Vec<String>,
    labels: Option<Array2<f32>>,
}

/// Reads what `settings` name.
pub(super) fn open(settings: &TitlesData) -> Result<Recording, PipelineError> {
    let titles = titles(settings)?;
    let views: Vec<_> = titles.iter().map(|title| title.responses.view()).collect();
    let responses = concatenate(Axis(0), &views)
        .map_err(|error| PipelineError::data(format!("titles have different units: {error}"), "leave one out"))?;
    let group_of_sample: Vec<usize> =
        titles.iter().enumerate().flat_map(|(number, title)| vec![number; title.texts.len()]).collect();
    let labels = labels(settings, &titles)?;
    let responses = Responses::new(responses, group_of_sample.clone(), group_of_sample.clone())?;
    let finite = drop_non_finite(responses, Vec::new(), Vec::new(), settings.non_finite)?;
    let n_samples = group_of_sample.len();
    let n_units = finite.responses.n_units();
    let name = settings.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut annotations = Annotations { level: "text".to_owned(), ..Annotations::default() };
    for (sample, text) in titles.iter().flat_map(|title| &title.texts).enumerate() {
        annotations.push(text, std::iter::once(sample));
    }
    let groups: Vec<String> = titles.iter().map(|title| title.name.clone()).collect();
    Ok(Recording {
        subject: name,
        source: format!("{n_samples} texts × {n_units} units in {} titles", groups.len()),
        responses: finite.responses.data,
        places: Places::Columns(finite.kept),
        affine: None,
        surfaces: None,
        regions: Vec::new(),
        timing: Timing::Series { tr_secs: None, group: "title", sample: "text" },
        timeline: Timeline::whole(&group_of_sample),
        session_of_sample: group_of_sample.clone(),
        group_of_sample,
        sessions: groups.clone(),
        groups,
        is_test: vec![false; n_samples],
        stimuli: None,
        captions: None,
        heard: None,
        annotations: vec![annotations],
        labels,
        warnings: finite.warning.into_iter().collect(),
    })
}

fn titles(settings: &TitlesData) -> Result<Vec<Title>, PipelineError> {
    let mut found = Vec::new();
    for (position, prefix) in settings.prefixes.iter().enumerate() {
        let mut files: Vec<PathBuf> = fs::list(&settings.root)?;
        files.sort();
        for file in files {
            let full = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(name) = full.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_suffix(".npy")) else {
                continue;
            };
            let label = settings.label_prefixes.get(position);
            found.push(title(settings, name, &file, prefix, label.map(String::as_str))?);
        }
    }
    if found.len() < 2 {
        let what = format!("`{}` holds {} titles named {:?}", settings.root.display(), found.len(), settings.prefixes);
        return Err(PipelineError::data(
            what,
            "name files `PREFIXtitle.npy` beside `PREFIXtitle.texts.json`, two or more",
        ));
    }
    let units = found[0].responses.ncols();
    if let Some(other) = found.iter().find(|title| title.responses.ncols() != units) {
        let what =
            format!("title `{}` has {} units, `{}` has {units}", other.name, other.responses.ncols(), found[0].name);
        return Err(PipelineError::data(what, "all titles must hold the same units in the same order"));
    }
    Ok(found)
}

fn title(
    settings: &TitlesData,
    name: &str,
    file: &Path,
    prefix: &str,
    label_prefix: Option<&str>,
) -> Result<Title, PipelineError> {
    let matrix = |path: &Path| -> Result<Array2<f32>, PipelineError> {
        let array = npy::open(path)?.read::<f32>()?;
        let shape = array.shape().to_vec();
        array.into_dimensionality().map_err(|_| {
            let what = format!("`{}` has the shape {shape:?}", path.display());
            PipelineError::data(what, "give a matrix of texts × columns")
        })
    };
    let mut responses = matrix(file)?;
    if settings.units > 0 {
        if settings.units > responses.ncols() {
            let what = format!("title `{name}` has {} units, but {} are asked for", responses.ncols(), settings.units);
            return Err(PipelineError::data(what, "lower `data.units`"));
        }
        responses = responses.slice(s![.., ..settings.units]).to_owned();
    }
    let list = settings.root.join(format!("{prefix}{name}.texts.json"));
    let texts: Vec<String> = json(&list, "a list of texts")?;
    if texts.len() != responses.nrows() {
        let row = texts.len().min(responses.nrows());
        let what = format!(
            "title `{name}` has {} texts but {} rows of responses: they part at row {row}",
            texts.len(),
            responses.nrows()
        );
        return Err(PipelineError::data(what, "give one text per row, empty for silence"));
    }
    let labels = match label_prefix {
        None => None,
        Some(prefix) => {
            let path = settings.root.join(format!("{prefix}{name}.npy"));
            let labels = matrix(&path)?;
            if labels.nrows() != texts.len() {
                let what = format!("title `{name}` has {} texts but {} rows of answers", texts.len(), labels.nrows());
                return Err(PipelineError::data(what, "give one row per text"));
            }
            Some(labels)
        }
    };
    Ok(Title { name: name.to_owned(), responses, texts, labels })
}

fn labels(settings: &TitlesData, titles: &[Title]) -> Result<Option<Labels>, PipelineError> {
    let parts: Vec<_> = titles.iter().filter_map(|title| title.labels.as_ref().map(|labels| labels.view())).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let holds = concatenate(Axis(0), &parts)
        .map_err(|error| PipelineError::data(format!("titles have different answers: {error}"), "leave one out"))?;
    let names = match &settings.label_names {
        None => (0..holds.ncols()).map(|column| format!("answer {column}")).collect(),
        Some(path) => json::<Vec<String>>(path, "a list of questions")?,
    };
    if names.len() != holds.ncols() {
        let what = format!("there are {} names for {} columns of answers", names.len(), holds.ncols());
        return Err(PipelineError::data(what, "correct `data.label_names`"));
    }
    Ok(Some(Labels { names, holds, exclusive: false }))
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, expected: &str) -> Result<T, PipelineError> {
    serde_json::from_str(&fs::read_text(path, MAX_LIST_BYTES)?).map_err(|error| {
        PipelineError::data(format!("`{}` does not hold {expected}: {error}", path.display()), "write it as JSON")
    })
}
