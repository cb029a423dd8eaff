//! What is fitted on what and what is tested: the folds of an experiment and its test items, in the order of the results.
//!
//! An item is what one reconstruction is made for: the mean response to a stimulus, or a single trial. A fold is one pair of
//! training samples and items; a given split has one, leaving each stimulus out has as many as there are stimuli. No item's
//! stimulus is among the training samples of its fold, unless the user allowed leaks, which the plan then lists.

pub mod labels;
pub mod summary;

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2};
use percept_core::Split;
use percept_core::seed::{Seed, permutation};

use crate::data::Dataset;
use crate::error::PipelineError;
use crate::experiment::{DecodeSettings, SplitKind, SplitSettings};

/// One reconstruction to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Stable name, fit for a file name: the stimulus' id, with the trial's number when trials are tested one by one.
    pub id: String,
    /// The stimulus that was seen.
    pub stimulus: usize,
    /// Samples whose mean response is decoded.
    pub samples: Vec<usize>,
    /// The fold whose decoders decode it.
    pub fold: usize,
    /// Decides its noise: the stimulus for averages, the sample for single trials.
    pub noise_id: u64,
}

/// Folds and items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Training samples of each fold, ascending.
    pub train: Vec<Vec<usize>>,
    /// Items in the order of their first presentation.
    pub items: Vec<Item>,
    /// Name of the split in score rows.
    pub split_name: &'static str,
    /// Stimuli that are tested although they, or others with the same picture, also trained, ascending; empty unless leaks were
    /// allowed.
    pub leaked_stimuli: Vec<usize>,
    /// Stimuli that are tested although one with nearly the same picture trained, ascending.
    pub near_stimuli: Vec<usize>,
}

impl Plan {
    /// Lays out folds and items.
    ///
    /// # Errors
    /// A leak that was not allowed, an empty side.
    pub fn new(dataset: &Dataset, split: &SplitSettings, decode: &DecodeSettings) -> Result<Self, PipelineError> {
        let stimulus_of_sample = &dataset.responses.stimulus_of_sample;
        let splits = match split.kind {
            SplitKind::LeaveOneStimulusOut => Split::leave_one_stimulus_out(stimulus_of_sample)?,
            SplitKind::Given | SplitKind::Shared => {
                let (test, train) = (0..stimulus_of_sample.len()).partition(|&sample| dataset.is_test[sample]);
                let make = if split.allow_leaks { Split::leaky } else { Split::by_samples };
                vec![make(train, test, stimulus_of_sample)?]
            }
        };
        let mut items = Vec::new();
        for (fold, split) in splits.iter().enumerate() {
            if decode.average_repeats {
                let mut samples: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
                for &sample in split.test() {
                    samples.entry(stimulus_of_sample[sample]).or_default().push(sample);
                }
                items.extend(samples.into_iter().map(|(stimulus, samples)| Item {
                    id: dataset.stimuli.id(stimulus).to_owned(),
                    stimulus,
                    samples,
                    fold,
                    noise_id: stimulus as u64,
                }));
            } else {
                items.extend(split.test().iter().map(|&sample| Item {
                    id: format!("{}-trial{:05}", dataset.stimuli.id(stimulus_of_sample[sample]), sample),
                    stimulus: stimulus_of_sample[sample],
                    samples: vec![sample],
                    fold,
                    noise_id: sample as u64,
                }));
            }
        }
        items.sort_by_key(|item| item.samples[0]);
        if let Some(most) = split.max_test_stimuli {
            let kept = spread(&items.iter().map(|item| item.stimulus).collect(), most);
            items.retain(|item| kept.contains(&item.stimulus));
        }
        let (leaked, near_stimuli) = shown_before(dataset, &splits);
        if !split.allow_leaks
            && let Some([tested, trained]) = leaked.first()
        {
            let n_test = items.iter().map(|item| item.stimulus).collect::<BTreeSet<_>>().len();
            let n_leaked = leaked.iter().map(|[tested, _]| tested).collect::<BTreeSet<_>>().len();
            let [tested, trained] = [*tested, *trained].map(|stimulus| dataset.stimuli.id(stimulus));
            return Err(PipelineError::data(
                format!(
                    "the pictures of {n_leaked} of {n_test} test stimuli are shown in training too, under another number: \
                     the first is `{tested}`, which equals `{trained}`"
                ),
                "set `data.identify_stimuli = true` so that equal pictures are one stimulus, or `split.allow_leaks = true` to \
                 go on with a warning",
            ));
        }
        let mut leaked_stimuli: Vec<usize> = leaked.into_iter().map(|[tested, _]| tested).collect();
        leaked_stimuli.extend(splits.iter().flat_map(Split::leaked_stimuli));
        leaked_stimuli.sort_unstable();
        leaked_stimuli.dedup();
        Ok(Self {
            train: splits.iter().map(|split| split.train().to_vec()).collect(),
            items,
            split_name: split.kind.split_name(),
            leaked_stimuli,
            near_stimuli,
        })
    }

    /// Positions in [`Plan::items`] of the items of `fold`.
    pub fn items_of(&self, fold: usize) -> Vec<usize> {
        (0..self.items.len()).filter(|&item| self.items[item].fold == fold).collect()
    }

