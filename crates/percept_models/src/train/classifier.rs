//! A small convolutional classifier with several heads: the judge that names what a picture shows.

use candle_core::{D, Device, Tensor};
use ndarray::{Array4, ArrayView4, s};
use percept_core::Seed;

use super::{Gradients, Task, sharded_gradients};
use crate::{
    device::side_by_side,
    error::Result,
    nn::{
        host::to_vec,
        layers::{Conv2d, GroupNorm, Linear},
        params::Params,
    },
    preprocess::picture_tensor,
};

const WIDTHS: [usize; 4] = [24, 48, 96, 128];
const GROUPS: usize = 8;
/// Pictures judged at a time.
const BATCH: usize = 16;

/// The classifier: four strided stages, then one linear read-out per head from the last 4×4 map.
pub struct PictureClassifier {
    stages: Vec<(Conv2d, GroupNorm, Conv2d, GroupNorm)>,
    heads: Vec<Linear>,
}

impl PictureClassifier {
    /// A classifier of 64×64 pictures with `classes[h]` classes in head `h`.
    ///
    /// # Errors
    /// Parameters that do not fit.
    pub fn new(p: &Params, classes: &[usize]) -> Result<Self> {
        let mut channels = 3;
        let mut stages = Vec::new();
        for (i, width) in WIDTHS.into_iter().enumerate() {
            let place = p.at("stages").at(i);
            stages.push((
                Conv2d::new(&place.at("conv1"), [channels, width], 3, 2, 1)?,
                GroupNorm::new(&place.at("norm1"), width, GROUPS, 1e-5)?,
                Conv2d::new(&place.at("conv2"), [width, width], 3, 1, 1)?,
                GroupNorm::new(&place.at("norm2"), width, GROUPS, 1e-5)?,
            ));
            channels = width;
        }
        let heads = classes
            .iter()
            .enumerate()
            .map(|(i, &n)| Linear::new(&p.at("heads").at(i), channels * 16, n))
            .collect::<Result<_>>()?;
        Ok(Self { stages, heads })
    }

    fn device(&self) -> &Device {
        self.stages[0].0.device()
    }

    fn logits(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        for (conv1, norm1, conv2, norm2) in &self.stages {
            x = norm1.forward_silu(&conv1.forward(&x)?)?;
            x = (norm2.forward_silu(&conv2.forward(&x)?)? + &x)?;
        }
        let flat = x.flatten_from(1)?;
        self.heads.iter().map(|head| head.forward(&flat)).collect()
    }

    /// The most likely class in every head for each picture (n, 64, 64, 3), as n rows.
    ///
    /// # Errors
    /// Pictures of another size.
    pub fn classify(&self, pictures: ArrayView4<'_, f32>) -> Result<Vec<Vec<usize>>> {
        let n = pictures.dim().0;
        let parts: Vec<Vec<Vec<usize>>> = side_by_side(self.device(), n.div_ceil(BATCH), |i| {
            let part = pictures.slice(s![i * BATCH..((i + 1) * BATCH).min(n), .., .., ..]);
            let logits = self.logits(&picture_tensor(&part, [0.5; 3], [0.5; 3], self.device())?)?;
            let mut rows = vec![Vec::new(); part.dim().0];
            for head in logits {
                let classes = head.dim(1)?;
                for (row, values) in rows.iter_mut().zip(to_vec(&head)?.chunks(classes)) {
                    let best = (0..classes).fold(0, |best, i| if values[i] > values[best] { i } else { best });
                    row.push(best);
                }
            }
            Ok(rows)
        })?;
        Ok(parts.into_iter().flatten().collect())
    }
}

/// Pictures (n, 64, 64, 3) and for each the class in every head; `None` where a head does not apply.
type Labelled<'a> = Box<dyn Fn(usize, Seed) -> (Array4<f32>, Vec<Vec<Option<usize>>>) + Send + Sync + 'a>;

/// Trains a [`PictureClassifier`] with the cross-entropy summed over heads.
pub struct ClassifierTask<'a> {
    params: Params,
    model: PictureClassifier,
    batch: Labelled<'a>,
    n_shards: usize,
}

impl<'a> ClassifierTask<'a> {
    /// A task on fresh or loaded trainable `params`.
    ///
    /// # Errors
    /// Parameters that do not fit.
    pub fn new(
        params: Params,
        classes: &[usize],
        n_shards: usize,
        batch: impl Fn(usize, Seed) -> (Array4<f32>, Vec<Vec<Option<usize>>>) + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = PictureClassifier::new(&params, classes)?;
        Ok(Self { params, model, batch: Box::new(batch), n_shards })
    }
}

impl Task for ClassifierTask<'_> {
    fn name(&self) -> &'static str {
        "judge"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let (pictures, labels) = (self.batch)(step, seed.at(shard as u64));
            let n = labels.len();
            let device = self.model.device();
            let x = picture_tensor(&pictures.view(), [0.5; 3], [0.5; 3], device)?;
            let mut total = Tensor::zeros((), candle_core::DType::F32, device)?;
            for (head, logits) in self.model.logits(&x)?.iter().enumerate() {
                let classes = logits.dim(1)?;
                let mut chosen = vec![0.0f32; n * classes];
                let mut applies = vec![0.0f32; n];
                for (row, label) in labels.iter().enumerate() {
                    if let Some(class) = label[head] {
                        chosen[row * classes + class] = 1.0;
                        applies[row] = 1.0;
                    }
                }
                let chosen = Tensor::from_vec(chosen, (n, classes), device)?;
                let applies = Tensor::from_vec(applies, (n, 1), device)?;
                let max = logits.max_keepdim(D::Minus1)?.detach();
                let log_sum = (logits.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?.log()? + max)?;
                let loss = ((log_sum * applies)?.sum_all()? - (logits * chosen)?.sum_all()?)?;
                total = (total + (loss / n as f64)?)?;
            }
            Ok(total)
        })
    }
}
