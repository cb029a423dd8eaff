//! Phantom subjects: simulated brains that saw drawings, written as the Natural Scenes Dataset writes real ones.
//!
//! A [`Phantom`] is a small curved cortex ([`cortex`]) with known tuning ([`Tuning`]) that is shown drawings on a schedule
//! ([`schedule`]); it responds through a forward model that is not linear in pixels, latents or text, and what is measured
//! has NSD's noise, drift and integers. [`Phantom::write`] puts it on the disk as an NSD tree with the truth beside it;
//! [`Phantom::betas`] gives a session in memory.
//!
//! Everything follows from the parameters and a seed: the same bytes on any number of threads, also after being killed and
//! started again. No physiology (haemodynamics, motion) is simulated; betas are what a good GLM would give.

mod attributes;
mod behaviour;
pub mod cortex;
mod energy;
mod response;
pub mod schedule;
mod session;
mod tables;
mod tree;
mod tuning;

use std::path::PathBuf;

use ndarray::{Array2, Array3};
use percept_core::{Progress, Seed, Silent};
use serde::{Deserialize, Serialize};

pub use attributes::Kind;
pub use cortex::{Area, Cortex};
pub use schedule::Schedule;
pub use session::UNITS_PER_PERCENT;
pub use tree::BETA_TYPE;
pub use tuning::Tuning;

use crate::drawing::Drawing;

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
            median_ncsnr: 0.45,
            betas: BetaFormat::Hdf5,
        }
    }
}

impl PhantomParams {
    /// Pictures that the subject sees.
    pub fn n_images(&self) -> usize {
        self.n_sessions * self.trials_per_session / schedule::N_REPEATS
    }

    /// Pictures in the stimulus file.
    pub fn n_stimuli(&self) -> usize {
        self.n_images() + self.n_unseen
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |what, got, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        let n_trials = self.n_sessions * self.trials_per_session;
        if n_trials == 0 || !n_trials.is_multiple_of(schedule::N_REPEATS) {
            let got = format!("{} × {}", self.n_sessions, self.trials_per_session);
            return refuse("sessions × trials", got, "a positive multiple of 3", "change `trials_per_session`");
        }
        if self.trials_per_session < 2 * schedule::N_RUNS || self.trials_per_session > 75 * schedule::N_RUNS {
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
        if !(1..=schedule::N_SUBJECTS).contains(&self.subject) {
            return refuse("`subject`", self.subject.to_string(), "1 to 8", "NSD has eight subjects");
        }
        if !(self.median_ncsnr > 0.0 && self.median_ncsnr <= 1.0) {
            return refuse("`median_ncsnr`", self.median_ncsnr.to_string(), "above 0, up to 1", "NSD has about 0.45");
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
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
}

/// A simulated subject and everything it saw.
pub struct Phantom {
    params: PhantomParams,
    seed: Seed,
    cortex: Cortex,
    tuning: Vec<Tuning>,
    schedule: Schedule,
    drawings: Vec<Drawing>,
    signal: Array2<f32>,
}

impl Phantom {
    /// Simulates a subject.
    ///
    /// # Errors
    /// If a parameter is out of range or the volume too small.
    pub fn new(params: PhantomParams, seed: Seed) -> Result<Self, Error> {
        Self::with_progress(params, seed, &Silent)
    }

    /// As [`Phantom::new`], reporting to `progress`.
    ///
    /// # Errors
    /// As [`Phantom::new`].
    pub fn with_progress(params: PhantomParams, seed: Seed, progress: &dyn Progress) -> Result<Self, Error> {
        params.check()?;
        let cortex = Cortex::new(&params)?;
        let brain_seed = seed.named("brain").at(params.subject as u64);
        let tuning = tuning::draw(&cortex, brain_seed.named("tuning"), params.median_ncsnr);
        let schedule = Schedule::new(&params, seed.named("schedule"));
        let drawings: Vec<Drawing> =
            (0..params.n_stimuli()).map(|stimulus| Drawing::random(stimulus_seed(seed, stimulus))).collect();
        progress.begin("phantom responses", drawings.len() as u64);
        let picture = |stimulus: usize| drawings[stimulus].render(stimulus_seed(seed, stimulus));
        let signal = response::responses(&tuning, &drawings, &picture, &|steps| progress.advance(steps));
        progress.end(&format!("{} voxels, {} pictures", tuning.len(), drawings.len()));
        Ok(Self { params, seed, cortex, tuning, schedule, drawings, signal })
    }

    /// The parameters.
    pub fn params(&self) -> &PhantomParams {
        &self.params
    }

    /// The brain's shape and areas.
    pub fn cortex(&self) -> &Cortex {
        &self.cortex
    }

    /// The truth about every cortical voxel.
    pub fn tuning(&self) -> &[Tuning] {
        &self.tuning
    }

    /// What was shown when.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What each stimulus shows, in the order of the stimulus file.
    pub fn drawings(&self) -> &[Drawing] {
        &self.drawings
    }

    /// The picture of a stimulus (number from 0 on), (64, 64, 3).
    pub fn picture(&self, stimulus: usize) -> Array3<u8> {
        self.drawings[stimulus].render(stimulus_seed(self.seed, stimulus))
    }

    /// The five captions of a stimulus.
    pub fn captions(&self, stimulus: usize) -> Vec<String> {
        self.drawings[stimulus].captions(stimulus_seed(self.seed, stimulus))
    }

    /// Responses without noise, standardised per voxel.
    ///
    /// # Shapes
    /// n_stimuli × cortical voxels.
    pub fn signal(&self) -> &Array2<f32> {
        &self.signal
    }

    /// The betas of a session (number from 0 on), [`UNITS_PER_PERCENT`] integers per percent signal change.
    ///
    /// # Shapes
    /// trials × voxels of the brain ([`Cortex::brain`]); [`Cortex::in_brain`] finds the cortical ones.
    pub fn betas(&self, session: usize) -> Array2<i16> {
        session::Scanner::new(self).betas(self, session)
    }

    fn subject_seed(&self) -> Seed {
        self.seed.named("brain").at(self.params.subject as u64)
    }
}

fn stimulus_seed(seed: Seed, stimulus: usize) -> Seed {
    seed.named("stimulus").at(stimulus as u64)
}
