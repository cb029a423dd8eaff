//! The decomposition of a Gram matrix, as a cache keeps it and processes share it.

use ndarray::Array2;

/// Eigenvalues and eigenvectors of a design's Gram matrix: what a cache keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Ascending, those of null directions exactly 0.
    pub values: Vec<f64>,
    /// Columns: directions in feature space (covariance) or in sample space (kernel).
    pub vectors: Array2<f64>,
}
