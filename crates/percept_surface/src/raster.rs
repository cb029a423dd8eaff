//! From triangles to pixels: for each sample of a picture the triangle that is seen there, where in it, and how it is lit.
//!
//! What is found ([`Hits`]) does not depend on colours, so many maps are drawn from one pass. Rows are cut into bands of fixed height
//! that do not depend on the number of threads; of equal depths the triangle with the smaller number is seen.

use percept_core::Mesh;
use rayon::prelude::*;

use crate::geometry::point::dot;
use crate::view::Camera;

/// Rows that one piece of work covers.
const BAND: usize = 16;

/// Where a picture looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// The point (right, up) in the middle of the picture.
    pub centre: [f32; 2],
    /// Samples for each unit of the mesh.
    pub scale: f32,
    /// Columns of samples.
    pub width: usize,
    /// Rows of samples.
    pub height: usize,
}

impl Frame {
    /// (column, row) of a point (right, up) of the plane.
    pub fn place(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            self.width as f32 / 2.0 + (x - self.centre[0]) * self.scale,
            self.height as f32 / 2.0 - (y - self.centre[1]) * self.scale,
        ]
    }
}

/// What is seen at one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The triangle's number.
    pub triangle: u32,
    /// Weights of its first and second corner; the third has the rest.
    pub weights: [f32; 2],
    /// How near it is.
    pub depth: f32,
    /// How much light falls on it, 0 to 1.
    pub light: f32,
}

/// What is seen at all samples, row by row from above.
#[derive(Clone, Debug)]
pub struct Hits {
    /// Where the picture looks.
    pub frame: Frame,
    samples: Vec<Option<Hit>>,
}

impl Hits {
    /// What is seen at a sample.
    pub fn at(&self, column: usize, row: usize) -> Option<&Hit> {
        self.samples.get(row * self.frame.width + column)?.as_ref()
    }

    /// All samples, row by row.
    pub fn samples(&self) -> &[Option<Hit>] {
        &self.samples
    }
}

impl Hit {
    /// The weights of all three corners.
    pub fn all_weights(&self) -> [f32; 3] {
        let [a, b] = self.weights;
        [a, b, 1.0 - a - b]
    }
}

/// A triangle on the plane of the picture.
struct Shape {
    number: u32,
    places: [[f32; 2]; 3],
    depths: [f32; 3],
    lights: [f32; 3],
}

/// What is seen of `mesh`. `normals` light it; without them all is lit fully, as flat maps are.
pub fn hits(mesh: &Mesh, camera: &Camera, frame: Frame, normals: Option<&[[f32; 3]]>) -> Hits {
    let projected: Vec<[f32; 3]> = mesh.vertices.iter().map(|&place| camera.project(place)).collect();
    let light_from = {
        let from = |axis: usize| -(0.25 * camera.right[axis]) + 0.35 * camera.up[axis] + camera.towards[axis];
        crate::geometry::point::unit([from(0), from(1), from(2)])
    };
    let light = |vertex: u32| normals.map_or(1.0, |normals| dot(normals[vertex as usize], light_from).max(0.0));
    let n_bands = frame.height.div_ceil(BAND);
    let mut bands: Vec<Vec<Shape>> = (0..n_bands).map(|_| Vec::new()).collect();
    for (number, corners) in mesh.triangles.iter().enumerate() {
        let points = corners.map(|corner| projected[corner as usize]);
        let places = points.map(|[x, y, _]| frame.place([x, y]));
        if places.iter().flatten().any(|value| !value.is_finite()) {
            continue;
        }
        let low = places.iter().map(|place| place[1]).fold(f32::INFINITY, f32::min);
        let high = places.iter().map(|place| place[1]).fold(f32::NEG_INFINITY, f32::max);
        if high < 0.0 || low >= frame.height as f32 {
            continue;
        }
        let first = (low.max(0.0) as usize) / BAND;
        let last = ((high.max(0.0) as usize) / BAND).min(n_bands - 1);
        for band in &mut bands[first..=last] {
            let depths = points.map(|point| point[2]);
            band.push(Shape { number: number as u32, places, depths, lights: corners.map(light) });
        }
    }
    let mut samples = vec![None; frame.width * frame.height];
    samples.par_chunks_mut(BAND * frame.width).zip(bands.par_iter()).enumerate().for_each(|(i, (band, shapes))| {
        for shape in shapes {
            fill(band, frame.width, (i * BAND) as f32, shape);
        }
    });
    Hits { frame, samples }
}

/// Draws a triangle into a band of rows whose first one is `top`.
fn fill(band: &mut [Option<Hit>], width: usize, top: f32, shape: &Shape) {
    let [a, b, c] = shape.places;
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    if area == 0.0 {
        return;
    }
    let n_rows = band.len() / width;
    let low = |axis: usize| a[axis].min(b[axis]).min(c[axis]);
    let high = |axis: usize| a[axis].max(b[axis]).max(c[axis]);
    let rows = ((low(1) - top - 0.5).ceil().max(0.0) as usize)
        ..=((high(1) - top - 0.5).floor().min(n_rows as f32 - 1.0) as usize);
    let columns =
        ((low(0) - 0.5).ceil().max(0.0) as usize)..=((high(0) - 0.5).floor().min(width as f32 - 1.0) as usize);
    if high(0) < 0.5 || high(1) - top < 0.5 {
        return;
    }
    for row in rows {
        let y = top + row as f32 + 0.5;
        for column in columns.clone() {
            let x = column as f32 + 0.5;
            let wa = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area;
            let wb = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area;
            let wc = 1.0 - wa - wb;
            // A hair of tolerance, so that no gap opens between neighbours.
            if wa < -1e-6 || wb < -1e-6 || wc < -1e-6 {
                continue;
            }
            let mix = |values: [f32; 3]| wa * values[0] + wb * values[1] + wc * values[2];
            let depth = mix(shape.depths);
            let slot = &mut band[row * width + column];
            if slot.as_ref().is_none_or(|seen| depth > seen.depth) {
                *slot = Some(Hit { triangle: shape.number, weights: [wa, wb], depth, light: mix(shape.lights) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{normals, sphere};
    use crate::view::View;
    use percept_core::Side;

    #[test]
    fn a_sphere_is_a_disc_whose_nearer_half_is_seen_on_any_number_of_threads() {
        let mesh = sphere(4);
        let frame = Frame { centre: [0.0; 2], scale: 40.0, width: 100, height: 90 };
        let camera = Camera::new(View::Lateral, Side::Left);
        let normals = normals(&mesh);
        let draw = |n| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("threads");
            pool.install(|| hits(&mesh, &camera, frame, Some(&normals)))
        };
        let (one, two) = (draw(1), draw(2));
        assert_eq!(one.samples(), two.samples());
        let n = one.samples().iter().flatten().count() as f32;
        assert!((n / (std::f32::consts::PI * 1600.0) - 1.0).abs() < 0.01, "{n}");
        assert!(one.samples().iter().flatten().all(|hit| hit.depth >= -0.01));
        assert!(one.at(0, 0).is_none() && one.at(50, 45).is_some_and(|hit| hit.light > 0.8));
    }
}
