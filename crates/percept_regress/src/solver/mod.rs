//! The numerics below the estimators: pure functions on arrays, f64 where a decomposition or a mean is at stake.
//!
//! - [`number`]: the two precisions a fit can run in
//! - [`product`]: matrix products whose bits do not depend on the number of threads
//! - [`standard`]: centring and scaling of features
//! - [`spectrum`]: Gram matrix, eigendecomposition, null directions
//! - [`tridiagonal`]: the first half of the eigendecomposition; [`vectors`]: its loops
//! - [`decomposition`]: eigenvalues and vectors, as they are kept
//! - [`basis`]: the decomposed samples and the way back from it to weights
//! - [`penalties`]: a grid of penalties made of a few functions of the spectrum; [`mixing`]: how they are made
//! - [`blocks`]: what corrects the residuals of a held-out group
//! - [`tile`]: the targets that one task works on
//! - [`heldout`]: leave-one-group-out residuals and their scores
//! - [`forms`]: the scores of targets that are the same in all samples of a group
//!
//! The linear algebra library (faer) is seen here only.

pub(crate) mod basis;
pub(crate) mod blocks;
pub(crate) mod decomposition;
pub(crate) mod forms;
pub(crate) mod heldout;
pub(crate) mod mixing;
pub(crate) mod number;
pub(crate) mod penalties;
pub(crate) mod product;
pub(crate) mod spectrum;
pub(crate) mod standard;
pub(crate) mod tile;
mod tridiagonal;
mod vectors;
