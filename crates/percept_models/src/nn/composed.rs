//! The operations of `nn` composed of the tensor library's own: what every device but the CPU runs, on that library's kernels.
//!
//! Each keeps what the CPU's kernel keeps for the backward pass, its arguments, and spares frozen arguments their gradient
//! ([`opaque`]): the library's automatic gradients would hold all that lies between and pay for every weight. Products carry
//! their gradients written out; norms and gated activations are run again with a graph ([`checkpoint`]); single functions
//! leave it to the library. Attention goes by blocks of queries, convolutions by samples, so that memory stays bounded.
//! The shapes have been checked by whoever calls.

use std::sync::Arc;

use candle_core::{D, Result, Tensor};

use super::{
    kernel::{
        attention::AttentionShape,
        biased::BiasedShape,
        conv_shape::ConvShape,
        conv1d::Conv1dShape,
        norm::NormShape,
        pointwise::{Activation, Bend},
    },
    opaque::opaque,
    recompute::checkpoint,
};

/// Scores of attention, or elements of a convolution's matrix of columns, that are there at once: a gigabyte; in tests few, so
/// that everything is cut.
const LARGEST: usize = if cfg!(test) { 1 << 10 } else { 1 << 28 };

/// `part` of `inputs`, of which only the inputs are kept for the backward pass.
fn made_again(
    inputs: &[&Tensor],
    part: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let detached: Vec<Tensor> = inputs.iter().map(|input| input.detach()).collect();
    checkpoint(part(&detached)?, inputs, Arc::new(part))
}

/// `value()` where it is needed.
fn where_needed(needed: bool, value: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    needed.then(value).transpose()
}

/// (…, N) → (rows, N).
fn as_rows(x: &Tensor) -> Result<Tensor> {
    let last = x.dim(D::Minus1)?;
    x.contiguous()?.reshape(((), last))
}

/// `x wᵀ (+ bias)`: `x` (…, I), `w` (O, I), or (I, O) where it is `turned`, `bias` (O) → (…, O).
pub(super) fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, turned: bool) -> Result<Tensor> {
    let by_inputs = move |w: &Tensor| if turned { Ok(w.clone()) } else { w.t() }; // I, O
    let product = as_rows(&x.detach())?.matmul(&by_inputs(&w.detach())?)?;
    let value = match bias {
        Some(bias) => product.broadcast_add(&bias.detach())?,
        None => product,
    };
    let mut dims = x.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = value.dim(1)?;
    }
    let inputs: Vec<&Tensor> = [x, w].into_iter().chain(bias).collect();
    opaque(value.reshape(dims)?, &inputs, move |inputs, needs, grad| {
        let (x, grad) = (&inputs[0], as_rows(grad)?);
        let mut own = vec![
            where_needed(needs[0], || grad.matmul(&by_inputs(&inputs[1])?.t()?)?.reshape(x.shape()))?,
            where_needed(needs[1], || {
                let by_outputs = grad.t()?.matmul(&as_rows(x)?)?;
                if turned { by_outputs.t()?.contiguous() } else { Ok(by_outputs) }
            })?,
        ];
        if let Some(&needed) = needs.get(2) {
            own.push(where_needed(needed, || grad.sum(0))?);
        }
        Ok(own)
    })
}

/// A rectifier that lets something through below zero.
pub(super) fn bend(x: &Tensor, bend: Bend) -> Result<Tensor> {
    match bend {
        Bend::Leaky(slope) => x.relu()? - (x.neg()?.relu()? * f64::from(slope))?,
        Bend::Elu => x.elu(1.0),
    }
}

