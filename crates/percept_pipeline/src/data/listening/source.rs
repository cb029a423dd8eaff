//! Where somebody who listened comes from: a real tree, or one that is written below the run first.

use std::collections::BTreeMap;

use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance, Seed};
use percept_io::fs;
use percept_synth::listener::{Listener, ListenerParams};

use super::{Listening, ListeningFiles};
use crate::data::hash_of_rows;
use crate::error::PipelineError;
use crate::experiment::music::{ListenerData, MusicData};
use crate::run::{RunFolder, StageName};

/// The folder of a simulated subject's tree, relative to the run.
const TREE: &str = "listener";
/// Of the simulation; see [`crate::run`].
const REVISION: u32 = 1;

/// Opens what the experiment names.
///
/// # Errors
/// When files are missing, damaged or do not fit together.
pub fn open(data: &MusicData, run: &RunFolder, progress: &dyn Progress) -> Result<Listening, PipelineError> {
    let files = match data {
        MusicData::Listener(settings) => simulated(settings, run, progress)?,
        MusicData::Ds003720(settings) => ListeningFiles {
            root: settings.root.clone(),
            subject: settings.subject.clone(),
            audio: settings.audio.clone(),
            mask: settings.mask.clone(),
            atlas: settings.atlas.clone(),
            captions: settings.captions.clone(),
            tags: settings.tags.clone(),
            detrend_secs: settings.detrend_secs,
        },
    };
    Listening::open(&files)
}

/// Content hashes of everything that was read.
///
/// # Errors
/// When a track cannot be read.
pub fn inputs(data: &Listening) -> Result<BTreeMap<String, String>, PipelineError> {
    let schedule = serde_json::to_string(&data.schedule).unwrap_or_default();
    let mut sounds = String::new();
    for path in &data.sounds {
        sounds += &fs::content_hash(path)?;
    }
    let regions: Vec<_> = data.regions.iter().map(|region| (&region.name, &region.units)).collect();
    let words = format!("{:?} {:?}", data.captions, data.tags);
    Ok(BTreeMap::from([
        ("responses".to_owned(), hash_of_rows(&data.responses)),
        ("schedule".to_owned(), content_hash(schedule.as_bytes())),
        ("sounds".to_owned(), content_hash(sounds.as_bytes())),
        ("regions".to_owned(), content_hash(format!("{regions:?}").as_bytes())),
        ("words".to_owned(), content_hash(words.as_bytes())),
    ]))
}

/// Writes the tree of a simulated subject unless it is there, and says where everything lies.
fn simulated(
    settings: &ListenerData,
    run: &RunFolder,
    progress: &dyn Progress,
) -> Result<ListeningFiles, PipelineError> {
    let root = run.file(TREE);
    let record = Provenance::new(settings.seed).setting("listener", settings);
    run.stage(StageName { name: TREE, revision: REVISION }, record, || {
        run.emptied(TREE)?;
        let params = ListenerParams {
            subject: settings.subject,
            n_training: settings.training,
            n_test: settings.test,
            per_training_run: settings.per_training_run,
            per_test_run: settings.per_test_run,
            n_repeats: settings.repeats,
            clip_secs: settings.clip_secs,
            track_secs: settings.track_secs,
            tr_secs: settings.tr_secs,
            median_ceiling: settings.ceiling as f32,
            noise_memory: settings.noise_memory as f32,
            drift: settings.drift as f32,
            ..ListenerParams::default()
        };
        let listener = Listener::new(params, Seed::new(settings.seed))?;
        listener.write(&root, progress)?;
        run.files_below(TREE)
    })?;
    let subject = format!("{:03}", settings.subject);
    Ok(ListeningFiles {
        audio: root.join("genres"),
        mask: None,
        atlas: Some(root.join(format!("derivatives/atlas/sub-{subject}/sub-{subject}_atlas.nii.gz"))),
        captions: Some(root.join("captions.csv")),
        tags: Some(root.join("tags.csv")),
        detrend_secs: settings.detrend_secs,
        subject,
        root,
    })
}
