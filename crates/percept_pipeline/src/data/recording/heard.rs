//! Excerpts of music heard in a scanner as a series: every scan with the moment of the excerpt that stood in its middle.
//!
//! Runs are held out as a whole; those of the test are a test side. The dummy at the beginning of a run is heard like everything else.
//! Of a training run it is the excerpt that ended the run before, so inner folds of the training side share one excerpt with a
//! neighbour; training and test share none.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::series::{Annotations, Heard, Labels, Recording, Timing};
use super::timeline::Timeline;
use crate::data::listening::Listening;
use crate::error::PipelineError;

/// The level of description that captions of excerpts are.
const CAPTION: &str = "caption";
/// Moments are told apart to a thousandth of a second.
const PER_SEC: f64 = 1000.0;

/// The series of `data`, without regions that are all units.
pub(super) fn series(data: Listening) -> Result<Recording, PipelineError> {
    let runs = &data.schedule.runs;
    let mut run_of_sample = Vec::with_capacity(data.responses.nrows());
    let mut clip_of_sample = Vec::with_capacity(data.responses.nrows());
    let mut found: BTreeMap<(usize, i64), Vec<usize>> = BTreeMap::new();
    for (number, run) in runs.iter().enumerate() {
        for scan in 0..data.starts[number + 1] - data.starts[number] {
            let middle = (scan as f64 + 0.5) * data.tr_secs;
            let stands = |onset: f64, clip: usize| (0.0..data.schedule.clips[clip].secs).contains(&(middle - onset));
            let playing = run.playings.iter().find(|playing| stands(playing.onset_secs, playing.clip));
            if let Some(playing) = playing {
                let at = ((middle - playing.onset_secs) * PER_SEC).round() as i64;
                found.entry((playing.clip, at)).or_default().push(run_of_sample.len());
            }
            run_of_sample.push(number);
            clip_of_sample.push(playing.map(|playing| playing.clip));
        }
    }
    if found.is_empty() {
        return Err(PipelineError::data("no scan falls into an excerpt", "look at the onsets of the events"));
    }
    let moments = found.keys().map(|&(clip, at)| (clip, at as f64 / PER_SEC)).collect();
    let stands = found.values().enumerate();
    let stands = stands.flat_map(|(moment, samples)| samples.iter().map(move |&sample| [moment, sample])).collect();
    let n_units = data.responses.ncols();
    let captions = data.captions.as_ref().map(|captions| {
        let mut all = Annotations { level: CAPTION.to_owned(), ..Annotations::default() };
        for (sample, clip) in clip_of_sample.iter().enumerate() {
            if let Some(clip) = *clip {
                all.push(&captions[clip], std::iter::once(sample));
            }
        }
        all
    });
    let labels = data.tags.first().map(|genres| Labels {
        names: genres.words.clone(),
        holds: Array2::from_shape_fn((clip_of_sample.len(), genres.words.len()), |(sample, word)| {
            f32::from(u8::from(clip_of_sample[sample].is_some_and(|clip| genres.of_clip[clip] == word)))
        }),
        exclusive: true,
    });
    Ok(Recording {
        subject: data.subject,
        source: data.source,
        places: data.places,
        affine: Some(data.affine),
        surfaces: None,
        regions: data.regions.into_iter().filter(|region| region.units.len() < n_units).collect(),
        timing: Timing::Series { tr_secs: Some(data.tr_secs), group: "run", sample: "scan" },
        groups: runs.iter().map(|run| run.name.clone()).collect(),
        group_of_sample: run_of_sample.clone(),
        sessions: runs.iter().map(|run| run.name.clone()).collect(),
        timeline: Timeline::whole(&run_of_sample),
        is_test: run_of_sample.iter().map(|&run| runs[run].is_test).collect(),
        session_of_sample: run_of_sample,
        responses: data.responses,
        stimuli: None,
        captions: None,
        annotations: captions.into_iter().collect(),
        heard: Some(Heard { clips: data.schedule.clips.into_iter().zip(data.sounds).collect(), moments, stands }),
        labels,
        warnings: data.warnings,
    })
}
