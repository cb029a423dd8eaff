//! Named parameters: from files, or drawn at random for training; frozen tensors, or variables that train.
//!
//! A model asks for each tensor by the name it has in the checkpoint. What the files lack, hold in another shape, or
//! hold without anybody asking is reported by name. Parameters also know the device that all of them live on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use candle_core::{DType, Device, Tensor, Var};
use percept_core::Seed;

use super::{host::with_values, kernel::turn};
use crate::{
    device,
    error::{ModelError, Result},
};

/// How a new parameter is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Uniform in ±1/√`fan_in`, as PyTorch draws convolutions and linear layers.
    Uniform {
        /// Inputs that enter one output.
        fan_in: usize,
    },
    /// Normal with this standard deviation.
    Normal {
        /// The standard deviation.
        std: f32,
    },
}

enum Source {
    /// Tensors read from files; those that were taken are no longer here, so that none is held twice.
    Files { tensors: BTreeMap<String, Option<Tensor>>, origin: String },
    /// Fresh draws, each from the stream named after the tensor.
    Random(Seed),
}

type Pattern = Box<dyn Fn(&str) -> bool + Send + Sync>;

struct Store {
    source: Source,
    device: Device,
    trains: Pattern,
    used: BTreeSet<String>,
    vars: BTreeMap<String, Var>,
    frozen: BTreeMap<String, Tensor>,
    /// What does not fit, when everything is to be reported at once.
    problems: Option<Vec<ModelError>>,
}

/// A place in the tree of names from which a layer takes its parameters. Cheap to clone.
#[derive(Clone)]
pub struct Params {
    store: Arc<Mutex<Store>>,
    prefix: String,
}

impl Params {
    fn new(source: Source, trains: Pattern) -> Self {
        let away = match &source {
            Source::Files { tensors, .. } => tensors.values().flatten().map(Tensor::device).find(|d| !d.is_cpu()),
            Source::Random(_) => None,
        };
        let device = away.cloned().unwrap_or_else(device::chosen);
        let store = Store {
            source,
            device,
            trains,
            used: BTreeSet::new(),
            vars: BTreeMap::new(),
            frozen: BTreeMap::new(),
            problems: None,
        };
        Self { store: Arc::new(Mutex::new(store)), prefix: String::new() }
    }

    /// Moves what will be taken to `device`. Without this, parameters are where their tensors are, or on the device that was
    /// [chosen](crate::device::choose) for those that come from the host.
    pub fn on(self, device: &Device) -> Self {
        self.store().device = device.clone();
        self
    }

    /// Where the parameters live.
    pub fn device(&self) -> Device {
        self.store().device.clone()
    }

    /// Frozen parameters from tensors that were read from `origin` (named in errors).
    pub fn from_tensors(tensors: BTreeMap<String, Tensor>, origin: impl Into<String>) -> Self {
        Self::from_tensors_training(tensors, origin, |_| false)
    }

    /// Reports missing and misshapen tensors by [`Self::problems`] and not as errors; zeros stand in for them.
    pub fn collecting_problems(self) -> Self {
        self.store().problems = Some(Vec::new());
        self
    }

    /// Everything that did not fit, and, as the last, what nobody took.
    pub fn problems(&self) -> Vec<ModelError> {
        let mut problems = self.store().problems.take().unwrap_or_default();
        problems.extend(self.expect_all_used().err());
        problems
    }

    /// As [`Params::from_tensors`], but those whose name satisfies `trains` are variables.
    pub fn from_tensors_training(
        tensors: BTreeMap<String, Tensor>,
        origin: impl Into<String>,
        trains: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let tensors = tensors.into_iter().map(|(name, tensor)| (name, Some(tensor))).collect();
        Self::new(Source::Files { tensors, origin: origin.into() }, Box::new(trains))
    }

    /// Fresh trainable parameters drawn from `seed`.
    pub fn random(seed: Seed) -> Self {
        Self::new(Source::Random(seed), Box::new(|_| true))
    }

