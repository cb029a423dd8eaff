//! Decompositions kept on disk under the hash of what they were made from.

use std::path::{Path, PathBuf};

use percept_core::provenance::content_hash;
use percept_io::{fs, safetensors};
use percept_regress::{RegressError, Spectrum, SpectrumCache};

/// A folder of decompositions, seen with the eyes of one set of samples.
#[derive(Clone, Debug)]
pub struct FolderCache {
    folder: PathBuf,
    samples: String,
}

impl FolderCache {
    /// Decompositions of the samples that `samples` stands for: a hash of their contents and of everything that was done to them.
    pub fn new(folder: impl AsRef<Path>, samples: impl Into<String>) -> Self {
        Self { folder: folder.as_ref().to_owned(), samples: samples.into() }
    }

    /// The file of one decomposition.
    pub fn path(&self, name: &str) -> PathBuf {
        let hash = content_hash(format!("{}\n{name}", self.samples).as_bytes());
        self.folder.join(format!("decomposition-{}.safetensors", &hash[..32]))
    }
}

impl SpectrumCache for FolderCache {
    fn load(&self, name: &str) -> Option<Spectrum> {
        let file = safetensors::open(self.path(name)).ok()?;
        let values = file.tensor::<f64>("values").ok()?.into_raw_vec_and_offset().0;
        // One vector per row in the file, one per column in memory: the same numbers in the same order. Read in slabs, because
        // a whole tensor is held twice while it is read.
        let n_vectors = *file.info("vectors").ok()?.shape.first()?;
        let vectors = file.rows::<f64>("vectors", 0..n_vectors).ok()?;
        let vectors = vectors.into_dimensionality().ok()?;
        (vectors.nrows() == values.len()).then(|| Spectrum { values, vectors: vectors.reversed_axes() })
    }

    fn store(&self, name: &str, spectrum: &Spectrum) -> Result<(), RegressError> {
        let values = ndarray::ArrayView1::from(&spectrum.values);
        let mut writer = safetensors::Writer::new();
        writer.add("values", values.into_dyn()).add("vectors", spectrum.vectors.t().into_dyn());
        fs::create_dir(&self.folder)
            .and_then(|()| writer.write(self.path(name)))
            .map_err(|error| RegressError::Source { reason: error.to_string() })
    }
}
