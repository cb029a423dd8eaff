//! Decompositions kept on disk under the hash of what they were made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use percept_core::provenance::content_hash;
use percept_io::{fs, safetensors};
use percept_regress::{RegressError, Spectrum, SpectrumCache};

/// A folder of decompositions, seen with the eyes of one set of samples.
#[derive(Clone, Debug)]
pub struct FolderCache {
    folder: PathBuf,
    samples: String,
    found: Arc<AtomicBool>,
}

impl FolderCache {
    /// Decompositions of the samples that `samples` stands for: a hash of their contents and of everything that was done to them.
    pub fn new(folder: impl AsRef<Path>, samples: impl Into<String>) -> Self {
        Self { folder: folder.as_ref().to_owned(), samples: samples.into(), found: Arc::default() }
    }

    /// The file of one decomposition.
    pub fn path(&self, name: &str) -> PathBuf {
        let hash = content_hash(format!("{}\n{name}", self.samples).as_bytes());
        self.folder.join(format!("decomposition-{}.safetensors", &hash[..32]))
    }

    /// Whether a decomposition was taken from it.
    pub(crate) fn found(&self) -> bool {
        self.found.load(Ordering::Relaxed)
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
        let found = vectors.nrows() == values.len();
        self.found.fetch_or(found, Ordering::Relaxed);
        found.then(|| Spectrum { values, vectors: vectors.reversed_axes() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn a_cache_knows_whether_a_decomposition_was_taken_from_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let spectrum = Spectrum { values: vec![1.0, 4.0], vectors: Array2::eye(2).reversed_axes() };
        let first = FolderCache::new(folder.path(), "samples");
        assert!(first.load("name").is_none() && !first.found());
        first.store("name", &spectrum).expect("stored");
        assert!(!first.found());
        let again = FolderCache::new(folder.path(), "samples");
        assert!(again.load("name") == Some(spectrum) && again.found());
        assert!(FolderCache::new(folder.path(), "others").load("name").is_none());
    }
}
