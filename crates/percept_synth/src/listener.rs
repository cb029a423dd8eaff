//! Phantom subjects in a scanner that takes a volume every one and a half seconds while they listen to tunes.
//!
//! The schedule is that of OpenNeuro's ds003720: excerpts of tracks follow one another without a gap; every run begins with a dummy, the
//! excerpt that ends the run before (of a test run: the run itself); every test run plays its excerpts several times in one order. The
//! cortex is that of [`crate::phantom`], in which regions on its outer, lower side hear ([`mod@auditory`]); what they follow reaches the
//! images as [`crate::scanner`] says.
//!
//! [`Listener::write`] writes the tree of ds003720, the audio folder (`genres/waltz/waltz.00012.wav`), an atlas, captions and the truth.
//!
//! # References
//! Nakai, Koide-Majima & Nishimoto 2021 (doi:10.1002/brb3.1936), whose design it follows; nothing of their data is here.

pub mod auditory;
mod hearing;
mod schedule;
mod tree;

use percept_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use schedule::{Excerpt, Run, Session};

use crate::phantom::{Cortex, Error, PhantomParams};
use crate::planted::{Drive, Sets};
use crate::scanner::{Quality, ScannedVoxel, Scanner, check_subject};
use crate::tunes::{Genre, Tune};
use auditory::Parcel;
pub use auditory::Auditory;

/// What kind of listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerParams {
    /// Which subject, from 1 on: another brain that hears the same tunes.
    pub subject: usize,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Excerpts to learn from; the same number of every genre.
    pub n_training: usize,
    /// Excerpts to be tested on; the same number of every genre.
    pub n_test: usize,
    /// Different excerpts in a training run.
    pub per_training_run: usize,
    /// Different excerpts in a test run.
    pub per_test_run: usize,
    /// How often a test run plays each.
    pub n_repeats: usize,
    /// Seconds of an excerpt.
    pub clip_secs: f64,
    /// Seconds of a track.
    pub track_secs: f64,
    /// Seconds from one volume to the next.
    pub tr_secs: f64,
    /// Median over voxels that hear of the share of variance that is signal, drift aside.
    pub median_ceiling: f32,
    /// Correlation of noise between neighbouring volumes.
    pub noise_memory: f32,
    /// Standard deviation of drifts in units of signal and noise together.
    pub drift: f32,
}

impl Default for ListenerParams {
    /// The design of ds003720: 480 and 60 excerpts of 15 s in 12 and 6 runs.
    fn default() -> Self {
        Self {
            subject: 1,
            shape: [20, 24, 16],
            n_training: 480,
            n_test: 60,
            per_training_run: 40,
            per_test_run: 10,
            n_repeats: 4,
            clip_secs: 15.0,
            track_secs: 18.0,
            tr_secs: 1.5,
            median_ceiling: 0.3,
            noise_memory: 0.4,
            drift: 1.0,
        }
    }
}

impl ListenerParams {
    fn check(&self) -> Result<(), Error> {
        let refuse = |what, got: String, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        check_subject(self.subject)?;
        self.quality().check()?;
        let n_genres = Genre::ALL.len();
        for (what, n, per_run) in [
            ("`n_training`", self.n_training, self.per_training_run),
            ("`n_test`", self.n_test, self.per_test_run),
        ] {
            if per_run == 0 || n == 0 || !n.is_multiple_of(n_genres) || !n.is_multiple_of(per_run) {
                let expected = "a positive multiple of the number of genres, 10, and of the excerpts in a run";
                return refuse(what, format!("{n} in runs of {per_run}"), expected, "the real set has 480 and 60");
            }
        }
        if self.n_training + self.n_test > 100 * n_genres {
            let got = format!("{} and {}", self.n_training, self.n_test);
            return refuse("`n_training` and `n_test`", got, "at most 1000 together", "a genre has 100 tracks");
        }
        if self.n_training / self.per_training_run > 99 || self.n_test / self.per_test_run > 99 {
            return refuse("excerpts in a run", "over 99 runs".to_owned(), "at most 99 runs", "put more into a run");
        }
        if !(1..=99).contains(&self.n_repeats) {
            return refuse("`n_repeats`", self.n_repeats.to_string(), "1 to 99", "the real set has 4");
        }
        let volumes = self.clip_secs / self.tr_secs;
        if !(2.0..=200.0).contains(&volumes) || (volumes - volumes.round()).abs() > 1e-9 {
            let got = format!("{} s with volumes of {} s", self.clip_secs, self.tr_secs);
            return refuse("`clip_secs`", got, "2 to 200 whole volumes", "excerpts of 15 s hold 10 of 1.5 s");
        }
        if !(self.track_secs >= self.clip_secs && self.track_secs <= self.clip_secs + 600.0) {
            let got = format!("{} s", self.track_secs);
            return refuse("`track_secs`", got, "as long as an excerpt or longer", "the real set has 30 s");
        }
        Ok(())
    }

