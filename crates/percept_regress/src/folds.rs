//! Sets of samples that are held out together, and the refusal of sets that leak.
//!
//! A fold leaks when a stimulus was presented several times and its repeats stand in different folds: the held-out
//! repeat is then predicted by a model that has seen the same stimulus. Such folds are refused unless the user insists.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use percept_core::Seed;
use percept_core::seed::permutation;

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

/// The sets of samples that are held out in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// Samples of all sets, one set after the other; within a set those that are scored come first.
    pub(crate) members: Vec<usize>,
    /// Where each set lies in `members`.
    pub(crate) ranges: Vec<Range<usize>>,
    /// How many of each set are scored; the others are only left out of training.
    pub(crate) n_scored: Vec<usize>,
    /// Name of each set.
    pub(crate) labels: Vec<usize>,
    /// Number of samples, held out or not.
    pub(crate) n_samples: usize,
}

impl Folds {
    /// Samples with the same label are held out together: the repeats of an image, a run, a session, a fold.
    ///
    /// # Errors
    /// [`RegressError::SingleGroup`] when all samples carry one label.
    pub fn by_label(label_of_sample: &[usize]) -> Result<Self, RegressError> {
        let labels: Vec<Option<usize>> = label_of_sample.iter().map(|&label| Some(label)).collect();
        Self::by_optional_label(&labels)
    }

    /// The same, with samples that are never held out (`None`): they are trained on in every fold.
    ///
    /// # Errors
    /// [`RegressError::SingleGroup`] when nothing is left to train on; [`RegressError::Setting`] when no sample has a label.
    pub fn by_optional_label(label_of_sample: &[Option<usize>]) -> Result<Self, RegressError> {
        let mut of_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (sample, label) in label_of_sample.iter().enumerate() {
            if let Some(label) = label {
                of_label.entry(*label).or_default().push(sample);
            }
        }
        let n_samples = label_of_sample.len();
        let mut folds = Self::none(n_samples);
        for (label, samples) in of_label {
            if samples.len() == n_samples {
                return Err(RegressError::SingleGroup { group: label, rows: n_samples });
            }
            folds.push(label, &samples, &[]);
        }
        folds.some()
    }

    /// `k` folds of about equal size. Groups (samples with the same label) stay whole and in ascending order of labels, so
    /// that neighbouring groups share a fold; without labels, folds are runs of consecutive samples, the same as scikit-learn's `KFold`.
    ///
    /// # Errors
    /// [`RegressError::Setting`] when there are fewer groups than folds or `k` is less than 2.
    pub fn k(k: usize, label_of_sample: Option<&[usize]>, n_samples: usize) -> Result<Self, RegressError> {
        let own: Vec<usize>;
        let labels = if let Some(labels) = label_of_sample {
            labels
        } else if (2..=n_samples).contains(&k) {
            // As scikit-learn's `KFold`: the first folds take what does not divide.
            let (size, more) = (n_samples / k, n_samples % k);
            let longer = more * (size + 1);
            let fold = |sample: usize| {
                if sample < longer { sample / (size + 1) } else { more + (sample - longer) / size }
            };
            return Self::by_label(&(0..n_samples).map(fold).collect::<Vec<_>>());
        } else {
            own = (0..n_samples).collect();
            &own
        };
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for label in labels {
            *sizes.entry(*label).or_default() += 1;
        }
        if k < 2 || sizes.len() < k {
            return Err(RegressError::Setting {
                what: format!("{k} folds of {} groups", sizes.len()),
                expected: "at least 2 folds and one group for each".to_owned(),
                remedy: "ask for fewer folds, or give more groups",
            });
        }
        // A group goes to the fold in which its first sample lies when all groups stand in a row.
        let (mut before, mut fold_of) = (0usize, BTreeMap::new());
        let mut next = 0;
        let n_groups = sizes.len();
        for (position, (label, size)) in sizes.into_iter().enumerate() {
            let natural = before * k / labels.len();
            // No fold is skipped, and enough groups are left for the folds that follow.
            let fold = natural.min(next).max((k + position).saturating_sub(n_groups));
            next = next.max(fold + 1);
            before += size;
            fold_of.insert(label, fold);
        }
        Self::by_label(&labels.iter().map(|label| fold_of[label]).collect::<Vec<_>>())
    }

