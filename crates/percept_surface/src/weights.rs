//! Sparse matrices from values (of voxels, or of vertices) to vertices, which know missing values.
//!
//! Each row holds the weights of one vertex; they add up to 1, or there are none and the vertex stays empty. A value that is NaN does
//! not count: the others of its row share its weight. So a volume of ones with holes gives 1 and NaN, nothing between.

use percept_io::mapper::Sparse;
use rayon::prelude::*;

use crate::{Error, Result};

/// Weights of sources for each vertex.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    matrix: Sparse,
}

impl Weights {
    /// Weights from rows of (source, weight), each made to add up to 1. Weights of 0 are left out; sources that occur twice are added.
    ///
    /// # Panics
    /// If a source is not below `n_sources`.
    pub fn from_rows(n_sources: usize, rows: Vec<Vec<(u32, f64)>>) -> Self {
        let tidy = |mut row: Vec<(u32, f64)>| -> Vec<(u32, f32)> {
            row.sort_by_key(|&(source, _)| source);
            let mut merged: Vec<(u32, f64)> = Vec::with_capacity(row.len());
            for (source, weight) in row.into_iter().filter(|&(_, weight)| weight > 0.0) {
                match merged.last_mut() {
                    Some((last, sum)) if *last == source => *sum += weight,
                    _ => merged.push((source, weight)),
                }
            }
            let sum: f64 = merged.iter().map(|(_, weight)| weight).sum();
            merged.into_iter().map(|(source, weight)| (source, (weight / sum) as f32)).collect()
        };
        let rows: Vec<Vec<(u32, f32)>> = rows.into_par_iter().map(tidy).collect();
        Self { matrix: Sparse::from_rows(n_sources, rows) }
    }

    /// Weights that someone else made, such as those of a mapper file; rows that do not add up to 1 are used as they are.
    pub fn from_matrix(matrix: Sparse) -> Self {
        Self { matrix }
    }

    /// The matrix: vertices × sources.
    pub fn matrix(&self) -> &Sparse {
        &self.matrix
    }

    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.matrix.shape[0]
    }

    /// The number of sources.
    pub fn n_sources(&self) -> usize {
        self.matrix.shape[1]
    }

    /// The value at each vertex: the weighted mean of the sources that are not NaN; NaN where there is none.
    ///
    /// # Errors
    /// If there are not as many values as sources.
    pub fn apply(&self, values: &[f32]) -> Result<Vec<f32>> {
        self.check(values.len())?;
        let mean = |vertex: usize| {
            let (mut sum, mut total) = (0.0f64, 0.0f64);
            for (source, weight) in self.matrix.row(vertex) {
                let value = values[source];
                if !value.is_nan() {
                    sum += f64::from(value) * f64::from(weight);
                    total += f64::from(weight);
                }
            }
            if total > 0.0 { (sum / total) as f32 } else { f32::NAN }
        };
        Ok((0..self.n_vertices()).into_par_iter().map(mean).collect())
    }

    /// The most frequent value at each vertex by weight, for keys of regions or best layers: keys are not averaged. Of equal
    /// weights the smaller value wins.
    ///
    /// # Errors
    /// As [`Weights::apply`].
    pub fn apply_most_frequent(&self, values: &[f32]) -> Result<Vec<f32>> {
        self.check(values.len())?;
        let most = |vertex: usize| {
            let mut sums: Vec<(f32, f32)> = Vec::new();
            for (source, weight) in self.matrix.row(vertex) {
                let value = values[source];
                if value.is_nan() {
                    continue;
                }
                match sums.iter_mut().find(|(other, _)| *other == value) {
                    Some((_, sum)) => *sum += weight,
                    None => sums.push((value, weight)),
                }
            }
            sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.total_cmp(&b.0)));
            sums.first().map_or(f32::NAN, |&(value, _)| value)
        };
        Ok((0..self.n_vertices()).into_par_iter().map(most).collect())
    }

    /// The same weights with the rows of vertices that `keep` denies emptied, such as those of the medial wall.
    ///
    /// # Panics
    /// If `keep` has another length than there are vertices.
    pub fn only(&self, keep: &[bool]) -> Self {
        assert_eq!(keep.len(), self.n_vertices(), "one answer for each vertex");
        let row = |vertex: usize| -> Vec<(u32, f32)> {
            if keep[vertex] { self.matrix.row(vertex).map(|(s, w)| (s as u32, w)).collect() } else { Vec::new() }
        };
        Self { matrix: Sparse::from_rows(self.n_sources(), (0..self.n_vertices()).map(row)) }
    }

    fn check(&self, n: usize) -> Result<()> {
        if n == self.n_sources() {
            return Ok(());
        }
        let remedy = "use values of the volume or surface that the weights were made for";
        Err(Error::mismatch("the number of values", self.n_sources(), n, remedy))
    }
}