    /// As [`Params::random`], but only those whose name satisfies `trains` are variables.
    pub fn random_training(seed: Seed, trains: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Source::Random(seed), Box::new(trains))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The place `name` below this one.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        let prefix = if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Self { store: self.store.clone(), prefix }
    }

    /// The full name of the parameter `name` at this place.
    pub fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether the files hold `name` here; fresh parameters hold whatever is asked for.
    pub fn holds(&self, name: &str) -> bool {
        let full = self.full_name(name);
        match &self.store().source {
            Source::Files { tensors, .. } => tensors.contains_key(&full),
            Source::Random(_) => true,
        }
    }

    /// Whether the files hold `name` here; fresh parameters come from no file.
    pub fn in_files(&self, name: &str) -> bool {
        matches!(&self.store().source, Source::Files { tensors, .. } if tensors.contains_key(&self.full_name(name)))
    }

    /// Whether any tensor of the files lies at this place or below it.
    pub fn holds_any(&self) -> bool {
        let prefix = format!("{}.", self.prefix);
        match &self.store().source {
            Source::Files { tensors, .. } => tensors.keys().any(|name| name.starts_with(&prefix)),
            Source::Random(_) => true,
        }
    }

    /// The parameter `name` of `shape` at this place.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`] and [`ModelError::WrongShape`] when it comes from files.
    pub fn get(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        self.take(name, shape, init, false, true)
    }

    /// A tensor that is stored with the parameters and never trains, such as a table of positions; `None` where the files
    /// lack it.
    ///
    /// # Errors
    /// [`ModelError::WrongShape`].
    pub fn buffer(&self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        self.in_files(name).then(|| self.take(name, shape, Init::Zeros, false, false)).transpose()
    }

    /// As [`Self::get`] of what is measured and never trains: means and deviations of what a model is given.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn statistic(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        self.take(name, shape, init, false, false)
    }

    /// As [`Self::get`] for the weight (outputs, inputs) of a linear layer: a frozen one is stored by its columns, as
    /// products with few rows want it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_matrix(&self, name: &str, shape: [usize; 2], init: Init) -> Result<Tensor> {
        self.take(name, &shape, init, true, true)
    }

    fn take(&self, name: &str, shape: &[usize], init: Init, turned: bool, may_train: bool) -> Result<Tensor> {
        let full = self.full_name(name);
        let mut store = self.store();
        let known = store.vars.get(&full).map(Var::as_tensor).or_else(|| store.frozen.get(&full)).cloned();
        let wrong = |found: &[usize], origin: &str| ModelError::WrongShape {
            name: full.clone(),
            expected: shape.to_vec(),
            found: found.to_vec(),
            origin: origin.to_owned(),
        };
        let found = match (known, &mut store.source) {
            (Some(tensor), _) if tensor.dims() == shape => return Ok(tensor),
            (Some(tensor), Source::Files { origin, .. }) => Err(wrong(tensor.dims(), origin)),
            (Some(tensor), Source::Random(_)) => Err(wrong(tensor.dims(), "fresh parameters")),
            (None, Source::Files { tensors, origin }) => match tensors.get_mut(&full) {
                Some(Some(tensor)) if tensor.dims() != shape => Err(wrong(tensor.dims(), origin)),
                Some(slot) if slot.is_some() => {
                    let tensor = slot.take().map(|tensor| tensor.to_dtype(DType::F32)).transpose()?;
                    tensor.ok_or_else(|| missing(&full, shape, origin)).and_then(|tensor| finite(tensor, &full, origin))
                }
                _ => Err(missing(&full, shape, origin)),
            },
            (None, Source::Random(seed)) => Ok(draw(seed.named(&full), shape, init, &store.device)?),
        };
        let tensor = match (found, &mut store.problems) {
            (Ok(tensor), _) => tensor.to_device(&store.device)?,
            (Err(problem), Some(problems)) => {
                problems.push(problem);
                // One zero stands for all of them: the shape is only what a config claims.
                Tensor::zeros(1, DType::F32, &store.device)?.broadcast_as(shape)?
            }
            (Err(problem), None) => return Err(problem),
        };
        store.used.insert(full.clone());
        if may_train && (store.trains)(&full) {
            let var = Var::from_tensor(&tensor)?;
            let tensor = var.as_tensor().clone();
            store.vars.insert(full, var);
            Ok(tensor)
        } else {
            // Only kernels of this crate gain by it.
            let turns = turned && store.device.is_cpu() && store.problems.is_none();
            let tensor = if turns { by_columns(&tensor)? } else { tensor };
            store.frozen.insert(full, tensor.clone());
            Ok(tensor)
        }
    }

    /// Declares that `name`, should it be in the files, is known and carries no information (a stored index buffer).
    pub fn ignore(&self, name: &str) {
        let full = self.full_name(name);
        self.store().used.insert(full);
    }

    /// Every variable taken so far, by name.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        self.store().vars.clone()
    }

    /// Every parameter taken so far, by name, frozen or not.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let store = self.store();
        let mut all = store.frozen.clone();
        all.extend(store.vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())));
        all
    }

    /// Fails when the files hold tensors that nobody took.
    ///
    /// # Errors
    /// [`ModelError::ExtraTensors`].
    pub fn expect_all_used(&self) -> Result<()> {
        let store = self.store();
        let Source::Files { tensors, origin } = &store.source else { return Ok(()) };
        let mut extra = tensors.keys().filter(|name| !store.used.contains(*name));
        match extra.next() {
            None => Ok(()),
            Some(first) => {
                Err(ModelError::ExtraTensors { origin: origin.clone(), count: 1 + extra.count(), first: first.clone() })
            }
        }
    }
}

/// Refuses NaN and infinity: whatever a model makes of them is black or noise.
fn finite(tensor: Tensor, name: &str, origin: &str) -> Result<Tensor> {
    let position = with_values(&tensor, |values| values.iter().position(|value| !value.is_finite()))?;
    let Some(position) = position else { return Ok(tensor) };
    Err(ModelError::NotFiniteWeight { name: name.to_owned(), position, origin: origin.to_owned() })
}

fn missing(name: &str, shape: &[usize], origin: &str) -> ModelError {
    ModelError::MissingTensor { name: name.to_owned(), shape: shape.to_vec(), origin: origin.to_owned() }
}

/// The same matrix (O, I), stored by its columns.
fn by_columns(matrix: &Tensor) -> Result<Tensor> {
    let (rows, columns) = matrix.dims2()?;
    let turned = with_values(matrix, |values| turn(values, columns))?;
    Ok(Tensor::from_vec(turned, (columns, rows), matrix.device())?.t()?)
}

fn draw(seed: Seed, shape: &[usize], init: Init, device: &Device) -> Result<Tensor> {
    use rand::Rng;
    let n: usize = shape.iter().product();
    let values: Vec<f32> = match init {
        Init::Zeros => vec![0.0; n],
        Init::Ones => vec![1.0; n],
        Init::Uniform { fan_in } => {
            let bound = 1.0 / (fan_in as f32).sqrt();
            let mut stream = seed.stream();
            (0..n).map(|_| (2.0 * stream.random::<f32>() - 1.0) * bound).collect()
        }
        Init::Normal { std } => seed.normal(n).into_iter().map(|v| v * std).collect(),
    };
    Ok(Tensor::from_vec(values, shape, device)?)
}
