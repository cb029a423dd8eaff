//! The vocabulary of percept: what every other crate agrees on, and nothing that knows a file format or a model.
//!
//! - [`arm`]: names of what is compared
//! - [`responses`]: the matrix of measured responses and what each of its rows was
//! - [`split`]: training and test sets that cannot leak
//! - [`seed`]: one number from which every random stream of a run is derived by name
//! - [`score`]: the rows that every evaluation ends in
//! - [`figure`]: drawings of results as plain data, in sections of a report
//! - [`mesh`]: triangles of a surface, the two halves of the brain
//! - [`outcome`]: what a run ends in, as plain data that a report shows
//! - [`provenance`]: what made a result
//! - [`progress`]: how long work tells the user where it is

pub mod arm;
pub mod figure;
pub mod mesh;
pub mod outcome;
pub mod progress;
pub mod provenance;
pub mod responses;
pub mod score;
pub mod seed;
pub mod split;

pub use arm::{ArmName, ArmNameError};
pub use figure::{Figure, Section};
pub use mesh::{Mesh, Side};
pub use outcome::{Outcome, Role};
pub use progress::{Progress, Silent};
pub use provenance::Provenance;
pub use responses::Responses;
pub use score::{DifferenceRow, ScoreRow};
pub use seed::Seed;
pub use split::Split;
