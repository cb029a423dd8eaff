//! Films watched in a scanner, as BIDS with a text for every second: the layout of OpenNeuro's ds005531.
//!
//! `sub-ID/func/sub-ID_task-TITLE_run-NN_bold.nii.gz` with its sidecar `.json`; texts either as one line per second in
//! `derivatives/annotation/TITLE_run-NN_LEVEL_each1sec.txt` (further annotators: `…_LEVEL_annotator-NN_each1sec.txt`), or as rows of
//! `…_events.tsv` with `onset`, `duration`, `trial_type` (the level), `text` and perhaps `annotator`. A title may have several runs: delays
//! and drifts stop at the end of a run, and titles are held out as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use percept_core::Responses;
use percept_io::{fs, nifti, table};

use super::super::bids::{self, Chosen};
use super::super::units::drop_non_finite;
use super::scans::{TR_TOLERANCE, coordinates_of};
use super::series::{Annotations, Recording, Timing};
use super::timeline::Timeline;
use crate::data::Places;
use crate::error::PipelineError;
use crate::experiment::encoding::{AnnotationForm, FilmsData};

/// The longest file of texts.
const MAX_TEXT_BYTES: u64 = 256 << 20;
/// An annotation may outlast its run by so much: the last second is not always whole.
const LATE_SECS: f64 = 1.0;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) title: String,
    pub(super) number: String,
    pub(super) bold: PathBuf,
    pub(super) tr_secs: f64,
    pub(super) n_scans: usize,
}

impl Run {
    fn name(&self) -> String {
        format!("{}_run-{}", self.title, self.number)
    }

    fn length_secs(&self) -> f64 {
        self.n_scans as f64 * self.tr_secs
    }
}

/// Reads what `settings` name.
pub(super) fn open(settings: &FilmsData) -> Result<Recording, PipelineError> {
    let runs = runs(settings)?;
    let files: Vec<(String, &Path)> = runs.iter().map(|run| (run.name(), run.bold.as_path())).collect();
    let Chosen { voxels, shape, affine } = bids::voxels(settings.mask.as_deref(), &files)?;
    let mut frames = Vec::with_capacity(runs.len());
    for run in &runs {
        frames.push((run.bold.as_path(), dropped(settings, run)?..run.n_scans));
    }
    let responses = bids::stacked(&frames, &voxels)?;
    let annotations = annotations(settings, &runs)?;
    let mut titles: Vec<String> = Vec::new();
    let (mut group_of_sample, mut session_of_sample) = (Vec::new(), Vec::new());
    let mut timeline = Timeline::default();
    for (number, (run, (_, kept))) in runs.iter().zip(&frames).enumerate() {
        if titles.last() != Some(&run.title) {
            titles.push(run.title.clone());
        }
        group_of_sample.extend(vec![titles.len() - 1; kept.len()]);
        session_of_sample.extend(vec![number; kept.len()]);
        timeline.session.extend(vec![number; run.n_scans]);
        // The first scans are dropped, not what was seen and heard during them.
        timeline.of_sample.extend(timeline.len() - kept.len()..timeline.len());
    }
    let n_samples = group_of_sample.len();
    let regions = match &settings.regions {
        Some(path) => bids::regions(path, &voxels, shape)?,
        None => Vec::new(),
    };
    let responses = Responses::new(responses, group_of_sample.clone(), session_of_sample.clone())?;
    let (still, kept) = still(&responses.data);
    let finite = drop_non_finite(responses, Vec::new(), regions, settings.non_finite)?;
    let mut warnings: Vec<String> = finite.warning.into_iter().collect();
    if still > 0 {
        warnings.push(format!("{still} of {kept} voxels never vary, such as those outside of the head"));
    }
    let coordinates = coordinates_of(&voxels, shape);
    let tr_secs = runs[0].tr_secs;
    Ok(Recording {
        subject: format!("sub-{}", settings.subject),
        source: format!(
            "BIDS, {n_samples} scans × {} voxels, {tr_secs} s apart, in {} runs of {} titles",
            finite.responses.n_units(),
            runs.len(),
            titles.len()
        ),
        responses: finite.responses.data,
        places: Places::Voxels { shape, coordinates: finite.kept.iter().map(|&unit| coordinates[unit]).collect() },
        affine: Some(affine),
        surfaces: None,
        regions: finite.groups,
        timing: Timing::Series { tr_secs: Some(tr_secs), group: "title", sample: "scan" },
        group_of_sample,
        groups: titles,
        session_of_sample,
        timeline,
        sessions: runs.iter().map(Run::name).collect(),
        is_test: vec![false; n_samples],
        stimuli: None,
        captions: None,
        heard: None,
        annotations,
        labels: None,
        warnings,
    })
}