    /// Explicit splits, each the samples to train on and those to score; samples in neither are left out of both (a gap
    /// between them, for instance). Test sets may overlap.
    ///
    /// # Errors
    /// [`RegressError::Setting`] for an empty side, a sample on both sides or out of range.
    pub fn splits(splits: &[(Vec<usize>, Vec<usize>)], n_samples: usize) -> Result<Self, RegressError> {
        let mut folds = Self::none(n_samples);
        for (label, (train, test)) in splits.iter().enumerate() {
            let wrong = |what: String, expected: &str| RegressError::Setting {
                what,
                expected: expected.to_owned(),
                remedy: "correct the rows of the split",
            };
            let (train_set, test_set): (BTreeSet<usize>, BTreeSet<usize>) =
                (train.iter().copied().collect(), test.iter().copied().collect());
            if train_set.is_empty() || test_set.is_empty() {
                return Err(wrong(
                    format!("split {label} has {} training and {} test samples", train.len(), test.len()),
                    "at least one of each",
                ));
            }
            if let Some(sample) = train_set.intersection(&test_set).next() {
                return Err(wrong(format!("sample {sample} is on both sides of split {label}"), "disjoint sides"));
            }
            if let Some(&sample) = train_set.union(&test_set).find(|&&sample| sample >= n_samples) {
                return Err(wrong(
                    format!("split {label} names sample {sample}"),
                    &format!("samples below {n_samples}"),
                ));
            }
            let test: Vec<usize> = test_set.iter().copied().collect();
            let gap: Vec<usize> =
                (0..n_samples).filter(|sample| !train_set.contains(sample) && !test_set.contains(sample)).collect();
            folds.push(label, &test, &gap);
        }
        folds.some()
    }

    /// `n_draws` draws, each of which holds out `n_held` chunks of `chunk` consecutive samples chosen at random: Huth's choice
    /// for series in time, where neighbours resemble each other. Samples behind the last whole chunk are always trained on.
    ///
    /// # Errors
    /// [`RegressError::Setting`] when a draw holds out nothing or leaves no chunk.
    pub fn chunks(
        chunk: usize,
        n_held: usize,
        n_draws: usize,
        n_samples: usize,
        seed: Seed,
    ) -> Result<Self, RegressError> {
        let n_chunks = n_samples.checked_div(chunk).unwrap_or(0);
        if n_held == 0 || n_draws == 0 || n_held >= n_chunks {
            return Err(RegressError::Setting {
                what: format!(
                    "{n_draws} draws of {n_held} chunks of {chunk} samples, of {n_chunks} in {n_samples} samples"
                ),
                expected: "at least one draw of at least one chunk, and fewer chunks than there are".to_owned(),
                remedy: "hold out fewer or shorter chunks",
            });
        }
        let mut folds = Self::none(n_samples);
        for draw in 0..n_draws {
            let mut held = permutation(seed.at(draw as u64), n_chunks);
            held.truncate(n_held);
            held.sort_unstable();
            let samples: Vec<usize> = held.into_iter().flat_map(|held| held * chunk..(held + 1) * chunk).collect();
            folds.push(draw, &samples, &[]);
        }
        folds.some()
    }

    /// No fold, for fits without cross-validation.
    pub(crate) fn none(n_samples: usize) -> Self {
        Self { members: Vec::new(), ranges: Vec::new(), n_scored: Vec::new(), labels: Vec::new(), n_samples }
    }

