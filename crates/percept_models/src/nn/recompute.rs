//! Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): a part of a model keeps only its inputs while the rest
//! of the model runs, and is computed a second time when its gradient is asked for.
//!
//! candle's backward pass knows one graph. A part wrapped in [`checkpoint`] stands in it as a single operation; when the
//! pass comes to it, the part runs again on variables of its own with a graph of its own, whose gradients are those of
//! the inputs and of the trainable parameters inside. The former go back into the outer graph, the latter to the
//! [`backward`] that runs around everything. Losses of models with checkpointed parts must therefore go through
//! [`backward`]: candle's own method would lose the parameters' gradients.

use std::{cell::RefCell, sync::Arc};

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, MetalStorage, Result, Shape, Tensor, Var,
    backend::{BackendDevice, BackendStorage},
    backprop::GradStore,
    bail,
};

use super::opaque::opaque;

/// Variables inside checkpointed parts, with their gradients.
type Found = Vec<(Tensor, Tensor)>;

thread_local! {
    static FOUND: RefCell<Option<Found>> = const { RefCell::new(None) };
}

/// The gradients of `loss` with respect to every variable, those inside checkpointed parts included.
///
/// # Errors
/// What candle's backward pass reports.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    Ok(gradients(loss)?.0)
}

/// As [`backward`], with the variables that were found.
fn gradients(loss: &Tensor) -> Result<(GradStore, Vec<Tensor>)> {
    struct Restore(Option<Found>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FOUND.set(self.0.take());
        }
    }
    let mut variables: Vec<Tensor> =
        loss.sorted_nodes().into_iter().filter(|node| node.is_variable()).cloned().collect();
    let restore = Restore(FOUND.replace(Some(Vec::new())));
    let mut store = loss.backward()?;
    let found = FOUND.take().unwrap_or_default();
    drop(restore);
    for (variable, gradient) in found {
        if variables.iter().all(|known| known.id() != variable.id()) {
            variables.push(variable.clone());
        }
        let sum = match store.remove(&variable) {
            Some(sum) => (sum + gradient)?,
            None => gradient,
        };
        store.insert(&variable, sum);
    }
    Ok((store, variables))
}

/// A part of a model: all its inputs, in order, to its one output.
type Part = Arc<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

/// Makes of `value`, which `part` computed from the detached `inputs`, an operation that keeps only the inputs for the
/// backward pass, and not what was computed on the way.
///
/// Where no input is in a graph, either nothing inside trains and no graph was kept, or this is the first part where
/// something does, which then keeps what it computed.
///
/// # Errors
/// More than three inputs that need a gradient.
pub(crate) fn checkpoint(value: Tensor, inputs: &[&Tensor], part: Part) -> Result<Tensor> {
    let inputs = inputs.iter().map(|input| input.contiguous()).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    opaque(value, &inputs, move |inputs, needs, grad| again(&part, inputs, needs, grad))
}

/// Runs `part` a second time, on variables in place of the inputs that need a gradient.
fn again(part: &Part, inputs: &[Tensor], needs: &[bool], grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
    let mut inputs = inputs.to_vec();
    for (input, _) in inputs.iter_mut().zip(needs).filter(|(_, needed)| **needed) {
        *input = Var::from_tensor(input)?.into_inner();
    }
    let out = part(&inputs)?;
    let (mut store, variables) = gradients(&out.contiguous()?.apply_op1(Pull(grad.clone()))?)?;
    let own = inputs.iter().map(|input| if input.is_variable() { store.remove(input) } else { None }).collect();
    FOUND.with_borrow_mut(|found| {
        for variable in variables {
            let Some(gradient) = store.remove(&variable) else { continue };
            match found {
                Some(found) => found.push((variable, gradient)),
                None => bail!("the loss of a model with checkpoints needs percept's own `backward`"),
            }
        }
        Ok(())
    })?;
    Ok(own)
}

/// A number that stands for ⟨x, gradient⟩: its gradient with respect to `x` is the given one.
struct Pull(Tensor);

impl CustomOp1 for Pull {
    fn name(&self) -> &'static str {
        "pull"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), ().into()))
    }

    fn cuda_fwd(&self, x: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        Ok((x.device().zeros_impl(&().into(), DType::F32)?, ().into()))
    }

    fn metal_fwd(&self, x: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        Ok((x.device().zeros_impl(&().into(), DType::F32)?, ().into()))
    }

    fn bwd(&self, _: &Tensor, _res: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use percept_core::Seed;

    fn variable(name: &str) -> Var {
        let values = Seed::new(3).named(name).normal(6);
        Var::from_tensor(&Tensor::from_vec(values, (2, 3), &Device::Cpu).expect("six numbers")).expect("a variable")
    }

    /// Runs `part` on `inputs`, checkpointed where `keep` is false.
    fn run(keep: bool, inputs: &[&Tensor], part: Part) -> Tensor {
        let plain: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
        if keep {
            return part(&plain).expect("the part runs");
        }
        let detached: Vec<Tensor> = plain.iter().map(Tensor::detach).collect();
        checkpoint(part(&detached).expect("the part runs"), inputs, part).expect("it can be checkpointed")
    }

    #[test]
    fn gradients_through_nested_parts_are_those_of_the_plain_graph() {
        let (x, y, w, u) = (variable("x"), variable("y"), variable("w"), variable("u"));
        let loss = |keep: bool| -> Tensor {
            let u = u.as_tensor().clone();
            let inner: Part = Arc::new(move |inputs| (&inputs[0] * &u)?.sin());
            let w = w.as_tensor().clone();
            let outer: Part = Arc::new(move |inputs| {
                let inner = run(keep, &[&inputs[0]], inner.clone());
                ((inner * &inputs[1])? * &w)?.exp()
            });
            let first = run(keep, &[&x, &y], outer.clone());
            // The same part a second time, and an input that is used outside as well.
            let second = run(keep, &[&first, &y], outer);
            (second * x.as_tensor()).and_then(|z| z.sum_all()).expect("a sum")
        };
        let (plain, checkpointed) = (loss(true), loss(false));
        let scalar = |t: &Tensor| t.to_scalar::<f32>().expect("a number");
        assert_eq!(scalar(&plain), scalar(&checkpointed));
        let truth = plain.backward().expect("differentiable");
        let ours = backward(&checkpointed).expect("differentiable");
        let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
        for (name, var) in [("x", &x), ("y", &y), ("w", &w), ("u", &u)] {
            let truth = values(truth.get(var).expect("a gradient"));
            for (ours, truth) in values(ours.get(var).expect("a gradient")).iter().zip(&truth) {
                assert!((ours - truth).abs() <= 1e-5 * truth.abs().max(1.0), "{name}: {ours} {truth}");
            }
        }
        let words = checkpointed.backward().expect_err("the variables inside would be lost").to_string();
        assert!(words.contains("own `backward`"), "{words}");
    }

    #[test]
    fn a_part_without_variables_keeps_no_graph() {
        let x = variable("x").as_tensor().detach();
        let part: Part = Arc::new(|inputs| inputs[0].exp());
        assert!(!run(false, &[&x], part).track_op());
    }
}
