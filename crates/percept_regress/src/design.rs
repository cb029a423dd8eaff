//! Samples decomposed once: all of a fit that does not depend on targets, and the fits that use it.
//!
//! A [`Design`] can be fitted to any number of target sets, for instance to runs of columns that a caller reads from disk one
//! after the other. Targets are worked on in tasks of [`Design::task_width`] columns; a caller that cuts its targets at
//! multiples of that width gets the same bits however wide its cuts are, because every task does the same work.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::cost::{columns_per_task, tasks};
use crate::error::RegressError;
use crate::fitted::Ridge;
use crate::folds::Folds;
use crate::gram::Gram;
use crate::params::{AlphaChoice, Edge, FitReport, Path, RidgeParams, Score};
use crate::samples::{Samples, Targets, same_rows};
use crate::selection::{Groups, Selection, best, edge_of};
use crate::solver::basis::{Basis, covariance, covariance_spectrum, kernel_spectrum};
use crate::solver::blocks::Inverses;
use crate::solver::decomposition::Spectrum;
use crate::solver::forms::{self, Forms};
use crate::solver::heldout::HeldOut;
use crate::solver::number::Real;
use crate::solver::standard::{Standard, all_finite};
use crate::solver::tile::Tile;
use crate::together::{Share, Together};
use crate::weights::checked_roots;

/// A place that keeps decompositions between runs. What the samples are is the keeper's business: it must tell samples with
/// other content, other rows or other weights apart.
pub trait SpectrumCache {
    /// The decomposition kept under `name`, which tells settings apart.
    fn load(&self, name: &str) -> Option<Spectrum>;

    /// Keeps a decomposition.
    ///
    /// # Errors
    /// [`RegressError::Source`] when it cannot be kept.
    fn store(&self, name: &str, spectrum: &Spectrum) -> Result<(), RegressError>;
}

/// What a design may be prepared with beside its samples.
#[derive(Default)]
pub struct Setup<'a> {
    /// What is held out in turn; without it a design fits given penalties only.
    pub folds: Option<Folds>,
    /// A weight > 0 per sample: the objective becomes Σ wᵢ‖yᵢ − b − xᵢW‖² + α‖W‖², so that a whole number repeats a sample.
    pub sample_weights: Option<&'a [f64]>,
    /// Where decompositions are kept.
    pub cache: Option<&'a dyn SpectrumCache>,
    /// The Gram matrix, if it is known: that of a region is part of that of the whole brain.
    pub gram: Option<Gram>,
    /// The other processes, if several prepare this design.
    pub together: Option<&'a dyn Together>,
    /// Targets are expected to be the same in all samples of a held-out set, as when an image that was shown three times is
    /// decoded: their squared errors are then made of one number per set, at a fraction of the work. It takes a matrix of
    /// n_sets × n_sets / 2 per penalty, see [`crate::cost::repeats_pay`]. Targets that vary within a set are scored as ever.
    pub repeated_targets: bool,
}

/// Training samples, standardised and decomposed: all of a fit that does not depend on targets.
///
/// It holds n_samples × n_directions and n_features × n_directions numbers (the latter n_samples × n_features on the kernel
/// path), and per penalty the square of each group's size.
pub struct Design<T: Real = f32> {
    pub(crate) params: RidgeParams,
    pub(crate) grid: Vec<f64>,
    pub(crate) folds: Folds,
    pub(crate) roots: Vec<f64>,
    pub(crate) standard: Standard,
    pub(crate) basis: Basis<T>,
    pub(crate) inverses: Inverses<T>,
    /// What makes squared errors of targets that are the same in all samples of a group, for the penalties of the grid.
    pub(crate) forms: Option<Forms<T>>,
    /// Group blocks of penalties beyond the grid, made when a target first wants them; by the bits of the penalty.
    pub(crate) beyond: Mutex<BTreeMap<u64, Arc<Inverses<T>>>>,
}

/// What one task finds out about its targets.
struct TaskResult {
    selection: Selection,
    intercept: Vec<f64>,
    constant: Vec<bool>,
}