/// Convolution over time: `x` (B, L, C), `w` (k, C, O), `bias` (O) → (B, L', O).
pub(super) fn conv1d(s: &Conv1dShape, x: &Tensor, w: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let x = s.bend.map_or(Ok(x.clone()), |f| bend(x, f))?;
    // So many zeros more that a whole stride follows each output.
    let x = fit(&x, 1, [s.pad[0], s.pad[1] + s.stride as isize - 1])?;
    let (batch, n) = (x.dim(0)?, s.out_length());
    let seen = |tap: usize| {
        let from = x.narrow(1, tap * s.dilation, n * s.stride)?.reshape((batch, n, s.stride, s.inputs))?;
        from.narrow(2, 0, 1)?.squeeze(2)
    };
    let columns = Tensor::cat(&(0..s.kernel).map(seen).collect::<Result<Vec<_>>>()?, 2)?; // B, L', k·C
    linear(&columns, &w.reshape((s.kernel * s.inputs, s.outputs))?, Some(bias), true)
}

/// A layer of long short-term memory: `gates` (L, B, 4 D) of the inputs, `w` (4 D, D) of the state → (L, B, D).
pub(super) fn lstm(gates: &Tensor, w: &Tensor) -> Result<Tensor> {
    let (length, batch, width) = (gates.dim(0)?, gates.dim(1)?, w.dim(1)?);
    let sigmoid = |x: Tensor| ((x * 0.5)?.tanh()? * 0.5)? + 0.5;
    let w = w.t()?;
    let mut state = gates.zeros_like()?.narrow(0, 0, 1)?.narrow(2, 0, width)?.squeeze(0)?.contiguous()?;
    let mut cell = state.clone();
    let mut all = Vec::with_capacity(length);
    for t in 0..length {
        let own = (gates.narrow(0, t, 1)?.reshape((batch, 4 * width))? + state.matmul(&w)?)?;
        let gate = |i: usize| own.narrow(1, i * width, width);
        let [input, forget, new, output] =
            [sigmoid(gate(0)?)?, sigmoid(gate(1)?)?, gate(2)?.tanh()?, sigmoid(gate(3)?)?];
        cell = ((forget * cell)? + (input * new)?)?;
        state = (output * cell.tanh()?)?;
        all.push(state.clone());
    }
    Tensor::stack(&all, 0)
}

/// Attention whose scores are added to a table; shapes as those of its kernel.
pub(super) fn attend_biased(q: &Tensor, k: &Tensor, v: &Tensor, bias: &Tensor, s: &BiasedShape) -> Result<Tensor> {
    let (batch, tokens, _) = q.dims3()?;
    let split = |x: &Tensor| x.reshape((batch, tokens, s.heads, s.dim))?.transpose(1, 2)?.contiguous();
    let scores = (split(q)?.matmul(&split(k)?.t()?.contiguous()?)? * (1.0 / (s.dim as f64).sqrt()))?;
    let scores = scores.reshape((batch / s.tables, s.tables, s.heads, tokens, tokens))?;
    let scores = scores.broadcast_add(&bias.unsqueeze(0)?)?.reshape((batch, s.heads, tokens, tokens))?;
    let scores = scores.broadcast_sub(&scores.detach().max_keepdim(3)?)?.exp()?;
    let shares = scores.broadcast_div(&scores.sum_keepdim(3)?)?;
    shares.matmul(&split(v)?)?.transpose(1, 2)?.reshape(q.shape())
}

/// Adds zeros before and after, or takes away where the number is negative.
fn fit(x: &Tensor, dim: usize, [before, after]: [isize; 2]) -> Result<Tensor> {
    let cut = |number: isize| (-number).max(0) as usize;
    let x = x.narrow(dim, cut(before), x.dim(dim)? - cut(before) - cut(after))?;
    x.pad_with_zeros(dim, before.max(0) as usize, after.max(0) as usize)
}

