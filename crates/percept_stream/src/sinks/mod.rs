//! Where pictures go beside the page: files, a film, OSC, a log.

pub mod files;
pub mod log;
pub mod osc;
