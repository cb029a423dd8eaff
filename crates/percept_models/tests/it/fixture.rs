//! Reading the cases of `tests/data/parity` and measuring how far a result is from them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor, Var};
use percept_models::nn::params::Params;
use safetensors::SafeTensors;
use tempfile::TempDir;

/// Largest relative error of an output: the reference runs in f64, ours in f32 through a dozen layers.
pub(crate) const OUTPUT: f64 = 1e-4;
/// Largest relative error of a gradient: the backward pass is about twice as deep, and stored to 1.5e-5.
pub(crate) const GRADIENT: f64 = 1e-3;
/// Gradients are compared against the larger of their own maximum and this share of the case's: some are zero in exact
/// arithmetic (the bias of an attention's keys) and hold nothing but rounding.
const NEGLIGIBLE: f64 = 1e-3;

/// The folder of all cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity")
}

/// The fixtures that make a diffusion pack, and their names in it.
pub(crate) const DIFFUSION: [(&str, &str); 13] = [
    ("unet_2d_condition/config.json", "unet/config.json"),
    ("unet_2d_condition/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors"),
    ("autoencoder_kl/config.json", "vae/config.json"),
    ("autoencoder_kl/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"),
    ("clip_text/config.json", "text_encoder/config.json"),
    ("clip_text/model.safetensors", "text_encoder/model.safetensors"),
    ("clip_vision/config.json", "image_encoder/config.json"),
    ("clip_vision/model.safetensors", "image_encoder/model.safetensors"),
    ("clip_preprocess/preprocessor_config.json", "feature_extractor/preprocessor_config.json"),
    ("tokenizer/vocab.json", "tokenizer/vocab.json"),
    ("tokenizer/merges.txt", "tokenizer/merges.txt"),
    ("tokenizer/tokenizer_config.json", "tokenizer/tokenizer_config.json"),
    ("ddim/sd1/scheduler_config.json", "scheduler/scheduler_config.json"),
];

/// A pack of fixtures, each copied to its name in the pack.
pub(crate) fn laid_out(files: &[(&str, &str)]) -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder can be made");
    for (from, to) in files {
        let to = place.path().join(to);
        fs::create_dir_all(to.parent().expect("every file is in a folder")).expect("a folder can be made");
        fs::copy(folder().join(from), to).expect("a fixture can be copied");
    }
    place
}

/// A text file of a case.
pub(crate) fn text(path: &str) -> String {
    let path = folder().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The tensors of one safetensors file of a case; 16-bit integers are widened.
pub(crate) fn tensors(path: &str) -> BTreeMap<String, Tensor> {
    let path = folder().join(path);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("the fixture is a safetensors file");
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let (shape, data) = (view.shape(), view.data());
            let tensor = match view.dtype() {
                safetensors::Dtype::I16 => {
                    let values: Vec<f64> =
                        data.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
                    Tensor::from_vec(values, shape, &Device::Cpu)
                }
                safetensors::Dtype::F16 => Tensor::from_raw_buffer(data, DType::F16, shape, &Device::Cpu),
                safetensors::Dtype::F32 => Tensor::from_raw_buffer(data, DType::F32, shape, &Device::Cpu),
                safetensors::Dtype::F64 => Tensor::from_raw_buffer(data, DType::F64, shape, &Device::Cpu),
                safetensors::Dtype::I64 => Tensor::from_raw_buffer(data, DType::I64, shape, &Device::Cpu),
                safetensors::Dtype::U8 => Tensor::from_raw_buffer(data, DType::U8, shape, &Device::Cpu),
                other => panic!("unexpected type {other:?} of `{name}`"),
            };
            (name, tensor.expect("the buffer has the size of its shape"))
        })
        .collect()
}

/// Values as f64, flattened.
pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()).expect("numbers can be widened");
    flat.to_vec1().expect("a flat tensor is a vector")
}

/// max |ours − truth| / max |truth|.
pub(crate) fn relative_error(ours: &[f64], truth: &[f64]) -> f64 {
    difference(ours, truth) / truth.iter().fold(0.0, |max: f64, v| max.max(v.abs()))
}

fn difference(ours: &[f64], truth: &[f64]) -> f64 {
    assert_eq!(ours.len(), truth.len(), "the number of values differs");
    // A NaN would vanish in `f64::max`.
    assert!(ours.iter().all(|v| v.is_finite()), "a value is not finite");
    ours.iter().zip(truth).fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()))
}

/// One model case.
pub(crate) struct Case {
    name: &'static str,
    io: BTreeMap<String, Tensor>,
    gradients: BTreeMap<String, Vec<f64>>,
    /// Names of all trainable parameters of the reference.
    pub(crate) params: Params,
}

impl Case {
    /// Reads the case `name`, every parameter of it trainable.
    pub(crate) fn open(name: &'static str, weight_file: &str) -> Self {
        let weights = tensors(&format!("{name}/{weight_file}"));
        let gradients = unpack(&tensors(&format!("{name}/grads.safetensors")), &weights);
        let params = Params::from_tensors_training(weights, name, |_| true);
        Self { name, io: tensors(&format!("{name}/io.safetensors")), gradients, params }
    }

    /// The text of the case's config.
    pub(crate) fn config(&self) -> String {
        text(&format!("{}/config.json", self.name))
    }

    /// A tensor of `io.safetensors`.
    pub(crate) fn io(&self, name: &str) -> &Tensor {
        self.io.get(name).unwrap_or_else(|| panic!("{} has no `{name}`", self.name))
    }