/// Correlation with kernels (O, C, kh, kw) of maps that get zeros at the top, left, bottom and right (or lose rows and columns
/// there), a few samples at a time.
fn correlate(x: &Tensor, w: &Tensor, stride: usize, [top, left, bottom, right]: [isize; 4]) -> Result<Tensor> {
    let (x, padding) = if top >= 0 && [left, bottom, right] == [top; 3] {
        (x.clone(), top as usize)
    } else {
        (fit(&fit(x, 2, [top, bottom])?, 3, [left, right])?, 0)
    };
    let (batch, channels, height, width) = x.dims4()?;
    let (_, _, kh, kw) = w.dims4()?;
    let places = (height + 2 * padding) * (width + 2 * padding) / (stride * stride);
    let at_once = (LARGEST / (channels * kh * kw * places).max(1)).clamp(1, batch.max(1));
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    if at_once >= batch {
        return x.conv2d(&w, padding, stride, 1, 1);
    }
    let parts = (0..batch)
        .step_by(at_once)
        .map(|first| x.narrow(0, first, at_once.min(batch - first))?.conv2d(&w, padding, stride, 1, 1))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&parts, 0)
}

/// 2-D convolution: `x` (B, C, H, W), `w` (O, C, kh, kw), `bias` (O) → (B, O, H', W').
pub(super) fn conv2d(x: &Tensor, w: &Tensor, bias: &Tensor, s: ConvShape) -> Result<Tensor> {
    let value = correlate(&x.detach(), &w.detach(), s.stride, s.pad.map(|pad| pad as isize))?;
    let value = value.broadcast_add(&bias.detach().reshape((1, s.out_channels, 1, 1))?)?;
    opaque(value, &[x, w, bias], move |inputs, needs, grad| {
        Ok(vec![
            where_needed(needs[0], || of_maps(&s, &inputs[1], grad))?,
            where_needed(needs[1], || of_kernels(&s, &inputs[0], grad))?,
            where_needed(needs[2], || grad.sum((0, 2, 3)))?,
        ])
    })
}

/// The gradient of a convolution with respect to its maps: a correlation of the result's gradient, with zeros between its
/// rows and columns where the stride left places out, with the kernels turned round.
fn of_maps(s: &ConvShape, w: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = grad.dims4()?;
    let spread = if s.stride == 1 {
        grad.clone()
    } else {
        let apart = grad.contiguous()?.reshape((batch, channels, height, 1, width, 1))?;
        let apart = apart.pad_with_zeros(3, 0, s.stride - 1)?.pad_with_zeros(5, 0, s.stride - 1)?;
        apart.reshape((batch, channels, height * s.stride, width * s.stride))?
    };
    let around = |size: usize, made: usize, kernel: usize, before: usize| {
        let after = (size + before) as isize - (made * s.stride) as isize;
        [kernel as isize - 1 - before as isize, after]
    };
    let [top, bottom] = around(s.height, height, s.kernel[0], s.pad[0]);
    let [left, right] = around(s.width, width, s.kernel[1], s.pad[1]);
    let turned = w.transpose(0, 1)?.contiguous()?.flip(&[2, 3])?;
    correlate(&spread, &turned, 1, [top, left, bottom, right])
}

/// The gradient of a convolution with respect to its kernels: a correlation of the maps with the result's gradient, in which
/// samples stand for channels.
fn of_kernels(s: &ConvShape, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = grad.dims4()?;
    // Rows and columns behind the last place of a kernel were not seen.
    let around = |size: usize, made: usize, kernel: usize, before: usize| {
        let seen = (made - 1) * s.stride + kernel;
        [before as isize, seen as isize - (size + before) as isize]
    };
    let x = fit(x, 2, around(s.height, height, s.kernel[0], s.pad[0]))?;
    let x = fit(&x, 3, around(s.width, width, s.kernel[1], s.pad[1]))?;
    let (x, grad) = (x.transpose(0, 1)?.contiguous()?, grad.transpose(0, 1)?.contiguous()?);
    x.conv2d(&grad, 0, 1, s.stride, 1)?.transpose(0, 1)?.contiguous()
}

