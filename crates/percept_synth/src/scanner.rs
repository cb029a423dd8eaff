//! What all simulated subjects in a scanner share: a signal that reaches the images late and smooth, slow drifts, noise that resembles
//! itself in time, noise that the whole brain shares, and a level of its own in every run. No motion and no physiology are simulated.

use std::path::Path;

use ndarray::{Array2, Array3, Array4, Axis};
use percept_core::Seed;
use percept_core::seed::Normal;
use percept_io::nifti;
use percept_signal::Hrf;
use rayon::prelude::*;
use serde::Serialize;

use crate::phantom::once::{keep, text};
use crate::phantom::{Cortex, Error};
use crate::planted::{Part, PlantedRegion, PlantedVoxel, Sets, Signals};

/// How long the haemodynamic response is followed.
const RESPONSE_SECS: f64 = 32.0;
/// The median share of signal spreads over voxels by this factor (standard deviation of its logarithm).
const CEILING_SPREAD: f32 = 0.35;
/// The largest share of signal of a voxel.
pub(crate) const LARGEST_CEILING: f32 = 0.85;
/// Periods of drifts, seconds.
const DRIFT_SECS: [f64; 3] = [1800.0, 700.0, 300.0];

/// What a voxel in a scanner is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScannedVoxel {
    /// What it follows.
    #[serde(flatten)]
    pub planted: PlantedVoxel,
    /// Share of variance that is signal, drift aside: the ceiling of R² for a single showing.
    pub ceiling: f32,
    /// Its level, in the scanner's units.
    pub level: f32,
}

/// Signal and noise of a scanner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quality {
    /// Seconds from one volume to the next.
    pub(crate) tr_secs: f64,
    /// Median over voxels of the share of variance that is signal, drift aside.
    pub(crate) median_ceiling: f32,
    /// Correlation of noise between neighbouring volumes.
    pub(crate) noise_memory: f32,
    /// Share of the noise's variance that all voxels have in common.
    pub(crate) common_noise: f32,
    /// Standard deviation of signal and noise together, percent of the level.
    pub(crate) percent: f32,
    /// Standard deviation of drifts in units of signal and noise together.
    pub(crate) drift: f32,
}

impl Quality {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |what, got: String, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        if !(self.tr_secs >= 0.1 && self.tr_secs <= 20.0) {
            let got = self.tr_secs.to_string();
            return refuse("`tr_secs`", got, "0.1 to 20", "brains are usually scanned every one or two seconds");
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

/// Refuses a number of a subject that names of files do not hold.
pub(crate) fn check_subject(subject: usize) -> Result<(), Error> {
    if (1..=99).contains(&subject) {
        return Ok(());
    }
    let (got, expected) = (subject.to_string(), "1 to 99");
    Err(Error::Parameter { what: "`subject`", got, expected, remedy: "number subjects from 1 on" })
}

/// A brain in a scanner, for runs of given lengths.
pub(crate) struct Scanner {
    pub(crate) cortex: Cortex,
    pub(crate) voxels: Vec<ScannedVoxel>,
    quality: Quality,
    /// Of this brain.
    seed: Seed,
    /// Volumes of each run.
    lengths: Vec<usize>,
    /// All runs × voxels of cortex, mean 0 and deviation 1.
    signal: Array2<f32>,
    /// What each drive makes of the signal.
    parts: Vec<Part>,
}

impl Scanner {
    /// A brain whose voxels follow `planted`, through a haemodynamic response. `seed` is the brain's.
    pub(crate) fn new(
        cortex: Cortex,
        planted: Vec<PlantedVoxel>,
        sets: &Sets<'_>,
        lengths: Vec<usize>,
        quality: Quality,
        seed: Seed,
    ) -> Result<Self, Error> {
        let response = response(quality.tr_secs)?;
        let filter = |series: &mut [f64]| convolve(series, &response);
        Ok(Self::filtered(cortex, planted, sets, lengths, quality, seed, &filter))
    }

    /// As [`Self::new`], for drives that `filter` takes to the images (nothing, where that is done).
    pub(crate) fn filtered(
        cortex: Cortex,
        planted: Vec<PlantedVoxel>,
        sets: &Sets<'_>,
        lengths: Vec<usize>,
        quality: Quality,
        seed: Seed,
        filter: &(dyn Fn(&mut [f64]) + Sync),
    ) -> Self {
        let signals = Signals::new(sets, filter);
        let (signal, parts) = (signals.all(&planted), signals.parts(&planted));
        let mut normal = Normal::new(seed.named("voxels").stream());
        let voxels = planted
            .into_iter()
            .map(|planted| {
                let spread = (CEILING_SPREAD * normal.draw() as f32).exp();
                let level = 8_000.0 * (0.15 * normal.draw() as f32).exp();
                let ceiling = (quality.median_ceiling * spread).min(LARGEST_CEILING);
                ScannedVoxel { ceiling: if planted.mixture.is_empty() { 0.0 } else { ceiling }, planted, level }
            })
            .collect();
        Self { cortex, voxels, quality, seed, lengths, signal, parts }
    }

    /// What the scanner saw in one run (from 0 on): volumes × voxels of cortex, in its units.
    pub(crate) fn bold(&self, run: usize) -> Array2<f32> {
        self.bold_again(run, 0)
    }

    /// The signal of one run alone, mean 0 and deviation 1 over all runs: volumes × voxels of cortex.
    pub(crate) fn signal_of(&self, run: usize) -> Array2<f32> {
        let before: usize = self.lengths[..run].iter().sum();
        self.signal.slice(ndarray::s![before..before + self.lengths[run], ..]).to_owned()
    }

