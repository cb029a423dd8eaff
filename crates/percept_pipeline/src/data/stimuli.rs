//! The pictures that were seen: held in memory when they come as an array, read by row when they lie in an NSD tree.

use ndarray::{Array4, Axis};
use percept_core::provenance::content_hash;
use percept_io::nsd;

use crate::error::PipelineError;

/// Pictures with stable names.
pub struct Stimuli {
    ids: Vec<String>,
    source: Source,
}

enum Source {
    Memory(Array4<u8>),
    Tree { file: Box<nsd::Stimuli>, images: Vec<usize> },
}

/// The name of a picture in an NSD tree, by its number from 0.
pub(super) fn nsd_name(image: usize) -> String {
    format!("nsd{image:05}")
}

/// Pictures that are hashed at a time.
const HASHED_TOGETHER: usize = 64;

impl Stimuli {
    /// Pictures (n, height, width, 3) with one name each.
    pub(super) fn in_memory(ids: Vec<String>, pictures: Array4<u8>) -> Self {
        debug_assert_eq!(ids.len(), pictures.dim().0);
        Self { ids, source: Source::Memory(pictures) }
    }

    /// The pictures `images` of an NSD tree, named by their number from 0.
    pub(super) fn in_tree(file: nsd::Stimuli, images: Vec<usize>) -> Self {
        let ids = images.iter().copied().map(nsd_name).collect();
        Self { ids, source: Source::Tree { file: Box::new(file), images } }
    }

    /// Number of different pictures.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The stable name of one picture, fit for a file name.
    pub fn id(&self, stimulus: usize) -> &str {
        &self.ids[stimulus]
    }

    /// The pictures `stimuli`, in that order: (n, height, width, 3).
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn pictures(&self, stimuli: &[usize]) -> Result<Array4<u8>, PipelineError> {
        match &self.source {
            Source::Memory(pictures) => Ok(pictures.select(Axis(0), stimuli)),
            Source::Tree { file, images } => {
                let images: Vec<usize> = stimuli.iter().map(|&stimulus| images[stimulus]).collect();
                Ok(file.read(&images)?)
            }
        }
    }

    /// A hash of names and pictures. All of them are read: a picture that was edited in place must be noticed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn content(&self) -> Result<String, PipelineError> {
        let mut bytes = Vec::new();
        let all: Vec<usize> = (0..self.len()).collect();
        for some in all.chunks(HASHED_TOGETHER) {
            let pictures = self.pictures(some)?;
            let levels: Vec<u8> = pictures.iter().copied().collect();
            bytes.extend_from_slice(content_hash(&levels).as_bytes());
            for length in pictures.shape() {
                bytes.extend_from_slice(&(*length as u64).to_le_bytes());
            }
        }
        for id in &self.ids {
            bytes.extend_from_slice(id.as_bytes());
            bytes.push(0);
        }
        Ok(content_hash(&bytes))
    }
}
