//! Responses: the matrix (n_samples × n_units) taken from a recording, and what each row was.

use ndarray::{Array2, Axis};

/// Measured responses with the identity of every row.
///
/// Rows are samples (trials), columns are units (voxels or channels). Values are in the recording's units, percent
/// signal change for fMRI betas, until something is said to have normalised them.
#[derive(Clone, Debug, PartialEq)]
pub struct Responses {
    /// n_samples × n_units.
    pub data: Array2<f32>,
    /// Which stimulus each row responded to: an index into the data set's stimuli.
    pub stimulus_of_sample: Vec<usize>,
    /// The scanning session of each row, from 0.
    pub session_of_sample: Vec<usize>,
}

/// Why a set of responses cannot be what it claims.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResponsesError {
    /// Row labels and rows differ in number.
    #[error("responses have {rows} rows but `{labels}` names {found} (pass exactly one label per row)")]
    LabelCount {
        /// Number of rows of the matrix.
        rows: usize,
        /// The label that does not fit.
        labels: &'static str,
        /// How many labels came.
        found: usize,
    },
}

impl Responses {
    /// Binds a matrix (n_samples × n_units) to the stimulus and session of each row.
    ///
    /// # Errors
    /// [`ResponsesError::LabelCount`] when a label list is not as long as the matrix has rows.
    pub fn new(
        data: Array2<f32>,
        stimulus_of_sample: Vec<usize>,
        session_of_sample: Vec<usize>,
    ) -> Result<Self, ResponsesError> {
        let rows = data.nrows();
        for (labels, found) in [("stimulus", stimulus_of_sample.len()), ("session", session_of_sample.len())] {
            if found != rows {
                return Err(ResponsesError::LabelCount { rows, labels, found });
            }
        }
        Ok(Self { data, stimulus_of_sample, session_of_sample })
    }

    /// Number of samples (rows).
    pub fn n_samples(&self) -> usize {
        self.data.nrows()
    }

    /// Number of units (columns).
    pub fn n_units(&self) -> usize {
        self.data.ncols()
    }

    /// The rows at `samples`, in that order.
    pub fn select_samples(&self, samples: &[usize]) -> Self {
        Self {
            data: self.data.select(Axis(0), samples),
            stimulus_of_sample: samples.iter().map(|&s| self.stimulus_of_sample[s]).collect(),
            session_of_sample: samples.iter().map(|&s| self.session_of_sample[s]).collect(),
        }
    }

    /// The columns at `units`, in that order.
    pub fn select_units(&self, units: &[usize]) -> Self {
        Self { data: self.data.select(Axis(1), units), ..self.clone_labels() }
    }

    /// One row per stimulus: the mean over its repeats, stimuli in the order of their first presentation.
    /// The session of an averaged row is that of its first presentation.
    pub fn average_repeats(&self) -> Self {
        let mut row_of_stimulus = std::collections::BTreeMap::new();
        let mut order = Vec::new();
        for (sample, &stimulus) in self.stimulus_of_sample.iter().enumerate() {
            row_of_stimulus.entry(stimulus).or_insert_with(|| {
                order.push(sample);
                order.len() - 1
            });
        }
        let mut sums = Array2::<f64>::zeros((order.len(), self.n_units()));
        let mut counts = vec![0usize; order.len()];
        for (sample, stimulus) in self.stimulus_of_sample.iter().enumerate() {
            let row = row_of_stimulus[stimulus];
            counts[row] += 1;
            sums.row_mut(row).zip_mut_with(&self.data.row(sample), |sum, &value| *sum += value as f64);
        }
        for (mut row, &count) in sums.rows_mut().into_iter().zip(&counts) {
            row /= count as f64;
        }
        Self {
            data: sums.mapv(|v| v as f32),
            stimulus_of_sample: order.iter().map(|&s| self.stimulus_of_sample[s]).collect(),
            session_of_sample: order.iter().map(|&s| self.session_of_sample[s]).collect(),
        }
    }

    fn clone_labels(&self) -> Self {
        Self {
            data: Array2::zeros((0, 0)),
            stimulus_of_sample: self.stimulus_of_sample.clone(),
            session_of_sample: self.session_of_sample.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn repeats_average_in_order_of_first_presentation() {
        let r = Responses::new(array![[1.0], [10.0], [3.0]], vec![5, 2, 5], vec![0, 0, 1]).expect("fits");
        let a = r.average_repeats();
        assert_eq!(a.stimulus_of_sample, vec![5, 2]);
        assert_eq!(a.data, array![[2.0], [10.0]]);
    }

    #[test]
    fn a_label_too_few_is_named() {
        let error = Responses::new(array![[1.0], [2.0]], vec![0], vec![0, 0]).expect_err("one label short");
        assert_eq!(error, ResponsesError::LabelCount { rows: 2, labels: "stimulus", found: 1 });
    }
}
