//! The shape of the simulated brain: two curved sheets of cortex in a volume, with visual areas laid out on them.
//!
//! Each hemisphere is an ellipsoid; its outer layer is cortex, the inside is white matter. A cortical voxel has a distance
//! from the occipital pole and an angle around the line from back to front. V1, V2 and V3 lie around the calcarine (the
//! medial direction) in bands whose polar angle reverses at each border, hV4 lies below V3v, and the streams follow towards
//! the front. Eccentricity grows with distance from the pole as the cortical magnification of human V1 demands.

use serde::{Deserialize, Serialize};

use super::params::{Error, PhantomParams};

/// Half of the width of the picture in degrees of visual angle, as in NSD (8.4° across).
pub const HALF_WIDTH_DEGREES: f32 = 4.2;
/// Eccentricity at the border of the retinotopic areas, in half-widths of the picture.
const LARGEST_ECCENTRICITY: f32 = 1.3;
/// The eccentricity at which magnification has halved, in half-widths.
const MAGNIFICATION_CONSTANT: f32 = 0.35;
/// Depth of cortex in voxels.
pub(super) const THICKNESS: f32 = 2.9;
/// Edge of a voxel.
pub const VOXEL_MM: f64 = 1.8;

/// Which half of the brain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hemisphere {
    /// Sees the right half of the visual field.
    Left,
    /// Sees the left half.
    Right,
}

impl Hemisphere {
    /// The sign of x on its outer side.
    pub(crate) fn outward(self) -> f32 {
        if self == Self::Right { 1.0 } else { -1.0 }
    }
}

/// What a cortical voxel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// V1, lower bank (upper visual field).
    V1Ventral,
    /// V1, upper bank.
    V1Dorsal,
    /// V2, lower bank.
    V2Ventral,
    /// V2, upper bank.
    V2Dorsal,
    /// V3, lower bank.
    V3Ventral,
    /// V3, upper bank.
    V3Dorsal,
    /// hV4.
    V4,
    /// Between hV4 and the ventral stream.
    Midventral,
    /// Behind the lateral stream.
    Midlateral,
    /// Behind the parietal stream.
    Midparietal,
    /// Ventral stream.
    Ventral,
    /// Lateral stream.
    Lateral,
    /// Parietal stream.
    Parietal,
    /// Cortex in front of `nsdgeneral`, nearly silent.
    Anterior,
}

/// Regions by name, each with its areas.
const REGIONS: [(&str, &[Area]); 11] = [
    ("V1", &[Area::V1Ventral, Area::V1Dorsal]),
    ("V2", &[Area::V2Ventral, Area::V2Dorsal]),
    ("V3", &[Area::V3Ventral, Area::V3Dorsal]),
    ("hV4", &[Area::V4]),
    ("midventral", &[Area::Midventral]),
    ("midlateral", &[Area::Midlateral]),
    ("midparietal", &[Area::Midparietal]),
    ("ventral", &[Area::Ventral]),
    ("lateral", &[Area::Lateral]),
    ("parietal", &[Area::Parietal]),
    ("anterior", &[Area::Anterior]),
];

impl Area {
    /// The areas of the region `name`, such as `V1` (both banks) or `ventral`; `None` if there is none of this name.
    pub fn of_region(name: &str) -> Option<&'static [Self]> {
        REGIONS.iter().find(|(region, _)| *region == name).map(|(_, areas)| *areas)
    }

    /// The names of all regions, from the pole to the front.
    pub fn regions() -> impl Iterator<Item = &'static str> {
        REGIONS.iter().map(|(name, _)| *name)
    }

    /// Label in NSD's `streams` volume.
    pub fn stream(self) -> i16 {
        match self {
            Self::V1Ventral | Self::V1Dorsal | Self::V2Ventral | Self::V2Dorsal | Self::V3Ventral | Self::V3Dorsal => 1,
            Self::V4 | Self::Midventral => 2,
            Self::Midlateral => 3,
            Self::Midparietal => 4,
            Self::Ventral => 5,
            Self::Lateral => 6,
            Self::Parietal => 7,
            Self::Anterior => 0,
        }
    }

    /// Label in NSD's `prf-visualrois` volume.
    pub fn visual_roi(self) -> i16 {
        match self {
            Self::V1Ventral => 1,
            Self::V1Dorsal => 2,
            Self::V2Ventral => 3,
            Self::V2Dorsal => 4,
            Self::V3Ventral => 5,
            Self::V3Dorsal => 6,
            Self::V4 => 7,
            _ => 0,
        }
    }

    /// Label in NSD's `nsdgeneral` volume.
    pub fn nsdgeneral(self) -> i16 {
        i16::from(self != Self::Anterior)
    }
}

