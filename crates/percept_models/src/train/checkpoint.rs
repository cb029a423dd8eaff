//! Exact checkpoints: weights, moments, averages and the step, in one safetensors file that is replaced atomically.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use candle_core::{Tensor, Var};

use super::Optimiser;
use crate::{
    error::{ModelError, Result},
    nn::host::{to_vec, with_values},
    weights::read_tensors,
};

const STEP: &str = "checkpoint.step";
const FINGERPRINT: &str = "checkpoint.fingerprint";

/// Writes `bytes` to `path` so that the file is whole or absent.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all(bytes))
}

/// Has `write` make the file at `path` so that it is whole or absent: a temporary neighbour, synced, renamed.
fn replace(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<()> {
    let fail = |source| ModelError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(fail)?;
    write(&mut file).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)
}

/// Saves the whole state of `optimiser`, one tensor at a time. `fingerprint` identifies the run (settings and seed).
pub(super) fn save(optimiser: &Optimiser, fingerprint: &str, path: &Path) -> Result<()> {
    let step = [(optimiser.step >> 16) as f32, (optimiser.step & 0xffff) as f32];
    let fingerprint: Vec<f32> = fingerprint.bytes().map(f32::from).collect();
    let mut tensors: BTreeMap<String, Source<'_>> = BTreeMap::new();
    for slot in &optimiser.slots {
        let name = |kind: &str| format!("{kind}.{}", slot.name);
        tensors.insert(name("value"), Source::Variable(&slot.var));
        tensors.insert(name("first"), Source::Values(&slot.first));
        tensors.insert(name("second"), Source::Values(&slot.second));
        if !slot.average.is_empty() {
            tensors.insert(name("average"), Source::Values(&slot.average));
        }
    }
    tensors.insert(STEP.into(), Source::Values(&step));
    tensors.insert(FINGERPRINT.into(), Source::Values(&fingerprint));
    replace(path, |file| {
        file.write_all(&header(&tensors)?)?;
        for source in tensors.values() {
            source.visit(&mut |values| {
                for part in values.chunks(1 << 16) {
                    file.write_all(&part.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// Where the values of a saved tensor are.
enum Source<'a> {
    Variable(&'a Var),
    Values(&'a [f32]),
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Variable(var) => var.elem_count(),
            Self::Values(values) => values.len(),
        }
    }

    fn visit(&self, write: &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Variable(var) => with_values(var, write).map_err(io::Error::other)?,
            Self::Values(values) => write(values),
        }
    }
}

/// The length and the JSON that open a safetensors file of flat `f32` tensors in this order.
fn header(tensors: &BTreeMap<String, Source<'_>>) -> io::Result<Vec<u8>> {
    let mut entries = serde_json::Map::new();
    let mut end = 0;
    for (name, source) in tensors {
        let start = end;
        end += 4 * source.len();
        let entry = serde_json::json!({"dtype": "F32", "shape": [source.len()], "data_offsets": [start, end]});
        entries.insert(name.clone(), entry);
    }
    let mut json = serde_json::to_vec(&entries)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json);
    Ok(bytes)
}

/// Restores the state saved at `path`, if there is one; returns whether there was.
pub(super) fn resume(optimiser: &mut Optimiser, fingerprint: &str, path: &Path) -> Result<bool> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(ModelError::File { path: path.to_owned(), source }),
    };
    let tensors = read_tensors(&bytes, path)?;
    let get = |name: &str| -> Result<Vec<f32>> {
        match tensors.get(name) {
            Some(tensor) => Ok(to_vec(tensor)?),
            None => Err(ModelError::MissingTensor {
                name: name.to_owned(),
                shape: Vec::new(),
                origin: format!("`{}`", path.display()),
            }),
        }
    };
    let found: Vec<u8> = get(FINGERPRINT)?.into_iter().map(|v| v as u8).collect();
    if found != fingerprint.as_bytes() {
        return Err(ModelError::Input {
            what: "checkpoint",
            expected: format!("a checkpoint of the run `{fingerprint}`"),
            got: format!(
                "one of `{}` in `{}` (choose another output directory, or remove it to start afresh)",
                String::from_utf8_lossy(&found),
                path.display()
            ),
        });
    }
    for slot in &mut optimiser.slots {
        let (name, dims) = (slot.name.clone(), slot.var.dims().to_vec());
        let length = slot.var.elem_count();
        let read = |kind: &str| -> Result<Vec<f32>> {
            let values = get(&format!("{kind}.{name}"))?;
            if values.len() == length {
                return Ok(values);
            }
            Err(ModelError::WrongShape {
                name: name.clone(),
                expected: vec![length],
                found: vec![values.len()],
                origin: format!("`{}`", path.display()),
            })
        };
        slot.first = read("first")?;
        slot.second = read("second")?;
        if !slot.average.is_empty() {
            slot.average = read("average")?;
        }
        slot.var.set(&Tensor::from_vec(read("value")?, dims, slot.var.device())?)?;
    }
    let step = get(STEP)?;
    optimiser.step = ((step[0] as usize) << 16) | step[1] as usize;
    Ok(true)
}
