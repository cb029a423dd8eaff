//! `pixels`: the picture itself, averaged down to a few pixels a side; gray if all pictures are.

use ndarray::{Array2, Array4, s};

use super::{Materials, Space};
use crate::data::{Dataset, FeatureTable, pictures};
use crate::error::PipelineError;

/// Pictures read at a time.
const PICTURES_PER_BATCH: usize = 256;

/// Pixels of every stimulus.
#[derive(Clone, Debug)]
pub struct Pixels {
    rows: Array2<f32>,
    shape: [usize; 3],
}

impl Pixels {
    /// Its name.
    pub const NAME: &'static str = "pixels";

    /// Reads the pictures of `data`, averaged down to at most `side` pixels a side.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(data: &Dataset, side: usize) -> Result<Self, PipelineError> {
        let n = data.stimuli.len();
        let mut all: Option<Array4<f32>> = None;
        for start in (0..n).step_by(PICTURES_PER_BATCH) {
            let batch: Vec<usize> = (start..(start + PICTURES_PER_BATCH).min(n)).collect();
            let shown = pictures::to_values(data.stimuli.pictures(&batch)?.view());
            let (height, width) = (shown.dim().1.min(side), shown.dim().2.min(side));
            let small = pictures::resize(shown.view(), height, width);
            let all = all.get_or_insert_with(|| Array4::zeros((n, height, width, 3)));
            all.slice_mut(s![start..start + batch.len(), .., .., ..]).assign(&small);
        }
        let all = all.unwrap_or_default();
        let (_, height, width, _) = all.dim();
        let gray = all.slice(s![.., .., .., 0]) == all.slice(s![.., .., .., 1])
            && all.slice(s![.., .., .., 0]) == all.slice(s![.., .., .., 2]);
        let channels = if gray { 1 } else { 3 };
        let rows = all
            .slice(s![.., .., .., ..channels])
            .as_standard_layout()
            .into_owned()
            .into_shape_with_order((n, height * width * channels))
            .expect("the lengths are the same");
        Ok(Self { rows, shape: [height, width, channels] })
    }

    /// Height, width and channels (1 for gray).
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }
}

impl Space for Pixels {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn features(&self, _: &Materials<'_>) -> Result<FeatureTable, PipelineError> {
        Ok(FeatureTable::new(self.rows.clone()))
    }
}
