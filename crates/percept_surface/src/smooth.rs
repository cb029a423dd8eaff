//! Smoothing along the surface: again and again, each vertex takes the mean of itself and its neighbours.
//!
//! So many rounds make about a Gaussian of the width asked for; the formula is FreeSurfer's (`mris_fwhm`). Missing values stay
//! missing and do not count, so nothing leaks out of the medial wall.

use percept_core::Mesh;
use rayon::prelude::*;

use crate::geometry::{Neighbours, vertex_areas};

/// How many rounds make a Gaussian of `fwhm_mm` on `mesh`: `⌊1.14 · 4πσ² / 7A⌋`, where A is the mean area of a vertex.
pub fn rounds(mesh: &Mesh, fwhm_mm: f32) -> usize {
    let used = mesh.used().iter().filter(|used| **used).count().max(1);
    let area = vertex_areas(mesh).iter().map(|&area| f64::from(area)).sum::<f64>() / used as f64;
    if area <= 0.0 {
        return 0;
    }
    let sigma = f64::from(fwhm_mm) / (8.0 * 2f64.ln()).sqrt();
    (1.14 * 4.0 * std::f64::consts::PI * sigma * sigma / (7.0 * area)).floor() as usize
}

/// `values` after `n_rounds` rounds.
///
/// # Panics
/// If there is not one value for each vertex.
pub fn smooth(neighbours: &Neighbours, values: &[f32], n_rounds: usize) -> Vec<f32> {
    assert_eq!(values.len(), neighbours.n_vertices(), "one value for each vertex");
    let mut values = values.to_vec();
    for _ in 0..n_rounds {
        let round = |vertex: usize| {
            let own = values[vertex];
            if own.is_nan() {
                return own;
            }
            let (mut sum, mut n) = (f64::from(own), 1.0);
            for &other in neighbours.of(vertex) {
                let value = values[other as usize];
                if !value.is_nan() {
                    sum += f64::from(value);
                    n += 1.0;
                }
            }
            (sum / n) as f32
        };
        values = (0..values.len()).into_par_iter().map(round).collect();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sphere;

    #[test]
    fn a_constant_stays_and_a_point_becomes_as_wide_as_asked() {
        let mut mesh = sphere(6);
        mesh.vertices.iter_mut().flatten().for_each(|value| *value *= 50.0);
        let neighbours = Neighbours::new(&mesh);
        let n = mesh.n_vertices();
        let mut ones = vec![1.0; n];
        ones[7] = f32::NAN;
        let smoothed = smooth(&neighbours, &ones, 5);
        assert!(smoothed.iter().enumerate().all(|(i, &value)| if i == 7 {
            value.is_nan()
        } else {
            (value - 1.0).abs() < 1e-6
        }));
        // The second moment of a Gaussian on a plane is 2σ². Vertices of this sphere have areas that differ, so several are tried.
        let n_rounds = rounds(&mesh, 10.0);
        let squares: Vec<f32> = (1..13)
            .map(|i| {
                let at = i * n / 13;
                let mut point = vec![0.0; n];
                point[at] = 1.0;
                let smoothed = smooth(&neighbours, &point, n_rounds);
                let (mut moment, mut total) = (0.0, 0.0);
                for (&value, place) in smoothed.iter().zip(&mesh.vertices) {
                    moment += value * (0..3).map(|axis| (place[axis] - mesh.vertices[at][axis]).powi(2)).sum::<f32>();
                    total += value;
                }
                moment / total / 2.0
            })
            .collect();
        let fwhm = (squares.iter().sum::<f32>() / squares.len() as f32 * 8.0 * 2f32.ln()).sqrt();
        assert!((fwhm / 10.0 - 1.0).abs() < 0.15, "{fwhm} mm");
    }
}
