//! Phantom subjects in a scanner that takes a volume every second while they watch films.
//!
//! The cortex is that of [`crate::phantom`]; its regions follow features of the films that are passed in, second by second. What they
//! follow reaches the images as [`crate::scanner`] says.
//!
//! [`Watcher::write`] writes BIDS as OpenNeuro's ds005531 has it: `sub-S01/func/sub-S01_task-TITLE_run-01_bold.nii.gz` with its sidecar,
//! `derivatives/annotation/TITLE_run-01_LEVEL_each1sec.txt` with a line per second; beside these, events, regions and the truth.

mod tree;

pub use tree::write_annotations;

use ndarray::Array2;
use percept_core::Seed;
use serde::{Deserialize, Serialize};

use crate::phantom::{Cortex, Error, PhantomParams};
use crate::planted::{Drive, Part, PlantedRegion, Sets, assign, hash, normal_weights};
use crate::scanner::{Quality, ScannedVoxel, Scanner, check_subject};
use crate::story::FilmRun;

/// What kind of watcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatcherParams {
    /// Which subject, from 1 on: another brain that sees the same films.
    pub subject: usize,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Voxels that belong to areas; the rest of cortex follows nothing.
    pub n_voxels: usize,
    /// Seconds from one volume to the next.
    pub tr_secs: f64,
    /// Median over voxels of the share of variance that is signal, drift aside.
    pub median_ceiling: f32,
    /// Correlation of noise between neighbouring volumes.
    pub noise_memory: f32,
    /// Share of the noise's variance that all voxels have in common.
    pub common_noise: f32,
    /// Standard deviation of signal and noise together, percent of the level.
    pub percent: f32,
    /// Standard deviation of drifts in units of signal and noise together.
    pub drift: f32,
}

impl Default for WatcherParams {
    fn default() -> Self {
        Self {
            subject: 1,
            shape: [14, 16, 12],
            n_voxels: 700,
            tr_secs: 1.0,
            median_ceiling: 0.4,
            noise_memory: 0.5,
            common_noise: 0.05,
            percent: 1.5,
            drift: 1.0,
        }
    }
}

impl WatcherParams {
    fn check(&self) -> Result<(), Error> {
        check_subject(self.subject)?;
        self.quality().check()
    }

    fn quality(&self) -> Quality {
        Quality {
            tr_secs: self.tr_secs,
            median_ceiling: self.median_ceiling,
            noise_memory: self.noise_memory,
            common_noise: self.common_noise,
            percent: self.percent,
            drift: self.drift,
        }
    }
}

/// A simulated subject that watched films.
pub struct Watcher {
    params: WatcherParams,
    seed: Seed,
    films: Vec<FilmRun>,
    regions: Vec<PlantedRegion>,
    scanner: Scanner,
    /// What the drives hold, for the description of the folder.
    drives_hash: String,
}

impl Watcher {
    /// Simulates a subject. Each drive has one matrix per film run with a row per volume.
    ///
    /// # Errors
    /// Parameters out of range; drives that do not fit the films; what [`assign`] refuses.
    pub fn new(
        params: WatcherParams,
        films: Vec<FilmRun>,
        drives: &[Drive],
        regions: Vec<PlantedRegion>,
        seed: Seed,
    ) -> Result<Self, Error> {
        params.check()?;
        let own = PhantomParams { shape: params.shape, n_nsdgeneral: params.n_voxels, ..PhantomParams::default() };
        let cortex = Cortex::new(&own)?;
        let lengths: Vec<usize> = films.iter().map(|film| n_volumes(film, params.tr_secs)).collect();
        for drive in drives {
            let rows: Vec<usize> = drive.runs.iter().map(Array2::nrows).collect();
            if rows != lengths {
                return Err(Error::Planted {
                    what: format!("drive `{}` has runs of {rows:?} rows, the films {lengths:?} volumes", drive.name),
                    remedy: "give one row per volume of each run",
                });
            }
        }
        let brain = seed.named("brain").at(params.subject as u64);
        let planted = assign(&cortex.voxels, &regions, drives, brain.named("mixtures"))?;
        let weights = &|voxel: usize, drive: &str, n: usize| normal_weights(brain.named("weights"), voxel, drive, n);
        let scanner = Scanner::new(cortex, planted, &Sets { drives, weights }, lengths, params.quality(), brain)?;
        let drives_hash = hash(drives);
        Ok(Self { params, seed, films, regions, scanner, drives_hash })
    }

    /// The films, in the order of their runs.
    pub fn films(&self) -> &[FilmRun] {
        &self.films
    }

    /// The brain's shape.
    pub fn cortex(&self) -> &Cortex {
        &self.scanner.cortex
    }

    /// The regions that were planted.
    pub fn regions(&self) -> &[PlantedRegion] {
        &self.regions
    }

    /// The truth about every voxel of cortex, in the order of [`Cortex::voxels`].
    pub fn voxels(&self) -> &[ScannedVoxel] {
        &self.scanner.voxels
    }

    /// What each drive makes in the images over all runs, in the scanner's units, without level, noise and drifts: what endless data
    /// would show of it.
    pub fn parts(&self) -> Vec<Part> {
        self.scanner.parts()
    }

    /// What the scanner saw in one run (from 0 on): volumes × voxels of cortex, in its units.
    pub fn bold(&self, run: usize) -> Array2<f32> {
        self.scanner.bold(run)
    }
}

/// Volumes that cover a film, `tr_secs` apart.
pub fn n_volumes(film: &FilmRun, tr_secs: f64) -> usize {
    (film.n_secs as f64 / tr_secs).round() as usize
}
