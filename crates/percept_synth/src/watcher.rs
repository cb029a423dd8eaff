//! Phantom subjects in a scanner that takes a volume every second while they watch films.
//!
//! The cortex is that of [`crate::phantom`]; its regions follow features of the films that are passed in, second by second. What they
//! follow reaches the images late and smooth (a haemodynamic response), with slow drifts, noise that resembles itself in time, noise
//! that the whole brain shares, and a level of its own in every run. No motion and no physiology are simulated.
//!
//! [`Watcher::write`] writes BIDS as OpenNeuro's ds005531 has it: `sub-S01/func/sub-S01_task-TITLE_run-01_bold.nii.gz` with its sidecar,
//! `derivatives/annotation/TITLE_run-01_LEVEL_each1sec.txt` with a line per second; beside these, events, regions and the truth.

mod tree;

pub use tree::write_annotations;

use ndarray::{Array2, Axis};
use percept_core::Seed;
use percept_core::seed::Normal;
use percept_signal::Hrf;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::phantom::{Cortex, Error, PhantomParams};
use crate::planted::{Drive, Part, PlantedRegion, PlantedVoxel, Signals, assign, hash};
use crate::story::FilmRun;

/// How long the haemodynamic response is followed.
const RESPONSE_SECS: f64 = 32.0;
/// The median share of signal spreads over voxels by this factor (standard deviation of its logarithm).
const CEILING_SPREAD: f32 = 0.35;
/// The largest share of signal of a voxel.
const LARGEST_CEILING: f32 = 0.85;
/// Periods of drifts, seconds.
const DRIFT_SECS: [f64; 3] = [1800.0, 700.0, 300.0];

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
        let refuse = |what, got: String, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        if !(1..=99).contains(&self.subject) {
            return refuse("`subject`", self.subject.to_string(), "1 to 99", "number subjects from 1 on");
        }
        if !(self.tr_secs >= 0.1 && self.tr_secs <= 20.0) {
            return refuse(
                "`tr_secs`",
                self.tr_secs.to_string(),
                "0.1 to 20",
                "films are usually scanned every second",
            );
        }
        for (what, share, most) in [
            ("`median_ceiling`", self.median_ceiling, LARGEST_CEILING),
            ("`noise_memory`", self.noise_memory, 0.99),
            ("`common_noise`", self.common_noise, 1.0),
        ] {
            if !(0.0..=most).contains(&share) {
                return refuse(what, share.to_string(), "a share from 0 on, below 1", "give a share of variance");
            }
        }
        if !(self.percent > 0.0 && self.percent <= 20.0 && (0.0..=10.0).contains(&self.drift)) {
            let got = format!("{} and {}", self.percent, self.drift);
            return refuse("`percent` and `drift`", got, "above 0 to 20, and 0 to 10", "about 1.5 and 1 are usual");
        }
        Ok(())
    }
}

/// What a watcher's voxel is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WatcherVoxel {
    /// What it follows.
    #[serde(flatten)]
    pub planted: PlantedVoxel,
    /// Share of variance that is signal, drift aside: the ceiling of R² for a single showing.
    pub ceiling: f32,
    /// Its level, in the scanner's units.
    pub level: f32,
}

