//! Helpers for percept's own tests: shared data that may be absent, and hostile bytes.
//!
//! - [`shared`]: real recordings made by others, which may be absent; a test that needs them then says that it is skipped
//! - [`hostile`]: damaged copies of a valid file, with proof that a reader neither panics nor takes much memory
//!
//! A development dependency only: nothing that ships may use it.

pub mod hostile;
pub mod shared;

pub use hostile::Hostile;
pub use shared::shared_data;
