//! Held-out errors of targets that are the same in all samples of a set, such as features of an image that was shown three times:
//! quadratic forms of one number per set.
//!
//! The targets are y = R ȳ, where ȳ has one number for each of m sets and R the roots of the samples' weights in the columns of
//! their sets. Held-out residuals are then e = B ȳ with B = P (R − Z D Z̄ᵀ), Z̄ = RᵀZ, and P the blocks (I − H_gg)⁻¹ of
//! [`super::blocks`], so that Σe² = ȳᵀ (BᵀB) ȳ: half of BᵀB once for each penalty, then m² operations for each target and
//! penalty, where residuals take 2 · n_samples · n_directions for each of a few functions. Zᵀy = Z̄ᵀȳ shrinks alike.
//!
//! This is for the covariance path, for sets of a few samples, and for scores made of Σe² over all of them.

use std::ops::Range;

use faer::{Accum, MatMut, MatRef};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

use super::basis::Basis;
use super::blocks::{Inverses, SMALL_GROUP, correct};
use super::mixing::Mixer;
use super::number::Real;
use super::penalties::weigh;
use super::product::{matrix, multiply};
use crate::error::RegressError;
use crate::folds::Folds;
use crate::params::{Pooling, RidgeParams, Score};
use crate::together::Share;

/// Rows of a form that are multiplied at once.
pub(crate) const PANEL: usize = 512;
/// Samples whose residuals are made by one task.
pub(crate) const ROWS_PER_TASK: usize = 256;
/// Samples whose residuals are added to the forms at once.
pub(crate) const ROWS: usize = 1024;

/// Whether scores are forms: every sample is held out once, in a small set, and scored there, and all squares are summed.
pub(crate) fn apply(params: &RidgeParams, folds: &Folds) -> bool {
    params.pooling == Pooling::Samples
        && params.score != Score::Pearson
        && folds.largest() <= SMALL_GROUP
        && folds.is_partition()
        && folds.members.len() == folds.n_samples()
}

/// BᵀB of every penalty.
pub(crate) struct Forms<T> {
    /// Z̄: n_sets × n_directions.
    means: Array2<T>,
    /// Diagonals, n_penalties × n_sets: nearly all of the forms, so that sums of small products beside them would be rounded
    /// where they meet.
    diagonals: Array2<f64>,
    /// Per penalty the rows of the lower triangle without its diagonal, [`PANEL`] at a time and as long as the last of them; what
    /// is left of a panel's diagonal block counts twice.
    panels: Vec<Vec<Array2<T>>>,
}

impl<T: Real> Forms<T> {
    /// The forms of all penalties that `inverses` are for, each share adding some of the samples.
    pub(crate) fn new(
        basis: &Basis<T>,
        folds: &Folds,
        roots: &[f64],
        inverses: &Inverses<T>,
        share: Share<'_>,
    ) -> Result<Self, RegressError> {
        let (n_sets, n_penalties) = (folds.len(), inverses.blocks.len());
        let ends = (0..n_sets).step_by(PANEL).map(|start| (start, (start + PANEL).min(n_sets)));
        let zeros: Vec<Array2<T>> = ends.map(|(start, end)| Array2::zeros((end - start, end))).collect();
        let mut forms = Self {
            means: sums(basis, folds, roots),
            diagonals: Array2::zeros((n_penalties, n_sets)),
            panels: vec![zeros; n_penalties],
        };
        let mut rows = Vec::new();
        let blocks = folds.blocks(ROWS).into_iter().enumerate();
        for (_, (members, place)) in blocks.filter(|(block, _)| share.is_mine(*block)) {
            rows.clear();
            rows.resize(place.len() * n_penalties * n_sets, T::zero());
            let maker = Maker { basis, folds, roots, inverses, means: &forms.means };
            maker.residuals(members, place.start, &mut rows);
            forms.add(&rows);
        }
        let contiguous = "freshly allocated arrays are contiguous";
        share.sum(forms.diagonals.as_slice_mut().expect(contiguous))?;
        for panel in forms.panels.iter_mut().flatten() {
            share.fill(panel.as_slice_mut().expect(contiguous))?;
            let (left, two) = (panel.ncols() - panel.nrows(), T::from_f64(2.0));
            panel.slice_mut(s![.., ..left]).mapv_inplace(|value| two * value);
            panel.slice_mut(s![.., left..]).diag_mut().fill(T::zero());
        }
        Ok(forms)
    }

