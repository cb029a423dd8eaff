//! The baseline that every reconstruction must be compared with: ridge from the same units straight to pixels.
//!
//! Pictures are averaged down to at most `baselines.pixel_size` pixels a side, gray if all of them are; what is predicted is
//! brought to the size of the others for scoring.

use ndarray::{Array2, Array4, s};
use percept_core::provenance::content_hash;

use super::Decoders;
use super::arms::{Arm, Source};
use super::features::Features;
use crate::error::MethodError;
use crate::pictures;

/// Pictures read at a time.
const PICTURES_PER_BATCH: usize = 256;

/// Fits the baseline and returns it as one more arm.
pub(super) fn arm(decoders: &Decoders<'_>, warnings: &mut Vec<String>) -> Result<Arm, MethodError> {
    let (values, shape) = targets(decoders)?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let features = Features { values, content: content_hash(&bytes) };
    let predictions = decoders.fit("pixels", decoders.experiment.decode.z_region, &features, warnings)?;
    Ok(Arm {
        name: "pixel_ridge".to_owned(),
        description: format!("ridge straight to {} × {} pixels, no model", shape[0], shape[1]),
        source: Source::Pixels { rows: predictions.items, shape },
        n_samples: 1,
        changes: None,
    })
}

/// Pixels of every stimulus, n_stimuli × (height · width · channels), and that shape.
fn targets(decoders: &Decoders<'_>) -> Result<(Array2<f32>, [usize; 3]), MethodError> {
    let stimuli = &decoders.dataset.stimuli;
    let n = stimuli.len();
    let mut all: Option<Array4<f32>> = None;
    for start in (0..n).step_by(PICTURES_PER_BATCH) {
        let batch: Vec<usize> = (start..(start + PICTURES_PER_BATCH).min(n)).collect();
        let shown = pictures::to_values(stimuli.pictures(&batch)?.view());
        let largest = decoders.experiment.baselines.pixel_size;
        let (height, width) = (shown.dim().1.min(largest), shown.dim().2.min(largest));
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
    Ok((rows, [height, width, channels]))
}
