//! Helpers for percept's own tests: shared data that may be absent, hostile bytes, a hub on this machine, threads as processes.
//!
//! - [`shared`]: real recordings made by others, which may be absent; a test that needs them then says that it is skipped
//! - [`hostile`]: damaged copies of a valid file, with proof that a reader neither panics nor takes much memory
//! - [`http`]: one request as bytes, and its answer
//! - [`hub`]: a small Hugging Face hub whose files arrive cut, damaged or not at all
//! - [`meeting`]: threads that play several processes
//!
//! A development dependency only: nothing that ships may use it.

pub mod hostile;
pub mod http;
pub mod hub;
pub mod meeting;
pub mod shared;

pub use hostile::Hostile;
pub use meeting::Meeting;
pub use shared::shared_data;
