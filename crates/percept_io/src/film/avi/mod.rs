//! AVI of JPEG files (the codec `MJPG`), read and written.
//!
//! # References
//! Microsoft, AVI RIFF File Reference; OpenDML AVI File Format Extensions 1.02 (only that a file may have several RIFF lists).

mod read;
mod write;

pub(super) use read::{Avi, is_avi};
pub use write::{AviWriter, write_avi};
