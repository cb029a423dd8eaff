//! Where samples come from: an array in memory, or anything that gives rows on demand, such as a file.
//!
//! A design on the covariance path reads its samples three times, a few hundred rows at a time, and never holds them whole.
//! On the kernel path they are needed whole.

use std::ops::Range;

use ndarray::{ArrayView2, CowArray, Ix2, s};

use crate::error::RegressError;
use crate::solver::number::Real;

/// A matrix of samples × features that is read by rows.
pub trait Samples<T: Real>: Sync {
    /// Number of samples and number of features.
    fn dim(&self) -> (usize, usize);

    /// The samples `rows`: rows.len() × n_features.
    ///
    /// # Errors
    /// [`RegressError::Source`] when they cannot be read.
    fn rows(&self, rows: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError>;
}

impl<T: Real> Samples<T> for ArrayView2<'_, T> {
    fn dim(&self) -> (usize, usize) {
        ArrayView2::dim(self)
    }

    fn rows(&self, rows: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError> {
        Ok(self.slice(s![rows, ..]).into())
    }
}

/// A matrix of samples × targets that is read by columns.
pub trait Targets<T: Real>: Sync {
    /// Number of samples and number of targets.
    fn dim(&self) -> (usize, usize);

    /// The targets `columns`: n_samples × columns.len().
    ///
    /// # Errors
    /// [`RegressError::Source`] when they cannot be read.
    fn columns(&self, columns: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError>;
}

impl<T: Real> Targets<T> for ArrayView2<'_, T> {
    fn dim(&self) -> (usize, usize) {
        ArrayView2::dim(self)
    }

    fn columns(&self, columns: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError> {
        Ok(self.slice(s![.., columns]).into())
    }
}

/// Refuses two inputs that should have as many rows.
pub(crate) fn same_rows(
    left: &'static str,
    left_rows: usize,
    right: &'static str,
    right_rows: usize,
) -> Result<(), RegressError> {
    if left_rows == right_rows {
        return Ok(());
    }
    Err(RegressError::Rows { left, left_rows, right, right_rows })
}
