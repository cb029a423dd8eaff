//! What each of many classes says of pictures and of films, and where they lie in the classifiers' own space: plain arrays to
//! plain arrays, for scores.
//!
//! A classifier is a folder in transformers' layout: `config.json`, weights and `preprocessor_config.json`. Pictures and films
//! come in any size. A video classifier takes a number of frames of its own; films of another are sampled evenly in time.

use std::path::Path;

use candle_core::{D, Device, IndexOp, Tensor};
use ndarray::{Array2, Array4, ArrayView4, Axis, s};

use crate::{
    device::side_by_side,
    error::{ModelError, Result},
    nn::host::to_rows,
    parts::Parts,
    preprocess::Preprocess,
    tap::Taps,
    video_mae::{VideoMaeModel, VideoMaeStates},
    vit::{VitModel, VitStates},
    weights::PackFiles,
};

/// Pictures that go through the model together.
const BATCH: usize = 8;

/// A Vision Transformer with what its pictures go through before: pictures as plain arrays to plain arrays.
pub struct PictureClassifier {
    model: VitModel,
    preprocess: Preprocess,
}

impl PictureClassifier {
    /// Opens its folder.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(dir: &Path) -> Result<Self> {
        let files = PackFiles::Directory(dir.to_owned());
        let mut parts = Parts::new(&files)?;
        let model = parts.vit()?;
        let preprocess = parts.classifier_preprocess(model.config().layers.image_size)?;
        Ok(Self { model, preprocess })
    }

    /// How likely each class is, n × classes; rows sum to 1.
    ///
    /// # Shapes
    /// `pictures` (n, height, width, 3), RGB in 0..=1, of any size.
    ///
    /// # Errors
    /// A checkpoint without a classifier, no pictures, pictures without pixels.
    pub fn probabilities(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.rows(pictures, |states| softmax(&expect_logits(states.logits.as_ref())?))
    }

    /// The class token behind the last norm, n × width.
    ///
    /// # Errors
    /// No pictures, pictures without pixels.
    pub fn embeddings(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.rows(pictures, |states| Ok(states.last_hidden.i((.., 0))?.contiguous()?))
    }

    fn rows(
        &self,
        pictures: ArrayView4<'_, f32>,
        of: impl Fn(&VitStates) -> Result<Tensor> + Sync,
    ) -> Result<Array2<f32>> {
        let (side, device) = (self.model.config().layers.image_size, self.model.device());
        batched(device, pictures.dim().0, BATCH, |range| {
            let pixels = self.preprocess.apply(&pictures.slice(s![range, .., .., ..]), side, device)?;
            to_rows(&of(&self.model.forward(&pixels, &mut Taps::none())?)?)
        })
    }
}

/// VideoMAE with what its films go through before: films as plain arrays to plain arrays.
pub struct VideoClassifier {
    model: VideoMaeModel,
    preprocess: Preprocess,
}

impl VideoClassifier {
    /// Opens its folder.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(dir: &Path) -> Result<Self> {
        let files = PackFiles::Directory(dir.to_owned());
        let mut parts = Parts::new(&files)?;
        let model = parts.video_mae()?;
        let preprocess = parts.classifier_preprocess(model.config().layers.image_size)?;
        Ok(Self { model, preprocess })
    }

    /// Frames that the model sees of a film.
    pub fn frames(&self) -> usize {
        self.model.config().num_frames
    }

    /// How likely each class is, n × classes; rows sum to 1.
    ///
    /// # Shapes
    /// Films (frames, height, width, 3), RGB in 0..=1, of any size and number of frames, each its own.
    ///
    /// # Errors
    /// A checkpoint without a classifier, no films, films without frames or pixels.
    pub fn probabilities(&self, films: &[Array4<f32>]) -> Result<Array2<f32>> {
        self.rows(films, |states| softmax(&expect_logits(states.logits.as_ref())?))
    }

    /// What a classifier is given (the mean of the tokens, or the first), n × width; [`Self::probabilities`] has the shapes.
    ///
    /// # Errors
    /// No films, films without frames or pixels.
    pub fn embeddings(&self, films: &[Array4<f32>]) -> Result<Array2<f32>> {
        self.rows(films, |states| Ok(states.pooled.clone()))
    }

    fn rows(
        &self,
        films: &[Array4<f32>],
        of: impl Fn(&VideoMaeStates) -> Result<Tensor> + Sync,
    ) -> Result<Array2<f32>> {
        let (side, device) = (self.model.config().layers.image_size, self.model.device());
        batched(device, films.len(), 1, |range| {
            let film = &films[range.start];
            let frames = film.select(Axis(0), &evenly(film.dim().0, self.frames())?);
            let pixels = self.preprocess.apply(&frames.view(), side, device)?.unsqueeze(0)?;
            to_rows(&of(&self.model.forward(&pixels, &mut Taps::none())?)?)
        })
    }
}

/// Logits (n, classes) to probabilities, rows that sum to 1.
fn softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?)
}

/// The logits of a checkpoint that has a classifier.
fn expect_logits(logits: Option<&Tensor>) -> Result<Tensor> {
    logits.cloned().ok_or_else(|| ModelError::Input {
        what: "probabilities of classes",
        expected: "a checkpoint with `classifier.weight` (one that was trained to classify)".into(),
        got: "one without".into(),
    })
}

/// `work` over `0..n` in batches of `batch`, side by side where that is allowed, the rows stacked in order.
fn batched(
    device: &Device,
    n: usize,
    batch: usize,
    work: impl Fn(std::ops::Range<usize>) -> Result<Array2<f32>> + Sync,
) -> Result<Array2<f32>> {
    let parts = side_by_side(device, n.div_ceil(batch), |i| work(i * batch..((i + 1) * batch).min(n)))?;
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(ndarray::Axis(0), &views).map_err(|source| ModelError::Input {
        what: "batch",
        expected: "at least one picture or film".into(),
        got: source.to_string(),
    })
}

/// Which of `n` frames stand for `wanted`: evenly from the first to the last, each the nearest.
fn evenly(n: usize, wanted: usize) -> Result<Vec<usize>> {
    if n == 0 {
        return Err(ModelError::Input { what: "film", expected: "at least one frame".into(), got: "none".into() });
    }
    let steps = wanted.saturating_sub(1).max(1);
    Ok((0..wanted).map(|i| (2 * i * (n - 1) + steps) / (2 * steps)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_evenly_from_the_first_to_the_last() {
        assert_eq!(evenly(16, 16).expect("frames"), (0..16).collect::<Vec<_>>());
        assert_eq!(evenly(31, 16).expect("frames"), (0..16).map(|i| 2 * i).collect::<Vec<_>>());
        assert_eq!(evenly(4, 8).expect("frames"), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(evenly(1, 4).expect("frames"), [0; 4]);
        assert_eq!(evenly(9, 1).expect("frames"), [0]);
        assert!(evenly(0, 4).is_err());
    }
}
