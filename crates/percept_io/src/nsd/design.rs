//! The experiment: `nsd_expdesign.mat`.
//!
//! Every subject saw 10,000 images, 30,000 trials in the same order of *positions* (`masterordering`, 1 to 10,000); which
//! image of the 73,000 stands at a position is the subject's own (`subjectim`), except for the first ones, which all share
//! (`sharedix`). So the image of trial t is `subjectim[s, masterordering[t]]`, and t belongs to the test set if and only if
//! its position is among the shared ones. All of these count from 1 in the file and from 0 here. Numbers of trials, images
//! and subjects come from the file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD};

use crate::{Error, Result, mat};

/// Which image was shown in which trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    path: PathBuf,
    position_of_trial: Vec<usize>,
    /// n_subjects × n_positions, ids from 0.
    image_of_position: Array2<usize>,
    shared: Vec<usize>,
}

impl Design {
    /// Reads the design at `path`.
    ///
    /// # Errors
    /// If a variable is missing, a value lies out of range (a file that counts from 0 among them), or the shared images are
    /// not those of the first positions.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::read(&mat::open(path)?, path).map_err(|error| error.in_file(path))
    }

    fn read(file: &mat::File, path: &Path) -> Result<Self> {
        let subjectim = file.array::<i64>("subjectim")?;
        let &[n_subjects, n_positions] = subjectim.shape() else {
            return Err(malformed("subjectim", "subjects × images", &format!("{:?}", subjectim.shape())));
        };
        let images = from_one("subjectim", &subjectim, None)?;
        let image_of_position = Array2::from_shape_vec((n_subjects, n_positions), images)
            .map_err(|_| malformed("subjectim", "subjects × images", "another shape"))?;
        let position_of_trial = from_one("masterordering", &file.array("masterordering")?, Some(n_positions))?;
        let shared = from_one("sharedix", &file.array("sharedix")?, None)?;
        let set = |images: &mut dyn Iterator<Item = usize>| images.collect::<BTreeSet<_>>();
        for (subject, images) in image_of_position.rows().into_iter().enumerate() {
            let first = set(&mut images.iter().take(shared.len()).copied());
            if first.len() != shared.len() || first != set(&mut shared.iter().copied()) {
                let expected = format!("the images of `sharedix` in its first {} columns", shared.len());
                let row = format!("row {} of `subjectim`", subject + 1);
                return Err(malformed(&row, &expected, "others"));
            }
        }
        Ok(Self { path: path.to_owned(), position_of_trial, image_of_position, shared })
    }

    /// The number of trials of a complete subject.
    pub fn n_trials(&self) -> usize {
        self.position_of_trial.len()
    }

    /// The number of subjects that the design knows.
    pub fn n_subjects(&self) -> usize {
        self.image_of_position.nrows()
    }

    /// The number of images that each subject saw.
    pub fn n_images(&self) -> usize {
        self.image_of_position.ncols()
    }

    /// The images that all subjects saw, as indices into the stimuli (from 0), in the order of their positions.
    pub fn shared_images(&self) -> &[usize] {
        &self.shared
    }

    /// The position (from 0) shown in each trial.
    pub fn positions(&self) -> &[usize] {
        &self.position_of_trial
    }

    /// The image at each position for subject `number` (1 for `subj01`), as indices into the stimuli.
    ///
    /// # Errors
    /// If the design does not know the subject.
    pub fn images_of_subject(&self, number: usize) -> Result<Vec<usize>> {
        let row = number.checked_sub(1).filter(|&row| row < self.n_subjects());
        let row = row.ok_or_else(|| {
            let remedy = "subjects count from 1; check that the design belongs to these data";
            let what = "the number of subjects in `subjectim`";
            Error::mismatch(what, format!("subject {number}"), self.n_subjects(), remedy).in_file(&self.path)
        })?;
        Ok(self.image_of_position.row(row).to_vec())
    }

    /// The image of each trial of subject `number` (1 for `subj01`), as indices into the stimuli.
    ///
    /// # Errors
    /// If the design does not know the subject.
    pub fn image_of_trial(&self, number: usize) -> Result<Vec<usize>> {
        let images = self.images_of_subject(number)?;
        Ok(self.position_of_trial.iter().map(|&position| images[position]).collect())
    }

    /// Whether the image of `trial` (from 0) is one that all subjects saw: the test set of every published method.
    pub fn is_shared(&self, trial: usize) -> bool {
        self.position_of_trial.get(trial).is_some_and(|&position| position < self.shared.len())
    }

    /// The trials (from 0) below `n_trials`, as training and test trials.
    pub fn split(&self, n_trials: usize) -> (Vec<usize>, Vec<usize>) {
        (0..n_trials.min(self.n_trials())).partition(|&trial| !self.is_shared(trial))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Values that count from 1, counted from 0; refused below 1 and above `limit`.
fn from_one(name: &str, values: &ArrayD<i64>, limit: Option<usize>) -> Result<Vec<usize>> {
    let convert = |(index, &value): (usize, &i64)| {
        let zero_based = usize::try_from(value).ok().and_then(|value| value.checked_sub(1));
        zero_based.filter(|&value| limit.is_none_or(|limit| value < limit)).ok_or_else(|| {
            let expected = match limit {
                Some(limit) => format!("1 to {limit}"),
                None => "1 or more".to_owned(),
            };
            malformed(&format!("value {} of `{name}`", index + 1), &expected, &value.to_string())
        })
    };
    values.iter().enumerate().map(convert).collect()
}

fn malformed(what: &str, expected: &str, got: &str) -> Error {
    Error::malformed(what, expected, got).with_remedy("NSD counts from 1; use `nsd_expdesign.mat` as it was downloaded")
}