/// How many units never vary, and how many there are.
fn still(data: &Array2<f32>) -> (usize, usize) {
    let still = data.columns().into_iter().filter(|unit| unit.iter().all(|value| *value == unit[0])).count();
    (still, data.ncols())
}

/// The runs of the subject, titles together.
fn runs(settings: &FilmsData) -> Result<Vec<Run>, PipelineError> {
    let folder = settings.root.join(format!("sub-{}", settings.subject)).join("func");
    let beginning = format!("sub-{}_task-", settings.subject);
    let mut found = Vec::new();
    for bold in fs::list(&folder)? {
        let name = bold.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix("_bold.nii.gz").or_else(|| name.strip_suffix("_bold.nii")) else { continue };
        let Some((title, number)) = stem.strip_prefix(&beginning).and_then(|rest| rest.split_once("_run-")) else {
            continue;
        };
        if !settings.titles.is_empty() && !settings.titles.iter().any(|wanted| wanted == title) {
            continue;
        }
        let header = nifti::open(&bold)?.header().clone();
        let (title, number) = (title.to_owned(), number.to_owned());
        let sidecar = folder.join(format!("{stem}_bold.json"));
        let tr_secs = bids::tr_of(&format!("{title}_run-{number}"), &sidecar, header.tr_secs)?;
        found.push(Run { title, number, bold, tr_secs, n_scans: header.n_frames });
    }
    found.sort_by(|a, b| (&a.title, &a.number).cmp(&(&b.title, &b.number)));
    if let Some(missing) = settings.titles.iter().find(|title| !found.iter().any(|run| run.title == **title)) {
        let what = format!("`{}` holds no run of the title `{missing}`", folder.display());
        return Err(PipelineError::data(what, "name titles as in `task-TITLE` of the files"));
    }
    let Some(first) = found.first() else {
        let what = format!("`{}` holds no files `{beginning}TITLE_run-NN_bold.nii.gz`", folder.display());
        return Err(PipelineError::data(what, "name the root of the data set and a subject in it"));
    };
    if let Some(other) = found.iter().find(|run| (run.tr_secs - first.tr_secs).abs() > TR_TOLERANCE * first.tr_secs) {
        let what = format!(
            "run `{}` has a scan every {} s, run `{}` every {} s",
            other.name(),
            other.tr_secs,
            first.name(),
            first.tr_secs
        );
        return Err(PipelineError::data(what, "leave the titles of one of them out (`data.titles`)"));
    }
    Ok(found)
}

/// Scans dropped from the start of a run.
fn dropped(settings: &FilmsData, run: &Run) -> Result<usize, PipelineError> {
    let first = (settings.drop_secs / run.tr_secs).round() as usize;
    if run.n_scans < first + 2 {
        let what =
            format!("run `{}` lasts {} s, of which {} are dropped", run.name(), run.length_secs(), settings.drop_secs);
        return Err(PipelineError::data(what, "lower `data.drop_secs`"));
    }
    Ok(first)
}

/// What is said about films before anybody watched them: a recording of texts alone, without units, from the first scan of each run on.
/// `runs` are titles, numbers and scans of runs in the order in which [`open`] would read them.
pub(crate) fn texts_alone(
    settings: &FilmsData,
    runs: &[(String, String, usize)],
    tr_secs: f64,
) -> Result<Recording, PipelineError> {
    let of = |(title, number, n_scans): &(String, String, usize)| Run {
        title: title.clone(),
        number: number.clone(),
        bold: PathBuf::new(),
        tr_secs,
        n_scans: *n_scans,
    };
    let runs: Vec<Run> = runs.iter().map(of).collect();
    let session_of_sample: Vec<usize> =
        runs.iter().enumerate().flat_map(|(number, run)| vec![number; run.n_scans]).collect();
    let n_samples = session_of_sample.len();
    let names: Vec<String> = runs.iter().map(Run::name).collect();
    Ok(Recording {
        subject: String::new(),
        source: "texts about films".to_owned(),
        responses: Array2::zeros((n_samples, 0)),
        places: Places::Columns(Vec::new()),
        affine: None,
        surfaces: None,
        regions: Vec::new(),
        timing: Timing::Series { tr_secs: Some(tr_secs), group: "run", sample: "scan" },
        group_of_sample: session_of_sample.clone(),
        groups: names.clone(),
        timeline: Timeline::whole(&session_of_sample),
        session_of_sample,
        sessions: names,
        is_test: vec![false; n_samples],
        stimuli: None,
        captions: None,
        heard: None,
        annotations: annotations(settings, &runs)?,
        labels: None,
        warnings: Vec::new(),
    })
}

