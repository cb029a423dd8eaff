//! The alignment of two captions: most matches, then fewest chunks, then least movement.
//!
//! A beam search over the words of the reference; words that can only go to one another are fixed first, so that most captions
//! leave nothing to search.

use super::words::Word;

/// Partial alignments that are kept at each word; as METEOR 1.5.
const BEAM: usize = 40;

/// Which words go together.
pub(super) struct Alignment {
    /// Positions in the prediction and the reference.
    pub(super) pairs: Vec<(usize, usize)>,
    /// Runs of matches that are neighbours in both.
    pub(super) n_chunks: usize,
}

/// A partial alignment up to some word of the reference.
#[derive(Clone)]
struct Partial {
    /// For each word of the prediction whether it is taken, 64 in a number.
    taken: Vec<u64>,
    pairs: Vec<(usize, usize)>,
    n_chunks: usize,
    distance: usize,
}

/// Aligns two captions.
pub(super) fn align(predicted: &[Word], reference: &[Word]) -> Alignment {
    let matches = |word: &Word| -> Vec<usize> {
        predicted.iter().enumerate().filter(|(_, other)| other.stem == word.stem).map(|(i, _)| i).collect()
    };
    let options: Vec<Vec<usize>> = reference.iter().map(matches).collect();
    let mut n_suitors = vec![0usize; predicted.len()];
    for &i in options.iter().flatten() {
        n_suitors[i] += 1;
    }
    let start = Partial { taken: vec![0; predicted.len().div_ceil(64)], pairs: Vec::new(), n_chunks: 0, distance: 0 };
    let mut beam = vec![start];
    for (j, options) in options.iter().enumerate() {
        match options[..] {
            [] => {}
            [i] if n_suitors[i] == 1 => beam.iter_mut().for_each(|partial| partial.take(i, j)),
            _ => beam = extended(beam, options, j),
        }
    }
    let best = beam.into_iter().min_by_key(Partial::rank);
    best.map_or(Alignment { pairs: Vec::new(), n_chunks: 0 }, |best| Alignment {
        pairs: best.pairs,
        n_chunks: best.n_chunks,
    })
}

/// All ways to go on at word `j` of the reference, which may be matched by any of `options` or not at all.
fn extended(mut beam: Vec<Partial>, options: &[usize], j: usize) -> Vec<Partial> {
    // Stable, so equal ones keep the order in which they were found.
    beam.sort_by_key(Partial::rank);
    beam.truncate(BEAM);
    let mut next = Vec::with_capacity(beam.len() * (options.len() + 1));
    for partial in beam {
        for &i in options {
            if !partial.has(i) {
                let mut taken = partial.clone();
                taken.take(i, j);
                next.push(taken);
            }
        }
        next.push(partial);
    }
    next
}

impl Partial {
    fn has(&self, i: usize) -> bool {
        self.taken[i / 64] >> (i % 64) & 1 == 1
    }

    fn take(&mut self, i: usize, j: usize) {
        let goes_on = self.pairs.last().is_some_and(|&(before_i, before_j)| before_i + 1 == i && before_j + 1 == j);
        self.n_chunks += usize::from(!goes_on);
        self.distance += i.abs_diff(j);
        self.taken[i / 64] |= 1 << (i % 64);
        self.pairs.push((i, j));
    }

    /// Better ones are smaller.
    fn rank(&self) -> (std::cmp::Reverse<usize>, usize, usize) {
        (std::cmp::Reverse(self.pairs.len()), self.n_chunks, self.distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(numbers: &[u32]) -> Vec<Word> {
        numbers.iter().map(|&word| Word { form: word, stem: word, weight: 1.0 }).collect()
    }

    #[test]
    fn of_equal_words_those_in_a_run_are_chosen() {
        // The 1 before 2 makes one chunk, the first 1 would make two.
        let alignment = align(&words(&[1, 7, 1, 2]), &words(&[1, 2]));
        assert_eq!((alignment.pairs, alignment.n_chunks), (vec![(2, 0), (3, 1)], 1));
    }

    #[test]
    fn as_many_words_as_possible_are_matched() {
        let alignment = align(&words(&[1, 1, 2]), &words(&[2, 1, 5, 1]));
        assert_eq!((alignment.pairs.len(), alignment.n_chunks), (3, 3));
        assert_eq!(align(&[], &words(&[1])).pairs.len(), 0);
    }
}
