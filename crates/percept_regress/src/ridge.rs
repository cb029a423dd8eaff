//! The estimator: choose a penalty per target by leave-one-group-out prediction, fit.
//!
//! References: Hoerl and Kennard 1970, doi:10.1080/00401706.1970.10488634 (ridge); Golub, Heath and Wahba 1979,
//! doi:10.1080/00401706.1979.10489751 (leave-one-out in closed form); Rifkin and Lippert 2007, MIT-CSAIL-TR-2007-025 (kernel form).

use ndarray::ArrayView2;

use crate::design::{Design, Setup};
use crate::error::RegressError;
use crate::fitted::Ridge;
use crate::folds::{self, Folds, LeakReport, Leaks};
use crate::large_folds::LargeFolds;
use crate::params::{RidgeParams, Score};
use crate::samples::same_rows;
use crate::solver::number::Real;

/// Ridge regression whose penalties are chosen by exact leave-one-group-out prediction.
///
/// Each group of samples (the repeats of one image, a run, a fold) is predicted by the model fitted to all others, for
/// every penalty, from one eigendecomposition: e_g = (I − H_gg)⁻¹ r_g. The intercept is refitted for each held-out group;
/// the features' scales are those of all training samples.
///
/// # Numerics
/// In f64, held-out residuals equal those of refitting without each group to 1e-10 relative. In f32 the Gram matrix, its
/// decomposition and the group blocks are still f64; products with targets are f32, and scores agree with the f64 fit to
/// about 1e-5. A fit that is scored by correlation is made in f64 and its weights are rounded. Results are the same bits on any number of threads.
///
/// With n samples, r = min(n − 1, p) directions, t targets, A penalties and groups of m, the operations are n·p·r (Gram, f64),
/// 9r³ (eigen, f64), 2·n·p·r (directions, f64), n·m·(r + 2m)·A (group blocks), 2·n·r·t (projection), 2·n·(r + m)·t·A (scores)
/// and 2·p·r·t (weights). k folds are groups of m = n/k: one decomposition serves them all, where down-dating the Gram matrix
/// would take k more.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeCv {
    params: RidgeParams,
}

impl RidgeCv {
    /// An estimator with these settings.
    pub fn new(params: RidgeParams) -> Self {
        Self { params }
    }