    /// Number of sets that are held out.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether nothing is held out.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Number of samples, held out or not.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Size of the largest set.
    pub fn largest(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// Σ of squared sizes: the numbers in all group blocks of one penalty.
    pub fn block_elements(&self) -> usize {
        self.ranges.iter().map(|range| range.len() * range.len()).sum()
    }

    /// Whether samples that are held out together have the same entry in a list of one entry per sample.
    pub fn have_one<T: PartialEq>(&self, of_sample: &[T]) -> bool {
        let is_one = |samples: &[usize]| samples.windows(2).all(|pair| of_sample[pair[0]] == of_sample[pair[1]]);
        of_sample.len() == self.n_samples && (0..self.len()).all(|fold| is_one(self.samples(fold)))
    }

    /// Whether every sample is scored exactly once.
    pub(crate) fn is_partition(&self) -> bool {
        let mut seen = vec![false; self.n_samples];
        for (range, &n_scored) in self.ranges.iter().zip(&self.n_scored) {
            for &sample in &self.members[range.start..range.start + n_scored] {
                if std::mem::replace(&mut seen[sample], true) {
                    return false;
                }
            }
        }
        seen.into_iter().all(|seen| seen)
    }

    /// The fold of each sample when every sample is held out once; samples that never are get a label of their own.
    pub fn fold_of_sample(&self) -> Vec<usize> {
        let mut of_sample: Vec<usize> = (0..self.n_samples).map(|sample| self.len() + sample).collect();
        for fold in 0..self.len() {
            for &sample in self.samples(fold) {
                of_sample[sample] = fold;
            }
        }
        of_sample
    }

    /// Checks that no stimulus that is scored in a fold is also trained on in it: [`check`] for explicit splits.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check_splits(&self, stimulus_of_sample: &[usize], leaks: Leaks) -> Result<LeakReport, RegressError> {
        if stimulus_of_sample.len() != self.n_samples {
            return Err(RegressError::Rows {
                left: "folds",
                left_rows: self.n_samples,
                right: "stimuli",
                right_rows: stimulus_of_sample.len(),
            });
        }
        let mut straddling = BTreeSet::new();
        for fold in 0..self.len() {
            let members: BTreeSet<usize> = self.samples(fold).iter().copied().collect();
            let scored = self.samples(fold)[..self.n_scored[fold]].iter();
            let scored: BTreeSet<usize> = scored.map(|&sample| stimulus_of_sample[sample]).collect();
            let trained = (0..self.n_samples).filter(|sample| !members.contains(sample));
            straddling.extend(trained.map(|sample| stimulus_of_sample[sample]).filter(|s| scored.contains(s)));
        }
        let mut presentations: BTreeMap<usize, usize> = BTreeMap::new();
        for stimulus in stimulus_of_sample {
            *presentations.entry(*stimulus).or_default() += 1;
        }
        let n_repeated = presentations.values().filter(|count| **count > 1).count();
        let straddling: Vec<usize> = straddling.into_iter().collect();
        match (straddling.first(), leaks) {
            (Some(&first), Leaks::Refuse) => {
                Err(RegressError::Leak { n_straddling: straddling.len(), n_repeated, first })
            }
            _ => Ok(LeakReport { n_repeated, straddling }),
        }
    }

    /// Samples of the set `fold`.
    pub(crate) fn samples(&self, fold: usize) -> &[usize] {
        &self.members[self.ranges[fold].clone()]
    }

    fn push(&mut self, label: usize, scored: &[usize], left_out: &[usize]) {
        let start = self.members.len();
        self.members.extend_from_slice(scored);
        self.members.extend_from_slice(left_out);
        self.ranges.push(start..self.members.len());
        self.n_scored.push(scored.len());
        self.labels.push(label);
    }

    fn some(self) -> Result<Self, RegressError> {
        if self.is_empty() {
            return Err(RegressError::Setting {
                what: "no sample is ever held out".to_owned(),
                expected: "at least one fold".to_owned(),
                remedy: "label the samples to hold out",
            });
        }
        Ok(self)
    }

