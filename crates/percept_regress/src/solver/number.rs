//! The two precisions a fit can run in, and the products that are compiled once for each.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::NdFloat;

/// `f32` or `f64`: the precision of the inputs, the big products and the weights. Gram matrices, decompositions, means
/// and scores are f64 in either.
pub trait Real: NdFloat + sealed::Element {
    /// Rounds to this precision.
    fn from_f64(value: f64) -> Self;
    /// Widens without loss.
    fn as_f64(self) -> f64;
    /// Whether this is `f32`.
    fn is_single() -> bool {
        Self::epsilon().as_f64() > f64::EPSILON
    }
}

pub(crate) mod sealed {
    //! Keeps the set of precisions closed and the linear algebra library out of signatures.

    use faer::{Accum, MatMut, MatRef};

    /// A number that the linear algebra library can multiply.
    pub trait Element: faer::traits::ComplexField {
        /// out = a · b, or out += a · b, on the calling thread.
        fn product(out: MatMut<'_, Self>, accum: Accum, a: MatRef<'_, Self>, b: MatRef<'_, Self>);
    }
}

/// The library's products are large: what is not generic is compiled here and not again in every crate that fits something.
macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl sealed::Element for $number {
            #[inline(never)]
            fn product(out: MatMut<'_, Self>, accum: Accum, a: MatRef<'_, Self>, b: MatRef<'_, Self>) {
                matmul(out, accum, a, b, 1.0, Par::Seq);
            }
        }

        impl Real for $number {
            fn from_f64(value: f64) -> Self {
                value as $number
            }
            fn as_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

numbers!(f32 f64);
