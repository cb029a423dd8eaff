//! Integration tests: agreement with reference packages, and properties on simulated data.

mod encoding;
mod nulls;
mod properties;
mod reference;
