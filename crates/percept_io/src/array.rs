//! Any array of any file by one reference: `x.mat:fmriTrn`, `x.npz:name`, `x.h5:group/name`, `x.csv:column`, `x.npy`.
//!
//! The part after the colon names an array inside the file; it may be left out where the file holds only one. The format is
//! told by the bytes of the file. Values are as stored: NaN stays NaN and is counted ([`Loaded::n_nan`]), never filled.
//!
//! Axes: npy, npz, safetensors, GIFTI and HDF5 give their C-order axes; MAT files of both versions give MATLAB's (a MATLAB
//! `107 × 967` matrix has the shape `[107, 967]`); an HDF5 file that MATLAB wrote shows MATLAB's axes reversed; NIfTI and MGH
//! give (x, y, z, t).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ndarray::{Array, Array2, ArrayD, Dimension, Ix2};

use crate::number::Element;
use crate::open::{Format, sniff};
use crate::{Error, Result, fs, gifti, hdf5, mat, mgh, nifti, npy, npz, safetensors, table};

/// An array with its last axis running fastest; one that has it already is not copied.
pub fn standard<T: Clone, D: Dimension>(array: Array<T, D>) -> Array<T, D> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

/// Where an array is: a file, and its name inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The file.
    pub path: PathBuf,
    /// The array inside the file.
    pub name: Option<String>,
}

/// An array and what it is called.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The name inside the file; the file's stem where it has none.
    pub name: String,
    /// The values.
    pub data: ArrayD<T>,
}

/// File endings that a name may follow. A colon elsewhere, as in `C:\data`, is part of the path.
const ENDINGS: [&str; 27] = [
    "mat",
    "parquet",
    "npy",
    "npz",
    "h5",
    "hdf5",
    "he5",
    "safetensors",
    "csv",
    "tsv",
    "nii",
    "nii.gz",
    "hdr",
    "img",
    "nwb",
    "xdf",
    "edf",
    "bdf",
    "rhd",
    "rhs",
    "oebin",
    "set",
    "wav",
    "gii",
    "gii.gz",
    "mgh",
    "mgz",
];

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // File names may hold colons: a file that exists by the whole text is meant.
        if text.contains(':') && fs::is_file(text) {
            return Ok(Self { path: PathBuf::from(text), name: None });
        }
        for (colon, _) in text.match_indices(':') {
            let (path, name) = (&text[..colon], &text[colon + 1..]);
            let lower = path.to_ascii_lowercase();
            let is_file =
                ENDINGS.iter().any(|ending| lower.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.')));
            if is_file {
                if name.is_empty() {
                    let remedy = "write `file:name`, or leave the colon out";
                    return Err(Error::mismatch(
                        "the reference",
                        "a name after the colon",
                        format!("`{text}`"),
                        remedy,
                    ));
                }
                return Ok(Self { path: PathBuf::from(path), name: Some(name.to_owned()) });
            }
        }
        if text.is_empty() {
            return Err(Error::mismatch("the reference", "a file", "empty", "write `file` or `file:name`"));
        }
        Ok(Self { path: PathBuf::from(text), name: None })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}:{name}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

impl Reference {
    /// This reference with its path below `folder`, unless it is absolute.
    pub fn below(&self, folder: impl AsRef<Path>) -> Self {
        Self { path: folder.as_ref().join(&self.path), name: self.name.clone() }
    }

