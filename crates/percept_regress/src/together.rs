//! Several processes that prepare one design: each reads its share of the samples, sums are taken over all of them.
//!
//! What is shared: means and deviations, the Gram matrix, the samples in its directions, and the blocks of held-out groups. What is
//! not: the first process decomposes the matrix, and it alone uses the [`crate::SpectrumCache`]. How numbers get from one process
//! to another is the caller's business, so nothing here knows MPI.
//!
//! Sums over shares are made in another order than in one process: results differ by rounding of f64, scores of targets that
//! repeat within sets by that of the fit's precision.

use std::ops::Range;

use ndarray::{Array2, ShapeBuilder};

use crate::error::RegressError;
use crate::solver::decomposition::Spectrum;
use crate::solver::number::Real;

/// What one of several processes knows of the others. All of them must make the same calls in the same order.
pub trait Together: Sync {
    /// Which one this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Replaces each value by its sum over all processes, the same bits in each.
    ///
    /// # Errors
    /// [`RegressError::Source`] when the others cannot be reached.
    fn sum(&self, values: &mut [f64]) -> Result<(), RegressError>;
}

/// Numbers summed at a time.
const CHUNK: usize = 1 << 22;

/// The share of one process, or everything.
#[derive(Clone, Copy, Default)]
pub(crate) struct Share<'a>(pub(crate) Option<&'a dyn Together>);

impl Share<'_> {
    /// Whether piece number `piece` of the work is for this process.
    pub(crate) fn is_mine(self, piece: usize) -> bool {
        self.0.is_none_or(|others| piece % others.size() == others.rank())
    }

    /// Sums over all processes.
    pub(crate) fn sum(self, values: &mut [f64]) -> Result<(), RegressError> {
        let Some(others) = self.0 else { return Ok(()) };
        values.chunks_mut(CHUNK).try_for_each(|chunk| others.sum(chunk))
    }

    /// The same for numbers in the precision of the fit. Nothing is rounded where all but one process hold 0.
    pub(crate) fn fill<T: Real>(self, values: &mut [T]) -> Result<(), RegressError> {
        let Some(others) = self.0 else { return Ok(()) };
        let mut wide = Vec::new();
        for chunk in values.chunks_mut(CHUNK) {
            wide.clear();
            wide.extend(chunk.iter().map(|value| value.as_f64()));
            others.sum(&mut wide)?;
            chunk.iter_mut().zip(&wide).for_each(|(out, &value)| *out = T::from_f64(value));
        }
        Ok(())
    }

    /// Whether this process does what only one does.
    pub(crate) fn is_first(self) -> bool {
        self.0.is_none_or(|others| others.rank() == 0)
    }

    /// The decomposition that the first process has, if it has one; what the others give is not looked at.
    pub(crate) fn spectrum(self, own: Option<Spectrum>) -> Result<Option<Spectrum>, RegressError> {
        if self.0.is_none() {
            return Ok(own);
        }
        let own = if self.is_first() { own } else { None };
        let mut size = [0.0; 3];
        if let Some(own) = &own {
            size = [1.0, own.vectors.nrows() as f64, own.vectors.ncols() as f64];
        }
        self.sum(&mut size)?;
        let [is_there, rows, columns] = size.map(|value| value as usize);
        if is_there == 0 {
            return Ok(None);
        }
        let mut spectrum =
            own.unwrap_or_else(|| Spectrum { values: vec![0.0; columns], vectors: Array2::zeros((rows, columns).f()) });
        self.sum(&mut spectrum.values)?;
        // By columns everywhere: the order of the numbers in memory is what is sent.
        let mut vectors = spectrum.vectors.reversed_axes();
        if !vectors.is_standard_layout() {
            vectors = vectors.as_standard_layout().into_owned();
        }
        self.sum(vectors.as_slice_mut().expect("put into this order just now"))?;
        Ok(Some(Spectrum { values: spectrum.values, vectors: vectors.reversed_axes() }))
    }

    /// What `make` gives in the first process.
    pub(crate) fn once(self, make: impl FnOnce() -> Result<Spectrum, RegressError>) -> Result<Spectrum, RegressError> {
        let own = if self.is_first() { Some(make()?) } else { None };
        let missing = || RegressError::Source { reason: "the first process sent no decomposition".to_owned() };
        self.spectrum(own)?.ok_or_else(missing)
    }

    /// `own` of every process, one after the other.
    pub(crate) fn gather(self, own: &[f64]) -> Result<Vec<f64>, RegressError> {
        let (rank, size) = self.0.map_or((0, 1), |others| (others.rank(), others.size()));
        let mut all = vec![0.0; own.len() * size];
        let place: Range<usize> = rank * own.len()..(rank + 1) * own.len();
        all[place].copy_from_slice(own);
        self.sum(&mut all)?;
        Ok(all)
    }
}
