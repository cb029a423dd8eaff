//! Responses of a region over all sessions, from either of NSD's two files.
//!
//! A session's betas are 16-bit integers, 300 per percent of signal change, in `betas_session01.hdf5` as (trial, z, y, x) and
//! in `betas_session01.nii.gz` as (x, y, z, trial). Both give the same [`Session`]. HDF5 keeps each voxel in a chunk of its
//! own, so a region is read without the rest; NIfTI is decompressed once, frame by frame.
//!
//! A voxel that could not be measured is 0 in all trials of a session. It is reported ([`Session::invalid`]), not repaired:
//! a z-score would divide by zero there.
//!
//! # Memory
//! One session: 4 bytes × trials × voxels, twice while it is read, and for HDF5 the index of its chunks (0.1 GB for NSD).
//! [`Betas::for_each`] stays there however many sessions there are; [`Betas::average`] adds one row per image (0.63 GB for
//! 10,000 images of `nsdgeneral`); [`Betas::read`] holds every trial, which [`Betas::bytes`] foretells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2, Axis, s};
use percept_core::Responses;

use super::design::Design;
use super::kind::{BetaFile, BetaKind};
use super::roi::Mask;
use super::tree::Subject;
use crate::hdf5::{self, Dataset};
use crate::nifti::{self, Nifti};
use crate::{Error, Result, fs};

/// Stored integers per percent of signal change.
pub const UNITS_PER_PERCENT: f32 = 300.0;

/// The betas of one subject and kind: which sessions are here, and where.
#[derive(Clone, Debug)]
pub struct Betas {
    subject: Subject,
    kind: BetaKind,
    /// By session number, from 1.
    files: BTreeMap<usize, PathBuf>,
}

/// The responses of a region in one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The number of the session, from 1, as in its file's name.
    pub number: usize,
    /// The trials (from 0, over the whole experiment) of the rows.
    pub first_trial: usize,
    /// n_trials × n_units, percent signal change.
    pub data: Array2<f32>,
    /// For each unit, whether it is 0 in every trial: not measured in this session.
    pub invalid: Vec<bool>,
}

/// The responses of a region over all chosen sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    /// Rows in the order of trials. A stimulus is an index into the pictures (from 0), a session the number in its file's
    /// name less one.
    pub responses: Responses,
    /// The trial (from 0) of each row.
    pub trial_of_sample: Vec<usize>,
    /// For each session read (rows, in order) and unit: not measured.
    pub invalid: Array2<bool>,
}

/// An open session file of either format.
pub(super) enum SessionFile {
    Hdf5(Box<Dataset>),
    Nifti(Box<Nifti>),
}

impl Subject {
    /// The betas `kind`, in whichever of the two file formats is here.
    ///
    /// # Errors
    /// If there is no session of that kind; the error lists the kinds that are here.
    pub fn betas(&self, kind: BetaKind) -> Result<Betas> {
        Betas::find(self, kind, BetaFile::Either)
    }

    /// The betas `kind` in one file format only.
    ///
    /// # Errors
    /// As [`Subject::betas`].
    pub fn betas_in(&self, kind: BetaKind, file: BetaFile) -> Result<Betas> {
        Betas::find(self, kind, file)
    }
}