    /// The array, converted to `T`.
    ///
    /// # Errors
    /// If the file cannot be read; if it holds no such array (the error lists those it holds); if no name is given and it
    /// holds several; if a value does not fit `T`.
    pub fn read<T: Element>(&self) -> Result<Loaded<T>> {
        let source = fs::open(&self.path)?;
        let stem = || self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match sniff(&source)? {
            Format::Npy => {
                self.refuse_name("npy")?;
                Ok(Loaded { name: stem(), data: npy::Npy::from_source(source)?.read()? })
            }
            Format::Nifti => {
                self.refuse_name("NIfTI")?;
                Ok(Loaded { name: stem(), data: nifti::open(&self.path)?.read()?.into_dyn() })
            }
            Format::Mgh => {
                self.refuse_name("MGH")?;
                Ok(Loaded { name: stem(), data: mgh::Mgh::from_source(&source)?.read()?.into_dyn() })
            }
            Format::Gifti => self.read_gifti(&gifti::Gifti::from_source(&source)?),
            Format::Zip => {
                let mut file = npz::Npz::from_source(source)?;
                let name = self.choose("array", file.names())?;
                let data = file.array(&name)?.read()?;
                Ok(Loaded { name, data })
            }
            Format::SafeTensors => {
                let file = safetensors::open(&self.path)?;
                let name = self.choose("tensor", file.names())?;
                let data = file.tensor(&name)?;
                Ok(Loaded { name, data })
            }
            Format::Mat => self.read_mat(&mat::File::from_source(source)?),
            // A MAT file of version 7.3 behind MATLAB's own words in the user block.
            Format::Hdf5 if source.bytes_at("the start", 0, 6).is_ok_and(|start| start == b"MATLAB") => {
                self.read_mat(&mat::File::from_source(source)?)
            }
            Format::Hdf5 => {
                let file = hdf5::File::from_source(source)?;
                let name = match &self.name {
                    Some(name) => name.clone(),
                    None => self.choose("data set", file.entries()?.into_iter().map(|entry| entry.name))?,
                };
                let data = file.dataset(&name)?.read()?;
                Ok(Loaded { name, data })
            }
            Format::Text => {
                let file = table::open(&self.path)?;
                let name = self.choose("column", file.columns())?;
                let convert = |value: f64| {
                    T::from_f64(value).ok_or_else(|| {
                        let remedy = "read the column as floats";
                        let error = Error::mismatch("a value", T::NUMBER.name(), value, remedy);
                        error.in_object(&*name).in_file(&self.path)
                    })
                };
                let values = file.floats(&name)?.into_iter().map(convert).collect::<Result<Vec<T>>>()?;
                Ok(Loaded { data: ndarray::Array1::from(values).into_dyn(), name })
            }
            other => {
                let remedy = "give a MAT, npy, npz, HDF5, safetensors, NIfTI, GIFTI, MGH, csv or tsv file";
                Err(Error::unsupported("reading arrays from", other, remedy).in_file(&self.path))
            }
        }
    }

    /// Arrays without a name are called by their number.
    fn read_gifti<T: Element>(&self, file: &gifti::Gifti) -> Result<Loaded<T>> {
        let named = |(i, array): (usize, &gifti::DataArray)| array.name().map_or_else(|| i.to_string(), str::to_owned);
        let names: Vec<String> = file.arrays.iter().enumerate().map(named).collect();
        let name = self.choose("array", names.iter())?;
        let array = &file.arrays[names.iter().position(|other| *other == name).unwrap_or(0)];
        let locate = |error: Error| error.in_object(&*name).in_file(&self.path);
        let values = array.values::<T>().map_err(locate)?;
        let data = ArrayD::from_shape_vec(array.dims.clone(), values)
            .map_err(|error| locate(Error::codec("the array", error)))?;
        Ok(Loaded { name, data })
    }

