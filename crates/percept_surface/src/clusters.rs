//! Tables of what stands out: connected patches of cortex above a threshold, and their peaks, with the names of their regions.

use percept_core::Mesh;
use serde::Serialize;

use crate::geometry::{Neighbours, vertex_areas};

/// A connected patch in which all values reach the threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// How many vertices.
    pub n_vertices: usize,
    /// Its area on the mesh that was given, usually the white surface.
    pub area_mm2: f32,
    /// The mean of its values.
    pub mean: f32,
    /// Its highest place.
    pub peak: Peak,
    /// The regions in it with their shares of its vertices, the largest first; vertices without a region are left out.
    pub regions: Vec<(String, f32)>,
}

/// A vertex whose value is above those of all its neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Peak {
    /// Its number, from 0 on.
    pub vertex: usize,
    /// Its value.
    pub value: f32,
    /// Where it lies, in the mesh's coordinates.
    pub place: [f32; 3],
    /// Its region, where there is one.
    pub region: Option<String>,
}

/// The clusters of `values` at or above `threshold`, the largest area first.
///
/// `region` names the region of a vertex.
///
/// # Panics
/// If there is not one value for each vertex.
pub fn clusters(mesh: &Mesh, values: &[f32], threshold: f32, region: &dyn Fn(usize) -> Option<String>) -> Vec<Cluster> {
    assert_eq!(values.len(), mesh.n_vertices(), "one value for each vertex");
    let neighbours = Neighbours::new(mesh);
    let areas = vertex_areas(mesh);
    let mut seen: Vec<bool> = values.iter().map(|&value| value.is_nan() || value < threshold).collect();
    let mut out = Vec::new();
    for start in 0..values.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut members = vec![start];
        let mut next = 0;
        while next < members.len() {
            for &other in neighbours.of(members[next]) {
                if !std::mem::replace(&mut seen[other as usize], true) {
                    members.push(other as usize);
                }
            }
            next += 1;
        }
        members.sort_unstable();
        out.push(cluster(mesh, values, &areas, &members, region));
    }
    out.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2).then(a.peak.vertex.cmp(&b.peak.vertex)));
    out
}

fn cluster(
    mesh: &Mesh,
    values: &[f32],
    areas: &[f32],
    members: &[usize],
    region: &dyn Fn(usize) -> Option<String>,
) -> Cluster {
    let top = members.iter().copied().max_by(|&a, &b| values[a].total_cmp(&values[b]).then(b.cmp(&a))).unwrap_or(0);
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    members.iter().filter_map(|&vertex| region(vertex)).for_each(|name| *counts.entry(name).or_default() += 1);
    let share = |n: usize| n as f32 / members.len() as f32;
    let mut regions: Vec<(String, f32)> = counts.into_iter().map(|(name, n)| (name, share(n))).collect();
    regions.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Cluster {
        n_vertices: members.len(),
        area_mm2: members.iter().map(|&vertex| areas[vertex]).sum(),
        mean: (members.iter().map(|&vertex| f64::from(values[vertex])).sum::<f64>() / members.len() as f64) as f32,
        peak: Peak { vertex: top, value: values[top], place: mesh.vertices[top], region: region(top) },
        regions,
    }
}

/// The vertices at or above `threshold` that are higher than all their neighbours, the highest first. Of a level top the smallest
/// number counts.
///
/// # Panics
/// As [`clusters`].
pub fn peaks(mesh: &Mesh, values: &[f32], threshold: f32, region: &dyn Fn(usize) -> Option<String>) -> Vec<Peak> {
    assert_eq!(values.len(), mesh.n_vertices(), "one value for each vertex");
    let neighbours = Neighbours::new(mesh);
    let is_peak = |vertex: &usize| {
        let own = values[*vertex];
        let lower = |&other: &u32| {
            let value = values[other as usize];
            value.is_nan() || value < own || (value == own && (other as usize) > *vertex)
        };
        own >= threshold && neighbours.of(*vertex).iter().all(lower)
    };
    let peak =
        |vertex: usize| Peak { vertex, value: values[vertex], place: mesh.vertices[vertex], region: region(vertex) };
    let mut out: Vec<Peak> = (0..values.len()).filter(is_peak).map(peak).collect();
    out.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.vertex.cmp(&b.vertex)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sphere;

    #[test]
    fn two_caps_are_two_clusters_with_their_peaks_and_regions() {
        let mesh = sphere(5);
        let values: Vec<f32> =
            mesh.vertices.iter().map(|place| if place[2] > 0.0 { place[2] } else { -0.9 * place[2] }).collect();
        let name = |vertex: usize| Some(if mesh.vertices[vertex][2] > 0.0 { "north" } else { "south" }.to_owned());
        let found = clusters(&mesh, &values, 0.8, &name);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].regions, [("north".to_owned(), 1.0)]);
        assert_eq!((found[0].peak.vertex, found[1].peak.vertex), (4, 5));
        // The area of a cap of height h is 2πh.
        assert!((found[0].area_mm2 / (2.0 * std::f32::consts::PI * 0.2) - 1.0).abs() < 0.05);
        let tops = peaks(&mesh, &values, 0.5, &name);
        assert_eq!(tops.iter().map(|peak| peak.vertex).collect::<Vec<_>>(), [4, 5]);
    }
}
