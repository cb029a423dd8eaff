//! Where a model pack's files come from (a directory or memory) and how tensors are read from safetensors.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};

use crate::error::{ModelError, Result};

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// The files of a model pack by their relative names (`unet/config.json`).
#[derive(Clone)]
pub enum PackFiles {
    /// A directory in the Hugging Face / diffusers layout.
    Directory(PathBuf),
    /// A directory in this layout, with the motion adapter of another one (a `config.json` and its weights) as its own
    /// `motion_adapter/`.
    WithMotion {
        /// The pack.
        pack: PathBuf,
        /// The adapter.
        adapter: PathBuf,
    },
    /// Files that are part of the program.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl PackFiles {
    /// A name for messages.
    pub fn origin(&self) -> String {
        match self {
            Self::Directory(path) => format!("`{}`", path.display()),
            Self::WithMotion { pack, adapter } => format!("`{}` with `{}`", pack.display(), adapter.display()),
            Self::Embedded(_) => "the embedded pack".to_owned(),
        }
    }

    /// Where `name` lies, or would, unless it is part of the program.
    fn path(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Directory(path) => Some(path.join(name)),
            Self::WithMotion { pack, adapter } => {
                Some(name.strip_prefix("motion_adapter/").map_or_else(|| pack.join(name), |own| adapter.join(own)))
            }
            Self::Embedded(_) => None,
        }
    }

    /// Whether `name` exists.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Embedded(files) => files.iter().any(|(file, _)| *file == name),
            _ => self.path(name).is_some_and(|path| path.is_file()),
        }
    }

    /// The bytes of `name`.
    ///
    /// # Errors
    /// [`ModelError::File`] when it is not there or cannot be read.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        let embedded = match self {
            Self::Embedded(files) => *files,
            _ => &[],
        };
        match self.path(name) {
            Some(path) => std::fs::read(&path).map(Cow::Owned).map_err(|source| ModelError::File { path, source }),
            None => embedded
                .iter()
                .find(|(file, _)| *file == name)
                .map(|(_, bytes)| Cow::Borrowed(*bytes))
                .ok_or_else(|| ModelError::File { path: name.into(), source: crate::error::no_such_file() }),
        }
    }

    /// The text of `name`.
    ///
    /// # Errors
    /// As [`PackFiles::read`], and [`ModelError::Corrupt`] when it is not UTF-8.
    pub fn read_text(&self, name: &str) -> Result<String> {
        String::from_utf8(self.read(name)?.into_owned()).map_err(|source| ModelError::Corrupt {
            path: name.into(),
            format: "text",
            detail: source.to_string(),
        })
    }

    /// All tensors of a component: `{folder}/diffusion_pytorch_model.safetensors`, `{folder}/model.safetensors`, their
    /// `.fp16` variants, the shards listed in their `.index.json`, or PyTorch's `.bin` where there is nothing else.
    ///
    /// # Errors
    /// When no weights are there (the error names the file expected), or a file is corrupt.
    pub fn tensors(&self, folder: &str) -> Result<BTreeMap<String, Tensor>> {
        match self.weights(folder) {
            Some(index) if index.contains(".index.") => self.sharded(folder, &index),
            Some(name) => match self.path(&name).filter(|_| name.strip_suffix(".bin").is_some()) {
                Some(path) => read_pth(&path),
                None => read_tensors(&self.read(&name)?, Path::new(&name)),
            },
            None => Err(ModelError::File {
                path: join(folder, "model.safetensors").into(),
                source: crate::error::no_such_file(),
            }),
        }
    }

    /// The tensors of the one weight file that lies in a directory itself, where the U-Net's folder has none.
    ///
    /// # Errors
    /// When the file is corrupt.
    pub(crate) fn single_file(&self) -> Result<Option<BTreeMap<String, Tensor>>> {
        if self.weights("unet").is_some() {
            return Ok(None);
        }
        match self.lone_file(&["safetensors", "ckpt", "pth"])? {
            Some(file) => Ok(Some(open_tensors(&file)?)),
            None => Ok(None),
        }
    }

    /// The one file with one of these endings that lies in a directory itself.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn lone_file(&self, endings: &[&str]) -> Result<Option<PathBuf>> {
        let (Self::Directory(path) | Self::WithMotion { pack: path, .. }) = self else { return Ok(None) };
        let fail = |source| ModelError::File { path: path.clone(), source };
        let mut found: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fail)? {
            let file = entry.map_err(fail)?.path();
            let kind = file.extension().and_then(|kind| kind.to_str());
            if file.is_file() && kind.is_some_and(|kind| endings.contains(&kind)) {
                found.push(file);
            }
        }
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// The name of the weight file or index of a component, if there is one.
    fn weights(&self, folder: &str) -> Option<String> {
        let stems = ["diffusion_pytorch_model", "model"];
        let ends = [".safetensors", ".fp16.safetensors", ".safetensors.index.json", ".safetensors.index.fp16.json"];
        let bins = ["diffusion_pytorch_model.bin", "pytorch_model.bin"].map(|name| join(folder, name));
        let of_stem = |stem| ends.iter().map(move |end| join(folder, &format!("{stem}{end}")));
        stems.iter().flat_map(of_stem).chain(bins).find(|name| self.holds(name))
    }

    fn sharded(&self, folder: &str, index: &str) -> Result<BTreeMap<String, Tensor>> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let text = self.read_text(index)?;
        let parsed: Index = serde_json::from_str(&text).map_err(|source| ModelError::Corrupt {
            path: index.into(),
            format: "JSON",
            detail: source.to_string(),
        })?;
        let shards: std::collections::BTreeSet<&String> = parsed.weight_map.values().collect();
        let mut tensors = BTreeMap::new();
        for shard in shards {
            let name = join(folder, shard);
            tensors.extend(read_tensors(&self.read(&name)?, Path::new(&name))?);
        }
        // A shard of another download may be whole and yet hold something else.
        if let Some((name, shard)) = parsed.weight_map.iter().find(|(name, _)| !tensors.contains_key(*name)) {
            return Err(ModelError::Corrupt {
                path: join(folder, shard).into(),
                format: "safetensors",
                detail: format!("it lacks tensor `{name}`, which `{index}` says it holds"),
            });
        }
        Ok(tensors)
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

