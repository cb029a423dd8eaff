//! Exact checkpoints: weights, moments, averages and the step, in one safetensors file that is replaced atomically.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use candle_core::{Device, Tensor};

use super::Optimiser;
use crate::{
    error::{ModelError, Result},
    nn::ops::to_vec,
    weights::{read_tensors, write_tensors},
};

const STEP: &str = "checkpoint.step";
const FINGERPRINT: &str = "checkpoint.fingerprint";

/// Writes `bytes` to `path` so that the file is whole or absent: a temporary neighbour, synced, renamed.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |source| ModelError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&temporary, path).map_err(fail)
}

/// Saves the whole state of `optimiser`. `fingerprint` identifies the run (settings and seed).
pub(super) fn save(optimiser: &Optimiser, fingerprint: &str, path: &Path) -> Result<()> {
    let mut tensors = BTreeMap::new();
    let mut put = |name: String, values: &[f32]| -> Result<()> {
        tensors.insert(name, Tensor::from_slice(values, values.len(), &Device::Cpu)?);
        Ok(())
    };
    for slot in &optimiser.slots {
        for (kind, values) in
            [("value", &slot.value), ("first", &slot.first), ("second", &slot.second), ("average", &slot.average)]
        {
            put(format!("{kind}.{}", slot.name), values)?;
        }
    }
    put(STEP.into(), &[(optimiser.step >> 16) as f32, (optimiser.step & 0xffff) as f32])?;
    put(FINGERPRINT.into(), &fingerprint.bytes().map(f32::from).collect::<Vec<_>>())?;
    write_atomically(path, &write_tensors(&tensors, false)?)
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
        let length = slot.value.len();
        for (kind, values) in [
            ("value", &mut slot.value),
            ("first", &mut slot.first),
            ("second", &mut slot.second),
            ("average", &mut slot.average),
        ] {
            let read = get(&format!("{kind}.{}", slot.name))?;
            if read.len() != length {
                return Err(ModelError::WrongShape {
                    name: slot.name.clone(),
                    expected: vec![length],
                    found: vec![read.len()],
                    origin: format!("`{}`", path.display()),
                });
            }
            *values = read;
        }
        slot.var.set(&Tensor::from_slice(&slot.value, slot.var.dims(), &Device::Cpu)?)?;
    }
    let step = get(STEP)?;
    optimiser.step = ((step[0] as usize) << 16) | step[1] as usize;
    Ok(true)
}
