//! Gram matrices and their eigendecompositions, in f64.

use std::ops::Range;

use faer::diag::{DiagMut, DiagRef};
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::{LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::inverse::{inverse as inverse_of_factor, inverse_scratch};
use faer::linalg::evd::tridiagonal_self_adjoint_evd;
use faer::linalg::householder::apply_block_householder_sequence_on_the_left_in_place_with_conj;
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::prelude::ReborrowMut;
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par, Spec};
use ndarray::{Array2, Axis, ShapeBuilder};
use rayon::prelude::*;

use super::number::Real;
use super::product::matrix;
use super::tridiagonal::reduce;
use crate::error::RegressError;
use crate::together::Share;

/// Rows of a parallel panel of the Gram matrix.
const PANEL: usize = 256;
/// Inner dimension summed per pass.
pub(crate) const INNER: usize = 512;
/// Orders below which the eigensolver is one task.
const ONE_TASK_BELOW: usize = 256;
/// Tasks that the eigensolver is cut into, whatever the number of threads, so that its bits do not depend on it.
const EIGEN_TASKS: usize = 4;

/// The lower triangle of Σ BᵀB over blocks B, of all shares together; the upper triangle is left unspecified.
///
/// # Shapes
/// `block(start..end)` returns (end − start) × order, contiguous by rows or by columns, for ranges that cover 0..n_inner.
pub(crate) fn gram(
    order: usize,
    n_inner: usize,
    share: Share<'_>,
    block: impl Fn(Range<usize>) -> Result<Array2<f64>, RegressError>,
) -> Result<Array2<f64>, RegressError> {
    let mut gram = Array2::<f64>::zeros((order, order));
    for start in (0..n_inner).step_by(INNER).filter(|start| share.is_mine(start / INNER)) {
        let block = block(start..(start + INNER).min(n_inner))?;
        let block = matrix(block.view());
        // One panel per task: the last ones are the longest.
        let panels = gram.axis_chunks_iter_mut(Axis(0), PANEL).into_par_iter().enumerate().with_max_len(1);
        panels.for_each(|(panel_idx, mut panel)| {
            let rows = panel.nrows();
            let first = panel_idx * PANEL;
            // By columns, which the product walks down for every few of its results.
            let left = block.subcols(first, rows).to_owned();
            let panel = panel.as_slice_mut().expect("row panels are contiguous");
            let panel = MatMut::from_row_major_slice_mut(panel, rows, order).subcols_mut(0, first + rows);
            matmul(panel, Accum::Add, left.transpose(), block.subcols(0, first + rows), 1.0, Par::Seq);
        });
    }
    share.sum(gram.as_slice_mut().expect("freshly allocated arrays are contiguous"))?;
    Ok(gram)
}

/// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix given by its lower triangle, which is used up:
/// three matrices of its order are held at the peak beside it.
///
/// # Errors
/// [`RegressError::Decomposition`] when the iteration does not converge.
pub(crate) fn eigen(mut lower: Array2<f64>) -> Result<(Vec<f64>, Array2<f64>), RegressError> {
    let order = lower.nrows();
    let par = if order < ONE_TASK_BELOW { Par::Seq } else { Par::rayon(EIGEN_TASKS) };
    let mut values = vec![0.0; order];
    let mut vectors = Array2::<f64>::zeros((order, order).f());
    if order == 1 {
        vectors[(0, 0)] = 1.0;
        return Ok((vec![lower[(0, 0)]], vectors));
    }
    // The reduction wants columns: the upper triangle of the rows is the lower triangle of the columns.
    mirror(&mut lower);
    let slice = lower.as_slice_memory_order_mut().expect("Gram matrices are contiguous");
    let block = recommended_block_size::<f64>(order, order);
    let mut reflectors = Mat::<f64>::zeros(block, order - 1);
    reduce(slice, order, reflectors.as_mut());
    let reduced = MatRef::from_column_major_slice(slice, order, order);
    let diagonal: Vec<f64> = (0..order).map(|i| reduced[(i, i)]).collect();
    let beside: Vec<f64> = (0..order - 1).map(|i| reduced[(i + 1, i)]).collect();
    // Divide and conquer works in two matrices and a dozen vectors.
    let mut memory = MemBuffer::new(StackReq::new::<f64>(2 * order * order + 64 * order + 4096));
    let slice = vectors.as_slice_memory_order_mut().expect("freshly allocated arrays are contiguous");
    let mut columns = MatMut::from_column_major_slice_mut(slice, order, order);
    tridiagonal_self_adjoint_evd(
        DiagRef::from_slice(&diagonal),
        DiagRef::from_slice(&beside),
        DiagMut::from_slice_mut(&mut values),
        Some(columns.rb_mut()),
        par,
        MemStack::new(&mut memory),
        Spec::default(),
    )
    .map_err(|_| RegressError::Decomposition { order })?;
    apply_block_householder_sequence_on_the_left_in_place_with_conj(
        reduced.submatrix(1, 0, order - 1, order - 1),
        reflectors.as_ref(),
        Conj::No,
        columns.subrows_mut(1, order - 1),
        par,
        MemStack::new(&mut memory),
    );
    Ok((values, vectors))
}

/// Copies the lower triangle to the upper one.
pub(crate) fn mirror(square: &mut Array2<f64>) {
    for_tiles(square.nrows(), |rows, columns| {
        for i in rows {
            for j in columns.start..columns.end.min(i) {
                square[(j, i)] = square[(i, j)];
            }
        }
    });
}

