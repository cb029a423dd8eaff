//! What a fit costs before it is begun: operations, memory, and how fast plain matrix products are here.
//!
//! Counts are of the algorithm as written, one multiplication and one addition being two operations, an eigendecomposition
//! 9 times the cube of its order; held-out sums are counted penalty by penalty, though a few functions make them all. The
//! floor of a fit is its operations at the rate of a plain product of the same precision on the same threads.

use std::ops::Range;
use std::time::Instant;

use ndarray::Array2;
use rayon::prelude::*;

use crate::folds::Folds;
use crate::params::RidgeParams;
use crate::solver::blocks::{BLOCK_ROWS, PANEL as BLOCK_PANEL, penalties_together};
use crate::solver::forms;
use crate::solver::mixing::FUNCTIONS_PER_PENALTY;
use crate::solver::number::Real;
use crate::solver::product::multiply;
use crate::solver::standard::ROWS_PER_READ;

/// The size of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of samples.
    pub n_samples: usize,
    /// Number of features.
    pub n_features: usize,
    /// Number of targets.
    pub n_targets: usize,
}

/// Operations by the precision they are made in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Operations {
    /// In f64 whatever the precision of the fit: Gram matrix, decomposition, inverses of blocks.
    pub double: f64,
    /// In the precision of the fit.
    pub single: f64,
}

/// Bytes held at the peak of each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Gram matrix and decomposition.
    pub decompose: u64,
    /// Samples in the directions found.
    pub directions: u64,
    /// The design as it stays, with group blocks, and what tasks need beside the targets.
    pub design: u64,
    /// More for every target held at a time.
    pub per_target: u64,
}

/// Operations of a fit that chooses a penalty (or, without `folds`, that is given one).
pub fn operations(size: Size, params: &RidgeParams, folds: Option<&Folds>) -> Operations {
    let (n, p, t) = (size.n_samples as f64, size.n_features as f64, size.n_targets as f64);
    let kernel = params.takes_kernel(size.n_samples, size.n_features, folds.map_or(0, Folds::largest));
    let (order, inner) = if kernel { (n, p) } else { (p, n) };
    // Counted as if no direction were so short that it takes f64.
    let directions = if kernel { 0.0 } else { 2.0 * n * p * p };
    let mut operations = Operations {
        double: inner * order * order + 9.0 * order.powi(3),
        // Samples in their directions; projection of targets; weights, on the kernel path by way of the samples.
        single: directions
            + 2.0 * n * order * t
            + if kernel { 2.0 * n * n * t + 2.0 * n * p * t } else { 2.0 * p * p * t },
    };
    if let Some(folds) = folds {
        let alphas = params.alphas.len() as f64;
        let held_out: f64 = folds.ranges.iter().map(|range| range.len() as f64).sum();
        let squares = folds.block_elements() as f64;
        let cubes: f64 = folds.ranges.iter().map(|range| (range.len() as f64).powi(3)).sum();
        operations.single +=
            2.0 * held_out * order * t * alphas + 2.0 * squares * t * alphas + squares * order * alphas;
        operations.double += 2.0 * cubes * alphas;
    }
    operations
}

/// Functions that make all penalties of a grid, about.
const FEW: f64 = 4.5;
/// How much work [`crate::Setup::repeated_targets`] must save for each operation of its making.
const WORTH: f64 = 1.25;

/// Whether squared errors from one number per set are possible and less work for `n_targets` targets than residuals of samples.
pub fn repeats_pay(size: Size, params: &RidgeParams, folds: &Folds) -> bool {
    if params.takes_kernel(size.n_samples, size.n_features, folds.largest()) || !forms::apply(params, folds) {
        return false;
    }
    let (n, p, t) = (size.n_samples as f64, size.n_features as f64, size.n_targets as f64);
    let (sets, alphas) = (folds.len() as f64, params.alphas.len() as f64);
    let few = alphas.min(FEW);
    let saved = 2.0 * n * p * (1.0 + few) - 2.0 * sets * p - sets * sets * alphas;
    saved * t > WORTH * sets * (2.0 * n * p * few + n * sets * alphas)
}

/// The same fit's operations and memory with [`crate::Setup::repeated_targets`].
pub fn with_repeats<T: Real>(
    size: Size,
    params: &RidgeParams,
    folds: &Folds,
    n_threads: usize,
) -> (Operations, Memory) {
    let (n, p, t) = (size.n_samples as f64, size.n_features as f64, size.n_targets as f64);
    let (sets, alphas) = (folds.len() as f64, params.alphas.len() as f64);
    let mut operations = operations(size, params, Some(folds));
    let all = operations.single - 2.0 * n * p * t * (1.0 + alphas) - 2.0 * folds.block_elements() as f64 * t * alphas;
    operations.single = all + sets * alphas * (2.0 * n * p + n * sets) + t * (2.0 * sets * p + sets * sets * alphas);
    let mut memory = memory::<T>(size, params, Some(folds), n_threads);
    let (n_sets, n_alphas) = (folds.len() as u64, params.alphas.len() as u64);
    let panels = n_alphas * n_sets * (n_sets + forms::PANEL as u64) / 2 + n_sets * size.n_features as u64;
    let task = forms::ROWS_PER_TASK as u64 * FEW as u64 * (n_sets + size.n_features as u64);
    let making = forms::ROWS as u64 * n_alphas * n_sets + n_threads as u64 * task;
    memory.design += size_of::<T>() as u64 * (panels + making);
    (operations, memory)
}

