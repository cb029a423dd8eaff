//! Gradients over shards of a batch, and AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with an exponential moving
//! average of the weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var, backprop::GradStore};

use crate::{
    device::side_by_side,
    error::{ModelError, Result},
    nn::{
        NamePattern,
        host::{to_vec, with_values_mut},
        kernel::{self, for_each_part},
        params::Params,
        recompute::backward,
    },
};

/// Elements that one thread moves at a time.
const CHUNK: usize = 1 << 15;

/// The gradient of a loss with respect to every variable, and the loss.
pub struct Gradients {
    /// The loss, averaged over shards.
    pub loss: f64,
    /// Its terms by name, unweighted and averaged over shards, where a task has several.
    pub terms: Vec<(&'static str, f64)>,
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

/// A loss, and the terms it is made of where they are worth a curve of their own.
pub struct Loss {
    /// What is minimised: a scalar.
    pub total: Tensor,
    /// Values of the terms, unweighted.
    pub terms: Vec<(&'static str, f64)>,
}

impl From<Tensor> for Loss {
    fn from(total: Tensor) -> Self {
        Self { total, terms: Vec::new() }
    }
}

type Collected = BTreeMap<String, Vec<f32>>;

/// Takes the gradients out of `store` one by one, so that none is there twice.
fn collect(mut store: GradStore, vars: &BTreeMap<String, Var>) -> Result<Collected> {
    let mut collected = Collected::new();
    for (name, var) in vars {
        if let Some(gradient) = store.remove(var.as_tensor()) {
            collected.insert(name.clone(), to_vec(&gradient)?);
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
        None => Ok(Gradients { loss, terms: Vec::new(), by_name }),
    }
}

/// The gradient of the mean of `loss(shard)` over `n_shards` shards: on the CPU each on one thread, where a single shard has
/// all of them; on other devices one after the other.
///
/// # Errors
/// What `loss` returns; [`ModelError::NoGradient`] when a variable is not connected to the loss.
pub fn sharded_gradients<L: Into<Loss>>(
    params: &Params,
    n_shards: usize,
    loss: impl Fn(usize) -> Result<L> + Sync,
) -> Result<Gradients> {
    type Shard = (f64, Vec<(&'static str, f64)>, Collected);
    let vars = params.vars();
    let one = |shard: usize| -> Result<Shard> {
        let Loss { total, terms } = loss(shard)?.into();
        Ok((f64::from(total.to_scalar::<f32>()?), terms, collect(backward(&total)?, &vars)?))
    };
    let shards: Vec<Shard> = side_by_side(&params.device(), n_shards, one)?;
    let loss = shards.iter().map(|(loss, ..)| loss).sum::<f64>() / n_shards as f64;
    let mut terms = shards.first().map_or(Vec::new(), |(_, terms, _)| terms.clone());
    for (i, (_, sum)) in terms.iter_mut().enumerate() {
        *sum = shards.iter().map(|(_, terms, _)| terms[i].1).sum::<f64>() / n_shards as f64;
    }
    let gradients = average(shards.into_iter().map(|(.., collected)| collected).collect(), loss, &vars)?;
    Ok(Gradients { terms, ..gradients })
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
    let parts: Vec<Vec<Tensor>> = side_by_side(&params.device(), n_shards, outputs)?;
    let n_outputs = parts.first().map_or(0, Vec::len);
    let mut joined = Vec::with_capacity(n_outputs);
    for index in 0..n_outputs {
        let pieces: Vec<Tensor> = parts.iter().map(|part| part[index].detach()).collect();
        joined.push(Var::from_tensor(&Tensor::cat(&pieces, 0)?)?);
    }
    let tensors: Vec<Tensor> = joined.iter().map(|var| var.as_tensor().clone()).collect();
    let loss = head(&tensors)?;
    let store = backward(&loss)?;
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
    let shards: Vec<Collected> = side_by_side(&params.device(), n_shards, |shard| {
        let mut total: Option<Tensor> = None;
        for (output, gradient) in parts[shard].iter().zip(&surrogates[shard]) {
            // The sum over shards must be the gradient of the whole loss, and `average` divides by their number.
            let term = ((output * gradient)?.sum_all()? * n_shards as f64)?;
            total = Some(match total {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
        match total {
            Some(total) => collect(backward(&total)?, &vars),
            None => Ok(Collected::new()),
        }
    })?;
    average(shards, f64::from(loss.to_scalar::<f32>()?), &vars)
}

/// What the optimiser does differently for some parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which parameters.
    pub names: NamePattern,
    /// Their weight decay; where it is `None`, that of [`AdamW`] by its rule.
    pub weight_decay: Option<f32>,
    /// What the learning rate is multiplied by.
    pub rate: f32,
}

impl Group {
    /// No weight decay for the parameters that `pattern` fits.
    pub fn without_decay(pattern: &str) -> Self {
        Self { names: NamePattern::new(pattern), weight_decay: Some(0.0), rate: 1.0 }
    }
}

/// Settings of the optimiser.
#[derive(Clone)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay, applied to matrices and kernels, never to biases and norms, where no group says otherwise.
    pub weight_decay: f32,
    /// Largest gradient norm; larger gradients are scaled down to it.
    pub clip_norm: f64,
    /// Decay of the moving average of the weights; 0 keeps the weights themselves.
    pub ema: f32,
    /// Exceptions; the first one whose pattern fits a parameter's name holds for it.
    pub groups: Vec<Group>,
}

/// Without groups it reads as it did before there were any: checkpoints of such runs stay theirs.
impl std::fmt::Debug for AdamW {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut fields = f.debug_struct("AdamW");
        fields.field("beta1", &self.beta1).field("beta2", &self.beta2).field("eps", &self.eps);
        fields.field("weight_decay", &self.weight_decay).field("clip_norm", &self.clip_norm).field("ema", &self.ema);
        if !self.groups.is_empty() {
            fields.field("groups", &self.groups);
        }
        fields.finish()
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, clip_norm: 1.0, ema: 0.0, groups: Vec::new() }
    }
}

impl AdamW {
    /// Weight decay and factor of the learning rate for a parameter.
    fn of(&self, name: &str, dims: &[usize]) -> (f32, f32) {
        let usual = if dims.len() > 1 { self.weight_decay } else { 0.0 };
        match self.groups.iter().find(|group| group.names.matches(name)) {
            Some(group) => (group.weight_decay.unwrap_or(usual), group.rate),
            None => (usual, 1.0),
        }
    }
}

/// One variable and what the optimiser remembers of it.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) var: Var,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    /// Empty where no average is kept.
    pub(super) average: Vec<f32>,
    weight_decay: f32,
    /// The share of the learning rate that it moves by.
    rate: f32,
}

/// AdamW over the variables of a model. Its moments and averages are the host's on every device, and so is its arithmetic.
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
        Self::with_rates(params, settings, |_| 1.0)
    }

    /// As [`Optimiser::new`]; the variable `name` moves by `share(name)` of the learning rate, times what its group says.
    ///
    /// # Errors
    /// When a variable cannot be read.
    pub fn with_rates(params: &Params, settings: AdamW, share: impl Fn(&str) -> f64) -> Result<Self> {
        let slots = params
            .vars()
            .into_iter()
            .map(|(name, var)| {
                let zeros = vec![0.0; var.elem_count()];
                let average = if settings.ema > 0.0 { to_vec(&var)? } else { Vec::new() };
                let (weight_decay, rate) = settings.of(&name, var.dims());
                let rate = rate * share(&name) as f32;
                Ok(Slot { name, var, first: zeros.clone(), second: zeros, average, weight_decay, rate })
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
    /// [`ModelError::NotFinite`] when the loss or the gradient is not a number, [`ModelError::NoGradient`] when one is
    /// absent; nothing has moved then.
    pub fn update(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let norm = gradients.norm();
        if !gradients.loss.is_finite() || !norm.is_finite() {
            let what = if gradients.loss.is_finite() { "the gradient" } else { "the loss" };
            return Err(ModelError::NotFinite { what: what.into(), step: self.step });
        }
        if let Some(slot) = self.slots.iter().find(|slot| gradients.get(&slot.name).is_none()) {
            return Err(ModelError::NoGradient { name: slot.name.clone() });
        }
        let s = &self.settings;
        let (beta1, beta2, eps) = (s.beta1, s.beta2, s.eps);
        let scale = if norm > s.clip_norm { (s.clip_norm / norm) as f32 } else { 1.0 };
        self.step += 1;
        let correct1 = 1.0 - f64::from(beta1).powi(self.step as i32);
        let correct2 = 1.0 - f64::from(beta2).powi(self.step as i32);
        let root = (1.0 / correct2.sqrt()) as f32;
        // Early averages would remember the random start, so the decay grows with the steps taken.
        let ema = s.ema.min((1.0 + self.step as f32) / (10.0 + self.step as f32));
        for slot in &mut self.slots {
            let gradient = gradients.get(&slot.name).unwrap_or_default();
            let Slot { var, first, second, average, weight_decay, rate, .. } = slot;
            let decay = learning_rate as f32 * *rate * *weight_decay;
            let rate = (learning_rate / correct1) as f32 * *rate;
            let moments = first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK));
            let mut averages = average.chunks_mut(CHUNK);
            with_values_mut(var, |values| {
                let parts = values.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).zip(moments);
                let parts = parts.map(|part| (part, averages.next().unwrap_or_default())).collect();
                for_each_part(parts, |(((values, gradient), (first, second)), average)| {
                    kernel::vectorised!({
                        let moments = first.iter_mut().zip(second.iter_mut());
                        for ((w, (m, v)), &g) in values.iter_mut().zip(moments).zip(gradient) {
                            let g = g * scale;
                            *m = beta1 * *m + (1.0 - beta1) * g;
                            *v = beta2 * *v + (1.0 - beta2) * g * g;
                            *w -= decay * *w + rate * *m / (v.sqrt() * root + eps);
                        }
                        for (a, w) in average.iter_mut().zip(&*values) {
                            *a = ema * *a + (1.0 - ema) * *w;
                        }
                    });
                });
            })?;
        }
        Ok(())
    }

    /// The weights to keep: the moving averages, or the weights themselves where no average is kept.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        self.slots
            .iter()
            .map(|slot| {
                let weight = if slot.average.is_empty() {
                    slot.var.as_tensor().detach().copy()?
                } else {
                    Tensor::from_slice(&slot.average, slot.var.dims(), slot.var.device())?
                };
                Ok((slot.name.clone(), weight))
            })
            .collect()
    }
}