/// Texts of all levels, each with the scans during which it stands, dropped ones among them.
fn annotations(settings: &FilmsData, runs: &[Run]) -> Result<Vec<Annotations>, PipelineError> {
    let mut levels: BTreeMap<String, Annotations> = BTreeMap::new();
    let mut start = 0;
    for run in runs {
        let spans = match settings.annotations {
            AnnotationForm::Seconds => seconds(settings, run)?,
            AnnotationForm::Events => events(run)?,
        };
        for span in spans {
            let level = levels
                .entry(span.level.clone())
                .or_insert_with(|| Annotations { level: span.level.clone(), ..Annotations::default() });
            let scan = |secs: f64| (secs / run.tr_secs).clamp(0.0, run.n_scans as f64);
            // A text that only touches a scan does not stand in it.
            let (begin, end) = (scan(span.onset).floor() as usize, scan(span.end - 1e-6).ceil() as usize);
            level.push(&span.text, (begin..end).map(|scan| start + scan));
        }
        start += run.n_scans;
    }
    Ok(levels.into_values().collect())
}

/// A text of one level and annotator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) level: String,
    annotator: String,
    onset: f64,
    end: f64,
    text: String,
}

/// Texts with one line for every second.
pub(super) fn seconds(settings: &FilmsData, run: &Run) -> Result<Vec<Span>, PipelineError> {
    let folder = settings.root.join("derivatives").join("annotation");
    let beginning = format!("{}_", run.name());
    let mut spans = Vec::new();
    let mut n_files = 0;
    for file in fs::list(&folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(label) = name.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix("_each1sec.txt")) else {
            continue;
        };
        let (label, annotator) = label.split_once("_annotator-").unwrap_or((label, "01"));
        n_files += 1;
        let text = fs::read_text(&file, MAX_TEXT_BYTES)?;
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() as f64 > run.length_secs() + LATE_SECS {
            let what = format!(
                "run `{}` ends at second {}, but `{name}` goes on to second {}",
                run.name(),
                run.length_secs(),
                lines.len()
            );
            return Err(PipelineError::data(what, "cut the annotation, or check that it belongs to this run"));
        }
        for (second, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (onset, end) = (second as f64, second as f64 + 1.0);
            let (level, annotator) = (label.to_owned(), annotator.to_owned());
            spans.push(Span { level, annotator, onset, end, text: line.trim().to_owned() });
        }
    }
    if n_files == 0 {
        let what = format!("run `{}` has no annotation in `{}`", run.name(), folder.display());
        return Err(PipelineError::data(what, "add one, or leave its title out (`data.titles`)"));
    }
    Ok(spans)
}

/// Texts with onset and duration.
fn events(run: &Run) -> Result<Vec<Span>, PipelineError> {
    let bold = run.bold.to_string_lossy();
    let path =
        bold.trim_end_matches(".gz").trim_end_matches(".nii").trim_end_matches("_bold").to_owned() + "_events.tsv";
    if !fs::is_file(&path) {
        return Err(PipelineError::data(
            format!("run `{}` has no events: `{path}` is not there", run.name()),
            "add it, or leave its title out (`data.titles`)",
        ));
    }
    let events = table::open(&path)?;
    let (onset, duration) = (events.floats("onset")?, events.floats("duration")?);
    let (level, text) = (events.texts("trial_type")?, events.texts("text")?);
    let annotator = if events.has_column("annotator") { events.texts("annotator")? } else { vec!["1"; onset.len()] };
    let mut spans: Vec<Span> = (0..onset.len())
        .map(|row| Span {
            level: level[row].to_owned(),
            annotator: annotator[row].to_owned(),
            onset: onset[row],
            end: onset[row] + duration[row],
            text: text[row].to_owned(),
        })
        .collect();
    for span in &spans {
        if !(span.onset >= 0.0 && span.end >= span.onset) || span.end > run.length_secs() + LATE_SECS {
            let what = format!(
                "run `{}` lasts {} s, but an annotation of the level `{}` stands from second {} to second {}",
                run.name(),
                run.length_secs(),
                span.level,
                span.onset,
                span.end
            );
            return Err(PipelineError::data(what, "correct onset and duration"));
        }
    }
    spans.sort_by(|a, b| (&a.level, &a.annotator).cmp(&(&b.level, &b.annotator)).then(a.onset.total_cmp(&b.onset)));
    for pair in spans.windows(2) {
        let same = (&pair[0].level, &pair[0].annotator) == (&pair[1].level, &pair[1].annotator);
        if same && pair[1].onset < pair[0].end - 1e-9 {
            let what = format!(
                "run `{}`: two annotations of the level `{}` overlap at second {} (the first ends at second {})",
                run.name(),
                pair[0].level,
                pair[1].onset,
                pair[0].end
            );
            return Err(PipelineError::data(
                what,
                "end the first before the second begins, or give them two annotators",
            ));
        }
    }
    Ok(spans)
}
