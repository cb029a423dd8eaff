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

    /// A number that the linear algebra library can multiply.
    pub trait Element: faer::traits::ComplexField {}

    impl Element for f32 {}
    impl Element for f64 {}
}