    /// An input as a variable, so that it receives a gradient.
    pub(crate) fn input(&self, name: &str) -> Var {
        Var::from_tensor(self.io(&format!("input.{name}"))).expect("an input can be a variable")
    }

    /// Token ids of an input.
    pub(crate) fn ids(&self, name: &str) -> Vec<Vec<u32>> {
        let ids = self.io(&format!("input.{name}"));
        let width = ids.dim(1).expect("ids have two axes");
        values(ids).chunks(width).map(|row| row.iter().map(|&id| id as u32).collect()).collect()
    }

    /// Compares all `outputs` and the gradients of the case's loss with respect to all parameters and `inputs`.
    pub(crate) fn check(&self, outputs: &[(&str, &Tensor)], inputs: &[(&str, &Var)]) {
        let stored: Vec<_> = self.io.keys().filter_map(|key| key.strip_prefix("output.")).collect();
        let mut given: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
        given.sort_unstable();
        assert_eq!(given, stored, "{}: outputs compared", self.name);

        let mut loss: Option<Tensor> = None;
        for (name, output) in outputs {
            let error = relative_error(&values(output), &values(self.io(&format!("output.{name}"))));
            assert!(error <= OUTPUT, "{}: output `{name}` is off by {error:.1e}, allowed {OUTPUT:.0e}", self.name);
            let part = (*output * self.io(&format!("loss.{name}"))).and_then(|product| product.mean_all());
            let part = part.expect("output and loss have the same shape");
            loss = Some(match loss {
                Some(sum) => (sum + part).expect("both are scalars"),
                None => part,
            });
        }
        let loss = loss.expect("a case has outputs");
        let grads = loss.backward().expect("the loss is differentiable");

        self.params.expect_all_used().expect("every tensor of the file belongs to the model");
        let vars = self.params.vars();
        assert_eq!(
            vars.keys().collect::<Vec<_>>(),
            self.gradients.keys().collect::<Vec<_>>(),
            "{}: trainable parameters",
            self.name
        );
        let largest = self.gradients.values().flatten().fold(0.0, |max: f64, v| max.max(v.abs()));
        for (name, var) in &vars {
            let grad = grads.get(var).unwrap_or_else(|| panic!("{}: `{name}` received no gradient", self.name));
            assert_eq!(grad.dims(), var.dims(), "{}: shape of the gradient of `{name}`", self.name);
            let truth = &self.gradients[name];
            let scale = truth.iter().fold(NEGLIGIBLE * largest, |max, v| max.max(v.abs()));
            let error = difference(&values(grad), truth) / scale;
            assert!(error <= GRADIENT, "{}: gradient of `{name}` is off by {error:.1e}", self.name);
        }

        let stored = self.io.keys().filter(|key| key.starts_with("gradient.")).count();
        assert_eq!(inputs.len(), stored, "{}: gradients of inputs compared", self.name);
        for (name, var) in inputs {
            let grad = grads.get(var).unwrap_or_else(|| panic!("{}: input `{name}` received no gradient", self.name));
            let error = relative_error(&values(grad), &values(self.io(&format!("gradient.{name}"))));
            assert!(error <= GRADIENT, "{}: gradient of input `{name}` is off by {error:.1e}", self.name);
        }
    }
}

/// Takes apart the gradients of all parameters: one run of integers in order of names, one scale per parameter.
fn unpack(file: &BTreeMap<String, Tensor>, weights: &BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<f64>> {
    let (integers, scales) = (values(&file["gradients"]), values(&file["gradient_scales"]));
    let is_table = |name: &str, tensor: &Tensor| {
        // Tables, and what a file holds a second time.
        tensor.dtype() == DType::I64 || name.ends_with(".pos_embed.pe") || name.contains(".predictions.decoder.")
    };
    let trainable: Vec<_> = weights.iter().filter(|(name, tensor)| !is_table(name, tensor)).collect();
    assert_eq!(trainable.len(), scales.len(), "one scale per parameter");
    let mut rest = integers.as_slice();
    let gradients = trainable
        .into_iter()
        .zip(scales)
        .map(|((name, tensor), scale)| {
            let (own, others) = rest.split_at(tensor.elem_count());
            rest = others;
            (name.clone(), own.iter().map(|integer| integer * scale / 32767.0).collect())
        })
        .collect();
    assert!(rest.is_empty(), "the gradients have more values than the parameters");
    gradients
}

/// Compares gradients, by name, with those that are packed in a file: all that the reference's loss depends on, no other.
pub(crate) fn check_packed(case: &str, own: &BTreeMap<String, Vec<f64>>, file: &BTreeMap<String, Tensor>) {
    let (integers, scales) = (values(&file["gradients"]), values(&file["gradient_scales"]));
    assert_eq!(own.len(), scales.len(), "{case}: as many gradients as the reference has, not {:?}", own.keys());
    let largest = scales.iter().fold(0.0, |max: f64, &scale| max.max(scale));
    let mut rest = integers.as_slice();
    for ((name, ours), scale) in own.iter().zip(scales) {
        let (integers, others) = rest.split_at(ours.len());
        rest = others;
        let truth: Vec<f64> = integers.iter().map(|integer| integer * scale / 32767.0).collect();
        let error = difference(ours, &truth) / scale.max(NEGLIGIBLE * largest);
        assert!(error <= GRADIENT, "{case}: gradient of `{name}` is off by {error:.1e}");
    }
    assert!(rest.is_empty(), "{case}: the gradients have more values than the parameters");
}