/// A round receptive field; the picture reaches from −1 to 1 in both directions, y downwards.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReceptiveField {
    /// Centre, to the right.
    pub x: f32,
    /// Centre, downwards.
    pub y: f32,
    /// Standard deviation of the Gaussian.
    pub sigma: f32,
}

/// A voxel of cortex.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Voxel {
    /// Indices (x, y, z): right, front, top.
    pub index: [usize; 3],
    /// Which half of the brain.
    pub hemisphere: Hemisphere,
    /// Which area.
    pub area: Area,
    /// What it sees, for V1 to hV4.
    pub field: Option<ReceptiveField>,
}

/// The volume and its cortex.
#[derive(Clone, Debug)]
pub struct Cortex {
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Cortical voxels in the order of [`Cortex::offset`].
    pub voxels: Vec<Voxel>,
    /// Offsets of all voxels of the brain (cortex and white matter), ascending.
    pub brain: Vec<usize>,
    /// For each cortical voxel, its position in `brain`.
    pub in_brain: Vec<usize>,
}

/// Position on the sheet: angle from the occipital pole and around the axis, both in radians.
struct Spot {
    index: [usize; 3],
    hemisphere: Hemisphere,
    from_pole: f32,
    around: f32,
}

impl Cortex {
    /// Lays out a brain in the volume.
    ///
    /// # Errors
    /// If the volume has less cortex than `nsdgeneral` should have.
    pub fn new(params: &PhantomParams) -> Result<Self, Error> {
        let shape = params.shape;
        let (mut brain, mut spots) = (Vec::new(), Vec::new());
        for z in 0..shape[2] {
            for y in 0..shape[1] {
                for x in 0..shape[0] {
                    let index = [x, y, z];
                    match locate(shape, index) {
                        Tissue::Outside => {}
                        Tissue::White => brain.push(offset(shape, index)),
                        Tissue::Cortex(spot) => {
                            brain.push(offset(shape, index));
                            spots.push(spot);
                        }
                    }
                }
            }
        }
        if spots.len() < params.n_nsdgeneral {
            return Err(Error::TooFewVoxels { wanted: params.n_nsdgeneral, cortex: spots.len(), shape });
        }
        let share = params.n_nsdgeneral as f32 / spots.len() as f32;
        let depth = relative_depth(&spots);
        let voxels: Vec<Voxel> = spots
            .iter()
            .zip(&depth)
            .map(|(spot, &depth)| {
                let area = area(depth / share, spot.around.to_degrees());
                let field = field(area, depth / share, spot.around.to_degrees(), spot.hemisphere);
                Voxel { index: spot.index, hemisphere: spot.hemisphere, area, field }
            })
            .collect();
        let in_brain =
            voxels.iter().map(|voxel| brain.partition_point(|&other| other < offset(shape, voxel.index))).collect();
        Ok(Self { shape, voxels, brain, in_brain })
    }

    /// Voxels in the volume.
    pub fn n_volume(&self) -> usize {
        self.shape.iter().product()
    }

    /// Position of a voxel when x varies fastest.
    pub fn offset(&self, index: [usize; 3]) -> usize {
        offset(self.shape, index)
    }

    /// Voxel coordinates to millimetres; the centre of the volume is at the origin.
    pub fn affine(&self) -> [[f64; 4]; 4] {
        let mut affine = [[0.0; 4]; 4];
        for (axis, row) in affine.iter_mut().take(3).enumerate() {
            row[axis] = VOXEL_MM;
            row[3] = -VOXEL_MM * (self.shape[axis] as f64 - 1.0) / 2.0;
        }
        affine[3][3] = 1.0;
        affine
    }
}

