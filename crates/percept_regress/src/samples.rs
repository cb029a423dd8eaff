//! Where samples come from: an array in memory, or anything that gives rows on demand, such as a file.
//!
//! A design on the covariance path reads its samples three times, a few hundred rows at a time, and never holds them whole.
//! On the kernel path they are needed whole.

use std::ops::Range;

use ndarray::{ArrayView2, CowArray, Ix2, s};

use crate::error::RegressError;
use crate::ridge::same_rows;
use crate::solver::basis::roots;
use crate::solver::real::Real;

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

/// Roots of the weights, refused where one cannot be used.
pub(crate) fn checked_roots(weights: Option<&[f64]>, n_samples: usize) -> Result<Vec<f64>, RegressError> {
    if let Some(weights) = weights {
        same_rows("x", n_samples, "weights", weights.len())?;
        if let Some((sample, &weight)) =
            weights.iter().enumerate().find(|(_, weight)| !(weight.is_normal() && **weight > 0.0))
        {
            return Err(RegressError::Weight { sample, weight });
        }
    }
    Ok(roots(weights, n_samples))
}
