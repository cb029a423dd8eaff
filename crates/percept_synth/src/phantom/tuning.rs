//! What each voxel responds to, and how strongly, in numbers that are written down as the truth.
//!
//! Tuning varies smoothly over the cortex (neighbours prefer similar things) with an independent part for each voxel.

use percept_core::Seed;
use percept_core::seed::Normal;
use rand::Rng;
use serde::Serialize;

use super::attributes::{Kind, N_DIMENSIONS, N_KINDS};
use super::cortex::{Area, Cortex, Hemisphere, ReceptiveField, Voxel};
use super::energy::{N_CHANNELS, N_ORIENTATIONS, N_SCALES, N_SURFACE, SURFACE};

/// The truth about a cortical voxel.
#[derive(Clone, Debug, Serialize)]
pub struct Tuning {
    /// Where it is.
    #[serde(flatten)]
    pub voxel: Voxel,
    /// The part of the picture that it pools; wide outside the retinotopic areas.
    pub pooled: ReceptiveField,
    /// Weights of the picture's channels: energies (scale by scale, four orientations each), luminance on and off, red,
    /// green, blue, yellow, double-opponent red–green and blue–yellow. They sum to 1.
    pub channels: [f32; N_CHANNELS],
    /// Power to which the pooled drive is raised.
    pub exponent: f32,
    /// hV4 only: preferred direction in the plane of red–green and blue–yellow, radians.
    pub hue: f32,
    /// hV4 only: the two orientations whose joint presence it prefers.
    pub corner: [usize; 2],
    /// Share of the signal's variance that comes from the picture; the rest comes from what it shows.
    pub picture_share: f32,
    /// How much each kind of attribute counts (see [`Kind::ALL`]).
    pub shares: [f32; N_KINDS],
    /// The preferred point in the space of each kind.
    pub preferences: [[f32; N_DIMENSIONS]; N_KINDS],
    /// Where the response to attributes begins to rise.
    pub threshold: f32,
    /// Two kinds whose joint preference adds to the response.
    pub conjunction: [Kind; 2],
    /// How much it adds.
    pub conjunction_gain: f32,
    /// Standard deviation of the signal over stimuli, percent signal change.
    pub amplitude: f32,
    /// Mean response, percent signal change.
    pub mean: f32,
    /// Signal-to-noise ratio of a single trial.
    pub ncsnr: f32,
}

/// Median of the ratio of signal to noise by area, before all are scaled to the asked median.
fn typical_ncsnr(area: Area) -> f32 {
    match area {
        Area::V1Ventral | Area::V1Dorsal => 0.74,
        Area::V2Ventral | Area::V2Dorsal => 0.68,
        Area::V3Ventral | Area::V3Dorsal => 0.62,
        Area::V4 => 0.50,
        Area::Midventral | Area::Ventral => 0.38,
        Area::Midlateral | Area::Lateral => 0.36,
        Area::Midparietal | Area::Parietal => 0.28,
        Area::Anterior => 0.07,
    }
}

/// How much each kind of attribute counts in an area, in the order of [`Kind::ALL`].
fn typical_shares(area: Area) -> [f32; N_KINDS] {
    match area {
        Area::Ventral | Area::Midventral | Area::Anterior => [0.38, 0.26, 0.07, 0.06, 0.16, 0.08, 0.28, 0.35, 0.12],
        Area::Lateral | Area::Midlateral => [0.30, 0.06, 0.22, 0.26, 0.10, 0.05, 0.25, 0.30, 0.06],
        Area::Parietal | Area::Midparietal => [0.08, 0.04, 0.28, 0.40, 0.08, 0.05, 0.25, 0.20, 0.06],
        _ => [0.0; N_KINDS],
    }
}

/// The largest ratio a voxel may have, as the best voxels of NSD.
const LARGEST_NCSNR: f32 = 1.25;
/// Share of voxels in `nsdgeneral` with hardly any signal.
const DEAD_SHARE: f64 = 0.05;
/// Wavelength scale of maps on the cortex, in voxels.
const MAP_LENGTH: f32 = 2.4;

/// Random maps over the volume, smooth on the scale [`MAP_LENGTH`], standard normal at each voxel.
struct Maps {
    waves: Vec<[[f32; 4]; Self::N_WAVES]>,
}

impl Maps {
    const N_WAVES: usize = 6;

