//! BLEU of a corpus and of sentences.
//!
//! Counts are clipped by the largest count in any reference; the brevity penalty takes the reference closest in length, the
//! shorter of two that are equally close. A corpus score is not smoothed: without a single match of some length it is 0.
//!
//! Reference: Papineni et al. 2002, doi:10.3115/1073083.1073135; Chen and Cherry 2014, doi:10.3115/v1/W14-3346 (smoothing).

use super::corpus::{Caption, Captions, ORDERS, common};
use super::metric::Metric;

/// Matches and n-grams of each length, words, and words of the closest reference: what is added over items.
pub(super) type Counts = [f64; 2 * ORDERS + 2];

const WORDS: usize = 2 * ORDERS;
const REFERENCE_WORDS: usize = 2 * ORDERS + 1;

/// Corpus BLEU-1 to BLEU-4.
///
/// # Numerics
/// Equal to `sacrebleu.corpus_bleu(…, tokenize="none", smooth_method="none", max_ngram_order=n)` / 100 to 1e-12, and to
/// pycocoevalcap 1.2 to 1e-6, which adds 1e-9 to its denominators.
pub fn corpus(captions: &Captions) -> [f64; ORDERS] {
    let bleu = Bleu::new(captions);
    let mut sum = [0.0; 2 * ORDERS + 2];
    for item in 0..captions.n_items() {
        for (sum, value) in sum.iter_mut().zip(bleu.statistics(item, item)) {
            *sum += value;
        }
    }
    std::array::from_fn(|order| unsmoothed(&sum, order + 1))
}

/// Sentence BLEU-4 of every item, smoothed by `exp`: the k-th length without a match counts 1 / 2ᵏ matches (the method of
/// mteval-v13a, method 3 of Chen and Cherry), and lengths that the prediction is too short for are left out.
///
/// # Numerics
/// Equal to `sacrebleu.sentence_bleu(…, tokenize="none")` / 100 to 1e-12.
pub fn sentences(captions: &Captions) -> Vec<f64> {
    let bleu = Bleu::new(captions);
    (0..captions.n_items()).map(|item| smoothed(&bleu.statistics(item, item))).collect()
}

/// Corpus BLEU as a metric of pairs.
pub(super) struct Bleu<'a> {
    captions: &'a Captions,
    /// Of each item the largest count of each n-gram in any reference.
    largest: Vec<[Vec<(u32, u32)>; ORDERS]>,
}

impl<'a> Bleu<'a> {
    pub(super) fn new(captions: &'a Captions) -> Self {
        let largest = |references: &Vec<Caption>| {
            std::array::from_fn(|order| {
                let mut grams: Vec<(u32, u32)> =
                    references.iter().flat_map(|reference| reference.grams[order].iter().copied()).collect();
                grams.sort_unstable();
                // The last of equal keys has the largest count.
                grams.chunk_by(|a, b| a.0 == b.0).map(|same| same[same.len() - 1]).collect()
            })
        };
        Self { captions, largest: captions.references.iter().map(largest).collect() }
    }
}

impl Metric<{ 2 * ORDERS + 2 }> for Bleu<'_> {
    fn names(&self) -> Vec<&'static str> {
        vec!["bleu1", "bleu2", "bleu3", "bleu4"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> Counts {
        let prediction = &self.captions.predicted[predicted];
        let n_words = prediction.words.len();
        let mut counts = [0.0; 2 * ORDERS + 2];
        for order in 0..ORDERS {
            let pairs = common(&prediction.grams[order], &self.largest[item][order]);
            counts[order] = pairs.map(|(found, allowed)| found.min(allowed)).sum::<u32>() as f64;
            counts[ORDERS + order] = n_words.saturating_sub(order) as f64;
        }
        counts[WORDS] = n_words as f64;
        let lengths = self.captions.references[item].iter().map(|reference| reference.words.len());
        counts[REFERENCE_WORDS] = lengths.min_by_key(|length| (length.abs_diff(n_words), *length)).unwrap_or(0) as f64;
        counts
    }

    fn value(&self, metric: usize, sum: &Counts, _n: usize) -> f64 {
        unsmoothed(sum, metric + 1)
    }
}

/// Smoothed sentence BLEU as a metric of pairs.
pub(super) struct SentenceBleu<'a>(pub(super) Bleu<'a>);

impl Metric<1> for SentenceBleu<'_> {
    fn names(&self) -> Vec<&'static str> {
        vec!["bleu4_sentence"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; 1] {
        [smoothed(&self.0.statistics(predicted, item))]
    }
}

fn brevity(counts: &Counts) -> f64 {
    match (counts[WORDS], counts[REFERENCE_WORDS]) {
        (words, reference) if words >= reference => 1.0,
        (0.0, _) => 0.0,
        (words, reference) => (1.0 - reference / words).exp(),
    }
}

fn unsmoothed(counts: &Counts, orders: usize) -> f64 {
    if (0..orders).any(|order| counts[order] == 0.0) {
        return 0.0;
    }
    let logarithms: f64 = (0..orders).map(|order| (counts[order] / counts[ORDERS + order]).ln()).sum();
    brevity(counts) * (logarithms / orders as f64).exp()
}

fn smoothed(counts: &Counts) -> f64 {
    if counts[0] == 0.0 {
        return 0.0;
    }
    let (mut matches, mut logarithms, mut orders) = (1.0, 0.0, 0.0);
    for order in (0..ORDERS).take_while(|order| counts[ORDERS + order] > 0.0) {
        let found = if counts[order] > 0.0 {
            counts[order]
        } else {
            matches *= 0.5;
            matches
        };
        logarithms += (found / counts[ORDERS + order]).ln();
        orders += 1.0;
    }
    brevity(counts) * (logarithms / orders).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_papineni_is_clipped() {
        let captions =
            Captions::new(&["the the the the the the the"], &[vec!["the cat is on the mat"]]).expect("a pair");
        assert!((corpus(&captions)[0] - 2.0 / 7.0).abs() < 1e-15);
        assert_eq!(corpus(&captions)[1], 0.0);
    }

    #[test]
    fn the_shorter_of_two_equally_close_references_counts() {
        let captions = Captions::new(&["a b c"], &[vec!["a b c d", "a b"]]).expect("a pair");
        assert_eq!(corpus(&captions)[2], 1.0);
    }

    #[test]
    fn an_empty_prediction_scores_nothing() {
        let captions = Captions::new(&[""], &[vec!["a b"]]).expect("a pair");
        assert_eq!(corpus(&captions), [0.0; ORDERS]);
        assert_eq!(sentences(&captions), [0.0]);
    }
}
