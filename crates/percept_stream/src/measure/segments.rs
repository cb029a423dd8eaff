//! Segments of a recording, drawn frame by frame, and how far two frames are apart.

use ndarray::{Array2, Array4, ArrayView1, ArrayView2, Axis, s};
use percept_models::DiffusionPack;
use percept_signal::Welch;

use super::found::Extent;
use crate::error::{Result, StreamError};
use crate::picture::Painter;
use crate::settings::Settings;
use crate::signal::latents;
use crate::source::SourceFacts;

/// Seconds of signal before a segment, for filters to settle.
const LEAD_SECS: f64 = 1.0;
/// Pictures at once.
const BATCH: usize = 8;

/// One segment, drawn.
pub(super) struct Segment {
    /// One row per frame, and so below.
    pub(super) latents: Array2<f32>,
    /// Pixels in 0 to 1.
    pub(super) pixels: Array2<f32>,
    /// Embeddings of length 1, where the pack has CLIP.
    pub(super) clip: Option<Array2<f32>>,
    /// Theta over delta.
    pub(super) theta_delta: f64,
}

/// Cuts and draws the segments.
pub(super) fn segments<T: Sync>(
    samples: ArrayView2<'_, f64>,
    facts: &SourceFacts,
    settings: &Settings,
    extent: Extent,
    painter: &Painter<T>,
) -> Result<Vec<Segment>> {
    let rate = facts.rate_hz;
    // A window of a second or of raw rows, and then a hop for every frame.
    let window = rate.max(painter.n_latent() as f64 / facts.channels.len() as f64).ceil();
    let length = ((LEAD_SECS * rate) + window + (extent.n_frames + 1) as f64 * rate / settings.fps).ceil() as usize;
    let n = samples.nrows();
    if extent.n_segments < 4 || extent.n_frames < 4 || n < length {
        let problem = format!("{n} samples and {} segments of {} frames", extent.n_segments, extent.n_frames);
        return Err(StreamError::setting(
            "measure",
            problem,
            "use 4 segments of 4 frames or more, and a longer recording",
        ));
    }
    let stride = (n - length) / (extent.n_segments - 1).max(1);
    (0..extent.n_segments)
        .map(|i| {
            let part = samples.slice(s![i * stride..i * stride + length, ..]);
            let (all, _) = latents(settings, facts, part, painter.n_latent())?;
            let latents = all.slice(s![all.nrows().saturating_sub(extent.n_frames).., ..]).to_owned();
            let pictures = painter.draw_all(latents.view(), BATCH)?;
            let clip = painter.pack().has_clip().then(|| unit_rows(painter.pack(), &pictures)).transpose()?;
            let n_pixels = pictures.len() / pictures.dim().0;
            let pixels = pictures.into_shape_with_order((latents.nrows(), n_pixels)).unwrap_or_default();
            Ok(Segment { theta_delta: theta_delta(part, rate), latents, pixels, clip })
        })
        .collect()
}

/// CLIP embeddings of length 1.
fn unit_rows(pack: &DiffusionPack, pictures: &Array4<f32>) -> Result<Array2<f32>> {
    let mut rows = pack.clip_image(pictures.view())?;
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let length = row.dot(&row).sqrt();
        row /= length.max(f32::MIN_POSITIVE);
    }
    Ok(rows)
}

/// Theta over delta of a stretch, a mean over channels.
fn theta_delta(samples: ArrayView2<'_, f64>, rate_hz: f64) -> f64 {
    let welch = Welch::new(((rate_hz * 1.0) as usize).max(16));
    let mut powers = [0.0; 2];
    for column in samples.columns() {
        if let Some(spectrum) = welch.of(&column.to_vec(), rate_hz) {
            powers[0] += spectrum.power(6.0, 10.0);
            powers[1] += spectrum.power(1.0, 4.0);
        }
    }
    powers[0] / powers[1].max(f64::MIN_POSITIVE)
}

/// The root mean square of a difference.
pub(super) fn apart(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len().max(1) as f64).sqrt()
}

/// Pearson's correlation; 0 where one of them is constant.
pub(super) fn alike(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    percept_stats::correlation::pearson(a, b).unwrap_or(0.0)
}
