//! Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): a part of a model keeps only its inputs while the rest
//! of the model runs, and is computed a second time when its gradient is asked for.
//!
//! candle's backward pass knows one graph. A part wrapped in [`checkpoint`] stands in it as a single operation; when the
//! pass comes to it, the part runs again on variables of its own with a graph of its own, whose gradients are those of
//! the inputs and of the trainable parameters inside. The former go back into the outer graph, the latter to the
//! [`backward`] that runs around everything. Losses of models with checkpointed parts must therefore go through
//! [`backward`]: candle's own method would lose the parameters' gradients.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, Var, backprop::GradStore, bail,
};

use super::ops::with_values;

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
/// # Errors
/// More than three inputs that need a gradient.
pub(crate) fn checkpoint(value: Tensor, inputs: &[&Tensor], part: Part) -> Result<Tensor> {
    let tracked: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].track_op()).collect();
    if tracked.is_empty() {
        // There is nothing to hang the operation on. Either nothing inside trains and no graph was kept, or this is the
        // first part where something does, which then keeps what it computed.
        return Ok(value);
    }
    let fixed = inputs.iter().map(|input| input.detach()).collect();
    let argument = |i: usize| inputs[i].contiguous();
    let known = Recomputed { value: Mutex::new(Some(value.detach())), fixed, tracked: tracked.clone(), part };
    drop(value);
    match tracked.as_slice() {
        [a] => argument(*a)?.apply_op1(known),
        [a, b] => argument(*a)?.apply_op2(&argument(*b)?, known),
        [a, b, c] => argument(*a)?.apply_op3(&argument(*b)?, &argument(*c)?, known),
        more => bail!("a checkpointed part may have three inputs that need a gradient, got {}", more.len()),
    }
}

/// The operation that stands for a part in the outer graph.
struct Recomputed {
    /// The result, until it has been handed over.
    value: Mutex<Option<Tensor>>,
    fixed: Vec<Tensor>,
    /// Which inputs are arguments of the operation.
    tracked: Vec<usize>,
    part: Part,
}

impl Recomputed {
    fn take(&self) -> Result<(CpuStorage, Shape)> {
        let Some(value) = self.value.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            bail!("a checkpointed part was run twice")
        };
        Ok((CpuStorage::F32(with_values(&value, <[f32]>::to_vec)?), value.shape().clone()))
    }

    fn gradients<const N: usize>(&self, arguments: [&Tensor; N], grad: &Tensor) -> Result<[Option<Tensor>; N]> {
        let mut inputs = self.fixed.clone();
        let mut own = Vec::with_capacity(N);
        for (&i, argument) in self.tracked.iter().zip(arguments) {
            let variable = Var::from_tensor(&argument.detach())?;
            inputs[i] = variable.as_tensor().clone();
            own.push(variable);
        }
        let out = (self.part)(&inputs)?;
        let (mut store, variables) = gradients(&out.contiguous()?.apply_op1(Pull(grad.clone()))?)?;
        let mut of_arguments = [const { None }; N];
        for (gradient, variable) in of_arguments.iter_mut().zip(&own) {
            *gradient = store.remove(variable.as_tensor());
        }
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
        Ok(of_arguments)
    }
}

impl CustomOp1 for Recomputed {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.take()
    }

    fn bwd(&self, a: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let [da] = self.gradients([a], grad)?;
        Ok(da)
    }
}

impl CustomOp2 for Recomputed {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.take()
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.gradients([a, b], grad)?;
        Ok((da, db))
    }
}

impl CustomOp3 for Recomputed {
    fn name(&self) -> &'static str {
        "checkpoint"
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
        self.take()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.gradients([a, b, c], grad)?;
        Ok((da, db, dc))
    }
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
