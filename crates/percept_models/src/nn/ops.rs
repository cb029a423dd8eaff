//! Differentiable operations on tensors: on the CPU by its kernels, on every other device composed (see [`composed`]).
//!
//! Each operation notes at the forward pass which arguments can need a gradient, so a frozen weight never pays for one.
//! Operations expect `f32` tensors of one device; kernels are given contiguous arguments.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{
    composed,
    host::{values, with_all},
    kernel::{
        attention::{self, AttentionShape},
        conv,
        conv_shape::ConvShape,
        few_rows, for_each_chunk,
        matmul::{Mat, matmul},
        norm::{self, NormShape},
        pointwise::{self, Activation},
    },
};
use crate::device::has_kernels;

/// An operation on `N` tensors over kernels that see plain slices.
pub(super) trait Op<const N: usize>: Send + Sync {
    const NAME: &'static str;

    /// The values and the shape of the result; `dims` are those of the first argument.
    fn forward(&self, arguments: [&[f32]; N], dims: &[usize]) -> (Vec<f32>, Shape);

    /// The same of the tensor library's own operations, with their gradients.
    fn composed(&self, arguments: [&Tensor; N]) -> Result<Tensor>;

    /// The gradient with respect to each argument, where it can be needed.
    fn backward(&self, arguments: [&[f32]; N], grad: &[f32]) -> [Option<Vec<f32>>; N];

    /// As [`Self::backward`], for operations that make use of their result.
    fn backward_from(&self, arguments: [&[f32]; N], _result: &[f32], grad: &[f32]) -> [Option<Vec<f32>>; N] {
        self.backward(arguments, grad)
    }
}

/// Runs an operation of one argument, by the kernel or composed, as the argument's device asks for.
pub(super) fn apply1<T: Op<1> + 'static>(op: T, x: &Tensor) -> Result<Tensor> {
    if has_kernels(x.device()) { x.contiguous()?.apply_op1(Known(op)) } else { op.composed([x]) }
}

/// As [`apply1`], of two arguments.
pub(super) fn apply2<T: Op<2> + 'static>(op: T, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
    if has_kernels(a.device()) { a.contiguous()?.apply_op2(&b.contiguous()?, Known(op)) } else { op.composed([a, b]) }
}

/// As [`apply1`], of three arguments.
pub(super) fn apply3<T: Op<3> + 'static>(op: T, [a, b, c]: [&Tensor; 3]) -> Result<Tensor> {
    if has_kernels(a.device()) {
        a.contiguous()?.apply_op3(&b.contiguous()?, &c.contiguous()?, Known(op))
    } else {
        op.composed([a, b, c])
    }
}

/// Makes an [`Op`] known to the tensor library.
struct Known<T>(T);

impl<T> Known<T> {
    fn gradients<const N: usize>(
        &self,
        arguments: [&Tensor; N],
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; N]>
    where
        T: Op<N>,
    {
        let found = with_all(arguments, |slices| {
            with_all([result, grad], |[result, grad]| self.0.backward_from(slices, result, grad))
        })??;
        let mut tensors = [const { None }; N];
        for ((tensor, values), like) in tensors.iter_mut().zip(found).zip(arguments) {
            *tensor = values.map(|values| Tensor::from_vec(values, like.shape(), like.device())).transpose()?;
        }
        Ok(tensors)
    }
}

impl<T: Op<1>> CustomOp1 for Known<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = self.0.forward([values(x, lx)?], lx.dims());
        Ok((CpuStorage::F32(values), shape))
    }

    fn bwd(&self, x: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let [dx] = self.gradients([x], res, grad)?;
        Ok(dx)
    }
}

impl<T: Op<2>> CustomOp2 for Known<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = self.0.forward([values(a, la)?, values(b, lb)?], la.dims());
        Ok((CpuStorage::F32(values), shape))
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients([a, b], res, grad)?;
        Ok((da, db))
    }
}

impl<T: Op<3>> CustomOp3 for Known<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
        c: &CpuStorage,
        lc: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = self.0.forward([values(a, la)?, values(b, lb)?, values(c, lc)?], la.dims());
        Ok((CpuStorage::F32(values), shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.gradients([a, b, c], res, grad)?;
        Ok((da, db, dc))
    }
}

/// `dims` with another last dimension.
fn with_last(dims: &[usize], last: usize) -> Shape {
    let mut dims = dims.to_vec();
    if let Some(end) = dims.last_mut() {
        *end = last;
    }
    dims.into()
}

struct Conv {
    shape: ConvShape,
    needs: [bool; 3],
}

impl Op<3> for Conv {
    const NAME: &'static str = "conv2d";

