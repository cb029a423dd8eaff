//! Operations between feature maps (B, C, H, W) and tokens (B, H·W, C), and sums of maps, without copies between layouts.
//!
//! A 1×1 convolution is a matrix product, and a matrix product may read and write either layout: so the step from a map
//! to tokens costs nothing beyond the projection that stands there anyway.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::{
    composed,
    host::values,
    kernel::{
        for_each_chunk,
        matmul::{Mat, matmul},
        pointwise, sum1, vectorised,
    },
    ops::{Op, apply3, weight_matrix, weight_operand},
};
use crate::device::has_kernels;

/// Elements handed to a thread at a time.
const CHUNK: usize = 1 << 15;

/// A projection of every pixel, of which one side is a map and the other tokens.
struct Project {
    pixels: usize,
    inputs: usize,
    outputs: usize,
    turned: bool,
    needs: [bool; 3],
}

impl Project {
    fn weight<'a>(&self, w: &'a [f32]) -> Mat<'a> {
        weight_matrix(w, [self.outputs, self.inputs], self.turned)
    }
}

/// From a map to tokens.
struct ToTokens(Project);

impl Op<3> for ToTokens {
    const NAME: &'static str = "to tokens";

    fn forward(&self, [x, w, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        let Project { pixels, inputs, outputs, .. } = self.0;
        let mut out = vec![0.0; dims[0] * pixels * outputs];
        for_each_chunk(&mut out, CHUNK / outputs.max(1) * outputs + outputs, |_, rows| {
            rows.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
        });
        for (out, x) in out.chunks_mut(pixels * outputs).zip(x.chunks(inputs * pixels)) {
            let (x, w) = (Mat::rows(x, pixels).t(), self.0.weight(w).t());
            matmul([pixels, outputs, inputs], out, outputs, true, 1.0, x, w);
        }
        (out, (dims[0], pixels, outputs).into())
    }

    fn composed(&self, [x, w, bias]: [&Tensor; 3]) -> Result<Tensor> {
        composed::map_to_tokens(x, w, bias, self.0.turned)
    }

    fn backward(&self, [x, w, _]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let Project { pixels, inputs, outputs, needs, .. } = self.0;
        let dx = needs[0].then(|| {
            let mut dx = vec![0.0; x.len()];
            for (dx, grad) in dx.chunks_mut(inputs * pixels).zip(grad.chunks(pixels * outputs)) {
                let (w, grad) = (self.0.weight(w).t(), Mat::rows(grad, outputs).t());
                matmul([inputs, pixels, outputs], dx, pixels, false, 1.0, w, grad);
            }
            dx
        });
        let dw = needs[1].then(|| {
            let mut dw = vec![0.0; w.len()];
            for (x, grad) in x.chunks(inputs * pixels).zip(grad.chunks(pixels * outputs)) {
                let (grad, x) = (Mat::rows(grad, outputs).t(), Mat::rows(x, pixels).t());
                matmul([outputs, inputs, pixels], &mut dw, inputs, true, 1.0, grad, x);
            }
            dw
        });
        [dx, dw, needs[2].then(|| pointwise::sum_rows(grad, outputs))]
    }
}

/// From tokens to a map.
struct ToMap {
    project: Project,
    height: usize,
    width: usize,
}

impl Op<3> for ToMap {
    const NAME: &'static str = "to map";

    fn forward(&self, [x, w, bias]: [&[f32]; 3], dims: &[usize]) -> (Vec<f32>, Shape) {
        let Project { pixels, inputs, outputs, .. } = self.project;
        let mut out = vec![0.0; dims[0] * pixels * outputs];
        for_each_chunk(&mut out, pixels, |plane, to| to.fill(bias[plane % outputs]));
        for (out, x) in out.chunks_mut(pixels * outputs).zip(x.chunks(inputs * pixels)) {
            let (w, x) = (self.project.weight(w), Mat::rows(x, inputs).t());
            matmul([outputs, pixels, inputs], out, pixels, true, 1.0, w, x);
        }
        (out, (dims[0], outputs, self.height, self.width).into())
    }

    fn composed(&self, [x, w, bias]: [&Tensor; 3]) -> Result<Tensor> {
        composed::tokens_to_map(x, w, bias, self.project.turned, [self.height, self.width])
    }

