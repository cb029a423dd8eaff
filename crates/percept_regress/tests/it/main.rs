//! Integration tests of the ridge estimators: against refitting by hand, against scikit-learn and himalaya, against themselves.

mod bad_input;
mod behaviour;
mod brute_force;
mod data;
mod himalaya;
mod sklearn;
mod threads;