impl<T: Real> Design<T> {
    /// Prepares samples for fits with a given penalty.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `x`.
    pub fn new(x: ArrayView2<'_, T>, params: &RidgeParams) -> Result<Self, RegressError> {
        Self::prepare(&x, params, Setup::default())
    }

    /// Prepares samples for fits that choose penalties by leaving out one group at a time.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `x` and `groups`.
    pub fn grouped(x: ArrayView2<'_, T>, groups: &[usize], params: &RidgeParams) -> Result<Self, RegressError> {
        same_rows("x", x.nrows(), "groups", groups.len())?;
        Self::prepare(&x, params, Setup { folds: Some(Folds::by_label(groups)?), ..Setup::default() })
    }

    /// Prepares samples from anywhere, with folds, weights and a cache as wanted.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern samples and folds; [`RegressError::Weight`]; failures to read;
    /// [`RegressError::Setting`] for [`Score::Pearson`] in f32.
    #[inline(never)]
    pub fn prepare(x: &dyn Samples<T>, params: &RidgeParams, setup: Setup<'_>) -> Result<Self, RegressError> {
        let (n, n_features) = x.dim();
        let grid = if setup.folds.is_some() { params.grid()? } else { Vec::new() };
        scored_in::<T>(params, setup.folds.is_some())?;
        let folds = setup.folds.unwrap_or_else(|| Folds::none(n));
        if n == 0 || n_features == 0 {
            return Err(RegressError::Empty { matrix: "x", rows: n, columns: n_features });
        }
        same_rows("x", n, "folds", folds.n_samples())?;
        if params.intercept && n < 2 {
            return Err(RegressError::TooFewSamples { rows: n });
        }
        let roots = checked_roots(setup.sample_weights, n)?;
        let share = Share(setup.together);
        let gram = setup.gram.filter(|gram| gram.standard.mean.len() == n_features);
        let standard = match &gram {
            Some(gram) => gram.standard.clone(),
            None => Standard::fit(x, setup.sample_weights, params.centers(), params.standardize, share)?,
        };
        let kernel = params.takes_kernel(n, standard.kept.len(), folds.largest());
        let path = if kernel { "kernel" } else { "covariance" };
        let center = if params.center { "-center" } else { "" };
        let name = format!("{path}-intercept={}{center}-standardize={}", params.intercept, params.standardize);
        let order = if kernel { n - usize::from(params.intercept) } else { standard.kept.len() };
        let rows = if kernel { n } else { order };
        let kept = setup.cache.filter(|_| share.is_first()).and_then(|cache| cache.load(&name));
        let kept = kept.filter(|kept| kept.vectors.dim() == (rows, kept.values.len()) && kept.values.len() <= order);
        let kept = share.spectrum(kept)?;
        let is_new = kept.is_none();
        let keep = |spectrum: &Spectrum| match setup.cache {
            Some(cache) if is_new && share.is_first() => cache.store(&name, spectrum),
            _ => Ok(()),
        };
        let basis = if kernel {
            let x = x.rows(0..n)?;
            let spectrum = match kept {
                Some(spectrum) => spectrum,
                None => kernel_spectrum(x.view(), &standard, &roots, params.intercept, share)?,
            };
            keep(&spectrum)?;
            Basis::kernel(x.view(), &standard, &roots, params.intercept, spectrum)
        } else {
            let spectrum = match (kept, gram) {
                (Some(spectrum), _) => spectrum,
                (None, Some(gram)) => covariance_spectrum(gram.lower, n, share)?,
                (None, None) => covariance_spectrum(covariance(x, &standard, &roots, share)?, n, share)?,
            };
            keep(&spectrum)?;
            Basis::covariance(x, &standard, &roots, params.intercept, spectrum, share)?
        };
        let inverses = basis.inverses(&folds, &grid, share)?;
        let has_forms = setup.repeated_targets && !kernel && forms::apply(params, &folds);
        let forms = has_forms.then(|| Forms::new(&basis, &folds, &roots, &inverses, share)).transpose()?;
        let beyond = Mutex::default();
        Ok(Self { params: params.clone(), grid, folds, roots, standard, basis, inverses, forms, beyond })
    }

