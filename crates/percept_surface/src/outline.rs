//! Borders of regions as lines on the picture, and where their names stand.

use percept_core::Mesh;

use crate::raster::Hits;
use crate::view::Camera;

/// A region of a hemisphere to be outlined.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Its name; empty for none.
    pub name: String,
    /// Which vertices belong to it.
    pub inside: Vec<bool>,
}

/// Lines of a border on the picture, in samples, and the place for the name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Each of two points.
    pub strokes: Vec<Vec<[f32; 2]>>,
    /// In the middle of what is seen of the region; `None` if nothing is.
    pub label_at: Option<[f32; 2]>,
}

/// How far behind the surface, as a share of a unit of the mesh, a border may lie to be seen.
const SLACK: f32 = 1.0;

/// The border of `outline` where it is seen: in each triangle with corners on both sides, the line between the middles of its edges.
pub fn draw(mesh: &Mesh, camera: &Camera, hits: &Hits, outline: &Outline) -> Drawn {
    let mut out = Drawn::default();
    let seen = |place: [f32; 3]| -> Option<[f32; 2]> {
        let [x, y, depth] = camera.project(place);
        let at = hits.frame.place([x, y]);
        if !(at[0] >= 0.0 && at[1] >= 0.0) {
            return None;
        }
        let hit = hits.at((at[0] as usize).min(hits.frame.width - 1), (at[1] as usize).min(hits.frame.height - 1))?;
        (depth >= hit.depth - SLACK).then_some(at)
    };
    for corners in &mesh.triangles {
        let [a, b, c] = corners.map(|corner| outline.inside[corner as usize]);
        if a == b && b == c {
            continue;
        }
        let places = corners.map(|corner| mesh.vertices[corner as usize]);
        let middle = |i: usize, j: usize| [0, 1, 2].map(|axis| 0.5 * (places[i][axis] + places[j][axis]));
        let ends = match (a == b, b == c) {
            (true, _) => [middle(0, 2), middle(1, 2)],
            (_, true) => [middle(0, 1), middle(0, 2)],
            _ => [middle(0, 1), middle(1, 2)],
        };
        if let (Some(from), Some(to)) = (seen(ends[0]), seen(ends[1])) {
            out.strokes.push(vec![from, to]);
        }
    }
    out.label_at = label_place(hits, mesh, outline);
    out
}

/// The sample of the region that is nearest to the middle of all its samples, so that the name stands on the region itself.
fn label_place(hits: &Hits, mesh: &Mesh, outline: &Outline) -> Option<[f32; 2]> {
    let width = hits.frame.width;
    let inside = hits.samples().iter().enumerate().filter(|(_, hit)| {
        hit.as_ref().is_some_and(|hit| {
            let inside = mesh.triangles[hit.triangle as usize].map(|corner| outline.inside[corner as usize]);
            inside.iter().filter(|inside| **inside).count() >= 2
        })
    });
    let places: Vec<[f32; 2]> = inside.map(|(i, _)| [(i % width) as f32 + 0.5, (i / width) as f32 + 0.5]).collect();
    if places.is_empty() {
        return None;
    }
    let n = places.len() as f64;
    let mean = [0, 1].map(|axis| (places.iter().map(|place| f64::from(place[axis])).sum::<f64>() / n) as f32);
    let distance = |place: &[f32; 2]| (place[0] - mean[0]).powi(2) + (place[1] - mean[1]).powi(2);
    places.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sphere;
    use crate::raster::{Frame, hits};
    use crate::view::View;
    use percept_core::Side;

    #[test]
    fn the_equator_is_a_line_across_and_its_far_half_is_hidden() {
        let mesh = sphere(5);
        let camera = Camera::new(View::Posterior, Side::Left);
        let hits = hits(&mesh, &camera, Frame { centre: [0.0; 2], scale: 50.0, width: 120, height: 120 }, None);
        let outline =
            Outline { name: "north".to_owned(), inside: mesh.vertices.iter().map(|place| place[2] > 0.0).collect() };
        let drawn = draw(&mesh, &camera, &hits, &outline);
        assert!(drawn.strokes.iter().flatten().all(|point| (point[1] - 60.0).abs() < 4.0));
        let left = drawn.strokes.iter().flatten().map(|point| point[0]).fold(f32::INFINITY, f32::min);
        assert!(left < 13.0, "{left}");
        let [x, y] = drawn.label_at.expect("seen");
        assert!((x - 60.0).abs() < 3.0 && (30.0..50.0).contains(&y), "{x} {y}");
    }
}
