//! Predictions of samples by models that were fitted without them, at penalties that were chosen.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use ndarray::{Array2, ArrayView2, Axis, CowArray};
use rayon::prelude::*;

use crate::cost::tasks;
use crate::design::{Design, per_target};
use crate::error::RegressError;
use crate::solver::blocks::Inverses;
use crate::solver::number::Real;

impl<T: Real> Design<T> {
    /// The prediction of every sample by the model fitted without its group: n_samples × n_targets.
    ///
    /// `alpha` holds one penalty per target, of the grid or of those beyond it that a fit of this design tried. Penalties chosen on the same samples make these predictions
    /// slightly optimistic; nest the choice where that matters.
    ///
    /// # Errors
    /// Those of [`Design::fit`], [`RegressError::Alphas`] for a penalty that is not in the grid, and
    /// [`RegressError::Setting`] when the folds do not hold out every sample exactly once.
    #[inline(never)]
    pub fn held_out_predictions(&self, y: ArrayView2<'_, T>, alpha: &[f64]) -> Result<Array2<T>, RegressError> {
        self.accept(y)?;
        self.needs_folds()?;
        per_target("alpha", y.ncols(), alpha.len())?;
        if !self.folds.is_partition() {
            return Err(RegressError::Setting {
                what: "folds hold some samples out never or more than once".to_owned(),
                expected: "every sample in exactly one fold".to_owned(),
                remedy: "prepare the design with groups",
            });
        }
        // Targets with penalties of the grid are done together, those of one penalty beyond it by themselves.
        let mut of_grid = Vec::new();
        let mut beyond: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (target, penalty) in alpha.iter().enumerate() {
            match self.grid.iter().position(|candidate| candidate == penalty) {
                Some(position) => of_grid.push((target, position)),
                None if self.made_beyond(*penalty) => beyond.entry(penalty.to_bits()).or_default().push(target),
                None => return Err(RegressError::Alphas { found: format!("no `{penalty}`") }),
            }
        }
        let mut predicted = Array2::zeros(y.dim());
        let (targets, positions): (Vec<usize>, Vec<usize>) = of_grid.into_iter().unzip();
        self.predict_held_out(y, &targets, (&self.grid, &self.inverses), &positions, &mut predicted);
        for (bits, targets) in beyond {
            let penalty = f64::from_bits(bits);
            let inverses = self.inverses_of(penalty)?;
            self.predict_held_out(y, &targets, (&[penalty], &inverses), &vec![0; targets.len()], &mut predicted);
        }
        Ok(predicted)
    }

    /// Whether a fit of this design has tried a penalty beyond the grid.
    fn made_beyond(&self, alpha: f64) -> bool {
        self.beyond.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&alpha.to_bits())
    }

    /// Held-out predictions of some targets at the penalties `grid[positions[…]]`, into their columns of `predicted`.
    fn predict_held_out(
        &self,
        y: ArrayView2<'_, T>,
        targets: &[usize],
        (grid, inverses): (&[f64], &Inverses<T>),
        positions: &[usize],
        predicted: &mut Array2<T>,
    ) {
        let all = targets.len() == y.ncols();
        let some = if all { CowArray::from(y) } else { CowArray::from(y.select(Axis(1), targets)) };
        let width = self.task_width(targets.len());
        let parts: Vec<Array2<T>> = tasks(targets.len(), width)
            .into_par_iter()
            .map(|columns| {
                let chosen = &positions[columns.clone()];
                let (tile, projected) = self.tile(some.view(), columns);
                let residuals = self.held_out(grid, inverses).residuals_at(&tile, &projected, chosen);
                let mut predicted = Array2::zeros(residuals.dim());
                for (sample, mut row) in predicted.rows_mut().into_iter().enumerate() {
                    let (y, residuals) = (tile.y.row(sample), residuals.row(sample));
                    for (target, out) in row.iter_mut().enumerate() {
                        let value = (y[target] - residuals[target]).as_f64() / self.roots[sample];
                        *out = T::from_f64(value + tile.intercept[target]);
                    }
                }
                predicted
            })
            .collect();
        for (columns, part) in tasks(targets.len(), width).into_iter().zip(parts) {
            for (column, values) in columns.zip(part.columns()) {
                predicted.column_mut(targets[column]).assign(&values);
            }
        }
    }
}
