//! A feature space of all stimuli: one row per stimulus, and the hash of what made it.

use ndarray::Array2;
use percept_core::provenance::content_hash;

/// Features of every stimulus of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTable {
    /// n_stimuli × n_features.
    pub values: Array2<f32>,
    /// Content hash.
    pub content: String,
}

impl FeatureTable {
    /// A table whose hash is that of its values.
    pub fn new(values: Array2<f32>) -> Self {
        Self { content: hash_of_rows(&values), values }
    }
}

/// A content hash of the values of a matrix, row by row.
pub fn hash_of_rows(rows: &Array2<f32>) -> String {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    content_hash(&bytes)
}
