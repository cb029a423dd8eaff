//! Voxels that follow given features: the truth that an encoding analysis should find.
//!
//! Features come from anywhere (layers of a network, blocks of a U-Net, levels of annotation); this crate knows no models. A region is
//! a set of areas whose voxels each take one of its mixtures: which features share the variance of the signal, and how. A voxel
//! weighs the standardised columns of its features by normal numbers of its own, so its response lies where these features vary most.

use ndarray::{Array1, Array2, Axis, s};
use percept_core::Seed;
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::phantom::{Area, Error, cortex::Voxel};

/// Voxels worked on together.
const VOXELS_PER_TASK: usize = 64;

/// Features that may drive voxels.
#[derive(Clone, Debug, PartialEq)]
pub struct Drive {
    /// What they are called, in the truth too: a layer, a level, a block.
    pub name: String,
    /// Per run n_samples × n_features; a single one where there are no runs.
    pub runs: Vec<Array2<f32>>,
}

impl Drive {
    /// Features of separate samples.
    pub fn new(name: &str, features: Array2<f32>) -> Self {
        Self { name: name.to_owned(), runs: vec![features] }
    }
}

/// Which drives make a signal, and the share of its variance that each makes while they are not correlated.
pub type Mixture = Vec<(String, f32)>;

/// Areas whose voxels follow features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantedRegion {
    /// What it is called.
    pub name: String,
    /// Its areas.
    pub areas: Vec<Area>,
    /// Each voxel takes one of these, with equal chances.
    pub mixtures: Vec<Mixture>,
}

/// What one voxel follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlantedVoxel {
    /// Indices (x, y, z).
    pub index: [usize; 3],
    /// Number of its region, from 0 on; none for a voxel that follows nothing.
    pub region: Option<usize>,
    /// What it follows.
    pub mixture: Mixture,
}

/// Gives every voxel its region and mixture.
///
/// # Errors
/// [`Error::Planted`] for an area in two regions, a region without mixtures, a drive that is not there, shares that do not sum to 1.
pub fn assign(
    voxels: &[Voxel],
    regions: &[PlantedRegion],
    drives: &[Drive],
    seed: Seed,
) -> Result<Vec<PlantedVoxel>, Error> {
    check(regions, drives)?;
    let of = |(number, voxel): (usize, &Voxel)| {
        let region = regions.iter().position(|region| region.areas.contains(&voxel.area));
        let mixture = region.map_or_else(Vec::new, |region| {
            let mixtures = &regions[region].mixtures;
            let chosen = seed.at(number as u64).stream().random_range(0..mixtures.len() as u64) as usize;
            mixtures[chosen].clone()
        });
        PlantedVoxel { index: voxel.index, region, mixture }
    };
    Ok(voxels.iter().enumerate().map(of).collect())
}

fn check(regions: &[PlantedRegion], drives: &[Drive]) -> Result<(), Error> {
    let wrong = |what: String, remedy| Err(Error::Planted { what, remedy });
    for (number, drive) in drives.iter().enumerate() {
        if drives[..number].iter().any(|other| other.name == drive.name) {
            return wrong(format!("two drives are called `{}`", drive.name), "give each a name of its own");
        }
        let shape = |drive: &Drive| drive.runs.iter().map(Array2::nrows).collect::<Vec<_>>();
        if shape(drive) != shape(&drives[0]) {
            let what = format!(
                "drive `{}` has runs of {:?} samples but `{}` has {:?}",
                drive.name,
                shape(drive),
                drives[0].name,
                shape(&drives[0])
            );
            return wrong(what, "give all drives the same samples");
        }
        let width = drive.runs.first().map_or(0, Array2::ncols);
        if width == 0 || drive.runs.iter().any(|run| run.ncols() != width || run.iter().any(|v| !v.is_finite())) {
            let what = format!("drive `{}` has no columns, other columns in other runs, or NaN", drive.name);
            return wrong(what, "give finite features of one width");
        }
    }
    let mut seen: Vec<Area> = Vec::new();
    for region in regions {
        if region.mixtures.is_empty() {
            return wrong(format!("region `{}` has no mixtures", region.name), "name what drives it");
        }
        for area in &region.areas {
            if seen.contains(area) {
                return wrong(format!("area {area:?} is in two regions"), "put each area into one region");
            }
            seen.push(*area);
        }
        for mixture in &region.mixtures {
            let total: f32 = mixture.iter().map(|(_, share)| share).sum();
            if mixture.iter().any(|(_, share)| share.is_nan() || *share <= 0.0) || (total - 1.0).abs() > 1e-3 {
                let what = format!("shares of a mixture of region `{}` sum to {total}", region.name);
                return wrong(what, "give positive shares that sum to 1");
            }
            if let Some((name, _)) = mixture.iter().find(|(name, _)| drives.iter().all(|drive| drive.name != *name)) {
                let what = format!("region `{}` follows `{name}`, which is no drive", region.name);
                return wrong(what, "name drives that are given");
            }
        }
    }
    Ok(())
}