    /// Chooses a penalty for each target of `y` (n_samples × n_targets) and fits.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `y`; [`RegressError::Ungrouped`] for a design without folds.
    #[inline(never)]
    pub fn fit(&self, y: ArrayView2<'_, T>) -> Result<Ridge<T>, RegressError> {
        self.needs_folds()?;
        let width = self.task_width(y.ncols());
        match self.params.choice {
            AlphaChoice::PerTarget => self.fit_part(y, None, width),
            AlphaChoice::Shared => {
                let selection = self.choose_shared(&y, &vec![0; y.ncols()], y.ncols().max(1), None, &|_| {})?;
                self.fit_part(y, Some(&selection), width)
            }
        }
    }

    /// Fits some of the targets of a larger set: with the penalties of `selection`, one per target of this part, or with
    /// penalties chosen for each. `width` is the [`Design::task_width`] of the whole set.
    ///
    /// # Errors
    /// As [`Design::fit`].
    #[inline(never)]
    pub fn fit_part(
        &self,
        y: ArrayView2<'_, T>,
        selection: Option<&Selection>,
        width: usize,
    ) -> Result<Ridge<T>, RegressError> {
        self.accept(y)?;
        if let Some(selection) = selection {
            per_target("alpha", y.ncols(), selection.alpha.len())?;
        } else {
            self.needs_folds()?;
        }
        let (n_features, n_targets) = (self.standard.mean.len(), y.ncols());
        let mut weights = Array2::<T>::zeros((n_targets, n_features));
        let mut pieces = Vec::new();
        let mut rest = weights.view_mut();
        for columns in tasks(n_targets, width) {
            let (piece, tail) = rest.split_at(Axis(0), columns.len());
            pieces.push((columns, piece));
            rest = tail;
        }
        let parts: Vec<TaskResult> = pieces
            .into_par_iter()
            .map(|(columns, mut out)| {
                let (tile, projected) = self.tile(y, columns.clone());
                let selection = match selection {
                    Some(given) => given.part(columns),
                    None => self.choose(&tile, &projected),
                };
                let solved = self.basis.weights(projected, &selection.alpha);
                for (target, (mut out, solved)) in out.rows_mut().into_iter().zip(solved.rows()).enumerate() {
                    // Rounding of the mean would leave dust where the weights are 0.
                    if self.params.intercept && tile.constant[target] {
                        continue;
                    }
                    for (&feature, &value) in self.standard.kept.iter().zip(solved) {
                        out[feature] = value;
                    }
                }
                TaskResult { selection, intercept: tile.intercept, constant: tile.constant }
            })
            .collect();
        Ok(self.model(weights, parts, selection.is_none_or(|selection| !selection.cv_score.is_empty())))
    }

    /// Fits all targets of `y` (n_samples × n_targets) with the given penalties, one per target.
    ///
    /// # Errors
    /// Those of [`crate::RidgeCv::fit`] that concern `y` and the penalties.
    #[inline(never)]
    pub fn fit_fixed(&self, y: ArrayView2<'_, T>, alpha: &[f64]) -> Result<Ridge<T>, RegressError> {
        self.accept(y)?;
        per_target("alpha", y.ncols(), alpha.len())?;
        self.fit_part(y, Some(&self.fixed(alpha)?), self.task_width(y.ncols()))
    }

    /// Given penalties as a selection, checked.
    ///
    /// # Errors
    /// [`RegressError::Alphas`], and [`RegressError::SingularGram`] for a penalty of 0.
    pub fn fixed(&self, alpha: &[f64]) -> Result<Selection, RegressError> {
        if let Some(bad) = alpha.iter().find(|alpha| !alpha.is_finite() || **alpha < 0.0) {
            return Err(RegressError::Alphas { found: format!("`{bad}`") });
        }
        alpha.iter().try_for_each(|&alpha| self.basis.admits(alpha))?;
        Ok(Selection { alpha: alpha.to_vec(), cv_score: Vec::new(), edge: vec![Edge::Inside; alpha.len()] })
    }

