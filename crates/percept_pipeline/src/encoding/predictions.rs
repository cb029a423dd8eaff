//! Held-out predictions in a run's folder: written fold by fold and read some units at a time, since those of a brain would fill the
//! memory. A unit's predictions of all items lie side by side in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};
use percept_io::number::Number;
use percept_io::pieces::{Pieces, Planned};

use crate::error::PipelineError;
use crate::run::{RunFolder, artefact};

/// The tensor's name in its file.
const VALUES: &str = "values";

/// Predictions under construction.
pub struct PredictionsFile {
    file: Pieces,
}

impl PredictionsFile {
    /// Begins the file `path` of the run.
    ///
    /// # Errors
    /// When the disk has no room for all of it, or refuses.
    pub fn create(run: &RunFolder, path: &str, n_items: usize, n_units: usize) -> Result<Self, PipelineError> {
        let planned = Planned { name: VALUES.to_owned(), number: Number::F32, shape: vec![n_units, n_items] };
        let (file, _) = Pieces::safetensors(run.file(path), &[planned], &BTreeMap::new(), false)?;
        Ok(Self { file })
    }

    /// Writes `values` (n_items × n_units), the predictions of some items for some units.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(
        &self,
        items: Range<usize>,
        units: Range<usize>,
        values: ArrayView2<'_, f32>,
    ) -> Result<(), PipelineError> {
        Ok(self.file.put_block(VALUES, units.start, items, values.t())?)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self) -> Result<(), PipelineError> {
        Ok(self.file.finish()?)
    }
}

/// Predictions that were made.
pub struct Predictions {
    file: artefact::Loaded,
    n_items: usize,
}

impl Predictions {
    /// Opens the file `path` of the run.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn open(run: &RunFolder, path: &str, n_items: usize) -> Result<Self, PipelineError> {
        Ok(Self { file: artefact::load(run, path)?, n_items })
    }

    /// Predictions of all items for some units: n_items × units.
    ///
    /// # Errors
    /// When the file holds others.
    pub fn of_units(&self, units: Range<usize>) -> Result<Array2<f32>, PipelineError> {
        let rows = self.file.rows(VALUES, units, self.n_items)?;
        let mut out = Array2::zeros((rows.ncols(), rows.nrows()));
        // A few units at a time: a row of the file is a column here.
        for (own, mut to) in rows.axis_chunks_iter(Axis(0), 16).zip(out.axis_chunks_iter_mut(Axis(1), 16)) {
            to.assign(&own.t());
        }
        Ok(out)
    }
}