fn offset(shape: [usize; 3], [x, y, z]: [usize; 3]) -> usize {
    x + shape[0] * (y + shape[1] * z)
}

enum Tissue {
    Outside,
    White,
    Cortex(Spot),
}

/// Middle and radii of a hemisphere's ellipsoid, in voxels.
pub(crate) fn ellipsoid(shape: [usize; 3], hemisphere: Hemisphere) -> ([f32; 3], [f32; 3]) {
    let centre = |axis: usize| (shape[axis] as f32 - 1.0) / 2.0;
    let radius = [shape[0] as f32 / 4.0 - 0.1, shape[1] as f32 / 2.0 - 0.6, shape[2] as f32 / 2.0 - 0.6];
    let middle = [centre(0) + hemisphere.outward() * shape[0] as f32 / 4.0, centre(1), centre(2)];
    (middle, radius)
}

fn locate(shape: [usize; 3], index: [usize; 3]) -> Tissue {
    let right = index[0] as f32 > (shape[0] as f32 - 1.0) / 2.0;
    let hemisphere = if right { Hemisphere::Right } else { Hemisphere::Left };
    let outward = hemisphere.outward();
    let (middle, radius) = ellipsoid(shape, hemisphere);
    let unit: [f32; 3] = std::array::from_fn(|axis| (index[axis] as f32 - middle[axis]) / radius[axis]);
    let length = unit.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 1.0 {
        return Tissue::Outside;
    }
    // First-order distance to the ellipsoid, in voxels.
    let slope = unit.iter().zip(&radius).map(|(value, radius)| (value / radius).powi(2)).sum::<f32>().sqrt();
    if slope == 0.0 || (1.0 - length) * length / slope > THICKNESS {
        return Tissue::White;
    }
    let medial = -outward * unit[0];
    Tissue::Cortex(Spot {
        index,
        hemisphere,
        from_pole: (-unit[1] / length).clamp(-1.0, 1.0).acos(),
        around: unit[2].atan2(medial),
    })
}

/// For each spot, the share of its hemisphere's cortex that is nearer to the pole.
fn relative_depth(spots: &[Spot]) -> Vec<f32> {
    let mut depth = vec![0.0; spots.len()];
    for hemisphere in [Hemisphere::Left, Hemisphere::Right] {
        let mut order: Vec<usize> = (0..spots.len()).filter(|&spot| spots[spot].hemisphere == hemisphere).collect();
        order.sort_by(|&a, &b| spots[a].from_pole.total_cmp(&spots[b].from_pole).then(a.cmp(&b)));
        for (rank, &spot) in order.iter().enumerate() {
            depth[spot] = (rank as f32 + 0.5) / order.len() as f32;
        }
    }
    depth
}

/// Depth at which the retinotopic areas end, as a share of `nsdgeneral`.
const EARLY_DEPTH: f32 = 0.68;
/// Depth at which the intermediate areas end.
const MIDDLE_DEPTH: f32 = 0.76;
/// Borders of V1, V2, V3 and the area beyond, in degrees around the axis from the medial direction.
const BORDERS: [f32; 4] = [44.0, 82.0, 116.0, 150.0];

fn area(depth: f32, around: f32) -> Area {
    let ventral = around < 0.0;
    let pick = |below: Area, above: Area| if ventral { below } else { above };
    let angle = around.abs();
    if depth >= 1.0 {
        Area::Anterior
    } else if depth < EARLY_DEPTH {
        match angle {
            a if a < BORDERS[0] => pick(Area::V1Ventral, Area::V1Dorsal),
            a if a < BORDERS[1] => pick(Area::V2Ventral, Area::V2Dorsal),
            a if a < BORDERS[2] => pick(Area::V3Ventral, Area::V3Dorsal),
            a if a < BORDERS[3] => pick(Area::V4, Area::Midparietal),
            _ => Area::Midlateral,
        }
    } else if angle >= BORDERS[3] {
        Area::Lateral
    } else if depth < MIDDLE_DEPTH {
        pick(Area::Midventral, Area::Midparietal)
    } else {
        pick(Area::Ventral, Area::Parietal)
    }
}