    /// One penalty for all targets with the same label: the one with the best mean score over those of them that vary.
    ///
    /// Targets are read `step` at a time; `step` must be a multiple of [`Design::task_width`] of all of them, or all. A group
    /// whose best penalty is an end of the grid is tried with one more as often as the settings allow. `tick` hears how many
    /// targets were scored. Several processes score a share of the steps each.
    ///
    /// # Errors
    /// As [`Design::fit`], and failures to read.
    #[inline(never)]
    pub fn choose_shared(
        &self,
        y: &dyn Targets<T>,
        label_of_target: &[usize],
        step: usize,
        together: Option<&dyn Together>,
        tick: &dyn Fn(usize),
    ) -> Result<Selection, RegressError> {
        self.needs_folds()?;
        let share = Share(together);
        let n_targets = y.dim().1;
        per_target("labels", n_targets, label_of_target.len())?;
        let mut tables: Vec<(f64, Vec<f64>)> = Vec::new();
        let score = |alphas: &[f64], inverses: &Inverses<T>| -> Result<Vec<(f64, Vec<f64>)>, RegressError> {
            let mut rows: Vec<(f64, Vec<f64>)> = alphas.iter().map(|&alpha| (alpha, Vec::new())).collect();
            for (piece, columns) in tasks(n_targets, step).into_iter().enumerate() {
                let width = columns.len();
                if share.is_mine(piece) {
                    let part = y.columns(columns)?;
                    self.accept(part.view())?;
                    let scores = self.score_part(part.view(), alphas, inverses, self.task_width(n_targets));
                    rows.iter_mut().zip(scores.rows()).for_each(|((_, row), scores)| row.extend(scores));
                } else {
                    for (_, row) in &mut rows {
                        row.resize(row.len() + width, 0.0);
                    }
                }
                tick(width);
            }
            rows.iter_mut().try_for_each(|(_, row)| share.sum(row))?;
            Ok(rows)
        };
        tables.extend(score(&self.grid, &self.inverses)?);
        let (below, above) = self.params.beyond(&self.grid);
        let mut groups = Groups::new(label_of_target);
        groups.update(&tables);
        for (edge, beyond) in [(Edge::Low, below), (Edge::High, above)] {
            for alpha in beyond {
                if !groups.want(edge, &tables) {
                    break;
                }
                let Ok(inverses) = self.inverses_of(alpha) else { break };
                let rows = score(&[alpha], &inverses)?;
                let place = if edge == Edge::Low { 0 } else { tables.len() };
                tables.splice(place..place, rows);
                groups.update(&tables);
            }
        }
        let chosen: Vec<usize> = label_of_target.iter().map(|label| groups.best[label]).collect();
        Ok(Selection {
            alpha: chosen.iter().map(|&row| tables[row].0).collect(),
            cv_score: chosen.iter().enumerate().map(|(target, &row)| tables[row].1[target]).collect(),
            edge: chosen.iter().map(|&row| edge_of(row, tables.len())).collect(),
        })
    }

    /// Held-out scores of every penalty (ascending) and target: n_alphas × n_targets. Constant targets score 0.
    ///
    /// # Errors
    /// Those of [`Design::fit`].
    #[inline(never)]
    pub fn scores(&self, y: ArrayView2<'_, T>) -> Result<Array2<f64>, RegressError> {
        self.accept(y)?;
        self.needs_folds()?;
        Ok(self.score_part(y, &self.grid, &self.inverses, self.task_width(y.ncols())))
    }

    fn score_part(&self, y: ArrayView2<'_, T>, grid: &[f64], inverses: &Inverses<T>, width: usize) -> Array2<f64> {
        let parts: Vec<Array2<f64>> = tasks(y.ncols(), width)
            .into_par_iter()
            .map(|columns| {
                let (tile, projected) = self.tile(y, columns);
                self.held_out(grid, inverses).scores(&tile, &projected, self.params.score, self.params.pooling)
            })
            .collect();
        let mut scores = Array2::zeros((grid.len(), y.ncols()));
        for (columns, part) in tasks(y.ncols(), width).into_iter().zip(parts) {
            scores.slice_mut(s![.., columns]).assign(&part);
        }
        scores
    }

    /// The penalties a fit chooses from, ascending; empty for a design without folds.
    pub fn grid(&self) -> &[f64] {
        &self.grid
    }

