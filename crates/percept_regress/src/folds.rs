//! Groups of samples that are held out together, and the refusal of folds that leak.
//!
//! A fold leaks when a stimulus was presented several times and its repeats stand in different folds: the held-out
//! repeat is then predicted by a model that has seen the same stimulus. Such folds are refused unless the user insists.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::RegressError;

/// What to do about folds that leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaks {
    /// Refuse them with [`RegressError::Leak`].
    Refuse,
    /// Use them and report what leaks.
    Allow,
}

/// What a check of folds against repeats found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakReport {
    /// Stimuli that occur more than once.
    pub n_repeated: usize,
    /// Stimuli whose repeats stand in more than one fold, ascending.
    pub straddling: Vec<usize>,
}

/// Checks that no stimulus stands in two folds.
///
/// # Errors
/// [`RegressError::Rows`] when the lists differ in length; [`RegressError::Leak`] when a stimulus straddles folds and `leaks` is [`Leaks::Refuse`].
pub fn check(fold_of_sample: &[usize], stimulus_of_sample: &[usize], leaks: Leaks) -> Result<LeakReport, RegressError> {
    if fold_of_sample.len() != stimulus_of_sample.len() {
        return Err(RegressError::Rows {
            left: "folds",
            left_rows: fold_of_sample.len(),
            right: "stimuli",
            right_rows: stimulus_of_sample.len(),
        });
    }
    // First fold of a stimulus, number of its presentations, whether another fold was met.
    let mut seen: BTreeMap<usize, (usize, usize, bool)> = BTreeMap::new();
    for (&fold, &stimulus) in fold_of_sample.iter().zip(stimulus_of_sample) {
        let entry = seen.entry(stimulus).or_insert((fold, 0, false));
        entry.1 += 1;
        entry.2 |= entry.0 != fold;
    }
    let n_repeated = seen.values().filter(|(_, presentations, _)| *presentations > 1).count();
    let straddling: Vec<usize> =
        seen.iter().filter(|(_, (_, _, straddles))| *straddles).map(|(&stimulus, _)| stimulus).collect();
    match (straddling.first(), leaks) {
        (Some(&first), Leaks::Refuse) => Err(RegressError::Leak { n_straddling: straddling.len(), n_repeated, first }),
        _ => Ok(LeakReport { n_repeated, straddling }),
    }
}

/// Samples sorted by group: the rows of one group are contiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Original row of each sorted row.
    pub(crate) order: Vec<usize>,
    /// Sorted rows of each group, groups by ascending label.
    pub(crate) ranges: Vec<Range<usize>>,
    /// Label of each group.
    pub(crate) labels: Vec<usize>,
}

impl Groups {
    /// Sorts samples by label; the order within a group is kept.
    pub(crate) fn new(group_of_sample: &[usize]) -> Result<Self, RegressError> {
        let mut order: Vec<usize> = (0..group_of_sample.len()).collect();
        order.sort_by_key(|&sample| group_of_sample[sample]);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut labels: Vec<usize> = Vec::new();
        for (row, &sample) in order.iter().enumerate() {
            let label = group_of_sample[sample];
            match ranges.last_mut() {
                Some(range) if labels.last() == Some(&label) => range.end = row + 1,
                _ => {
                    ranges.push(row..row + 1);
                    labels.push(label);
                }
            }
        }
        if let [label] = labels[..] {
            return Err(RegressError::SingleGroup { group: label, rows: order.len() });
        }
        Ok(Self { order, ranges, labels })
    }

    /// All samples in their own order, for fits without cross-validation.
    pub(crate) fn none(n_samples: usize) -> Self {
        Self { order: (0..n_samples).collect(), ranges: Vec::new(), labels: Vec::new() }
    }

    /// Runs of whole groups with about `target_rows` rows each, as (groups, rows).
    pub(crate) fn blocks(&self, target_rows: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let mut blocks: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (group, rows) in self.ranges.iter().enumerate() {
            match blocks.last_mut() {
                Some((groups, block)) if rows.end - block.start <= target_rows => {
                    groups.end = group + 1;
                    block.end = rows.end;
                }
                _ => blocks.push((group..group + 1, rows.clone())),
            }
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_in_two_folds_are_refused_and_counted() {
        let (folds, stimuli) = ([0, 0, 1, 1, 1], [7, 8, 7, 9, 9]);
        let error = check(&folds, &stimuli, Leaks::Refuse).expect_err("stimulus 7 straddles");
        assert_eq!(error, RegressError::Leak { n_straddling: 1, n_repeated: 2, first: 7 });
        let report = check(&folds, &stimuli, Leaks::Allow).expect("the user insists");
        assert_eq!(report, LeakReport { n_repeated: 2, straddling: vec![7] });
    }

    #[test]
    fn folds_by_stimulus_do_not_leak() {
        let report = check(&[0, 0, 1, 1], &[3, 3, 4, 4], Leaks::Refuse).expect("no leak");
        assert!(report.straddling.is_empty());
    }

    #[test]
    fn groups_become_contiguous_and_blocks_hold_whole_groups() {
        let groups = Groups::new(&[5, 1, 5, 2, 1, 1]).expect("three groups");
        assert_eq!(groups.order, vec![1, 4, 5, 3, 0, 2]);
        assert_eq!(groups.ranges, vec![0..3, 3..4, 4..6]);
        assert_eq!(groups.labels, vec![1, 2, 5]);
        assert_eq!(groups.blocks(4), vec![(0..2, 0..4), (2..3, 4..6)]);
        assert_eq!(groups.blocks(1), vec![(0..1, 0..3), (1..2, 3..4), (2..3, 4..6)]);
    }

    #[test]
    fn one_group_is_refused() {
        assert_eq!(Groups::new(&[4, 4, 4]), Err(RegressError::SingleGroup { group: 4, rows: 3 }));
    }
}