    /// Chooses penalties and fits.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets, `groups` n_samples labels; samples with the same label are
    /// held out together.
    ///
    /// # Errors
    /// Inputs whose rows differ, values that are not finite, a single group, features without variation, penalty 0 on a
    /// singular design, a group that the others do not determine; see [`RegressError`].
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use percept_regress::{RidgeCv, RidgeParams};
    ///
    /// let x = array![[0.0f32], [1.0], [2.0], [3.0], [4.0], [5.0]];
    /// let y = array![[1.0f32], [3.0], [5.0], [7.0], [9.0], [11.0]];
    /// let params = RidgeParams { alphas: vec![1e-3, 1.0, 1e3], ..RidgeParams::default() };
    /// let ridge = RidgeCv::new(params).fit(x.view(), y.view(), &[0, 0, 1, 1, 2, 2])?;
    /// assert_eq!(ridge.alpha, vec![1e-3]);
    /// assert!((ridge.predict(array![[6.0f32]].view())?[(0, 0)] - 13.0).abs() < 0.01);
    /// # Ok::<(), percept_regress::RegressError>(())
    /// ```
    pub fn fit<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        groups: &[usize],
    ) -> Result<Ridge<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        same_rows("x", x.nrows(), "groups", groups.len())?;
        self.fit_with(x, y, Folds::by_label(groups)?, None)
    }

    /// The same with given folds, which are refused when repeats of one stimulus stand in different folds, unless `leaks`
    /// allows it; then the report lists what leaks.
    ///
    /// # Errors
    /// [`RegressError::Leak`], and those of [`RidgeCv::fit`].
    pub fn fit_folds<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        fold_of_sample: &[usize],
        stimulus_of_sample: &[usize],
        leaks: Leaks,
    ) -> Result<(Ridge<T>, LeakReport), RegressError> {
        let report = folds::check(fold_of_sample, stimulus_of_sample, leaks)?;
        Ok((self.fit(x, y, fold_of_sample)?, report))
    }

    /// The same with folds of any kind and a weight > 0 per sample.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`], and [`RegressError::Weight`].
    pub fn fit_with<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        folds: Folds,
        sample_weights: Option<&[f64]>,
    ) -> Result<Ridge<T>, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        if self.params.score == Score::Pearson && T::is_single() {
            let [x, y] = [x, y].map(|values| values.mapv(T::as_f64));
            return Ok(self.fit_with(x.view(), y.view(), folds, sample_weights)?.rounded());
        }
        self.prepare(x, folds, sample_weights)?.fit(y)
    }

    /// Samples ready for any number of target sets, in the form that suits their folds.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit_with`] that concern `x`; [`RegressError::Setting`] for [`Score::Pearson`] in f32.
    #[inline(never)]
    pub fn prepare<T: Real>(
        &self,
        x: ArrayView2<'_, T>,
        folds: Folds,
        sample_weights: Option<&[f64]>,
    ) -> Result<PreparedRidge<T>, RegressError> {
        let single_pearson = self.params.score == Score::Pearson && T::is_single();
        if !single_pearson && LargeFolds::<T>::apply(x.dim(), &self.params, &folds, sample_weights.is_some()) {
            return LargeFolds::prepare(x, &self.params, &folds).map(PreparedRidge::Large);
        }
        let setup = Setup { folds: Some(folds), sample_weights, ..Setup::default() };
        Design::prepare(&x, &self.params, setup).map(|design| PreparedRidge::Blocks(Box::new(design)))
    }
}

/// Samples of a cross-validated ridge, prepared once for all target sets.
pub enum PreparedRidge<T: Real = f32> {
    /// Few folds with more samples than features: sums of folds.
    Large(LargeFolds<T>),
    /// Any folds: blocks of held-out samples.
    Blocks(Box<Design<T>>),
}

impl<T: Real> PreparedRidge<T> {
    /// How many targets one task works on when there are `n_targets` in all. Targets that are cut at multiples of it get the same bits
    /// as all at once.
    pub fn task_width(&self, n_targets: usize) -> usize {
        match self {
            Self::Large(folds) => folds.task_width(n_targets),
            Self::Blocks(design) => design.task_width(n_targets),
        }
    }

    /// Chooses a penalty for each target of `y` (n_samples × n_targets) and fits.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] that concern `y`.
    pub fn fit(&self, y: ArrayView2<'_, T>) -> Result<Ridge<T>, RegressError> {
        match self {
            Self::Large(folds) => folds.fit(y),
            Self::Blocks(design) => design.fit(y),
        }
    }

    /// The same of some of a larger set's targets, whose [`PreparedRidge::task_width`] is `width`.
    ///
    /// # Errors
    /// As [`PreparedRidge::fit`]; [`RegressError::Setting`] for a penalty that all targets share.
    pub fn fit_part(&self, y: ArrayView2<'_, T>, width: usize) -> Result<Ridge<T>, RegressError> {
        match self {
            Self::Large(folds) => folds.fit_part(y, width),
            Self::Blocks(design) => design.fit_part(y, None, width),
        }
    }
}

impl<T: Real> Ridge<T> {
    /// Fits all targets with one given penalty; the grid of `params` is not used.
    ///
    /// # Shapes
    /// `x` n_samples × n_features, `y` n_samples × n_targets.
    ///
    /// # Errors
    /// Those of [`RidgeCv::fit`] apart from groups.
    pub fn fit(
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        alpha: f64,
        params: &RidgeParams,
    ) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "y", y.nrows())?;
        Design::new(x, params)?.fit_fixed(y, &vec![alpha; y.ncols()])
    }
}