    /// Runs of whole sets with about `target_rows` samples each: (sets, their place in `members`).
    pub(crate) fn blocks(&self, target_rows: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let mut blocks: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for (fold, place) in self.ranges.iter().enumerate() {
            match blocks.last_mut() {
                Some((folds, block)) if place.end - block.start <= target_rows => {
                    folds.end = fold + 1;
                    block.end = place.end;
                }
                _ => blocks.push((fold..fold + 1, place.clone())),
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
        let folds = Folds::by_label(&[5, 1, 5, 2, 1, 1]).expect("three groups");
        assert_eq!(folds.members, vec![1, 4, 5, 3, 0, 2]);
        assert_eq!(folds.ranges, vec![0..3, 3..4, 4..6]);
        assert_eq!(folds.labels, vec![1, 2, 5]);
        assert_eq!(folds.blocks(4), vec![(0..2, 0..4), (2..3, 4..6)]);
        assert_eq!(folds.blocks(1), vec![(0..1, 0..3), (1..2, 3..4), (2..3, 4..6)]);
        assert!(folds.is_partition());
    }

    #[test]
    fn one_group_is_refused() {
        assert_eq!(Folds::by_label(&[4, 4, 4]), Err(RegressError::SingleGroup { group: 4, rows: 3 }));
    }

    #[test]
    fn folds_keep_groups_whole_and_are_of_about_equal_size() {
        let labels: Vec<usize> = (0..30).map(|sample| (sample * 7) % 10).collect();
        let folds = Folds::k(5, Some(&labels), 30).expect("ten groups");
        assert_eq!(folds.ranges.iter().map(ExactSizeIterator::len).collect::<Vec<_>>(), vec![6; 5]);
        for fold in 0..5 {
            let labels: BTreeSet<usize> = folds.samples(fold).iter().map(|&sample| labels[sample]).collect();
            assert_eq!(labels, BTreeSet::from([2 * fold, 2 * fold + 1]));
        }
        let plain = Folds::k(3, None, 7).expect("seven samples");
        assert_eq!(plain.members, vec![0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(plain.ranges, vec![0..3, 3..5, 5..7]);
        let uneven = Folds::k(5, None, 48).expect("48 samples");
        assert_eq!(uneven.ranges, vec![0..10, 10..20, 20..30, 30..39, 39..48]);
        assert!(Folds::k(4, Some(&[1, 1, 2, 3]), 4).is_err());
        assert!(Folds::k(5, None, 4).is_err() && Folds::k(1, None, 4).is_err());
    }

    #[test]
    fn one_huge_group_leaves_a_group_for_every_other_fold() {
        let labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
        let folds = Folds::k(3, Some(&labels), 10).expect("three groups");
        assert_eq!(folds.ranges, vec![0..8, 8..9, 9..10]);
    }

    #[test]
    fn chunks_are_whole_held_out_at_random_and_differ_between_draws() {
        let folds = Folds::chunks(5, 3, 6, 63, Seed::new(1)).expect("twelve chunks");
        assert_eq!(folds.len(), 6);
        let mut distinct = BTreeSet::new();
        for draw in 0..6 {
            let samples = folds.samples(draw);
            assert_eq!((samples.len(), folds.n_scored[draw]), (15, 15));
            assert!(samples.chunks(5).all(|chunk| chunk[0].is_multiple_of(5) && chunk[4] == chunk[0] + 4));
            assert!(samples.iter().all(|sample| *sample < 60), "the rest is always trained on");
            distinct.insert(samples.to_vec());
        }
        assert!(distinct.len() > 4, "{distinct:?}");
        assert_eq!(folds, Folds::chunks(5, 3, 6, 63, Seed::new(1)).expect("the seed decides"));
        for (chunk, held, draws) in [(0, 1, 1), (5, 12, 1), (5, 0, 1), (5, 1, 0), (64, 1, 1)] {
            assert!(Folds::chunks(chunk, held, draws, 63, Seed::new(1)).is_err(), "{chunk} {held} {draws}");
        }
    }

    #[test]
    fn splits_may_overlap_and_leave_gaps() {
        let splits = [(vec![3, 4, 5], vec![0, 1]), (vec![0, 1], vec![3, 4, 5])];
        let folds = Folds::splits(&splits, 6).expect("valid");
        assert_eq!((folds.samples(0), folds.n_scored[0]), (&[0, 1, 2][..], 2));
        assert_eq!((folds.samples(1), folds.n_scored[1]), (&[3, 4, 5, 2][..], 3));
        assert!(!folds.is_partition());
        // Samples 1 and 2 show one stimulus; in the first split 1 is scored and 2 is left out of both sides.
        assert!(folds.check_splits(&[0, 1, 1, 3, 4, 5], Leaks::Refuse).is_ok());
        let error = folds.check_splits(&[0, 1, 2, 3, 1, 5], Leaks::Refuse).expect_err("samples 1 and 4");
        assert_eq!(error, RegressError::Leak { n_straddling: 1, n_repeated: 1, first: 1 });
        assert!(Folds::splits(&[(vec![0], vec![0, 1])], 6).is_err());
        assert!(Folds::splits(&[(vec![0], vec![6])], 6).is_err());
        assert!(Folds::splits(&[(vec![0], vec![])], 6).is_err());
    }
}
