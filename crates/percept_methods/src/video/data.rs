//! The data of an experiment of films: a real tree, or one that is written below the run first.

use std::collections::BTreeMap;

use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance, Seed};
use percept_io::fs;
use percept_pipeline::data::hash_of_rows;
use percept_pipeline::data::watching::{Origin, Watching, WatchingFiles, events};
use percept_pipeline::experiment::video::{SpectatorData, VideoData, VideoExperiment};
use percept_pipeline::run::StageName;
use percept_pipeline::{PipelineError, RunFolder};
use percept_synth::moving::{Movie, MovieParams};
use percept_synth::spectator::{Spectator, SpectatorParams, Stretch, Words, usual_regions};

use super::bench::FilmPack;
use super::drives;

/// The folder of a simulated subject's tree, relative to the run.
const TREE: &str = "spectator";
/// Of the simulation; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// Opens what the experiment names, with content hashes of everything that was read.
pub(super) fn open(
    experiment: &VideoExperiment,
    run: &RunFolder,
    pack: &FilmPack,
    progress: &dyn Progress,
) -> Result<(Watching, BTreeMap<String, String>), PipelineError> {
    let mut files = match &experiment.data {
        VideoData::Spectator(settings) => simulated(settings, run, pack, progress)?,
        VideoData::Cc2017(settings) => WatchingFiles {
            films: settings.films.clone(),
            frames_per_sec: settings.frames_per_sec,
            mask: settings.mask.clone(),
            atlas: settings.atlas.clone(),
            captions: settings.captions.clone(),
            trend_order: settings.trend_order,
            ..WatchingFiles::new(Origin::Cc2017 {
                root: settings.root.clone(),
                subject: settings.subject.to_string(),
                form: None,
            })
        },
        VideoData::Watching(settings) => WatchingFiles {
            films: Some(settings.films.clone()),
            frames_per_sec: settings.frames_per_sec,
            mask: settings.mask.clone(),
            atlas: settings.atlas.clone(),
            captions: settings.captions.clone(),
            trend_order: settings.trend_order,
            tr_secs: settings.tr_secs,
            ..WatchingFiles::new(Origin::Events { runs: events::runs_in(&settings.root)? })
        },
    };
    files.delay_secs = experiment.decode.delay_secs;
    let data = Watching::open(&files)?;
    let mut films = String::new();
    for segment in &data.segments {
        let files =
            if fs::is_dir(&segment.film) { fs::files_below(&segment.film)? } else { vec![segment.film.clone()] };
        for file in files {
            films += &fs::content_hash(file)?;
        }
    }
    let regions: Vec<_> = data.regions.iter().map(|region| (&region.name, &region.units)).collect();
    let segments: Vec<_> = data
        .segments
        .iter()
        .map(|segment| (&segment.name, segment.is_test, segment.start_secs.to_bits(), segment.rows.clone()))
        .collect();
    let inputs = BTreeMap::from([
        ("responses".to_owned(), hash_of_rows(&data.responses)),
        ("films".to_owned(), content_hash(films.as_bytes())),
        ("segments".to_owned(), content_hash(format!("{segments:?}").as_bytes())),
        ("regions".to_owned(), content_hash(format!("{regions:?}").as_bytes())),
        ("captions".to_owned(), content_hash(format!("{:?}", data.captions).as_bytes())),
    ]);
    Ok((data, inputs))
}

/// The films that a simulated subject sees, training first.
pub(super) fn movies(settings: &SpectatorData) -> Vec<(bool, Movie)> {
    let seed = Seed::new(settings.seed).named("films");
    let shots = [0, 1].map(|end| settings.shot_secs.get(end).copied().unwrap_or(4.0));
    let params = MovieParams { shot_secs: shots, grid_secs: settings.tr_secs, ..MovieParams::default() };
    let film = |number: usize, is_test: bool| {
        let secs = if is_test { settings.test_secs } else { settings.training_secs };
        let own = seed.named(if is_test { "test" } else { "training" }).at(number as u64);
        (is_test, Movie::random(own, secs, &params))
    };
    let training = (0..settings.training).map(|number| film(number, false));
    training.chain((0..settings.test).map(|number| film(number, true))).collect()
}

/// A film as it is shown whole, with everything that is said about its shots.
fn stretch((is_test, movie): &(bool, Movie)) -> Stretch {
    let words = movie.shots().iter().flat_map(|shot| {
        let [start_secs, end_secs] = [shot.start_secs, shot.end_secs];
        shot.captions().into_iter().map(move |text| Words { start_secs, end_secs, text })
    });
    Stretch { is_test: *is_test, secs: movie.n_secs(), words: words.collect() }
}

/// Writes the tree of a simulated subject unless it is there, and says where everything lies.
fn simulated(
    settings: &SpectatorData,
    run: &RunFolder,
    pack: &FilmPack,
    progress: &dyn Progress,
) -> Result<WatchingFiles, PipelineError> {
    let root = run.file(TREE);
    let record = Provenance::new(settings.seed).setting("spectator", settings).input("pack", pack.content.clone());
    run.stage(StageName { name: TREE, revision: REVISION }, record, || {
        run.emptied(TREE)?;
        let movies = movies(settings);
        let drives = drives::made(&pack.pack, &movies, settings.tr_secs, progress)?;
        let params = SpectatorParams {
            subject: settings.subject,
            n_voxels: settings.voxels,
            tr_secs: settings.tr_secs,
            steps_per_tr: drives::STEPS,
            n_training_showings: settings.training_repeats,
            n_test_showings: settings.test_repeats,
            median_ceiling: settings.ceiling as f32,
            noise_memory: settings.noise_memory as f32,
            drift: settings.drift as f32,
            ..SpectatorParams::default()
        };
        let seed = Seed::new(settings.seed);
        let [early, motion, semantic] = drives::mixtures();
        let regions = usual_regions(&early, &motion, &semantic);
        let stretches = movies.iter().map(stretch).collect();
        let spectator = Spectator::new(params, stretches, &drives, &[drives::MOTION], regions, seed)?;
        spectator.write(&root, &|segment, secs| movies[segment].1.frame(secs), progress)?;
        run.files_below(TREE)
    })?;
    Ok(WatchingFiles {
        atlas: Some(root.join(format!("derivatives/regions/subject{0}/subject{0}_regions.nii.gz", settings.subject))),
        captions: Some(root.join("captions.csv")),
        trend_order: settings.trend_order,
        ..WatchingFiles::new(Origin::Cc2017 { root, subject: settings.subject.to_string(), form: None })
    })
}
