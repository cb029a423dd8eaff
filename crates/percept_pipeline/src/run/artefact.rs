//! Named arrays in the run directory, as safetensors.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayD};
use percept_io::safetensors::{self, SafeTensors};

use super::RunFolder;
use crate::error::PipelineError;

/// Writes `arrays` to the file `path` of the run.
///
/// # Errors
/// When the disk refuses.
pub fn save(run: &RunFolder, path: &str, arrays: &[(&str, ArrayD<f32>)]) -> Result<(), PipelineError> {
    let mut writer = safetensors::Writer::new();
    for (name, array) in arrays {
        writer.add(*name, array.view());
    }
    Ok(writer.write(run.file(path))?)
}

/// An artefact that was opened again.
pub struct Loaded {
    path: String,
    file: SafeTensors,
}

/// Opens the file `path` of the run; arrays are read when they are asked for.
///
/// # Errors
/// When it is missing or damaged.
pub fn load(run: &RunFolder, path: &str) -> Result<Loaded, PipelineError> {
    Ok(Loaded { path: path.to_owned(), file: safetensors::open(run.file(path))? })
}

impl Loaded {
    /// The matrix `name`, which must have this many rows and, where given, columns.
    ///
    /// # Errors
    /// When it is not there or has another shape.
    pub fn matrix(&self, name: &str, rows: usize, columns: Option<usize>) -> Result<Array2<f32>, PipelineError> {
        let array: ArrayD<f32> = self.file.tensor(name)?;
        array
            .into_dimensionality()
            .ok()
            .filter(|matrix: &Array2<f32>| matrix.nrows() == rows && columns.is_none_or(|n| matrix.ncols() == n))
            .ok_or_else(|| self.refused(format!("a matrix `{name}` of {rows} rows")))
    }

    /// Some rows of the matrix `name`, which must have this many columns.
    ///
    /// # Errors
    /// When it is not there, has other columns or no such rows.
    pub fn rows(&self, name: &str, range: Range<usize>, columns: usize) -> Result<Array2<f32>, PipelineError> {
        if self.n_columns(name)? != columns {
            return Err(self.refused(format!("a matrix `{name}` of {columns} columns")));
        }
        let array: ArrayD<f32> = self.file.rows(name, range)?;
        array.into_dimensionality().map_err(|_| self.refused(format!("a matrix `{name}`")))
    }

    /// Columns of the matrix `name`, without reading it.
    ///
    /// # Errors
    /// When there is no such matrix.
    pub fn n_columns(&self, name: &str) -> Result<usize, PipelineError> {
        match self.file.info(name)?.shape[..] {
            [_, columns] => Ok(columns),
            _ => Err(self.refused(format!("a matrix `{name}`"))),
        }
    }

    /// The vector `name`, which must have this length.
    ///
    /// # Errors
    /// When it is not there or has another length.
    pub fn vector(&self, name: &str, length: usize) -> Result<Array1<f32>, PipelineError> {
        let array: ArrayD<f32> = self.file.tensor(name)?;
        array
            .into_dimensionality()
            .ok()
            .filter(|vector: &Array1<f32>| vector.len() == length)
            .ok_or_else(|| self.refused(format!("a vector `{name}` of {length}")))
    }

    fn refused(&self, expected: String) -> PipelineError {
        PipelineError::Artefact { path: self.path.clone(), expected }
    }
}