    fn forward(&self, [x, w, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        let s = &self.shape;
        (conv::forward(s, x, w, bias), (dims[0], s.out_channels, s.out_height(), s.out_width()).into())
    }

    fn composed(&self, [x, w, bias]: [&Tensor; 3]) -> Result<Tensor> {
        composed::conv2d(x, w, bias, self.shape)
    }

    fn backward(&self, [x, w, _]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        [
            self.needs[0].then(|| conv::backward_input(&self.shape, w, grad)),
            self.needs[1].then(|| conv::backward_weight(&self.shape, x, grad)),
            self.needs[2].then(|| conv::backward_bias(&self.shape, grad)),
        ]
    }
}

/// 2-D convolution.
///
/// # Shapes
/// `x` (B, C, H, W), `w` (O, C, kh, kw), `bias` (O) → (B, O, H', W'); `pad` is top, left, bottom, right.
pub(crate) fn conv2d(x: &Tensor, w: &Tensor, bias: &Tensor, stride: usize, pad: [usize; 4]) -> Result<Tensor> {
    let (_, in_channels, height, width) = x.dims4()?;
    let (out_channels, w_channels, kh, kw) = w.dims4()?;
    if w_channels != in_channels {
        bail!("convolution expects {w_channels} channels, got {in_channels}");
    }
    if height + pad[0] + pad[2] < kh || width + pad[1] + pad[3] < kw {
        bail!("convolution of {kh}×{kw} does not fit a picture of {height}×{width}");
    }
    let shape = ConvShape { in_channels, out_channels, height, width, kernel: [kh, kw], stride, pad };
    let needs = [x.track_op(), w.track_op(), bias.track_op()];
    apply3(Conv { shape, needs }, [x, w, bias])
}

/// The weight (O, I) of a linear layer as an operand: by rows, or by columns where it is stored so and does not train.
/// `true` for the latter, and then the tensor is (I, O).
pub(super) fn weight_operand(w: &Tensor) -> Result<(Tensor, bool)> {
    if !w.track_op() && !w.is_contiguous() {
        let turned = w.t()?;
        if turned.is_contiguous() {
            return Ok((turned, true));
        }
    }
    Ok((w.contiguous()?, false))
}

/// A weight from [`weight_operand`] as a matrix O × I.
pub(super) fn weight_matrix(w: &[f32], [outputs, inputs]: [usize; 2], turned: bool) -> Mat<'_> {
    if turned { Mat::rows(w, outputs).t() } else { Mat::rows(w, inputs) }
}

struct Linear {
    rows: usize,
    inputs: usize,
    outputs: usize,
    /// Whether a sample has few rows. It is not asked how many there are of all samples together: a sample's result must not depend on
    /// its company.
    few: bool,
    turned: bool,
    needs: [bool; 3],
}

impl Linear {
    fn product(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.outputs];
        if let Some(bias) = bias {
            out.chunks_mut(self.outputs).for_each(|row| row.copy_from_slice(bias));
        }
        if self.few && self.turned {
            let parts =
                x.chunks(few_rows::MOST_ROWS * self.inputs).zip(out.chunks_mut(few_rows::MOST_ROWS * self.outputs));
            parts.for_each(|(x, out)| few_rows::add_product(x, w, out, [self.inputs, self.outputs]));
            return out;
        }
        let dims = [self.rows, self.outputs, self.inputs];
        let w = weight_matrix(w, [self.outputs, self.inputs], self.turned);
        let (a, b) = (Mat::rows(x, self.inputs), w.t());
        matmul(dims, &mut out, self.outputs, bias.is_some(), 1.0, a, b);
        out
    }

    fn of_input(&self, w: &[f32], grad: &[f32]) -> Option<Vec<f32>> {
        self.needs[0].then(|| {
            let (n, i, o) = (self.rows, self.inputs, self.outputs);
            let mut dx = vec![0.0; n * i];
            matmul([n, i, o], &mut dx, i, false, 1.0, Mat::rows(grad, o), weight_matrix(w, [o, i], self.turned));
            dx
        })
    }

    fn of_weight(&self, x: &[f32], grad: &[f32]) -> Option<Vec<f32>> {
        self.needs[1].then(|| {
            let (n, i, o) = (self.rows, self.inputs, self.outputs);
            let mut dw = vec![0.0; o * i];
            matmul([o, i, n], &mut dw, i, false, 1.0, Mat::rows(grad, o).t(), Mat::rows(x, i));
            dw
        })
    }
}

impl Op<2> for Linear {
    const NAME: &'static str = "linear without bias";