    /// The stimulus of each item.
    pub fn stimuli(&self) -> Vec<usize> {
        self.items.iter().map(|item| item.stimulus).collect()
    }

    /// For each item the item whose brain it gets as a control: another stimulus' for every one of them.
    ///
    /// # Errors
    /// When one stimulus has more than half of the items, so that no such assignment exists.
    pub fn shuffled(&self, seed: Seed) -> Result<Vec<usize>, PipelineError> {
        derangement(&self.stimuli(), seed.named("shuffled brain"))
    }
}

/// At most `most` of `all`, evenly spread.
fn spread(all: &BTreeSet<usize>, most: usize) -> BTreeSet<usize> {
    let n = all.len();
    let is_kept = |place: usize| n <= most || (place + 1) * most / n > place * most / n;
    all.iter().enumerate().filter(|(place, _)| is_kept(*place)).map(|(_, &stimulus)| stimulus).collect()
}

/// Stimuli whose picture trained the decoders that they are tested by, each with one that showed it; and those whose picture
/// nearly did.
fn shown_before(dataset: &Dataset, splits: &[Split]) -> (Vec<[usize; 2]>, Vec<usize>) {
    let alike = &dataset.alike;
    let stimuli_of = |samples: &[usize]| -> BTreeSet<usize> {
        samples.iter().map(|&sample| dataset.responses.stimulus_of_sample[sample]).collect()
    };
    let (mut equal, mut near) = (Vec::new(), BTreeSet::new());
    for split in splits {
        let (train, test) = (stimuli_of(split.train()), stimuli_of(split.test()));
        let picture = |stimulus: usize| alike.first_of_stimulus[stimulus];
        let trained: BTreeMap<usize, usize> =
            train.iter().rev().map(|&stimulus| (picture(stimulus), stimulus)).collect();
        let tested: BTreeSet<usize> = test.iter().map(|&stimulus| picture(stimulus)).collect();
        let pair = |&stimulus: &usize| Some([stimulus, *trained.get(&picture(stimulus))?]);
        equal.extend(test.iter().filter_map(pair).filter(|[tested, trained]| tested != trained));
        let looks_like = |&[a, b]: &[usize; 2]| {
            let one_way =
                |test: usize, train: usize| (tested.contains(&test) && trained.contains_key(&train)).then_some(test);
            one_way(a, b).or_else(|| one_way(b, a))
        };
        near.extend(alike.near.iter().filter_map(looks_like));
    }
    (equal, near.into_iter().collect())
}

/// Mean of some rows, in f64.
pub fn mean_row(rows: &Array2<f32>, which: &[usize]) -> Array1<f32> {
    let mut sums = Array1::<f64>::zeros(rows.ncols());
    for &row in which {
        sums.zip_mut_with(&rows.row(row), |sum, &value| *sum += f64::from(value));
    }
    sums.mapv(|sum| (sum / which.len() as f64) as f32)
}

/// A permutation of the rows of `label_of_row` after which no row holds its own label.
///
/// Rows are ordered by label, labels and rows within a label at random, and rotated by the size of the largest label: each
/// label's block then lands wholly on others.
fn derangement(label_of_row: &[usize], seed: Seed) -> Result<Vec<usize>, PipelineError> {
    let n = label_of_row.len();
    let mut rows_of_label: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in permutation(seed.named("rows"), n) {
        rows_of_label.entry(label_of_row[row]).or_default().push(row);
    }
    let largest = rows_of_label.values().map(Vec::len).max().unwrap_or(0);
    if 2 * largest > n {
        return Err(PipelineError::data(
            format!("{largest} of {n} test items show one stimulus, so their brains cannot be shuffled"),
            "set `controls.shuffled = false` or test more stimuli",
        ));
    }
    let blocks: Vec<Vec<usize>> = rows_of_label.into_values().collect();
    let order: Vec<usize> =
        permutation(seed.named("labels"), blocks.len()).into_iter().flat_map(|label| blocks[label].clone()).collect();
    let mut source = vec![0; n];
    for (position, &row) in order.iter().enumerate() {
        source[row] = order[(position + largest) % n];
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_item_keeps_its_own_stimulus_and_every_brain_is_used_once() {
        for seed in 0..20 {
            let labels = [3, 3, 1, 2, 2, 9, 9, 3, 0, 7];
            let source = derangement(&labels, Seed::new(seed)).expect("possible");
            assert!(source.iter().enumerate().all(|(row, &from)| labels[row] != labels[from]));
            let mut sorted = source.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..labels.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn some_of_the_test_stimuli_are_evenly_spread() {
        let all: BTreeSet<usize> = (0..10).map(|i| 3 * i).collect();
        assert_eq!(spread(&all, 3).into_iter().collect::<Vec<_>>(), [9, 18, 27]);
        assert_eq!(spread(&all, 10), all);
        assert_eq!(spread(&all, 99), all);
    }

    #[test]
    fn a_majority_of_one_stimulus_cannot_be_shuffled() {
        let error = derangement(&[1, 1, 1, 2, 3], Seed::new(0)).expect_err("three of five");
        assert!(error.to_string().starts_with("3 of 5 test items"), "{error}");
    }
}
