//! Two tables: `nsd_stim_info_merged.csv`, where each picture comes from, and `responses.tsv`, what a subject did.
//!
//! The first is the only place where COCO's ids and crops stand. `nsdId` counts from 0 there, the trials in
//! `subjectX_repY` from 1 (0 for never); the ids and sessions of the second count from 1. Here everything counts from 0.

use std::path::{Path, PathBuf};

use crate::table::{self, Table};
use crate::{Error, Result};

/// Where the pictures come from, in the order of the stimuli.
#[derive(Clone, Debug, PartialEq)]
pub struct StimulusTable {
    path: PathBuf,
    rows: Vec<StimulusRow>,
    /// For each subject (in order) the column of trials: `trials[s][repeat][image]`.
    trials: Vec<[Vec<Option<usize>>; 3]>,
}

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct StimulusRow {
    /// The id of the photograph in COCO.
    pub coco_id: u64,
    /// The part of COCO in which it is listed, `train2017` or `val2017`. It differs from picture to picture.
    pub coco_split: String,
    /// The fractions removed from the photograph at top, bottom, left and right.
    pub crop: [f64; 4],
    /// Whether all subjects saw it.
    pub is_shared: bool,
}

impl StimulusTable {
    /// Reads the table at `path`.
    ///
    /// # Errors
    /// If a column is missing, a field is malformed, or `nsdId` is not 0, 1, 2, ….
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let table = table::open(path)?;
        for (row, id) in table.integers("nsdId")?.into_iter().enumerate() {
            if id != row as i64 {
                let error = Error::malformed(format!("`nsdId` of row {}", row + 1), row, id);
                return Err(error.with_remedy("use the table as it was downloaded, in its order").in_file(path));
            }
        }
        let coco_ids = table.parse_each("cocoId", "an id", |field| field.parse::<u64>().ok())?;
        let splits = table.texts("cocoSplit")?;
        let crops = table.parse_each("cropBox", "four fractions such as `(0, 0, 0.1, 0.1)`", crop)?;
        let shared = table.booleans("shared1000")?;
        let rows = coco_ids.into_iter().zip(splits).zip(crops).zip(shared);
        let rows = rows
            .map(|(((coco_id, split), crop), is_shared)| StimulusRow {
                coco_id,
                coco_split: split.to_owned(),
                crop,
                is_shared,
            })
            .collect();
        let mut trials = Vec::new();
        while table.has_column(&format!("subject{}_rep0", trials.len() + 1)) {
            let number = trials.len() + 1;
            let repeat = |repeat: usize| -> Result<Vec<Option<usize>>> {
                let name = format!("subject{number}_rep{repeat}");
                table.parse_each(&name, "a trial from 1, or 0 for never", |field| {
                    let trial = usize::try_from(table::integer(field)?).ok()?;
                    Some(trial.checked_sub(1))
                })
            };
            trials.push([repeat(0)?, repeat(1)?, repeat(2)?]);
        }
        Ok(Self { path: path.to_owned(), rows, trials })
    }

    /// The pictures, in the order of the stimuli.
    pub fn rows(&self) -> &[StimulusRow] {
        &self.rows
    }

    /// The trials (from 0) in which subject `number` (1 for `subj01`) saw `image`: the first, second and third time.
    ///
    /// # Errors
    /// If the table does not know the subject or the image.
    pub fn trials(&self, number: usize, image: usize) -> Result<[Option<usize>; 3]> {
        let columns = number.checked_sub(1).and_then(|subject| self.trials.get(subject)).ok_or_else(|| {
            let names = (1..=self.trials.len()).map(|number| format!("subject{number}"));
            Error::missing("subject", format!("subject{number}"), names).in_file(&self.path)
        })?;
        if image >= self.rows.len() {
            let remedy = "pictures count from 0";
            let got = self.rows.len();
            let error = Error::mismatch("the number of pictures", format!("picture {image}"), got, remedy);
            return Err(error.in_file(&self.path));
        }
        Ok([columns[0][image], columns[1][image], columns[2][image]])
    }

    /// The number of subjects whose trials the table lists.
    pub fn n_subjects(&self) -> usize {
        self.trials.len()
    }

    /// The pictures that all subjects saw, ascending.
    pub fn shared_images(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|&image| self.rows[image].is_shared).collect()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `(top, bottom, left, right)`, as Python prints a tuple.
fn crop(field: &str) -> Option<[f64; 4]> {
    let inner = field.strip_prefix('(')?.strip_suffix(')')?;
    let parts: Vec<f64> = inner.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    let parts: [f64; 4] = parts.try_into().ok()?;
    parts.iter().all(|part| (0.0..1.0).contains(part)).then_some(parts)
}

/// What a subject did, one entry per trial in the order of the trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// Session (from 0).
    pub session: Vec<usize>,
    /// Image, as an index into the stimuli (column `73KID`).
    pub stimulus: Vec<usize>,
    /// Position in the design (column `10KID`).
    pub position: Vec<usize>,
    /// Whether the image had been shown before.
    pub is_old: Vec<Option<bool>>,
    /// Whether the subject answered correctly; `None` without an answer.
    pub is_correct: Vec<Option<bool>>,
    /// Time to the answer in milliseconds; NaN without an answer.
    pub reaction_ms: Vec<f64>,
}

impl Behaviour {
    /// Reads the table at `path`.
    ///
    /// # Errors
    /// If a column is missing or a field is malformed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let table = table::open(path)?;
        let from_one = |name: &str| {
            table.parse_each(name, "a whole number from 1", |field| {
                usize::try_from(table::integer(field)?).ok()?.checked_sub(1)
            })
        };
        Ok(Self {
            session: from_one("SESSION")?,
            stimulus: from_one("73KID")?,
            position: from_one("10KID")?,
            is_old: truth(&table, "ISOLD")?,
            is_correct: truth(&table, "ISCORRECT")?,
            reaction_ms: table.floats("RT")?,
        })
    }

    /// The number of trials.
    pub fn n_trials(&self) -> usize {
        self.stimulus.len()
    }
}

fn truth(table: &Table, name: &str) -> Result<Vec<Option<bool>>> {
    table.parse_each(name, "0, 1 or `NaN`", |field| match field.parse::<f64>().ok()? {
        0.0 => Some(Some(false)),
        1.0 => Some(Some(true)),
        value if value.is_nan() => Some(None),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_tuples_of_fractions() {
        assert_eq!(crop("(0, 0, 0.0625, 0.0625)"), Some([0.0, 0.0, 0.0625, 0.0625]));
        for field in ["0, 0, 0, 0", "(0, 0, 0)", "(0, 0, 0, 1.5)", "(0, 0, 0, x)", "(0, 0, 0, nan)"] {
            assert_eq!(crop(field), None, "{field}");
        }
    }
}
