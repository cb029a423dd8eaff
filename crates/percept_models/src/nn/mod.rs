//! The layers that every model shares: each is written once, built from named parameters, differentiable.

pub(crate) mod across;
pub(crate) mod attention;
pub(crate) mod block;
mod composed;
pub(crate) mod elementwise;
pub(crate) mod flops;
pub(crate) mod host;
pub(crate) mod kernel;
pub(crate) mod layers;
pub(crate) mod maps;
mod names;
mod opaque;
pub(crate) mod ops;
pub mod params;
pub(crate) mod recompute;
pub(crate) mod rotary;
pub(crate) mod time;
pub(crate) mod transformer;

pub use across::CrossFrame;
pub use kernel::{conv_shape::exact_convolution, pointwise::Activation};
pub use names::NamePattern;
pub use recompute::backward;