    /// Adds the products of some rows of B, n_rows × (n_penalties · n_sets).
    fn add(&mut self, rows: &[T]) {
        let (n_penalties, n_sets) = self.diagonals.dim();
        let width = n_penalties * n_sets;
        self.diagonals.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(penalty, mut diagonal)| {
            for row in rows.chunks_exact(width) {
                let own = &row[penalty * n_sets..(penalty + 1) * n_sets];
                diagonal.iter_mut().zip(own).for_each(|(sum, value)| *sum += value.as_f64().powi(2));
            }
        });
        let rows = MatRef::from_row_major_slice(rows, rows.len() / width, width);
        let all = self.panels.iter_mut().enumerate();
        let panels: Vec<_> =
            all.flat_map(|(penalty, form)| form.iter_mut().map(move |panel| (penalty, panel))).collect();
        panels.into_par_iter().with_max_len(1).for_each(|(penalty, panel)| {
            let (height, end) = panel.dim();
            let own = rows.subcols(penalty * n_sets, end);
            let slice = panel.as_slice_mut().expect("freshly allocated arrays are contiguous");
            let out = MatMut::from_row_major_slice_mut(slice, height, end);
            T::product(out, Accum::Add, own.subcols(end - height, height).transpose(), own);
        });
    }

    /// Zᵀy by rows: width × n_directions, of n_sets × width `values`.
    pub(crate) fn project(&self, values: ArrayView2<'_, T>) -> Array2<T> {
        let mut projected = Array2::zeros((values.ncols(), self.means.ncols()));
        multiply(projected.view_mut(), values.t(), self.means.view(), false);
        projected
    }

    /// Σe² of every penalty and target: n_penalties × width, of n_sets × width `values`.
    pub(crate) fn squared_errors(&self, values: ArrayView2<'_, T>) -> Array2<f64> {
        let width = values.ncols();
        let mut errors = Array2::<f64>::zeros((self.panels.len(), width));
        let mut product = Vec::new();
        let all = self.panels.iter().zip(self.diagonals.rows()).zip(errors.rows_mut());
        for ((form, diagonal), mut errors) in all {
            for (diagonal, values) in diagonal.iter().zip(values.rows()) {
                errors.iter_mut().zip(values).for_each(|(error, value)| *error += diagonal * value.as_f64().powi(2));
            }
            for panel in form {
                let (height, end) = panel.dim();
                product.resize(height * width, T::zero());
                let shape = "as many as were resized to";
                let out = ArrayViewMut2::from_shape((height, width), &mut product).expect(shape);
                multiply(out, panel.view(), values.slice(s![..end, ..]), false);
                let own = values.slice(s![end - height..end, ..]);
                for (product, own) in product.chunks_exact(width).zip(own.rows()) {
                    for ((error, &product), &own) in errors.iter_mut().zip(product).zip(own) {
                        *error += product.as_f64() * own.as_f64();
                    }
                }
            }
        }
        // Rounding leaves dust where the targets are 0.
        errors.mapv_inplace(|error| error.max(0.0));
        errors
    }
}

/// Z̄, summed in f64.
fn sums<T: Real>(basis: &Basis<T>, folds: &Folds, roots: &[f64]) -> Array2<T> {
    let mut sums = Array2::zeros((folds.len(), basis.z.ncols()));
    sums.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(fold, mut out)| {
        let mut sum = vec![0.0; out.len()];
        for &sample in folds.samples(fold) {
            sum.iter_mut().zip(basis.z.row(sample)).for_each(|(sum, value)| *sum += roots[sample] * value.as_f64());
        }
        out.iter_mut().zip(sum).for_each(|(out, sum)| *out = T::from_f64(sum));
    });
    sums
}