    fn backward(&self, [x, w, _]: [&[f32]; 3], grad: &[f32]) -> [Option<Vec<f32>>; 3] {
        let Project { pixels, inputs, outputs, needs, .. } = self.project;
        let dx = needs[0].then(|| {
            let mut dx = vec![0.0; x.len()];
            for (dx, grad) in dx.chunks_mut(inputs * pixels).zip(grad.chunks(pixels * outputs)) {
                let (grad, w) = (Mat::rows(grad, pixels).t(), self.project.weight(w));
                matmul([pixels, inputs, outputs], dx, inputs, false, 1.0, grad, w);
            }
            dx
        });
        let dw = needs[1].then(|| {
            let mut dw = vec![0.0; w.len()];
            for (x, grad) in x.chunks(inputs * pixels).zip(grad.chunks(pixels * outputs)) {
                let (grad, x) = (Mat::rows(grad, pixels), Mat::rows(x, inputs));
                matmul([outputs, inputs, pixels], &mut dw, inputs, true, 1.0, grad, x);
            }
            dw
        });
        [dx, dw, needs[2].then(|| sum_planes(grad, pixels, outputs))]
    }
}

/// The sum over pixels and samples of every channel, in order.
fn sum_planes(x: &[f32], pixels: usize, channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for (plane, values) in x.chunks(pixels.max(1)).enumerate() {
        sums[plane % channels] += vectorised!(sum1(values, |v| v));
    }
    sums
}

fn needs(x: &Tensor, w: &Tensor, bias: &Tensor) -> [bool; 3] {
    [x.track_op(), w.track_op(), bias.track_op()]
}

/// A 1×1 convolution of a map whose result is tokens.
///
/// # Shapes
/// `x` (B, C, H, W), `w` (O, C), `bias` (O) → (B, H·W, O).
pub(crate) fn map_to_tokens(x: &Tensor, w: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let ((_, channels, height, width), (outputs, inputs)) = (x.dims4()?, w.dims2()?);
    if channels != inputs || bias.dims() != [outputs] {
        bail!("projection to tokens got {:?}, {:?}, {:?}", x.dims(), w.dims(), bias.dims());
    }
    let needs = needs(x, w, bias);
    let (w, turned) = weight_operand(w)?;
    apply3(ToTokens(Project { pixels: height * width, inputs, outputs, turned, needs }), [x, &w, bias])
}

/// A linear layer over tokens whose result is a map.
///
/// # Shapes
/// `x` (B, H·W, C), `w` (O, C), `bias` (O) → (B, O, H, W).
pub(crate) fn tokens_to_map(x: &Tensor, w: &Tensor, bias: &Tensor, [height, width]: [usize; 2]) -> Result<Tensor> {
    let ((_, pixels, channels), (outputs, inputs)) = (x.dims3()?, w.dims2()?);
    if channels != inputs || pixels != height * width || bias.dims() != [outputs] {
        bail!("projection to a map of {height}×{width} got {:?}, {:?}, {:?}", x.dims(), w.dims(), bias.dims());
    }
    let needs = needs(x, w, bias);
    let (w, turned) = weight_operand(w)?;
    let project = Project { pixels, inputs, outputs, turned, needs };
    apply3(ToMap { project, height, width }, [x, &w, bias])
}

/// The sum of two tensors of one shape, or of a map (B, C, H, W) and a number for each of its channels (B, C).
struct Add {
    pixels: usize,
    needs: [bool; 2],
}

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (values(a, la)?, values(b, lb)?);
        let mut out = vec![0.0; a.len()];
        if self.pixels == 1 {
            for_each_chunk(&mut out, CHUNK, |index, out| {
                let (a, b) = (&a[index * CHUNK..][..out.len()], &b[index * CHUNK..][..out.len()]);
                vectorised!(out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = a + b));
            });
        } else {
            for_each_chunk(&mut out, self.pixels, |plane, out| {
                let (a, b) = (&a[plane * self.pixels..][..out.len()], b[plane]);
                vectorised!(out.iter_mut().zip(a).for_each(|(o, a)| *o = a + b));
            });
        }
        Ok((CpuStorage::F32(out), la.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, b: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let of_b = match (self.needs[1], self.pixels) {
            (false, _) => None,
            (true, 1) => Some(grad.clone()),
            (true, pixels) => {
                let planes = grad.reshape((b.elem_count(), pixels))?;
                Some(planes.sum(1)?.reshape(b.shape())?)
            }
        };
        Ok((self.needs[0].then(|| grad.clone()), of_b))
    }
}

/// `a + b`, both of one shape.
pub(crate) fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("a sum got {:?} and {:?}", a.dims(), b.dims());
    }
    if !has_kernels(a.device()) {
        return a + b;
    }
    let op = Add { pixels: 1, needs: [a.track_op(), b.track_op()] };
    a.contiguous()?.apply_op2(&b.contiguous()?, op)
}

/// A map (B, C, H, W) plus a number for each of its channels (B, C).
pub(crate) fn add_channels(map: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = map.dims4()?;
    if shift.dims() != [batch, channels] {
        bail!("{:?} numbers were to be added to the channels of {:?}", shift.dims(), map.dims());
    }
    if height * width == 1 {
        return add(map, &shift.reshape(map.shape())?);
    }
    if !has_kernels(map.device()) {
        return map.broadcast_add(&shift.reshape((batch, channels, 1, 1))?);
    }
    let op = Add { pixels: height * width, needs: [map.track_op(), shift.track_op()] };
    map.contiguous()?.apply_op2(&shift.contiguous()?, op)
}
