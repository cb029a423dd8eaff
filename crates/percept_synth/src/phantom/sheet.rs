//! The folded sheet of the simulated cortex: surfaces, a flat patch, curvature, thickness, and the region of each vertex.
//!
//! A vertex has a distance from the occipital pole and an angle around the axis, as a voxel has; rings of vertices reach from the pole
//! to the front. White and pial surface run in the ribbon of cortical voxels and are folded a little; the inflated one is smooth. A cap
//! at the front is the medial wall: it belongs to no region and is not in the flat patch, which shows the pole in its middle.

use std::f32::consts::PI;

use percept_core::Mesh;

use super::cortex::{Area, Cortex, Hemisphere, THICKNESS, VOXEL_MM, ellipsoid};

/// Rings of vertices between the two poles.
const N_RINGS: usize = 46;
/// Vertices in a ring.
const N_AROUND: usize = 72;
/// The medial wall begins at this angle from the occipital pole.
const WALL_DEGREES: f32 = 152.0;
/// The flat patch's millimetres for each radian from the pole.
const FLAT_MM: f32 = 24.0;

/// One hemisphere's sheet. All lists have one entry per vertex.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The border of white matter.
    pub white: Mesh,
    /// The outer border of cortex.
    pub pial: Mesh,
    /// Without folds.
    pub inflated: Mesh,
    /// On a sphere of 100 mm.
    pub sphere: Mesh,
    /// Places (x, y) on the flat patch, in millimetres; `None` in the medial wall.
    pub flat: Vec<Option<[f32; 2]>>,
    /// Whether a vertex lies on the border of the patch.
    pub is_border: Vec<bool>,
    /// Positive in furrows.
    pub curvature: Vec<f32>,
    /// In millimetres.
    pub thickness: Vec<f32>,
    /// The area of the nearest cortical voxel; `None` in the medial wall.
    pub area: Vec<Option<Area>>,
}

/// A vertex on the sheet.
struct Spot {
    from_pole: f32,
    around: f32,
}

impl Sheet {
    /// The sheet of a hemisphere of `cortex`.
    pub fn new(cortex: &Cortex, hemisphere: Hemisphere) -> Self {
        let spots = spots();
        let triangles = triangles(hemisphere);
        let (middle, radius) = ellipsoid(cortex.shape, hemisphere);
        let affine = cortex.affine();
        let to_mm = |place: [f32; 3]| {
            [0, 1, 2].map(|axis| (affine[axis][axis] * f64::from(place[axis]) + affine[axis][3]) as f32)
        };
        let at = |spot: &Spot, depth: f32| to_mm(inside(direction(spot, hemisphere), middle, radius, depth));
        let mesh = |place: &dyn Fn(&Spot) -> [f32; 3]| Mesh {
            vertices: spots.iter().map(place).collect(),
            triangles: triangles.clone(),
        };
        let white_depth = |spot: &Spot| THICKNESS * (0.80 + 0.14 * fold(spot));
        let pial_depth = |spot: &Spot| THICKNESS * (0.14 + 0.12 * fold(spot));
        let is_wall = |spot: &Spot| spot.from_pole.to_degrees() > WALL_DEGREES;
        let nearest = |spot: &Spot| {
            let place =
                inside(direction(spot, hemisphere), middle, radius, 0.5 * (white_depth(spot) + pial_depth(spot)));
            let distance =
                |index: [usize; 3]| (0..3).map(|axis| (index[axis] as f32 - place[axis]).powi(2)).sum::<f32>();
            let own = cortex.voxels.iter().filter(|voxel| voxel.hemisphere == hemisphere);
            own.min_by(|a, b| distance(a.index).total_cmp(&distance(b.index))).map(|voxel| voxel.area)
        };
        let flat = |spot: &Spot| {
            let length = FLAT_MM * spot.from_pole;
            // Medial to the right on the left hemisphere, as the reader sees it from behind.
            let across = -hemisphere.outward() * length * spot.around.cos();
            (!is_wall(spot)).then_some([across, length * spot.around.sin()])
        };
        let last = spots.iter().filter(|spot| !is_wall(spot)).map(|spot| spot.from_pole).fold(0.0, f32::max);
        Self {
            white: mesh(&|spot| at(spot, white_depth(spot))),
            pial: mesh(&|spot| at(spot, pial_depth(spot))),
            inflated: mesh(&|spot| {
                to_mm([0, 1, 2].map(|axis| middle[axis] + 1.1 * radius[axis] * direction(spot, hemisphere)[axis]))
            }),
            sphere: mesh(&|spot| direction(spot, hemisphere).map(|value| 100.0 * value)),
            flat: spots.iter().map(flat).collect(),
            is_border: spots.iter().map(|spot| (spot.from_pole - last).abs() < 1e-4).collect(),
            curvature: spots.iter().map(|spot| 0.2 * fold(spot)).collect(),
            thickness: spots.iter().map(|spot| (white_depth(spot) - pial_depth(spot)) * VOXEL_MM as f32).collect(),
            area: spots.iter().map(|spot| if is_wall(spot) { None } else { nearest(spot) }).collect(),
        }
    }

    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.curvature.len()
    }

    /// For each vertex its place in voxels at `share` of the way from the pial surface to white matter; `None` in the medial wall.
    pub fn voxels(&self, cortex: &Cortex, share: f64) -> Vec<Option<[f64; 3]>> {
        let affine = cortex.affine();
        let place = |vertex: usize| {
            let (outer, inner) = (self.pial.vertices[vertex], self.white.vertices[vertex]);
            [0, 1, 2].map(|axis| {
                let mm = f64::from(outer[axis]) * (1.0 - share) + f64::from(inner[axis]) * share;
                (mm - affine[axis][3]) / affine[axis][axis]
            })
        };
        (0..self.n_vertices()).map(|vertex| self.area[vertex].map(|_| place(vertex))).collect()
    }
}