/// Features, and how a voxel (by its number) weighs the columns of one of them (by its name).
#[derive(Clone, Copy)]
pub(crate) struct Sets<'a> {
    pub drives: &'a [Drive],
    pub weights: &'a (dyn Fn(usize, &str, usize) -> Array1<f32> + Sync),
}

/// `n` normal numbers that are this voxel's for this drive.
pub(crate) fn normal_weights(seed: Seed, voxel: usize, drive: &str, n: usize) -> Array1<f32> {
    Array1::from_vec(seed.named(drive).at(voxel as u64).normal(n))
}

/// What one drive makes of the signals of the voxels that follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The drive's name.
    pub drive: String,
    /// The voxels, by their numbers.
    pub voxels: Vec<usize>,
    /// n_samples of all runs × these voxels. Parts of a voxel sum to its signal.
    pub values: Array2<f32>,
}

/// Drives as signals are made of them.
pub(crate) struct Signals<'a> {
    names: Vec<&'a str>,
    lengths: Vec<usize>,
    standard: Vec<Array2<f32>>,
    weights: &'a (dyn Fn(usize, &str, usize) -> Array1<f32> + Sync),
    filter: &'a (dyn Fn(&mut [f64]) + Sync),
}

impl<'a> Signals<'a> {
    /// `filter` is applied to what each drive makes in each run (a haemodynamic response).
    pub(crate) fn new(sets: &Sets<'a>, filter: &'a (dyn Fn(&mut [f64]) + Sync)) -> Self {
        let Sets { drives, weights } = *sets;
        let first = drives.first().map_or(&[][..], |drive| &drive.runs);
        Self {
            names: drives.iter().map(|drive| drive.name.as_str()).collect(),
            lengths: first.iter().map(Array2::nrows).collect(),
            standard: drives.iter().map(standardised).collect(),
            weights,
            filter,
        }
    }

