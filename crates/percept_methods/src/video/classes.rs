//! Who names what frames and films show: classifiers of pictures and videos, or the pack's CLIP among captions.

use ndarray::{Array2, Array4, ArrayView4, Axis, s};
use percept_models::classifiers::{PictureClassifier, VideoClassifier};
use percept_pipeline::PipelineError;
use percept_pipeline::experiment::video::VideoData;
use percept_synth::drawing::{Color, Object};

use super::bench::Bench;

/// How strongly CLIP's cosines speak: what CLIP itself learnt.
const SHARPNESS: f32 = 100.0;

/// Who names frames, in words.
pub(super) fn frame_namer(bench: &Bench<'_>) -> &'static str {
    if bench.experiment.evaluate.picture_classifier.is_some() { "a ViT" } else { "the pack's CLIP among captions" }
}

/// A classifier of frames.
pub(super) enum FrameNamer {
    Vit(Box<PictureClassifier>),
    /// The unit vectors of captions, classes × width.
    Clip(Array2<f32>),
}

impl FrameNamer {
    /// The one that the experiment asks for; none where there is none.
    fn open(bench: &Bench<'_>) -> Result<Option<Self>, PipelineError> {
        let settings = &bench.experiment.evaluate;
        if let Some(folder) = &settings.picture_classifier {
            return Ok(Some(Self::Vit(Box::new(PictureClassifier::open(folder)?))));
        }
        let mut classes = settings.classes.clone();
        if classes.is_empty() && matches!(bench.experiment.data, VideoData::Spectator(_)) {
            let colored = |object: &Object| Color::ALL.iter().map(move |color| (*color, *object)).collect::<Vec<_>>();
            let all = Object::ALL.iter().flat_map(colored);
            classes = all.map(|(color, object)| format!("a {} {}", color.name(), object.name())).collect();
        }
        if classes.len() < 2 || !bench.pack.pack.has_clip() {
            return Ok(None);
        }
        Ok(Some(Self::Clip(unit(bench.pack.pack.clip_text(&classes)?))))
    }

    /// Probabilities of classes, averaged over the frames of each clip: clips × classes. `embedded` are the frames' vectors by CLIP.
    pub(super) fn name(
        &self,
        frames: &Array4<f32>,
        n: usize,
        embedded: Option<&Array2<f32>>,
    ) -> Result<Option<Array2<f32>>, PipelineError> {
        let of_frames = match (self, embedded) {
            (Self::Vit(model), _) => model.probabilities(frames.view())?,
            (Self::Clip(classes), Some(embedded)) => softmax(unit(embedded.clone()).dot(&classes.t()) * SHARPNESS),
            (Self::Clip(_), None) => return Ok(None),
        };
        Ok(Some(by_clip(&of_frames, n)))
    }
}

/// The mean row of each clip of `n` frames.
pub(super) fn by_clip(of_frames: &Array2<f32>, n: usize) -> Array2<f32> {
    let mut out = Array2::zeros((of_frames.nrows() / n.max(1), of_frames.ncols()));
    for (clip, mut row) in out.outer_iter_mut().enumerate() {
        if let Some(mean) = of_frames.slice(s![clip * n..(clip + 1) * n, ..]).mean_axis(Axis(0)) {
            row.assign(&mean);
        }
    }
    out
}

/// Rows of length 1.
pub(super) fn unit(mut rows: Array2<f32>) -> Array2<f32> {
    for mut row in rows.outer_iter_mut() {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    rows
}

fn softmax(mut rows: Array2<f32>) -> Array2<f32> {
    for mut row in rows.outer_iter_mut() {
        let most = row.fold(f32::NEG_INFINITY, |most, &value| most.max(value));
        row.mapv_inplace(|value| (value - most).exp());
        let total = row.sum();
        row /= total;
    }
    rows
}

/// Who names classes, opened once for all arms.
pub(super) struct Judges {
    pub frames: Option<FrameNamer>,
    pub films: Option<VideoClassifier>,
}

impl Judges {
    pub(super) fn open(bench: &Bench<'_>) -> Result<Self, PipelineError> {
        let folder = bench.experiment.evaluate.video_classifier.as_ref();
        let films = folder.map(|folder| VideoClassifier::open(folder)).transpose()?;
        Ok(Self { frames: FrameNamer::open(bench)?, films })
    }
}

/// Probabilities of classes of every clip.
pub(super) fn name_films(
    model: &VideoClassifier,
    frames: ArrayView4<'_, f32>,
    n: usize,
) -> Result<Array2<f32>, PipelineError> {
    let clips: Vec<Array4<f32>> = (0..frames.dim().0 / n.max(1))
        .map(|clip| frames.slice(s![clip * n..(clip + 1) * n, .., .., ..]).to_owned())
        .collect();
    Ok(model.probabilities(&clips)?)
}
