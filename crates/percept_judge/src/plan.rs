//! Which items a rater sees, in which order, and which method stands on the left.
//!
//! All raters see the same items, so that their agreement can be told; order and sides are each rater's own, by the seed and the
//! name. Each method stands on the left in half of the trials.

use percept_core::{Seed, seed};

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The item, by its place among the items of the pair.
    pub item: usize,
    /// Whether the second method stands on the left.
    pub is_swapped: bool,
}

/// The trials of `rater` in order: all of `n_items` items, or `n` of them.
pub fn trials(n_items: usize, n: Option<usize>, root: Seed, rater: &str) -> Vec<Trial> {
    let mut items = seed::permutation(root.named("items"), n_items);
    items.truncate(n.unwrap_or(n_items));
    let own = root.named("raters").named(rater);
    let order = seed::permutation(own.named("order"), items.len());
    let sides = seed::permutation(own.named("sides"), items.len());
    let trial = |(place, side): (usize, usize)| Trial { item: items[place], is_swapped: side % 2 == 1 };
    order.into_iter().zip(sides).map(trial).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn raters_see_the_same_items_in_their_own_order_and_sides() {
        let [first, second] = ["ann", "bob"].map(|rater| trials(40, Some(20), Seed::new(1), rater));
        let items = |trials: &[Trial]| trials.iter().map(|trial| trial.item).collect::<BTreeSet<_>>();
        assert_eq!((items(&first).len(), items(&first)), (20, items(&second)));
        assert_ne!(first, second);
        for trials in [&first, &second] {
            assert_eq!(trials.iter().filter(|trial| trial.is_swapped).count(), 10);
        }
        assert_eq!(first, trials(40, Some(20), Seed::new(1), "ann"));
    }

    #[test]
    fn more_than_there_are_is_all() {
        assert_eq!(trials(3, Some(9), Seed::new(1), "x").len(), 3);
        assert!(trials(0, None, Seed::new(1), "x").is_empty());
    }
}