/// Makes rows of B.
struct Maker<'a, T> {
    basis: &'a Basis<T>,
    folds: &'a Folds,
    roots: &'a [f64],
    inverses: &'a Inverses<T>,
    means: &'a Array2<T>,
}

impl<T: Real> Maker<'_, T> {
    /// The rows of the samples of some sets, for every penalty: `out` n_rows × (n_penalties · n_sets). `first` is the place of
    /// the first of them among the members of all sets.
    fn residuals(&self, members: Range<usize>, first: usize, out: &mut [T]) {
        let width = self.inverses.blocks.len() * self.folds.len();
        let mut pieces: Vec<(Range<usize>, &mut [T])> = Vec::new();
        let (mut rest, mut start, mut begun) = (out, members.start, first);
        for fold in members.clone() {
            let end = self.folds.ranges[fold].end;
            if fold + 1 == members.end || self.folds.ranges[fold + 1].end - begun > ROWS_PER_TASK {
                let (piece, tail) = rest.split_at_mut((end - begun) * width);
                pieces.push((start..fold + 1, piece));
                (rest, start, begun) = (tail, fold + 1, end);
            }
        }
        pieces.into_par_iter().with_max_len(1).for_each(|(members, out)| self.task(members, out));
    }

    fn task(&self, members: Range<usize>, out: &mut [T]) {
        let (n_sets, n_penalties) = (self.folds.len(), self.inverses.blocks.len());
        let place = self.folds.ranges[members.start].start..self.folds.ranges[members.end - 1].end;
        let (mut gathered, mut sums) = (Vec::new(), [Vec::new()]);
        let rows = self.basis.rows(&self.folds.members[place.clone()], &mut gathered);
        // Window by window: the sums of all would be as many times as large.
        for window in &self.inverses.penalties.windows {
            let mixer = Mixer::new(std::slice::from_ref(window), T::one());
            let weighted = weigh(rows, window, 0..window.directions.len());
            let [sums_of_window] = &mut sums;
            sums_of_window.resize(weighted.nrows() * n_sets, T::zero());
            let into = MatMut::from_row_major_slice_mut(sums_of_window, weighted.nrows(), n_sets);
            let means = matrix(self.means.view()).subcols(window.directions.start, window.directions.len());
            T::product(into, Accum::Replace, matrix(weighted.view()), means.transpose());
            for (row, out) in out.chunks_exact_mut(n_penalties * n_sets).enumerate() {
                mixer.add_row(&sums, row, n_sets, out.chunks_exact_mut(n_sets));
            }
        }
        let (mut own, mut corrected) = (Vec::new(), Vec::new());
        for fold in members {
            let range = self.folds.ranges[fold].clone();
            let (size, first) = (range.len(), range.start - place.start);
            corrected.resize(size * n_sets, T::zero());
            for (penalty, blocks) in self.inverses.blocks.iter().enumerate() {
                let row = |position: usize| {
                    let start = ((first + position) * n_penalties + penalty) * n_sets;
                    start..start + n_sets
                };
                own.clear();
                for (position, &sample) in self.folds.samples(fold).iter().enumerate() {
                    own.extend(out[row(position)].iter().map(|&fitted| -fitted));
                    own[position * n_sets + fold] += T::from_f64(self.roots[sample]);
                }
                let offset = self.inverses.offsets[fold];
                correct(&blocks[offset..offset + size * size], &own, &mut corrected, n_sets);
                for (position, corrected) in corrected.chunks_exact(n_sets).enumerate() {
                    out[row(position)].copy_from_slice(corrected);
                }
            }
        }
    }
}