    /// As [`Self::bold`], when the same run was shown for the time number `showing`, from 0 on: other noise and drifts.
    pub(crate) fn bold_again(&self, run: usize, showing: usize) -> Array2<f32> {
        let n = self.lengths[run];
        let before: usize = self.lengths[..run].iter().sum();
        let first = self.seed.named("run").at(run as u64);
        let seed = if showing == 0 { first } else { first.named("showing").at(showing as u64) };
        let common = memory(seed.named("common"), n, self.quality.noise_memory);
        let mut out = Array2::zeros((n, self.voxels.len()));
        out.axis_iter_mut(Axis(1)).into_par_iter().enumerate().for_each(|(number, mut out)| {
            let voxel = &self.voxels[number];
            let seed = seed.at(number as u64);
            let own = memory(seed.named("noise"), n, self.quality.noise_memory);
            let drift = drift(seed.named("drift"), n, self.quality.tr_secs);
            let offset = 0.01 * Normal::new(seed.named("offset").stream()).draw() as f32;
            let (signal_share, common_share) = (voxel.ceiling, self.quality.common_noise);
            for (sample, out) in out.iter_mut().enumerate() {
                let noise = common_share.sqrt() * common[sample] + (1.0 - common_share).sqrt() * own[sample];
                let value = signal_share.sqrt() * self.signal[(before + sample, number)]
                    + (1.0 - signal_share).sqrt() * noise
                    + self.quality.drift * drift[sample];
                *out = voxel.level * (1.0 + offset + self.quality.percent / 100.0 * value);
            }
        });
        out
    }

    /// What each drive makes in the images over all runs, in the scanner's units, without level, noise and drifts.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let in_images = |part: &Part| {
            let mut part = part.clone();
            for (mut column, &number) in part.values.columns_mut().into_iter().zip(&part.voxels) {
                let voxel = &self.voxels[number];
                let scale = voxel.level * self.quality.percent / 100.0 * voxel.ceiling.sqrt();
                column.mapv_inplace(|value| scale * value);
            }
            part
        };
        self.parts.iter().map(in_images).collect()
    }

    /// What a run (from 0 on) looks like on the disk: volumes (x, y, z, t) with white matter at a level of its own.
    pub(crate) fn volumes(&self, run: usize) -> Array4<i16> {
        self.in_space(self.bold(run))
    }

    /// What a few volumes × voxels of cortex look like on the disk.
    pub(crate) fn in_space(&self, bold: Array2<f32>) -> Array4<i16> {
        let bold = bold.mapv(|value| value.round().clamp(0.0, f32::from(i16::MAX)) as i16);
        let [nx, ny, nz] = self.cortex.shape;
        let mut volumes = Array4::zeros((bold.nrows(), nz, ny, nx));
        for (mut volume, row) in volumes.axis_iter_mut(Axis(0)).zip(bold.rows()) {
            let volume = volume.as_slice_mut().expect("frames of a new array are contiguous");
            for &offset in &self.cortex.brain {
                volume[offset] = 6_000;
            }
            for (voxel, &value) in self.cortex.voxels.iter().zip(row) {
                volume[self.cortex.offset(voxel.index)] = value;
            }
        }
        volumes.reversed_axes()
    }

    /// Writes the labels of `regions` below `root` as `name` has them, from 1 on, with a table of their names; cortex that follows nothing
    /// has 0, the rest `elsewhere`. What is there already is kept.
    pub(crate) fn write_regions(
        &self,
        root: &Path,
        name: &str,
        regions: &[PlantedRegion],
        elsewhere: i16,
    ) -> Result<(), Error> {
        let folder = root.join("derivatives/regions").join(name);
        keep(folder.join(format!("{name}_regions.nii.gz")), |path| {
            let [nx, ny, nz] = self.cortex.shape;
            let mut labels = Array3::<i16>::from_elem((nx, ny, nz), elsewhere);
            for voxel in &self.voxels {
                labels[voxel.planted.index] = voxel.planted.region.map_or(0, |region| region as i16 + 1);
            }
            nifti::write(path, labels.view().insert_axis(Axis(3)), &self.spec("regions"))
        })?;
        text(folder.join(format!("{name}_regions.tsv")), || {
            let rows = regions.iter().enumerate().map(|(number, region)| format!("{}\t{}\n", number + 1, region.name));
            std::iter::once("index\tname\n".to_owned()).chain(rows).collect()
        })
    }

    /// Writes what every voxel follows below `root`. What is there already is kept.
    pub(crate) fn write_truth(&self, root: &Path, name: &str) -> Result<(), Error> {
        let lines =
            serde_json::to_string(&self.voxels).map_err(|error| percept_io::Error::codec("the truth", error))?;
        text(root.join(format!("phantom/{name}_voxels.json")), || lines)
    }

    /// Where the voxels of a file lie, and what it is.
    pub(crate) fn spec(&self, description: &str) -> nifti::Spec {
        nifti::Spec { affine: self.cortex.affine(), description: description.to_owned(), ..nifti::Spec::default() }
    }
}

/// The haemodynamic response, sampled every `step_secs`.
pub(crate) fn response(step_secs: f64) -> Result<Vec<f64>, Error> {
    Hrf::SPM
        .sampled(step_secs, RESPONSE_SECS)
        .map_err(|error| Error::Planted { what: error.to_string(), remedy: "choose another `tr_secs`" })
}

/// Causal, in place; what was before the run counts as 0.
pub(crate) fn convolve(series: &mut [f64], response: &[f64]) {
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
