//! What is played when: tracks, excerpts of them, and runs.

use percept_core::Seed;
use percept_core::seed::permutation;
use rand::Rng;
use serde::Serialize;

use super::params::ListenerParams;
use crate::tunes::{Genre, Tune};

/// A file of the audio folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub tune: Tune,
    /// Number within its genre.
    pub number: usize,
}

impl Track {
    /// What it is called, in GTZAN's manner: `waltz.00012`.
    pub(super) fn name(&self) -> String {
        format!("{}.{:05}", self.tune.genre.name(), self.number)
    }
}

/// A part of a track that is played.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Excerpt {
    /// Which track of the listener, from 0 on.
    pub track: usize,
    /// Where it begins in the track, seconds.
    pub start_secs: f64,
}

/// Whether a run is there to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Session {
    /// Every excerpt once.
    Training,
    /// Every excerpt several times.
    Test,
}

/// A run in the scanner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// To learn from, or to be tested on.
    pub session: Session,
    /// Its number among those of its kind, from 1 on.
    pub number: usize,
    /// What is played, one after the other; the first is a dummy.
    pub excerpts: Vec<Excerpt>,
}

/// Tracks and runs. They follow from the seed alone: all subjects hear the same.
pub(super) fn made(params: &ListenerParams, seed: Seed) -> (Vec<Track>, Vec<Run>) {
    let n_genres = Genre::ALL.len();
    let (n_training, n_test) = (params.n_training / n_genres, params.n_test / n_genres);
    let mut tracks = Vec::new();
    let (mut training, mut test) = (Vec::new(), Vec::new());
    for &genre in Genre::ALL {
        let of_genre = seed.named("tunes").named(genre.name());
        let mut numbers = permutation(of_genre.named("numbers"), 100);
        numbers.truncate(n_training + n_test);
        for (place, number) in numbers.into_iter().enumerate() {
            let own = of_genre.at(number as u64);
            let latest = params.track_secs - params.clip_secs;
            // Centiseconds, as in the real events.
            let start_secs = (own.named("start").stream().random::<f64>() * latest * 100.0).floor() / 100.0;
            let excerpt = Excerpt { track: tracks.len(), start_secs };
            if place < n_training {
                training.push(excerpt);
            } else {
                test.push(excerpt);
            }
            tracks.push(Track { tune: Tune::of_genre(genre, own), number });
        }
    }
    let shuffled = |excerpts: &[Excerpt], name: &str| -> Vec<Excerpt> {
        permutation(seed.named(name), excerpts.len()).into_iter().map(|place| excerpts[place]).collect()
    };
    let (training, test) = (shuffled(&training, "training order"), shuffled(&test, "test order"));
    let mut runs = Vec::new();
    let mut before = training.last().copied();
    for (run, chunk) in training.chunks(params.per_training_run).enumerate() {
        let excerpts = before.into_iter().chain(chunk.iter().copied()).collect();
        before = chunk.last().copied();
        runs.push(Run { session: Session::Training, number: run + 1, excerpts });
    }
    for (run, chunk) in test.chunks(params.per_test_run).enumerate() {
        let excerpts = chunk.last().copied().into_iter().chain(chunk.repeat(params.n_repeats)).collect();
        runs.push(Run { session: Session::Test, number: run + 1, excerpts });
    }
    (tracks, runs)
}
