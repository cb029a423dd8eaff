//! Is my download whole? What a recipe needs, what of it is here, and whether the parts agree with each other.
//!
//! Files are checked from the outside in: does it exist, does it open, does it have the shape of its neighbours, do two
//! tables that say the same thing say the same. [`Depth::Values`] also reads every beta inside the brain, in bounded memory,
//! which finds truncated compressed files and counts saturated and unmeasured voxels. Nothing is repaired.
//!
//! The report is data ([`Report`], serde); whoever runs the check prints it.

mod examine;
mod recipe;
mod report;
mod sizes;
mod values;

pub use examine::examine;
pub use recipe::{Recipe, SessionsNeeded};
pub use report::{Check, MissingFile, Outcome, RegionReport, Report, SessionReport, SubjectReport};

/// How far a check goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Names, headers and tables: seconds.
    #[default]
    Headers,
    /// All betas inside the brain as well: seconds per session in HDF5, tens of seconds in compressed NIfTI.
    Values,
}