/// The occipital pole, the rings, the front.
fn spots() -> Vec<Spot> {
    let ring = |ring: usize| {
        let from_pole = PI * (ring + 1) as f32 / (N_RINGS + 1) as f32;
        (0..N_AROUND).map(move |j| Spot { from_pole, around: 2.0 * PI * j as f32 / N_AROUND as f32 })
    };
    let first = Spot { from_pole: 0.0, around: 0.0 };
    let last = Spot { from_pole: PI, around: 0.0 };
    std::iter::once(first).chain((0..N_RINGS).flat_map(ring)).chain(std::iter::once(last)).collect()
}

fn triangles(hemisphere: Hemisphere) -> Vec<[u32; 3]> {
    let vertex = |ring: usize, j: usize| (1 + ring * N_AROUND + j % N_AROUND) as u32;
    let last = (1 + N_RINGS * N_AROUND) as u32;
    let mut out = Vec::new();
    for j in 0..N_AROUND {
        out.push([0, vertex(0, j), vertex(0, j + 1)]);
        for ring in 1..N_RINGS {
            let (a, b) = (vertex(ring - 1, j), vertex(ring - 1, j + 1));
            let (c, d) = (vertex(ring, j), vertex(ring, j + 1));
            out.extend([[a, c, d], [a, d, b]]);
        }
        out.push([vertex(N_RINGS - 1, j), last, vertex(N_RINGS - 1, j + 1)]);
    }
    // Around the axis the two halves turn in opposite ways.
    if hemisphere == Hemisphere::Right {
        for corners in &mut out {
            corners.swap(1, 2);
        }
    }
    out
}

/// The unit vector of a spot: −y at the pole, then medial at angle 0 and up at 90°.
fn direction(spot: &Spot, hemisphere: Hemisphere) -> [f32; 3] {
    let (sin, cos) = spot.from_pole.sin_cos();
    [-hemisphere.outward() * sin * spot.around.cos(), -cos, sin * spot.around.sin()]
}

/// The place at `depth` voxels below the surface of the ellipsoid.
fn inside(direction: [f32; 3], middle: [f32; 3], radius: [f32; 3], depth: f32) -> [f32; 3] {
    let slope = [0, 1, 2].map(|axis| direction[axis] / radius[axis]);
    let length = slope.iter().map(|value| value * value).sum::<f32>().sqrt();
    [0, 1, 2].map(|axis| middle[axis] + radius[axis] * direction[axis] - depth * slope[axis] / length)
}

/// How deep a spot lies in the folds, −1 on crowns to 1 in furrows. The calcarine is a furrow.
fn fold(spot: &Spot) -> f32 {
    // Nothing at the poles, where all angles meet.
    let fade = spot.from_pole.sin().powi(2);
    fade * (0.55 * (5.0 * spot.around).cos() + 0.45 * (9.0 * spot.from_pole + 2.0 * (3.0 * spot.around).sin()).sin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::PhantomParams;

    #[test]
    fn the_sheet_lies_in_the_ribbon_and_faces_outwards() {
        let cortex = Cortex::new(&PhantomParams::default()).expect("the default fits");
        for hemisphere in [Hemisphere::Left, Hemisphere::Right] {
            let sheet = Sheet::new(&cortex, hemisphere);
            assert_eq!(sheet.n_vertices(), 2 + N_RINGS * N_AROUND);
            let ribbon: std::collections::BTreeSet<[usize; 3]> =
                cortex.voxels.iter().map(|voxel| voxel.index).collect();
            let placed: Vec<[f64; 3]> = sheet.voxels(&cortex, 0.5).into_iter().flatten().collect();
            let within =
                placed.iter().filter(|place| ribbon.contains(&place.map(|value| value.round() as usize))).count();
            assert!(within as f64 >= 0.97 * placed.len() as f64, "{within} of {}", placed.len());
            let (middle, _) = ellipsoid(cortex.shape, hemisphere);
            let centre = [0, 1, 2].map(|axis| middle[axis] * 1.8 + cortex.affine()[axis][3] as f32);
            for corners in &sheet.white.triangles {
                let [a, b, c] = corners.map(|corner| sheet.white.vertices[corner as usize]);
                let minus = |p: [f32; 3], q: [f32; 3]| [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
                let (u, v, w) = (minus(b, a), minus(c, a), minus(a, centre));
                let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
                assert!((0..3).map(|axis| normal[axis] * w[axis]).sum::<f32>() > 0.0, "{hemisphere:?}");
            }
            assert!(sheet.thickness.iter().all(|&thickness| (2.5..4.5).contains(&thickness)));
            let areas: std::collections::BTreeSet<Area> = sheet.area.iter().flatten().copied().collect();
            assert!(areas.len() >= 13, "{areas:?}");
        }
    }
}
