//! Differentiable operations on tensors over the CPU kernels.
//!
//! Each operation notes at the forward pass which arguments can need a gradient, so a frozen weight never pays for one.
//! Operations expect `f32` tensors on the CPU and make their arguments contiguous.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, bail};

use super::kernel::{
    attention::{self, AttentionShape},
    conv::{self, ConvShape},
    for_each_chunk,
    matmul::{Mat, matmul},
    norm::{self, NormShape},
    pointwise::{self, Activation},
};

/// The contiguous `f32` values of a storage.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
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

fn tensor_like(data: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(data, like.shape(), like.device())
}

struct Conv {
    shape: ConvShape,
    batch: usize,
    needs: [bool; 3],
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = conv::forward(&self.shape, values(x, lx)?, values(w, lw)?, values(b, lb)?);
        let s = &self.shape;
        Ok((CpuStorage::F32(out), (self.batch, s.out_channels, s.out_height(), s.out_width()).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, db) = with_all([x, w, grad], |[xs, ws, grad]| {
            (
                self.needs[0].then(|| conv::backward_input(&self.shape, ws, grad)),
                self.needs[1].then(|| conv::backward_weight(&self.shape, xs, grad)),
                self.needs[2].then(|| conv::backward_bias(&self.shape, grad)),
            )
        })?;
        Ok((
            dx.map(|d| tensor_like(d, x)).transpose()?,
            dw.map(|d| tensor_like(d, w)).transpose()?,
            db.map(|d| tensor_like(d, b)).transpose()?,
        ))
    }
}

/// 2-D convolution.
///
/// # Shapes
/// `x` (B, C, H, W), `w` (O, C, kh, kw), `bias` (O) → (B, O, H', W'); `pad` is top, left, bottom, right.
pub(crate) fn conv2d(x: &Tensor, w: &Tensor, bias: &Tensor, stride: usize, pad: [usize; 4]) -> Result<Tensor> {
    let (batch, in_channels, height, width) = x.dims4()?;
    let (out_channels, w_channels, kh, kw) = w.dims4()?;
    if w_channels != in_channels {
        bail!("convolution expects {w_channels} channels, got {in_channels}");
    }
    if height + pad[0] + pad[2] < kh || width + pad[1] + pad[3] < kw {
        bail!("convolution of {kh}×{kw} does not fit a picture of {height}×{width}");
    }
    let shape = ConvShape { in_channels, out_channels, height, width, kernel: [kh, kw], stride, pad };
    let needs = [x.track_op(), w.track_op(), bias.track_op()];
    x.contiguous()?.apply_op3(&w.contiguous()?, &bias.contiguous()?, Conv { shape, batch, needs })
}

struct Linear {
    rows: usize,
    inputs: usize,
    outputs: usize,
    needs: [bool; 3],
}

impl Linear {
    fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>, layout: &Layout) -> (CpuStorage, Shape) {
        let mut out = vec![0.0; self.rows * self.outputs];
        if let Some(bias) = bias {
            out.chunks_mut(self.outputs).for_each(|row| row.copy_from_slice(bias));
        }
        let dims = [self.rows, self.outputs, self.inputs];
        let (a, b) = (Mat::rows(x, self.inputs), Mat::rows(w, self.inputs).t());
        matmul(dims, &mut out, self.outputs, bias.is_some(), 1.0, a, b);
        let mut shape = layout.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        (CpuStorage::F32(out), shape.into())
    }

    /// Gradients of input, weight and bias, each only where it is needed.
    fn backward(&self, x: &Tensor, w: &Tensor, grad: &Tensor) -> Result<[Option<Vec<f32>>; 3]> {
        let (n, i, o) = (self.rows, self.inputs, self.outputs);
        with_all([x, w, grad], |[x, w, grad]| {
            let dx = self.needs[0].then(|| {
                let mut dx = vec![0.0; n * i];
                matmul([n, i, o], &mut dx, i, false, 1.0, Mat::rows(grad, o), Mat::rows(w, i));
                dx
            });
            let dw = self.needs[1].then(|| {
                let mut dw = vec![0.0; o * i];
                matmul([o, i, n], &mut dw, i, false, 1.0, Mat::rows(grad, o).t(), Mat::rows(x, i));
                dw
            });
            let db = self.needs[2].then(|| pointwise::sum_rows(grad, o));
            [dx, dw, db]
        })
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward(values(x, lx)?, values(w, lw)?, None, lx))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, _] = self.backward(x, w, grad)?;
        Ok((dx.map(|d| tensor_like(d, x)).transpose()?, dw.map(|d| tensor_like(d, w)).transpose()?))
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward(values(x, lx)?, values(w, lw)?, Some(values(b, lb)?), lx))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, db] = self.backward(x, w, grad)?;
        Ok((
            dx.map(|d| tensor_like(d, x)).transpose()?,
            dw.map(|d| tensor_like(d, w)).transpose()?,
            db.map(|d| tensor_like(d, b)).transpose()?,
        ))
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
    let op = Linear { rows: x.elem_count() / inputs, inputs, outputs, needs };
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match bias {
        Some(bias) if bias.dims() == [outputs] => x.apply_op3(&w, &bias.contiguous()?, op),
        Some(bias) => bail!("linear layer of {outputs} outputs got a bias of shape {:?}", bias.dims()),
        None => x.apply_op2(&w, op),
    }
}

