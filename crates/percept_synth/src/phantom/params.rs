//! What kind of phantom is asked for, and why one may be refused.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::drawing::SIDE;

/// Presentations of every picture.
pub(super) const N_REPEATS: usize = 3;

/// Runs of a session.
pub(super) const N_RUNS: usize = 12;

/// Subjects that an NSD design describes.
pub(super) const N_SUBJECTS: usize = 8;

/// In which formats betas are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BetaFormat {
    /// `betas_sessionNN.hdf5`.
    #[default]
    Hdf5,
    /// `betas_sessionNN.nii.gz`.
    Nifti,
    /// Both.
    Both,
}

/// The largest side of a picture.
const MOST_SIDE: usize = 1024;

/// What kind of phantom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhantomParams {
    /// Which of NSD's eight subjects it plays, from 1 on. Subjects of the same seed see the same world with other brains.
    pub subject: usize,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Voxels in `nsdgeneral`.
    pub n_nsdgeneral: usize,
    /// Sessions.
    pub n_sessions: usize,
    /// Trials in each session.
    pub trials_per_session: usize,
    /// Pictures that all subjects see: the test set.
    pub n_shared: usize,
    /// Pictures in the stimulus file that nobody sees.
    pub n_unseen: usize,
    /// Whether each of the eight subjects has pictures of its own beside the shared ones, as in NSD, or all see the same. The
    /// stimulus file is then almost eight times as large.
    pub own_images: bool,
    /// Side of the pictures in the stimulus file, in pixels; 425 in NSD.
    pub stimulus_side: usize,
    /// Median over `nsdgeneral` of the ratio of signal to noise on a single trial.
    pub median_ncsnr: f32,
    /// In which formats betas are written.
    pub betas: BetaFormat,
}

impl Default for PhantomParams {
    /// 12 sessions of 750 trials: 3,000 pictures three times each, 120 of them shared, 3,300 voxels.
    fn default() -> Self {
        Self {
            subject: 1,
            shape: [24, 26, 18],
            n_nsdgeneral: 3_300,
            n_sessions: 12,
            trials_per_session: 750,
            n_shared: 120,
            n_unseen: 16,
            own_images: false,
            stimulus_side: SIDE,
            median_ncsnr: 0.45,
            betas: BetaFormat::Hdf5,
        }
    }
}

impl PhantomParams {
    /// Pictures that the subject sees.
    pub fn n_images(&self) -> usize {
        self.n_sessions * self.trials_per_session / N_REPEATS
    }

    /// Pictures in the stimulus file.
    pub fn n_stimuli(&self) -> usize {
        let n_own = self.n_images() - self.n_shared.min(self.n_images());
        let n_sets = if self.own_images { N_SUBJECTS } else { 1 };
        self.n_images() + (n_sets - 1) * n_own + self.n_unseen
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |what, got, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        let n_trials = self.n_sessions * self.trials_per_session;
        if n_trials == 0 || !n_trials.is_multiple_of(N_REPEATS) {
            let got = format!("{} × {}", self.n_sessions, self.trials_per_session);
            return refuse("sessions × trials", got, "a positive multiple of 3", "change `trials_per_session`");
        }
        if self.trials_per_session < 2 * N_RUNS || self.trials_per_session > 75 * N_RUNS {
            let got = self.trials_per_session.to_string();
            return refuse("`trials_per_session`", got, "24 to 900", "change the number of sessions instead");
        }
        if self.n_sessions > 99 {
            return refuse("`n_sessions`", self.n_sessions.to_string(), "at most 99", "use more trials per session");
        }
        if self.n_shared > self.n_images() {
            let got = format!("{} of {} pictures", self.n_shared, self.n_images());
            return refuse("`n_shared`", got, "at most all pictures", "share fewer");
        }
        if !(1..=N_SUBJECTS).contains(&self.subject) {
            return refuse("`subject`", self.subject.to_string(), "1 to 8", "NSD has eight subjects");
        }
        if !(self.median_ncsnr > 0.0 && self.median_ncsnr <= 1.0) {
            return refuse("`median_ncsnr`", self.median_ncsnr.to_string(), "above 0, up to 1", "NSD has about 0.45");
        }
        if !(8..=MOST_SIDE).contains(&self.stimulus_side) {
            return refuse("`stimulus_side`", self.stimulus_side.to_string(), "8 to 1024", "NSD has 425");
        }
        if self.shape.iter().any(|&length| !(8..=200).contains(&length)) {
            return refuse("`shape`", format!("{:?}", self.shape), "8 to 200 voxels each way", "use about 24, 26, 18");
        }
        Ok(())
    }
}

/// Why a phantom could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter out of range.
    #[error("{what} is {got} but must be {expected} ({remedy})")]
    Parameter {
        /// Which one.
        what: &'static str,
        /// Its value.
        got: String,
        /// The range.
        expected: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The volume is too small.
    #[error(
        "the volume {shape:?} has {cortex} voxels of cortex but `n_nsdgeneral` asks for {wanted} (enlarge `shape`)"
    )]
    TooFewVoxels {
        /// Voxels asked for.
        wanted: usize,
        /// Voxels there are.
        cortex: usize,
        /// Volume.
        shape: [usize; 3],
    },
    /// The directory holds another phantom.
    #[error(
        "{path} describes another phantom than the one asked for (choose an empty directory or the same parameters and seed)"
    )]
    OtherPhantom {
        /// The description found there.
        path: PathBuf,
    },
    /// Features that cannot drive voxels.
    #[error("{what} ({remedy})")]
    Planted {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
}
