//! A sampling run: the steps it visits, what the model is given at each, and how a sample goes from one to the next.
//!
//! A [`Sampler`] is made once for a schedule and a number of steps and holds no state; what the multistep solvers
//! remember is in a [`History`] that belongs to one batch of samples. Noise is handed in, so it is the caller's.

use candle_core::Tensor;

use super::{
    NoiseSchedule, SamplerKind,
    config::Spacing,
    ddim, ddpm, dpm_solver, euler,
    given::{Given, History},
    lcm,
    sigmas::{Path, path},
    unipc,
};
use crate::error::Result;

/// A run of a sampler over a number of steps.
#[derive(Clone, Debug)]
pub struct Sampler {
    schedule: NoiseSchedule,
    path: Path,
}

impl Sampler {
    /// A run of `n` steps of the sampler that the schedule's config names.
    ///
    /// # Errors
    /// When `n` is zero or more than the sampler can visit.
    pub fn new(schedule: NoiseSchedule, n: usize) -> Result<Self> {
        Ok(Self { path: path(&schedule, n)?, schedule })
    }

    /// The training steps visited, noisiest first; some samplers visit places between them.
    pub fn steps(&self) -> &[f64] {
        &self.path.steps
    }

    /// The index of the first step of a run from a clean sample noised to `strength` (1 runs all steps, 0 none).
    pub fn start(&self, strength: f64) -> usize {
        let n = self.path.steps.len();
        n - ((n as f64 * strength) as usize).min(n)
    }

    /// The noise schedule.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    fn kind(&self) -> SamplerKind {
        self.schedule.config().kind()
    }

    /// What standard normal noise is multiplied by to be the sample before the first step.
    pub fn first_noise(&self) -> f64 {
        match self.kind() {
            SamplerKind::Euler | SamplerKind::EulerAncestral => {
                let largest = self.path.sigmas.iter().copied().fold(0.0, f64::max);
                match self.schedule.config().timestep_spacing {
                    Spacing::Leading => (largest * largest + 1.0).sqrt(),
                    Spacing::Trailing | Spacing::Linspace => largest,
                }
            }
            _ => 1.0,
        }
    }

    /// The weights of clean sample and noise in a sample that enters the run at step `i`.
    pub fn mix(&self, i: usize) -> (f64, f64) {
        match self.kind() {
            SamplerKind::Euler | SamplerKind::EulerAncestral => (1.0, self.path.sigmas[i]),
            SamplerKind::DpmSolver | SamplerKind::UniPc => self.path.mix(i),
            SamplerKind::Ddim | SamplerKind::Ddpm | SamplerKind::Lcm => self.schedule.mix(self.path.steps[i] as usize),
        }
    }

    /// What a sample is multiplied by before the model sees it at step `i`.
    pub fn input_scale(&self, i: usize) -> f64 {
        match self.kind() {
            SamplerKind::Euler | SamplerKind::EulerAncestral => self.path.mix(i).0,
            _ => 1.0,
        }
    }

    /// Whether step `i` needs fresh noise.
    pub fn draws_noise(&self, i: usize) -> bool {
        match self.kind() {
            SamplerKind::Ddim | SamplerKind::Euler | SamplerKind::UniPc => false,
            SamplerKind::Ddpm => self.path.steps[i] > 0.0,
            SamplerKind::EulerAncestral => self.path.sigmas[i + 1] > 0.0,
            SamplerKind::DpmSolver => dpm_solver::is_stochastic(&self.schedule.config().solver),
            SamplerKind::Lcm => i + 1 < self.path.steps.len(),
        }
    }

    /// A whole run from `sample`, the sample at step `first`: `output` is what the model says of what it is given at a training
    /// step, `noise` the fresh noise of step i where the sampler draws it.
    ///
    /// # Errors
    /// Those of `output`, `noise` and [`Self::step`].
    pub(crate) fn run(
        &self,
        first: usize,
        sample: Tensor,
        mut output: impl FnMut(&Tensor, f64) -> Result<Tensor>,
        mut noise: impl FnMut(usize) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut sample = sample;
        let mut history = History::default();
        for (i, &step) in self.steps().iter().enumerate().skip(first) {
            let output = output(&(&sample * self.input_scale(i))?, step)?;
            let fresh = self.draws_noise(i).then(|| noise(i)).transpose()?;
            sample = self.step(i, &output, &sample, fresh.as_ref(), &mut history)?;
        }
        Ok(sample)
    }

    /// From the sample at step `i` and the model's output there to the sample at the next step. `noise` is standard
    /// normal where [`Self::draws_noise`]; steps are taken in order, with the same `history`.
    ///
    /// # Errors
    /// When the shapes differ, or noise is needed and absent.
    pub fn step(
        &self,
        i: usize,
        output: &Tensor,
        sample: &Tensor,
        noise: Option<&Tensor>,
        history: &mut History,
    ) -> Result<Tensor> {
        let given = Given { output, sample, noise };
        match self.kind() {
            SamplerKind::Ddim => ddim::step(&self.schedule, &self.path, i, &given),
            SamplerKind::Ddpm => ddpm::step(&self.schedule, &self.path, i, &given),
            SamplerKind::Euler => euler::step(self.schedule.config().prediction_type, &self.path, i, &given),
            SamplerKind::EulerAncestral => {
                euler::ancestral(self.schedule.config().prediction_type, &self.path, i, &given)
            }
            SamplerKind::DpmSolver => dpm_solver::step(self.schedule.config(), &self.path, i, &given, history),
            SamplerKind::UniPc => unipc::step(self.schedule.config(), &self.path, i, &given, history),
            SamplerKind::Lcm => lcm::step(&self.schedule, &self.path, i, &given),
        }
    }
}
