//! A result with a gradient of its own: it stands in the graph as one operation, whatever made it, on any device.
//!
//! Only the inputs are kept for the backward pass. What was between them and the result, and what frozen inputs would have
//! taken, is never there.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result, Shape, Storage, Tensor,
    backend::{BackendDevice, BackendStorage},
    bail,
};

use super::host::with_values;

/// From the inputs, which of them need a gradient, and the gradient of the result: a gradient for each input, where it is
/// needed.
pub(super) trait Gradient:
    Fn(&[Tensor], &[bool], &Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static
{
}

impl<F: Fn(&[Tensor], &[bool], &Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static> Gradient for F {}

/// `value`, which was made from `inputs` without a graph, in a graph in which `gradient` leads back to them.
///
/// # Errors
/// More than three inputs that need a gradient.
pub(super) fn opaque(value: Tensor, inputs: &[&Tensor], gradient: impl Gradient) -> Result<Tensor> {
    let needs: Vec<bool> = inputs.iter().map(|input| input.track_op()).collect();
    let tracked: Vec<&Tensor> = inputs.iter().zip(&needs).filter(|(_, needed)| **needed).map(|(x, _)| *x).collect();
    if tracked.is_empty() {
        // There is nothing to hang the operation on.
        return Ok(value);
    }
    let inputs = inputs.iter().map(|input| input.detach()).collect();
    let known = Opaque { value: Mutex::new(Some(value.detach())), inputs, needs, gradient };
    drop(value);
    match tracked.as_slice() {
        [a] => a.apply_op1(known),
        [a, b] => a.apply_op2(b, known),
        [a, b, c] => a.apply_op3(b, c, known),
        more => bail!("an operation may have three inputs that need a gradient, got {}", more.len()),
    }
}

struct Opaque<G> {
    /// The result, until it has been handed over.
    value: Mutex<Option<Tensor>>,
    inputs: Vec<Tensor>,
    needs: Vec<bool>,
    gradient: G,
}

impl<G: Gradient> Opaque<G> {
    fn value(&self) -> Result<Tensor> {
        match self.value.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(value) => Ok(value),
            None => bail!("an operation was run twice"),
        }
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        let value = self.value()?;
        Ok((CpuStorage::F32(with_values(&value, <[f32]>::to_vec)?), value.shape().clone()))
    }

    fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        let value = self.value()?;
        match &*value.storage_and_layout().0 {
            Storage::Cuda(storage) => Ok((copy(storage, value.layout())?, value.shape().clone())),
            _ => bail!("a result is not on its device"),
        }
    }

    fn on_metal(&self) -> Result<(MetalStorage, Shape)> {
        let value = self.value()?;
        match &*value.storage_and_layout().0 {
            Storage::Metal(storage) => Ok((copy(storage, value.layout())?, value.shape().clone())),
            _ => bail!("a result is not on its device"),
        }
    }

    fn gradients<const N: usize>(&self, grad: &Tensor) -> Result<[Option<Tensor>; N]> {
        let all = (self.gradient)(&self.inputs, &self.needs, grad)?;
        let mut found = all.into_iter().zip(&self.needs).filter(|(_, needed)| **needed).map(|(gradient, _)| gradient);
        let mut own = [const { None }; N];
        for slot in &mut own {
            *slot = found.next().flatten();
        }
        Ok(own)
    }
}

/// The values of a storage, one behind the other.
fn copy<S: BackendStorage>(storage: &S, layout: &Layout) -> Result<S>
where
    S::Device: BackendDevice<Storage = S>,
{
    let mut copy = storage.device().zeros_impl(layout.shape(), storage.dtype())?;
    storage.copy_strided_src(&mut copy, 0, layout)?;
    Ok(copy)
}

const NAME: &str = "opaque";

impl<G: Gradient> CustomOp1 for Opaque<G> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(&self, _: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let [da] = self.gradients(grad)?;
        Ok(da)
    }
}

impl<G: Gradient> CustomOp2 for Opaque<G> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients(grad)?;
        Ok((da, db))
    }
}

impl<G: Gradient> CustomOp3 for Opaque<G> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        self.on_metal()
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.gradients(grad)?;
        Ok((da, db, dc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_copy_holds_the_values_of_any_layout() {
        let x = Tensor::arange(0f32, 12.0, &Device::Cpu).and_then(|x| x.reshape((3, 4))).expect("twelve numbers");
        let part = x.narrow(1, 1, 2).and_then(|x| x.t()).expect("inside");
        let (storage, layout) = part.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { panic!("made on the CPU") };
        let copied = copy(storage, layout).expect("a copy");
        assert_eq!(copied.as_slice::<f32>().expect("of f32"), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0]);
    }

    #[test]
    fn inputs_that_need_none_get_no_gradient() {
        let number = |value: f32| Tensor::new(&[value], &Device::Cpu).expect("a number");
        let (x, y) = (number(3.0), Var::from_tensor(&number(5.0)).expect("a variable"));
        let product = (&x * y.as_detached_tensor()).expect("a product");
        let made = opaque(product, &[&x, &y], |inputs, needs, grad| {
            assert_eq!(needs, [false, true]);
            Ok(vec![None, Some((grad * &inputs[0])?)])
        });
        let store = made.and_then(|made| made.backward()).expect("a gradient");
        assert_eq!(store.get(&y).expect("it trains").to_vec1::<f32>().expect("one number"), [3.0]);
        assert!(store.get(&x).is_none());
    }
}
