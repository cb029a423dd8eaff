//! What a vector of sound sounds like: tags by classifiers that learnt them from the true vectors of all windows of the training excerpts.

use ndarray::{Array2, ArrayView2};
use percept_pipeline::PipelineError;
use percept_pipeline::data::listening::Listening;
use percept_pipeline::decoding::Classifier;

/// A kind of tag with what names it.
pub(super) struct TagNamer {
    /// The kind: `genre`.
    pub kind: String,
    /// How many words there are.
    pub n_words: usize,
    classifier: Classifier,
}

impl TagNamer {
    /// One for each kind of tag that has two words or more; `clips` are those of the vectors.
    pub(super) fn all(data: &Listening, clips: &[usize], vectors: &Array2<f32>) -> Result<Vec<Self>, PipelineError> {
        let mut namers = Vec::new();
        for tags in data.tags.iter().filter(|tags| tags.words.len() > 1) {
            let classes: Vec<usize> = clips.iter().map(|&clip| tags.of_clip[clip]).collect();
            let classifier = Classifier::fit(vectors.view(), &classes, tags.words.len())?;
            namers.push(Self { kind: tags.kind.clone(), n_words: tags.words.len(), classifier });
        }
        Ok(namers)
    }

    /// 1 for each vector whose tag is that of its clip, 0 for the others.
    pub(super) fn right(
        &self,
        data: &Listening,
        clips: &[usize],
        vectors: ArrayView2<'_, f32>,
    ) -> Result<Vec<Option<f64>>, PipelineError> {
        let tags = data.tags.iter().find(|tags| tags.kind == self.kind);
        let truth = |clip: usize| tags.map(|tags| tags.of_clip[clip]);
        let named = self.classifier.name(vectors)?;
        Ok(named.into_iter().zip(clips).map(|(named, &clip)| Some(f64::from(truth(clip) == Some(named)))).collect())
    }
}
