//! Responses as decoders read them: as they are, or z-scored within sessions by training samples alone.

use ndarray::Array2;
use percept_core::Responses;
use percept_signal::zscore_by_training;

use crate::experiment::Normalise;

/// Responses of all samples as a decoder reads them that trains on `train`, and the sessions that hold too few training samples
/// to be normalised on their own.
///
/// # Shapes
/// The result is n_samples × n_units.
pub fn normalised(responses: &Responses, train: &[usize], how: Normalise) -> (Array2<f32>, Vec<usize>) {
    match how {
        Normalise::None => (responses.data.clone(), Vec::new()),
        Normalise::Session => zscore_by_training(responses.data.view(), &responses.session_of_sample, train),
    }
}
