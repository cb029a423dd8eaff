//! Raters at work: who has answered what, and what comes next.

use std::path::{Path, PathBuf};

use percept_core::Seed;
use percept_io::lock::{self, Lock};
use serde::Serialize;

use crate::answers::{Answer, Answers, Choice};
use crate::candidates::{Kind, Pair, Shown};
use crate::error::JudgeError;
use crate::plan::{Trial, trials};

/// The longest name of a rater, in characters.
const LONGEST_NAME: usize = 40;
/// One process at a time writes answers.
const LOCK: &str = ".judge.lock";

/// How questions are put.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// Questions for each rater; all items unless given.
    pub n: Option<usize>,
    /// Seed of items, order and sides.
    pub seed: Seed,
    /// Whether a rater may say that neither is closer.
    pub ties: bool,
}

/// A folder in which raters answer.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    pair: Pair,
    settings: SessionSettings,
    answers: Answers,
    _lock: Lock,
}

/// What a rater sees next, as the page gets it. It does not say which method is which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// Who.
    pub rater: String,
    /// What is compared.
    pub kind: Kind,
    /// Whether `tie` is an answer.
    pub ties: bool,
    /// Questions.
    pub n: usize,
    /// Questions that are answered.
    pub done: usize,
    /// The next question; `None` when all are answered.
    pub next: Option<Question>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its number among the rater's, from 0.
    pub trial: usize,
    /// The caption on the left, where captions are compared.
    pub left: Option<String>,
    /// The caption on the right.
    pub right: Option<String>,
}

/// A rater and how far they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Who.
    pub rater: String,
    /// Questions that are answered.
    pub done: usize,
    /// Questions.
    pub n: usize,
}

/// Which picture of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What was shown.
    Stimulus,
    /// The candidate on the left.
    Left,
    /// The candidate on the right.
    Right,
}

impl Session {
    /// Opens `folder` for answers about `pair`.
    ///
    /// # Errors
    /// When its answers cannot be read, another process writes them, or no question is asked for.
    pub fn open(folder: &Path, pair: Pair, settings: SessionSettings) -> Result<Self, JudgeError> {
        if settings.n == Some(0) {
            return Err(JudgeError::Setting {
                what: "the number of questions",
                got: "0".to_owned(),
                expected: "1 or more",
            });
        }
        let lock = lock::lock(folder, LOCK, || false)?;
        let answers = Answers::open(folder)?;
        Ok(Self { folder: folder.to_owned(), pair, settings, answers, _lock: lock })
    }

    /// The two methods.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// Where answers go.
    pub fn path(&self) -> &Path {
        self.answers.path()
    }