struct Norm {
    shape: NormShape,
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = norm::forward(&self.shape, values(x, lx)?, values(w, lw)?, values(b, lb)?);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw, db) = with_all([x, w, b, grad], |[x, w, b, grad]| norm::backward(&self.shape, x, w, b, grad))?;
        Ok((Some(tensor_like(dx, x)?), Some(tensor_like(dw, w)?), Some(tensor_like(db, b)?)))
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
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Norm { shape })
}

/// Layer normalisation over the last dimension.
///
/// # Shapes
/// `x` (…, D), `weight` and `bias` (D).
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let channels = weight.dims1()?;
    let shape = NormShape { channels, run: 1, groups: 1, eps: eps as f32, silu: false };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Norm { shape })
}

struct Attention {
    shape: AttentionShape,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = attention::forward(&self.shape, values(q, lq)?, values(k, lk)?, values(v, lv)?);
        Ok((CpuStorage::F32(out), lq.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dq, dk, dv) =
            with_all([q, k, v, grad], |[q, k, v, grad]| attention::backward(&self.shape, q, k, v, grad))?;
        Ok((Some(tensor_like(dq, q)?), Some(tensor_like(dk, k)?), Some(tensor_like(dv, v)?)))
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
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, Attention { shape })
}

struct Act(Activation);

impl CustomOp1 for Act {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(pointwise::forward(self.0, values(x, lx)?)), lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_all([x, grad], |[x, grad]| pointwise::backward(self.0, x, grad))?;
        Ok(Some(tensor_like(dx, x)?))
    }
}

/// An activation, element by element.
pub(crate) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Act(activation))
}

struct Geglu(usize);

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut shape = lx.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.0;
        }
        Ok((CpuStorage::F32(pointwise::geglu(self.0, values(x, lx)?)), shape.into()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_all([x, grad], |[x, grad]| pointwise::geglu_backward(self.0, x, grad))?;
        Ok(Some(tensor_like(dx, x)?))
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
    x.contiguous()?.apply_op1(Geglu(last / 2))
}

struct Upsample {
    height: usize,
    width: usize,
}

impl CustomOp1 for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, lx)?;
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
        let mut shape = lx.dims().to_vec();
        shape[2] *= 2;
        shape[3] *= 2;
        Ok((CpuStorage::F32(out), shape.into()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (h, w) = (self.height, self.width);
        let dx = with_values(grad, |grad| {
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
            dx
        })?;
        Ok(Some(tensor_like(dx, x)?))
    }
}

/// Nearest-neighbour upsampling by 2.
///
/// # Shapes
/// `x` (B, C, H, W) → (B, C, 2 H, 2 W).
pub(crate) fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    x.contiguous()?.apply_op1(Upsample { height, width })
}

/// A tensor's values as `f32`, flattened in C order.
pub(crate) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
