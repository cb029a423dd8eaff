//! What the answers say: how often each method won, and how far raters agree.

use std::collections::BTreeMap;
use std::path::Path;

use percept_core::Seed;
use percept_stats::agreement::{self, Agreement};
use percept_stats::bootstrap::Interval;
use percept_stats::clusters;
use percept_stats::preference::Preference;
use serde::Serialize;

use crate::answers::{Answer, Answers, Choice};
use crate::candidates::Kind;
use crate::error::JudgeError;

/// Bootstrap draws over items.
const DRAWS: usize = 10_000;

/// What raters say about two methods.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What was compared.
    pub kind: Kind,
    /// The method whose wins are counted.
    pub a: String,
    /// The other.
    pub b: String,
    /// All answers together.
    pub all: Tally,
    /// Each rater's own.
    pub raters: Vec<RaterTally>,
    /// How far raters agree on items that all of them answered; `None` for one rater, or without such items.
    pub agreement: Option<RatersAgreement>,
}

/// Wins of the first method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// Answers for it.
    pub wins: usize,
    /// Answers for the other.
    pub losses: usize,
    /// Answers for neither.
    pub ties: usize,
    /// wins ÷ (wins + losses); `None` without any.
    pub share: Option<f64>,
    /// 95 % interval of the share.
    pub interval: Option<Interval>,
    /// How the interval was made.
    pub interval_of: &'static str,
    /// Two-sided exact binomial p of one half; `None` where several answers are about one item, which are not independent.
    pub p: Option<f64>,
}

/// One rater's wins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RaterTally {
    /// Who.
    pub rater: String,
    /// The wins.
    #[serde(flatten)]
    pub tally: Tally,
    /// The median time to an answer.
    pub median_reaction_ms: Option<u64>,
}

/// Agreement of raters, and which kappa it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RatersAgreement {
    /// `cohen` for two raters, `fleiss` for more.
    pub kappa_of: &'static str,
    /// The numbers.
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// Scores the answers in `folder`: every pair of methods that was compared, or only `a` against `b`.
///
/// # Errors
/// When there are no such answers, or their file cannot be read.
pub fn score(folder: &Path, kind: Option<Kind>, a: Option<&str>, b: Option<&str>) -> Result<Vec<Verdict>, JudgeError> {
    let answers = Answers::open(folder)?;
    let mut pairs: BTreeMap<(Kind, String, String), Vec<&Answer>> = BTreeMap::new();
    for answer in answers.valid() {
        let has = |name: Option<&str>| name.is_none_or(|name| answer.left == name || answer.right == name);
        if has(a) && has(b) && kind.is_none_or(|kind| kind == answer.kind) {
            let (first, second) = order(answer, a, b);
            pairs.entry((answer.kind, first, second)).or_default().push(answer);
        }
    }
    if pairs.is_empty() {
        return Err(JudgeError::NoAnswers { path: answers.path().display().to_string() });
    }
    pairs.into_iter().map(|((kind, a, b), answers)| verdict(kind, a, b, &answers)).collect()
}

/// The two methods of an answer: as they were asked for, otherwise by name.
fn order(answer: &Answer, a: Option<&str>, b: Option<&str>) -> (String, String) {
    let is_first_left = match (a, b) {
        (Some(a), _) => answer.left == a,
        (None, Some(b)) => answer.right == b,
        (None, None) => answer.left <= answer.right,
    };
    let (left, right) = (answer.left.clone(), answer.right.clone());
    if is_first_left { (left, right) } else { (right, left) }
}

fn verdict(kind: Kind, a: String, b: String, answers: &[&Answer]) -> Result<Verdict, JudgeError> {
    let mut by_rater: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        by_rater.entry(&answer.rater).or_default().push(answer);
    }
    let raters = by_rater
        .iter()
        .map(|(rater, answers)| RaterTally {
            rater: (*rater).to_owned(),
            tally: independent(&a, answers),
            median_reaction_ms: median(answers.iter().filter_map(|answer| answer.reaction_ms).collect()),
        })
        .collect();
    let all = if by_rater.len() == 1 { independent(&a, answers) } else { clustered(&a, answers)? };
    let agreement = agree(&a, &by_rater)?;
    Ok(Verdict { kind, a, b, all, raters, agreement })
}

/// Whether `a` won; `None` for a tie.
fn won(a: &str, answer: &Answer) -> Option<bool> {
    match answer.choice {
        Choice::Left => Some(answer.left == a),
        Choice::Right => Some(answer.right == a),
        Choice::Tie | Choice::Undo => None,
    }
}

fn count(a: &str, answers: &[&Answer]) -> Preference {
    let n = |wanted: Option<bool>| answers.iter().filter(|answer| won(a, answer) == wanted).count();
    Preference::new(n(Some(true)), n(Some(false)), n(None))
}

/// Answers about different items.
fn independent(a: &str, answers: &[&Answer]) -> Tally {
    let Preference { wins, losses, ties, share } = count(a, answers);
    Tally {
        wins,
        losses,
        ties,
        share: share.map(|share| share.value),
        interval: share.map(|share| share.interval),
        interval_of: "Clopper-Pearson",
        p: share.map(|share| share.p),
    }
}

/// Answers of several raters about the same items: the interval draws items.
fn clustered(a: &str, answers: &[&Answer]) -> Result<Tally, JudgeError> {
    let Preference { wins, losses, ties, share } = count(a, answers);
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut values, mut label_of_value) = (Vec::new(), Vec::new());
    for answer in answers {
        if let Some(won) = won(a, answer) {
            let next = labels.len();
            label_of_value.push(*labels.entry(&answer.id).or_insert(next));
            values.push(f64::from(won));
        }
    }
    let interval = if values.is_empty() {
        None
    } else {
        Some(clusters::mean_interval(&values, &label_of_value, Seed::new(1).named("judge"), DRAWS)?)
    };
    let share = share.map(|share| share.value);
    Ok(Tally { wins, losses, ties, share, interval, interval_of: "bootstrap over items", p: None })
}

fn agree(a: &str, by_rater: &BTreeMap<&str, Vec<&Answer>>) -> Result<Option<RatersAgreement>, JudgeError> {
    let category = |answer: &Answer| match won(a, answer) {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    };
    let choices: Vec<BTreeMap<&str, usize>> = by_rater
        .values()
        .map(|answers| answers.iter().map(|answer| (answer.id.as_str(), category(answer))).collect())
        .collect();
    let Some((first, others)) = choices.split_first().filter(|(_, others)| !others.is_empty()) else { return Ok(None) };
    let shared: Vec<&str> =
        first.keys().copied().filter(|id| others.iter().all(|rater| rater.contains_key(id))).collect();
    if shared.is_empty() {
        return Ok(None);
    }
    let ratings: Vec<Vec<usize>> = choices.iter().map(|rater| shared.iter().map(|id| rater[id]).collect()).collect();
    Ok(Some(if ratings.len() == 2 {
        RatersAgreement { kappa_of: "cohen", agreement: agreement::cohen(&ratings[0], &ratings[1])? }
    } else {
        RatersAgreement { kappa_of: "fleiss", agreement: agreement::fleiss(&ratings)? }
    }))
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
