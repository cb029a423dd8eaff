//! Films with tables of what was shown when: `sub-01_task-films_run-1_events.tsv` beside `sub-01_task-films_run-1_bold.nii.gz`.
//!
//! A table has the columns `onset`, `duration` (seconds of the recording), `film` (a name in the folder of films, with or without its
//! ending), and, where a film is not shown from its beginning, `start_secs`. A column `split` says `train` or `test`; without it a run whose name contains
//! `test` is one to be tested on. The same stretch of film in several places is one segment, shown several times.

use std::path::{Path, PathBuf};

use percept_io::{fs, table};

use super::files::{EventsRun, WatchingFiles, film};
use super::plan::{Plan, Planned};
use super::timing::Showing;
use super::{cc2017, scans};
use crate::error::PipelineError;

/// Stretches of film that begin so near to each other are one.
const SAME_SECS: f64 = 1e-3;
/// Endings of recordings, the first that is there is taken.
const ENDINGS: [&str; 4] = ["_bold.nii.gz", "_bold.nii", "_bold.dtseries.nii", "_bold.npy"];

/// Runs of a folder: every `NAME_events.tsv` with images of the same name.
///
/// # Errors
/// If the folder cannot be read, or a table has no images.
pub fn runs_in(folder: &Path) -> Result<Vec<EventsRun>, PipelineError> {
    let mut runs = Vec::new();
    for events in fs::list(folder)? {
        let file = events.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix("_events.tsv") else { continue };
        let paths = ENDINGS.iter().map(|end| folder.join(format!("{name}{end}")));
        let Some(images) = paths.into_iter().find(|path| fs::is_file(path)) else {
            let what = format!("`{file}` has no images such as `{name}_bold.nii.gz` beside it");
            return Err(PipelineError::data(what, "fetch them, or take the table away"));
        };
        runs.push(EventsRun { name: name.to_owned(), events, images });
    }
    if runs.is_empty() {
        let what = format!("`{}` holds no `…_events.tsv`", folder.display());
        return Err(PipelineError::data(what, "name the folder of the recordings"));
    }
    Ok(runs)
}

/// A row of a table.
struct Event {
    film: String,
    start_secs: f64,
    onset_secs: f64,
    secs: f64,
    is_test: bool,
}

fn events_of(run: &EventsRun) -> Result<Vec<Event>, PipelineError> {
    let table = table::open(&run.events)?;
    let (onsets, secs, films) = (table.floats("onset")?, table.floats("duration")?, table.texts("film")?);
    let n = onsets.len();
    let starts = if table.has_column("start_secs") { table.floats("start_secs")? } else { vec![0.0; n] };
    let splits = if table.has_column("split") { Some(table.texts("split")?) } else { None };
    let mut events = Vec::with_capacity(n);
    for row in 0..n {
        let wrong = |what: String| {
            PipelineError::data(format!("run `{}`, row {}: {what}", run.name, row + 1), "correct its table of events")
        };
        if !(onsets[row].is_finite() && secs[row] > 0.0 && secs[row].is_finite() && starts[row] >= 0.0) {
            let (onset, secs, start) = (onsets[row], secs[row], starts[row]);
            return Err(wrong(format!("an event at {onset} s for {secs} s from second {start} of its film")));
        }
        let is_test = match splits.as_ref().map(|splits| splits[row].trim()) {
            None => run.name.to_ascii_lowercase().contains("test"),
            Some("test") => true,
            Some("train" | "training") => false,
            Some(other) => return Err(wrong(format!("a split `{other}`, which is neither `train` nor `test`"))),
        };
        let film = films[row].trim().to_owned();
        events.push(Event { film, start_secs: starts[row], onset_secs: onsets[row], secs: secs[row], is_test });
    }
    Ok(events)
}

/// What is read.
pub(super) fn plan(files: &WatchingFiles, runs: &[EventsRun]) -> Result<Plan, PipelineError> {
    let Some(folder) = &files.films else {
        return Err(PipelineError::data("there is no folder of films", "name it beside the tables of events"));
    };
    let films = cc2017::films(folder)?;
    let recordings: Vec<(String, PathBuf)> = runs.iter().map(|run| (run.name.clone(), run.images.clone())).collect();
    let tr_secs = scans::tr_of(files.tr_secs, &recordings)?;
    let mut segments: Vec<Planned> = Vec::new();
    for (recording, run) in runs.iter().enumerate() {
        for event in events_of(run)? {
            let stem = Path::new(&event.film).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let Some(path) = films.get(&event.film).or_else(|| films.get(&stem)) else {
                let what = format!("run `{}` shows `{}`, which is not in `{}`", run.name, event.film, folder.display());
                return Err(PipelineError::data(what, "put it there, as a film or as a folder of frames"));
            };
            let name = if event.start_secs > 0.0 { format!("{stem}@{}", event.start_secs) } else { stem };
            let showing = Showing { recording, onset_secs: event.onset_secs };
            add(&mut segments, &event, name, path, showing)?;
        }
    }
    segments.retain(|segment| files.segments.is_empty() || files.segments.contains(&segment.name));
    let subject = runs.first().map_or_else(String::new, |run| {
        let first = run.name.split('_').next().unwrap_or_default();
        first.to_owned()
    });
    let mut warnings = Vec::new();
    check_films(files, &segments, &mut warnings)?;
    Ok(Plan { subject, recordings, segments, tr_secs, warnings })
}

fn add(
    segments: &mut Vec<Planned>,
    event: &Event,
    name: String,
    path: &Path,
    showing: Showing,
) -> Result<(), PipelineError> {
    let is_same = |own: &Planned| own.film == path && (own.film_secs[0] - event.start_secs).abs() < SAME_SECS;
    let Some(known) = segments.iter_mut().find(|own| is_same(own)) else {
        let film_secs = [event.start_secs, event.secs];
        let film = path.to_owned();
        segments.push(Planned { name, is_test: event.is_test, film, film_secs, showings: vec![showing] });
        return Ok(());
    };
    if known.is_test != event.is_test {
        let what = format!("`{name}` was shown both for training and for the test");
        return Err(PipelineError::data(what, "leave one side out: a test on it would be no test"));
    }
    // Durations are those of a clock; a showing that was shorter is one of less.
    known.film_secs[1] = known.film_secs[1].min(event.secs);
    known.showings.push(showing);
    Ok(())
}

/// Names films that end before what was shown of them.
fn check_films(files: &WatchingFiles, segments: &[Planned], warnings: &mut Vec<String>) -> Result<(), PipelineError> {
    for segment in segments {
        let film = film(&segment.film, files.frames_per_sec)?;
        warnings.extend(film.info().notes.iter().map(|note| format!("film `{}`: {note}", segment.name)));
        let ([from, secs], length) = (segment.film_secs, film.info().secs);
        if from + secs > length + 0.5 {
            let what =
                format!("`{}` was shown up to second {}, but its film ends at {length:.2}", segment.name, from + secs);
            return Err(PipelineError::data(what, "look whether the film is whole, or correct the tables of events"));
        }
    }
    Ok(())
}
