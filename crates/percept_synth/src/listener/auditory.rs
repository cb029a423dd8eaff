//! Where a phantom hears: parcels of its cortex, and what voxels in the auditory ones follow.
//!
//! Each hemisphere is divided into 75 parcels of nearly equal size, five from back to front and fifteen around, as many as the atlas of
//! Destrieux has. Those on the outer side below the middle hear, those elsewhere do not:
//!
//! | region | parcels | voxels follow |
//! |---|---|---|
//! | `heschl` | 2 | a band of frequency, from low to high across the region |
//! | `planum` | 2 | a rate of pulses and, less, frequencies |
//! | `stg` | 5 | the instrument, frequencies, rates |
//! | `sts` | 3 | genre, mood, tempo and instrument |
//!
//! The counts are those of one hemisphere.

use ndarray::Array1;
use percept_core::Seed;
use serde::Serialize;

use super::hearing::{N_BANDS, RATES_HZ};
use crate::phantom::Cortex;
use crate::phantom::cortex::{Hemisphere, ellipsoid};
use crate::planted::{Mixture, PlantedVoxel, normal_weights};

/// Parcels of a hemisphere from back to front.
const FROM_BACK: usize = 5;
/// Parcels of a hemisphere around its axis.
const AROUND: usize = 15;
/// Width of the tuning of a voxel, in columns of what it follows.
const TUNING_WIDTH: f32 = 1.6;

/// A region that hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auditory {
    /// Frequencies.
    Heschl,
    /// Rates.
    Planum,
    /// Instruments.
    Stg,
    /// What kind of music.
    Sts,
}

impl Auditory {
    /// Every region, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Heschl, Self::Planum, Self::Stg, Self::Sts];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heschl => "heschl",
            Self::Planum => "planum",
            Self::Stg => "stg",
            Self::Sts => "sts",
        }
    }

    /// The region of a parcel: steps from the back and around from the outermost line downwards.
    fn at(back: usize, around: usize) -> Option<Self> {
        let outermost = around == 0 || around == AROUND - 1;
        match (back, around) {
            (2, _) if outermost => Some(Self::Heschl),
            (1, _) if outermost => Some(Self::Planum),
            (3, _) if outermost => Some(Self::Stg),
            (1..=3, 1) => Some(Self::Stg),
            (1..=3, 2) => Some(Self::Sts),
            _ => None,
        }
    }

    /// What its voxels follow, with shares of the variance.
    fn mixture(self) -> Mixture {
        let shares: &[(&str, f32)] = match self {
            Self::Heschl => &[("bands", 1.0)],
            Self::Planum => &[("rates", 0.7), ("bands", 0.3)],
            Self::Stg => &[("instrument", 0.6), ("bands", 0.25), ("rates", 0.15)],
            Self::Sts => &[("genre", 0.35), ("mood", 0.25), ("tempo", 0.25), ("instrument", 0.15)],
        };
        shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect()
    }
}

/// A parcel of the atlas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parcel {
    /// What it is called: hemisphere, region (or `cortex`) and number, such as `lh.heschl_1`.
    pub name: String,
    /// The region it is part of, if it hears.
    pub region: Option<Auditory>,
}

/// How voxels weigh the columns of what they follow: by the voxel's number, the name, and how many columns there are.
pub(super) type Weights = Box<dyn Fn(usize, &str, usize) -> Array1<f32> + Sync>;

/// Parcels and tuning of a brain.
pub(super) struct Layout {
    pub parcels: Vec<Parcel>,
    /// For each voxel of cortex.
    pub parcel_of_voxel: Vec<usize>,
    pub voxels: Vec<PlantedVoxel>,
    pub weights: Weights,
}

