//! Names for vectors: ridge regression onto one column for each class, the largest of which is chosen.
//!
//! The penalty is chosen by five-fold cross-validation over samples. Chance is that of the classes' shares.

use ndarray::{Array2, ArrayView2};
use percept_regress::{AlphaChoice, Ridge, RidgeCv, RidgeParams};

use crate::error::PipelineError;

/// Folds by which the penalty is chosen.
const FOLDS: usize = 5;

/// A fitted classifier.
pub struct Classifier {
    ridge: Ridge<f32>,
}

impl Classifier {
    /// Learns `n_classes` classes from `vectors` (n × width) and the class of each.
    ///
    /// # Errors
    /// Vectors that do not vary, or are not finite.
    pub fn fit(vectors: ArrayView2<'_, f32>, classes: &[usize], n_classes: usize) -> Result<Self, PipelineError> {
        let mut columns = Array2::<f32>::zeros((classes.len(), n_classes));
        for (row, &class) in classes.iter().enumerate() {
            columns[(row, class)] = 1.0;
        }
        // Neighbours are often of one kind, so folds take every fifth.
        let folds: Vec<usize> = (0..classes.len()).map(|row| row % FOLDS).collect();
        let alphas = (-2..6).map(|exponent| 10f64.powi(exponent)).collect();
        let params = RidgeParams { alphas, choice: AlphaChoice::Shared, ..RidgeParams::default() };
        let ridge = RidgeCv::new(params).fit(vectors, columns.view(), &folds).map_err(refused)?;
        Ok(Self { ridge })
    }

    /// The class of each vector.
    ///
    /// # Errors
    /// Vectors of another width.
    pub fn name(&self, vectors: ArrayView2<'_, f32>) -> Result<Vec<usize>, PipelineError> {
        let scores = self.ridge.predict(vectors).map_err(refused)?;
        let largest = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
        };
        Ok(scores.outer_iter().map(largest).collect())
    }
}

fn refused(error: percept_regress::RegressError) -> PipelineError {
    PipelineError::data(format!("vectors cannot be classified: {error}"), "give more of them, that differ")
}

#[cfg(test)]
mod tests {
    use percept_core::Seed;

    use super::*;

    #[test]
    fn classes_with_directions_of_their_own_are_named() {
        let classes: Vec<usize> = (0..90).map(|row| row % 3).collect();
        let mut vectors = Array2::from_shape_vec((90, 8), Seed::new(2).normal(720)).expect("fits");
        for (row, &class) in classes.iter().enumerate() {
            vectors[(row, class)] += 6.0;
        }
        let classifier = Classifier::fit(vectors.view(), &classes, 3).expect("fitted");
        assert_eq!(classifier.name(vectors.view()).expect("named"), classes);
        assert!(classifier.name(Array2::zeros((2, 7)).view()).is_err());
    }
}