    fn forward(&self, [x, w]: [&[f32]; 2], dims: &[usize]) -> (Vec<f32>, Shape) {
        (self.product(x, w, None), with_last(dims, self.outputs))
    }

    fn composed(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        composed::linear(x, w, None, self.turned)
    }

    fn backward(&self, [x, w]: [&[f32]; 2], grad: &[f32]) -> [Option<Vec<f32>>; 2] {
        [self.of_input(w, grad), self.of_weight(x, grad)]
    }
}

impl Op<3> for Linear {
    const NAME: &'static str = "linear";

    fn forward(&self, [x, w, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        (self.product(x, w, Some(bias)), with_last(dims, self.outputs))
    }

    fn composed(&self, [x, w, bias]: [&Tensor; 3]) -> Result<Tensor> {
        composed::linear(x, w, Some(bias), self.turned)
    }

    fn backward(&self, [x, w, _]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let of_bias = self.needs[2].then(|| pointwise::sum_rows(grad, self.outputs));
        [self.of_input(w, grad), self.of_weight(x, grad), of_bias]
    }
}

/// `x wᵀ (+ bias)` over the last dimension.
///
/// # Shapes
/// `x` (…, I), `w` (O, I), `bias` (O) → (…, O).
pub(crate) fn linear(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = w.dims2()?;
    let last = x.dims().last().copied().unwrap_or(0);
    if last != inputs {
        bail!("linear layer expects {inputs} inputs, got {last}");
    }
    let needs = [x.track_op(), w.track_op(), bias.is_some_and(Tensor::track_op)];
    let (w, turned) = weight_operand(w)?;
    // Of a matrix it is not known which rows belong together.
    let few = x.rank() > 2 && x.dims()[x.rank() - 2] <= few_rows::MOST_ROWS;
    let op = Linear { rows: x.elem_count() / inputs, inputs, outputs, few, turned, needs };
    match bias {
        Some(bias) if bias.dims() == [outputs] => apply3(op, [x, &w, bias]),
        Some(bias) => bail!("linear layer of {outputs} outputs got a bias of shape {:?}", bias.dims()),
        None => apply2(op, [x, &w]),
    }
}

struct Norm {
    shape: NormShape,
    /// Whether weight or bias train.
    trains: bool,
}

impl Op<3> for Norm {
    const NAME: &'static str = "norm";

    fn forward(&self, [x, weight, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        (norm::forward(&self.shape, x, weight, bias), dims.into())
    }

    fn composed(&self, [x, weight, bias]: [&Tensor; 3]) -> Result<Tensor> {
        composed::norm(x, weight, bias, self.shape)
    }

    fn backward(&self, [x, weight, bias]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let (dx, of_channels) = norm::backward(&self.shape, x, weight, bias, grad, self.trains);
        let [d_weight, d_bias] = of_channels.map_or([None, None], |both| both.map(Some));
        [Some(dx), d_weight, d_bias]
    }
}

/// Group normalisation, with SiLU behind it where `silu`.
///
/// # Shapes
/// `x` (B, C, …), `weight` and `bias` (C); C divisible by `groups`.
pub(crate) fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor> {
    let dims = x.dims();
    if dims.len() < 2 || !dims[1].is_multiple_of(groups) {
        bail!("group norm with {groups} groups does not fit a tensor of shape {dims:?}");
    }
    let run = dims[2..].iter().product();
    let shape = NormShape { channels: dims[1] / groups, run, groups, eps: eps as f32, silu };
    let norm = Norm { shape, trains: weight.track_op() || bias.track_op() };
    apply3(norm, [x, weight, bias])
}

/// Layer normalisation over the last dimension.
///
/// # Shapes
/// `x` (…, D), `weight` and `bias` (D).
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = weight.dims1()?;
    let shape = NormShape { channels, run: 1, groups: 1, eps: eps as f32, silu: false };
    let norm = Norm { shape, trains: weight.track_op() || bias.track_op() };
    apply3(norm, [x, weight, bias])
}

struct Attention {
    shape: AttentionShape,
    needs: [bool; 3],
    /// What the forward pass leaves for the backward pass, where there will be one.
    sums: Mutex<Vec<f32>>,
}

impl Attention {
    fn sums(&self) -> MutexGuard<'_, Vec<f32>> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Op<3> for Attention {
    const NAME: &'static str = "attention";

    fn forward(&self, [q, k, v]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        let s = &self.shape;
        let n_rows = if self.needs.contains(&true) { q.len() / s.dim } else { 0 };
        let mut sums = vec![0.0; n_rows];
        let out = attention::forward(s, q, k, v, &mut sums);
        *self.sums() = sums;
        (out, dims.into())
    }

