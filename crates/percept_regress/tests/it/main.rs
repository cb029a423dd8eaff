//! Integration tests of the ridge estimators: against refitting by hand, against scikit-learn and himalaya, against themselves.

mod bad_input;
mod banded;
mod behaviour;
mod brute_force;
mod data;
mod fastl2lir;
mod himalaya;
mod selection;
mod sklearn;
mod threads;
