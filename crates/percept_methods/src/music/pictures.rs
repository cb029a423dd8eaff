//! Stimulus, what was made and what was retrieved side by side: players, waveforms and mel spectrograms.

use percept_core::Section;
use percept_core::figure::{Clip, Figure, SoundRow, Sounds};
use percept_io::{picture, sound};
use percept_pipeline::PipelineError;
use percept_pipeline::run::StageName;
use percept_signal::glance;

use super::arms::Arm;
use super::bench::Bench;
use super::targets::Target;

/// Excerpts that are shown: their sounds lie within the page.
const MOST_ROWS: usize = 6;
/// Columns of pixels of a sound.
const COLUMNS: usize = 160;
/// No sound of an arm is longer.
const LONGEST_SECS: f64 = 600.0;
/// Of the pictures; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// The section with the sounds of all arms that are shown beside the stimulus.
pub(super) fn section(bench: &Bench<'_>, target: &Target, arms: &[Arm]) -> Result<Section, PipelineError> {
    // What was decoded stands beside the stimulus, what judges it behind.
    let mut shown: Vec<&Arm> =
        arms.iter().filter(|arm| arm.name.rsplit_once('.').is_none_or(|(_, kind)| kind != "mean")).collect();
    shown.sort_by_key(|arm| (arm.name.contains('.'), arm.name != "stimulus", !arm.name.starts_with("music")));
    let clips: Vec<usize> = target.sides[1].clips.iter().copied().take(MOST_ROWS).collect();
    let name = |row: usize| bench.data.schedule.clips[clips[row]].name();
    let path = |arm: &Arm, row: usize| format!("mels/{}/{}.png", arm.name, name(row));
    let hashes = shown
        .iter()
        .flat_map(|arm| &arm.files[..clips.len()])
        .map(|file| percept_io::fs::content_hash(bench.run.file(file)))
        .collect::<Result<Vec<String>, _>>()?;
    let record = bench.record.only(&[]).setting("sounds", &hashes);
    bench.run.stage(StageName { name: "mels", revision: REVISION }, record, || {
        let mut written = Vec::new();
        for arm in &shown {
            for row in 0..clips.len() {
                let (samples, rate_hz) = read(bench, &arm.files[row])?;
                let drawn = glance::picture(&samples, rate_hz, COLUMNS).map_err(|error| {
                    PipelineError::data(format!("`{}`: {error}", arm.files[row]), "remove it and run again")
                })?;
                bench.run.write(&path(arm, row), &picture::encode_png(drawn.view())?)?;
                written.push(path(arm, row));
            }
        }
        Ok(written)
    })?;
    let mut rows = Vec::with_capacity(clips.len());
    let mut high_hz = 0.0;
    for row in 0..clips.len() {
        let mut cells = Vec::with_capacity(shown.len());
        for arm in &shown {
            let (samples, rate_hz) = read(bench, &arm.files[row])?;
            high_hz = f64::from(rate_hz) / 2.0;
            cells.push(Some(Clip {
                sound: arm.files[row].clone(),
                seconds: samples.len() as f64 / f64::from(rate_hz),
                waveform: glance::outline(&samples, COLUMNS),
                mels: path(arm, row),
                note: arm.notes[row].clone(),
            }));
        }
        let words = bench.data.captions.as_ref().map_or_else(|| name(row), |captions| captions[clips[row]].clone());
        rows.push(SoundRow { label: words, cells });
    }
    Ok(Section {
        title: "Sounds".to_owned(),
        text: format!(
            "The first {} test excerpts, and what was made and retrieved for them; all sounds lie in the folder `sounds`.",
            clips.len()
        ),
        figures: vec![Figure::Sounds(Sounds {
            title: "Stimulus, generation, retrieval".to_owned(),
            caption: "Each excerpt beside what was generated and retrieved from the decoded vector, from the true one, and from the one decoded \
                      while another excerpt was heard."
                .to_owned(),
            columns: shown.iter().map(|arm| arm.name.clone()).collect(),
            high_hz,
            rows,
        })],
    })
}

/// A sound of the run, and its rate.
fn read(bench: &Bench<'_>, file: &str) -> Result<(Vec<f32>, u32), PipelineError> {
    let samples = sound::read(bench.run.file(file), LONGEST_SECS)?;
    Ok((samples.mono(), samples.rate_hz))
}
