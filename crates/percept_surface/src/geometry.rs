//! Geometry of a mesh: normals, areas, neighbours, subdivision.
//!
//! Vertices that no triangle uses are never looked at: flattened surfaces hold such points, with coordinates that mean nothing.

use std::collections::BTreeMap;

use percept_core::Mesh;

/// Arithmetic of points.
pub(crate) mod point {
    pub(crate) fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
    }

    pub(crate) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
        a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    }

    pub(crate) fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    }

    pub(crate) fn length(a: [f32; 3]) -> f32 {
        dot(a, a).sqrt()
    }

    /// `a` with length 1; zero stays zero.
    pub(crate) fn unit(a: [f32; 3]) -> [f32; 3] {
        let length = length(a);
        if length > 0.0 { a.map(|value| value / length) } else { a }
    }
}

use point::{cross, length, minus, unit};

/// The unit normal at each vertex: the sum of the normals of its triangles, each weighted by area. Zero where no triangle is.
pub fn normals(mesh: &Mesh) -> Vec<[f32; 3]> {
    let mut sums = vec![[0.0f32; 3]; mesh.n_vertices()];
    for corners in &mesh.triangles {
        let [a, b, c] = corners.map(|corner| mesh.vertices[corner as usize]);
        let normal = cross(minus(b, a), minus(c, a));
        for &corner in corners {
            let sum = &mut sums[corner as usize];
            (0..3).for_each(|axis| sum[axis] += normal[axis]);
        }
    }
    sums.into_iter().map(unit).collect()
}

/// The area of each triangle, in squared units of the coordinates.
pub fn triangle_areas(mesh: &Mesh) -> Vec<f32> {
    let area = |corners: &[u32; 3]| {
        let [a, b, c] = corners.map(|corner| mesh.vertices[corner as usize]);
        0.5 * length(cross(minus(b, a), minus(c, a)))
    };
    mesh.triangles.iter().map(area).collect()
}

/// The area that belongs to each vertex: a third of that of its triangles.
pub fn vertex_areas(mesh: &Mesh) -> Vec<f32> {
    let mut areas = vec![0.0; mesh.n_vertices()];
    for (corners, area) in mesh.triangles.iter().zip(triangle_areas(mesh)) {
        for &corner in corners {
            areas[corner as usize] += area / 3.0;
        }
    }
    areas
}

/// Which vertices are joined by an edge, in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    starts: Vec<usize>,
    all: Vec<u32>,
}

impl Neighbours {
    /// The neighbours in a mesh.
    pub fn new(mesh: &Mesh) -> Self {
        let mut edges: Vec<(u32, u32)> = Vec::with_capacity(6 * mesh.triangles.len());
        for &[a, b, c] in &mesh.triangles {
            edges.extend([(a, b), (b, a), (b, c), (c, b), (c, a), (a, c)]);
        }
        edges.sort_unstable();
        edges.dedup();
        let mut starts = vec![0; mesh.n_vertices() + 1];
        for &(from, _) in &edges {
            starts[from as usize + 1] += 1;
        }
        (0..mesh.n_vertices()).for_each(|vertex| starts[vertex + 1] += starts[vertex]);
        Self { starts, all: edges.into_iter().map(|(_, to)| to).collect() }
    }

    /// The neighbours of `vertex`, ascending.
    pub fn of(&self, vertex: usize) -> &[u32] {
        &self.all[self.starts[vertex]..self.starts[vertex + 1]]
    }

    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.starts.len() - 1
    }
}

/// The mesh with each triangle cut into four by the middles of its edges. The old vertices keep their numbers.
///
/// Also returned: for each new vertex the two old ones between which it lies, so that values can follow.
pub fn subdivide(mesh: &Mesh) -> (Mesh, Vec<[u32; 2]>) {
    let mut vertices = mesh.vertices.clone();
    let mut parents = Vec::new();
    let mut middles: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut middle = |a: u32, b: u32| -> u32 {
        *middles.entry((a.min(b), a.max(b))).or_insert_with(|| {
            let (p, q) = (mesh.vertices[a as usize], mesh.vertices[b as usize]);
            vertices.push([0, 1, 2].map(|axis| 0.5 * (p[axis] + q[axis])));
            parents.push([a.min(b), a.max(b)]);
            vertices.len() as u32 - 1
        })
    };
    let mut triangles = Vec::with_capacity(4 * mesh.triangles.len());
    for &[a, b, c] in &mesh.triangles {
        let (ab, bc, ca) = (middle(a, b), middle(b, c), middle(c, a));
        triangles.extend([[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]);
    }
    (Mesh { vertices, triangles }, parents)
}

/// A sphere of radius 1 made of an octahedron whose triangles were cut into four `n` times: 4·4ⁿ + 2 vertices.
pub fn sphere(n: usize) -> Mesh {
    let axis = |axis: usize, sign: f32| std::array::from_fn(|i| if i == axis { sign } else { 0.0 });
    let vertices = vec![axis(0, 1.0), axis(0, -1.0), axis(1, 1.0), axis(1, -1.0), axis(2, 1.0), axis(2, -1.0)];
    let triangles = vec![[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
    let mut mesh = Mesh { vertices, triangles };
    for _ in 0..n {
        mesh = subdivide(&mesh).0;
        mesh.vertices.iter_mut().for_each(|vertex| *vertex = unit(*vertex));
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sphere_has_its_area_and_outward_normals() {
        let mesh = sphere(5);
        assert_eq!(mesh.n_vertices(), 4 * 4usize.pow(5) + 2);
        let area: f32 = vertex_areas(&mesh).iter().sum();
        assert!((area / (4.0 * std::f32::consts::PI) - 1.0).abs() < 0.01, "{area}");
        let normals = normals(&mesh);
        assert!(mesh.vertices.iter().zip(&normals).all(|(&place, &normal)| point::dot(place, normal) > 0.99));
    }

    #[test]
    fn neighbours_are_mutual_and_subdivision_keeps_old_vertices() {
        let mesh = sphere(2);
        let neighbours = Neighbours::new(&mesh);
        for vertex in 0..mesh.n_vertices() {
            let of = neighbours.of(vertex);
            assert!((4..=6).contains(&of.len()));
            assert!(of.iter().all(|&other| neighbours.of(other as usize).contains(&(vertex as u32))));
        }
        let (finer, parents) = subdivide(&mesh);
        assert_eq!(finer.vertices[..mesh.n_vertices()], mesh.vertices);
        assert_eq!(finer.n_vertices(), mesh.n_vertices() + parents.len());
    }
}