    fn n_samples(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Signals of all voxels over all runs, of mean 0 and deviation 1 for each voxel that follows something, 0 for others.
    ///
    /// # Shapes
    /// Result n_samples of all runs × voxels.
    pub(crate) fn all(&self, voxels: &[PlantedVoxel]) -> Array2<f32> {
        let mut out = Array2::<f32>::zeros((self.n_samples(), voxels.len()));
        out.axis_chunks_iter_mut(Axis(1), VOXELS_PER_TASK).into_par_iter().enumerate().for_each(|(task, mut out)| {
            for (place, mut out) in out.columns_mut().into_iter().enumerate() {
                let number = task * VOXELS_PER_TASK + place;
                let mut sum = vec![0.0; self.n_samples()];
                for (_, part) in self.of(number, &voxels[number]) {
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
                out.iter_mut().zip(sum).for_each(|(out, value)| *out = value as f32);
            }
        });
        out
    }

    /// What each drive makes of the signals, drives without voxels left out.
    pub(crate) fn parts(&self, voxels: &[PlantedVoxel]) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (drive, name) in self.names.iter().enumerate() {
            let follows = |number: &usize| voxels[*number].mixture.iter().any(|(of, _)| of == name);
            let own: Vec<usize> = (0..voxels.len()).filter(follows).collect();
            let mut values = Array2::zeros((self.n_samples(), own.len()));
            values.axis_iter_mut(Axis(1)).into_par_iter().zip(&own).for_each(|(mut out, &number)| {
                let made = self.of(number, &voxels[number]);
                for (_, part) in made.iter().filter(|(of, _)| *of == drive) {
                    out.iter_mut().zip(part).for_each(|(out, &value)| *out = value as f32);
                }
            });
            if !own.is_empty() {
                parts.push(Part { drive: (*name).to_owned(), voxels: own, values });
            }
        }
        parts
    }

    /// What each drive of a voxel's mixture makes; together they have mean 0 and deviation 1.
    fn of(&self, number: usize, voxel: &PlantedVoxel) -> Vec<(usize, Vec<f64>)> {
        let mut parts = Vec::new();
        let mut sum = vec![0.0; self.n_samples()];
        for (name, share) in &voxel.mixture {
            let Some(drive) = self.names.iter().position(|of| of == name) else { continue };
            let features = &self.standard[drive];
            let weights = (self.weights)(number, name, features.ncols());
            let mut own: Vec<f64> = features.dot(&weights).iter().map(|&value| f64::from(value)).collect();
            let mut start = 0;
            for length in &self.lengths {
                (self.filter)(&mut own[start..start + length]);
                start += length;
            }
            standardise(&mut own);
            for value in &mut own {
                *value *= f64::from(*share).sqrt();
            }
            sum.iter_mut().zip(&own).for_each(|(sum, own)| *sum += own);
            parts.push((drive, own));
        }
        let (mean, deviation) = moments(&sum);
        let scale = if deviation <= 1e-9 * (1.0 + mean.abs()) { 0.0 } else { deviation.recip() };
        // The parts have mean 0 each, and so has their sum.
        for value in parts.iter_mut().flat_map(|(_, part)| part) {
            *value *= scale;
        }
        parts
    }
}

/// All runs in one, each column of mean 0 and deviation 1 (0 where it does not vary).
fn standardised(drive: &Drive) -> Array2<f32> {
    let n: usize = drive.runs.iter().map(Array2::nrows).sum();
    let mut all = Array2::zeros((n, drive.runs.first().map_or(0, Array2::ncols)));
    let mut start = 0;
    for run in &drive.runs {
        all.slice_mut(s![start..start + run.nrows(), ..]).assign(run);
        start += run.nrows();
    }
    for mut column in all.columns_mut() {
        let mut values: Vec<f64> = column.iter().map(|&value: &f32| f64::from(value)).collect();
        standardise(&mut values);
        column.iter_mut().zip(values).for_each(|(out, value)| *out = value as f32);
    }
    all
}

/// A hash of names and numbers.
pub(crate) fn hash(drives: &[Drive]) -> String {
    let mut bytes = Vec::new();
    for drive in drives {
        bytes.extend(drive.name.as_bytes());
        for run in &drive.runs {
            bytes.extend(run.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    percept_core::provenance::content_hash(&bytes)
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
}

fn standardise(values: &mut [f64]) {
    let (mean, deviation) = moments(values);
    let is_constant = deviation <= 1e-9 * (1.0 + mean.abs());
    for value in values {
        *value = if is_constant { 0.0 } else { (*value - mean) / deviation };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(name: &str, n: usize, width: usize) -> Drive {
        let values = Seed::new(8).named(name).normal(n * width);
        Drive::new(name, Array2::from_shape_vec((n, width), values).expect("fits"))
    }

    #[test]
    fn a_mixture_shares_the_variance() {
        let drives = [drive("a", 4000, 5), drive("b", 4000, 7)];
        let voxel = |mixture: Mixture| PlantedVoxel { index: [0; 3], region: Some(0), mixture };
        let voxels = [
            voxel(vec![("a".to_owned(), 0.75), ("b".to_owned(), 0.25)]),
            voxel(vec![("a".to_owned(), 1.0)]),
            PlantedVoxel { index: [1; 3], region: None, mixture: Vec::new() },
        ];
        let weights = &|voxel: usize, drive: &str, n: usize| normal_weights(Seed::new(3), voxel, drive, n);
        let signals = Signals::new(&Sets { drives: &drives, weights }, &|_| {});
        let found = signals.all(&voxels);
        let deviation = |column: usize| found.column(column).mapv(|v| v * v).mean().expect("rows");
        assert!((deviation(0) - 1.0).abs() < 1e-4 && (deviation(1) - 1.0).abs() < 1e-4 && deviation(2) == 0.0);
        // The drive with three quarters of the variance explains as much of it: r² of its own part.
        let own = signals.all(&[voxel(vec![("a".to_owned(), 1.0)])]);
        let r = (&found.column(0) * &own.column(0)).mean().expect("rows");
        assert!((r * r - 0.75).abs() < 0.03, "{r}");
        let parts = signals.parts(&voxels);
        assert_eq!(parts.iter().map(|part| part.voxels.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![0]]);
        let sum = &parts[0].values.column(0) + &parts[1].values.column(0);
        assert!((&sum - &found.column(0)).iter().all(|rest| rest.abs() < 1e-5));
    }

    #[test]
    fn what_cannot_be_planted_is_named() {
        let region =
            |areas: Vec<Area>, mixture: Mixture| PlantedRegion { name: "x".to_owned(), areas, mixtures: vec![mixture] };
        let drives = [drive("a", 10, 2)];
        let fail =
            |regions: &[PlantedRegion]| assign(&[], regions, &drives, Seed::new(1)).expect_err("wrong").to_string();
        assert!(fail(&[region(vec![], vec![("b".to_owned(), 1.0)])]).contains("follows `b`, which is no drive"));
        assert!(fail(&[region(vec![], vec![("a".to_owned(), 0.5)])]).contains("sum to 0.5"));
        let twice = region(vec![Area::V4], vec![("a".to_owned(), 1.0)]);
        assert!(fail(&[twice.clone(), twice]).contains("in two regions"));
    }
}
