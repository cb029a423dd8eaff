//! Predicted captions and references as numbers: words and n-grams counted once, so that any prediction can be scored against
//! any item's references quickly.

use std::collections::HashMap;

use crate::error::{StatsError, at_least, same_shape};

use super::tokens::tokenize;

/// The longest n-grams that are counted.
pub(super) const ORDERS: usize = 4;

/// Predicted captions, one for each item, and the references of each item.
#[derive(Clone, Debug)]
pub struct Captions {
    pub(super) words: Vec<String>,
    pub(super) predicted: Vec<Caption>,
    pub(super) references: Vec<Vec<Caption>>,
}

/// One caption: its words by number, and how often each n-gram stands in it.
#[derive(Clone, Debug)]
pub(super) struct Caption {
    pub(super) words: Vec<u32>,
    /// By length less one: n-grams by number with their counts, ascending.
    pub(super) grams: [Vec<(u32, u32)>; ORDERS],
}

impl Captions {
    /// Tokenises captions by [`tokenize`].
    ///
    /// # Shapes
    /// One prediction and one list of references for each item.
    ///
    /// # Errors
    /// Lists that differ in length, no items, an item without a reference.
    ///
    /// # Example
    /// ```
    /// use percept_stats::text::{Captions, bleu};
    /// let captions = Captions::new(&["a red ball"], &[vec!["a red ball", "a ball"]])?;
    /// assert_eq!(bleu::corpus(&captions)[1], 1.0);
    /// # Ok::<(), percept_stats::StatsError>(())
    /// ```
    pub fn new<T: AsRef<str>>(predicted: &[T], references: &[Vec<T>]) -> Result<Self, StatsError> {
        let words = |caption: &T| tokenize(caption.as_ref());
        let references: Vec<Vec<Vec<String>>> =
            references.iter().map(|captions| captions.iter().map(words).collect()).collect();
        Self::of_words(&predicted.iter().map(words).collect::<Vec<_>>(), &references)
    }

    /// Captions that are words already, such as those of another tokeniser.
    ///
    /// # Errors
    /// As [`Captions::new`].
    pub fn of_words(predicted: &[Vec<String>], references: &[Vec<Vec<String>>]) -> Result<Self, StatsError> {
        same_shape(("predicted", &[predicted.len()]), ("references", &[references.len()]))?;
        at_least("captions", 1, predicted.len())?;
        if references.iter().any(Vec::is_empty) {
            return Err(StatsError::TooFew { what: "references of an item", needed: 1, got: 0 });
        }
        let mut known = Known::default();
        let references =
            references.iter().map(|item| item.iter().map(|words| known.caption(words)).collect()).collect();
        let predicted = predicted.iter().map(|words| known.caption(words)).collect();
        Ok(Self { words: known.words, predicted, references })
    }

    /// The number of items.
    pub fn n_items(&self) -> usize {
        self.predicted.len()
    }
}

/// Numbers given to words and n-grams in the order in which they came; nothing iterates over the maps.
#[derive(Default)]
struct Known {
    words: Vec<String>,
    word_numbers: HashMap<String, u32>,
    gram_numbers: HashMap<Vec<u32>, u32>,
}

impl Known {
    fn caption(&mut self, words: &[String]) -> Caption {
        let words: Vec<u32> = words.iter().map(|word| self.word(word)).collect();
        let grams = std::array::from_fn(|order| self.counts(&words, order + 1));
        Caption { words, grams }
    }

    fn word(&mut self, word: &str) -> u32 {
        if let Some(number) = self.word_numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.word_numbers.insert(word.to_owned(), number);
        number
    }

    fn counts(&mut self, words: &[u32], order: usize) -> Vec<(u32, u32)> {
        let mut numbers: Vec<u32> = Vec::new();
        for gram in words.windows(order) {
            let next = self.gram_numbers.len() as u32;
            numbers.push(*self.gram_numbers.entry(gram.to_vec()).or_insert(next));
        }
        numbers.sort_unstable();
        numbers.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
    }
}

/// Pairs of values of two ascending lists for the keys that stand in both.
pub(super) fn common<'a, A: Copy, B: Copy>(
    first: &'a [(u32, A)],
    second: &'a [(u32, B)],
) -> impl Iterator<Item = (A, B)> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        while i < first.len() && j < second.len() {
            match first[i].0.cmp(&second[j].0) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    i += 1;
                    j += 1;
                    return Some((first[i - 1].1, second[j - 1].1));
                }
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_grams_are_counted_with_repeats() {
        let captions = Captions::new(&["a b a b a"], &[vec!["a b"]]).expect("a pair");
        let counts = |order: usize| captions.predicted[0].grams[order].iter().map(|(_, n)| *n).collect::<Vec<_>>();
        assert_eq!(counts(0), [3, 2]);
        assert_eq!(counts(1).iter().sum::<u32>(), 4);
        assert_eq!(counts(3), [1, 1]);
        let both = common(&captions.predicted[0].grams[1], &captions.references[0][0].grams[1]);
        assert_eq!(both.collect::<Vec<_>>(), [(2, 1)]);
    }

    #[test]
    fn an_item_without_reference_is_refused() {
        assert!(Captions::new(&["a"], &[vec![]]).is_err());
        assert!(Captions::new(&["a"], &[]).is_err());
        assert!(Captions::new::<&str>(&[], &[]).is_err());
    }
}