/// Rows and columns of the tiles that cover the lower triangle of a matrix, the diagonal included: a whole column of a large matrix
/// misses the cache at every row.
fn for_tiles(order: usize, mut visit: impl FnMut(Range<usize>, Range<usize>)) {
    const TILE: usize = 64;
    for i in (0..order).step_by(TILE) {
        for j in (0..=i).step_by(TILE) {
            visit(i..(i + TILE).min(order), j..(j + TILE).min(order));
        }
    }
}

/// Sets eigenvalues that are zero up to rounding (below order · ε · largest) to exactly 0 and returns how many are not.
pub(crate) fn clear_null(values: &mut [f64], order: usize) -> usize {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let tolerance = largest * order as f64 * f64::EPSILON;
    let mut rank = 0;
    for value in values.iter_mut() {
        if *value <= tolerance {
            *value = 0.0;
        } else {
            rank += 1;
        }
    }
    rank
}

/// Inverse of a symmetric positive definite matrix given by its upper triangle in row-major layout, on the calling thread, or
/// `None` when it is not positive definite. Two more matrices of its order are held at the peak. The result is rounded to the
/// precision of `T`.
///
/// `smallest_pivot` is the pivot below which the matrix counts as singular.
pub(crate) fn inverse<T: Real>(mut upper: Array2<f64>, smallest_pivot: f64) -> Option<Vec<T>> {
    let order = upper.nrows();
    if order == 1 {
        // Leaving single samples out asks for very many of these.
        let pivot = upper[(0, 0)];
        return (pivot > smallest_pivot).then(|| vec![T::from_f64(1.0 / pivot)]);
    }
    let slice = upper.as_slice_mut().expect("matrices to invert are in row-major layout");
    // The lower triangle of its columns.
    let mut factor = MatMut::from_column_major_slice_mut(slice, order, order);
    let needed = cholesky_in_place_scratch::<f64>(order, Par::Seq, Spec::default());
    let mut memory = MemBuffer::new(needed.or(inverse_scratch::<f64>(order, Par::Seq)));
    let stack = MemStack::new(&mut memory);
    cholesky_in_place(factor.rb_mut(), LltRegularization::default(), Par::Seq, stack, Spec::default()).ok()?;
    if (0..order).any(|i| factor[(i, i)] * factor[(i, i)] <= smallest_pivot) {
        return None;
    }
    let mut lower = Mat::<f64>::zeros(order, order);
    inverse_of_factor(lower.as_mut(), factor.as_ref(), Par::Seq, stack);
    let mut out = vec![T::zero(); order * order];
    for_tiles(order, |rows, columns| {
        for i in rows {
            for j in columns.start..columns.end.min(i + 1) {
                let value = T::from_f64(lower[(i, j)]);
                out[i * order + j] = value;
                out[j * order + i] = value;
            }
        }
    });
    Some(out)
}

/// Solution of a symmetric positive definite system, or `None` when it is not positive definite.
pub(crate) fn solve(system: &Array2<f64>, right: &Array2<f64>) -> Option<Array2<f64>> {
    use faer::linalg::solvers::Solve;
    let order = system.nrows();
    let factor = matrix(system.view()).llt(faer::Side::Lower).ok()?;
    let lower = factor.L();
    // A pivot that is what rounding leaves of the diagonal determines nothing.
    let determined = (0..order).all(|i| lower[(i, i)].powi(2) > f64::EPSILON * order as f64 * system[(i, i)].abs());
    determined.then(|| {
        let solution = factor.solve(matrix(right.view()));
        Array2::from_shape_fn(right.dim(), |(i, j)| solution[(i, j)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_small_matrix_decomposes() {
        let (values, vectors) = eigen(array![[2.0, 0.0], [1.0, 2.0]]).expect("converges");
        assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
        assert!((vectors[(0, 1)].abs() - 0.5f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn gram_of_blocks_is_the_lower_triangle_of_the_product() {
        let x = Array2::from_shape_fn((700, 150), |(i, j)| ((i * 31 + j * 17) % 23) as f64 - 11.0);
        let gram =
            gram(150, 700, Share::default(), |rows| Ok(x.slice(ndarray::s![rows, ..]).to_owned())).expect("in memory");
        let expected = x.t().dot(&x);
        for i in 0..150 {
            for j in 0..=i {
                assert_eq!(gram[(i, j)], expected[(i, j)]);
            }
        }
    }

    #[test]
    fn inverse_refuses_a_singular_matrix() {
        assert!(inverse::<f64>(array![[1.0, 1.0], [1.0, 1.0]], 1e-11).is_none());
        assert!(inverse::<f64>(array![[1e-12]], 1e-11).is_none());
        assert_eq!(inverse::<f32>(array![[4.0]], 1e-11), Some(vec![0.25]));
    }

    #[test]
    fn inverse_is_whole_and_reads_the_upper_triangle_alone() {
        for order in [2, 5, 64, 131] {
            let entry = |i: usize, j: usize| {
                f64::from(u8::from(i == j)) * 40.0 + ((i.max(j) * 5 + i.min(j) * 3) % 13) as f64 / 13.0
            };
            let upper = Array2::from_shape_fn((order, order), |(i, j)| if j < i { f64::NAN } else { entry(i, j) });
            let found = Array2::from_shape_vec((order, order), inverse::<f64>(upper, 1e-11).expect("definite"));
            let product = found.expect("as many").dot(&Array2::from_shape_fn((order, order), |(i, j)| entry(i, j)));
            assert!((product - Array2::<f64>::eye(order)).iter().all(|difference| difference.abs() < 1e-13), "{order}");
        }
    }
}
