//! CIDEr: how much a caption says of what all references of an item say and references of other items do not.
//!
//! N-grams of one to four words are weighed by their count times the logarithm of items ÷ items in whose references they
//! stand; the score is the mean cosine over references and lengths, times 10. Document frequencies are those of the references
//! given, so the score depends on which items are scored together, and is 0 for one item.
//!
//! Two dialects: the one that everybody reports as CIDEr, from the evaluation code of COCO, is CIDEr-D: counts of the prediction
//! are clipped at those of the reference, and a difference in length is punished by a Gaussian (σ = 6). It does not stem words,
//! other than the paper says.
//!
//! Reference: Vedantam, Zitnick and Parikh 2015, arXiv 1411.5726.

use super::corpus::{Caption, Captions, ORDERS};
use super::metric::Metric;

/// The width of the punishment of a difference in length.
const SIGMA: f64 = 6.0;

/// What is called CIDEr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// CIDEr-D, as pycocoevalcap's `Cider`.
    Clipped,
    /// The cosine alone, times 10: CIDEr of the paper without stemming.
    Plain,
}

/// CIDEr of every item.
///
/// # Numerics
/// [`Dialect::Clipped`] is equal to pycocoevalcap 1.2 to 1e-10.
pub fn items(captions: &Captions, dialect: Dialect) -> Vec<f64> {
    let cider = Cider::new(captions, dialect);
    (0..captions.n_items()).map(|item| cider.statistics(item, item)[0]).collect()
}

/// CIDEr as a metric of pairs.
pub(super) struct Cider {
    dialect: Dialect,
    predicted: Vec<Weights>,
    references: Vec<Vec<Weights>>,
}

/// A caption as weighted n-grams.
struct Weights {
    /// By length less one: n-grams by number with their weights, ascending.
    grams: [Vec<(u32, f64)>; ORDERS],
    norms: [f64; ORDERS],
    n_pairs_of_words: f64,
}

impl Cider {
    pub(super) fn new(captions: &Captions, dialect: Dialect) -> Self {
        let frequencies = document_frequencies(captions);
        let n_items = (captions.n_items() as f64).ln();
        let weights = |caption: &Caption| Weights::new(caption, &frequencies, n_items);
        Self {
            dialect,
            predicted: captions.predicted.iter().map(weights).collect(),
            references: captions.references.iter().map(|item| item.iter().map(weights).collect()).collect(),
        }
    }

    fn similarity(&self, prediction: &Weights, reference: &Weights) -> f64 {
        let is_clipped = self.dialect == Dialect::Clipped;
        let difference = prediction.n_pairs_of_words - reference.n_pairs_of_words;
        let penalty = if is_clipped { (-difference * difference / (2.0 * SIGMA * SIGMA)).exp() } else { 1.0 };
        let cosine = |order: usize| {
            let pairs = super::corpus::common(&prediction.grams[order], &reference.grams[order]);
            let product: f64 = pairs.map(|(a, b)| if is_clipped { a.min(b) } else { a } * b).sum();
            let norms = prediction.norms[order] * reference.norms[order];
            if norms > 0.0 { product / norms } else { product }
        };
        penalty * (0..ORDERS).map(cosine).sum::<f64>() / ORDERS as f64
    }
}

impl Metric<1> for Cider {
    fn names(&self) -> Vec<&'static str> {
        vec!["cider"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; 1] {
        let references = &self.references[item];
        let similarities = references.iter().map(|reference| self.similarity(&self.predicted[predicted], reference));
        [10.0 * similarities.sum::<f64>() / references.len() as f64]
    }
}

impl Weights {
    fn new(caption: &Caption, frequencies: &[u32], n_items: f64) -> Self {
        let frequency = |gram: u32| f64::from(frequencies.get(gram as usize).copied().unwrap_or(0).max(1));
        let grams: [Vec<(u32, f64)>; ORDERS] = std::array::from_fn(|order| {
            let weight = |&(gram, count): &(u32, u32)| (gram, f64::from(count) * (n_items - frequency(gram).ln()));
            caption.grams[order].iter().map(weight).collect()
        });
        let norms =
            std::array::from_fn(|order| grams[order].iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt());
        Self { grams, norms, n_pairs_of_words: caption.words.len().saturating_sub(1) as f64 }
    }
}

/// By number of the n-gram: the items in whose references it stands.
fn document_frequencies(captions: &Captions) -> Vec<u32> {
    let mut frequencies = Vec::new();
    for item in &captions.references {
        let mut grams: Vec<u32> =
            item.iter().flat_map(|reference| reference.grams.iter().flatten().map(|(gram, _)| *gram)).collect();
        grams.sort_unstable();
        grams.dedup();
        for gram in grams {
            let gram = gram as usize;
            if frequencies.len() <= gram {
                frequencies.resize(gram + 1, 0);
            }
            frequencies[gram] += 1;
        }
    }
    frequencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_itself_scores_ten_and_words_of_all_items_nothing() {
        let predicted = ["the red ball rolls far", "the", "the sky"];
        let references = [vec!["the red ball rolls far"], vec!["the dog"], vec!["the cat"]];
        let captions = Captions::new(&predicted, &references).expect("pairs");
        let scores = items(&captions, Dialect::Clipped);
        assert!((scores[0] - 10.0).abs() < 1e-12, "{scores:?}");
        assert_eq!(scores[1..], [0.0, 0.0]);
        assert!((items(&captions, Dialect::Plain)[0] - 10.0).abs() < 1e-12);
    }

    #[test]
    fn repeating_a_word_pays_in_the_plain_dialect_only() {
        let references = [vec!["a ball"], vec!["a dog"]];
        let once = Captions::new(&["the ball", "x"], &references).expect("pairs");
        let often = Captions::new(&["ball ball ball ball", "x"], &references).expect("pairs");
        let first = |captions: &Captions, dialect| items(captions, dialect)[0];
        assert!(first(&often, Dialect::Plain) > first(&once, Dialect::Plain));
        assert!(first(&often, Dialect::Clipped) < first(&once, Dialect::Clipped));
    }
}
