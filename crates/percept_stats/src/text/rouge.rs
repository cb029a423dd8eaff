//! ROUGE-L: the longest common subsequence of words.
//!
//! As in the evaluation code of COCO: recall and precision are each the best over the references, which may be two different
//! ones, and recall weighs more (β = 1.2).
//!
//! Reference: Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries, section 3.

use super::corpus::Captions;
use super::metric::Metric;

/// The weight of recall.
const BETA: f64 = 1.2;

/// ROUGE-L of every item.
///
/// # Numerics
/// Equal to pycocoevalcap 1.2 to 1e-12; a caption without words scores 0.
pub fn items(captions: &Captions) -> Vec<f64> {
    let rouge = Rouge(captions);
    (0..captions.n_items()).map(|item| rouge.statistics(item, item)[0]).collect()
}

/// ROUGE-L as a metric of pairs.
pub(super) struct Rouge<'a>(pub(super) &'a Captions);

impl Metric<1> for Rouge<'_> {
    fn names(&self) -> Vec<&'static str> {
        vec!["rouge_l"]
    }

    fn statistics(&self, predicted: usize, item: usize) -> [f64; 1] {
        let words = &self.0.predicted[predicted].words;
        let (mut precision, mut recall) = (0.0f64, 0.0f64);
        for reference in &self.0.references[item] {
            let common = common_length(words, &reference.words) as f64;
            if common > 0.0 {
                precision = precision.max(common / words.len() as f64);
                recall = recall.max(common / reference.words.len() as f64);
            }
        }
        let square = BETA * BETA;
        let is_found = precision > 0.0;
        [if is_found { (1.0 + square) * precision * recall / (recall + square * precision) } else { 0.0 }]
    }
}

/// The length of the longest common subsequence.
fn common_length(first: &[u32], second: &[u32]) -> usize {
    let mut lengths = vec![0usize; second.len() + 1];
    for a in first {
        let mut diagonal = 0;
        for (j, b) in second.iter().enumerate() {
            let above = lengths[j + 1];
            lengths[j + 1] = if a == b { diagonal + 1 } else { above.max(lengths[j]) };
            diagonal = above;
        }
    }
    lengths[second.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_subsequence_may_have_gaps() {
        assert_eq!(common_length(&[1, 2, 3, 4], &[1, 9, 3, 4, 2]), 3);
        assert_eq!(common_length(&[], &[1]), 0);
    }

    #[test]
    fn the_same_words_score_one() {
        let captions =
            Captions::new(&["a red ball", ""], &[vec!["a blue sky", "a red ball"], vec!["a"]]).expect("pairs");
        let scores = items(&captions);
        assert!((scores[0] - 1.0).abs() < 1e-15);
        assert_eq!(scores[1], 0.0);
    }
}
