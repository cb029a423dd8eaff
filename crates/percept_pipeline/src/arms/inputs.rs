//! Features that a generator gets: named spaces, one row per item in each.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis, s};
use percept_core::Provenance;

use crate::data::hash_of_rows;
use crate::error::PipelineError;

/// Rows of feature spaces by the spaces' names; all spaces have the same number of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs(BTreeMap<String, Array2<f32>>);

impl Inputs {
    /// No spaces.
    pub fn none() -> Self {
        Self::default()
    }

    /// These and the rows of the space `name`.
    #[must_use]
    pub fn with(mut self, name: &str, rows: Array2<f32>) -> Self {
        self.0.insert(name.to_owned(), rows);
        self
    }

    /// The rows of the space `name`.
    pub fn get(&self, name: &str) -> Option<&Array2<f32>> {
        self.0.get(name)
    }

    /// The rows of the space `name`, which `who` cannot do without.
    ///
    /// # Errors
    /// When there are none.
    pub fn required(&self, name: &str, who: &str) -> Result<&Array2<f32>, PipelineError> {
        self.get(name).ok_or_else(|| {
            PipelineError::data(format!("{who} reads `{name}`, but its inputs are {:?}", self.names()), "decode it too")
        })
    }

    /// The names of the spaces, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Some of the rows, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        self.map(|all| all.select(Axis(0), rows))
    }

    /// A range of the rows.
    #[must_use]
    pub fn slice(&self, rows: &Range<usize>) -> Self {
        self.map(|all| all.slice(s![rows.clone(), ..]).to_owned())
    }

    /// Adds the content of every space to `record`.
    pub fn record(&self, mut record: Provenance) -> Provenance {
        for (name, rows) in &self.0 {
            record = record.input(name, hash_of_rows(rows));
        }
        record
    }

    fn map(&self, of: impl Fn(&Array2<f32>) -> Array2<f32>) -> Self {
        Self(self.0.iter().map(|(name, rows)| (name.clone(), of(rows))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_of_all_spaces_are_chosen_together() {
        let inputs = Inputs::none().with("z", array![[1.0], [2.0], [3.0]]).with("c", array![[4.0], [5.0], [6.0]]);
        let chosen = inputs.select(&[2, 0]);
        assert_eq!(chosen.get("z"), Some(&array![[3.0], [1.0]]));
        assert_eq!(chosen.get("c"), Some(&array![[6.0], [4.0]]));
        assert_eq!(inputs.slice(&(1..2)).get("c"), Some(&array![[5.0]]));
        let message = inputs.required("w", "the method").expect_err("absent").to_string();
        assert!(message.starts_with("the method reads `w`, but its inputs are [\"c\", \"z\"]"), "{message}");
    }
}
