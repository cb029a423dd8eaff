//! A simulated subject: its brain, what it saw, and its responses without noise.

use ndarray::{Array2, Array3};
use percept_core::{Progress, Seed, Silent};

use super::cortex::Cortex;
use super::params::{Error, PhantomParams};
use super::schedule::Schedule;
use super::tuning::Tuning;
use super::{response, tuning};
use crate::drawing::Drawing;
use crate::planted::{self, Drive, PlantedRegion, PlantedVoxel};

/// A simulated subject and everything it saw.
pub struct Phantom {
    pub(super) params: PhantomParams,
    pub(super) seed: Seed,
    pub(super) cortex: Cortex,
    pub(super) tuning: Vec<Tuning>,
    pub(super) schedule: Schedule,
    pub(super) drawings: Vec<Drawing>,
    pub(super) signal: Array2<f32>,
    pub(super) planted: Option<PlantedBrain>,
}

/// What was planted into a subject.
pub(super) struct PlantedBrain {
    pub(super) regions: Vec<PlantedRegion>,
    pub(super) voxels: Vec<PlantedVoxel>,
    pub(super) features: String,
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
        Ok(Self { params, seed, cortex, tuning, schedule, drawings, signal, planted: None })
    }

    /// The same subject, but the voxels of `regions` follow given features of the pictures instead of their own tuning; noise,
    /// drifts, mean and ceiling stay.
    ///
    /// # Shapes
    /// Each drive has one run with a row per stimulus, in the order of the stimulus file.
    ///
    /// # Errors
    /// [`Error::Planted`] for drives that do not fit the stimuli, and what [`crate::planted::assign`] refuses.
    pub fn planted(mut self, drives: &[Drive], regions: Vec<PlantedRegion>) -> Result<Self, Error> {
        let n = self.drawings.len();
        if let Some(drive) = drives.iter().find(|drive| drive.runs.len() != 1 || drive.runs[0].nrows() != n) {
            let rows: Vec<usize> = drive.runs.iter().map(Array2::nrows).collect();
            return Err(Error::Planted {
                what: format!("drive `{}` has {rows:?} rows for {n} stimuli", drive.name),
                remedy: "give one row per stimulus of the stimulus file",
            });
        }
        let seed = self.subject_seed().named("planted");
        let voxels = planted::assign(&self.cortex.voxels, &regions, drives, seed.named("mixtures"))?;
        let own = seed.named("weights");
        let weights = &|voxel: usize, drive: &str, n: usize| planted::normal_weights(own, voxel, drive, n);
        let signal = planted::Signals::new(&planted::Sets { drives, weights }, &|_| {}).all(&voxels);
        for (number, voxel) in voxels.iter().enumerate() {
            if !voxel.mixture.is_empty() {
                self.signal.column_mut(number).assign(&signal.column(number));
            }
        }
        let features = planted::hash(drives);
        self.planted = Some(PlantedBrain { regions, voxels, features });
        Ok(self)
    }

    /// What each voxel of cortex follows, if features were planted.
    pub fn planted_voxels(&self) -> Option<&[PlantedVoxel]> {
        self.planted.as_ref().map(|planted| planted.voxels.as_slice())
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

    pub(super) fn subject_seed(&self) -> Seed {
        self.seed.named("brain").at(self.params.subject as u64)
    }
}

pub(super) fn stimulus_seed(seed: Seed, stimulus: usize) -> Seed {
    seed.named("stimulus").at(stimulus as u64)
}
