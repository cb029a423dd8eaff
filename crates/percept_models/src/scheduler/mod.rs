//! Noise schedules of diffusion models, from `scheduler_config.json`; one sampler per file.

mod ddim;
mod schedule;

pub use ddim::Ddim;
pub use schedule::{NoiseSchedule, Prediction, SchedulerConfig};
