//! Noise schedules of diffusion models and the samplers that run them, from `scheduler_config.json`.
//!
//! [`Sampler`] is what generation uses; each file beside it holds one sampler's arithmetic, with its paper. All
//! coefficients are computed in `f64`; tensors stay `f32`.

mod config;
mod ddim;
mod ddpm;
mod dpm_solver;
mod euler;
mod given;
mod lcm;
mod sampler;
mod schedule;
mod sigmas;
mod unipc;

pub use config::{Prediction, SamplerKind, SchedulerConfig};
pub use given::History;
pub use sampler::Sampler;
pub use schedule::NoiseSchedule;
