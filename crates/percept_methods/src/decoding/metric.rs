//! The value of each metric for every item of one arm, against the truth of its stimulus.
//!
//! Pixel, latent and CLIP metrics look at pictures as they lie on the disk. Context metrics look at what a picture was made
//! under; an arm that was made under none, such as `z`, has no such metrics.

use ndarray::{Array2, Array4, Axis};
use percept_stats::{clusters, correlation, image, ssim};

use super::arms::{Arm, Source};
use super::generator::Generator;
use crate::error::MethodError;
use crate::experiment::Metric;

/// Squared errors on −1..1 are this many times those on 0..1.
const MSE_SCALE: f64 = 4.0;

impl Source {
    /// The context that pictures are made under, one row per item, where there is one.
    pub(super) fn context(&self) -> Option<&Array2<f32>> {
        match self {
            Source::Model { c, .. } => c.as_ref(),
            Source::Pixels { .. } => None,
        }
    }
}

/// One picture per item, in all the forms that metrics compare.
pub(super) struct Seen {
    pictures: Array4<f32>,
    rows: Array2<f32>,
    latents: Option<Array2<f32>>,
    clip: Option<Array2<f32>>,
}

impl Seen {
    /// Pictures (n, side, side, 3) and what `metrics` need of them.
    pub(super) fn new(
        pictures: Array4<f32>,
        metrics: &[Metric],
        generator: &dyn Generator,
    ) -> Result<Self, MethodError> {
        let latents = if metrics.iter().any(|metric| metric.reads_latent()) {
            Some(generator.encode(pictures.view())?)
        } else {
            None
        };
        let clip =
            if metrics.contains(&Metric::TwoWayClip) { Some(generator.clip_image(pictures.view())?) } else { None };
        let (n, height, width, channels) = pictures.dim();
        let rows = pictures.to_shape((n, height * width * channels)).expect("the lengths are the same").into_owned();
        Ok(Self { pictures, rows, latents, clip })
    }
}

/// One value per item of a metric of pictures; `None` for a metric of contexts.
pub(super) fn of_pictures(
    metric: Metric,
    made: &Seen,
    truth: &Seen,
    label_of_item: &[usize],
) -> Result<Option<Vec<f64>>, MethodError> {
    let latents = || made.latents.as_ref().zip(truth.latents.as_ref());
    Ok(match metric {
        Metric::Mse => {
            let errors = image::mse(made.pictures.view(), truth.pictures.view())?;
            Some(errors.into_iter().map(|error| MSE_SCALE * error).collect())
        }
        Metric::PixCorr => Some(image::pixcorr(made.pictures.view(), truth.pictures.view())?.values),
        Metric::Ssim => Some(ssim::ssim(made.pictures.view(), truth.pictures.view())?),
        Metric::LatentMse => match latents() {
            Some((made, truth)) => Some(correlation::mse_rows(made.view(), truth.view())?),
            None => None,
        },
        Metric::LatentPcc => match latents() {
            Some((made, truth)) => Some(correlation::rows(made.view(), truth.view())?.values),
            None => None,
        },
        Metric::TwoWayPixel => Some(clusters::two_way(made.rows.view(), truth.rows.view(), label_of_item)?.values),
        Metric::TwoWayClip => match made.clip.as_ref().zip(truth.clip.as_ref()) {
            Some((made, truth)) => Some(clusters::two_way(made.view(), truth.view(), label_of_item)?.values),
            None => None,
        },
        Metric::ContextCosine | Metric::ContextPairwise => None,
    })
}

/// One value per item of a metric of contexts; `None` for other metrics and arms without a context.
pub(super) fn of_context(
    metric: Metric,
    arm: &Arm,
    true_of_stimulus: Option<&Array2<f32>>,
    stimuli: &[usize],
) -> Result<Option<Vec<f64>>, MethodError> {
    let Some((made, truth)) = arm.source.context().zip(true_of_stimulus) else { return Ok(None) };
    let truth = truth.select(Axis(0), stimuli);
    Ok(match metric {
        Metric::ContextCosine => Some(correlation::cosine_rows(made.view(), truth.view())?.values),
        Metric::ContextPairwise => Some(clusters::two_way_cosine(made.view(), truth.view(), stimuli)?.values),
        _ => None,
    })
}
