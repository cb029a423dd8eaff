//! Predicted pixels, enlarged to the size of the other pictures; no model.

use ndarray::Array4;
use percept_core::Provenance;

use super::media;
use crate::arms::{Generator, Inputs, Medium};
use crate::data::pictures;
use crate::error::PipelineError;
use crate::plan::Item;

/// The space that it reads.
const PIXELS: &str = "pixels";

/// Shows rows of pixels as pictures.
pub struct EnlargePixels {
    shape: [usize; 3],
    side: usize,
}

impl EnlargePixels {
    /// Rows of `shape` (height, width, channels) become pictures of `side` × `side`.
    pub fn new(shape: [usize; 3], side: usize) -> Self {
        Self { shape, side }
    }
}

impl Generator for EnlargePixels {
    fn record(&self, _: &[Item], _: usize, record: Provenance) -> Provenance {
        record.setting("generator", "pixels").setting("shape", &self.shape).setting("side", &self.side)
    }

    fn make(&self, inputs: &Inputs, _: &[Item], _: usize) -> Result<Vec<Medium>, PipelineError> {
        let rows = inputs.required(PIXELS, "a picture of pixels")?;
        let [height, width, channels] = self.shape;
        let small = Array4::from_shape_fn((rows.nrows(), height, width, 3), |(row, y, x, channel)| {
            rows[(row, (y * width + x) * channels + channel.min(channels - 1))]
        });
        Ok(media(&pictures::resize(small.view(), self.side, self.side)))
    }

    fn is_random(&self) -> bool {
        false
    }
}