pub(super) fn layout(cortex: &Cortex, seed: Seed) -> Layout {
    let mut parcels = Vec::new();
    let mut counts = std::collections::BTreeMap::new();
    for side in ["lh", "rh"] {
        for back in 0..FROM_BACK {
            for around in 0..AROUND {
                let region = Auditory::at(back, around);
                let word = region.map_or("cortex", Auditory::name);
                let count = counts.entry((side, word)).and_modify(|count| *count += 1).or_insert(1);
                parcels.push(Parcel { name: format!("{side}.{word}_{count}"), region });
            }
        }
    }
    let parcel_of_voxel = parcels_of_voxels(cortex);
    let region_of = |voxel: usize| parcels[parcel_of_voxel[voxel]].region;
    let voxels: Vec<PlantedVoxel> = (0..cortex.voxels.len())
        .map(|voxel| PlantedVoxel {
            index: cortex.voxels[voxel].index,
            region: region_of(voxel).map(|region| region as usize),
            mixture: region_of(voxel).map_or_else(Mixture::new, Auditory::mixture),
        })
        .collect();
    let best = best_columns(cortex, &parcel_of_voxel, &parcels);
    let own = seed.named("weights");
    let weights: Weights = Box::new(move |voxel, drive, n| match (drive, best[voxel]) {
        ("bands", Some((Auditory::Heschl, share))) => tuned(share * (N_BANDS - 1) as f32, n),
        ("rates", Some((Auditory::Planum, share))) => tuned(share * (RATES_HZ.len() - 1) as f32, n),
        _ => normal_weights(own, voxel, drive, n),
    });
    Layout { parcels, parcel_of_voxel, voxels, weights }
}

/// A bell around the column `best`.
fn tuned(best: f32, n: usize) -> Array1<f32> {
    (0..n).map(|column| (-0.5 * ((column as f32 - best) / TUNING_WIDTH).powi(2)).exp()).collect()
}

/// The parcel of every voxel of cortex: by rank from the back, and within that by rank around.
fn parcels_of_voxels(cortex: &Cortex) -> Vec<usize> {
    let mut found = vec![0; cortex.voxels.len()];
    for (side, hemisphere) in [Hemisphere::Left, Hemisphere::Right].into_iter().enumerate() {
        let (middle, radius) = ellipsoid(cortex.shape, hemisphere);
        let unit = |voxel: usize, axis: usize| (cortex.voxels[voxel].index[axis] as f32 - middle[axis]) / radius[axis];
        let mut order: Vec<usize> =
            (0..cortex.voxels.len()).filter(|&voxel| cortex.voxels[voxel].hemisphere == hemisphere).collect();
        order.sort_by(|&a, &b| unit(a, 1).total_cmp(&unit(b, 1)).then(a.cmp(&b)));
        let n = order.len();
        for back in 0..FROM_BACK {
            let mut band = order[back * n / FROM_BACK..(back + 1) * n / FROM_BACK].to_vec();
            // The angle grows from the outermost line downwards and around.
            let around = |voxel: usize| {
                let outward = hemisphere.outward() * unit(voxel, 0);
                let angle = (-unit(voxel, 2)).atan2(outward);
                if angle < -std::f32::consts::PI / AROUND as f32 { angle + std::f32::consts::TAU } else { angle }
            };
            band.sort_by(|&a, &b| around(a).total_cmp(&around(b)).then(a.cmp(&b)));
            let m = band.len();
            for (rank, &voxel) in band.iter().enumerate() {
                found[voxel] = (side * FROM_BACK + back) * AROUND + rank * AROUND / m;
            }
        }
    }
    found
}

/// For every voxel that hears its region, and where it lies in it from back to front (0 to 1).
fn best_columns(cortex: &Cortex, parcel_of_voxel: &[usize], parcels: &[Parcel]) -> Vec<Option<(Auditory, f32)>> {
    let mut found = vec![None; cortex.voxels.len()];
    for hemisphere in [Hemisphere::Left, Hemisphere::Right] {
        for region in Auditory::ALL {
            let mut of: Vec<usize> = (0..cortex.voxels.len())
                .filter(|&voxel| {
                    cortex.voxels[voxel].hemisphere == hemisphere
                        && parcels[parcel_of_voxel[voxel]].region == Some(region)
                })
                .collect();
            of.sort_by_key(|&voxel| (cortex.voxels[voxel].index[1], cortex.voxels[voxel].index[2], voxel));
            let last = of.len().saturating_sub(1).max(1) as f32;
            for (rank, &voxel) in of.iter().enumerate() {
                found[voxel] = Some((region, rank as f32 / last));
            }
        }
    }
    found
}