pub use crate::pth::read_pth;

/// The tensors of a weight file by what it is: safetensors, or a PyTorch checkpoint.
///
/// # Errors
/// As [`read_tensors`] and [`read_pth`].
pub fn open_tensors(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let fail = |source| ModelError::File { path: path.into(), source };
    let mut magic = [0; 4];
    let n = std::fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut magic)).map_err(fail)?;
    if n == magic.len() && magic == crate::pth::MAGIC {
        return read_pth(path);
    }
    read_tensors(&std::fs::read(path).map_err(fail)?, path)
}

/// The tensors in the bytes of a safetensors file; `path` is for messages.
///
/// # Errors
/// [`ModelError::Corrupt`] naming what is wrong: a truncated file, overlapping or out-of-range offsets, an element type
/// that models do not have.
pub fn read_tensors(bytes: &[u8], path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let corrupt = |detail: String| ModelError::Corrupt { path: path.into(), format: "safetensors", detail };
    let file = SafeTensors::deserialize(bytes).map_err(|source| corrupt(source.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            Dtype::I64 => DType::I64,
            Dtype::U32 => DType::U32,
            Dtype::U8 => DType::U8,
            Dtype::F8_E4M3 => DType::F8E4M3,
            other => return Err(corrupt(format!("tensor `{name}` has element type {other:?}"))),
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
        // A format for storing: nothing computes in it.
        let tensor = if dtype == DType::F8E4M3 { tensor.to_dtype(DType::F32)? } else { tensor };
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// In how many bytes a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// One: 8-bit floats with 4 bits of exponent (`float8_e4m3fn` of PyTorch), for large matrices whose values are spread about 0.
    Quarter,
    /// Two: `float16`.
    Half,
    /// Four: `float32`.
    Single,
}

impl Precision {
    fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::Quarter => values.iter().map(|&v| float8::F8E4M3::from_f32(v).to_bits()).collect(),
            Self::Half => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
            Self::Single => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Quarter => Dtype::F8_E4M3,
            Self::Half => Dtype::F16,
            Self::Single => Dtype::F32,
        }
    }
}

/// The bytes of a safetensors file with `tensors` in the order of their names, stored as `f16` where `half`, else `f32`.
///
/// # Errors
/// When a tensor cannot be converted.
pub fn write_tensors(tensors: &BTreeMap<String, Tensor>, half: bool) -> Result<Vec<u8>> {
    write_tensors_in(tensors, |_, _| if half { Precision::Half } else { Precision::Single })
}

/// As [`write_tensors`], each tensor in the precision that its name and shape ask for.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_tensors_in(
    tensors: &BTreeMap<String, Tensor>,
    precision: impl Fn(&str, &[usize]) -> Precision,
) -> Result<Vec<u8>> {
    let mut buffers = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let stored = precision(name, tensor.dims());
        buffers.push((name, tensor.dims().to_vec(), stored, stored.bytes(&crate::nn::host::to_vec(tensor)?)));
    }
    let invalid = |source: safetensors::SafeTensorError| ModelError::Corrupt {
        path: "new file".into(),
        format: "safetensors",
        detail: source.to_string(),
    };
    let views = buffers
        .iter()
        .map(|(name, shape, stored, bytes)| {
            let view = safetensors::tensor::TensorView::new(stored.dtype(), shape.clone(), bytes).map_err(invalid)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, None).map_err(invalid)
}
