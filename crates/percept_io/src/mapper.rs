//! Mapper files: the sparse matrices that take the voxels of a subject to the pixels of its flat map, or to fsaverage, in HDF5.
//!
//! The format of the Gallant laboratory's published data sets: each matrix is in CSR form under four names, `KEY_data`,
//! `KEY_indices`, `KEY_indptr` and `KEY_shape`; dense arrays (`flatmap_mask`, `flatmap_curvature`) stand beside them. With it a
//! volume is drawn on the cortex without its surfaces.
//!
//! # References
//! Huth et al., voxelwise tutorials: <https://gallantlab.org/voxelwise_tutorials>, `load_hdf5_sparse_array`.

use std::path::Path;

use ndarray::{Array1, Array2, Ix1, Ix2};

use crate::hdf5::{self, DatasetSpec, File, Writer};
use crate::{Error, Result};

/// A sparse matrix in rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Where each row begins in `columns` and `values`; one more than rows.
    pub starts: Vec<usize>,
    /// The column of each value.
    pub columns: Vec<u32>,
    /// The values.
    pub values: Vec<f32>,
}

impl Sparse {
    /// A matrix of rows, each a list of (column, value).
    ///
    /// # Panics
    /// If a column lies outside.
    pub fn from_rows(n_columns: usize, rows: impl IntoIterator<Item = Vec<(u32, f32)>>) -> Self {
        let mut out = Self { shape: [0, n_columns], starts: vec![0], ..Self::default() };
        for row in rows {
            for (column, value) in row {
                assert!((column as usize) < n_columns, "column {column} of {n_columns}");
                out.columns.push(column);
                out.values.push(value);
            }
            out.starts.push(out.columns.len());
            out.shape[0] += 1;
        }
        out
    }

    /// The (column, value) pairs of row `row`.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        self.columns[range.clone()].iter().map(|&column| column as usize).zip(self.values[range].iter().copied())
    }

    fn check(&self) -> Result<()> {
        let [n_rows, n_columns] = self.shape;
        let is_ordered = self.starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if self.starts.len() != n_rows + 1 || self.starts[0] != 0 || !is_ordered {
            return Err(Error::malformed("`indptr`", format!("{} ascending numbers from 0", n_rows + 1), "others"));
        }
        let n = self.starts[n_rows];
        if self.columns.len() != n || self.values.len() != n {
            let got = format!("{} and {}", self.columns.len(), self.values.len());
            return Err(Error::malformed("the lengths of `indices` and `data`", n, got));
        }
        match self.columns.iter().find(|&&column| column as usize >= n_columns) {
            Some(column) => Err(Error::malformed("a column", format!("below {n_columns}"), column)),
            None => Ok(()),
        }
    }
}

/// An open mapper file.
#[derive(Clone, Debug)]
pub struct Mapper {
    file: File,
}

/// Opens the mapper file at `path`.
///
/// # Errors
/// If it is not HDF5.
pub fn open(path: impl AsRef<Path>) -> Result<Mapper> {
    Ok(Mapper { file: hdf5::open(path)? })
}

impl Mapper {
    /// As [`open`], for bytes that are at hand.
    ///
    /// # Errors
    /// As [`open`].
    pub fn from_source(source: crate::fs::Source) -> Result<Self> {
        Ok(Self { file: File::from_source(source)? })
    }

    /// The names of its sparse matrices.
    ///
    /// # Errors
    /// If the file cannot be listed.
    pub fn matrices(&self) -> Result<Vec<String>> {
        let entries = self.file.entries()?;
        Ok(entries.iter().filter_map(|entry| entry.name.strip_suffix("_indptr").map(str::to_owned)).collect())
    }

    /// The sparse matrix `key`, such as `voxel_to_flatmap` or `voxel_to_fsaverage`.
    ///
    /// # Errors
    /// If one of its four parts is missing or they contradict each other.
    pub fn matrix(&self, key: &str) -> Result<Sparse> {
        let attempt = || -> Result<Sparse> {
            let list = |part: &str| -> Result<Vec<i64>> { self.list::<i64>(&format!("{key}_{part}")) };
            let natural = |part: &str| -> Result<Vec<usize>> {
                let check = |value: i64| {
                    usize::try_from(value).map_err(|_| Error::malformed(format!("`{part}`"), "0 and above", value))
                };
                list(part)?.into_iter().map(check).collect()
            };
            let shape = natural("shape")?;
            let shape: [usize; 2] =
                shape.try_into().map_err(|shape| Error::malformed("`shape`", "two numbers", format!("{shape:?}")))?;
            let narrow =
                |value: i64| u32::try_from(value).map_err(|_| Error::malformed("`indices`", "0 to 4294967295", value));
            let columns = list("indices")?.into_iter().map(narrow).collect::<Result<_>>()?;
            let out = Sparse { shape, starts: natural("indptr")?, columns, values: self.list(&format!("{key}_data"))? };
            if out.starts.is_empty() {
                return Err(Error::malformed("`indptr`", "at least one number", "empty"));
            }
            out.check()?;
            Ok(out)
        };
        attempt().map_err(|error| self.file.source().locate(error.in_object(key)))
    }

    /// The dense array `key`, such as `flatmap_curvature`.
    ///
    /// # Errors
    /// If it is missing or has another number of axes than two.
    pub fn image(&self, key: &str) -> Result<Array2<f32>> {
        let array = self.file.dataset(key)?.read::<f32>()?;
        let shape = format!("{:?}", array.shape());
        array.into_dimensionality::<Ix2>().map_err(|_| {
            let error = Error::mismatch("the shape", "rows × columns", shape, "name a picture, such as `flatmap_mask`");
            self.file.source().locate(error.in_object(key))
        })
    }

    fn list<T: crate::number::Element>(&self, name: &str) -> Result<Vec<T>> {
        let array = self.file.dataset(name)?.read::<T>()?;
        let shape = format!("{:?}", array.shape());
        let list = array.into_dimensionality::<Ix1>();
        Ok(list.map_err(|_| Error::malformed(format!("the shape of `{name}`"), "one axis", shape))?.to_vec())
    }
}

/// Writes sparse matrices and dense pictures by name to `path`.
///
/// # Errors
/// If a matrix contradicts itself, a name occurs twice, or the disk refuses.
pub fn write(path: impl AsRef<Path>, matrices: &[(&str, &Sparse)], images: &[(&str, &Array2<f32>)]) -> Result<()> {
    let spec = DatasetSpec::contiguous();
    let mut file = Writer::new();
    for (key, matrix) in matrices {
        matrix.check().map_err(|error| error.in_object(*key))?;
        let integers = |values: Vec<i32>| Array1::from(values).into_dyn();
        let starts = matrix.starts.iter().map(|&start| start as i32).collect();
        let columns = matrix.columns.iter().map(|&column| column as i32).collect();
        let shape = Array1::from(matrix.shape.map(|length| length as i64).to_vec()).into_dyn();
        let values = Array1::from(matrix.values.clone()).into_dyn();
        file = file
            .dataset(&format!("{key}_data"), &values.view(), &spec)?
            .dataset(&format!("{key}_indices"), &integers(columns).view(), &spec)?
            .dataset(&format!("{key}_indptr"), &integers(starts).view(), &spec)?
            .dataset(&format!("{key}_shape"), &shape.view(), &spec)?;
    }
    for (key, image) in images {
        file = file.dataset(key, &image.view().into_dyn(), &spec)?;
    }
    file.write(path)
}
