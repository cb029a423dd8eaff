//! Integration tests of the ridge estimators: against refitting by hand, against scikit-learn, against themselves.

mod bad_input;
mod behaviour;
mod brute_force;
mod data;
mod sklearn;
mod threads;