/// Memory of a design and of fits on it with `n_threads` threads. Samples that the caller holds come on top.
pub fn memory<T: Real>(size: Size, params: &RidgeParams, folds: Option<&Folds>, n_threads: usize) -> Memory {
    let (n, p) = (size.n_samples as u64, size.n_features as u64);
    let float = size_of::<T>() as u64;
    let kernel = params.takes_kernel(size.n_samples, size.n_features, folds.map_or(0, Folds::largest));
    let order = if kernel { n } else { p };
    let n_alphas = if folds.is_some() { params.alphas.len() as u64 } else { 0 };
    // The kernel path holds all samples as read.
    let read =
        if kernel { float * n * p + 8 * ROWS_PER_READ as u64 * n } else { ROWS_PER_READ as u64 * p * (float + 8) };
    // Matrix, vectors, and two matrices of working space; reflectors 128 deep.
    let decompose = 4 * 8 * order * order + 8 * 128 * order + read;
    let standing = float * (n * order + order * p);
    let directions = if kernel {
        8 * n * n + standing + read
    } else {
        // Rows and their products, in the precision of the fit and, where directions are short, in f64.
        8 * p * p + standing + read + ROWS_PER_READ as u64 * (float * p + (float + 8) * order)
    };
    let blocks = folds.map_or(0, |folds| folds.block_elements() as u64) * n_alphas * float;
    let largest = folds.map_or(0, |folds| folds.largest() as u64);
    let n_functions = FUNCTIONS_PER_PENALTY as u64 * n_alphas;
    // Blocks of one large group for some penalties, in f64, and two more matrices for each that is being inverted; before them,
    // sums for all functions, of a panel for each thread.
    let together = n_alphas.min(penalties_together(largest as usize) as u64);
    let inverting = 8 * largest * largest * (together + 2 * together.min(n_threads as u64))
        + float * largest * order
        + n_threads as u64 * 8 * BLOCK_PANEL as u64 * largest * n_functions;
    let width = columns_per_task(n_alphas as usize, size.n_targets) as u64;
    let block = largest.max(BLOCK_ROWS as u64).min(n);
    // Residuals for all penalties and those corrected for one, and before them sums for some rows and all functions.
    let residuals = block * width * (n_alphas + 1) + BLOCK_ROWS as u64 * width * n_functions;
    let task = float * (width * n + (n_alphas + 3) * width * order + residuals) + float * BLOCK_ROWS as u64 * order;
    let tasks = n_threads as u64 * task;
    Memory {
        decompose,
        directions,
        design: standing + blocks + inverting.max(tasks),
        // The targets as read and as handed over, the weights and their copy in units of the features.
        per_target: float * (2 * n + 2 * p),
    }
}

/// How many targets one task works on when there are `n_targets` in all: [`crate::Design::task_width`] before there is a design.
pub fn task_width(params: &RidgeParams, n_targets: usize) -> usize {
    let n_alphas = params.grid().map_or(0, |grid| grid.len());
    columns_per_task(n_alphas, n_targets)
}

/// Operations per second of plain products on all threads of the current pool, in the precision of `T`: the best of some tries,
/// which take about `seconds` in all.
pub fn product_rate<T: Real>(seconds: f64) -> f64 {
    const ORDER: usize = 768;
    let n_tasks = 2 * rayon::current_num_threads();
    let a = Array2::<T>::from_elem((ORDER, ORDER), T::from_f64(0.5));
    let mut out = vec![Array2::<T>::zeros((ORDER, ORDER)); n_tasks];
    let mut best = 0f64;
    let begin = Instant::now();
    let mut tries = 0;
    while tries < 2 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        out.par_iter_mut().for_each(|out| multiply(out.view_mut(), a.view(), a.view(), false));
        let operations = 2.0 * (ORDER as f64).powi(3) * n_tasks as f64;
        best = best.max(operations / start.elapsed().as_secs_f64());
        tries += 1;
    }
    best
}

/// Columns of stacked penalties × targets of one task. Every product of a task passes over the whole basis, over all weights'
/// directions or over a group's inverse: it takes this many columns to be worth laying those out for the kernel.
const STACKED_COLUMNS: usize = 2560;

/// Targets that one task works on: enough for a good product, few enough that every thread has a task. It depends on the
/// numbers of penalties and targets alone.
pub(crate) fn columns_per_task(n_alphas: usize, n_targets: usize) -> usize {
    let stacked = (STACKED_COLUMNS / n_alphas.max(8)).max(16);
    n_targets.div_ceil(8).clamp(16, stacked)
}

/// Runs of `width` targets.
pub(crate) fn tasks(n_targets: usize, width: usize) -> Vec<Range<usize>> {
    (0..n_targets).step_by(width.max(1)).map(|start| start..(start + width).min(n_targets)).collect()
}
