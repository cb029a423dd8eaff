//! The encoding room: stimuli to features, features to predicted responses, predictions to scores that are compared with chance and
//! ceiling. `percept_methods::encoding` puts the pieces together.
//!
//! - [`axes`]: where a set of features stands: layer, step, block, phase; [`features`]: all sets of a space
//! - [`plan`]: folds over stimuli, runs or titles, and the items that are scored
//! - [`fit`]: held-out predictions of all units; [`predictions`]: the file that they are in
//! - [`planted`]: simulated subjects whose regions follow features of the experiment, and the truth about them
//! - [`score`]: r, R², nulls, ceilings, regions

pub mod axes;
pub mod features;
pub mod fit;
mod gabor;
mod places;
pub mod plan;
pub mod planted;
pub mod predictions;
pub mod responses;
pub mod score;

pub use axes::{Axes, Coordinate};
pub use features::{Point, points};
pub use plan::EncodingPlan;