/// A simulated subject that watched films.
pub struct Watcher {
    params: WatcherParams,
    seed: Seed,
    cortex: Cortex,
    films: Vec<FilmRun>,
    regions: Vec<PlantedRegion>,
    voxels: Vec<WatcherVoxel>,
    /// All runs × voxels of cortex, mean 0 and deviation 1.
    signal: Array2<f32>,
    /// What each drive makes of the signal.
    parts: Vec<Part>,
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
        let response = Hrf::SPM
            .sampled(params.tr_secs, RESPONSE_SECS)
            .map_err(|error| Error::Planted { what: error.to_string(), remedy: "choose another `tr_secs`" })?;
        let filter = |series: &mut [f64]| convolve(series, &response);
        let signals = Signals::new(drives, brain.named("weights"), &filter);
        let (signal, parts) = (signals.all(&planted), signals.parts(&planted));
        let mut normal = Normal::new(brain.named("voxels").stream());
        let voxels = planted
            .into_iter()
            .map(|planted| {
                let spread = (CEILING_SPREAD * normal.draw() as f32).exp();
                let level = 8_000.0 * (0.15 * normal.draw() as f32).exp();
                let ceiling = (params.median_ceiling * spread).min(LARGEST_CEILING);
                WatcherVoxel { ceiling: if planted.mixture.is_empty() { 0.0 } else { ceiling }, planted, level }
            })
            .collect();
        let drives_hash = hash(drives);
        Ok(Self { params, seed, cortex, films, regions, voxels, signal, parts, drives_hash })
    }

    /// The films, in the order of their runs.
    pub fn films(&self) -> &[FilmRun] {
        &self.films
    }

    /// The brain's shape.
    pub fn cortex(&self) -> &Cortex {
        &self.cortex
    }

    /// The regions that were planted.
    pub fn regions(&self) -> &[PlantedRegion] {
        &self.regions
    }

    /// The truth about every voxel of cortex, in the order of [`Cortex::voxels`].
    pub fn voxels(&self) -> &[WatcherVoxel] {
        &self.voxels
    }

    /// What each drive makes in the images over all runs, in the scanner's units, without level, noise and drifts: what endless data
    /// would show of it.
    pub fn parts(&self) -> Vec<Part> {
        let in_images = |part: &Part| {
            let mut part = part.clone();
            for (mut column, &number) in part.values.columns_mut().into_iter().zip(&part.voxels) {
                let voxel = &self.voxels[number];
                let scale = voxel.level * self.params.percent / 100.0 * voxel.ceiling.sqrt();
                column.mapv_inplace(|value| scale * value);
            }
            part
        };
        self.parts.iter().map(in_images).collect()
    }

    /// What the scanner saw in one run (from 0 on): volumes × voxels of cortex, in its units.
    pub fn bold(&self, run: usize) -> Array2<f32> {
        let n = n_volumes(&self.films[run], self.params.tr_secs);
        let before: usize = self.films[..run].iter().map(|film| n_volumes(film, self.params.tr_secs)).sum();
        let seed = self.seed.named("brain").at(self.params.subject as u64).named("run").at(run as u64);
        let common = memory(seed.named("common"), n, self.params.noise_memory);
        let mut out = Array2::zeros((n, self.voxels.len()));
        out.axis_iter_mut(Axis(1)).into_par_iter().enumerate().for_each(|(number, mut out)| {
            let voxel = &self.voxels[number];
            let seed = seed.at(number as u64);
            let own = memory(seed.named("noise"), n, self.params.noise_memory);
            let drift = drift(seed.named("drift"), n, self.params.tr_secs);
            let offset = 0.01 * Normal::new(seed.named("offset").stream()).draw() as f32;
            let (signal_share, common_share) = (voxel.ceiling, self.params.common_noise);
            for (sample, out) in out.iter_mut().enumerate() {
                let noise = common_share.sqrt() * common[sample] + (1.0 - common_share).sqrt() * own[sample];
                let value = signal_share.sqrt() * self.signal[(before + sample, number)]
                    + (1.0 - signal_share).sqrt() * noise
                    + self.params.drift * drift[sample];
                *out = voxel.level * (1.0 + offset + self.params.percent / 100.0 * value);
            }
        });
        out
    }
}

/// Volumes that cover a film, `tr_secs` apart.
pub fn n_volumes(film: &FilmRun, tr_secs: f64) -> usize {
    (film.n_secs as f64 / tr_secs).round() as usize
}

/// Causal, in place; what was before the run counts as 0.
fn convolve(series: &mut [f64], response: &[f64]) {
    for sample in (0..series.len()).rev() {
        let past = response.iter().take(sample + 1).enumerate();
        series[sample] = past.map(|(delay, weight)| weight * series[sample - delay]).sum();
    }
}

/// Unit noise whose neighbours correlate by `memory`.
fn memory(seed: Seed, n: usize, memory: f32) -> Vec<f32> {
    let mut normal = Normal::new(seed.stream());
    let fresh = (1.0 - memory * memory).sqrt();
    let mut value = normal.draw() as f32;
    (0..n)
        .map(|_| {
            let now = value;
            value = memory * value + fresh * normal.draw() as f32;
            now
        })
        .collect()
}

/// A few slow waves with deviation 1 in all.
fn drift(seed: Seed, n: usize, tr_secs: f64) -> Vec<f32> {
    let mut normal = Normal::new(seed.stream());
    let waves: Vec<[f64; 2]> = DRIFT_SECS.iter().map(|_| [normal.draw(), normal.draw()]).collect();
    let scale = (DRIFT_SECS.len() as f64).sqrt();
    (0..n)
        .map(|sample| {
            let at = sample as f64 * tr_secs;
            let wave = |(period, [a, b]): (&f64, &[f64; 2])| {
                let angle = std::f64::consts::TAU * at / period;
                a * angle.cos() + b * angle.sin()
            };
            (DRIFT_SECS.iter().zip(&waves).map(wave).sum::<f64>() / scale) as f32
        })
        .collect()
}