/// Group norm (rows of many pixels) or layer norm (rows of one token), with SiLU behind it where `s.silu`.
pub(super) fn norm(x: &Tensor, weight: &Tensor, bias: &Tensor, s: NormShape) -> Result<Tensor> {
    made_again(&[x, weight, bias], move |inputs| {
        let [x, weight, bias] = inputs else { candle_core::bail!("a norm has three arguments") };
        let rows = x.reshape(((), s.channels * s.run))?;
        let centred = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(1)? + f64::from(s.eps))?.sqrt()?;
        let normal = centred.broadcast_div(&deviation)?.reshape(((), s.groups * s.channels, s.run))?;
        let column = |x: &Tensor| x.reshape((1, s.groups * s.channels, 1));
        let out = normal.broadcast_mul(&column(weight)?)?.broadcast_add(&column(bias)?)?.reshape(x.shape())?;
        if s.silu { out.silu() } else { Ok(out) }
    })
}

/// Scaled dot-product attention: `q` (B, L, heads·dim), `k` and `v` (B, S, heads·dim) → (B, L, heads·dim).
pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, s: AttentionShape) -> Result<Tensor> {
    let [q_heads, k_heads, v_heads] = [q, k, v].map(|x| by_heads(&x.detach(), s.heads));
    let (q_heads, k_heads, v_heads) = (q_heads?, k_heads?, v_heads?);
    let mut parts = Vec::new();
    for (first, rows) in blocks(q.dim(0)?, &s) {
        let weights = weights(&q_heads.narrow(2, first, rows)?, &k_heads, first, s.causal)?;
        parts.push(weights.matmul(&v_heads)?);
    }
    opaque(by_tokens(&Tensor::cat(&parts, 2)?)?, &[q, k, v], move |inputs, needs, grad| {
        let [q, k, v, grad] = [&inputs[0], &inputs[1], &inputs[2], grad].map(|x| by_heads(x, s.heads));
        let (q, k, v, grad) = (q?, k?, v?, grad?);
        let (mut of_q, mut of_k, mut of_v) = (Vec::new(), None, None);
        for (first, rows) in blocks(q.dim(0)?, &s) {
            let (q, grad) = (q.narrow(2, first, rows)?.contiguous()?, grad.narrow(2, first, rows)?.contiguous()?);
            let weights = weights(&q, &k, first, s.causal)?;
            if needs[2] {
                add_to(&mut of_v, weights.t()?.matmul(&grad)?)?;
            }
            if needs[0] || needs[1] {
                let of_weights = grad.matmul(&v.t()?)?;
                let mean = (&of_weights * &weights)?.sum_keepdim(D::Minus1)?;
                let of_scores = ((of_weights.broadcast_sub(&mean)? * weights)? * scale(s.dim))?;
                if needs[0] {
                    of_q.push(of_scores.matmul(&k)?);
                }
                if needs[1] {
                    add_to(&mut of_k, of_scores.t()?.matmul(&q)?)?;
                }
            }
        }
        let tokens = |x: Option<Tensor>| x.map(|x| by_tokens(&x)).transpose();
        let of_q = where_needed(needs[0], || Tensor::cat(&of_q, 2))?;
        Ok(vec![tokens(of_q)?, tokens(of_k)?, tokens(of_v)?])
    })
}

fn scale(dim: usize) -> f64 {
    1.0 / (dim as f64).sqrt()
}

fn add_to(sum: &mut Option<Tensor>, term: Tensor) -> Result<()> {
    *sum = Some(match sum.take() {
        Some(sum) => (sum + term)?,
        None => term,
    });
    Ok(())
}

/// First query and number of queries of every block.
fn blocks(batch: usize, s: &AttentionShape) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (queries, rows) = (s.queries, (LARGEST / (batch * s.heads * s.keys).max(1)).max(1));
    (0..queries).step_by(rows).map(move |first| (first, rows.min(queries - first)))
}

/// (B, L, heads·dim) → (B, heads, L, dim).
fn by_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, length, width) = x.dims3()?;
    x.contiguous()?.reshape((batch, length, heads, width / heads))?.transpose(1, 2)?.contiguous()
}