    fn read_mat<T: Element>(&self, file: &mat::File) -> Result<Loaded<T>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self.choose("variable", file.entries()?.into_iter().map(|entry| entry.name))?,
        };
        let data = file.array(&name)?;
        Ok(Loaded { name, data })
    }

    /// The bytes of memory that its compressed form says it needs before a first value can be read: those of an npz member or a
    /// MAT variable, 0 for arrays that are read in parts.
    ///
    /// # Errors
    /// As [`Reference::read`], for what is wrong before the values.
    pub fn inflated_bytes(&self) -> Result<u64> {
        let source = fs::open(&self.path)?;
        match sniff(&source)? {
            Format::Zip => {
                let mut file = npz::Npz::from_source(source)?;
                let name = self.choose("array", file.names())?;
                Ok(file.claimed_bytes(&name).unwrap_or(0))
            }
            Format::Mat => {
                let file = mat::File::from_source(source)?;
                let entries = file.entries()?;
                let name = self.choose("variable", entries.iter().map(|entry| entry.name.as_str()))?;
                let widest = std::mem::size_of::<f64>() as u64;
                let bytes = |dims: &[usize]| dims.iter().fold(widest, |all, &length| all.saturating_mul(length as u64));
                Ok(entries.iter().find(|entry| entry.name == name).map_or(0, |entry| bytes(&entry.dims)))
            }
            _ => Ok(0),
        }
    }

    /// The array as a matrix; a single axis becomes one column.
    ///
    /// # Errors
    /// As [`Reference::read`], and if it has more than two axes.
    pub fn read_matrix<T: Element>(&self) -> Result<Array2<T>> {
        let loaded = self.read::<T>()?;
        let shape = loaded.data.shape().to_vec();
        let data = if shape.len() == 1 { loaded.data.insert_axis(ndarray::Axis(1)) } else { loaded.data };
        data.into_dimensionality::<Ix2>().map_err(|_| {
            let remedy = "name an array of samples × units";
            let error = Error::mismatch("the number of axes", "a matrix", format!("{shape:?}"), remedy);
            error.in_object(loaded.name).in_file(&self.path)
        })
    }

    fn refuse_name(&self, format: &str) -> Result<()> {
        match &self.name {
            None => Ok(()),
            Some(name) => {
                let what = format!("the {format} file");
                let error = Error::mismatch(what, format!("`{name}` in it"), "one array", "leave the name out");
                Err(error.in_file(&self.path))
            }
        }
    }

    /// The name asked for if it exists, else the only one.
    pub(crate) fn choose<I>(&self, what: &str, names: I) -> Result<String>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        match &self.name {
            Some(name) if names.contains(name) => Ok(name.clone()),
            Some(name) => Err(Error::missing(what, name, names).in_file(&self.path)),
            None if names.len() == 1 => Ok(names.swap_remove(0)),
            None => {
                let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
                let remedy = format!("write `{}:name` with one of {}", self.path.display(), shown.join(", "));
                let got = names.len();
                Err(Error::mismatch(format!("the number of {what}s"), "one", got, remedy).in_file(&self.path))
            }
        }
    }
}

impl Loaded<f32> {
    /// How many values are NaN.
    pub fn n_nan(&self) -> usize {
        self.data.iter().filter(|value| value.is_nan()).count()
    }
}

impl Loaded<f64> {
    /// How many values are NaN.
    pub fn n_nan(&self) -> usize {
        self.data.iter().filter(|value| value.is_nan()).count()
    }
}

/// The array that `reference` names, in one call.
///
/// # Errors
/// As [`Reference::read`].
pub fn read<T: Element>(reference: &str) -> Result<Loaded<T>> {
    reference.parse::<Reference>()?.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>) {
        let reference: Reference = text.parse().expect("valid");
        (reference.path.display().to_string(), reference.name)
    }

    #[test]
    fn the_colon_after_a_file_ending_divides() {
        assert_eq!(parts("a/x.mat:fmriTrn"), ("a/x.mat".to_owned(), Some("fmriTrn".to_owned())));
        assert_eq!(parts(r"C:\data\x.npy"), (r"C:\data\x.npy".to_owned(), None));
        assert_eq!(parts(r"C:\x.H5:g/n"), (r"C:\x.H5".to_owned(), Some("g/n".to_owned())));
        assert_eq!(parts("x.npz:a:b"), ("x.npz".to_owned(), Some("a:b".to_owned())));
        assert_eq!(parts("x.tsv:73KID"), ("x.tsv".to_owned(), Some("73KID".to_owned())));
        assert_eq!(parts("bold.nii.gz"), ("bold.nii.gz".to_owned(), None));
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert!("x.mat:".parse::<Reference>().is_err());
        assert!("".parse::<Reference>().is_err());
    }
}
