//! Gradients over shards of a batch, and AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with an exponential moving
//! average of the weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var, backprop::GradStore};
use rayon::prelude::*;

use crate::{
    error::{ModelError, Result},
    nn::{
        kernel,
        ops::{to_vec, with_values},
        params::Params,
    },
};

/// The gradient of a loss with respect to every variable, and the loss.
pub struct Gradients {
    /// The loss, averaged over shards.
    pub loss: f64,
    by_name: BTreeMap<String, Vec<f32>>,
}

impl Gradients {
    /// The gradient of the variable `name`, flattened.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.by_name.get(name).map(Vec::as_slice)
    }

    /// The Euclidean norm over all variables.
    pub fn norm(&self) -> f64 {
        let square = |values: &Vec<f32>| values.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        self.by_name.values().map(square).sum::<f64>().sqrt()
    }
}

type Collected = BTreeMap<String, Vec<f32>>;

fn collect(store: &GradStore, vars: &BTreeMap<String, Var>) -> Result<Collected> {
    let mut collected = Collected::new();
    for (name, var) in vars {
        if let Some(gradient) = store.get(var.as_tensor()) {
            collected.insert(name.clone(), to_vec(gradient)?);
        }
    }
    Ok(collected)
}

/// The mean over shards, summed in the order of the shards; every variable must have received something.
fn average(shards: Vec<Collected>, loss: f64, vars: &BTreeMap<String, Var>) -> Result<Gradients> {
    let scale = 1.0 / shards.len() as f32;
    let mut by_name = Collected::new();
    for shard in shards {
        for (name, values) in shard {
            match by_name.entry(name) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(values);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    for (sum, value) in entry.get_mut().iter_mut().zip(values) {
                        *sum += value;
                    }
                }
            }
        }
    }
    for values in by_name.values_mut() {
        for value in values {
            *value *= scale;
        }
    }
    match vars.keys().find(|name| !by_name.contains_key(*name)) {
        Some(name) => Err(ModelError::NoGradient { name: name.clone() }),
        None => Ok(Gradients { loss, by_name }),
    }
}

/// The gradient of the mean of `loss(shard)` over `n_shards` shards, each on one thread.
///
/// # Errors
/// What `loss` returns; [`ModelError::NoGradient`] when a variable is not connected to the loss.
pub fn sharded_gradients(
    params: &Params,
    n_shards: usize,
    loss: impl Fn(usize) -> Result<Tensor> + Sync,
) -> Result<Gradients> {
    let vars = params.vars();
    let shards: Vec<(f64, Collected)> = (0..n_shards)
        .into_par_iter()
        .map(|shard| {
            kernel::serial(|| {
                let loss = loss(shard)?;
                Ok((f64::from(loss.to_scalar::<f32>()?), collect(&loss.backward()?, &vars)?))
            })
        })
        .collect::<Result<_>>()?;
    let loss = shards.iter().map(|(loss, _)| loss).sum::<f64>() / n_shards as f64;
    average(shards.into_iter().map(|(_, collected)| collected).collect(), loss, &vars)
}

/// As [`sharded_gradients`] for losses that compare a whole batch: `outputs(shard)` runs the network on a shard, `head`
/// computes the loss from the outputs of all shards, concatenated along the first dimension.
///
/// # Errors
/// As [`sharded_gradients`].
pub fn two_phase_gradients(
    params: &Params,
    n_shards: usize,
    outputs: impl Fn(usize) -> Result<Vec<Tensor>> + Sync,
    head: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Gradients> {
    let vars = params.vars();
    let parts: Vec<Vec<Tensor>> =
        (0..n_shards).into_par_iter().map(|shard| kernel::serial(|| outputs(shard))).collect::<Result<_>>()?;
    let n_outputs = parts.first().map_or(0, Vec::len);
    let mut joined = Vec::with_capacity(n_outputs);
    for index in 0..n_outputs {
        let pieces: Vec<Tensor> = parts.iter().map(|part| part[index].detach()).collect();
        joined.push(Var::from_tensor(&Tensor::cat(&pieces, 0)?)?);
    }
    let tensors: Vec<Tensor> = joined.iter().map(|var| var.as_tensor().clone()).collect();
    let loss = head(&tensors)?;
    let store = loss.backward()?;
    let mut starts = vec![0; n_outputs];
    let mut surrogates = Vec::with_capacity(n_shards);
    for part in &parts {
        let mut gradients = Vec::with_capacity(n_outputs);
        for (index, output) in part.iter().enumerate() {
            let rows = output.dim(0)?;
            let gradient = store
                .get(joined[index].as_tensor())
                .ok_or_else(|| ModelError::NoGradient { name: format!("output {index} of the network") })?;
            gradients.push(gradient.narrow(0, starts[index], rows)?.detach());
            starts[index] += rows;
        }
        surrogates.push(gradients);
    }
    let shards: Vec<Collected> = parts
        .par_iter()
        .zip(surrogates)
        .map(|(part, gradients)| {
            kernel::serial(|| {
                let mut total: Option<Tensor> = None;
                for (output, gradient) in part.iter().zip(gradients) {
                    // The sum over shards must be the gradient of the whole loss, and `average` divides by their number.
                    let term = ((output * gradient)?.sum_all()? * n_shards as f64)?;
                    total = Some(match total {
                        Some(sum) => (sum + term)?,
                        None => term,
                    });
                }
                match total {
                    Some(total) => collect(&total.backward()?, &vars),
                    None => Ok(Collected::new()),
                }
            })
        })
        .collect::<Result<_>>()?;
    average(shards, f64::from(loss.to_scalar::<f32>()?), &vars)
}

/// Settings of the optimiser.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay, applied to matrices and kernels, never to biases and norms.
    pub weight_decay: f32,
    /// Largest gradient norm; larger gradients are scaled down to it.
    pub clip_norm: f64,
    /// Decay of the moving average of the weights; 0 keeps the weights themselves.
    pub ema: f32,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, clip_norm: 1.0, ema: 0.0 }
    }
}

