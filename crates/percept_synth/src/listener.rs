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
mod params;
mod schedule;
mod tree;

use percept_core::Seed;
use rayon::prelude::*;

pub use params::ListenerParams;
pub use schedule::{Excerpt, Run, Session};

use crate::phantom::{Cortex, Error, PhantomParams};
use crate::planted::{Drive, Sets};
use crate::scanner::{ScannedVoxel, Scanner};
use crate::tunes::Tune;
pub use auditory::Auditory;
use auditory::Parcel;

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
