//! Integration tests: agreement with reference packages, and properties on simulated data.

mod captions;
mod encoding;
mod nulls;
mod properties;
mod reference;
