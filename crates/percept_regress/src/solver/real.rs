//! The two precisions a fit can run in.

use ndarray::NdFloat;

/// `f32` or `f64`: the precision of the inputs, the big products and the weights. Gram matrices, decompositions, means
/// and scores are f64 in either.
pub trait Real: NdFloat + sealed::Element {
    /// Rounds to this precision.
    fn from_f64(value: f64) -> Self;
    /// Widens without loss.
    fn as_f64(self) -> f64;
}

impl Real for f32 {
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
    fn as_f64(self) -> f64 {
        self
    }
}

pub(crate) mod sealed {
    //! Keeps the set of precisions closed and the linear algebra library out of signatures.

    use faer::linalg::matmul::matmul;
    use faer::{Accum, MatMut, MatRef, Par};

    /// A number that the linear algebra library can multiply.
    pub trait Element: faer::traits::ComplexField {
        /// Adds left · right to the rows of `out`, which are `stride` long, in f64; the product itself is made in this precision.
        fn add_product(out: &mut [f64], stride: usize, left: MatRef<'_, Self>, right: MatRef<'_, Self>);
    }

    impl Element for f64 {
        fn add_product(out: &mut [f64], stride: usize, left: MatRef<'_, Self>, right: MatRef<'_, Self>) {
            let out = MatMut::from_row_major_slice_mut(out, left.nrows(), stride).subcols_mut(0, right.ncols());
            matmul(out, Accum::Add, left, right, 1.0, Par::Seq);
        }
    }

    impl Element for f32 {
        fn add_product(out: &mut [f64], stride: usize, left: MatRef<'_, Self>, right: MatRef<'_, Self>) {
            let (rows, columns) = (left.nrows(), right.ncols());
            let mut product = vec![0f32; rows * columns];
            let matrix = MatMut::from_row_major_slice_mut(&mut product, rows, columns);
            matmul(matrix, Accum::Replace, left, right, 1.0, Par::Seq);
            for (out, product) in out.chunks_exact_mut(stride).zip(product.chunks_exact(columns)) {
                out.iter_mut().zip(product).for_each(|(out, &value)| *out += f64::from(value));
            }
        }
    }
}