    /// Raters who answered anything about this pair, in the order of their names.
    pub fn raters(&self) -> Vec<Progress> {
        let mut names: Vec<&str> =
            self.answers.rows().iter().filter(|row| self.is_ours(row)).map(|row| row.rater.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let progress = |rater: &str| {
            let trials = self.trials(rater);
            Progress { rater: rater.to_owned(), done: self.done(rater, &trials), n: trials.len() }
        };
        names.into_iter().map(progress).collect()
    }

    /// What `rater` sees next.
    ///
    /// # Errors
    /// A name that is empty, too long, or holds control characters.
    pub fn state(&self, rater: &str) -> Result<State, JudgeError> {
        let rater = name(rater)?;
        let trials = self.trials(&rater);
        let next = trials.iter().position(|trial| !self.is_answered(&rater, trial)).map(|number| {
            let shown = self.shown(&trials[number]);
            let caption = |shown: &Shown| match shown {
                Shown::Caption(caption) => Some(caption.clone()),
                Shown::Picture(_) => None,
            };
            Question { trial: number, left: caption(shown[0]), right: caption(shown[1]) }
        });
        let done = self.done(&rater, &trials);
        Ok(State { kind: self.pair.kind, ties: self.settings.ties, n: trials.len(), done, next, rater })
    }

    /// Saves an answer to question `trial` and gives what comes next. An answer to a question that was answered before, as by a
    /// second click, changes nothing.
    ///
    /// # Errors
    /// As [`Session::state`]; a question that there is not, a tie where none is allowed, a file that cannot be written.
    pub fn answer(&mut self, rater: &str, trial: usize, choice: Choice, reaction_ms: u64) -> Result<State, JudgeError> {
        let rater = name(rater)?;
        let trials = self.trials(&rater);
        let Some(question) = trials.get(trial) else {
            return Err(JudgeError::Setting {
                what: "the question",
                got: trial.to_string(),
                expected: "one that was asked",
            });
        };
        if choice == Choice::Undo || (choice == Choice::Tie && !self.settings.ties) {
            let expected = if self.settings.ties { "left, right or tie" } else { "left or right" };
            return Err(JudgeError::Setting {
                what: "the answer",
                got: format!("{choice:?}").to_lowercase(),
                expected,
            });
        }
        if !self.is_answered(&rater, question) {
            let answer = self.row(&rater, question, choice, Some(reaction_ms));
            self.answers.append(answer)?;
        }
        self.state(&rater)
    }

    /// Takes back the last answer of `rater` about this pair that still counts, if there is one.
    ///
    /// # Errors
    /// As [`Session::answer`].
    pub fn undo(&mut self, rater: &str) -> Result<State, JudgeError> {
        let rater = name(rater)?;
        let last = self.answers.valid().into_iter().rfind(|row| row.rater == rater && self.is_ours(row)).cloned();
        if let Some(last) = last {
            self.answers.append(Answer { choice: Choice::Undo, reaction_ms: None, ..last })?;
        }
        self.state(&rater)
    }

    /// A picture of question `trial` of `rater`: its media type and bytes.
    pub fn picture(&self, rater: &str, trial: usize, side: Side) -> Option<(&'static str, Vec<u8>)> {
        let trial = *self.trials(&name(rater).ok()?).get(trial)?;
        let shown = self.shown(&trial);
        let path = match (side, shown) {
            (Side::Stimulus, _) => &self.pair.items[trial.item].stimulus,
            (Side::Left, [Shown::Picture(path), _]) | (Side::Right, [_, Shown::Picture(path)]) => path,
            _ => return None,
        };
        crate::candidates::picture(&self.folder, path)
    }

    fn trials(&self, rater: &str) -> Vec<Trial> {
        trials(self.pair.items.len(), self.settings.n, self.settings.seed, rater)
    }

    /// What stands on the left and on the right.
    fn shown(&self, trial: &Trial) -> [&Shown; 2] {
        let item = &self.pair.items[trial.item];
        if trial.is_swapped { [&item.b, &item.a] } else { [&item.a, &item.b] }
    }

    fn row(&self, rater: &str, trial: &Trial, choice: Choice, reaction_ms: Option<u64>) -> Answer {
        let (a, b) = (self.pair.a.clone(), self.pair.b.clone());
        let (left, right) = if trial.is_swapped { (b, a) } else { (a, b) };
        let id = self.pair.items[trial.item].id.clone();
        Answer { rater: rater.to_owned(), sequence: 0, kind: self.pair.kind, id, left, right, choice, reaction_ms }
    }

    fn is_ours(&self, row: &Answer) -> bool {
        row.kind == self.pair.kind
            && ((row.left == self.pair.a && row.right == self.pair.b)
                || (row.left == self.pair.b && row.right == self.pair.a))
    }

    fn is_answered(&self, rater: &str, trial: &Trial) -> bool {
        let id = &self.pair.items[trial.item].id;
        self.answers.has(rater, self.pair.kind, id, [&self.pair.a, &self.pair.b])
    }

    fn done(&self, rater: &str, trials: &[Trial]) -> usize {
        trials.iter().filter(|trial| self.is_answered(rater, trial)).count()
    }
}

/// A rater's name as it is kept.
fn name(rater: &str) -> Result<String, JudgeError> {
    let name = rater.trim();
    let n = name.chars().count();
    if n == 0 || n > LONGEST_NAME || name.chars().any(char::is_control) {
        let expected = "1 to 40 characters without line breaks";
        return Err(JudgeError::Setting { what: "the name of the rater", got: format!("{n} characters"), expected });
    }
    Ok(name.to_owned())
}
