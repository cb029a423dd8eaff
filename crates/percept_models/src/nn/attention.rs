//! Attention, with its products counted.

use candle_core::Tensor;

use super::{flops, ops};
use crate::error::Result;

/// [`ops::attend`], counted: scores and weighted values.
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    flops::add(2 * q.elem_count() * k.dim(1)?);
    Ok(ops::attend(q, k, v, heads, causal)?)
}