    fn composed(&self, [q, k, v]: [&Tensor; 3]) -> Result<Tensor> {
        composed::attention(q, k, v, self.shape)
    }

    fn backward(&self, [q, k, v]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let out = attention::forward(&self.shape, q, k, v, &mut []);
        self.backward_from([q, k, v], &out, grad)
    }

    fn backward_from(&self, [q, k, v]: [&[f32]; 3], out: &[f32], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let sums = self.sums();
        attention::backward(&self.shape, &attention::Operands { q, k, v, out, sums: &sums, grad }, self.needs)
    }
}

/// Multi-head scaled dot-product attention.
///
/// # Shapes
/// `q` (B, L, heads·dim), `k` and `v` (B, S, heads·dim) → (B, L, heads·dim).
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    let (batch, queries, width) = q.dims3()?;
    let (key_batch, keys, key_width) = k.dims3()?;
    if batch != key_batch || width != key_width || k.dims() != v.dims() || width % heads != 0 {
        bail!("attention of {heads} heads got {:?}, {:?}, {:?}", q.dims(), k.dims(), v.dims());
    }
    let shape = AttentionShape { heads, dim: width / heads, queries, keys, causal };
    let needs = [q.track_op(), k.track_op(), v.track_op()];
    let op = Attention { shape, needs, sums: Mutex::default() };
    apply3(op, [q, k, v])
}

struct Act(Activation);

impl Op<1> for Act {
    const NAME: &'static str = "activation";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        (pointwise::forward(self.0, x), dims.into())
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        composed::activate(x, self.0)
    }

    fn backward(&self, [x]: [&[f32]; 1], grad: &[f32]) -> [Option<Vec<f32>>; 1] {
        [Some(pointwise::backward(self.0, x, grad))]
    }
}

/// An activation, element by element.
pub(crate) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    apply1(Act(activation), x)
}

struct Geglu(usize);

impl Op<1> for Geglu {
    const NAME: &'static str = "geglu";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        (pointwise::geglu(self.0, x), with_last(dims, self.0))
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        composed::geglu(x)
    }

    fn backward(&self, [x]: [&[f32]; 1], grad: &[f32]) -> [Option<Vec<f32>>; 1] {
        [Some(pointwise::geglu_backward(self.0, x, grad))]
    }
}

/// GEGLU with the exact GELU: the first half of the last dimension times gelu of the second.
///
/// # Shapes
/// `x` (…, 2 D) → (…, D).
pub(crate) fn geglu(x: &Tensor) -> Result<Tensor> {
    let last = x.dims().last().copied().unwrap_or(0);
    if last == 0 || last % 2 != 0 {
        bail!("GEGLU needs an even last dimension, got {last}");
    }
    apply1(Geglu(last / 2), x)
}

struct Upsample {
    height: usize,
    width: usize,
}

impl Op<1> for Upsample {
    const NAME: &'static str = "upsample";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        let mut out = vec![0.0; x.len() * 4];
        for_each_chunk(&mut out, 4 * self.height * self.width, |plane, out| {
            let x = &x[plane * self.height * self.width..];
            for (y, pair) in out.chunks_mut(4 * self.width).enumerate() {
                let (top, bottom) = pair.split_at_mut(2 * self.width);
                for (to, &value) in top.chunks_exact_mut(2).zip(&x[y * self.width..][..self.width]) {
                    to.fill(value);
                }
                bottom.copy_from_slice(top);
            }
        });
        (out, (dims[0], dims[1], 2 * self.height, 2 * self.width).into())
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        composed::upsample2(x)
    }

    fn backward(&self, _: [&[f32]; 1], grad: &[f32]) -> [Option<Vec<f32>>; 1] {
        let (h, w) = (self.height, self.width);
        let mut dx = vec![0.0; grad.len() / 4];
        for_each_chunk(&mut dx, h * w, |plane, dx| {
            let grad = &grad[plane * 4 * h * w..];
            for (y, row) in dx.chunks_mut(w).enumerate() {
                let (top, bottom) = (&grad[4 * y * w..][..2 * w], &grad[(4 * y + 2) * w..][..2 * w]);
                for (d, (a, b)) in row.iter_mut().zip(top.chunks_exact(2).zip(bottom.chunks_exact(2))) {
                    *d = a[0] + a[1] + b[0] + b[1];
                }
            }
        });
        [Some(dx)]
    }
}

/// Nearest-neighbour upsampling by 2.
///
/// # Shapes
/// `x` (B, C, H, W) → (B, C, 2 H, 2 W).
pub(crate) fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    apply1(Upsample { height, width }, x)
}
