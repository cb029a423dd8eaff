//! CLIPScore and RefCLIPScore from embeddings.
//!
//! CLIPScore of a caption is 2.5 · max(cos(caption, image), 0); RefCLIPScore is its harmonic mean with max(cos(caption,
//! reference), 0) of the reference that is nearest. The published scores embed captions behind the words `A photo depicts `;
//! that, like the model, is the caller's.
//!
//! Reference: Hessel et al. 2021, arXiv 2104.08718, sections 3 and 3.1.

use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{StatsError, at_least, finite, same_shape};

use super::metric::Metric;

/// What brings scores of captions to about 0..=1.
pub const WEIGHT: f64 = 2.5;

/// Embeddings of captions and of what they describe.
#[derive(Clone, Copy, Debug)]
pub struct ClipEmbeddings<'a> {
    /// Predicted captions, n_items × n_features.
    pub predicted: ArrayView2<'a, f32>,
    /// The images, n_items × n_features.
    pub images: ArrayView2<'a, f32>,
    /// The references of each item, n_references × n_features, if there are any.
    pub references: Option<&'a [Array2<f32>]>,
}

/// CLIPScore as a metric of pairs; with references, RefCLIPScore beside it.
pub(super) struct Clip {
    predicted: Array2<f64>,
    images: Array2<f64>,
    references: Option<Vec<Array2<f64>>>,
}

impl Clip {
    pub(super) fn new(embeddings: ClipEmbeddings<'_>) -> Result<Self, StatsError> {
        let ClipEmbeddings { predicted, images, references } = embeddings;
        same_shape(("predicted", predicted.shape()), ("images", images.shape()))?;
        if let Some(references) = references {
            same_shape(("predicted", &[predicted.nrows()]), ("references", &[references.len()]))?;
            for item in references {
                at_least("references of an item", 1, item.nrows())?;
                same_shape(("predicted", &[predicted.ncols()]), ("references", &[item.ncols()]))?;
            }
        }
        let of_items = |items: &[Array2<f32>]| items.iter().map(|item| directions("references", item.view())).collect();
        Ok(Self {
            predicted: directions("predicted", predicted)?,
            images: directions("images", images)?,
            references: references.map(of_items).transpose()?,
        })
    }

    pub(super) fn n_items(&self) -> usize {
        self.predicted.nrows()
    }

    pub(super) fn has_references(&self) -> bool {
        self.references.is_some()
    }

    fn clipscore(&self, predicted: usize, item: usize) -> f64 {
        WEIGHT * self.predicted.row(predicted).dot(&self.images.row(item)).max(0.0)
    }

    fn refclipscore(&self, clipscore: f64, predicted: usize, references: &Array2<f64>) -> f64 {
        let nearest = references.dot(&self.predicted.row(predicted)).fold(0.0f64, |best, &cosine| best.max(cosine));
        if clipscore > 0.0 && nearest > 0.0 { 2.0 * clipscore * nearest / (clipscore + nearest) } else { 0.0 }
    }
}

impl Metric<1> for Clip {
    fn names(&self) -> Vec<&'static str> {
        vec!["clipscore"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; 1] {
        [self.clipscore(predicted, item)]
    }
}

impl Metric<2> for Clip {
    fn names(&self) -> Vec<&'static str> {
        vec!["clipscore", "refclipscore"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; 2] {
        let clipscore = self.clipscore(predicted, item);
        let references = self.references.as_ref().map(|references| &references[item]);
        [clipscore, references.map_or(0.0, |references| self.refclipscore(clipscore, predicted, references))]
    }

    fn value(&self, metric: usize, sum: &[f64; 2], n: usize) -> f64 {
        sum[metric] / n as f64
    }
}

/// Rows of length 1.
fn directions(what: &'static str, rows: ArrayView2<'_, f32>) -> Result<Array2<f64>, StatsError> {
    finite(what, rows.iter())?;
    let mut rows = rows.mapv(f64::from);
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let length = row.dot(&row).sqrt();
        if length == 0.0 {
            return Err(StatsError::Range { what, value: 0.0, range: "embeddings that are not zero" });
        }
        row /= length;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn scores_follow_the_formula() {
        let predicted = array![[1.0f32, 0.0], [0.0, 2.0]];
        let images = array![[3.0f32, 4.0], [0.0, -1.0]];
        let references = [array![[1.0f32, 0.0]], array![[1.0f32, 1.0]]];
        let embeddings =
            ClipEmbeddings { predicted: predicted.view(), images: images.view(), references: Some(&references) };
        let clip = Clip::new(embeddings).expect("they fit");
        let found: [f64; 2] = clip.statistics(0, 0);
        assert!((found[0] - 1.5).abs() < 1e-12 && (found[1] - 2.0 * 1.5 / 2.5).abs() < 1e-12, "{found:?}");
        let found: [f64; 2] = clip.statistics(1, 1);
        assert_eq!(found, [0.0, 0.0]);
    }

    #[test]
    fn a_zero_embedding_is_named() {
        let zero = array![[0.0f32, 0.0]];
        let one = array![[1.0f32, 0.0]];
        let embeddings = ClipEmbeddings { predicted: zero.view(), images: one.view(), references: None };
        assert!(matches!(Clip::new(embeddings), Err(StatsError::Range { what: "predicted", .. })));
    }
}
