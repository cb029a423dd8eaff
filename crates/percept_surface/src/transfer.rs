//! From one surface to another that was laid on the same sphere: by the nearest vertex, or within the triangle that is hit.
//!
//! Both spheres are brought to radius 1 first. Nearest neighbours suit keys and equal meshes; [`Rule::Triangle`] weighs the three
//! vertices of the triangle around a place by their barycentric coordinates on its plane.

use percept_core::Mesh;
use rayon::prelude::*;

use crate::geometry::point::{cross, dot, minus, unit};
use crate::nearest::Tree;
use crate::weights::Weights;

/// How values are carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The value of the nearest vertex.
    Nearest,
    /// From the corners of the triangle around the place.
    Triangle,
}

/// Weights from the vertices of the sphere `from` to those of the sphere `to`.
pub fn weights(from: &Mesh, to: &Mesh, rule: Rule) -> Weights {
    let source: Vec<[f32; 3]> = from.vertices.iter().map(|&place| unit(place)).collect();
    let tree = Tree::new(&source);
    let triangles_of = triangles_of(from);
    let row = |&place: &[f32; 3]| -> Vec<(u32, f64)> {
        let place = unit(place);
        let Some(nearest) = tree.nearest(place) else { return Vec::new() };
        match rule {
            Rule::Nearest => vec![(nearest, 1.0)],
            Rule::Triangle => in_triangle(from, &source, &triangles_of, nearest, place),
        }
    };
    let rows = to.vertices.par_iter().map(row).collect();
    Weights::from_rows(source.len(), rows)
}

/// Weights that carry over the value of one known vertex each, as NSD's transforms to fsaverage say.
///
/// # Panics
/// If a vertex is not below `n_from`.
pub fn weights_of_vertices(n_from: usize, vertices: &[Option<u32>]) -> Weights {
    let rows = vertices.iter().map(|vertex| vertex.map(|vertex| (vertex, 1.0)).into_iter().collect());
    Weights::from_rows(n_from, rows.collect())
}

fn triangles_of(mesh: &Mesh) -> Vec<Vec<u32>> {
    let mut of = vec![Vec::new(); mesh.n_vertices()];
    for (number, corners) in mesh.triangles.iter().enumerate() {
        for &corner in corners {
            of[corner as usize].push(number as u32);
        }
    }
    of
}

/// The weights of the corners of the triangle that the ray through `place` meets. It lies at the nearest vertex or one step further;
/// if rounding hides it, the triangle that is missed least is taken.
fn in_triangle(mesh: &Mesh, unit: &[[f32; 3]], of: &[Vec<u32>], nearest: u32, place: [f32; 3]) -> Vec<(u32, f64)> {
    // Least weight, number, weights: the triangle whose least weight is greatest holds the place, or misses it least.
    type Found = (f64, u32, [f64; 3]);
    let better = |best: Option<Found>, number: u32| -> Option<Found> {
        let corners = mesh.triangles[number as usize].map(|corner| unit[corner as usize]);
        let Some(weights) = barycentric(corners, place) else { return best };
        let least = weights.iter().copied().fold(f64::INFINITY, f64::min);
        match best {
            Some((most, other, _)) if most > least || (most == least && other < number) => best,
            _ => Some((least, number, weights)),
        }
    };
    let mut best = of[nearest as usize].iter().copied().fold(None, better);
    if best.is_none_or(|(least, ..)| least < 0.0) {
        let mut ring: Vec<u32> = of[nearest as usize]
            .iter()
            .flat_map(|&number| mesh.triangles[number as usize])
            .flat_map(|corner| of[corner as usize].iter().copied())
            .collect();
        ring.sort_unstable();
        ring.dedup();
        best = ring.into_iter().fold(best, better);
    }
    match best {
        None => vec![(nearest, 1.0)],
        Some((_, number, weights)) => {
            mesh.triangles[number as usize].into_iter().zip(weights.map(|weight| weight.max(0.0))).collect()
        }
    }
}

/// Weights of the corners where the ray from the centre through `place` meets their plane; they add up to 1.
fn barycentric(corners: [[f32; 3]; 3], place: [f32; 3]) -> Option<[f64; 3]> {
    let [a, b, c] = corners;
    let volume = |p, q, r| f64::from(dot(p, cross(q, r)));
    let weights = [volume(place, b, c), volume(a, place, c), volume(a, b, place)];
    let sum: f64 = weights.iter().sum();
    let in_front = dot(place, minus(a, [0.0; 3])) > 0.0;
    (in_front && sum.abs() > 1e-12).then(|| weights.map(|weight| weight / sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sphere;

    #[test]
    fn identical_spheres_give_the_identity() {
        let mesh = sphere(3);
        for rule in [Rule::Nearest, Rule::Triangle] {
            let weights = weights(&mesh, &mesh, rule);
            for vertex in 0..mesh.n_vertices() {
                let row: Vec<(usize, f32)> =
                    weights.matrix().row(vertex).filter(|&(_, weight)| weight > 1e-5).collect();
                assert_eq!(row.len(), 1, "{rule:?}");
                assert!(row[0].0 == vertex && (row[0].1 - 1.0).abs() < 1e-5, "{rule:?} {row:?}");
            }
        }
    }

    #[test]
    fn a_smooth_map_survives_the_way_to_a_finer_sphere() {
        let (coarse, fine) = (sphere(4), sphere(5));
        let values: Vec<f32> = coarse.vertices.iter().map(|place| place[2]).collect();
        let there = weights(&coarse, &fine, Rule::Triangle).apply(&values).expect("fits");
        let most = there.iter().zip(&fine.vertices).map(|(value, place)| (value - place[2]).abs()).fold(0.0, f32::max);
        assert!(most < 0.01, "{most}");
    }

    #[test]
    fn known_vertices_are_followed() {
        let weights = weights_of_vertices(3, &[Some(2), None]);
        let values = weights.apply(&[1.0, 2.0, 3.0]).expect("fits");
        assert!(values[0] == 3.0 && values[1].is_nan());
    }
}
