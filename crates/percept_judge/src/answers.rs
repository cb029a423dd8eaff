//! `judgements.csv`: one row per answer, appended and on the disk before the next question.
//!
//! Columns: `rater`, `sequence` (1, 2, … for each rater), `kind` (`captions` or `pictures`), `id`, `left` and `right` (methods), `choice`
//! (`left`, `right`, `tie`, or `undo`, which takes back that rater's answer to this question), `reaction_ms` (from when both candidates
//! were to be seen; empty for `undo`). No time of day is kept. A last line that is cut off by a power failure is dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_io::table::{self, Separator, Table};
use percept_io::{Error, fs};
use serde::{Deserialize, Serialize};

use crate::candidates::Kind;
use crate::error::JudgeError;

/// The file's name inside a folder.
pub const FILE: &str = "judgements.csv";
/// Its head.
const HEAD: &str = "rater,sequence,kind,id,left,right,choice,reaction_ms\n";
/// The longest file that is read.
const MAX_BYTES: u64 = 256 << 20;

/// What a rater chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The one on the left.
    Left,
    /// The one on the right.
    Right,
    /// Neither.
    Tie,
    /// The answer before is taken back.
    Undo,
}

impl Choice {
    const ALL: [(&'static str, Self); 4] =
        [("left", Self::Left), ("right", Self::Right), ("tie", Self::Tie), ("undo", Self::Undo)];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, choice)| *choice == self).map_or("", |(word, _)| word)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub rater: String,
    /// The rater's how-manieth row, from 1.
    pub sequence: usize,
    /// What was compared.
    pub kind: Kind,
    /// The item.
    pub id: String,
    /// The method on the left.
    pub left: String,
    /// The method on the right.
    pub right: String,
    /// What was chosen.
    pub choice: Choice,
    /// Milliseconds from the question to the answer.
    pub reaction_ms: Option<u64>,
}

/// A question to a rater: what is compared, which item, which methods in the order of their names.
type Question = (String, Kind, String, [String; 2]);

impl Answer {
    fn question(&self) -> Question {
        question(&self.rater, self.kind, &self.id, [&self.left, &self.right])
    }
}

fn question(rater: &str, kind: Kind, id: &str, methods: [&str; 2]) -> Question {
    let mut methods = methods.map(str::to_owned);
    methods.sort();
    (rater.to_owned(), kind, id.to_owned(), methods)
}

/// The answers of a folder.
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
    rows: Vec<Answer>,
    /// For each question that is answered the row that counts.
    counts: BTreeMap<Question, usize>,
    is_new: bool,
}

impl Answers {
    /// Reads the answers of `folder`; none where there is no file yet.
    ///
    /// # Errors
    /// If the file cannot be read or is not of this form.
    pub fn open(folder: &Path) -> Result<Self, JudgeError> {
        let mut answers = Self { path: folder.join(FILE), rows: Vec::new(), counts: BTreeMap::new(), is_new: true };
        if !fs::is_file(&answers.path) {
            return Ok(answers);
        }
        let text = fs::read_text(&answers.path, MAX_BYTES)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.is_empty() {
            return Ok(answers);
        }
        if whole.len() < text.len() {
            fs::write_bytes(&answers.path, whole.as_bytes())?;
        }
        answers.is_new = false;
        for row in parse(whole).map_err(|error| error.in_file(&answers.path))? {
            answers.keep(row);
        }
        Ok(answers)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All rows, as they stand in the file.
    pub fn rows(&self) -> &[Answer] {
        &self.rows
    }

    /// Answers that were not taken back, in their order; of several to one question the last.
    pub fn valid(&self) -> Vec<&Answer> {
        let mut rows: Vec<usize> = self.counts.values().copied().collect();
        rows.sort_unstable();
        rows.into_iter().map(|row| &self.rows[row]).collect()
    }

    /// Whether `rater` has answered which of two `methods` made the better of an item.
    pub fn has(&self, rater: &str, kind: Kind, id: &str, methods: [&str; 2]) -> bool {
        self.counts.contains_key(&question(rater, kind, id, methods))
    }

    /// Appends a row, whose `sequence` is given here. It is on the disk when this returns.
    ///
    /// # Errors
    /// If the file cannot be written; then the answer does not count.
    pub fn append(&mut self, mut answer: Answer) -> Result<(), JudgeError> {
        answer.sequence = 1 + self.rows.iter().filter(|row| row.rater == answer.rater).count();
        let mut line = if self.is_new { HEAD.to_owned() } else { String::new() };
        line.push_str(&written(&answer));
        if self.is_new {
            fs::write_bytes(&self.path, line.as_bytes())?;
        } else {
            fs::append(&self.path, line.as_bytes())?;
        }
        self.is_new = false;
        self.keep(answer);
        Ok(())
    }

    fn keep(&mut self, row: Answer) {
        if row.choice == Choice::Undo {
            self.counts.remove(&row.question());
        } else {
            self.counts.insert(row.question(), self.rows.len());
        }
        self.rows.push(row);
    }
}

fn written(answer: &Answer) -> String {
    let sequence = answer.sequence.to_string();
    let reaction = answer.reaction_ms.map_or_else(String::new, |ms| ms.to_string());
    table::csv_line(&[
        &answer.rater,
        &sequence,
        answer.kind.word(),
        &answer.id,
        &answer.left,
        &answer.right,
        answer.choice.word(),
        &reaction,
    ])
}

fn parse(text: &str) -> Result<Vec<Answer>, Error> {
    let table = Table::parse(text, Separator::Comma)?;
    let raters = table.texts("rater")?;
    let sequences = table.integers("sequence")?;
    let kinds = table.parse_each("kind", "`captions` or `pictures`", |field| {
        [Kind::Captions, Kind::Pictures].into_iter().find(|kind| kind.word() == field)
    })?;
    let (ids, left, right) = (table.texts("id")?, table.texts("left")?, table.texts("right")?);
    let choices = table.parse_each("choice", "`left`, `right`, `tie` or `undo`", |field| {
        Choice::ALL.iter().find(|(word, _)| *word == field).map(|(_, choice)| *choice)
    })?;
    let reactions = table.optional_integers("reaction_ms")?;
    Ok((0..table.n_rows())
        .map(|row| Answer {
            rater: raters[row].to_owned(),
            sequence: usize::try_from(sequences[row]).unwrap_or(0),
            kind: kinds[row],
            id: ids[row].to_owned(),
            left: left[row].to_owned(),
            right: right[row].to_owned(),
            choice: choices[row],
            reaction_ms: reactions[row].and_then(|ms| u64::try_from(ms).ok()),
        })
        .collect())
}