/// One variable and what the optimiser remembers of it.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) var: Var,
    pub(super) value: Vec<f32>,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) average: Vec<f32>,
}

/// AdamW over the variables of a model.
pub struct Optimiser {
    settings: AdamW,
    pub(super) slots: Vec<Slot>,
    pub(super) step: usize,
}

impl Optimiser {
    /// An optimiser at step 0 over all variables of `params`.
    ///
    /// # Errors
    /// When a variable cannot be read.
    pub fn new(params: &Params, settings: AdamW) -> Result<Self> {
        let slots = params
            .vars()
            .into_iter()
            .map(|(name, var)| {
                let value = with_values(var.as_tensor(), <[f32]>::to_vec)?;
                let zeros = vec![0.0; value.len()];
                Ok(Slot { name, var, average: value.clone(), first: zeros.clone(), second: zeros, value })
            })
            .collect::<Result<_>>()?;
        Ok(Self { settings, slots, step: 0 })
    }

    /// Steps taken so far.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Moves every variable against its gradient.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] when the loss or the gradient is not a number; nothing has moved then.
    pub fn update(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let norm = gradients.norm();
        if !gradients.loss.is_finite() || !norm.is_finite() {
            let what = if gradients.loss.is_finite() { "the gradient" } else { "the loss" };
            return Err(ModelError::NotFinite { what: what.into(), step: self.step });
        }
        let s = self.settings;
        let scale = if norm > s.clip_norm { (s.clip_norm / norm) as f32 } else { 1.0 };
        self.step += 1;
        let correct1 = 1.0 - f64::from(s.beta1).powi(self.step as i32);
        let correct2 = 1.0 - f64::from(s.beta2).powi(self.step as i32);
        let rate = (learning_rate / correct1) as f32;
        let root = (1.0 / correct2.sqrt()) as f32;
        // Early averages would remember the random start, so the decay grows with the steps taken.
        let ema = s.ema.min((1.0 + self.step as f32) / (10.0 + self.step as f32));
        self.slots.par_iter_mut().try_for_each(|slot| {
            let Some(gradient) = gradients.get(&slot.name) else {
                return Err(ModelError::NoGradient { name: slot.name.clone() });
            };
            let dims = slot.var.dims().to_vec();
            let decay = if dims.len() > 1 { learning_rate as f32 * s.weight_decay } else { 0.0 };
            let Slot { value, first, second, average, .. } = slot;
            kernel::vectorised(|| {
                let moments = first.iter_mut().zip(second.iter_mut());
                for (((w, (m, v)), a), &g) in value.iter_mut().zip(moments).zip(average.iter_mut()).zip(gradient) {
                    let g = g * scale;
                    *m = s.beta1 * *m + (1.0 - s.beta1) * g;
                    *v = s.beta2 * *v + (1.0 - s.beta2) * g * g;
                    *w -= decay * *w + rate * *m / (v.sqrt() * root + s.eps);
                    *a = ema * *a + (1.0 - ema) * *w;
                }
            });
            slot.var.set(&Tensor::from_slice(&slot.value, dims, slot.var.device())?)?;
            Ok(())
        })
    }

    /// The weights to keep: the moving averages, or the weights themselves where no average is kept.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        self.slots
            .iter()
            .map(|slot| {
                let values = if self.settings.ema > 0.0 { &slot.average } else { &slot.value };
                Ok((slot.name.clone(), Tensor::from_slice(values, slot.var.dims(), slot.var.device())?))
            })
            .collect()
    }
}