fn field(area: Area, depth: f32, around: f32, hemisphere: Hemisphere) -> Option<ReceptiveField> {
    let angle = around.abs();
    let within = |from: f32, to: f32| (angle - from) / (to - from);
    // Distance from the horizontal meridian, 0 to 1 (vertical meridian), and how receptive fields grow from area to area.
    let (from_horizontal, growth) = match area {
        Area::V1Ventral | Area::V1Dorsal => (within(0.0, BORDERS[0]), 1.0),
        Area::V2Ventral | Area::V2Dorsal => (1.0 - within(BORDERS[0], BORDERS[1]), 1.5),
        Area::V3Ventral | Area::V3Dorsal => (within(BORDERS[1], BORDERS[2]), 2.2),
        // hV4 holds the whole hemifield: from the upper meridian at its border with V3v to the lower one.
        Area::V4 => (2.0 * within(BORDERS[2], BORDERS[3]) - 1.0, 3.5),
        _ => return None,
    };
    let downwards = match area {
        Area::V1Ventral | Area::V2Ventral | Area::V3Ventral => -1.0,
        _ => 1.0,
    };
    let polar = downwards * from_horizontal * std::f32::consts::FRAC_PI_2;
    let eccentricity = eccentricity(depth / EARLY_DEPTH);
    let contralateral = if hemisphere == Hemisphere::Left { 1.0 } else { -1.0 };
    Some(ReceptiveField {
        x: contralateral * eccentricity * polar.cos(),
        y: eccentricity * polar.sin(),
        sigma: growth * (0.06 + 0.1 * eccentricity),
    })
}

/// The eccentricity that the nearest `share` of an area's surface represents, with areal magnification ∝ 1/(e + e0)².
fn eccentricity(share: f32) -> f32 {
    let surface = |e: f32| (1.0 + e / MAGNIFICATION_CONSTANT).ln() - e / (e + MAGNIFICATION_CONSTANT);
    let wanted = share.clamp(0.0, 1.0) * surface(LARGEST_ECCENTRICITY);
    let (mut low, mut high) = (0.0, LARGEST_ECCENTRICITY);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if surface(middle) < wanted { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_brain_has_every_area_and_a_retinotopic_v1() {
        let params = PhantomParams::default();
        let cortex = Cortex::new(&params).expect("the default fits");
        let count = |label: i16| cortex.voxels.iter().filter(|voxel| voxel.area.stream() == label).count();
        for label in 0..=7 {
            assert!(count(label) >= 60, "stream {label} has {} voxels", count(label));
        }
        let n_general = cortex.voxels.iter().filter(|voxel| voxel.area.nsdgeneral() == 1).count();
        assert!(n_general.abs_diff(params.n_nsdgeneral) <= 2, "{n_general}");
        for voxel in &cortex.voxels {
            let Some(field) = voxel.field else { continue };
            assert_eq!(field.x >= 0.0, voxel.hemisphere == Hemisphere::Left, "fields are contralateral");
            match voxel.area {
                Area::V1Ventral | Area::V2Ventral | Area::V3Ventral => {
                    assert!(field.y <= 0.0, "ventral sees the upper field");
                }
                Area::V1Dorsal | Area::V2Dorsal | Area::V3Dorsal => assert!(field.y >= 0.0),
                _ => {}
            }
        }
    }

    #[test]
    fn positions_in_the_brain_are_consistent() {
        let cortex = Cortex::new(&PhantomParams::default()).expect("the default fits");
        for (voxel, &position) in cortex.voxels.iter().zip(&cortex.in_brain) {
            assert_eq!(cortex.brain[position], cortex.offset(voxel.index));
        }
        assert!(cortex.brain.len() > cortex.voxels.len() && cortex.brain.len() < cortex.n_volume());
    }

    #[test]
    fn too_small_a_volume_is_refused() {
        let error = Cortex::new(&PhantomParams { shape: [8, 8, 8], ..PhantomParams::default() });
        assert!(error.expect_err("an 8³ volume has no 3300 voxels").to_string().contains("cortex"));
    }
}