    /// Which matrix was decomposed; never [`Path::Auto`].
    pub fn path(&self) -> Path {
        if self.basis.is_kernel() { Path::Kernel } else { Path::Covariance }
    }

    /// Number of directions the samples span.
    pub fn n_directions(&self) -> usize {
        self.basis.z.ncols()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.standard.mean.len()
    }

    /// What is subtracted from each feature; zeros without an intercept.
    pub fn x_mean(&self) -> &ndarray::Array1<f64> {
        &self.standard.mean
    }

    /// What each feature is divided by.
    pub fn x_scale(&self) -> &ndarray::Array1<f64> {
        &self.standard.scale
    }

    /// Features that do not vary over the samples; their weights are 0.
    pub fn constant_features(&self) -> &[usize] {
        &self.standard.constant
    }

    /// Sets that are held out in turn.
    pub fn n_folds(&self) -> usize {
        self.folds.len()
    }

    /// Numerical rank of the samples after centring.
    pub fn rank(&self) -> usize {
        self.basis.rank
    }

    /// Condition number of the decomposed matrix with penalty `alpha` on its diagonal.
    pub fn condition(&self, alpha: f64) -> f64 {
        self.basis.condition(alpha)
    }

    /// How many targets one task works on when there are `n_targets` in all.
    pub fn task_width(&self, n_targets: usize) -> usize {
        columns_per_task(self.grid.len(), n_targets)
    }