    fn quality(&self) -> Quality {
        Quality {
            tr_secs: self.tr_secs,
            median_ceiling: self.median_ceiling,
            noise_memory: self.noise_memory,
            common_noise: 0.05,
            percent: 1.5,
            drift: self.drift,
        }
    }

    /// Volumes of one excerpt.
    fn volumes_per_clip(&self) -> usize {
        (self.clip_secs / self.tr_secs).round() as usize
    }
}

/// A simulated subject that listened to tunes.
pub struct Listener {
    params: ListenerParams,
    seed: Seed,
    runs: Vec<Run>,
    tracks: Vec<schedule::Track>,
    parcels: Vec<Parcel>,
    parcel_of_voxel: Vec<usize>,
    scanner: Scanner,
}

impl Listener {
    /// Simulates a subject: every tune is played once, in memory, to know what the brain hears.
    ///
    /// # Errors
    /// Parameters out of range.
    pub fn new(params: ListenerParams, seed: Seed) -> Result<Self, Error> {
        params.check()?;
        let own = PhantomParams { shape: params.shape, n_nsdgeneral: 1, ..PhantomParams::default() };
        let cortex = Cortex::new(&own)?;
        let (tracks, runs) = schedule::made(&params, seed);
        let heard: Vec<hearing::Heard> = runs_of_excerpts(&runs)
            .into_par_iter()
            .map(|excerpt| hearing::heard(&tracks[excerpt.track].tune, excerpt, &params))
            .collect::<Result<_, _>>()?;
        let order = runs_of_excerpts(&runs);
        let drives = drives(&params, &runs, &order, &heard);
        let brain = seed.named("brain").at(params.subject as u64);
        let auditory::Layout { parcels, parcel_of_voxel, voxels, weights } = auditory::layout(&cortex, brain);
        let lengths: Vec<usize> = runs.iter().map(|run| run.excerpts.len() * params.volumes_per_clip()).collect();
        let weigh = &|voxel: usize, drive: &str, n: usize| weights(voxel, drive, n);
        let sets = Sets { drives: &drives, weights: weigh };
        let scanner = Scanner::new(cortex, voxels, &sets, lengths, params.quality(), brain)?;
        Ok(Self { params, seed, runs, tracks, parcels, parcel_of_voxel, scanner })
    }

    /// What was played when.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The tune behind the track of an excerpt.
    pub fn tune(&self, excerpt: &Excerpt) -> &Tune {
        &self.tracks[excerpt.track].tune
    }

    /// The parcels of the atlas.
    pub fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    /// The truth about every voxel of cortex.
    pub fn voxels(&self) -> &[ScannedVoxel] {
        &self.scanner.voxels
    }

    /// What the scanner saw in one run (from 0 on): volumes × voxels of cortex, in its units.
    pub fn bold(&self, run: usize) -> ndarray::Array2<f32> {
        self.scanner.bold(run)
    }
}

/// Every excerpt once, in the order in which they are first played.
fn runs_of_excerpts(runs: &[Run]) -> Vec<&Excerpt> {
    let mut seen: Vec<&Excerpt> = Vec::new();
    for excerpt in runs.iter().flat_map(|run| &run.excerpts) {
        if seen.iter().all(|other| other.track != excerpt.track) {
            seen.push(excerpt);
        }
    }
    seen
}

/// Everything that can be heard, volume by volume of every run.
fn drives(params: &ListenerParams, runs: &[Run], order: &[&Excerpt], heard: &[hearing::Heard]) -> Vec<Drive> {
    let per_clip = params.volumes_per_clip();
    let of_track = |track: usize| order.iter().position(|excerpt| excerpt.track == track).unwrap_or_default();
    hearing::DRIVES
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let of_run = |run: &Run| {
                let width = heard[0].drives[number].ncols();
                let mut rows = ndarray::Array2::zeros((run.excerpts.len() * per_clip, width));
                for (place, excerpt) in run.excerpts.iter().enumerate() {
                    let from = &heard[of_track(excerpt.track)].drives[number];
                    rows.slice_mut(ndarray::s![place * per_clip..(place + 1) * per_clip, ..]).assign(from);
                }
                rows
            };
            Drive { name: (*name).to_owned(), runs: runs.iter().map(of_run).collect() }
        })
        .collect()
}
