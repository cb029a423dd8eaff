//! The data of an experiment, whatever they came from: responses by region and group, pictures, captions, and which samples are
//! tested.
//!
//! A [`Dataset`] is all that the methods see; files and trees stay behind the functions that fill it ([`open`]). Responses
//! are held in memory, pictures are read when they are needed. Values are as recorded: normalisation belongs to the fold
//! that fits on them ([`crate::decoding`]).

mod alike;
mod array_pictures;
mod arrays;
mod bids;
mod dataset;
pub mod listening;
mod nsd;
pub(crate) mod phantom;
pub mod pictures;
pub mod recording;
mod stimuli;
mod table;
mod units;
pub mod watching;

use percept_core::Progress;

use crate::error::PipelineError;
use crate::experiment::{Data, Experiment};
use crate::run::RunFolder;

pub use alike::Alike;
pub use dataset::{Dataset, SurfaceFolder};
pub use recording::Recording;
pub use stimuli::Stimuli;
pub use table::{Columns, FeatureTable, StoredTable, hash_of_rows};
pub use units::{Places, RegionUnits, UnitGroup};

/// Opens the data of `experiment`. A phantom is written below the run directory first, unless it is there.
///
/// # Errors
/// When files are missing, damaged or do not fit together.
pub fn open(experiment: &Experiment, run: &RunFolder, progress: &dyn Progress) -> Result<Dataset, PipelineError> {
    let needs = experiment.needs();
    match &experiment.data {
        Data::Arrays(settings) => arrays::open(settings, needs),
        Data::Nsd(settings) => nsd::open(settings, needs, progress),
        Data::Phantom(settings) => phantom::open(settings, needs, run, progress),
    }
}
