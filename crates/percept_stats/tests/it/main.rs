//! Integration tests: agreement with reference packages, and properties on simulated data.

mod properties;
mod reference;