    fn new(seed: Seed, n_maps: usize) -> Self {
        let mut normal = Normal::new(seed.stream());
        let mut phase = seed.named("phase").stream();
        let waves = (0..n_maps)
            .map(|_| {
                std::array::from_fn(|_| {
                    let mut frequency = || normal.draw() as f32 / MAP_LENGTH;
                    [frequency(), frequency(), frequency(), phase.random_range(0.0..std::f32::consts::TAU)]
                })
            })
            .collect();
        Self { waves }
    }

    fn at(&self, map: usize, index: [usize; 3]) -> f32 {
        let [x, y, z] = index.map(|value| value as f32);
        let sum: f32 =
            self.waves[map].iter().map(|wave| (wave[0] * x + wave[1] * y + wave[2] * z + wave[3]).cos()).sum();
        sum * (2.0 / Self::N_WAVES as f32).sqrt()
    }
}

/// Numbers of the smooth maps.
const PREFERENCE_MAPS: usize = N_KINDS * N_DIMENSIONS;
const ORIENTATION_MAP: usize = PREFERENCE_MAPS;
const NCSNR_MAP: usize = ORIENTATION_MAP + 2;
const SHARE_MAPS: usize = NCSNR_MAP + 1;
const SURFACE_MAPS: usize = SHARE_MAPS + N_KINDS;
const N_MAPS: usize = SURFACE_MAPS + N_SURFACE;

/// Draws the tuning of every cortical voxel; `median_ncsnr` is the median over `nsdgeneral`.
pub(super) fn draw(cortex: &Cortex, seed: Seed, median_ncsnr: f32) -> Vec<Tuning> {
    let maps = Maps::new(seed.named("maps"), N_MAPS);
    let mut tuning: Vec<Tuning> = cortex
        .voxels
        .iter()
        .enumerate()
        .map(|(number, voxel)| draw_voxel(*voxel, &maps, seed.named("voxel").at(number as u64)))
        .collect();
    let inside = |tuning: &Tuning| tuning.voxel.area != Area::Anterior;
    let mut ratios: Vec<f32> = tuning.iter().filter(|tuning| inside(tuning)).map(|tuning| tuning.ncsnr).collect();
    ratios.sort_unstable_by(f32::total_cmp);
    let scale = ratios.get(ratios.len() / 2).map_or(1.0, |median| median_ncsnr / median);
    for tuning in &mut tuning {
        tuning.ncsnr = (tuning.ncsnr * scale).min(LARGEST_NCSNR);
    }
    tuning
}

