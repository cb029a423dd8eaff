//! The values of tensors as plain slices: where they are on the CPU, by a copy where they are on another device.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CudaStorage, DType, InplaceOp1, Layout, MetalStorage, Result, Storage, Tensor,
    backend::{BackendDevice, BackendStorage},
    bail,
};
use ndarray::Array2;

/// The contiguous `f32` values of a storage.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let all: &[f32] = storage.as_slice()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Runs `work` on the contiguous `f32` values of a tensor; those on another device are copied from there.
pub(crate) fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => Ok(work(values(cpu, layout)?)),
        Storage::Cuda(cuda) => Ok(work(values(&cuda.to_cpu_storage()?, layout)?)),
        Storage::Metal(metal) => Ok(work(values(&metal.to_cpu_storage()?, layout)?)),
    }
}

/// Runs `work` on the contiguous `f32` values of a tensor and keeps what it writes there; those on another device are copied
/// from there and back.
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

        fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
            there_and_back(storage, |copy| self.cpu_fwd(copy, layout))
        }

        fn metal_fwd(&self, storage: &mut MetalStorage, layout: &Layout) -> Result<()> {
            there_and_back(storage, |copy| self.cpu_fwd(copy, layout))
        }
    }
    tensor.inplace_op1(&Visit(Mutex::new(Some(work))))
}

/// Has `work` change a copy of the storage on the host, and the storage be what it made of it.
fn there_and_back<S: BackendStorage>(storage: &mut S, work: impl FnOnce(&mut CpuStorage) -> Result<()>) -> Result<()>
where
    S::Device: BackendDevice<Storage = S>,
{
    let mut copy = storage.to_cpu_storage()?;
    work(&mut copy)?;
    *storage = storage.device().storage_from_cpu_storage_owned(copy)?;
    Ok(())
}

/// As [`with_values`] for several tensors on the CPU at once.
pub(super) fn with_all<T, const N: usize>(tensors: [&Tensor; N], work: impl FnOnce([&[f32]; N]) -> T) -> Result<T> {
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

/// A tensor's values as `f32`, flattened in C order.
pub(crate) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// A tensor (n, …) → rows n × rest.
pub(crate) fn to_rows(tensor: &Tensor) -> crate::error::Result<Array2<f32>> {
    let n = tensor.dim(0)?;
    let columns = tensor.elem_count() / n.max(1);
    let values = to_vec(tensor)?;
    Array2::from_shape_vec((n, columns), values).map_err(|source| crate::error::ModelError::Input {
        what: "tensor",
        expected: format!("{n}×{columns} values"),
        got: source.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_storage_becomes_what_was_made_of_its_copy() {
        let x = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu).expect("three numbers");
        let (storage, _) = x.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { panic!("made on the CPU") };
        let mut storage = storage.clone();
        let double = |copy: &mut CpuStorage| match copy {
            CpuStorage::F32(values) => {
                for value in values.iter_mut() {
                    *value *= 2.0;
                }
                Ok(())
            }
            _ => bail!("another type"),
        };
        there_and_back(&mut storage, double).expect("a storage of f32");
        assert_eq!(storage.as_slice::<f32>().expect("of f32"), [2.0, 4.0, 6.0]);
    }
}
