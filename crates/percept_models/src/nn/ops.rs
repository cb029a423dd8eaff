//! Differentiable operations on tensors over the CPU kernels.
//!
//! Each operation notes at the forward pass which arguments can need a gradient, so a frozen weight never pays for one.
//! Operations expect `f32` tensors on the CPU and make their arguments contiguous.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, InplaceOp1, Layout, Result, Shape, Storage, Tensor, bail,
};

use super::kernel::{
    attention::{self, AttentionShape},
    conv::{self, ConvShape},
    for_each_chunk,
    matmul::{Mat, matmul},
    norm::{self, NormShape},
    pointwise::{self, Activation},
};

/// The contiguous `f32` values of a storage.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let all: &[f32] = storage.as_slice()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Runs `work` on the contiguous `f32` values of a CPU tensor.
pub(crate) fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => Ok(work(values(cpu, layout)?)),
        _ => bail!("this kernel runs on the CPU only"),
    }
}

/// Runs `work` on the contiguous `f32` values of a CPU tensor and keeps what it writes there.
pub(crate) fn with_values_mut(tensor: &Tensor, work: impl FnOnce(&mut [f32])) -> Result<()> {
    struct Visit<F>(Mutex<Option<F>>);
    impl<F: FnOnce(&mut [f32])> InplaceOp1 for Visit<F> {
        fn name(&self) -> &'static str {
            "visit"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let work = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (storage, layout.contiguous_offsets(), work) {
                (CpuStorage::F32(all), Some((start, end)), Some(work)) => work(&mut all[start..end]),
                _ => bail!("a kernel was given a tensor that is not contiguous, or not of f32"),
            }
            Ok(())
        }
    }
    tensor.inplace_op1(&Visit(Mutex::new(Some(work))))
}

/// As [`with_values`] for several tensors at once.
fn with_all<T, const N: usize>(tensors: [&Tensor; N], work: impl FnOnce([&[f32]; N]) -> T) -> Result<T> {
    let mut copies = Vec::with_capacity(N);
    for tensor in tensors {
        copies.push(tensor.contiguous()?);
    }
    let guards: Vec<_> = copies.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = [&[] as &[f32]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        *slice = match &**storage {
            Storage::Cpu(cpu) => values(cpu, layout)?,
            _ => bail!("this kernel runs on the CPU only"),
        };
    }
    Ok(work(slices))
}

/// An operation on `N` tensors over kernels that see plain slices.
pub(super) trait Op<const N: usize>: Send + Sync {
    const NAME: &'static str;

    /// The values and the shape of the result; `dims` are those of the first argument.
    fn forward(&self, arguments: [&[f32]; N], dims: &[usize]) -> (Vec<f32>, Shape);

    /// The gradient with respect to each argument, where it can be needed.
    fn backward(&self, arguments: [&[f32]; N], grad: &[f32]) -> [Option<Vec<f32>>; N];

    /// As [`Self::backward`], for operations that make use of their result.
    fn backward_from(&self, arguments: [&[f32]; N], _result: &[f32], grad: &[f32]) -> [Option<Vec<f32>>; N] {
        self.backward(arguments, grad)
    }
}

/// Makes an [`Op`] known to the tensor library.
pub(super) struct Known<T>(pub(super) T);

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
    x.contiguous()?.apply_op3(&w.contiguous()?, &bias.contiguous()?, Known(Conv { shape, needs }))
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
    turned: bool,
    needs: [bool; 3],
}

impl Linear {
    fn product(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.outputs];
        if let Some(bias) = bias {
            out.chunks_mut(self.outputs).for_each(|row| row.copy_from_slice(bias));
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

    fn backward(&self, [x, w]: [&[f32]; 2], grad: &[f32]) -> [Option<Vec<f32>>; 2] {
        [self.of_input(w, grad), self.of_weight(x, grad)]
    }
}

impl Op<3> for Linear {
    const NAME: &'static str = "linear";

    fn forward(&self, [x, w, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        (self.product(x, w, Some(bias)), with_last(dims, self.outputs))
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
    let op = Linear { rows: x.elem_count() / inputs, inputs, outputs, turned, needs };
    let x = x.contiguous()?;
    match bias {
        Some(bias) if bias.dims() == [outputs] => x.apply_op3(&w, &bias.contiguous()?, Known(op)),
        Some(bias) => bail!("linear layer of {outputs} outputs got a bias of shape {:?}", bias.dims()),
        None => x.apply_op2(&w, Known(op)),
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
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Known(norm))
}

/// Layer normalisation over the last dimension.
///
/// # Shapes
/// `x` (…, D), `weight` and `bias` (D).
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = weight.dims1()?;
    let shape = NormShape { channels, run: 1, groups: 1, eps: eps as f32, silu: false };
    let norm = Norm { shape, trains: weight.track_op() || bias.track_op() };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Known(norm))
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
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, Known(op))
}

struct Act(Activation);

impl Op<1> for Act {
    const NAME: &'static str = "activation";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        (pointwise::forward(self.0, x), dims.into())
    }

    fn backward(&self, [x]: [&[f32]; 1], grad: &[f32]) -> [Option<Vec<f32>>; 1] {
        [Some(pointwise::backward(self.0, x, grad))]
    }
}

/// An activation, element by element.
pub(crate) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Known(Act(activation)))
}

struct Geglu(usize);

impl Op<1> for Geglu {
    const NAME: &'static str = "geglu";

    fn forward(&self, [x]: [&[f32]; 1], dims: &[usize]) -> (Vec<f32>, Shape) {
        (pointwise::geglu(self.0, x), with_last(dims, self.0))
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
    x.contiguous()?.apply_op1(Known(Geglu(last / 2)))
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
    x.contiguous()?.apply_op1(Known(Upsample { height, width }))
}

/// A tensor's values as `f32`, flattened in C order.
pub(crate) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