/// (B, heads, L, dim) → (B, L, heads·dim).
fn by_tokens(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, length, dim) = x.dims4()?;
    x.transpose(1, 2)?.contiguous()?.reshape((batch, length, heads * dim))
}

/// How much each query of a block looks at each key: (B, heads, rows, dim), (B, heads, S, dim) → (B, heads, rows, S). The
/// block begins at the query `first`; where it is `causal`, a query sees keys up to its own place.
fn weights(q: &Tensor, k: &Tensor, first: usize, causal: bool) -> Result<Tensor> {
    let (rows, keys, dim) = (q.dim(2)?, k.dim(2)?, q.dim(3)?);
    let mut scores = (q.contiguous()?.matmul(&k.t()?)? * scale(dim))?;
    if causal {
        let sees = |row: usize, key: usize| if key <= first + row { 0.0 } else { f32::NEG_INFINITY };
        let mask: Vec<f32> = (0..rows).flat_map(|row| (0..keys).map(move |key| sees(row, key))).collect();
        scores = scores.broadcast_add(&Tensor::from_vec(mask, (1, 1, rows, keys), q.device())?)?;
    }
    let raised = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    raised.broadcast_div(&raised.sum_keepdim(D::Minus1)?)
}

/// An activation, element by element.
pub(super) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    const QUICK: f64 = 1.702;
    match activation {
        Activation::Silu => x.silu(),
        Activation::Gelu => x.gelu_erf(),
        // x·σ(ax) = (ax)·σ(ax) / a, whose gradient has no infinity in it.
        Activation::QuickGelu => (x * QUICK)?.silu()? * (1.0 / QUICK),
    }
}

/// The tanh approximation of GELU.
pub(super) fn gelu_tanh(x: &Tensor, scale: f32, cubic: f32) -> Result<Tensor> {
    made_again(&[x], move |inputs| {
        let x = &inputs[0];
        let inner = (((x.sqr()? * f64::from(cubic))? + 1.0)? * x)? * f64::from(scale);
        ((inner?.tanh()? + 1.0)? * x)? * 0.5
    })
}

/// The first half of the last dimension times GELU of the second: (…, 2 D) → (…, D).
pub(super) fn geglu(x: &Tensor) -> Result<Tensor> {
    made_again(&[x], |inputs| {
        let half = inputs[0].dim(D::Minus1)? / 2;
        inputs[0].narrow(D::Minus1, 0, half)? * inputs[0].narrow(D::Minus1, half, half)?.contiguous()?.gelu_erf()?
    })
}

/// Nearest-neighbour upsampling by 2: (B, C, H, W) → (B, C, 2 H, 2 W). The library's own forgets what other branches of the
/// graph have added to the gradient of its argument.
pub(super) fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let cells = x.contiguous()?.reshape((batch, channels, height, 1, width, 1))?;
    cells.broadcast_as((batch, channels, height, 2, width, 2))?.reshape((batch, channels, 2 * height, 2 * width))
}

/// A projection of every pixel, from a map to tokens: (B, C, H, W) → (B, H·W, O).
pub(super) fn map_to_tokens(x: &Tensor, w: &Tensor, bias: &Tensor, turned: bool) -> Result<Tensor> {
    linear(&x.flatten_from(2)?.transpose(1, 2)?.contiguous()?, w, Some(bias), turned)
}

/// A projection of every token, from tokens to a map: (B, H·W, C) → (B, O, H, W).
pub(super) fn tokens_to_map(
    x: &Tensor,
    w: &Tensor,
    bias: &Tensor,
    turned: bool,
    [height, width]: [usize; 2],
) -> Result<Tensor> {
    let tokens = linear(x, w, Some(bias), turned)?;
    let (batch, _, outputs) = tokens.dims3()?;
    tokens.transpose(1, 2)?.contiguous()?.reshape((batch, outputs, height, width))
}

#[cfg(test)]
mod tests;