fn draw_voxel(voxel: Voxel, maps: &Maps, seed: Seed) -> Tuning {
    let mut normal = Normal::new(seed.named("normal").stream());
    let mut stream = seed.named("even").stream();
    let mut draw = || normal.draw() as f32;
    let smooth = |map: usize| maps.at(map, voxel.index);
    // Equal parts of the smooth map and of the voxel's own.
    let mut mixed = |map: usize| (0.5f32).sqrt() * (smooth(map) + draw());

    let preferences: [[f32; N_DIMENSIONS]; N_KINDS] =
        std::array::from_fn(|kind| std::array::from_fn(|dimension| mixed(kind * N_DIMENSIONS + dimension)));
    let typical = typical_shares(voxel.area);
    let shares: [f32; N_KINDS] = std::array::from_fn(|kind| typical[kind] * (0.6 * mixed(SHARE_MAPS + kind)).exp());

    let contralateral = if voxel.hemisphere == Hemisphere::Left { 1.0 } else { -1.0 };
    let pooled = match voxel.field {
        Some(field) => ReceptiveField {
            x: field.x + 0.25 * field.sigma * mixed(ORIENTATION_MAP),
            y: field.y + 0.25 * field.sigma * mixed(ORIENTATION_MAP + 1),
            sigma: field.sigma * stream.random_range(0.85f32..1.15),
        },
        None => ReceptiveField {
            x: contralateral * 0.3 + 0.3 * mixed(ORIENTATION_MAP),
            y: 0.3 * mixed(ORIENTATION_MAP + 1),
            sigma: stream.random_range(0.45f32..0.7),
        },
    };
    let outside = pooled.x.abs() > 1.05 || pooled.y.abs() > 1.05;

    // Twice the preferred orientation is the direction of a smooth vector field: pinwheels.
    let orientation = 0.5 * smooth(ORIENTATION_MAP).atan2(smooth(ORIENTATION_MAP + 1));
    let eccentricity = voxel.field.map_or(0.6, |field| field.x.hypot(field.y));
    let octave = (0.2 + 1.2 * eccentricity + stream.random_range(-0.5f32..0.5)).clamp(0.0, N_SCALES as f32 - 1.0);
    let energy_share = stream.random_range(0.2f32..0.55);
    let mut channels = [0.0; N_CHANNELS];
    for scale in 0..N_SCALES {
        for direction in 0..N_ORIENTATIONS {
            let angle = std::f32::consts::PI * direction as f32 / N_ORIENTATIONS as f32;
            let frequency = -0.5 * ((scale as f32 - octave) / 0.7).powi(2);
            channels[scale * N_ORIENTATIONS + direction] =
                (1.2 * (2.0 * (angle - orientation)).cos() + frequency).exp();
        }
    }
    for surface in 0..N_SURFACE {
        channels[SURFACE + surface] = (1.3 * mixed(SURFACE_MAPS + surface)).exp();
    }
    let (energies, surfaces) = channels.split_at_mut(SURFACE);
    let sums = (energies.iter().sum::<f32>(), surfaces.iter().sum::<f32>());
    for weight in energies {
        *weight *= energy_share / sums.0;
    }
    for weight in surfaces {
        *weight *= (1.0 - energy_share) / sums.1;
    }

    let exponent = match voxel.area {
        Area::V1Ventral | Area::V1Dorsal => 0.62,
        Area::V2Ventral | Area::V2Dorsal => 0.54,
        Area::V3Ventral | Area::V3Dorsal => 0.48,
        _ => 0.45,
    };
    let picture_share = match voxel.area.visual_roi() {
        0 => stream.random_range(0.05f32..0.25),
        _ => 1.0,
    };
    let corner = [stream.random_range(0..N_ORIENTATIONS as u32) as usize, stream.random_range(0..3u32) as usize];
    let kinds = [Kind::Object, Kind::Color, Kind::Background, Kind::Place, Kind::Size, Kind::Time];
    let first = stream.random_range(0..kinds.len() as u32) as usize;
    let second = (first + 1 + stream.random_range(0..kinds.len() as u32 - 1) as usize) % kinds.len();

    let mut ncsnr = typical_ncsnr(voxel.area) * (0.4 * mixed(NCSNR_MAP)).exp();
    if outside {
        ncsnr *= 0.45;
    }
    if voxel.area != Area::Anterior && stream.random_bool(DEAD_SHARE) {
        ncsnr *= 0.1;
    }
    Tuning {
        voxel,
        pooled,
        channels,
        exponent,
        hue: stream.random_range(0.0..std::f32::consts::TAU),
        // The second orientation differs from the first.
        corner: [corner[0], (corner[0] + 1 + corner[1]) % N_ORIENTATIONS],
        picture_share,
        shares,
        preferences,
        threshold: stream.random_range(-0.3f32..1.1),
        conjunction: [kinds[first], kinds[second]],
        conjunction_gain: stream.random_range(0.2f32..1.2),
        amplitude: 0.6 * (0.35 * mixed(NCSNR_MAP)).exp(),
        mean: 0.8 + 0.6 * draw(),
        ncsnr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::PhantomParams;

    #[test]
    fn ratios_have_the_asked_median_and_nsd_like_spread() {
        let cortex = Cortex::new(&PhantomParams::default()).expect("the default fits");
        let tuning = draw(&cortex, Seed::new(2), 0.45);
        let general = tuning.iter().filter(|tuning| tuning.voxel.area != Area::Anterior);
        let mut ratios: Vec<f32> = general.map(|tuning| tuning.ncsnr).collect();
        ratios.sort_unstable_by(f32::total_cmp);
        assert!((ratios[ratios.len() / 2] - 0.45).abs() < 0.01);
        assert!(ratios[ratios.len() / 50] < 0.1 && ratios[ratios.len() - 1] > 1.0, "{:?}", ratios.last());
    }

    #[test]
    fn neighbours_prefer_similar_things() {
        let cortex = Cortex::new(&PhantomParams::default()).expect("the default fits");
        let tuning = draw(&cortex, Seed::new(2), 0.45);
        let (mut near, mut far) = ((0.0, 0), (0.0, 0));
        for (number, a) in tuning.iter().enumerate().step_by(7) {
            for b in &tuning[number + 1..] {
                let apart: usize = (0..3).map(|axis| a.voxel.index[axis].abs_diff(b.voxel.index[axis])).sum();
                let product = a.preferences[0][0] * b.preferences[0][0];
                let sum = match apart {
                    1 => &mut near,
                    12.. => &mut far,
                    _ => continue,
                };
                *sum = (sum.0 + product, sum.1 + 1);
            }
        }
        let (near, far) = (near.0 / near.1 as f32, far.0 / far.1 as f32);
        assert!(near > 0.3 && far.abs() < 0.1, "near {near}, far {far}");
    }
}
