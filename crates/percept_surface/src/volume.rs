//! From voxels to vertices: a volume is sampled at several depths between white matter and pia, and the samples are averaged.
//!
//! A depth is a share of the way from the white to the pial surface. Samples outside of the volume do not count. Volumes are numbered as
//! in [`percept_io::nifti`]: `x + X·(y + Y·z)`.
//!
//! # Numerics
//! Equal to nilearn's `vol_to_surf` with an inner mesh (`linear` and `nearest`) within 1e-5 of the range of the values. Trilinear
//! samples in the outer half of the last voxel take its value, where nilearn extrapolates.

use percept_core::Mesh;
use rayon::prelude::*;

use crate::weights::Weights;
use crate::{Error, Result};

/// How a volume is read between the centres of its voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// The nearest voxel: for keys.
    Nearest,
    /// From the eight voxels around: for values.
    Linear,
}

/// The depths that are sampled unless others are asked for.
pub const DEPTHS: [f32; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// A volume: how large it is and where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Voxel coordinates (x, y, z, 1) to the millimetres of the surfaces, row by row.
    pub affine: [[f64; 4]; 4],
}

impl Grid {
    /// The number of voxels.
    pub fn n_voxels(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Weights from the voxels of `grid` to the vertices between `white` and `pial`.
///
/// # Errors
/// If the surfaces have different numbers of vertices, no depth is given, or the affine cannot be inverted.
pub fn weights(grid: &Grid, white: &Mesh, pial: &Mesh, depths: &[f32], sampling: Sampling) -> Result<Weights> {
    if white.n_vertices() != pial.n_vertices() {
        let (expected, got) = (white.n_vertices(), pial.n_vertices());
        let remedy = "use the two surfaces of one hemisphere of one subject";
        return Err(Error::mismatch("the vertices of the pial surface", expected, got, remedy));
    }
    let to_voxel = inverse(&grid.affine).ok_or_else(|| {
        Error::mismatch("the affine", "one that can be inverted", "a singular one", "check the header")
    })?;
    let places = |vertex: usize| -> Vec<Option<[f64; 3]>> {
        let (inner, outer) = (white.vertices[vertex], pial.vertices[vertex]);
        let at = |depth: &f32| {
            let place = [0, 1, 2].map(|axis| f64::from(inner[axis] + depth * (outer[axis] - inner[axis])));
            Some(transform(&to_voxel, place))
        };
        depths.iter().map(at).collect()
    };
    of_places(grid.shape, white.n_vertices(), &places, sampling)
}

/// Weights from places in voxel coordinates that are known already: one list for each depth, as NSD's transforms give them.
///
/// # Errors
/// If no list is given or they differ in length.
pub fn weights_of_places(shape: [usize; 3], depths: &[Vec<Option<[f64; 3]>>], sampling: Sampling) -> Result<Weights> {
    let n = depths.first().map_or(0, Vec::len);
    if let Some(other) = depths.iter().find(|depth| depth.len() != n) {
        let remedy = "use transforms of one hemisphere of one subject";
        return Err(Error::mismatch("the vertices of a depth", n, other.len(), remedy));
    }
    of_places(shape, n, &|vertex| depths.iter().map(|depth| depth[vertex]).collect(), sampling)
}

fn of_places(
    shape: [usize; 3],
    n_vertices: usize,
    places: &(dyn Fn(usize) -> Vec<Option<[f64; 3]>> + Sync),
    sampling: Sampling,
) -> Result<Weights> {
    if n_vertices > 0 && places(0).is_empty() {
        return Err(Error::mismatch("the number of depths", "at least 1", 0, "give a depth such as 0.5"));
    }
    let row = |vertex: usize| {
        let mut row = Vec::new();
        for place in places(vertex).into_iter().flatten() {
            match sampling {
                Sampling::Nearest => nearest(shape, place, &mut row),
                Sampling::Linear => linear(shape, place, &mut row),
            }
        }
        row
    };
    let rows = (0..n_vertices).into_par_iter().map(row).collect();
    Ok(Weights::from_rows(shape.iter().product(), rows))
}

fn nearest(shape: [usize; 3], place: [f64; 3], row: &mut Vec<(u32, f64)>) {
    // NumPy rounds halves to even numbers, and so do we.
    let voxel = place.map(f64::round_ties_even);
    if (0..3).all(|axis| voxel[axis] >= 0.0 && voxel[axis] < shape[axis] as f64) {
        row.push((offset(shape, voxel.map(|value| value as usize)), 1.0));
    }
}

fn linear(shape: [usize; 3], place: [f64; 3], row: &mut Vec<(u32, f64)>) {
    if !(0..3).all(|axis| place[axis] >= 0.0 && place[axis] < shape[axis] as f64) {
        return;
    }
    let low = place.map(|value| value.floor() as usize);
    for corner in 0..8usize {
        let mut weight = 1.0;
        let mut voxel = [0; 3];
        for axis in 0..3 {
            let share = place[axis] - low[axis] as f64;
            let up = corner >> axis & 1;
            weight *= if up == 1 { share } else { 1.0 - share };
            voxel[axis] = (low[axis] + up).min(shape[axis] - 1);
        }
        if weight > 0.0 {
            row.push((offset(shape, voxel), weight));
        }
    }
}

fn offset(shape: [usize; 3], [x, y, z]: [usize; 3]) -> u32 {
    (x + shape[0] * (y + shape[1] * z)) as u32
}

/// `place` under an affine map.
pub fn transform(affine: &[[f64; 4]; 4], place: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|row| (0..3).map(|axis| affine[row][axis] * place[axis]).sum::<f64>() + affine[row][3])
}

/// The inverse of an affine map; `None` if there is none.
pub fn inverse(affine: &[[f64; 4]; 4]) -> Option<[[f64; 4]; 4]> {
    let m = affine;
    let minor = |r: usize, c: usize| {
        let [r1, r2] = [(r + 1) % 3, (r + 2) % 3];
        let [c1, c2] = [(c + 1) % 3, (c + 2) % 3];
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
    if determinant == 0.0 || !determinant.is_finite() {
        return None;
    }
    let mut out = [[0.0; 4]; 4];
    out[3][3] = 1.0;
    for r in 0..3 {
        for c in 0..3 {
            out[r][c] = minor(c, r) / determinant;
        }
    }
    for row in out.iter_mut().take(3) {
        row[3] = -(0..3).map(|c| row[c] * m[c][3]).sum::<f64>();
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sphere;

    fn shells() -> (Grid, Mesh, Mesh) {
        let scaled = |radius: f32| {
            let mut mesh = sphere(3);
            mesh.vertices.iter_mut().flatten().for_each(|value| *value *= radius);
            mesh
        };
        let mut affine = [[0.0; 4]; 4];
        (0..3).for_each(|axis| (affine[axis][axis], affine[axis][3]) = (2.0, -19.0));
        affine[3][3] = 1.0;
        (Grid { shape: [20, 20, 20], affine }, scaled(12.0), scaled(15.0))
    }

    #[test]
    fn rows_add_up_to_one_and_a_constant_stays_constant_even_with_holes() {
        let (grid, white, pial) = shells();
        for sampling in [Sampling::Nearest, Sampling::Linear] {
            let weights = weights(&grid, &white, &pial, &DEPTHS, sampling).expect("fits");
            for vertex in 0..weights.n_vertices() {
                let sum: f32 = weights.matrix().row(vertex).map(|(_, weight)| weight).sum();
                assert!((sum - 1.0).abs() < 1e-6, "{sampling:?} {vertex}: {sum}");
            }
            let ones: Vec<f32> = (0..grid.n_voxels()).map(|i| if i % 20 < 10 { 1.0 } else { f32::NAN }).collect();
            let values = weights.apply(&ones).expect("fits");
            assert!(values.iter().all(|&value| value == 1.0 || value.is_nan()));
            assert!(values.iter().any(|value| value.is_nan()) && values.contains(&1.0));
            let most = weights.apply_most_frequent(&ones).expect("fits");
            assert!(most.iter().zip(&values).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
        }
    }

    #[test]
    fn a_plane_is_sampled_exactly_by_the_linear_rule() {
        let (grid, white, pial) = shells();
        let weights = weights(&grid, &white, &pial, &[0.5], Sampling::Linear).expect("fits");
        let plane: Vec<f32> = (0..grid.n_voxels()).map(|i| (i % 20) as f32 * 2.0 - 19.0).collect();
        let values = weights.apply(&plane).expect("fits");
        for (vertex, value) in values.iter().enumerate() {
            let x = 0.5 * (white.vertices[vertex][0] + pial.vertices[vertex][0]);
            assert!((value - x).abs() < 1e-4, "{value} against {x}");
        }
    }

    #[test]
    fn an_inverse_undoes_and_a_singular_map_has_none() {
        let affine = [[-1.8, 0.1, 0.0, 3.0], [0.0, 0.2, 1.8, -4.0], [0.3, -1.8, 0.0, 5.0], [0.0, 0.0, 0.0, 1.0]];
        let back = inverse(&affine).expect("regular");
        let place = transform(&back, transform(&affine, [1.0, 2.0, 3.0]));
        assert!(place.iter().zip([1.0, 2.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(inverse(&[[0.0; 4]; 4]).is_none());
    }

    #[test]
    fn vertices_outside_stay_empty() {
        let (grid, white, mut pial) = shells();
        pial.vertices.pop();
        assert!(weights(&grid, &white, &pial, &DEPTHS, Sampling::Linear).is_err());
        let places = [vec![None, Some([-3.0, 0.0, 0.0]), Some([1.0, 2.0, 3.0])]];
        let weights = weights_of_places(grid.shape, &places, Sampling::Linear).expect("fits");
        let values = weights.apply(&vec![7.0; grid.n_voxels()]).expect("fits");
        assert!(values[0].is_nan() && values[1].is_nan() && values[2] == 7.0);
    }
}
