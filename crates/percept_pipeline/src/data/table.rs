//! A feature space of all stimuli: one row per stimulus, and the hash of what made it. A space of ordinary width is held in
//! memory; a wide one, such as all tokens of a vision encoder, stays on disk and is read by columns or by rows.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::provenance::content_hash;
use percept_io::safetensors;

use crate::error::PipelineError;
use crate::run::RunFolder;

/// Features of every stimulus, wherever they are kept.
pub trait Columns {
    /// Features per stimulus.
    fn n_columns(&self) -> usize;

    /// Numbers that are held in memory.
    fn n_held(&self) -> usize;

    /// Some of the features of all stimuli: n_stimuli × range.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    fn columns(&self, range: Range<usize>) -> Result<Array2<f32>, PipelineError>;
}

impl Columns for ArrayView2<'_, f32> {
    fn n_columns(&self) -> usize {
        self.ncols()
    }

    fn n_held(&self) -> usize {
        self.len()
    }

    fn columns(&self, range: Range<usize>) -> Result<Array2<f32>, PipelineError> {
        Ok(self.slice(s![.., range]).to_owned())
    }
}

/// Features of every stimulus of a data set, in memory.
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

/// Features of every stimulus of a data set, on disk: blocks of stimuli, one file each.
pub struct StoredTable<'a> {
    pub(crate) run: &'a RunFolder,
    /// The name of the array in every file.
    pub(crate) space: String,
    /// Stimuli of each block and its file within the run, in order.
    pub(crate) blocks: Vec<(Range<usize>, String)>,
    pub(crate) n_columns: usize,
    /// Content hash.
    pub content: String,
}

impl StoredTable<'_> {
    /// The features of the stimuli `which`, in this order: which.len() × n_features.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn rows(&self, which: &[usize]) -> Result<Array2<f32>, PipelineError> {
        let mut all = Array2::zeros((which.len(), self.n_columns));
        for (stimuli, path) in &self.blocks {
            if !which.iter().any(|stimulus| stimuli.contains(stimulus)) {
                continue;
            }
            let file = safetensors::open(self.run.file(path))?;
            for (mut to, stimulus) in all.outer_iter_mut().zip(which).filter(|(_, one)| stimuli.contains(one)) {
                let row = stimulus - stimuli.start;
                let found = self.matrix(path, file.rows(&self.space, row..row + 1)?, [1, self.n_columns])?;
                to.assign(&found.index_axis(Axis(0), 0));
            }
        }
        Ok(all)
    }

    fn matrix(&self, path: &str, array: ndarray::ArrayD<f32>, shape: [usize; 2]) -> Result<Array2<f32>, PipelineError> {
        let matrix = array.into_dimensionality().ok().filter(|matrix: &Array2<f32>| matrix.shape() == shape);
        matrix.ok_or_else(|| {
            let expected = format!("a matrix `{}` of {} rows and {} columns", self.space, shape[0], shape[1]);
            PipelineError::Artefact { path: path.to_owned(), expected }
        })
    }
}

impl Columns for StoredTable<'_> {
    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn n_held(&self) -> usize {
        0
    }

    fn columns(&self, range: Range<usize>) -> Result<Array2<f32>, PipelineError> {
        let n = self.blocks.last().map_or(0, |(stimuli, _)| stimuli.end);
        let mut all = Array2::zeros((n, range.len()));
        for (stimuli, path) in &self.blocks {
            let found = safetensors::open(self.run.file(path))?.columns(&self.space, range.clone())?;
            let found = self.matrix(path, found, [stimuli.len(), range.len()])?;
            all.slice_mut(s![stimuli.clone(), ..]).assign(&found);
        }
        Ok(all)
    }
}

/// A content hash of the values of a matrix, row by row.
pub fn hash_of_rows(rows: &Array2<f32>) -> String {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    content_hash(&bytes)
}
