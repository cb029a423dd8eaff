//! Reduction of a symmetric matrix to tridiagonal form by Householder reflections, a panel of columns at a time.
//!
//! A column's reflection needs the product of the rest of the matrix with one vector, which waits for memory. Within a panel
//! the matrix is therefore only read, its lower triangle once for each column; what the panel's reflections change is kept
//! as two thin matrices and added at the panel's end by matrix products (Dongarra, Sorensen & Hammarling 1989, J. Comput.
//! Appl. Math. 27, 215). Changing the matrix at each column instead, as the linear algebra library does, moves twice the
//! bytes.
//!
//! Work is cut into pieces that depend on the order alone, so that its bits do not depend on the number of threads.

use faer::linalg::householder::{make_householder_in_place, upgrade_householder_factor};
use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::{Accum, ColMut, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::vectors::{TOGETHER, dot2, subtract2, symmetric_product};

/// Columns reduced before the rest of the matrix is changed.
const PANEL: usize = 32;
/// Pieces of the product of the matrix and a vector.
const PIECES: usize = 8;
/// Orders below which handing out pieces costs more than it saves.
const ONE_PIECE_BELOW: usize = 256;
/// Columns changed by one task at the end of a panel.
const CHANGED: usize = 128;

/// Reduces the matrix in the lower triangle of `columns` (order × order, column after column). Afterwards its diagonal and
/// what lies below hold the tridiagonal matrix, and below those lie the essential parts of the reflectors; their block
/// factors are in `factors` (block × order − 1), all as the linear algebra library keeps them. The upper triangle is used up.
pub(super) fn reduce(columns: &mut [f64], order: usize, mut factors: MatMut<'_, f64>) {
    let mut panel = Panel { both: vec![0.0; 2 * PANEL * order], order };
    let mut partial = vec![0.0; PIECES * order];
    for k in 0..order - 1 {
        let i = k % PANEL;
        let (reduced, rest) = columns.split_at_mut((k + 1) * order);
        let column = &mut reduced[k * order..];
        panel.bring_up_to_date(i, k, &mut column[k..]);
        let (head, tail) = column[k + 1..].split_first_mut().expect("the last column is not reduced");
        let tau = make_householder_in_place(head, ColMut::from_slice_mut(tail)).tau;
        factors[(0, k)] = tau;
        let (v, w) = panel.pair(i, k + 1);
        v[0] = 1.0;
        v[1..].copy_from_slice(tail);
        multiply(&rest[k + 1..], order, v, w, &mut partial);
        panel.finish(i, k + 1, tau);
        if i + 1 == PANEL {
            panel.change(rest, k + 1);
        }
    }
    panel.bring_up_to_date((order - 1) % PANEL, order - 1, &mut columns[order * order - 1..]);
    let columns = MatRef::from_column_major_slice(columns, order, order);
    join(columns.submatrix(1, 0, order - 1, order - 1), factors.rb_mut());
}

/// Makes block factors of the single ones in the first row of `factors`.
fn join(essentials: MatRef<'_, f64>, mut factors: MatMut<'_, f64>) {
    let (n, block) = (essentials.ncols(), factors.nrows());
    for start in (0..n).step_by(block) {
        let size = block.min(n - start);
        let mut factor = factors.rb_mut().submatrix_mut(0, start, size, size);
        for k in 0..size {
            factor[(k, k)] = factor[(0, k)];
        }
        upgrade_householder_factor(factor, essentials.submatrix(start, start, n - start, size), size, 1, Par::Seq);
    }
}

/// What the reflections of a panel change: the matrix becomes A − V Wᵀ − W Vᵀ. Column i belongs to the panel's i-th
/// reflection and is valid below the row of its column of the matrix.
struct Panel {
    /// V, then W: order × [`PANEL`] each, column after column.
    both: Vec<f64>,
    order: usize,
}

impl Panel {
    /// Columns `i` of V and W from row `first` on.
    fn pair(&mut self, i: usize, first: usize) -> (&mut [f64], &mut [f64]) {
        let (v, w) = self.both.split_at_mut(PANEL * self.order);
        let rows = i * self.order + first..(i + 1) * self.order;
        (&mut v[rows.clone()], &mut w[rows])
    }

    /// The first `n` columns of V and W, each from row `first` on.
    fn pairs(&self, n: usize, first: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
        let (v, w) = self.both.split_at(PANEL * self.order);
        let columns = v.chunks_exact(self.order).zip(w.chunks_exact(self.order));
        columns.take(n).map(move |(v, w)| (&v[first..], &w[first..]))
    }

    /// Makes the first `i` changes of the panel to column `k` of the matrix, of which `column` is what lies at row k and below.
    fn bring_up_to_date(&self, i: usize, k: usize, column: &mut [f64]) {
        for (v, w) in self.pairs(i, k) {
            subtract2(column, [v, w], [w[0], v[0]]);
        }
    }

    /// Turns column `i` of W, which holds the product of the unchanged matrix with that of V, into what W is made of.
    fn finish(&mut self, i: usize, first: usize, tau: f64) {
        let (all_v, all_w) = self.both.split_at_mut(PANEL * self.order);
        let (earlier_v, v) = all_v.split_at(i * self.order);
        let (earlier_w, w) = all_w.split_at_mut(i * self.order);
        let (v, w) = (&v[first..self.order], &mut w[first..self.order]);
        for (earlier_v, earlier_w) in earlier_v.chunks_exact(self.order).zip(earlier_w.chunks_exact(self.order)) {
            let earlier = [&earlier_v[first..], &earlier_w[first..]];
            let [of_v, of_w] = dot2(v, earlier);
            subtract2(w, earlier, [of_w, of_v]);
        }
        for w in w.iter_mut() {
            *w /= tau;
        }
        let [along, _] = dot2(v, [&*w, &*w]);
        let half = 0.5 * along / tau;
        w.iter_mut().zip(v).for_each(|(w, v)| *w -= half * v);
    }

    /// Makes all changes of a whole panel to the columns from `first` on, which `rest` holds.
    fn change(&self, rest: &mut [f64], first: usize) {
        let order = self.order;
        let both = MatRef::from_column_major_slice(&self.both, order, 2 * PANEL);
        rest.par_chunks_mut(CHANGED * order).enumerate().for_each(|(chunk, columns)| {
            let (start, n) = (first + chunk * CHANGED, columns.len() / order);
            let mut swapped = vec![0.0; n * 2 * PANEL];
            for (column, swapped) in swapped.chunks_exact_mut(n).enumerate() {
                let from = (column + PANEL) % (2 * PANEL) * order + start;
                swapped.copy_from_slice(&self.both[from..from + n]);
            }
            matmul(
                MatMut::from_column_major_slice_mut(columns, order, n).subrows_mut(start, order - start),
                Accum::Add,
                both.subrows(start, order - start),
                MatRef::from_column_major_slice(&swapped, n, 2 * PANEL).transpose(),
                -1.0,
                Par::Seq,
            );
        });
    }
}

/// out = A x, where A is symmetric and given by its lower triangle, columns `stride` apart.
fn multiply(a: &[f64], stride: usize, x: &[f64], out: &mut [f64], partial: &mut [f64]) {
    let n = x.len();
    if n < ONE_PIECE_BELOW {
        out.fill(0.0);
        return symmetric_product(a, stride, 0..n, x, out);
    }
    // Equal areas of the triangle, cut at multiples of the columns that are read together.
    let start = |piece: usize| {
        let column = n as f64 * (1.0 - (1.0 - piece as f64 / PIECES as f64).sqrt());
        if piece == PIECES { n } else { (column as usize).next_multiple_of(TOGETHER).min(n) }
    };
    let partial = &mut partial[..PIECES * n];
    partial.par_chunks_exact_mut(n).enumerate().for_each(|(piece, out)| {
        let columns = start(piece)..start(piece + 1);
        out[columns.start..].fill(0.0);
        symmetric_product(a, stride, columns, x, out);
    });
    out.fill(0.0);
    for (piece, partial) in partial.chunks_exact(n).enumerate() {
        let first = start(piece);
        out[first..].iter_mut().zip(&partial[first..]).for_each(|(out, partial)| *out += partial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
    use faer::prelude::Reborrow;

    fn symmetric(order: usize) -> Mat<f64> {
        let values = percept_core::Seed::new(order as u64).normal(order * order);
        Mat::from_fn(order, order, |i, j| f64::from(values[i.max(j) * order + i.min(j)]))
    }

    #[test]
    fn reflections_are_those_of_the_library() {
        for order in [2, 3, 5, 32, 33, 34, 65, 131, 300] {
            let mut expected = symmetric(order);
            let block = 8;
            let mut expected_factors = Mat::zeros(block, order - 1);
            let mut memory = MemBuffer::new(tridiag_in_place_scratch::<f64>(order, Par::Seq, faer::Spec::default()));
            let stack = MemStack::new(&mut memory);
            tridiag_in_place(expected.as_mut(), expected_factors.as_mut(), Par::Seq, stack, faer::Spec::default());
            let matrix = symmetric(order);
            let mut columns: Vec<f64> = (0..order * order).map(|at| matrix[(at % order, at / order)]).collect();
            let mut factors = Mat::zeros(block, order - 1);
            reduce(&mut columns, order, factors.as_mut());
            for j in 0..order {
                for i in j..order {
                    let difference = columns[j * order + i] - expected[(i, j)];
                    assert!(difference.abs() < 1e-9, "order {order}, entry {i} {j}: {difference}");
                }
            }
            let difference = (factors.rb() - expected_factors.rb()).norm_max();
            assert!(difference < 1e-9 || order < 3, "order {order}: factors differ by {difference}");
        }
    }

    #[test]
    fn a_matrix_that_is_tridiagonal_stays_so() {
        let order = 40;
        let matrix: Mat<f64> = Mat::from_fn(order, order, |i, j| if i == j { i as f64 } else { 0.0 });
        let mut columns: Vec<f64> = (0..order * order).map(|at| matrix[(at % order, at / order)]).collect();
        let mut factors = Mat::zeros(8, order - 1);
        reduce(&mut columns, order, factors.as_mut());
        assert!((0..order).all(|i| columns[i * order + i] == i as f64));
        assert!(columns.iter().all(|value| value.is_finite()));
    }
}
