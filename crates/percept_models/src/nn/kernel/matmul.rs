//! Matrix products over strided slices: the one place that calls the `gemm` crate.

use std::sync::Once;

use gemm::Parallelism;

use super::is_parallel;

/// Multiplications below which handing a product to the thread pool costs more than it saves.
const PARALLEL_FROM: usize = 1 << 22;

/// An operand whose rows lie far apart is copied into the kernel's order for products of more than so many of its tiles. The
/// library's own 8 (16 with several threads) leaves the weights of a text encoder where they are for 77 tokens; a kernel that
/// reads them there keeps meeting the same few lines of the first cache, and takes twice as long on some processors.
const PACK_FROM_TILES: usize = 4;

fn pack_early() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gemm::set_lhs_packing_threshold_single_thread(PACK_FROM_TILES);
        gemm::set_lhs_packing_threshold_multi_thread(PACK_FROM_TILES);
    });
}

/// A matrix inside a slice: element (r, c) lies at `r * row_stride + c * col_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// Row-major with `stride` elements from one row to the next.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, row_stride: stride, col_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn t(self) -> Self {
        Self { data: self.data, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    fn last(&self, rows: usize, cols: usize) -> usize {
        (rows - 1) * self.row_stride + (cols - 1) * self.col_stride
    }
}

/// `dst = alpha · a · b`, or `dst += alpha · a · b` with `add`.
///
/// # Shapes
/// `dst` m × n with `dst_stride` elements from row to row, `a` m × k, `b` k × n.
pub(crate) fn matmul(
    [m, n, k]: [usize; 3],
    dst: &mut [f32],
    dst_stride: usize,
    add: bool,
    alpha: f32,
    a: Mat<'_>,
    b: Mat<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * dst_stride + n <= dst.len() && n <= dst_stride, "matrix product writes past its destination");
    if k == 0 {
        if !add {
            for row in dst.chunks_mut(dst_stride).take(m) {
                row[..n].fill(0.0);
            }
        }
        return;
    }
    assert!(a.last(m, k) < a.data.len() && b.last(k, n) < b.data.len(), "matrix product reads past its operands");
    pack_early();
    let parallelism = if m * n * k >= PARALLEL_FROM && is_parallel() {
        Parallelism::Rayon(rayon::current_num_threads())
    } else {
        Parallelism::None
    };
    // SAFETY: the assertions above keep the last element of each operand inside its slice; strides are non-negative,
    // so every other element lies before it; `dst` is borrowed mutably and therefore overlaps neither operand.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            dst_stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0f32,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_scale_add_and_transpose() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // 2 × 3
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 1.0]; // 3 × 2
        let mut c = [1.0f32; 4];
        matmul([2, 2, 3], &mut c, 2, true, 2.0, Mat::rows(&a, 3), Mat::rows(&b, 2));
        assert_eq!(c, [11.0, 11.0, 29.0, 23.0]);
        let mut d = [0.0f32; 9];
        matmul([3, 3, 2], &mut d, 3, false, 1.0, Mat::rows(&a, 3).t(), Mat::rows(&b, 2).t());
        assert_eq!(d, [1.0, 6.0, 4.0, 2.0, 9.0, 5.0, 3.0, 12.0, 6.0]);
    }
}
