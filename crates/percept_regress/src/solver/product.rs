//! Matrix products whose bits do not depend on the number of threads.
//!
//! Every product runs on one thread; larger ones are cut into row panels whose sizes depend on the shape alone, and
//! the panels run in parallel. Views must be contiguous, by rows or by columns.

use faer::{Accum, MatMut, MatRef};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::number::Real;

/// The view as a matrix of the linear algebra library.
pub(crate) fn matrix<T: Real>(view: ArrayView2<'_, T>) -> MatRef<'_, T> {
    let (rows, columns) = view.dim();
    if let Some(slice) = view.to_slice() {
        return MatRef::from_row_major_slice(slice, rows, columns);
    }
    let slice = view.reversed_axes().to_slice().expect("operands of products are contiguous");
    MatRef::from_column_major_slice(slice, rows, columns)
}

/// out = a · b, or out += a · b, on the calling thread.
///
/// # Shapes
/// `a` m × k, `b` k × n, `out` m × n in row-major layout.
pub(crate) fn multiply<T: Real>(
    mut out: ArrayViewMut2<'_, T>,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    accumulate: bool,
) {
    let (rows, columns) = out.dim();
    let accum = if accumulate { Accum::Add } else { Accum::Replace };
    let slice = out.as_slice_mut().expect("results of products are in row-major layout");
    T::product(MatMut::from_row_major_slice_mut(slice, rows, columns), accum, matrix(a), matrix(b));
}

/// out = a[.., columns] · b, on the calling thread.
///
/// # Shapes
/// `a` m × k in row-major layout, `b` (columns) × n, `out` m × n in row-major layout.
pub(crate) fn multiply_columns<T: Real>(
    out: &mut [T],
    a: ArrayView2<'_, T>,
    columns: std::ops::Range<usize>,
    b: ArrayView2<'_, T>,
) {
    let out = MatMut::from_row_major_slice_mut(out, a.nrows(), b.ncols());
    T::product(out, Accum::Replace, matrix(a).subcols(columns.start, columns.len()), matrix(b));
}

/// a · b on all threads of the current pool.
///
/// # Shapes
/// `a` m × k in row-major layout, `b` k × n; result m × n.
pub(crate) fn multiply_parallel<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    if b.ncols() > a.nrows() {
        let mut out = Array2::zeros((a.nrows(), b.ncols()));
        // Cut where it is longer: each piece packs the whole of the other matrix.
        let width = panel_columns(b.ncols());
        let b = matrix(b);
        let slice = out.as_slice_mut().expect("freshly allocated arrays are contiguous");
        let columns = MatMut::from_row_major_slice_mut(slice, a.nrows(), b.ncols());
        columns.par_col_chunks_mut(width).enumerate().for_each(|(piece, out)| {
            let b = b.subcols(piece * width, out.ncols());
            T::product(out, Accum::Replace, matrix(a), b);
        });
        return out;
    }
    multiply_leading(a, b, b.ncols())
}

/// a · b[.., ..columns] on all threads of the current pool.
///
/// # Shapes
/// `a` m × k in row-major layout, `b` k × (at least `columns`); result m × `columns`.
pub(crate) fn multiply_leading<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, columns: usize) -> Array2<T> {
    let mut out = Array2::zeros((a.nrows(), columns));
    let b = matrix(b).subcols(0, columns);
    let panel = panel_rows(a.nrows());
    out.axis_chunks_iter_mut(Axis(0), panel).into_par_iter().zip(a.axis_chunks_iter(Axis(0), panel)).for_each(
        |(mut out, a)| {
            let slice = out.as_slice_mut().expect("row panels are contiguous");
            let out = MatMut::from_row_major_slice_mut(slice, a.nrows(), columns);
            T::product(out, Accum::Replace, matrix(a), b);
        },
    );
    out
}

/// Columns per parallel panel.
fn panel_columns(columns: usize) -> usize {
    columns.div_ceil(8).clamp(32, 512)
}

/// Rows per parallel panel: about eight panels, but neither so thin that packing dominates nor so thick that threads idle.
pub(crate) fn panel_rows(rows: usize) -> usize {
    rows.div_ceil(8).clamp(32, 256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn both_layouts_multiply_alike() {
        let (a, b) = (array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], array![[1.0, 0.0], [2.0, -1.0], [0.5, 3.0]]);
        let expected = array![[6.5, 7.0], [17.0, 13.0]];
        assert_eq!(multiply_parallel::<f64>(a.view(), b.view()), expected);
        let by_columns = b.t().as_standard_layout().into_owned();
        assert_eq!(multiply_parallel::<f64>(a.view(), by_columns.t()), expected);
        let mut out = expected.clone();
        multiply(out.view_mut(), a.view(), b.view(), true);
        assert_eq!(out, expected * 2.0);
    }
}
