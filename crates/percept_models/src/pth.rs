//! PyTorch checkpoints (`.pth`, `.ckpt`, `.bin`): zip archives with a pickle that names tensors.
//!
//! The pickle is read by `candle`, which interprets it without running anything. Checkpoints of PyTorch before 1.6, which
//! are no archives, are refused; so are tensors that claim more bytes than the file has.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufReader,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use candle_core::{Tensor, pickle::PthTensors};
use zip::ZipArchive;

use crate::error::{ModelError, Result};

/// How archives begin.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// Below which checkpoints hold their tensors, where they hold more than those.
const PLACES: [&str; 2] = ["state_dict", "model"];

/// The tensors of a checkpoint; those of its `state_dict` or `model`, where it has one.
///
/// # Errors
/// [`ModelError::File`] when it cannot be read, [`ModelError::Corrupt`] when it is no whole PyTorch archive.
pub fn read_pth(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let length = std::fs::metadata(path).map_err(|source| ModelError::File { path: path.into(), source })?.len();
    let corrupt = |detail: String| ModelError::Corrupt { path: path.into(), format: "PyTorch", detail };
    // The reader takes the shape of a pickle for granted and panics where it is another.
    let outcome = catch_unwind(AssertUnwindSafe(|| read(path, length)));
    let tensors = outcome.map_err(|_| corrupt("its pickle is damaged".into()))?.map_err(&corrupt)?;
    if tensors.is_empty() {
        return Err(corrupt("it holds no tensors".into()));
    }
    Ok(tensors)
}

/// Reads the pickle once for its checksum: what damage makes of it must not reach the interpreter, which takes memory for
/// whatever it is told.
fn check_pickle(path: &Path) -> std::result::Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|error| error.to_string())?;
        if entry.name().is_ok_and(|name| name.ends_with("data.pkl")) {
            std::io::copy(&mut entry, &mut std::io::sink()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn read(path: &Path, length: u64) -> std::result::Result<BTreeMap<String, Tensor>, String> {
    let words = |error: candle_core::Error| error.to_string();
    check_pickle(path)?;
    let mut archive = PthTensors::new(path, None).map_err(words)?;
    for place in PLACES {
        if archive.tensor_infos().is_empty()
            && let Ok(below) = PthTensors::new(path, Some(place))
        {
            archive = below;
        }
    }
    let mut tensors = BTreeMap::new();
    for (name, info) in archive.tensor_infos() {
        let claimed = info.layout.dims().iter().try_fold(info.dtype.size_in_bytes() as u64, |product, &dim| {
            product.checked_mul(dim as u64).filter(|&bytes| bytes <= length)
        });
        if claimed.is_none() {
            return Err(format!("tensor `{name}` of shape {:?} is larger than the file", info.layout.dims()));
        }
        if let Some(tensor) = archive.get(name).map_err(|error| format!("tensor `{name}`: {error}"))? {
            tensors.insert(name.clone(), tensor);
        }
    }
    Ok(tensors)
}
