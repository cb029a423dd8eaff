//! METEOR 1.5 for English with the modules `exact` and `stem`.
//!
//! Words of prediction and reference are aligned: equal words, or words with the same stem (Snowball's English stemmer). Among
//! all alignments the one with the most words wins, then the one in the fewest chunks, then the one whose words moved least.
//! Precision and recall of the matches, with stems weighing 0.6 of an equal word and function words a third of others,
//! make a mean (α = 0.85), which is lowered by the number of chunks (β = 0.2, γ = 0.6). Of several references the best counts. The
//! score of a corpus is that of the summed statistics, as METEOR's own.
//!
//! Left out of METEOR 1.5 as pycocoevalcap runs it: the modules `synonym` (WordNet) and `paraphrase` (a table of 62 MB), whose
//! data are not ours to ship. They only add matches, so these scores are lower.
//!
//! Reference: Denkowski and Lavie 2014, doi:10.3115/v1/W14-3348.

mod align;
mod words;

use std::collections::HashMap;

use super::corpus::{Caption, Captions};
use super::metric::Metric;
use align::align;
use words::{Word, is_function_word, normalise};

/// Precision against recall.
const ALPHA: f64 = 0.85;
/// The form of the punishment of chunks.
const BETA: f64 = 0.2;
/// Its weight.
const GAMMA: f64 = 0.6;
/// The weight of content words; function words have the rest.
const DELTA: f64 = 0.75;
/// The weight of a match by stem; an equal word weighs 1.
const STEM: f64 = 0.6;

/// What is added over items, see [`Position`].
const N: usize = 8;

/// The place of each statistic.
enum Position {
    /// Weighted words of the prediction.
    Predicted,
    /// Weighted words of the reference.
    Reference,
    /// Weighted words of the prediction that are matched.
    PredictedMatched,
    /// Weighted words of the reference that are matched.
    ReferenceMatched,
    /// Matches.
    Matches,
    /// Chunks; 0 where both are the same from end to end.
    Chunks,
    /// Words of the prediction and of the reference that are not matched.
    Unmatched,
    /// One for each pair.
    Pairs,
}

/// METEOR of every item.
///
/// # Numerics
/// Equal to METEOR 1.5 (`-l en -norm -m "exact stem"`) on captions tokenised by [`super::tokenize`], but for captions with
/// so many repeated words that METEOR's search over alignments misses the best one.
pub fn items(captions: &Captions) -> Vec<f64> {
    let meteor = Meteor::new(captions);
    (0..captions.n_items()).map(|item| meteor.value(0, &meteor.statistics(item, item), 1)).collect()
}

/// METEOR as a metric of pairs.
pub(super) struct Meteor {
    predicted: Vec<Sentence>,
    references: Vec<Vec<Sentence>>,
}

/// A caption as METEOR sees it.
struct Sentence {
    words: Vec<Word>,
}

impl Meteor {
    pub(super) fn new(captions: &Captions) -> Self {
        let mut known = Known::default();
        let mut sentence = |caption: &Caption| {
            let words = caption.words.iter().map(|word| captions.words[*word as usize].as_str());
            Sentence { words: normalise(words).iter().map(|word| known.word(word)).collect() }
        };
        let references = captions.references.iter().map(|item| item.iter().map(&mut sentence).collect()).collect();
        Self { predicted: captions.predicted.iter().map(&mut sentence).collect(), references }
    }
}

impl Metric<N> for Meteor {
    fn names(&self) -> Vec<&'static str> {
        vec!["meteor"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; N] {
        let mut best = [0.0; N];
        let mut best_value = -1.0;
        for reference in &self.references[item] {
            let statistics = of_pair(&self.predicted[predicted].words, &reference.words);
            let value = value(&statistics);
            if value > best_value {
                (best, best_value) = (statistics, value);
            }
        }
        best
    }

    fn value(&self, _metric: usize, sum: &[f64; N], _n: usize) -> f64 {
        value(sum)
    }
}

fn of_pair(predicted: &[Word], reference: &[Word]) -> [f64; N] {
    let weight = |words: &[Word]| words.iter().map(|word| word.weight).sum::<f64>();
    let alignment = align(predicted, reference);
    let mut statistics = [0.0; N];
    for &(i, j) in &alignment.pairs {
        let module = if predicted[i].form == reference[j].form { 1.0 } else { STEM };
        statistics[Position::PredictedMatched as usize] += module * predicted[i].weight;
        statistics[Position::ReferenceMatched as usize] += module * reference[j].weight;
    }
    let n_matches = alignment.pairs.len();
    let unmatched = predicted.len() + reference.len() - 2 * n_matches;
    let is_same = unmatched == 0 && alignment.n_chunks == 1;
    statistics[Position::Predicted as usize] = weight(predicted);
    statistics[Position::Reference as usize] = weight(reference);
    statistics[Position::Matches as usize] = n_matches as f64;
    statistics[Position::Chunks as usize] = if is_same { 0.0 } else { alignment.n_chunks as f64 };
    statistics[Position::Unmatched as usize] = unmatched as f64;
    statistics[Position::Pairs as usize] = 1.0;
    statistics
}

fn value(statistics: &[f64; N]) -> f64 {
    let of = |position: Position| statistics[position as usize];
    let matches = of(Position::Matches);
    if matches == 0.0 {
        return 0.0;
    }
    let precision = of(Position::PredictedMatched) / of(Position::Predicted);
    let recall = of(Position::ReferenceMatched) / of(Position::Reference);
    let mean = precision * recall / (ALPHA * precision + (1.0 - ALPHA) * recall);
    mean * (1.0 - GAMMA * (of(Position::Chunks) / matches).powf(BETA))
}

/// Numbers of words and stems in the order in which they came; nothing iterates over the map.
#[derive(Default)]
struct Known {
    numbers: HashMap<String, u32>,
}

impl Known {
    fn word(&mut self, word: &str) -> Word {
        let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
        let weight = if is_function_word(word) { 1.0 - DELTA } else { DELTA };
        let stem = stemmer.stem(word);
        Word { form: self.number(word), stem: self.number(&stem), weight }
    }

    fn number(&mut self, word: &str) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(word.to_owned()).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(predicted: &str, reference: &str) -> f64 {
        items(&Captions::new(&[predicted], &[vec![reference]]).expect("a pair"))[0]
    }

    #[test]
    fn the_same_caption_scores_one_and_another_nothing() {
        assert_eq!(of("a man riding a horse", "a man riding a horse"), 1.0);
        assert_eq!(of("q", "a"), 0.0);
        assert_eq!(of("", "a"), 0.0);
    }

    /// Values of METEOR 1.5.
    #[test]
    fn order_and_stems_count_as_in_meteor() {
        assert!((of("a b c d e f", "f e d c b a") - 0.4).abs() < 1e-12);
        assert!(
            (of("a man riding a horse", "a person rides horses on the beach") - 0.127_777_777_777_777_77).abs() < 1e-12
        );
    }
}