impl Betas {
    fn find(subject: &Subject, kind: BetaKind, file: BetaFile) -> Result<Self> {
        let folder = subject.tree().path(&subject.beta_file(kind, ""));
        let mut files = BTreeMap::new();
        for path in fs::list(&folder).unwrap_or_default() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(rest) = name.strip_prefix("betas_session") else { continue };
            let Some((number, ending)) = rest.split_once('.') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            let is_hdf5 = ending == "hdf5";
            let fits = match file {
                BetaFile::Either => is_hdf5 || matches!(ending, "nii" | "nii.gz"),
                BetaFile::Hdf5 => is_hdf5,
                BetaFile::Nifti => matches!(ending, "nii" | "nii.gz"),
            };
            // The list is in order of names, so `.hdf5` comes before `.nii.gz` and stays.
            if fits {
                files.entry(number).or_insert(path);
            }
        }
        if files.is_empty() {
            let present = BetaKind::ALL.into_iter().filter(|&other| {
                let folder = subject.tree().path(&subject.beta_file(other, ""));
                fs::list(folder).is_ok_and(|files| !files.is_empty())
            });
            let wanted = match file {
                BetaFile::Either => kind.to_string(),
                BetaFile::Hdf5 => format!("{kind} (HDF5)"),
                BetaFile::Nifti => format!("{kind} (NIfTI)"),
            };
            let error = Error::missing("session of betas", wanted, present.map(BetaKind::folder));
            return Err(error.in_file(folder));
        }
        Ok(Self { subject: subject.clone(), kind, files })
    }

    /// The numbers of the sessions that are here, ascending, from 1.
    pub fn sessions(&self) -> Vec<usize> {
        self.files.keys().copied().collect()
    }

    /// The kind of betas.
    pub fn kind(&self) -> BetaKind {
        self.kind
    }

    /// The file of session `number`.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the sessions that are here.
    pub fn file(&self, number: usize) -> Result<&Path> {
        self.files.get(&number).map(PathBuf::as_path).ok_or_else(|| {
            let folder = self.subject.tree().path(&self.subject.beta_file(self.kind, ""));
            let present = self.files.keys().map(ToString::to_string);
            Error::missing("session", number.to_string(), present).in_file(folder)
        })
    }

    /// Trials and volume shape (x, y, z) of session `number`.
    ///
    /// # Errors
    /// If the session is not here or its file is damaged.
    pub fn shape(&self, number: usize) -> Result<(usize, [usize; 3])> {
        let path = self.file(number)?;
        SessionFile::open(path)?.shape().map_err(|error| error.in_file(path))
    }

    /// How many bytes [`Betas::read`] will return for `sessions` (all that are here if empty) of `mask`.
    ///
    /// # Errors
    /// If there are no such sessions, or they cannot be opened.
    pub fn bytes(&self, mask: &Mask, sessions: &[usize]) -> Result<u64> {
        let sessions = self.choose(sessions)?;
        let mut n_trials = 0;
        for &number in &sessions {
            n_trials += self.shape(number)?.0;
        }
        Ok(n_trials as u64 * mask.n_voxels() as u64 * size_of::<f32>() as u64)
    }

    /// The responses of `mask` in session `number`.
    ///
    /// # Errors
    /// If the session is not here, has another shape than the mask, or is damaged.
    pub fn session(&self, number: usize, mask: &Mask) -> Result<Session> {
        let path = self.file(number)?;
        let attempt = || -> Result<Session> {
            let file = SessionFile::open(path)?;
            let (n_trials, shape) = file.shape()?;
            mask.check_shape(shape)?;
            let mut data = match &file {
                SessionFile::Hdf5(dataset) => in_rows(&dataset.read_columns::<f32>(mask.voxels())?.view()),
                SessionFile::Nifti(nifti) => nifti.select::<f32>(mask.voxels())?,
            };
            let mut invalid = vec![true; mask.n_voxels()];
            for row in data.rows() {
                for (invalid, &value) in invalid.iter_mut().zip(row) {
                    *invalid &= value == 0.0;
                }
            }
            data /= UNITS_PER_PERCENT;
            // All sessions of an experiment have the same number of trials, which gives the place of this one.
            Ok(Session { number, first_trial: (number.max(1) - 1) * n_trials, data, invalid })
        };
        attempt().map_err(|error| error.in_file(path))
    }

    /// Hands each of `sessions` (all that are here if empty), in order, to `visit`, in the memory of one.
    ///
    /// # Errors
    /// If a session between the first and the last is missing and `sessions` is empty (name the sessions to go on without
    /// it); if the sessions differ in their number of trials; whatever [`Betas::session`] and `visit` return.
    pub fn for_each<E: From<Error>>(
        &self,
        mask: &Mask,
        sessions: &[usize],
        mut visit: impl FnMut(Session) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let sessions = self.choose(sessions)?;
        let n_trials = self.shape(sessions[0])?.0;
        for number in sessions {
            let session = self.session(number, mask)?;
            if session.data.nrows() != n_trials {
                let remedy = "download that session again; all sessions have the same number of trials";
                let got = session.data.nrows();
                return Err(Error::mismatch("the number of trials", n_trials, got, remedy)
                    .in_file(self.file(number)?)
                    .into());
            }
            visit(session)?;
        }
        Ok(())
    }

    /// Every trial of `sessions` (all that are here if empty).
    ///
    /// # Errors
    /// As [`Betas::for_each`], and if the design does not cover the trials.
    pub fn read(&self, mask: &Mask, sessions: &[usize], design: &Design) -> Result<Extracted> {
        let sessions = self.choose(sessions)?;
        let image_of_trial = design.image_of_trial(self.subject.number())?;
        let per_session = self.shape(sessions[0])?.0;
        let n_rows = sessions.len() * per_session;
        let mut data = Array2::zeros((n_rows, mask.n_voxels()));
        let mut invalid = Array2::from_elem((sessions.len(), mask.n_voxels()), false);
        let (mut trials, mut session_of_sample) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
        let mut index = 0;
        self.for_each(mask, &sessions, |session| -> Result<()> {
            let first = index * per_session;
            data.slice_mut(s![first..first + per_session, ..]).assign(&session.data);
            invalid.row_mut(index).iter_mut().zip(&session.invalid).for_each(|(to, &from)| *to = from);
            trials.extend(session.first_trial..session.first_trial + per_session);
            session_of_sample.extend(std::iter::repeat_n(session.number - 1, per_session));
            index += 1;
            Ok(())
        })?;
        let stimuli = images_of(&trials, &image_of_trial, design)?;
        let responses = Responses::new(data, stimuli, session_of_sample)
            .map_err(|error| Error::malformed("the responses", "one label per row", error))?;
        Ok(Extracted { responses, trial_of_sample: trials, invalid })
    }

    /// One row per image: the mean over its repeats in `sessions` (all that are here if empty), images in the order of their
    /// first presentation. `prepare` may change each session first, for instance z-score it.
    ///
    /// # Errors
    /// As [`Betas::read`].
    pub fn average(
        &self,
        mask: &Mask,
        sessions: &[usize],
        design: &Design,
        mut prepare: impl FnMut(&mut Session),
    ) -> Result<Extracted> {
        let sessions = self.choose(sessions)?;
        let image_of_trial = design.image_of_trial(self.subject.number())?;
        let per_session = self.shape(sessions[0])?.0;
        let trials: Vec<usize> =
            sessions.iter().flat_map(|number| (number - 1) * per_session..number * per_session).collect();
        let images = images_of(&trials, &image_of_trial, design)?;
        let mut row_of_image = BTreeMap::new();
        let (mut first_trials, mut counts, mut stimuli) = (Vec::new(), Vec::<f32>::new(), Vec::new());
        for (&trial, &image) in trials.iter().zip(&images) {
            let row = *row_of_image.entry(image).or_insert_with(|| {
                first_trials.push(trial);
                stimuli.push(image);
                counts.push(0.0);
                counts.len() - 1
            });
            counts[row] += 1.0;
        }
        let mut means = Array2::<f32>::zeros((counts.len(), mask.n_voxels()));
        let mut invalid = Array2::from_elem((sessions.len(), mask.n_voxels()), false);
        let mut index = 0;
        self.for_each(mask, &sessions, |mut session| -> Result<()> {
            invalid.row_mut(index).iter_mut().zip(&session.invalid).for_each(|(to, &from)| *to = from);
            prepare(&mut session);
            for (row, trial) in session.data.axis_iter(Axis(0)).zip(session.first_trial..) {
                // At most a few repeats are added, each divided first, so single precision loses nothing that matters.
                let target = row_of_image[&image_of_trial[trial]];
                means.row_mut(target).scaled_add(1.0 / counts[target], &row);
            }
            index += 1;
            Ok(())
        })?;
        let session_of_sample = first_trials.iter().map(|trial| trial / per_session).collect();
        let responses = Responses::new(means, stimuli, session_of_sample)
            .map_err(|error| Error::malformed("the responses", "one label per row", error))?;
        Ok(Extracted { responses, trial_of_sample: first_trials, invalid })
    }

    /// `sessions`, checked; all that are here if empty, and then without a gap.
    fn choose(&self, sessions: &[usize]) -> Result<Vec<usize>> {
        let mut chosen = sessions.to_vec();
        if chosen.is_empty() {
            chosen = (1..=self.files.keys().last().copied().unwrap_or(0)).collect();
            let absent = chosen.iter().find(|number| !self.files.contains_key(number));
            if let Some(&number) = absent {
                return self.file(number).map(|_| chosen).map_err(|error| {
                    let found = error.remedy().to_owned();
                    error.with_remedy(format!("download it, or name the sessions to use; {found}"))
                });
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        for &number in &chosen {
            self.file(number)?;
        }
        Ok(chosen)
    }
}

/// The image of each trial in `trials`.
fn images_of(trials: &[usize], image_of_trial: &[usize], design: &Design) -> Result<Vec<usize>> {
    let image = |&trial: &usize| {
        image_of_trial.get(trial).copied().ok_or_else(|| {
            let remedy = "the design does not belong to these betas";
            let got = image_of_trial.len();
            let what = "the number of trials in `masterordering`";
            Error::mismatch(what, format!("trial {}", trial + 1), got, remedy).in_file(design.path())
        })
    };
    trials.iter().map(image).collect()
}

impl SessionFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "hdf5") {
            return Ok(Self::Hdf5(Box::new(hdf5::open(path)?.dataset("betas")?)));
        }
        Ok(Self::Nifti(Box::new(nifti::open(path)?)))
    }

    /// Trials and (x, y, z).
    pub(super) fn shape(&self) -> Result<(usize, [usize; 3])> {
        match self {
            Self::Hdf5(dataset) => match *dataset.shape() {
                [t, z, y, x] => Ok((t, [x, y, z])),
                ref other => {
                    let remedy = "use the volume betas (`func1pt8mm`) as they were downloaded";
                    Err(Error::mismatch("`betas`", "trial × z × y × x", format!("{other:?}"), remedy))
                }
            },
            Self::Nifti(nifti) => Ok((nifti.header().n_frames, nifti.header().shape)),
        }
    }
}

/// A copy of a column-major matrix with its rows side by side, in blocks that fit the cache.
fn in_rows(columns: &ArrayView2<f32>) -> Array2<f32> {
    const BLOCK: usize = 64;
    let mut rows = Array2::zeros(columns.raw_dim());
    for (from, mut to) in columns.axis_chunks_iter(Axis(1), BLOCK).zip(rows.axis_chunks_iter_mut(Axis(1), BLOCK)) {
        for (from, mut to) in from.axis_chunks_iter(Axis(0), BLOCK).zip(to.axis_chunks_iter_mut(Axis(0), BLOCK)) {
            to.assign(&from);
        }
    }
    rows
}