    pub(crate) fn held_out<'a>(&'a self, grid: &'a [f64], inverses: &'a Inverses<T>) -> HeldOut<'a, T> {
        // Penalties beyond the grid have no forms.
        let forms = self.forms.as_ref().filter(|_| std::ptr::eq(inverses, &raw const self.inverses));
        HeldOut { basis: &self.basis, folds: &self.folds, roots: &self.roots, grid, inverses, forms }
    }

    /// A tile of targets, and Zᵀy of it.
    pub(crate) fn tile(&self, y: ArrayView2<'_, T>, columns: Range<usize>) -> (Tile<T>, Array2<T>) {
        let raw = y.slice(s![.., columns.clone()]);
        let mut tile = Tile::new(y, columns, &self.roots, self.params.intercept);
        if let Some(forms) = &self.forms {
            tile.find_sets(raw, &self.folds, &self.roots);
            if let Some(values) = &tile.by_set {
                let projected = forms.project(values.view());
                return (tile, projected);
            }
        }
        let projected = tile.project(&self.basis);
        (tile, projected)
    }

    pub(crate) fn needs_folds(&self) -> Result<(), RegressError> {
        if self.folds.is_empty() { Err(RegressError::Ungrouped) } else { Ok(()) }
    }

    pub(crate) fn accept(&self, y: ArrayView2<'_, T>) -> Result<(), RegressError> {
        same_rows("x", self.roots.len(), "y", y.nrows())?;
        all_finite("y", y)
    }

    pub(crate) fn inverses_of(&self, alpha: f64) -> Result<Arc<Inverses<T>>, RegressError> {
        let known = |beyond: &BTreeMap<u64, Arc<Inverses<T>>>| beyond.get(&alpha.to_bits()).map(Arc::clone);
        if let Some(inverses) = known(&self.beyond.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(inverses);
        }
        // Not held while working: a thread that waits for its share of this work may take up another task, which would wait
        // for the lock in turn. Two tasks may do the same work, with the same result.
        let inverses = Arc::new(self.basis.inverses(&self.folds, &[alpha], Share::default())?);
        let mut beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        beyond.insert(alpha.to_bits(), Arc::clone(&inverses));
        Ok(inverses)
    }

    /// A penalty for each target of a tile.
    fn choose(&self, tile: &Tile<T>, projected: &Array2<T>) -> Selection {
        let (score, pooling) = (self.params.score, self.params.pooling);
        let scores = self.held_out(&self.grid, &self.inverses).scores(tile, projected, score, pooling);
        let chosen: Vec<usize> = scores.axis_iter(Axis(1)).map(|column| best(column.iter().copied())).collect();
        let mut selection = Selection {
            alpha: chosen.iter().map(|&row| self.grid[row]).collect(),
            cv_score: chosen.iter().enumerate().map(|(target, &row)| scores[(row, target)]).collect(),
            edge: chosen.iter().map(|&row| edge_of(row, self.grid.len())).collect(),
        };
        for (target, constant) in tile.constant.iter().enumerate() {
            if *constant {
                // Constant targets have no optimum, so they stand at no edge.
                selection.edge[target] = Edge::Inside;
            }
        }
        let (below, above) = self.params.beyond(&self.grid);
        for (edge, beyond) in [(Edge::Low, below), (Edge::High, above)] {
            for alpha in beyond {
                let active: Vec<usize> = (0..chosen.len()).filter(|&target| selection.edge[target] == edge).collect();
                if active.is_empty() {
                    break;
                }
                let Ok(inverses) = self.inverses_of(alpha) else { break };
                let tile = tile.select(&active);
                let projected = projected.select(Axis(0), &active).as_standard_layout().into_owned();
                let scores = self.held_out(&[alpha], &inverses).scores(&tile, &projected, score, pooling);
                for (&target, &score) in active.iter().zip(scores.row(0)) {
                    let old = selection.cv_score[target];
                    // Among equal scores the largest penalty wins, as within the grid.
                    if score > old || (edge == Edge::High && score == old) {
                        selection.alpha[target] = alpha;
                        selection.cv_score[target] = score;
                    } else {
                        selection.edge[target] = Edge::Inside;
                    }
                }
            }
        }
        selection
    }

    fn model(&self, weights: Array2<T>, parts: Vec<TaskResult>, is_scored: bool) -> Ridge<T> {
        let mut selection = Selection { alpha: Vec::new(), cv_score: Vec::new(), edge: Vec::new() };
        let (mut intercept, mut constant) = (Vec::new(), Vec::new());
        for part in parts {
            selection.alpha.extend(part.selection.alpha);
            selection.cv_score.extend(part.selection.cv_score);
            selection.edge.extend(part.selection.edge);
            intercept.extend(part.intercept);
            constant.extend(part.constant);
        }
        for (edge, constant) in selection.edge.iter_mut().zip(&constant) {
            if *constant {
                *edge = Edge::Inside;
            }
        }
        let count = |wanted: Edge| selection.edge.iter().filter(|edge| **edge == wanted).count();
        let smallest = selection.alpha.iter().copied().fold(f64::INFINITY, f64::min);
        let report = FitReport {
            n_samples: self.roots.len(),
            n_groups: self.folds.len(),
            path: self.path(),
            edge_low: if is_scored { count(Edge::Low) } else { 0 },
            edge_high: if is_scored { count(Edge::High) } else { 0 },
            rank: self.basis.rank,
            condition: self.basis.condition(smallest),
            constant_features: self.standard.constant.clone(),
            constant_targets: (0..constant.len()).filter(|&target| constant[target]).collect(),
        };
        Ridge {
            weights: weights.reversed_axes(),
            intercept: intercept.into_iter().map(T::from_f64).collect(),
            alpha: selection.alpha,
            cv_score: selection.cv_score,
            edge: selection.edge,
            x_mean: self.standard.mean.clone(),
            x_scale: self.standard.scale.clone(),
            report,
        }
    }
}

/// Refuses correlations of held-out predictions in f32: a prediction is a target less its residual, and with large penalties
/// what is left of the difference in f32 is rounding.
pub(crate) fn scored_in<T: Real>(params: &RidgeParams, is_scored: bool) -> Result<(), RegressError> {
    if is_scored && params.score == Score::Pearson && T::is_single() {
        return Err(RegressError::Setting {
            what: "held-out correlations are asked for in single precision".to_owned(),
            expected: "f64".to_owned(),
            remedy: "prepare the design in f64, or use `RidgeCv`, which does",
        });
    }
    Ok(())
}

pub(crate) fn per_target(list: &'static str, expected: usize, got: usize) -> Result<(), RegressError> {
    if expected == got { Ok(()) } else { Err(RegressError::PerTarget { list, expected, got }) }
}
