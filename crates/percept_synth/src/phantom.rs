//! Phantom subjects: simulated brains that saw drawings, written as the Natural Scenes Dataset writes real ones.
//!
//! A [`Phantom`] is a small curved cortex ([`cortex`], with a folded [`sheet`] in its ribbon) with known tuning ([`Tuning`]) that is shown drawings on a schedule
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
pub(crate) mod once;
mod params;
mod response;
pub mod schedule;
mod session;
pub mod sheet;
mod subject;
mod surfaces;
mod tables;
mod tree;
mod tuning;

pub use attributes::Kind;
pub use cortex::{Area, Cortex};
pub use params::{BetaFormat, Error, PhantomParams};
pub use schedule::Schedule;
pub use session::UNITS_PER_PERCENT;
pub use subject::Phantom;
pub use tree::BETA_TYPE;
pub use tuning::Tuning;
